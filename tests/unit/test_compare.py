"""The tables of `policy/compare.py`, row by row."""

from dataclasses import replace
from typing import Literal

import pytest

from bulkput import events as ev
from bulkput.events import Verdict
from bulkput.model import RemoteObject, Segment
from bulkput.policy.compare import Evidence, Judgement, Need, judge
from bulkput.policy.etag import composite_etag, large_etag
from bulkput.policy.part_sizes import Layouts
from bulkput.verb_results import Comparison

MD5, OTHER, EMPTY = "a" * 32, "b" * 32, "d41d8cd98f00b204e9800998ecf8427e"
ROW = RemoteObject("x", 10, MD5, None, None)
META = (("Source-Md5", MD5), ("Source-Size", "10"))
GZIP = replace(ROW, bytes=7, hash=OTHER, encoding="gzip", meta=META)
STATIC = replace(ROW, hash=OTHER, large="static")
DYNAMIC = replace(ROW, hash=OTHER, large="dynamic", below="s/")
LARGE = (STATIC, DYNAMIC)
SEGMENTS = (Segment(6, MD5, "s/1"), Segment(4, OTHER, "s/2"))
PARTS = (RemoteObject("1", 6, MD5, None, None), RemoteObject("2", 4, OTHER.upper(), None, None))
SENT_GZIP = replace(GZIP, meta=(*META, ("Segments-Etag", large_etag((MD5, OTHER)))))


def verdict(evidence: Evidence, *, is_quick: bool = False) -> Verdict | Need:
    step = judge(evidence, is_quick=is_quick)
    return step.verdict if isinstance(step, Judgement) else step


@pytest.mark.parametrize(
    ("row", "md5", "expected", "quick"),
    [
        (ROW, None, Need.MD5, Verdict.IDENTICAL),
        (ROW, MD5, Verdict.IDENTICAL, Verdict.IDENTICAL),
        (replace(ROW, hash=MD5.upper()), MD5, Verdict.IDENTICAL, Verdict.IDENTICAL),
        (ROW, OTHER, Need.HEAD, Verdict.IDENTICAL),
        (replace(ROW, bytes=11), None, Need.HEAD, Need.HEAD),
        (replace(ROW, bytes=None), None, Need.HEAD, Need.HEAD),
        (replace(ROW, hash=None), None, Need.HEAD, Verdict.IDENTICAL),
        (replace(ROW, hash=f"{MD5}-2"), None, Need.HEAD, Verdict.IDENTICAL),
        (replace(ROW, large="static"), None, Need.HEAD, Verdict.IDENTICAL),
        (replace(ROW, link="c/x"), MD5, Need.HEAD, Need.HEAD),
    ],
)
def test_a_listing_row_decides_only_if_it_is_proof(
    row: RemoteObject, md5: str | None, expected: object, quick: object
) -> None:
    """Equal size and MD5 are identical; all else takes a HEAD. With `is_quick`, another size is different."""
    evidence = Evidence(10, row, md5)
    assert verdict(evidence) is expected
    assert verdict(evidence, is_quick=True) is quick


def test_an_empty_row_proves_nothing() -> None:
    """A link and the head of a dynamic large object are listed as empty objects with the MD5 of no bytes."""
    row = replace(ROW, bytes=0, hash=EMPTY)
    assert verdict(Evidence(0, row)) is Need.HEAD
    assert verdict(Evidence(0, row), is_quick=True) is Need.HEAD
    assert verdict(Evidence(0, row, head=row)) is Need.MD5
    assert verdict(Evidence(0, row, EMPTY, head=row)) is Verdict.IDENTICAL
    assert verdict(Evidence(0, row, EMPTY, head=replace(row, bytes=10, large="dynamic"))) is Verdict.DIFFERENT


def test_a_gzip_object_is_compared_by_the_recorded_source_in_its_metadata() -> None:
    """The listing row has no such record, and without the record nothing is proven."""
    head = replace(GZIP, encoding=None)
    assert verdict(Evidence(10, ROW, is_suffixed=True), is_quick=True) is Need.HEAD
    assert verdict(Evidence(10, ROW, head=head, is_suffixed=True)) is Need.MD5
    assert verdict(Evidence(10, ROW, MD5, head=head, is_suffixed=True)) is Verdict.IDENTICAL
    assert verdict(Evidence(10, ROW, OTHER, head=head, is_suffixed=True)) is Verdict.DIFFERENT
    assert verdict(Evidence(11, ROW, head=head, is_suffixed=True), is_quick=True) is Verdict.DIFFERENT
    assert verdict(Evidence(10, ROW, MD5, head=ROW, is_suffixed=True)) is Verdict.NOT_COMPARABLE


def test_an_object_that_is_listed_but_gone_is_missing() -> None:
    """A listing may lag behind, so the HEAD decides."""
    assert verdict(Evidence(10, ROW, OTHER, is_gone=True)) is Verdict.MISSING


@pytest.mark.parametrize(
    ("head", "md5", "expected", "quick"),
    [
        (ROW, None, Need.MD5, Verdict.IDENTICAL),
        (ROW, MD5, Verdict.IDENTICAL, Verdict.IDENTICAL),
        (ROW, OTHER, Verdict.DIFFERENT, Verdict.IDENTICAL),
        (replace(ROW, bytes=11), MD5, Verdict.DIFFERENT, Verdict.DIFFERENT),
        (replace(ROW, bytes=None, large="dynamic", below="s/"), None, Verdict.NOT_COMPARABLE, Verdict.NOT_COMPARABLE),
        (replace(ROW, hash=None), None, Verdict.NOT_COMPARABLE, Verdict.IDENTICAL),
        (replace(ROW, hash=f"{MD5}-2"), None, Need.LAYOUTS, Verdict.IDENTICAL),
        (replace(ROW, hash=f"{MD5}-2-x"), None, Verdict.NOT_COMPARABLE, Verdict.IDENTICAL),
        (replace(GZIP, hash=f"{OTHER}-2"), MD5, Verdict.IDENTICAL, Verdict.IDENTICAL),
        (replace(GZIP, hash=f"{OTHER}-2"), OTHER, Verdict.DIFFERENT, Verdict.IDENTICAL),
        (replace(ROW, hash=f"{MD5}-2", encoding="gzip"), None, Need.LAYOUTS, Verdict.IDENTICAL),
        (replace(ROW, hash=f"{MD5}-2", encoding="gzip", bytes=9), None, Verdict.NOT_COMPARABLE, Verdict.NOT_COMPARABLE),
        (replace(ROW, hash=f"{MD5}-2", bytes=11), None, Verdict.DIFFERENT, Verdict.DIFFERENT),
        (DYNAMIC, None, Need.SEGMENTS, Verdict.IDENTICAL),
        (replace(DYNAMIC, hash=MD5), MD5, Need.SEGMENTS, Verdict.IDENTICAL),
        (replace(DYNAMIC, bytes=11), None, Verdict.DIFFERENT, Verdict.DIFFERENT),
        (STATIC, None, Need.SEGMENTS, Verdict.IDENTICAL),
        (replace(STATIC, bytes=11), None, Verdict.DIFFERENT, Verdict.DIFFERENT),
        (GZIP, None, Need.MD5, Verdict.IDENTICAL),
        (GZIP, MD5, Verdict.IDENTICAL, Verdict.IDENTICAL),
        (GZIP, OTHER, Verdict.DIFFERENT, Verdict.IDENTICAL),
        (replace(GZIP, large="static"), MD5, Need.SEGMENTS, Verdict.IDENTICAL),
        (replace(GZIP, large="static"), OTHER, Verdict.DIFFERENT, Verdict.IDENTICAL),
        (replace(GZIP, large="dynamic"), MD5, Verdict.NOT_COMPARABLE, Verdict.IDENTICAL),
        (replace(SENT_GZIP, large="dynamic"), None, Need.MD5, Verdict.IDENTICAL),
        (replace(SENT_GZIP, large="dynamic"), MD5, Need.SEGMENTS, Verdict.IDENTICAL),
        (replace(SENT_GZIP, large="dynamic"), OTHER, Verdict.DIFFERENT, Verdict.IDENTICAL),
        (replace(GZIP, meta=(META[0], ("Source-Size", "11"))), MD5, Verdict.DIFFERENT, Verdict.DIFFERENT),
        (replace(GZIP, meta=META[:1]), MD5, Verdict.NOT_COMPARABLE, Verdict.NOT_COMPARABLE),
        (replace(GZIP, encoding="br"), MD5, Verdict.NOT_COMPARABLE, Verdict.NOT_COMPARABLE),
        (replace(GZIP, encoding=None), MD5, Verdict.DIFFERENT, Verdict.DIFFERENT),
        (replace(ROW, encoding="gzip"), None, Need.MD5, Verdict.IDENTICAL),
        (replace(ROW, encoding="gzip"), MD5, Verdict.IDENTICAL, Verdict.IDENTICAL),
        (replace(ROW, encoding="gzip"), OTHER, Verdict.NOT_COMPARABLE, Verdict.IDENTICAL),
        (replace(STATIC, encoding="gzip"), None, Verdict.NOT_COMPARABLE, Verdict.IDENTICAL),
    ],
)
def test_a_head_decides_if_the_listing_row_does_not(
    head: RemoteObject, md5: str | None, expected: object, quick: object
) -> None:
    """The object may be compressed, composed or plain; `quick` is the verdict after another size in the row."""
    assert verdict(Evidence(10, replace(ROW, hash=OTHER), md5, head)) is expected
    assert verdict(Evidence(10, replace(ROW, bytes=9), md5, head), is_quick=True) is quick


PARTED = replace(ROW, hash=composite_etag((MD5, OTHER)))
NOT_SO = composite_etag((OTHER, MD5))
TOLD, GUESSED = Layouts(((6, 4),), are_certain=True), Layouts(((6, 4), (5, 5)))


@pytest.mark.parametrize(
    ("layouts", "composites", "expected"),
    [
        (None, (), Need.LAYOUTS),
        (TOLD, (), Need.COMPOSITE),
        (TOLD, (PARTED.hash,), Verdict.IDENTICAL),
        (TOLD, (NOT_SO,), Verdict.DIFFERENT),
        (GUESSED, (), Need.COMPOSITE),
        (GUESSED, (PARTED.hash,), Verdict.IDENTICAL),
        (GUESSED, (NOT_SO,), Need.COMPOSITE),
        (GUESSED, (NOT_SO, PARTED.hash), Verdict.IDENTICAL),
        (GUESSED, (NOT_SO, NOT_SO), Verdict.NOT_COMPARABLE),
        (Layouts(()), (), Verdict.NOT_COMPARABLE),
    ],
)
def test_an_object_that_was_sent_in_parts_is_compared_by_the_etag_of_its_parts(
    layouts: Layouts | None, composites: tuple[str, ...], expected: object
) -> None:
    """If no guess is right, the file may still be the object's, cut in another way."""
    evidence = Evidence(10, PARTED, head=PARTED, layouts=layouts, composites=composites)
    assert verdict(evidence) is expected
    assert verdict(replace(evidence, size=11)) is Verdict.DIFFERENT
    encoded = replace(evidence, head=replace(PARTED, encoding="br"))
    assert verdict(encoded) is (Verdict.NOT_COMPARABLE if expected is Verdict.DIFFERENT else expected)


@pytest.mark.parametrize("head", LARGE)
@pytest.mark.parametrize(
    ("segments", "pieces", "expected"),
    [
        (None, None, Need.SEGMENTS),
        (SEGMENTS, None, Need.PIECES),
        (SEGMENTS, (MD5, OTHER), Verdict.IDENTICAL),
        (SEGMENTS, (MD5, MD5), Verdict.DIFFERENT),
        (SEGMENTS[:1], None, Verdict.DIFFERENT),
        ((), None, Verdict.DIFFERENT),
        ((Segment(6, MD5), Segment(5, OTHER)), None, Verdict.DIFFERENT),
        ((Segment(6, MD5), Segment(4, None)), None, Verdict.NOT_COMPARABLE),
        ((Segment(6, MD5), Segment(4, f"{MD5}-2")), None, Verdict.NOT_COMPARABLE),
    ],
)
def test_a_large_object_is_compared_by_its_segments(
    head: RemoteObject, segments: tuple[Segment, ...] | None, pieces: tuple[str, ...] | None, expected: object
) -> None:
    """Without the MD5 of each segment, the object is not proven identical."""
    assert verdict(Evidence(10, head, head=head, segments=segments, parts=PARTS, pieces=pieces)) is expected


@pytest.mark.parametrize("head", LARGE)
@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (None, Need.PARTS),
        ((PARTS[0], None), "segment 2 of 2 is gone: s/2"),
        ((PARTS[0], replace(PARTS[1], hash=MD5)), "segment 2 of 2 is not what the {} has: s/2"),
        ((replace(PARTS[0], bytes=7), PARTS[1]), "segment 1 of 2 is not what the {} has: s/1"),
        ((PARTS[0], replace(PARTS[1], hash=None)), "segment 2 of 2 is not what the {} has: s/2"),
    ],
)
def test_a_large_object_without_verified_segments_is_not_proven(
    head: RemoteObject, parts: tuple[RemoteObject | None, ...] | None, why: object
) -> None:
    """This also holds for a manifest that records the source of a compressed object."""
    source = "manifest" if head.large == "static" else "listing"
    for looked in (head, replace(SENT_GZIP, large=head.large, below=head.below)):
        evidence = Evidence(10, head, MD5, head=looked, segments=SEGMENTS, parts=parts, pieces=(MD5, OTHER))
        expected = why if isinstance(why, Need) else Judgement(Verdict.DIFFERENT, str(why).format(source))
        assert judge(evidence) == expected
        assert verdict(replace(evidence, parts=PARTS)) is Verdict.IDENTICAL


@pytest.mark.parametrize("head", LARGE)
@pytest.mark.parametrize("nested", ["static", "dynamic"])
def test_a_large_object_whose_segment_is_large_now_is_not_comparable(
    head: RemoteObject, nested: Literal["static", "dynamic"]
) -> None:
    """Its size and ETag may be those that the manifest or the listing has: a GET gives other bytes."""
    parts = (PARTS[0], replace(PARTS[1], large=nested))
    evidence = Evidence(10, head, head=head, segments=SEGMENTS, parts=parts, pieces=(MD5, OTHER))
    assert verdict(evidence) is Verdict.NOT_COMPARABLE


def test_a_link_among_the_segments_counts_only_where_a_get_follows_it() -> None:
    """A GET of a static large object follows it; one of a dynamic one skips what is listed as empty, or breaks off."""
    parts = (PARTS[0], replace(PARTS[1], link="s/target"))
    evidence = Evidence(10, STATIC, head=STATIC, segments=SEGMENTS, parts=parts, pieces=(MD5, OTHER))
    assert verdict(evidence) is Verdict.IDENTICAL
    assert verdict(replace(evidence, head=DYNAMIC)) is Verdict.NOT_COMPARABLE


@pytest.mark.parametrize("head", [*LARGE, replace(SENT_GZIP, large="static"), replace(SENT_GZIP, large="dynamic")])
def test_a_large_object_without_visible_segments_is_not_comparable(head: RemoteObject) -> None:
    """Ceph's gateway 16 shows no manifest."""
    assert verdict(Evidence(10, head, MD5, head=head, is_hidden=True)) is Verdict.NOT_COMPARABLE


def test_a_compressed_dynamic_large_object_must_have_the_etag_that_it_was_sent_with() -> None:
    """The size and MD5 in its metadata stay right when it has lost its last segment."""
    head = replace(SENT_GZIP, large="dynamic", below="s/")
    evidence = Evidence(10, head, MD5, head=head, segments=SEGMENTS[:1], parts=PARTS[:1])
    assert judge(evidence) == Judgement(Verdict.DIFFERENT, "its segments are not those that were sent")
    unrecorded = replace(evidence, head=replace(GZIP, large="dynamic", below="s/"))
    assert verdict(unrecorded) is Verdict.NOT_COMPARABLE


def test_an_empty_large_object_is_an_empty_file() -> None:
    """Its manifest names no segment, or none lies below its prefix."""
    for head in (replace(STATIC, bytes=0), replace(DYNAMIC, bytes=0)):
        evidence = Evidence(0, head, head=head, segments=(), parts=(), pieces=())
        assert verdict(evidence) is Verdict.IDENTICAL


def test_the_reason_for_a_difference_has_both_figures() -> None:
    """The text has the local and the stored value."""
    step = judge(Evidence(1, ROW, head=ROW))
    assert step == Judgement(Verdict.DIFFERENT, "1 byte here, 10 in the store")
    step = judge(Evidence(10, STATIC, head=STATIC, segments=SEGMENTS, parts=PARTS, pieces=(MD5, MD5)))
    assert step == Judgement(Verdict.DIFFERENT, "another MD5 in segment 2 of 2")


COMPARISON = Comparison(
    identical=3,
    different=0,
    missing=0,
    extra=0,
    not_comparable=0,
    unreadable=0,
    skipped=1,
    ignored=1,
    requests={"GET": 3},
    elapsed_s=0.1234,
    is_container_there=True,
    stopping=None,
)


@pytest.mark.parametrize(
    ("comparison", "code"),
    [
        (COMPARISON, 0),
        (replace(COMPARISON, different=1), 1),
        (replace(COMPARISON, missing=1), 1),
        (replace(COMPARISON, extra=1), 1),
        (replace(COMPARISON, not_comparable=1), 1),
        (replace(COMPARISON, unreadable=1), 1),
        (replace(COMPARISON, is_container_there=False), 1),
        (replace(COMPARISON, stopping=ev.Stopping("denied", ev.StopCause.STORE)), 3),
        (replace(COMPARISON, different=1, stopping=ev.Stopping("^C", ev.StopCause.INTERRUPTED)), 130),
        (replace(COMPARISON, stopping=ev.Stopping("enough", ev.StopCause.ERRORS)), 1),
    ],
)
def test_only_everything_identical_is_success(comparison: Comparison, code: int) -> None:
    """An incomplete comparison is no success."""
    assert comparison.exit_code == code
    assert comparison.is_identical is (code == 0)


def test_the_etag_of_its_own_parts_proves_a_source_or_nothing() -> None:
    """Another cut of the same bytes has another ETag: then the layouts of the copy are looked at, from the first."""
    assert verdict(Evidence(10, PARTED, head=PARTED, own_composite=PARTED.hash, is_copy=True)) is Verdict.IDENTICAL
    evidence = Evidence(10, PARTED, head=PARTED, own_composite=NOT_SO, is_copy=True)
    assert verdict(evidence) is Need.LAYOUTS
    assert verdict(replace(evidence, layouts=TOLD)) is Need.COMPOSITE
    assert verdict(replace(evidence, layouts=TOLD, composites=(PARTED.hash or "",))) is Verdict.IDENTICAL
