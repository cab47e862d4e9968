"""Which segments may go: the table of `policy/leftovers.py`."""

from dataclasses import replace

import pytest

from bulkput.model import RemoteObject, StoredPart, UnfinishedUpload
from bulkput.policy.leftovers import (
    Hold,
    UnreadGroup,
    age_s,
    age_text,
    is_segment,
    last_sign_ns,
    reads_any,
    why_held,
    why_upload_held,
)
from bulkput.policy.references import Reference

NOW_NS = 1_700_000_000_000_000_000
ROW = RemoteObject("k/1", 1, None, None, None)
HOUR_NS = 3_600_000_000_000
OURS = UnreadGroup("c_segments/k/bulkput/v1/", 3, 30, NOW_NS - 24 * HOUR_NS, is_ours=True)
THEIRS = replace(OURS, path="c_segments/k/1/2/3/", is_ours=False)


@pytest.mark.parametrize(
    ("group", "older_than_s", "why", "is_in_doubt"),
    [
        (OURS, 24 * 3600, None, False),
        (OURS, 24 * 3600 + 1, "the youngest is 24 hours old", False),
        (THEIRS, 0, None, False),
        (replace(THEIRS, path="c+segments/k/1/"), 0, None, False),
        (replace(OURS, path="elsewhere/k/bulkput/v1/"), 0, None, False),
        (replace(THEIRS, path="elsewhere/k/1/"), 0, "nothing proves that these are segments", True),
        (replace(THEIRS, path="c/x_segments/1/"), 0, "nothing proves that these are segments", True),
        (replace(OURS, youngest_ns=None), 0, "the store does not tell how old they are", True),
        (replace(OURS, youngest_ns=NOW_NS + HOUR_NS), 1, "the youngest is 0 s old", False),
    ],
    ids=[
        "old",
        "young",
        "theirs",
        "theirs by S3",
        "ours elsewhere",
        "theirs elsewhere",
        "a prefix",
        "no time",
        "future",
    ],
)
def test_unread_segments_are_held_if_young_or_in_doubt(
    group: UnreadGroup, older_than_s: int, why: str | None, is_in_doubt: bool
) -> None:
    """Only names prove that an object is a segment: the container's, or those that bulkput gives."""
    hold = why_held(group, now_ns=NOW_NS, older_than_s=older_than_s)
    assert hold is None if why is None else hold is not None and hold.why.startswith(why)
    assert (hold is not None and hold.is_in_doubt) is is_in_doubt


@pytest.mark.parametrize(
    ("row", "is_ours", "expected"),
    [
        (ROW, False, True),
        (replace(ROW, bytes=None), False, True),
        (replace(ROW, bytes=0), False, False),
        (replace(ROW, bytes=0), True, True),
        (replace(ROW, link="c/x"), False, False),
        (replace(ROW, large="static"), False, False),
    ],
)
def test_empty_objects_links_and_large_objects_of_other_programs_are_no_segments(
    row: RemoteObject, is_ours: bool, expected: bool
) -> None:
    """Swift's S3 API marks an upload that is running by an empty object."""
    assert is_segment(row, is_ours=is_ours) is expected


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (Reference("s/a/1"), True),
        (Reference("s/a"), False),
        (Reference("s/a/", is_prefix=True), True),
        (Reference("s/a/2", is_prefix=True), False),
        (Reference("o/a/1"), False),
    ],
)
def test_a_reference_reads_paths_that_it_names_or_begins(read: Reference, expected: bool) -> None:
    """A prefix reads all names that begin with it."""
    assert reads_any(read, frozenset(("s/a/1", "s/b/1"))) is expected


@pytest.mark.parametrize(
    ("age_s", "text"),
    [
        (0.0, "0 s"),
        (1.4, "1 s"),
        (90.0, "90 seconds"),
        (7_199.0, "120 minutes"),
        (90_000.0, "25 hours"),
        (8e5, "9 days"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_of_which_there_are_two(age_s: float, text: str) -> None:
    """One second is `1 s`."""
    assert age_text(age_s) == text


EARLY, LATE = "2023-11-14T22:13:20", "2023-11-14T22:13:20.5Z"
EARLY_NS, LATE_NS = NOW_NS, NOW_NS + 500_000_000


@pytest.mark.parametrize(
    ("begun", "modified", "last_ns"),
    [
        (EARLY, (), EARLY_NS),
        (EARLY, (LATE, EARLY), LATE_NS),
        (LATE, (EARLY, EARLY), LATE_NS),
        (EARLY, (EARLY, None), None),
        (EARLY, (EARLY, "yesterday"), None),
        ("", (EARLY,), None),
    ],
)
def test_the_last_sign_of_an_upload_is_its_beginning_or_its_youngest_part(
    begun: str, modified: tuple[str | None, ...], last_ns: int | None
) -> None:
    """If one of these times is not told, it may be the last."""
    parts = [StoredPart(number, 5, "a" * 32, moment) for number, moment in enumerate(modified, 1)]
    assert last_sign_ns(UnfinishedUpload("k", "id", begun), parts) == last_ns


def test_an_unfinished_upload_is_held_if_it_is_young_or_does_not_tell_its_age() -> None:
    """One of exactly the age is not young. A clock that is behind makes it younger."""
    assert why_upload_held(60.0, older_than_s=60) is None
    assert why_upload_held(59.9, older_than_s=60) == Hold(
        "its last sign of life is 60 seconds old, and it may be running", is_in_doubt=False
    )
    assert why_upload_held(None, older_than_s=0) == Hold("the store does not tell how old it is", is_in_doubt=True)
    assert age_s(NOW_NS + 1, NOW_NS) == 0
    assert age_s(None, NOW_NS) is None
