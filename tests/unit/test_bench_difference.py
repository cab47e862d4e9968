"""What the benchmark makes of two builds: ratios, intervals, verdicts."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.difference import (
    CPU,
    MEMORY,
    WALL,
    Change,
    Judged,
    Verdict,
    disturbed,
    judge,
    newly_void,
    paired,
    say,
    unpaired,
    verdict,
)
from benchmarks.results import Run
from benchmarks.revisions import Refused, Turn, known_place, schedule

few_examples = settings(deadline=None, max_examples=25)  # each is thousands of resamples
costs = st.floats(min_value=1e-6, max_value=1e6)
pairs = st.lists(st.tuples(costs, costs), min_size=5, max_size=12)
samples = st.lists(costs, min_size=5, max_size=12)


def run(number: int, **different: object) -> Run:
    facts = {
        "server": "nginx", "scenario": "small", "contender": "bulkput", "round": number, "objects": 100, "bytes": 1000,
        "wall_s": 1.0, "cpu_s": 0.5, "peak_kib": 2048, "exit_code": 0, "stored_objects": 100, "stored_bytes": 1000,
        "void": None,
    }  # fmt: skip
    return Run(**{**facts, **different})  # type: ignore[arg-type]


def verdicts(judged: Sequence[Judged]) -> dict[str, Verdict]:
    return {each.quantity: each.verdict for each in judged}


@pytest.mark.parametrize(
    ("change", "expected", "said"),
    [
        (None, Verdict.TOO_FEW, "too few rounds: nothing can be said with fewer than 5"),
        (Change(1.098, 1.071, 1.12), Verdict.MORE, "slower by 9.8 % (7.1 to 12.0 %)"),
        (Change(0.9, 0.88, 0.93), Verdict.LESS, "faster by 10.0 % (7.0 to 12.0 %)"),
        (Change(1.0, 1.0, 1.0), Verdict.SAME, "no difference (+0.0 to +0.0 %)"),
        (Change(0.999, 0.988, 1.009), Verdict.SAME, "no difference (-1.2 to +0.9 %)"),
        # Large, but the interval is not sure of it.
        (Change(1.01, 0.96, 1.049), Verdict.SAME, "no difference (-4.0 to +4.9 %)"),
        (
            Change(1.1, 0.99, 1.2),
            Verdict.SAME,
            "no difference (-1.0 to +20.0 %), but rounds that scatter so could hide one",
        ),
        (
            Change(0.9, 0.8, 1.01),
            Verdict.SAME,
            "no difference (-20.0 to +1.0 %), but rounds that scatter so could hide one",
        ),
        # Sure, but too small to be more than an accident.
        (Change(1.029, 1.01, 1.04), Verdict.SAME, "no difference (+1.0 to +4.0 %)"),
        (Change(0.975, 0.97, 0.99), Verdict.SAME, "no difference (-3.0 to -1.0 %)"),
        # The two ends of what is too small mirror each other.
        (Change(1.031, 1.01, 1.04), Verdict.MORE, "slower by 3.1 % (1.0 to 4.0 %)"),
        (Change(1 / 1.031, 1 / 1.04, 1 / 1.01), Verdict.LESS, "faster by 3.0 % (1.0 to 3.8 %)"),
    ],
)
def test_a_verdict_needs_a_sure_and_large_difference(change: Change | None, expected: Verdict, said: str) -> None:
    """The interval excludes "no change", and the estimate exceeds the least effect."""
    assert verdict(change) is expected
    assert say(change, CPU) == said


def test_a_memory_difference_is_described_as_more_or_less() -> None:
    """It is never described as slower or faster."""
    assert say(Change(1.5, 1.4, 1.6), MEMORY) == "more by 50.0 % (40.0 to 60.0 %)"
    assert say(Change(0.5, 0.4, 0.6), MEMORY) == "less by 50.0 % (40.0 to 60.0 %)"


@few_examples
@given(samples)
def test_identical_rounds_are_no_difference(values: list[float]) -> None:
    """The ratio is 1, and the interval has no width."""
    assert paired(values, values) == Change(1, 1, 1)


@few_examples
@given(samples)
def test_a_fifth_more_in_every_round_is_slower_by_a_fifth(values: list[float]) -> None:
    """Pairing cancels the differences between the rounds."""
    change = paired(values, [value * 1.2 for value in values])
    assert verdict(change) is Verdict.MORE
    assert say(change, WALL) == "slower by 20.0 % (20.0 to 20.0 %)"


@few_examples
@given(pairs)
def test_swapping_old_and_new_mirrors_a_paired_change(values: list[tuple[float, float]]) -> None:
    """A change that is slower one way is faster by the same ratio the other way."""
    old, new = zip(*values, strict=True)
    mirrored(paired(old, new), paired(new, old))


@few_examples
@given(samples, samples)
def test_swapping_old_and_new_mirrors_an_unpaired_change(old: list[float], new: list[float]) -> None:
    """This also holds if the sides have different numbers of rounds."""
    assume(old != new)
    mirrored(unpaired(old, new), unpaired(new, old))


def mirrored(change: Change | None, back: Change | None) -> None:
    assert change is not None and back is not None
    assert math.isclose(change.ratio * back.ratio, 1)
    assert math.isclose(change.low * back.high, 1)
    assert math.isclose(change.high * back.low, 1)


@few_examples
@given(samples, samples)
def test_the_same_runs_always_give_the_same_interval(old: list[float], new: list[float]) -> None:
    """The random numbers have a fixed seed, and the estimate lies within the interval."""
    first = unpaired(old, new)
    assert first == unpaired(old, new)
    assert first is not None and first.low <= first.ratio <= first.high


@pytest.mark.parametrize(("rounds", "is_known"), [(0, False), (4, False), (5, True)])
def test_fewer_than_five_rounds_give_no_result(rounds: int, is_known: bool) -> None:
    """This holds for any size of the difference."""
    old, new = [1.0] * rounds, [9.0] * rounds
    assert (paired(old, new) is not None) == is_known
    assert (unpaired(old, new) is not None) == is_known
    assert (unpaired([*old, *old], new) is not None) == is_known


def test_one_disturbed_round_of_ten_changes_no_verdict() -> None:
    """Another program that takes half the machine for one round does not make the new build slower."""
    assert verdict(paired([1.0] * 10, [1.0] * 9 + [2.0])) is Verdict.SAME
    assert verdict(paired([1.0] * 10, [1.1] * 9 + [0.5])) is Verdict.MORE


def noisy(chance: random.Random, *, slower: float) -> tuple[list[float], list[float]]:
    """Ten rounds as seen on a busy machine: 5 % of scatter, and one run of ten disturbed by up to a half."""
    old, new = (
        [
            math.exp(chance.gauss(0, 0.05)) * (1 + 0.5 * chance.random() * (chance.random() < 0.1)) * factor
            for _ in range(10)
        ]
        for factor in (1, slower)
    )
    return old, new


@pytest.mark.parametrize(
    ("slower", "expected", "least"), [(1.0, Verdict.SAME, 0.9), (1.1, Verdict.MORE, 0.6), (1.2, Verdict.MORE, 0.9)]
)
def test_verdicts_of_a_busy_machine_are_mostly_right(slower: float, expected: Verdict, least: float) -> None:
    """There are few false alarms, and a slowdown by a fifth is found even there."""
    chance = random.Random(1)
    found = [verdict(paired(*noisy(chance, slower=slower))) for _ in range(100)]
    assert found.count(expected) / 100 >= least


def test_unpaired_rounds_keep_a_common_drift_in_the_interval() -> None:
    """Pairing would cancel the drift."""
    old = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
    new = [value * 1.05 for value in old]
    assert verdict(paired(old, new)) is Verdict.MORE
    assert verdict(unpaired(old, new)) is Verdict.SAME


def test_rounds_are_paired_by_their_number() -> None:
    """The order of the runs does not matter."""
    old = [run(number, wall_s=float(number)) for number in (1, 2, 3, 4, 5)]
    new = [run(number, wall_s=number * 1.1) for number in (3, 1, 2, 5, 4)]
    judged, left_out = judge(old, new, same_rounds=True)
    assert left_out == []
    assert verdicts(judged) == {
        "CPU per object": Verdict.SAME, "time per object": Verdict.MORE, "peak memory": Verdict.SAME
    }  # fmt: skip
    assert [each.is_slower for each in judged] == [False, True, False]
    assert judged[1].said == "slower by 10.0 % (10.0 to 10.0 %)"


def test_more_memory_is_not_slower() -> None:
    """More memory has its own verdict and does not fail the comparison."""
    judged, _ = judge([run(n) for n in range(5)], [run(n, peak_kib=4096) for n in range(5)], same_rounds=True)
    assert verdicts(judged)["peak memory"] is Verdict.MORE
    assert not any(each.is_slower for each in judged)


@pytest.mark.parametrize(("slowest_s", "expected"), [(1.0, 0), (1.2, 0), (1.3, 1)])
def test_rounds_disturbed_by_other_programs_are_reported(slowest_s: float, expected: int) -> None:
    """One build has one speed; several speeds mean that another program was running."""
    old = [run(number) for number in range(1, 7)]
    judged, _ = judge(old, [*old[:5], run(6, wall_s=slowest_s)], same_rounds=True)
    assert len(disturbed(judged)) == expected


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ([run(1)], [], "nginx, small: bulkput is not compared: only in OLD"),
        ([], [run(1)], "nginx, small: bulkput is not compared: only in NEW"),
        (
            [run(1)],
            [run(1), run(2, void="exit code 1: no")],
            "nginx, small: bulkput is not compared: void in NEW, 1 of 2 rounds: exit code 1: no",
        ),
        (
            [run(1)],
            [run(1, objects=99)],
            "nginx, small: bulkput is not compared: not the same objects and bytes in OLD and NEW",
        ),
    ],
)
def test_runs_that_cannot_be_compared_are_listed_with_a_reason(old: list[Run], new: list[Run], reason: str) -> None:
    """They are never dropped silently."""
    assert judge(old, new, same_rounds=False) == ([], [reason])


def test_a_newly_void_row_is_a_failure() -> None:
    """A row that was void before is not a new failure."""
    void = run(1, void="exit code 1: no")
    assert newly_void([run(1)], [void])
    assert not newly_void([void], [void])
    assert not newly_void([void], [run(1)])


def test_both_sides_go_first_equally_often() -> None:
    """The schedule is a warm-up of both, then AB, BA, AB."""
    order = [(turn.side, turn.round) for turn in schedule(3)]
    assert order == [("new", 0), ("old", 0), ("old", 1), ("new", 1), ("new", 2), ("old", 2), ("old", 3), ("new", 3)]
    assert sum(turn == Turn("old", turn.round) for turn in schedule(10)[2::2]) == 5


@pytest.mark.parametrize("place", ["", "nginx", "nginx/", "ngin/small", "nginx/smal", "nginx/small/"])
def test_an_unknown_server_or_scenario_error_names_the_known_ones(place: str) -> None:
    """A sentence that names the servers or the scenarios."""
    with pytest.raises(Refused, match="as in nginx/small"):
        known_place(place)
