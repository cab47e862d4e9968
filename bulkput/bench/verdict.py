"""What limits an upload at the user's setting N, and which setting to take instead. Pure.

By Little's law the rate is what is in flight / the time that one takes. Row by row, the first that holds:

| at N                                                                       | limit      |
|----------------------------------------------------------------------------|------------|
| the store answers a hundredth of the puts with "slow down" (see `Throttled`)  | STORE      |
| the user's files: half of the slots' time had nothing to send, CPU is free | DISK       |
| more in flight stores >= 1.2 x the objects per second                      | LATENCY    |
| nothing above N was tried, and from below N the rate grew as N did         | LATENCY    |
| the client takes >= 0.8 of the core that it could have had                 | CLIENT_CPU |
| otherwise more in flight only makes each request slower                    | STORE      |

What is recommended agrees with that: a setting above N only if the limit is LATENCY, and only one that stores >= 1.2 x
the objects per second. Any other gain above N may be noise, or comes with more refusals.

Sizes differ in their rates, so a setting is scored by its rate relative to the best one at each size, on average. A
trial with too few puts has no score. Without another setting to compare with there is no verdict.

"Could have had": other programs on the machine may hold the processors while the event loop waits for one. The client
is not idle in that time, so that time is subtracted. A client that runs for less than a third of the time is not the
limit, however long it waits: the server on the same machine then takes the processors, so the store is the limit.
"""

from collections.abc import Sequence
from enum import StrEnum

from bulkput.bench.samples import Trial
from bulkput.record import frozen
from bulkput.report.lines import size_text

_GAIN = 1.2
"""A smaller gain may be noise: two equal trials on a busy machine differ by as much."""
_GOOD = 0.95
"""Share of the best score that counts as equal to the best."""
_BUSY = 0.8
_REAL = 1 / 3
_UNSENT = 0.5
_THROTTLED = 0.01
_BROKEN = 0.1
"""Share of failed attempts above which empty slots say nothing about the disk: workers pause before they try again."""
_STEEP = 0.8
"""Share of proportional growth from which the rate still follows the concurrency."""
_SAME_BANDWIDTH = 1.5
"""Two sizes whose bytes/s differ by less than this may be limited by bytes."""
_SMALL = 64 * 1024
"""Bytes. Used if only one size was tried: smaller objects seldom fill the bandwidth."""


class Limit(StrEnum):
    LATENCY = "network latency"
    STORE = "the store"
    CLIENT_CPU = "this machine's processor"
    DISK = "the disk"


@frozen(kw_only=True)
class Diagnosis:
    """`where` names the limit for people, `evidence` is one sentence with numbers; `recommended` was tried, and stores
    `gain` x the objects per second of the setting that was asked about."""

    limit: Limit
    where: str
    evidence: str
    setting: int
    recommended: int
    gain: float
    is_setting_good: bool


@frozen
class Undecided:
    """No verdict; `why` is the reason, as a sentence."""

    why: str


def judge(trials: Sequence[Trial], *, setting: int, reads_disk: bool) -> Diagnosis | Undecided:
    """The verdict. Of trials of the same size and concurrency the fastest counts: noise only slows one down."""
    table = _Table(trials, setting)
    if not table.sizes:
        return Undecided(_too_few(trials, setting))
    decided = _limit(table, reads_disk=reads_disk)
    if isinstance(decided, Undecided):
        return decided
    limit, where, evidence = decided
    scores = {c: score for c, score in table.scores.items() if c <= setting or _is_worth(table.gain(c), limit)}
    best = max(scores.values())
    recommended = min(c for c, score in scores.items() if score >= _GOOD * best)
    return Diagnosis(
        limit=limit,
        where=where,
        evidence=evidence,
        setting=setting,
        recommended=recommended,
        gain=table.gain(recommended),
        is_setting_good=table.scores[setting] >= _GOOD * best,
    )


def _is_worth(gain: float, limit: Limit) -> bool:
    """Whether a setting above the one that was asked about may be recommended."""
    return limit is Limit.LATENCY and gain >= _GAIN


class _Table:
    """The comparable trials: sizes with enough puts at `setting`, and concurrencies with enough at each size."""

    def __init__(self, trials: Sequence[Trial], setting: int) -> None:
        self.setting = setting
        self._cells: dict[tuple[int | None, int], Trial] = {}
        for trial in sorted((trial for trial in trials if trial.is_enough), key=lambda trial: trial.rate):
            self._cells[trial.size, trial.concurrency] = trial
        self.sizes = sorted({size for size, c in self._cells if c == setting}, key=lambda size: size or 0)
        tried = {c for _, c in self._cells}
        common = sorted(c for c in tried if all((size, c) in self._cells for size in self.sizes))
        self.scores = {c: self._score(c, common) for c in common} if self.sizes else {}

    def at(self, size: int | None, concurrency: int) -> Trial:
        return self._cells[size, concurrency]

    def here(self) -> list[Trial]:
        """The trials at the setting, small objects first."""
        return [self._cells[size, self.setting] for size in self.sizes]

    def gain(self, concurrency: int) -> float:
        return self.scores[concurrency] / self.scores[self.setting]

    def _score(self, concurrency: int, among: Sequence[int]) -> float:
        shares = [self.at(size, concurrency).rate / max(self.at(size, c).rate for c in among) for size in self.sizes]
        return sum(shares) / len(shares)


def _limit(table: _Table, *, reads_disk: bool) -> tuple[Limit, str, str] | Undecided:
    here = table.here()
    attempts = sum(trial.attempts for trial in here)
    throttled = sum(trial.throttled for trial in here)
    if throttled >= _THROTTLED * attempts:
        said = f'it answered {throttled} of {attempts} puts with "slow down" at {table.setting} in flight'
        return Limit.STORE, "the store: it limits the rate itself", said
    unsent = _mean([trial.unsent for trial in here])
    is_busy = _mean([trial.cpu for trial in here]) >= _REAL and _mean([_busy(trial) for trial in here]) >= _BUSY
    is_sound = sum(trial.failed for trial in here) < _BROKEN * attempts  # pauses before retries leave slots empty too
    if reads_disk and is_sound and not is_busy and unsent >= _UNSENT:
        said = (
            f"for {unsent:.0%} of their time the {table.setting} slots had nothing to send and waited for files to be"
            f" found and read; {_speed(here[0])}"
        )
        return Limit.DISK, Limit.DISK.value, said
    if (grown := _latency(table)) is not None:
        return Limit.LATENCY, Limit.LATENCY.value, grown
    if is_busy:
        return Limit.CLIENT_CPU, Limit.CLIENT_CPU.value, _cpu_evidence(table)
    if len(table.scores) == 1:
        return Undecided(f"no other concurrency than {table.setting} had enough puts to compare with")
    return Limit.STORE, _store(here), _store_evidence(table)


def _latency(table: _Table) -> str | None:
    """The evidence for LATENCY; None if latency is not the limit."""
    above = [c for c in table.scores if c > table.setting]
    below = [c for c in table.scores if c < table.setting]
    if above:
        gain = max(map(table.gain, above))
        if gain < _GAIN:
            return None
        best = min(c for c in above if table.gain(c) >= _GOOD * gain)
        size = max(table.sizes, key=lambda size: table.at(size, best).rate / table.at(size, table.setting).rate)
        here, there = table.at(size, table.setting), table.at(size, best)
        return (
            f"one put takes {_ms(here.median_s)}, so {table.setting} in flight are {here.rate:.0f} objects/s;"
            f" {best} in flight are {there.rate:.0f} objects/s, at {_ms(there.median_s)} each"
        )
    if not below or table.gain(max(below)) * table.setting * _STEEP > max(below):
        return None
    here = table.here()[0]
    return (
        f"one put takes {_ms(here.median_s)}, the rate grew with what was in flight up to {table.setting}"
        f" ({here.rate:.0f} objects/s), and more was not tried"
    )


def _busy(trial: Trial) -> float:
    return trial.cpu / max(1.0 - trial.cpu_wait, 0.01)


def _cpu_evidence(table: _Table) -> str:
    here = table.here()
    cpu, waits = _mean([trial.cpu for trial in here]), _mean([trial.cpu_wait for trial in here])
    shared = f", and waits for a processor {waits:.0%} of the time" if waits >= 0.05 else ""
    per_object_us = 1e6 * here[0].cpu / here[0].rate
    return (
        f"bulkput uses {cpu:.0%} of a core{shared}; {_speed(here[0])}"
        f" at {per_object_us:.0f} us of processor time each, and more in flight changes that little"
    )


def _store(here: Sequence[Trial]) -> str:
    """Name the limit. If two sizes differ in objects/s but not in bytes/s, it may be the bandwidth."""
    widest = here[-1]
    is_wire = (
        widest.bytes >= _SMALL * widest.puts
        if len(here) == 1
        else widest.bytes_per_s <= _SAME_BANDWIDTH * here[-2].bytes_per_s
    )
    return "the store, or the bandwidth of the way there" if is_wire else Limit.STORE.value


def _store_evidence(table: _Table) -> str:
    fewer, more = sorted((table.setting, max(c for c in table.scores if c != table.setting)))
    first, second = table.at(table.sizes[0], fewer), table.at(table.sizes[0], more)
    cpu = _mean([trial.cpu for trial in table.here()])
    return (
        f"{fewer} in flight are {_speed(first)}, at {_ms(first.median_s)} each, and {more} in flight are"
        f" {second.rate:.0f} at {_ms(second.median_s)}: more in flight only makes each request slower"
        f" (bulkput uses {cpu:.0%} of a core)"
    )


def _too_few(trials: Sequence[Trial], setting: int) -> str:
    most = max((trial.puts for trial in trials if trial.concurrency == setting), default=0)
    few = f"too few puts to judge with {setting} in flight: {most} in the measured time"
    return f"{few}; measure for longer, or with more files"


def _speed(trial: Trial) -> str:
    what = "of the given files" if trial.size is None else f"of {size_text(trial.size)}"
    return f"{trial.rate:.0f} objects/s {what}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds * 1000:.0f} ms"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
