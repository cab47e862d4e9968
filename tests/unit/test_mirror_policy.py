"""What a mirror does with one extra: the tables of `policy/extras.py`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.model import RemoteObject
from bulkput.options import SkipOptions
from bulkput.policy.extras import After, Before, Stay, after_expiry, age_s_of, before_expiry, stay_of

DAY_S = 86_400
NOW_NS = 1_800_000_000 * 10**9
"""2027-01-15T08:00:00Z."""
AT_S = 1_900_000_000
THEN, LATER = "2027-01-01T08:00:00.000000", "2027-01-02T08:00:00.000000"
BYTES, OTHERS = "a" * 32, "b" * 32


def seen(
    md5: str | None = BYTES, at_s: int | None = None, modified: str | None = THEN, size: int | None = 9
) -> RemoteObject:
    return RemoteObject("k", size, md5, "text/plain", modified, expires_at=at_s)


@pytest.mark.parametrize(
    ("modified", "keep_for_s", "stay"),
    [
        (THEN, None, Stay.NO),
        (None, None, Stay.NO),
        (None, 1, Stay.UNKNOWN),
        ("yesterday", 1, Stay.UNKNOWN),
        (THEN, 14 * DAY_S, Stay.NO),
        (THEN, 14 * DAY_S + 1, Stay.YOUNG),
        ("2027-01-15T08:00:00.000001", 1, Stay.YOUNG),
        ("2028-01-01T00:00:00", 1, Stay.YOUNG),
        ("2027-01-15T09:00:00+01:00", 1, Stay.YOUNG),
    ],
)
def test_an_extra_stays_until_it_is_old_enough(modified: str | None, keep_for_s: int | None, stay: Stay) -> None:
    """To the second; what does not tell its age stays, too."""
    assert stay_of(seen(modified=modified), keep_for_s, NOW_NS) is stay


@given(st.datetimes(), st.integers(1, 10**9), st.integers(0, 10**9))
def test_an_extra_that_is_old_enough_stays_so(stored: object, keep_for_s: int, more_s: int) -> None:
    """As time passes, it goes once and for all. With more time to stay, no extra goes that would have stayed."""
    row = seen(modified=str(stored).replace(" ", "T"))
    now, then = stay_of(row, keep_for_s, NOW_NS), stay_of(row, keep_for_s, NOW_NS + more_s * 10**9)
    assert now is Stay.YOUNG or then is Stay.NO
    assert stay_of(row, keep_for_s + more_s, NOW_NS) is Stay.YOUNG or now is Stay.NO
    age_s = age_s_of(row, NOW_NS)
    assert age_s is not None and (now is Stay.YOUNG) == (age_s < keep_for_s)


@pytest.mark.parametrize(
    ("now", "step"),
    [
        (seen(), Before.SET),
        (seen(at_s=AT_S - 1), Before.LEAVE),
        (seen(at_s=AT_S), Before.LEAVE),
        (seen(at_s=AT_S, modified=LATER), Before.LEAVE),
        (seen(OTHERS, AT_S, LATER), Before.UNDO),
        (seen(at_s=AT_S, size=8), Before.UNDO),
        (seen(at_s=AT_S - 1, modified=LATER), Before.CHANGED),
        (seen(modified=LATER), Before.CHANGED),
        (seen(OTHERS), Before.CHANGED),
        (seen(OTHERS, AT_S + 1, LATER), Before.CHANGED),
        (seen(None, size=None, modified=None), Before.CHANGED),
    ],
)
def test_an_extra_gets_an_expiry_only_if_it_is_the_one_that_was_listed(now: RemoteObject, step: Before) -> None:
    """An expiry that it has is left; one that an attempt without an answer has set counts as set, or is undone."""
    assert before_expiry(seen(), now, AT_S) is step


@pytest.mark.parametrize(
    ("now", "step"),
    [
        (None, After.GONE),
        (seen(at_s=AT_S, modified=LATER), After.DONE),
        (seen(modified=LATER), After.REFUSED),
        (seen(at_s=AT_S + 1), After.REFUSED),
        (seen(OTHERS, AT_S), After.UNDO),
        (seen(OTHERS), After.CHANGED),
        (seen(OTHERS, AT_S - 1), After.CHANGED),
    ],
)
def test_an_expiry_that_hit_other_bytes_is_undone(now: RemoteObject | None, step: After) -> None:
    """The object was overwritten just before the request."""
    assert after_expiry(seen(), now, AT_S) is step


rows = st.builds(
    seen, st.sampled_from([BYTES, OTHERS, None]), st.sampled_from([None, AT_S, AT_S + 1]),
    st.sampled_from([THEN, LATER, None]), st.sampled_from([9, 8, None]),
)  # fmt: skip


@given(rows, rows)
def test_an_object_with_other_bytes_never_gets_or_keeps_our_expiry(one: RemoteObject, other: RemoteObject) -> None:
    """Whatever was seen before, and is seen now."""
    differs = (one.hash and other.hash and one.hash != other.hash) or (one.bytes and other.bytes != one.bytes)
    if differs and other.bytes is not None:
        assert before_expiry(one, other, AT_S) in (Before.UNDO, Before.CHANGED)
        assert after_expiry(one, other, AT_S) in (After.UNDO, After.CHANGED)
        assert (after_expiry(one, other, AT_S) is After.UNDO) == (other.expires_at == AT_S)


@pytest.mark.parametrize(
    ("delete_extra", "keep_for_s", "expire_extra_s", "says"),
    [
        (False, 5, None, "`skip.keep_for_s` needs `skip.delete_extra`"),
        (True, None, 5, "`skip.expire_extra_s` excludes `skip.delete_extra` and `skip.keep_for_s`"),
        (False, 5, 5, "`skip.expire_extra_s` excludes `skip.delete_extra` and `skip.keep_for_s`"),
        (True, 5, 5, "`skip.expire_extra_s` excludes `skip.delete_extra` and `skip.keep_for_s`"),
    ],
)
def test_options_of_a_mirror_that_contradict_each_other_are_refused(
    delete_extra: bool, keep_for_s: int | None, expire_extra_s: int | None, says: str
) -> None:
    """In one sentence."""
    with pytest.raises(UsageError, match=says):
        SkipOptions(delete_extra=delete_extra, keep_for_s=keep_for_s, expire_extra_s=expire_extra_s)


def test_whatever_removes_now_or_later_is_a_mirror() -> None:
    """It has to look at the store, and messages name the option that makes it one."""
    removing, expiring = SkipOptions(delete_extra=True, keep_for_s=5), SkipOptions(expire_extra_s=5)
    assert removing.is_mirror and removing.is_wanted and removing.mirror_option == "`skip.delete_extra`"
    assert expiring.is_mirror and expiring.is_wanted and expiring.mirror_option == "`skip.expire_extra_s`"
    assert not SkipOptions(mode="identical").is_mirror
