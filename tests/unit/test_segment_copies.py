"""Under which names segments are copied: the table of `policy/segment_copies.py`, and the names themselves."""

from functools import partial

import pytest

from bulkput.model import Segment
from bulkput.policy.segment_copies import SegmentPlan, planned
from bulkput.stores.swift.part_names import group_name, parse, part_name, renamed

MD5 = "a" * 32
OURS = tuple(Segment(5, MD5, f"c_segments/k/bulkput/v1/{number:08d}") for number in (1, 2))


def plan(*segments: Segment, below: str | None = None, most: int = 1024, new: str = "n") -> SegmentPlan | str:
    rename = partial(renamed, old="k", new=new, max_bytes=most)
    return planned(segments, below=below, rename=rename, max_name_bytes=most)


def names(*segments: Segment, below: str | None = None) -> tuple[str, ...]:
    made = plan(*segments, below=below)
    assert isinstance(made, SegmentPlan), made
    return (*(copy.name for copy in made.copies), *((made.below,) if made.below is not None else ()))


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("k/bulkput/v1/00000001", "n/bulkput/v1/00000001"),
        ("other/bulkput/v1/00000001", "n/bulkput/v1/00000001"),
        ("k/1700000000.1/10/5/00000000", "n/1700000000.1/10/5/00000000"),
        ("k/1", "n/1"),
        ("k", "n/k"),
        ("kk/1", "n/kk/1"),
        ("elsewhere", "n/elsewhere"),
    ],
)
def test_the_copy_of_a_segment_is_named_after_the_copy_of_its_object(name: str, new: str) -> None:
    """Names of bulkput stay such names; those of others keep what follows the object's name."""
    assert renamed(name, "k", "n", max_bytes=1024) == new


def test_a_long_key_is_cut_in_the_names_of_copied_segments() -> None:
    """As it is in those that are uploaded."""
    name = renamed(OURS[0].path or "", "k", "é" * 512, max_bytes=1024)
    assert name == part_name(group_name("é" * 512, "v1", max_bytes=1024), 1)
    assert len(name.encode()) <= 1024 and parse(name) is not None


def test_a_plan_has_each_segment_in_order() -> None:
    """A segment that is read twice is in it twice, under one name."""
    assert names(*OURS, OURS[0]) == (
        "n/bulkput/v1/00000001",
        "n/bulkput/v1/00000002",
        "n/bulkput/v1/00000001",
    )


@pytest.mark.parametrize(
    ("below", "new"),
    [
        ("c_segments/k/bulkput/v1/", "n/bulkput/v1/"),
        ("c_segments/k/bulkput/", "n/bulkput/"),
        ("c_segments/k/", "n/"),
    ],
)
def test_the_prefix_of_a_dynamic_large_object_is_renamed_with_its_segments(below: str, new: str) -> None:
    """What follows the prefix stays the same, so the order does."""
    assert names(*OURS, below=below)[-1] == new


@pytest.mark.parametrize(
    ("segments", "below", "why"),
    [
        ((OURS[0], Segment(5, None, "c_segments/k/2")), None, "not all of its segments are whole plain objects"),
        ((OURS[0], Segment(5, MD5)), None, "not all of its segments are whole plain objects"),
        ((OURS[0], Segment(5, MD5, "d_segments/k/bulkput/v1/00000001")), None, "two of its segments"),
        ((Segment(5, MD5, "c/k/x"), Segment(5, MD5, "c/x")), None, "two of its segments"),
        ((Segment(5, MD5, "c/k/" + "x" * 1030),), None, "1032 bytes, and the store takes 1024"),
        (OURS, "c_segments/k", "does not end in a slash"),
        (OURS, "c_segments/k/bulkput/v1/0000000", "does not end in a slash"),
        (OURS, "c_segments/", "would not lie below one prefix"),
        ((OURS[0], Segment(5, MD5, "c_segments/k2/1")), "c_segments/k", "would not lie below one prefix"),
    ],
)
def test_a_large_object_that_would_not_be_the_same_is_refused(
    segments: tuple[Segment, ...], below: str | None, why: str
) -> None:
    """The reason is a part of a sentence."""
    refused = plan(*segments, below=below)
    assert isinstance(refused, str) and why in refused
