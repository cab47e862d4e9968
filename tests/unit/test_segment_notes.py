"""The notes about segments, on disk."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bulkput.errors import UsageError
from bulkput.model import RemoteObject
from bulkput.policy.leftovers import UnreadGroup
from bulkput.policy.references import Reference
from bulkput.policy.skip import stored_ns
from bulkput.sources.segment_notes import SegmentNotes, SegmentRow


def row(name: str, second: int = 1) -> RemoteObject:
    return RemoteObject(name, 10, "a" * 32, None, f"2026-01-02T03:04:{second:02}.000000")


def segment(name: str, second: int = 1, *, is_ours: bool = True) -> SegmentRow:
    return SegmentRow(row(name, second), f"s/{name.rpartition('/')[0]}/", is_ours)


@pytest.fixture
def notes() -> Iterator[SegmentNotes]:
    made = SegmentNotes()
    made.add("s", [segment("a/1"), segment("a/2", 9), segment("a/b/1", is_ours=False), segment("ü/1")])
    yield made
    made.close()


def test_groups_have_number_size_and_youngest_in_the_order_of_their_paths(notes: SegmentNotes) -> None:
    """A directory within the directory of a group is another group. Groups come in pages."""
    first, second = notes.groups("", 2)
    assert first == UnreadGroup("s/a/", 2, 20, stored_ns(row("", 9)), is_ours=True)
    assert second == UnreadGroup("s/a/b/", 1, 10, stored_ns(row("", 1)), is_ours=False)
    assert [group.path for group in notes.groups(second.path, 2)] == ["s/ü/"]
    assert notes.count(is_read=False) == (3, 4, 40)


def test_a_group_with_a_segment_without_a_time_has_none(notes: SegmentNotes) -> None:
    """Its age is unknown."""
    notes.add("s", [SegmentRow(replace(row("a/3"), last_modified=None), "s/a/", True)])
    assert notes.groups("", 1)[0].youngest_ns is None


def test_segments_come_back_unchanged_without_those_that_are_read(notes: SegmentNotes) -> None:
    """References name one segment or a prefix; groups without unread segments are left out."""
    notes.note_reads([Reference("s/a/1"), Reference("s/ü", is_prefix=True), Reference("t/a/2")], "c/reader")
    assert notes.unread("s/a/", "", 9) == [row("a/2", 9)]
    assert notes.unread("s/a/", "s/a/2", 9) == []
    assert [group.path for group in notes.groups("", 9)] == ["s/a/", "s/a/b/"]
    assert (notes.count(is_read=True), notes.count(is_read=False)) == ((2, 2, 20), (2, 2, 20))


def test_only_new_reads_are_told_after_a_second_beginning(notes: SegmentNotes) -> None:
    """The first reader of a segment stands."""
    notes.note_reads([Reference("s/a/1")], "c/first")
    assert notes.newly_read() == [("s/a/", 1, "c/first")]
    notes.begin_again()
    notes.note_reads([Reference("s/a/", is_prefix=True)], "c/second")
    assert notes.newly_read() == [("s/a/", 1, "c/second"), ("s/a/b/", 1, "c/second")]


def test_a_reader_is_given_once_and_again_if_it_has_changed(notes: SegmentNotes) -> None:
    """So is one that only a reference names."""
    notes.add_readers([("c/x", row("x")), ("c/y", row("y"))])
    notes.note_reads([Reference("c/x", may_read=True), Reference("o/z", may_read=True)], "c/y")
    assert sorted(notes.readers(9)) == ["c/x", "c/y", "o/z"]
    notes.add_readers([("c/x", row("x")), ("c/y", row("y", 2))])
    assert (notes.readers(9), notes.readers(9)) == (["c/y"], [])


@pytest.mark.parametrize(
    ("rows", "unknown"),
    [
        ([row("a/1"), row("a/2", 9)], None),
        ([row("a/1"), row("a/2", 8)], "a/2"),
        ([row("a/3")], "a/3"),
        ([replace(row("a/1"), hash="b" * 32)], "a/1"),
    ],
)
def test_a_row_that_is_not_noted_just_so_is_unknown(
    notes: SegmentNotes, rows: list[RemoteObject], unknown: str | None
) -> None:
    """Name, size, hash and time are compared."""
    found = notes.first_unknown("s", rows)
    assert (found.name if found is not None else None) == unknown


def test_a_full_disk_is_a_usage_error(notes: SegmentNotes) -> None:
    """The text says what to do."""
    notes.close()
    with pytest.raises(UsageError, match="set TMPDIR to where there is room"):
        notes.count(is_read=True)
