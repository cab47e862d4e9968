"""Which files need not be sent, line by line of the tables."""

import itertools
from dataclasses import replace
from typing import get_args

import pytest

from bulkput.model import RemoteObject
from bulkput.options import SkipMode
from bulkput.policy.compare import Evidence, Need
from bulkput.policy.extras import why_kept
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
def test_a_directory_marker_is_not_the_object_of_a_file(mode: SkipMode) -> None:
    """The file is sent."""
    assert decided(mode, MARKER) is decided(mode, MARKER, size=0) is SkipDecision.SEND


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [0, 10])
def test_a_symlink_object_needs_a_head(mode: SkipMode, size: int) -> None:
    """If its target is missing, the file is sent."""
    link = replace(ROW, bytes=0, link="c/x")
    assert decided(mode, link, size=size) is Need.HEAD
    assert decided(mode, link, size=size, is_gone=True) is SkipDecision.SEND
    assert decided(mode, link, head=ROW, md5=MD5) is SkipDecision.SKIP


def test_without_a_skip_mode_every_file_is_sent() -> None:
    """This includes identical files."""
    assert decided("none", ROW, md5=MD5) is SkipDecision.SEND


def test_existing_skips_every_listed_object_without_a_request() -> None:
    """Size, time and kind of the object do not matter."""
    for row in (ROW, replace(ROW, bytes=0), replace(ROW, large="static"), replace(ROW, large="static", hash=None)):
        assert decided("existing", row, size=3, mtime_ns=2**62) is SkipDecision.SKIP


def test_existing_compares_sizes_if_the_store_has_no_hash() -> None:
    """Such a store may keep a truncated upload."""
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
def test_unchanged_compares_size_and_time(mtime_ns: int, size: int, then: SkipDecision) -> None:
    """The precision is a nanosecond."""
    assert decided("unchanged", ROW, size=size, mtime_ns=mtime_ns) is then


@pytest.mark.parametrize("last_modified", [None, "", "yesterday"])
def test_unchanged_sends_a_file_if_the_object_has_no_time(last_modified: str | None) -> None:
    """In doubt it is sent."""
    assert decided("unchanged", replace(ROW, last_modified=last_modified)) is SkipDecision.SEND


def test_identical_compares_md5() -> None:
    """The file is read to compute its MD5."""
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
def test_an_empty_row_or_one_of_a_large_object_needs_a_head(row: RemoteObject, size: int) -> None:
    """A link and a dynamic large object are listed as empty."""
    assert decided("identical", row, size=size) is Need.HEAD
    if not row.bytes:
        assert decided("unchanged", row, size=size) is Need.HEAD


def test_an_object_in_parts_of_another_size_needs_no_head() -> None:
    """Its size is that of its bytes. With compression, its metadata may record this file as its source."""
    row = replace(ROW, hash="c" * 32 + "-3")
    assert decided("identical", row, size=11) is decided("unchanged", row, size=11) is SkipDecision.SEND
    assert decided("identical", row, size=11, gzip=True) is Need.HEAD
    assert decided("identical", row, head=row) is Need.LAYOUTS
    assert decided("identical", replace(row, hash="c" * 32 + "-x"), size=11) is Need.HEAD


@pytest.mark.parametrize("mode", sorted(COMPARING))
def test_with_compression_an_object_of_another_size_needs_a_head(mode: SkipMode) -> None:
    """Its metadata may record this file as its source."""
    listed = replace(GZIPPED, encoding=None, meta=())
    assert decided(mode, listed) is SkipDecision.SEND
    assert decided(mode, listed, gzip=True) is Need.HEAD
    assert decided(mode, listed, gzip=True, head=GZIPPED, md5=MD5) is SkipDecision.SKIP
    assert decided(mode, listed, gzip=True, head=GZIPPED, md5=MD5, size=11) is SkipDecision.SEND
    assert decided(mode, listed, gzip=True, head=replace(GZIPPED, meta=()), md5=MD5) is SkipDecision.SEND
    assert decided("identical", listed, gzip=True, head=GZIPPED, md5=OTHER) is SkipDecision.SEND


@pytest.mark.parametrize("mode", sorted(COMPARING))
def test_an_object_with_the_gz_suffix_always_needs_a_head(mode: SkipMode) -> None:
    """It may be any gzip file."""
    assert decided(mode, ROW, is_suffixed=True) is Need.HEAD
    assert decided(mode, ROW, is_suffixed=True, head=ROW) is SkipDecision.SEND


@pytest.mark.parametrize("mode", MODES)
def test_a_listed_object_that_is_gone_is_sent(mode: SkipMode) -> None:
    """It was listed."""
    assert decided(mode, ROW, is_gone=True) is SkipDecision.SEND


def test_listed_times_are_utc_with_and_without_a_zone() -> None:
    """Swift lists times without a zone, others with one."""
    for text in (STORED, STORED + "+00:00", STORED + "Z", "2026-01-02T04:04:05.678900+01:00"):
        assert stored_ns(replace(ROW, last_modified=text)) == STORED_NS


@pytest.mark.parametrize("is_stopped", [False, True])
@pytest.mark.parametrize("failed", [0, 2])
@pytest.mark.parametrize("doubt", [None, "a large object"])
def test_an_incomplete_mirror_removes_nothing(is_stopped: bool, failed: int, doubt: str | None) -> None:
    """A mirror with more extras than allowed removes nothing either."""
    for most, extras in itertools.product((None, 3), (3, 4)):
        why = why_kept(extras, most, doubt=doubt, failed=failed, is_stopped=is_stopped)
        is_fine = not is_stopped and not failed and doubt is None and (most is None or extras <= most)
        assert (why is None) is is_fine


def test_every_mode_that_skips_reports_a_reason_of_its_own() -> None:
    """A new mode needs its reason, and a word on whether it compares."""
    assert set(MODES) == set(REASONS)
    assert len(set(REASONS.values())) == len(MODES)
    assert set(MODES) > COMPARING
