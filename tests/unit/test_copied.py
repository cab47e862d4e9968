"""Which headers of an object a copy keeps, and which parts (`policy/copied.py`, `layout.py`, `link_target.py`)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.model import Limits, ObjectHeaders, RemoteObject, Segment
from bulkput.options import LargeOptions
from bulkput.policy.copied import fitted, with_given, with_mtime
from bulkput.policy.etag import composite_etag
from bulkput.policy.layout import Layout, of_segments
from bulkput.policy.link_target import LinkTargets
from bulkput.policy.mtime import mtime_ns_of, mtime_text
from bulkput.policy.object_state import is_same, state_of
from bulkput.policy.parts import cut, keeps

MD5 = "0" * 32
ROW = RemoteObject("a", 3, MD5, None, "2026-01-02T03:04:05.678900")
S3 = Limits(max_parts=10_000, min_part_bytes=5, max_object_bytes=100)
KEPT = ObjectHeaders(
    content_type="text/x-a",
    cache_control="no-cache",
    meta=(("Color", "red"), ("Mtime", "1.5")),
    extra=(("Content-Disposition", "inline"), ("X-Delete-At", "99")),
)


@given(st.integers(-(10**18), 10**18))
def test_a_time_in_metadata_is_read_as_it_is_written(mtime_ns: int) -> None:
    assert mtime_ns_of(mtime_text(mtime_ns)) == mtime_ns


@pytest.mark.parametrize(("text", "ns"), [("12", 12_000_000_000), ("1.5", 1_500_000_000), ("1e3", None), ("", None)])
def test_other_programs_write_times_with_fewer_places(text: str, ns: int | None) -> None:
    assert mtime_ns_of(text) == ns


def test_the_mtime_leaves_the_metadata_for_a_field_of_its_own() -> None:
    assert with_mtime(KEPT) == replace(KEPT, mtime_ns=1_500_000_000, meta=(("Color", "red"),))
    odd = replace(KEPT, meta=(("Mtime", "yesterday"),))
    assert with_mtime(odd) == odd


@pytest.mark.parametrize(
    ("keeps_metadata", "keeps_expiry", "lost"),
    [
        (True, True, ()),
        (True, False, ("it expires",)),
        (False, False, ("it has metadata", "it has X-Delete-At")),
    ],
)
def test_what_a_destination_does_not_keep_is_named(
    lost: tuple[str, ...], *, keeps_metadata: bool, keeps_expiry: bool
) -> None:
    found = fitted(KEPT, keeps_metadata=keeps_metadata, keeps_expiry=keeps_expiry)
    assert (found.lost, found.is_unreadable) == (lost, False)
    assert ("X-Delete-At", "99") in found.headers.extra or "it expires" in lost or not keeps_metadata
    assert ("Content-Disposition", "inline") in found.headers.extra


def test_without_its_encoding_nobody_can_read_an_object() -> None:
    assert fitted(ObjectHeaders(encoding="gzip"), keeps_metadata=False, keeps_expiry=False).is_unreadable
    assert not fitted(ObjectHeaders(encoding="gzip"), keeps_metadata=True, keeps_expiry=False).is_unreadable


def test_what_is_given_replaces_what_is_there() -> None:
    """Metadata name by name; a given life replaces the object's own."""
    given_ = ObjectHeaders(content_type="text/x-b", meta=(("color", "blue"),), expires_in_s=60, mtime_ns=7)
    headers = with_given(KEPT, given_)
    assert (headers.content_type, headers.cache_control, headers.mtime_ns) == ("text/x-b", "no-cache", 7)
    assert headers.meta == (("Mtime", "1.5"), ("color", "blue"))
    assert headers.extra == (("Content-Disposition", "inline"),)


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [
        ((5, 5, 1), True),
        ((7, 5, 100), True),
        ((1,), True),
        ((4, 5), False),
        ((101, 5), False),
        ((5,) * 10_001, False),
    ],
)
def test_a_store_takes_the_parts_that_its_limits_allow(sizes: tuple[int, ...], *, fits: bool) -> None:
    assert Layout(sizes=sizes).fits(S3) is fits


def test_a_copy_has_the_parts_of_its_source_if_no_size_is_given() -> None:
    layout = Layout(sizes=(6, 5, 2), is_large=True)
    assert [(part.number, part.offset, part.size) for part in cut(13, LargeOptions(), S3, layout)] == [
        (1, 0, 6),
        (2, 6, 5),
        (3, 11, 2),
    ]
    assert cut(13, LargeOptions(part_size=7), S3, layout).sizes == ()
    assert not keeps(layout, LargeOptions(mode="never"), S3)
    assert not keeps(layout, LargeOptions(), Limits(max_parts=1))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_such_parts_are_the_whole(sizes: list[int]) -> None:
    parts = cut(sum(sizes), LargeOptions(), Limits(max_parts=99), Layout(sizes=tuple(sizes)))
    assert parts.count == len(sizes)
    assert all(parts.has(part.number, part.size) for part in parts)
    assert not parts.has(0, sizes[0]) and not parts.has(len(sizes) + 1, sizes[0])
    assert sum(part.size for part in parts) == sum(sizes)


def test_parts_are_those_of_the_source_if_their_md5s_or_their_etag_say_so() -> None:
    one, other = "1" * 32, "2" * 32
    assert Layout(sizes=(1, 2), md5s=(one, other)).is_of([one, other])
    assert not Layout(sizes=(1, 2), md5s=(one, other)).is_of([other, one])
    assert Layout(sizes=(1, 2), etag=composite_etag([one, other])).is_of([one, other])
    assert not Layout(sizes=(1, 2), etag=composite_etag([one, other])).is_of([one, one])
    assert Layout(sizes=(1, 2)).is_of([one, other]), "nothing is known"


def test_a_segment_without_an_md5_leaves_all_unknown() -> None:
    assert of_segments([Segment(3, MD5), Segment(0, MD5), Segment(2, MD5)]) == Layout(
        sizes=(3, 2), md5s=(MD5, MD5), is_large=True
    )
    found = of_segments([Segment(3, MD5), Segment(2, None)])
    assert found is not None and found.md5s == ()
    assert of_segments([]) is None


@pytest.mark.parametrize(
    ("link", "target", "elsewhere"),
    [
        ("c/x/a", "d/y/a", "d/y/a"),
        ("c/x/left out", "c/x/left out", None),
        ("c/other", "c/other", None),
        ("e/x/a", "e/x/a", None),
    ],
)
def test_a_link_leads_to_the_copy_of_its_target(link: str, target: str, elsewhere: str | None) -> None:
    targets = LinkTargets(below="c/x/", to="d/y/", takes=lambda name: name != b"left out", is_one_account=True)
    assert targets.of(link) == target
    assert replace(targets, is_one_account=False).of(link) == elsewhere


def test_a_version_is_told_by_etag_time_and_size() -> None:
    """A GET may show a coarser time, or the ETag of a manifest's object."""
    others = [replace(ROW, hash="1" * 32), replace(ROW, bytes=4), replace(ROW, last_modified="2026-01-02T03:04:06")]
    assert len({state_of(row) for row in (ROW, *others)}) == 4
    assert 0 <= state_of(ROW) < 2**63
    assert is_same(ROW, replace(ROW, last_modified="2026-01-02T03:04:05"))
    assert is_same(ROW, replace(ROW, hash="1" * 32))
    assert not is_same(ROW, replace(ROW, hash="1" * 32, last_modified="2026-01-02T03:04:05"))
    assert not is_same(replace(ROW, hash=None, last_modified=None), replace(ROW, hash=None, last_modified=None))
