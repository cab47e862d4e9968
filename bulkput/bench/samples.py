"""Computes the numbers of one trial from its recorded requests. Pure: no clock, no I/O.

A trial keeps `concurrency` puts in flight. It has a beginning (connections are made, all slots fill at once) and an
end (slots run empty), which say nothing about an upload of a million files. Only the window between them counts:

    first put ──warm-up──> as many answers as slots │══ window ══│ the last put begins ──drain──> the end

Each put begins when another one ends. So if a store answers in waves, both edges of the window fall between two waves,
and the rate does not depend on the moment at which the clock stopped.
"""

import math
from collections.abc import Sequence
from enum import Enum

from bulkput.record import frozen

_FEWEST = 20
"""Puts that a window should have at least: the standard error of a count of twenty is about a quarter."""


class Outcome(Enum):
    STORED = "stored"
    THROTTLED = "throttled"
    FAILED = "failed"


@frozen
class PutSample:
    """One attempt at a put, on one clock. `cpu_s` and `waited_s` are totals of the process when it ended:
    processor time used, and time for which the event loop wanted a processor that others had."""

    started_s: float
    ended_s: float
    size: int
    outcome: Outcome
    cpu_s: float
    waited_s: float


@frozen
class FileWait:
    """A put in flight waited `read_s` seconds for its file, as reported at `at_s`."""

    at_s: float
    read_s: float


@frozen(kw_only=True)
class Trial:
    """One size at one concurrency, in its window. `size` is None for the user's own files, whose sizes are mixed.

    `cpu` is the process's use of one core (above 1 with threads); `cpu_wait` the share of time for which the event
    loop wanted a processor and had none; `unsent` the share of the slots' time in which they had nothing to send.
    `attempts`, `throttled` and `failed` count the whole trial, not the window.
    """

    size: int | None
    concurrency: int
    puts: int
    bytes: int
    seconds: float
    median_s: float
    p99_s: float
    cpu: float
    cpu_wait: float
    unsent: float
    attempts: int
    throttled: int
    failed: int

    @property
    def rate(self) -> float:
        """Objects stored per second."""
        return self.puts / self.seconds if self.seconds > 0 else 0.0

    @property
    def bytes_per_s(self) -> float:
        return self.bytes / self.seconds if self.seconds > 0 else 0.0

    @property
    def is_enough(self) -> bool:
        """Whether the window has at least half of the wanted puts; with fewer the trial is not judged."""
        return 2 * self.puts >= wanted(self.concurrency)


def wanted(concurrency: int) -> int:
    """Puts that a window should have: about one per slot, and at least `_FEWEST`."""
    return max(_FEWEST, concurrency)


def measure(
    samples: Sequence[PutSample], file_waits: Sequence[FileWait], *, size: int | None, concurrency: int
) -> Trial:
    """The trial in its window; `puts` is 0 if there is no window."""
    begin_s, end_s = _window(samples, concurrency)
    inside = [sample for sample in samples if begin_s < sample.ended_s <= end_s]
    stored = [sample for sample in inside if sample.outcome is Outcome.STORED]
    seconds = max(0.0, end_s - begin_s)
    took = sorted(sample.ended_s - sample.started_s for sample in stored)
    cpu, cpu_wait = _cpu(samples, begin_s, end_s)
    sending_s = sum(max(0.0, min(sample.ended_s, end_s) - max(sample.started_s, begin_s)) for sample in samples)
    reading_s = sum(reading.read_s for reading in file_waits if begin_s < reading.at_s <= end_s)
    return Trial(
        size=size,
        concurrency=concurrency,
        puts=len(stored),
        bytes=sum(sample.size for sample in stored),
        seconds=seconds,
        median_s=percentile(took, 0.5),
        p99_s=percentile(took, 0.99),
        cpu=cpu,
        cpu_wait=cpu_wait,
        unsent=min(1.0, max(0.0, 1.0 - (sending_s - reading_s) / (concurrency * seconds))) if seconds else 0.0,
        attempts=len(samples),
        throttled=sum(sample.outcome is Outcome.THROTTLED for sample in samples),
        failed=sum(sample.outcome is Outcome.FAILED for sample in samples),
    )


def percentile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed (nearest rank); 0 without values."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else 0.0


def _window(samples: Sequence[PutSample], concurrency: int) -> tuple[float, float]:
    ends = sorted(sample.ended_s for sample in samples if sample.outcome is Outcome.STORED)
    if len(ends) < concurrency:
        return 0.0, 0.0
    begin_s = ends[concurrency - 1]
    return begin_s, max(begin_s, *(sample.started_s for sample in samples))


def _cpu(samples: Sequence[PutSample], begin_s: float, end_s: float) -> tuple[float, float]:
    """CPU and CPU-wait shares between the first and the last answer in the window: totals are read at answers only."""
    known = [sample for sample in samples if begin_s <= sample.ended_s <= end_s]
    if len(known) < 2:
        return 0.0, 0.0
    first, last = min(known, key=_ended_s), max(known, key=_ended_s)
    passed_s = last.ended_s - first.ended_s
    if passed_s <= 0:
        return 0.0, 0.0
    return (last.cpu_s - first.cpu_s) / passed_s, min(1.0, (last.waited_s - first.waited_s) / passed_s)


def _ended_s(sample: PutSample) -> float:
    return sample.ended_s
