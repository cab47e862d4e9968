"""Which files need not be sent, line by line of the tables."""

import itertools
from dataclasses import replace
from typing import get_args

import pytest

from bulkput.engine.upload.mirror import why_kept
from bulkput.model import RemoteObject
from bulkput.options import SkipMode
from bulkput.policy.compare import Evidence, Need
from bulkput.policy.skip import COMPARING, REASONS, SkipDecision, decide_skip, stored_ns

MD5, OTHER = "a" * 32, "b" * 32
STORED = "2026-01-02T03:04:05.678900"
STORED_NS = 1_767_323_045_678_900_000
ROW = RemoteObject("k", 10, MD5, "text/plain", STORED)
MARKER = replace(ROW, bytes=0, content_type="application/directory")
META = (("source-md5", MD5), ("source-size", "10"))
GZIPPED = RemoteObject("k", 4, OTHER, "text/plain", STORED, encoding="gzip", meta=META)
MODES: tuple[SkipMode, ...] = tuple(mode for mode in get_args(SkipMode) if mode != "none")


def decided(
    mode: SkipMode, row: RemoteObject, *, size: int = 10, mtime_ns: int = 0, gzip: bool = False, **known: object
) -> SkipDecision | Need:
    evidence = replace(Evidence(size, row), **known)  # type: ignore[arg-type]
    return decide_skip(mode, evidence, mtime_ns, compresses=gzip)


@pytest.mark.parametrize("mode", MODES)
def test_a_directory_is_no_file(mode: SkipMode) -> None:
    """Its marker has the name of the file, and nothing of it."""
    assert decided(mode, MARKER) is decided(mode, MARKER, size=0) is SkipDecision.SEND


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [0, 10])
def test_a_link_is_followed(mode: SkipMode, size: int) -> None:
    """It may lead nowhere: then there is nothing of that name to read."""
    link = replace(ROW, bytes=0, link="c/x")
    assert decided(mode, link, size=size) is Need.HEAD
    assert decided(mode, link, size=size, is_gone=True) is SkipDecision.SEND
    assert decided(mode, link, head=ROW, md5=MD5) is SkipDecision.SKIP


def test_without_a_mode_everything_is_sent() -> None:
    """Also what is identical."""
    assert decided("none", ROW, md5=MD5) is SkipDecision.SEND


def test_existing_asks_for_nothing_more() -> None:
    """Whatever it is."""
    for row in (ROW, replace(ROW, bytes=0), replace(ROW, large="static"), replace(ROW, large="static", hash=None)):
        assert decided("existing", row, size=3, mtime_ns=2**62) is SkipDecision.SKIP


def test_existing_believes_no_half_of_an_object() -> None:
    """A store that gives no hash may keep what an upload that broke off has left: then the size decides."""
    row = replace(ROW, hash=None)
    assert decided("existing", row, size=3) is SkipDecision.SEND
    assert decided("existing", replace(row, bytes=None), size=3) is SkipDecision.SEND
    assert decided("existing", row, size=10) is SkipDecision.SKIP


@pytest.mark.parametrize(
    ("mtime_ns", "size", "then"),
    [
        (STORED_NS - 1, 10, SkipDecision.SKIP),
        (STORED_NS, 10, SkipDecision.SKIP),
        (STORED_NS + 1, 10, SkipDecision.SEND),
        (0, 11, SkipDecision.SEND),
    ],
)
def test_unchanged_is_of_the_same_size_and_stored_since(mtime_ns: int, size: int, then: SkipDecision) -> None:
    """To the nanosecond that the file system tells."""
    assert decided("unchanged", ROW, size=size, mtime_ns=mtime_ns) is then


@pytest.mark.parametrize("last_modified", [None, "", "yesterday"])
def test_unchanged_needs_a_time(last_modified: str | None) -> None:
    """In doubt it is sent."""
    assert decided("unchanged", replace(ROW, last_modified=last_modified)) is SkipDecision.SEND


def test_identical_compares_md5() -> None:
    """The file's, which has to be read for that, with the listing's."""
    assert decided("identical", ROW) is Need.MD5
    assert decided("identical", ROW, md5=MD5) is SkipDecision.SKIP
    assert decided("identical", ROW, md5=OTHER) is SkipDecision.SEND
    assert decided("identical", ROW, size=11) is SkipDecision.SEND


@pytest.mark.parametrize(
    ("row", "size"),
    [
        (replace(ROW, bytes=0), 0),
        (replace(ROW, bytes=0), 10),
        (replace(ROW, large="static"), 10),
        (replace(ROW, hash="c" * 32 + "-3"), 10),
    ],
    ids=["empty", "empty, the file not", "large", "no MD5"],
)
def test_a_row_that_may_stand_for_a_larger_object_is_looked_at(row: RemoteObject, size: int) -> None:
    """A link and a dynamic large object are listed as empty."""
    assert decided("identical", row, size=size) is Need.HEAD
    if not row.bytes:
        assert decided("unchanged", row, size=size) is Need.HEAD


@pytest.mark.parametrize("mode", COMPARING)
def test_while_files_are_compressed_other_sizes_are_looked_at(mode: SkipMode) -> None:
    """The object may have been made from the very file: its metadata says so."""
    listed = replace(GZIPPED, encoding=None, meta=())
    assert decided(mode, listed) is SkipDecision.SEND
    assert decided(mode, listed, gzip=True) is Need.HEAD
    assert decided(mode, listed, gzip=True, head=GZIPPED, md5=MD5) is SkipDecision.SKIP
    assert decided(mode, listed, gzip=True, head=GZIPPED, md5=MD5, size=11) is SkipDecision.SEND
    assert decided(mode, listed, gzip=True, head=replace(GZIPPED, meta=()), md5=MD5) is SkipDecision.SEND
    assert decided("identical", listed, gzip=True, head=GZIPPED, md5=OTHER) is SkipDecision.SEND


@pytest.mark.parametrize("mode", COMPARING)
def test_an_object_called_after_the_file_is_always_looked_at(mode: SkipMode) -> None:
    """It may be any gzip file."""
    assert decided(mode, ROW, is_suffixed=True) is Need.HEAD
    assert decided(mode, ROW, is_suffixed=True, head=ROW) is SkipDecision.SEND


@pytest.mark.parametrize("mode", MODES)
def test_an_object_that_is_gone_is_sent(mode: SkipMode) -> None:
    """It was listed."""
    assert decided(mode, ROW, is_gone=True) is SkipDecision.SEND


def test_times_are_utc_whether_they_say_so_or_not() -> None:
    """Swift does not, others do."""
    for text in (STORED, STORED + "+00:00", STORED + "Z", "2026-01-02T04:04:05.678900+01:00"):
        assert stored_ns(replace(ROW, last_modified=text)) == STORED_NS


@pytest.mark.parametrize("is_stopped", [False, True])
@pytest.mark.parametrize("failed", [0, 2])
@pytest.mark.parametrize("doubt", [None, "a large object"])
def test_an_incomplete_mirror_takes_nothing_away(is_stopped: bool, failed: int, doubt: str | None) -> None:
    """Nor one that would take more away than was agreed to."""
    for most, extras in itertools.product((None, 3), (3, 4)):
        why = why_kept(extras, most, doubt=doubt, failed=failed, is_stopped=is_stopped)
        is_fine = not is_stopped and not failed and doubt is None and (most is None or extras <= most)
        assert (why is None) is is_fine


def test_every_mode_that_skips_reports_a_reason_of_its_own() -> None:
    """A new mode needs its reason, and a word on whether it compares."""
    assert set(MODES) == set(REASONS)
    assert len(set(REASONS.values())) == len(MODES)
    assert set(MODES) > COMPARING
