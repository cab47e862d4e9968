"""What has become of a PUT that a 201 did not prove: the table of `policy/proof.py`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UnprovenPut
from bulkput.policy.proof import Fate, FreshHead, prove

SENT, WRONG, OTHER = "a" * 32, "b" * 32, "c" * 32
THEN, EARLIER = "Thu, 26 Nov 2026 14:43:39 GMT", "Wed, 25 Nov 2026 14:43:39 GMT"
UNPROVEN = UnprovenPut(md5=SENT, size=7, etag=WRONG, modified=THEN)
LOOK = FreshHead(md5=WRONG, size=7, modified=THEN, age_s=2.0)


@pytest.mark.parametrize(
    ("look", "fate"),
    [
        (None, Fate.GONE),
        (LOOK, Fate.DAMAGED),
        (replace(LOOK, size=6), Fate.DAMAGED),
        (replace(LOOK, md5=SENT), Fate.STORED),
        (replace(LOOK, md5=SENT, modified=EARLIER), Fate.STORED),
        (replace(LOOK, md5=SENT, modified=EARLIER, age_s=86_400.0), Fate.KEPT),
        (replace(LOOK, md5=SENT, modified=EARLIER, age_s=None), Fate.KEPT),
        (replace(LOOK, md5=SENT, modified=None, age_s=None), Fate.STORED),
        (replace(LOOK, md5=SENT, size=6), Fate.KEPT),
        (replace(LOOK, md5=SENT, is_cached=True), Fate.KEPT),
        (replace(LOOK, md5=SENT, is_plain=False), Fate.KEPT),
        (replace(LOOK, md5=None), Fate.KEPT),
        (replace(LOOK, md5=OTHER), Fate.KEPT),
        (replace(LOOK, modified=EARLIER), Fate.KEPT),
        (replace(LOOK, modified=None), Fate.KEPT),
        (replace(LOOK, age_s=86_400.0), Fate.KEPT),
        (replace(LOOK, age_s=None), Fate.KEPT),
        (replace(LOOK, is_cached=True), Fate.KEPT),
        (replace(LOOK, is_plain=False), Fate.KEPT),
    ],
)
def test_a_fresh_head_decides_if_an_object_is_damaged(look: FreshHead | None, fate: Fate) -> None:
    """It is damaged only if our PUT made it with the wrong MD5 of its answer."""
    proof = prove([UNPROVEN], look, within_s=3.0)
    assert proof.fate is fate
    assert bool(proof.why) is (fate is Fate.KEPT)


def test_any_of_several_attempts_may_have_stored_the_object() -> None:
    """The last answer may belong to another version."""
    later = replace(UNPROVEN, etag=OTHER, modified="Thu, 26 Nov 2026 14:43:50 GMT")
    assert prove([UNPROVEN, later], LOOK, within_s=20.0).fate is Fate.DAMAGED
    mixed = replace(LOOK, modified=later.modified)
    assert prove([UNPROVEN, later], mixed, within_s=20.0).fate is Fate.KEPT


def test_an_object_is_kept_if_the_answer_has_no_etag() -> None:
    """Nothing proves that this PUT made the object."""
    for md5 in (WRONG, None):
        proof = prove([replace(UNPROVEN, etag=None)], replace(LOOK, md5=md5), within_s=3.0)
        assert proof.fate is Fate.KEPT


md5s = st.sampled_from([SENT, WRONG, OTHER, None])
times = st.sampled_from([THEN, EARLIER, None])
ages = st.none() | st.floats(-10, 1e6)
looks = st.builds(
    FreshHead, md5=md5s, size=st.sampled_from([7, 6, None]), modified=times, age_s=ages,
    is_plain=st.booleans(), is_cached=st.booleans(),
)  # fmt: skip
puts = st.builds(UnprovenPut, md5=st.just(SENT), size=st.just(7), etag=st.sampled_from([WRONG, None]), modified=times)


@given(st.lists(puts, min_size=1, max_size=3), looks, st.none() | st.floats(0, 1e3))
def test_an_object_is_damaged_only_with_complete_proof(
    several: list[UnprovenPut], look: FreshHead, within_s: float | None
) -> None:
    """It is plain, fresh and recent, and its MD5 and time come from one answer."""
    if prove(several, look, within_s=within_s).fate is Fate.DAMAGED:
        assert look.is_plain and not look.is_cached and look.md5 not in (None, SENT)
        assert within_s is not None and look.age_s is not None and look.age_s <= within_s + 5
        assert any((look.md5, look.modified) == (one.etag, one.modified) for one in several)
