"""Which rows show the same version of an object: the table of `policy/object_state.py`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.model import RemoteObject
from bulkput.policy.object_state import is_same

LISTED = RemoteObject("k", 9, "a" * 32, None, "2026-01-02T18:00:00.000")
HEAD = RemoteObject("k", 9, None, None, "2026-01-02T18:00:00")


@pytest.mark.parametrize(
    ("now", "same"),
    [
        (HEAD, True),
        (replace(HEAD, bytes=10), False),
        (replace(HEAD, large="static", bytes=10), True),
        (replace(HEAD, last_modified="2026-01-02T18:00:01"), False),
        (replace(HEAD, last_modified=None), False),
        (replace(HEAD, hash="b" * 32), False),
        (replace(LISTED, hash="b" * 32), True),
        (replace(HEAD, hash="a" * 32, last_modified=None), True),
    ],
)
def test_an_answer_is_of_the_listed_version_if_what_both_show_agrees(now: RemoteObject, *, same: bool) -> None:
    """An encrypted object of S3 has an ETag in the listing alone, where its time has more digits."""
    assert is_same(LISTED, now) is same


@given(st.datetimes(), st.sampled_from(["seconds", "milliseconds", "microseconds"]), st.booleans())
def test_a_time_that_is_cut_off_is_the_same_time(moment, digits, is_listed) -> None:  # type: ignore[no-untyped-def]
    """Whichever side has more digits, and no ETag."""
    fine = replace(HEAD, last_modified=moment.isoformat(timespec="microseconds"))
    cut = replace(LISTED, last_modified=moment.isoformat(timespec=digits))
    assert is_same(cut, fine) if is_listed else is_same(fine, cut)
