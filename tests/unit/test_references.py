"""What is read through what, and whether an object is still what was listed: the tables of `policy/references.py`."""

from dataclasses import replace

import pytest

from bulkput.model import RemoteObject, Segment
from bulkput.policy.references import Reference, holds_segments, is_as_listed, may_read_others, overlaps, references_in

MD5, OTHER = "a" * 32, "b" * 32
ROW = RemoteObject("k", 10, MD5, "text/plain", "2026-01-02T03:04:05.678900")


@pytest.mark.parametrize(
    ("itself", "segments", "reads"),
    [
        (ROW, (), []),
        (replace(ROW, link="c/x"), (), [Reference("c/x", may_read=True)]),
        (replace(ROW, below="c/p/"), (), [Reference("c/p/", is_prefix=True)]),
        (
            replace(ROW, large="static"),
            (Segment(1, MD5, "c/plain"), Segment(1, None, "c/range"), Segment(1, None)),
            [Reference("c/plain"), Reference("c/range", may_read=True)],
        ),
    ],
    ids=["plain", "link", "dynamic", "static"],
)
def test_references_list_the_objects_that_a_get_reads(
    itself: RemoteObject, segments: tuple[Segment, ...], reads: list[Reference]
) -> None:
    """Inline data of a manifest is no reference."""
    assert list(references_in(itself, segments)) == reads


@pytest.mark.parametrize(
    ("read", "is_among"),
    [
        (Reference("c/p/x"), True),
        (Reference("c/q"), False),
        (Reference("o/p/x"), False),
        (Reference("c/p/x", is_prefix=True), True),
        (Reference("c/", is_prefix=True), True),
        (Reference("c/p", is_prefix=True), True),
        (Reference("c/q", is_prefix=True), False),
        (Reference("c/"), False),
    ],
)
def test_a_reference_overlaps_a_prefix_that_shares_its_names(read: Reference, is_among: bool) -> None:
    """A shorter prefix may read objects below the destination's."""
    assert overlaps(read, "c/p/") is is_among


@pytest.mark.parametrize(
    ("row", "may_read"),
    [
        (ROW, False),
        (replace(ROW, bytes=0), True),
        (replace(ROW, bytes=None), True),
        (replace(ROW, link="c/x"), True),
        (replace(ROW, large="static"), True),
    ],
)
def test_a_listing_row_may_stand_for_a_reader_of_other_objects(row: RemoteObject, may_read: bool) -> None:
    """A dynamic large object is listed as empty."""
    assert may_read_others(row) is may_read


@pytest.mark.parametrize(
    ("now", "is_same"),
    [
        (ROW, True),
        (replace(ROW, hash=MD5.upper()), True),
        (replace(ROW, hash=OTHER), False),
        (replace(ROW, bytes=11), False),
        (replace(ROW, last_modified="2026-01-02T03:04:05.678901"), False),
        (replace(ROW, last_modified=None), True),
        (replace(ROW, hash=None, last_modified=None), True),
        (replace(ROW, hash=None, last_modified=None, bytes=None), False),
    ],
)
def test_an_object_is_as_listed_if_all_known_fields_agree(now: RemoteObject, is_same: bool) -> None:
    """The fields are ETag, size and time; without any of them, nothing is proven."""
    assert is_as_listed(ROW, now) is is_same


def test_a_manifest_may_differ_from_its_listed_size() -> None:
    """The listing has the size of the whole object."""
    assert is_as_listed(replace(ROW, large="static"), replace(ROW, bytes=507))


@pytest.mark.parametrize(
    ("listed", "now", "is_same"),
    [
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678900", True),
        ("2026-01-02T03:04:05.677Z", "2026-01-02T03:04:05.678900", False),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05.678900", True),
        ("2026-01-02T03:04:04", "2026-01-02T03:04:05.678900", False),
        ("2026-01-02T03:04:05.678+00:00", "2026-01-02T03:04:05.678900", True),
    ],
)
def test_times_are_compared_at_the_precision_of_the_listing(listed: str, now: str, is_same: bool) -> None:
    """Ceph lists milliseconds, and its HEAD has more digits."""
    assert is_as_listed(replace(ROW, last_modified=listed), replace(ROW, last_modified=now)) is is_same


def test_segment_containers_are_recognised_by_their_names() -> None:
    """python-swiftclient, rclone and Swift's S3 API name them."""
    assert all(map(holds_segments, ("c_segments", "c+segments")))
    assert not any(map(holds_segments, ("segments", "c_segments_old", "c")))
