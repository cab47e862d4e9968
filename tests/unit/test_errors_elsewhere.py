"""Errors pass from process to process with all that they say."""

import pickle
from collections.abc import Iterator
from copy import copy
from threading import Lock

import pytest

from bulkput import errors as er


def kinds(kind: type[er.BulkputError] = er.BulkputError) -> Iterator[type[er.BulkputError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def made(kind: type[er.BulkputError]) -> er.BulkputError:
    """One of the kind, with what its constructor wants."""
    if issubclass(kind, er.PartsRefused):
        return kind("manifest", "k", "gone", numbers=(1, 2), status=400)
    if issubclass(kind, er.IntegrityError):
        return kind("put", "k", expected="a", actual="b", status=201)
    if issubclass(kind, er.StoreError):
        return kind("put", "k", "no", status=503, request_id="tx")
    if issubclass(kind, er.SourceError):
        return kind(b"/a\xff", "vanished", "it is gone")
    if issubclass(kind, er.JournalError):
        return kind(b"/j", "it is full")
    return kind("a sentence")


@pytest.mark.parametrize("kind", list(dict.fromkeys(kinds())), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_and_copying(kind: type[er.BulkputError]) -> None:
    error = made(kind)
    error.__dict__.update(attempts=3, elapsed_s=1.5)
    for other in (pickle.loads(pickle.dumps(error)), copy(error)):
        assert type(other) is kind and str(other) == str(error)
        assert other.__dict__ == error.__dict__ and other.args == error.args
        assert (other.is_retryable, other.stops_run) == (error.is_retryable, error.stops_run)


def test_what_only_this_process_can_do_stays_here() -> None:
    """The parts that were sent in vain have been told, or will be, where they were sent."""
    error = er.Exists("put", "k", "there")
    error.in_vain = er.PartsInVain(1, 2, 0, lambda: None)
    assert pickle.loads(pickle.dumps(error)).in_vain is None


def test_what_cannot_leave_this_process_is_left_out() -> None:
    """The error of another package may have what it likes."""
    error = er.StoreError("put", "k", "no", status=503)
    error.__dict__.update(response=Lock(), rows=[1, 2])
    for other in (pickle.loads(pickle.dumps(error)), copy(error)):
        assert str(other) == str(error)
        assert vars(other) == {name: value for name, value in vars(error).items() if name != "response"}
