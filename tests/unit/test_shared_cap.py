"""How a cap is shared: the fair shares, and whole seconds of runs that ask, on a clock that the test sets."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.shared_cap import HOLD_S, SLOT_S, Amounts, Lease, SharedCap, max_min

WANTED = st.lists(st.integers(0, 1000), max_size=20)
BUDGET = st.integers(0, 5000)


@pytest.mark.parametrize(
    ("wanted", "budget", "given_"),
    [
        pytest.param([], 10, [], id="nobody asks"),
        pytest.param([10], 3, [3], id="alone"),
        pytest.param([2, 3], 10, [2, 3], id="enough for all"),
        pytest.param([9, 9, 9], 9, [3, 3, 3], id="all want more than there is"),
        pytest.param([1, 9, 9], 9, [1, 4, 4], id="what one leaves goes to the others"),
        pytest.param([9, 9, 9], 11, [4, 4, 3], id="the first get what cannot be divided"),
        pytest.param([5, 5, 5], 1, [1, 0, 0], id="one request for three"),
        pytest.param([0, 5], 1, [0, 1], id="a run that wants nothing"),
    ],
)
def test_shares_are_as_in_the_table(wanted: list[int], budget: int, given_: list[int]) -> None:
    """Small numbers, by hand."""
    assert max_min(wanted, budget) == given_


@given(wanted=WANTED, budget=BUDGET)
def test_no_run_gets_more_than_it_wants_and_all_together_what_there_is(wanted: list[int], budget: int) -> None:
    """Nothing is kept back while a run wants it."""
    shares = max_min(wanted, budget)
    assert all(0 <= share <= want for share, want in zip(shares, wanted, strict=True))
    assert sum(shares) == min(budget, sum(wanted))


@given(wanted=WANTED, budget=BUDGET)
def test_no_run_that_wants_more_gets_less_than_another(wanted: list[int], budget: int) -> None:
    """Max-min: a share that is smaller than its want is as large as any other, up to one that is not divisible."""
    shares = max_min(wanted, budget)
    for share, want in zip(shares, wanted, strict=True):
        if share < want:
            assert share + 1 >= max(shares)


def run_for(
    cap: SharedCap, seconds: float, wants: dict[str, int], *, late_s: float = 0.0
) -> list[tuple[float, str, int]]:
    """Runs that ask again with each answer, for so many requests each time. Gives when who got how many."""
    now_s, got, waiting = 100.0, [], set()
    for _ in range(math.ceil(seconds / SLOT_S)):
        for name, count in wants.items():
            if name not in waiting:
                waiting.add(name)
                if lease := cap.ask(name, Amounts(objects=count), now_s):
                    waiting.discard(name)
                    got.append((now_s, name, lease.objects or 0))
        now_s = max(cap.next_slot_s or now_s, now_s) + late_s
        for name, lease in cap.begin_slot(now_s).items():
            waiting.discard(name)
            got.append((now_s, name, lease.objects or 0))
    return got


@given(
    per_s=st.floats(0.5, 5000),
    wants=st.dictionaries(st.sampled_from("abcde"), st.integers(1, 1000), min_size=1),
    late_s=st.floats(0, 0.3),
)
def test_no_second_has_more_than_the_cap(per_s: float, wants: dict[str, int], late_s: float) -> None:
    """Of all runs together, however late the service's timer is: except for one request after an idle time."""
    got = run_for(SharedCap(per_s, None), 5, wants, late_s=late_s)
    for begin_s, _, _ in got:
        second = sum(count for at_s, _, count in got if begin_s <= at_s < begin_s + 1 - SLOT_S)
        assert second <= per_s + 1


@given(per_s=st.floats(10, 5000), count=st.integers(1, 5))
def test_busy_runs_together_get_nearly_the_whole_cap_in_equal_parts(per_s: float, count: int) -> None:
    """Nine tenths and more, in five seconds; no run has two requests per slot more than another."""
    wants = {f"{n}": 10_000 for n in range(count)}
    got = run_for(SharedCap(per_s, None), 5, wants)
    total = {name: sum(each for _, who, each in got if who == name) for name in wants}
    assert sum(total.values()) >= 5 * per_s * 0.9 - 1
    # The first to ask has the rest of the first slot.
    assert max(total.values()) - min(total.values()) <= per_s * SLOT_S + count + 1


def test_one_request_per_second_goes_to_each_run_in_turn() -> None:
    """Three runs that always wait: none starves."""
    got = [name for _, name, count in run_for(SharedCap(1.0, None), 30, {"a": 5, "b": 5, "c": 5}) if count]
    assert len(got) >= 27
    assert all(set(got[at : at + 3]) == {"a", "b", "c"} for at in range(len(got) - 3))


def test_what_an_idle_run_leaves_goes_to_the_others_in_the_next_slot() -> None:
    """Two runs halve the cap; when one asks no more, the other has it all."""
    cap = SharedCap(210.0, None)
    both = run_for(cap, 1, {"a": 500, "b": 500})
    assert both[-1][2] in (10, 11)
    now_s = both[-1][0]
    cap.leave("b")
    cap.ask("a", Amounts(objects=500), now_s + 0.01)
    assert cap.begin_slot(now_s + SLOT_S)["a"].objects in (20, 21)


def test_the_first_ask_after_an_idle_time_is_answered_at_once() -> None:
    """A second run in that slot gets of the rest, and no run twice."""
    cap = SharedCap(1050.0, None)
    assert cap.ask("a", Amounts(objects=10), 100.0) == Lease(10, None, SLOT_S)
    second = cap.ask("b", Amounts(objects=1000), 100.05)
    assert second is not None and second.objects in (45, 46) and second.for_s == pytest.approx(0.05)
    assert cap.ask("a", Amounts(objects=10), 100.06) is None


def test_an_ask_for_nothing_tells_that_there_is_no_cap() -> None:
    """At once, and so does an ask for what has no cap."""
    cap = SharedCap(None, 1000.0)
    assert cap.ask("a", Amounts(), 100.0) == Lease(None, 0, SLOT_S)
    assert cap.ask("a", Amounts(objects=5), 100.0) == Lease(None, 0, SLOT_S)


def test_an_ask_that_waits_for_a_second_gets_an_empty_lease() -> None:
    """One request per hour: the client learns that the service lives."""
    cap = SharedCap(1 / 3600, None)
    cap.ask("a", Amounts(objects=1), 100.0)
    assert cap.ask("a", Amounts(objects=1), 100.1) is None
    now_s = 100.1
    while not (leases := cap.begin_slot(now_s)):
        now_s += SLOT_S
    assert leases == {"a": Lease(0, None, SLOT_S)} and now_s == pytest.approx(100.1 + HOLD_S, abs=2 * SLOT_S)


def test_requests_and_bytes_are_shared_each_by_itself() -> None:
    """One run needs requests, the other bytes: both have all that they want."""
    cap = SharedCap(105.0, 105_000.0)
    cap.ask("first", Amounts(1, 1), 100.0)
    assert cap.ask("small", Amounts(1000, 100), 100.01) is not None
    for name, wants in (("small", Amounts(1000, 100)), ("large", Amounts(1, 1_000_000))):
        cap.ask(name, wants, 100.02)
    leases = cap.begin_slot(100.1)
    assert leases["small"] == Lease(9, 100, SLOT_S) or leases["small"] == Lease(10, 100, SLOT_S)
    assert leases["large"].objects == 1 and (leases["large"].bytes or 0) >= 9_800


def test_the_status_shows_what_each_run_wants_and_got_and_forgets_it_later() -> None:
    """Ten seconds after its last ask."""
    cap = SharedCap(1050.0, None)
    cap.ask("a", Amounts(objects=10), 100.0)
    cap.ask("a", Amounts(objects=7), 100.01)
    (shown,) = cap.status(100.02)
    assert (shown.run, shown.wants, shown.last_second) == ("a", Amounts(7), Amounts(10)) and shown.idle_s == 0
    cap.leave("a")
    (shown,) = cap.status(105.01)
    assert (shown.wants, shown.last_second, shown.total, round(shown.idle_s)) == (None, Amounts(), Amounts(10), 5)
    assert cap.status(120.0) == []


def test_processes_of_a_run_ask_for_themselves_and_are_shown_as_one() -> None:
    """The driver, which asks for nothing, does not count; what a process got that has ended does."""
    cap = SharedCap(1050.0, None)
    cap.ask("a", Amounts(), 100.0)
    cap.ask("a 1", Amounts(objects=10), 100.0, run_of="a")
    cap.ask("a 2", Amounts(objects=7), 100.0, run_of="a")
    cap.ask("a 1", Amounts(objects=5), 100.01, run_of="a")
    (shown,) = cap.status(100.02)
    assert (shown.run, shown.processes, shown.wants) == ("a", 2, Amounts(5))
    assert shown.last_second == shown.total == Amounts(17)
    assert cap.begin_slot(100.1) == {"a 1": Lease(5, None, SLOT_S)}
    for second in range(30):
        cap.ask("a 1", Amounts(objects=1), 101.0 + second, run_of="a")
    (shown,) = cap.status(130.0)
    assert (shown.processes, shown.total) == (2, Amounts(17 + 5 + 30))
    assert cap.status(150.0) == []


def test_a_run_that_comes_later_has_no_claim_to_what_the_others_had() -> None:
    """After a minute of two runs, the third gets its third, and not all for a while."""
    cap = SharedCap(10.0, None)
    wants = {"a": 5, "b": 5}
    run_for(cap, 60, wants)
    cap.leave("a")
    cap.leave("b")
    got = [name for _, name, count in run_for(cap, 3, {**wants, "c": 5}) if count]
    assert 8 <= got.count("c") <= 11
