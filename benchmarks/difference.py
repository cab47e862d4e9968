"""Whether a new build is slower than an old one: a ratio, an interval around it, and a verdict. Pure.

Runs of the same round are paired: a slow minute of the machine slows both, and cancels out. Runs of different days are
not paired.

Everything is computed on logarithms, so that old against new never contradicts new against old.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from statistics import median

from benchmarks.results import Run, Spread

LEAST_EFFECT = 0.03
"""Four times `scripts/bench compare HEAD HEAD`, on two processors that others used too, estimated -3.1, -1.4, -0.2 and
+1.4 % of CPU. How often verdicts are wrong with such noise, tests/unit/test_bench_difference.py tells."""
LEAST_ROUNDS = 5
"""Of five rounds that all point one way, chance makes one comparison in sixteen; of four, one in eight."""
CAN_HIDE = 0.05
"""An interval that reaches further says that the rounds scatter, and not that the builds are alike."""
DISTURBED = 1.25
"""The best round of one build over its worst. Another program on the client's processor makes it 2."""
RESAMPLES = 10_000
_SEED = 2009


@dataclass(frozen=True, slots=True)
class Change:
    """new / old, with its 95 % interval: 1.1 is a tenth more."""

    ratio: float
    low: float
    high: float


class Verdict(StrEnum):
    MORE = "more"
    LESS = "less"
    SAME = "no difference"
    TOO_FEW = "too few rounds"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something a run costs. `more` and `less` are what a change of it is called; `shown` is how people read it."""

    name: str
    cost: Callable[[Run], float]
    more: str
    less: str
    shown: Callable[[Run], float]
    unit: str


CPU = Quantity(
    "CPU per object",
    lambda run: run.cpu_s / run.objects,
    "slower",
    "faster",
    lambda run: run.cpu_s / run.objects * 1e6,
    "us",
)
WALL = Quantity(
    "time per object",
    lambda run: run.wall_s / run.objects,
    "slower",
    "faster",
    lambda run: run.objects / run.wall_s,
    "objects/s",
)
MEMORY = Quantity("peak memory", lambda run: run.peak_kib, "more", "less", lambda run: run.peak_kib / 1024, "MiB")
QUANTITIES = (CPU, WALL, MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One quantity of one contender in one place."""

    server: str
    scenario: str
    contender: str
    quantity: str
    unit: str
    old: Spread
    new: Spread
    change: Change | None
    """None: too few rounds."""
    verdict: Verdict
    said: str

    @property
    def is_slower(self) -> bool:
        return self.verdict is Verdict.MORE and self.quantity != MEMORY.name


def paired(old: Sequence[float], new: Sequence[float]) -> Change | None:
    """Values above zero, `old[i]` and `new[i]` of the same round; None when there are too few.

    The median of the ratios, not their mean: what disturbs a run is another program, which takes a lot from few
    rounds. One such round moves a mean of ten by a tenth of it, and a median hardly.
    """
    logs = [math.log(after / before) for before, after in zip(old, new, strict=True)]
    if len(logs) < LEAST_ROUNDS:
        return None
    return _change(median(logs), _resampled(logs, _SEED))


def unpaired(old: Sequence[float], new: Sequence[float]) -> Change | None:
    """Values above zero, each side by itself: the ratio of the medians; None when a side has too few."""
    if min(len(old), len(new)) < LEAST_ROUNDS:
        return None
    before, after = ([math.log(value) for value in values] for values in (old, new))
    first, second = sorted((before, after))  # the same resamples whichever is called old
    sign = 1 if first is before else -1
    medians = zip(_resampled(first, _SEED), _resampled(second, _SEED + 1), strict=True)
    return _change(median(after) - median(before), [sign * (of_second - of_first) for of_first, of_second in medians])


def _resampled(values: Sequence[float], seed: int) -> list[float]:
    """The medians of as many values, drawn with replacement, again and again."""
    ordered = sorted(values)
    return [(ordered[low] + ordered[high]) / 2 for low, high in _middles(len(values), seed)]


@cache
def _middles(count: int, seed: int) -> Sequence[tuple[int, int]]:
    """For each resample of sorted values, which two are in its middle. Half of the resamples mirror the other half."""
    chance = random.Random(seed)
    drawn = (sorted(chance.choices(range(count), k=count)) for _ in range(RESAMPLES // 2))
    half = [(ordered[(count - 1) // 2], ordered[count // 2]) for ordered in drawn]
    return [*half, *((count - 1 - high, count - 1 - low) for low, high in half)]


def _change(estimate: float, resampled: Sequence[float]) -> Change:
    """The interval from the 2.5th to the 97.5th percentile, as far from either end."""
    ordered = sorted(resampled)
    outside = round(len(ordered) * 0.025)
    return Change(math.exp(estimate), math.exp(ordered[outside]), math.exp(ordered[-1 - outside]))


def verdict(change: Change | None) -> Verdict:
    """A difference is one that the interval is sure of, and large enough to be more than an accident of layout."""
    if change is None:
        return Verdict.TOO_FEW
    large = abs(math.log(change.ratio)) >= math.log1p(LEAST_EFFECT)
    if large and change.low > 1:
        return Verdict.MORE
    if large and change.high < 1:
        return Verdict.LESS
    return Verdict.SAME


def say(change: Change | None, quantity: Quantity) -> str:
    """The verdict in words: "slower by 9.8 % (7.1 to 12.0 %)"."""
    if change is None:
        return f"too few rounds: nothing can be said with fewer than {LEAST_ROUNDS}"
    by, low, high = ((value - 1) * 100 for value in (change.ratio, change.low, change.high))
    match verdict(change):
        case Verdict.MORE:
            return f"{quantity.more} by {by:.1f} % ({low:.1f} to {high:.1f} %)"
        case Verdict.LESS:
            return f"{quantity.less} by {-by:.1f} % ({-high:.1f} to {-low:.1f} %)"
    hides = ", but rounds that scatter so could hide one" if hides_a_change(change) else ""
    return f"no difference ({low:+.1f} to {high:+.1f} %){hides}"


def hides_a_change(change: Change) -> bool:
    """Whether a change worth knowing is within the interval."""
    return max(abs(math.log(change.low)), abs(math.log(change.high))) > math.log1p(CAN_HIDE)


def disturbed(judged: Sequence[Judged]) -> list[str]:
    """A sentence for each contender whose speed was not the same from round to round on one side."""
    return [
        f"{each.server}, {each.scenario}: {each.contender}: one build made from {side.low:.0f} to {side.high:.0f} "
        f"objects/s; something else was running, so believe CPU sooner than time"
        for each in judged
        if each.quantity == WALL.name
        for side in [max(each.old, each.new, key=lambda side: side.high / side.low)]
        if side.high / side.low > DISTURBED
    ]


def judge(old: Sequence[Run], new: Sequence[Run], *, same_rounds: bool) -> tuple[list[Judged], list[str]]:
    """What can be compared, judged; and a sentence for everything that cannot.

    `same_rounds`: runs of the same number were made one after the other.
    """
    judged: list[Judged] = []
    left_out = []
    for key in dict.fromkeys((run.server, run.scenario, run.contender) for run in (*old, *new)):
        before, after = (
            [run for run in runs if (run.server, run.scenario, run.contender) == key] for runs in (old, new)
        )
        reason = why_not(before, after)
        if reason is not None:
            left_out.append(f"{key[0]}, {key[1]}: {key[2]} is not compared: {reason}")
        else:
            judged += [_judged(before, after, quantity, same_rounds=same_rounds) for quantity in QUANTITIES]
    return judged, left_out


def why_not(old: Sequence[Run], new: Sequence[Run]) -> str | None:
    """The reason why two rows cannot be compared; None when they can."""
    if not old or not new:
        return f"only in {'OLD' if old else 'NEW'}"
    for side, runs in (("OLD", old), ("NEW", new)):
        voids = [run.void for run in runs if run.void is not None]
        if voids:
            return f"void in {side}, {len(voids)} of {len(runs)} rounds: {voids[0]}"
    if len({(run.objects, run.bytes) for run in (*old, *new)}) > 1:
        return "not the same objects and bytes in OLD and NEW"
    return None


def newly_void(old: Sequence[Run], new: Sequence[Run]) -> bool:
    """Whether a row that counted before does not any more: an upload that loses files is not as fast as it was."""
    before, after = (
        {(run.server, run.scenario, run.contender) for run in runs if run.void is not None} for runs in (old, new)
    )
    return bool(after - before)


def _judged(old: Sequence[Run], new: Sequence[Run], quantity: Quantity, *, same_rounds: bool) -> Judged:
    if same_rounds:
        old, new = (sorted(runs, key=lambda run: run.round) for runs in (old, new))
    before, after = ([quantity.cost(run) for run in runs] for runs in (old, new))
    change = paired(before, after) if same_rounds else unpaired(before, after)
    return Judged(
        server=old[0].server,
        scenario=old[0].scenario,
        contender=old[0].contender,
        quantity=quantity.name,
        unit=quantity.unit,
        old=Spread.of(quantity.shown(run) for run in old),
        new=Spread.of(quantity.shown(run) for run in new),
        change=change,
        verdict=verdict(change),
        said=say(change, quantity),
    )
