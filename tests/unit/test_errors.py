"""Errors: what they say, and what they tell others to do."""

import pickle
from collections.abc import Iterator

import pytest

from bulkput import errors
from bulkput.errors import (
    BulkputError,
    Conflict,
    Denied,
    Exists,
    IntegrityError,
    JournalError,
    NotFound,
    PartsRefused,
    QuotaExceeded,
    RateGone,
    SourceError,
    SourceGone,
    Stopped,
    StoreError,
    StoreGone,
    Throttled,
    TooLarge,
    Unavailable,
    Unsupported,
    UsageError,
    printable,
)

TREE: dict[type[BulkputError], tuple[bool, bool]] = {
    BulkputError: (False, False),
    UsageError: (False, False),
    SourceError: (False, False),
    SourceGone: (False, True),
    Stopped: (False, False),
    JournalError: (False, True),
    RateGone: (False, True),
    StoreError: (False, False),
    StoreGone: (False, True),
    IntegrityError: (True, False),
    Unavailable: (True, False),
    Throttled: (True, False),
    NotFound: (False, False),
    Exists: (False, False),
    Conflict: (False, False),
    TooLarge: (False, False),
    Unsupported: (False, False),
    Denied: (False, True),
    QuotaExceeded: (False, True),
    PartsRefused: (False, False),
}
"""Each error: is it worth another try, does it stop the run."""


def below(kind: type[BulkputError]) -> Iterator[type[BulkputError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


@pytest.mark.parametrize(("kind", "flags"), TREE.items())
def test_each_error_has_its_retry_and_stop_flags(kind: type[BulkputError], flags: tuple[bool, bool]) -> None:
    """The table has the flags of every error class."""
    assert (kind.is_retryable, kind.stops_run) == flags


def test_the_table_of_errors_is_complete() -> None:
    """A new error class needs its retry and stop flags here."""
    defined = {kind for kind in below(BulkputError) if kind.__module__ == errors.__name__}
    assert defined == set(TREE)


def test_the_error_tree_in_the_docstring_is_complete() -> None:
    """The tree in the module's docstring is complete."""
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in TREE)


@pytest.mark.parametrize("kind", [k for k in TREE if issubclass(k, StoreError)])
def test_every_error_of_a_store_is_a_store_error(kind: type[BulkputError]) -> None:
    """None of them is a usage error or a source error."""
    assert issubclass(kind, StoreError)
    assert not issubclass(kind, (UsageError, SourceError))


def test_a_store_error_text_names_operation_key_status_and_attempts() -> None:
    """The docstring of the class has the form."""
    error = Unavailable("put", "photos/a.jpg", "Service Unavailable", status=503, request_id="tx4a1")
    error.attempts, error.elapsed_s = 4, 7.249
    assert str(error) == "put photos/a.jpg: 503 Service Unavailable after 4 attempts in 7.2 s (tx4a1)"


@pytest.mark.parametrize(
    ("status", "request_id", "text"),
    [
        (None, None, "put a: reset"),
        (503, None, "put a: 503 reset"),
        (None, "tx1", "put a: reset (tx1)"),
        (503, "tx1", "put a: 503 reset (tx1)"),
        (503, "", "put a: 503 reset"),
    ],
)
def test_a_store_error_text_leaves_out_unknown_values(status: int | None, request_id: str | None, text: str) -> None:
    """A first attempt is not counted in the text."""
    assert str(StoreError("put", "a", "reset", status=status, request_id=request_id)) == text


def test_an_integrity_error_has_both_digests() -> None:
    """They are the sent MD5 and the answered ETag, in the text and as fields."""
    error = IntegrityError("put", "a", expected="e1", actual=None, status=201, request_id="tx1")
    assert str(error) == "put a: 201 sent bytes with MD5 e1, the store answered ETag None (tx1)"
    assert (error.expected, error.actual, error.status, error.request_id) == ("e1", None, 201, "tx1")


def test_a_throttled_error_has_the_retry_after_of_the_store() -> None:
    """`retry_after_s` is None if the answer has none."""
    assert Throttled("put", "a", "Slow down", status=498, retry_after_s=3.0).retry_after_s == 3.0
    assert Throttled("put", "a", "Slow down").retry_after_s is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"a b.txt", "read a b.txt: changed: it grew"),
        (b"a\nb", "read a\\nb: changed: it grew"),
        (b"a\x1b[31m", "read a\\x1b[31m: changed: it grew"),
        (b"a\xff", "read a\\xff: changed: it grew"),
        ("größe".encode(), "read größe: changed: it grew"),
    ],
)
def test_a_source_error_names_the_file_on_one_line(path: bytes, text: str) -> None:
    """Names of any bytes are printed as printable text."""
    error = SourceError(path, "changed", "it grew")
    assert str(error) == text
    assert (error.path, error.problem, error.detail) == (path, "changed", "it grew")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        (b"", ""),
        ("é \U0001f600", "é \U0001f600"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("right\u202eleft", "right\\u202eleft"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_printable_escapes_controls_direction_marks_and_undecodable_bytes(name: str | bytes, text: str) -> None:
    """All other text stays unchanged."""
    assert printable(name) == text


def test_about_gives_the_same_error_for_another_object() -> None:
    """The new error keeps type and fields and names the object; the first error is unchanged."""
    error = IntegrityError("delete", "a", expected="1", actual="2", status=201, request_id="tx1")
    error.attempts, error.elapsed_s = 3, 2.0
    told = error.about("b", "; it is copied")
    assert isinstance(told, IntegrityError) and (told.key, told.expected, told.attempts) == ("b", "1", 3)
    assert str(told) == (
        "delete b: 201 sent bytes with MD5 1, the store answered ETag 2; it is copied after 3 attempts in 2.0 s (tx1)"
    )
    assert error.key == "a" and "copied" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("put", "k", expected="1", actual="2"),
        Throttled("put", "k", "slow down", status=429, retry_after_s=3.0),
        SourceError(b"\xff", "vanished", "it is gone"),
        UsageError("no such flag"),
    ],
)
def test_an_error_survives_pickling(error: BulkputError) -> None:
    """Type, text and fields are equal afterwards."""
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))
