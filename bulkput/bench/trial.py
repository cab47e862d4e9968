"""One trial: a real upload, observed through its events and stopped after its time."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from bulkput import events as ev
from bulkput.bench.cpu import CpuClock
from bulkput.bench.samples import FileWait, Outcome, PutSample, Trial, measure, wanted
from bulkput.engine.stop import Stop
from bulkput.engine.upload.upload import upload
from bulkput.errors import BulkputError, StoreError, Throttled, Unavailable
from bulkput.model import Skip
from bulkput.options import StopRules, UploadOptions
from bulkput.record import frozen

_LONGEST = 5.0
"""A trial with too few answers is extended, up to this multiple of its time: slow stores answer rarely."""
_MAX_ERRORS = 100
"""Failed objects that end a trial: a store that refuses everything answers very fast."""


@frozen(kw_only=True)
class Plan:
    """The source, destination and options of a trial."""

    size: int | None
    concurrency: int
    source: str
    url: str
    """Ends in a slash; no other program stores below it."""
    seconds: float
    options: UploadOptions
    environ: Mapping[str, str] | None = None


@frozen
class TrialFailure:
    """Why nothing can be measured, as a sentence, and the exit code that goes with it."""

    why: str
    exit_code: int


@frozen(kw_only=True)
class Ran:
    """A trial's numbers and remains: the store may hold an object for each of `keys`, and confirmed `stored` of them.

    `lost` counts objects that failed after all retries before the time was over; `first_error` is the first error.
    """

    trial: Trial
    keys: frozenset[str]
    stored: int
    lost: int
    first_error: str | None
    failure: TrialFailure | None


async def run_trial(plan: Plan, *, interrupted: Stop) -> Ran:
    """Upload until the time is over or `interrupted` is pulled; requests in flight are finished."""
    stop = Stop()
    options = replace(
        plan.options,
        wire=replace(plan.options.wire, concurrency=plan.concurrency),
        stop=StopRules(max_errors=max(_MAX_ERRORS, plan.concurrency)),
    )
    with interrupted.waking(stop.interrupt), closing(_Watch(plan, stop)) as watch:
        summary = await upload(
            [plan.source], plan.url, options=options, on_event=watch, stop=stop, environ=plan.environ
        )
    return watch.ran(summary.stopping)


class _Watch:
    """Receives every event and decides when the time is over. `close` ends its timers."""

    def __init__(self, plan: Plan, stop: Stop) -> None:
        self._plan = plan
        self._stop = stop
        self._cpu = CpuClock()
        self._samples: list[PutSample] = []
        self._file_waits: list[FileWait] = []
        self._read_s: dict[bytes, float] = {}
        self._keys: set[str] = set()
        self._answered = 0
        self._is_due = False
        self._lost: list[BulkputError] = []
        self._last_error: StoreError | None = None
        self._loop = asyncio.get_running_loop()
        self._timers = [self._loop.call_later(_LONGEST * plan.seconds, self._end)]

    def __call__(self, event: ev.Event) -> None:
        match event:
            case ev.Requested(operation="put"):
                self._requested(event)
            case ev.Streaming():
                waited_s = event.read_s - self._read_s.get(event.path, 0.0)
                # `read_s` restarts at 0 with each attempt.
                self._file_waits.append(FileWait(time.monotonic(), waited_s if waited_s >= 0 else event.read_s))
                self._read_s[event.path] = event.read_s
            case ev.Uploaded():
                self._read_s.pop(event.upload.source.path, None)
            case ev.Skipped(skip=Skip(key=str(key))) if self._stop.must_hurry:
                self._keys.add(key)  # its request may have been cancelled, and the object stored all the same
            case ev.Failed() if not self._stop.is_pulled:
                self._lost.append(event.error)

    def ran(self, stopping: ev.Stopping | None) -> Ran:
        plan = self._plan
        return Ran(
            trial=measure(self._samples, self._file_waits, size=plan.size, concurrency=plan.concurrency),
            keys=frozenset(self._keys),
            stored=self._answered,
            lost=len(self._lost),
            first_error=str(self._lost[0]) if self._lost else None,
            failure=self._failure(stopping),
        )

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._cpu.close()

    def _requested(self, event: ev.Requested) -> None:
        error = event.error
        outcome = Outcome.STORED
        if error is not None:
            outcome = Outcome.THROTTLED if isinstance(error, Throttled) else Outcome.FAILED
            if isinstance(error, StoreError):
                self._last_error = error
        ended_s = event.started_s + event.elapsed_s
        used_s, waited_s = self._cpu.used_s(), self._cpu.waited_s()
        self._samples.append(PutSample(event.started_s, ended_s, event.size or 0, outcome, used_s, waited_s))
        self._keys.add(event.key)
        if outcome is Outcome.STORED:
            self._answered += 1
            if self._answered == self._plan.concurrency:
                self._timers.append(self._loop.call_later(self._plan.seconds, self._due))
            elif self._is_due:
                self._due()

    def _due(self) -> None:
        self._is_due = True
        if self._answered >= self._plan.concurrency + wanted(self._plan.concurrency):
            self._end()

    def _end(self) -> None:
        # The engine treats this like Ctrl-C; a real Ctrl-C arrives through `interrupted`.
        self._stop.pull(ev.Stopping("the trial's time is over", ev.StopCause.INTERRUPTED))

    def _failure(self, stopping: ev.Stopping | None) -> TrialFailure | None:
        match stopping:
            case ev.Stopping(cause=ev.StopCause.STORE | ev.StopCause.SOURCE):
                return TrialFailure(stopping.why, 3)
            case ev.Stopping(cause=ev.StopCause.ERRORS):
                return TrialFailure(f"{len(self._lost)} objects failed, the last: {self._lost[-1]}", 1)
        if self._answered or (error := self._last_error or next(iter(self._lost), None)) is None:
            return None
        return TrialFailure(f"nothing could be stored: {error}", 3 if isinstance(error, Unavailable | Throttled) else 1)
