"""Shares out the files of a run among the processes of any `concurrent.futures.Executor`.

    pipeline ──submit──> queue ──lane 1──exchange──> process   each lane keeps a window of files in its process
                              └──lane 2──exchange──> process   and asks again and again what has become of them
                                    └──outcomes──> report, events: one journal, one summary, one progress

The rules of windows and of processes that die are in `policy/lanes.py`. Every file that is submitted gets one outcome.
If a process dies, its files go to another; what it had stored already is stored again, as the same object.

The driver logs in, and hands the login over; a process whose login is refused asks for another. Rates and the limit on
requests in flight are shared out, so that they hold for the sum. A stopped run tells all processes with the next call.
"""

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count

from bulkput import __version__
from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.sender import Outcome, not_sent
from bulkput.engine.upload.sending import Elsewhere, OnKept, Sending
from bulkput.errors import UsageError, printable
from bulkput.model import Pacing, Upload
from bulkput.options import UploadOptions
from bulkput.policy.lanes import shares
from bulkput.policy.rules import every_header
from bulkput.scale.engine import Engine
from bulkput.scale.lane import Lane, Suspect
from bulkput.scale.needs import Needs, python_version
from bulkput.scale.task import Setup
from bulkput.sources.paths import is_pipe
from bulkput.stores.base import Store

_WAITING = 1_024
"""Files that wait for each lane, so that a call takes many: each call costs the driver half a millisecond."""
_BATCH = 64
"""Files for each lane that are worth a call at once."""
_LINGER_S = 0.002
"""So long they may wait to become so many: a driver whose processes answer at once takes 8 900 files/s without it, and
17 000 with it (`scripts/bench driver`)."""
_DEATHS_IN_A_ROW = 3
"""Processes of all lanes that end one after the other without an outcome of any file in between, times the lanes."""


class ShardedSending:
    """Sends the files of one run by the processes of `engine` (`engine/upload/lanes.py:Lanes`)."""

    def __init__(
        self,
        engine: Engine,
        destination: str,
        *,
        sources: Iterable[bytes],
        environ: Mapping[str, str],
    ) -> None:
        """`sources` have to be visible to each process."""
        self._engine = engine
        self._destination = destination
        self._sources = tuple(sources)
        self._environ = environ
        self.run = os.urandom(8).hex()
        self.waiting: deque[Upload] = deque()
        self.suspects: deque[Suspect] = deque()
        """Files that were in a process that died."""
        self._lanes: list[Lane] = []
        self._idle: deque[asyncio.Future[None]] = deque()
        self._full: deque[asyncio.Future[None]] = deque()
        self._linger: asyncio.TimerHandle | None = None
        """Wakes the lanes that have nothing to do, if files come."""
        self._is_ended = False
        self._backlog = 1
        self.deaths_in_vain = 0
        self._told_warnings: set[str] = set()

    async def begin(
        self, sending: Sending, store: Store, tuner: Tuner, *, source: Elsewhere, on_kept: OnKept | None
    ) -> None:
        """See `Lanes.begin`."""
        self.sending, self.store, self.tuner, self.on_kept = sending, store, tuner, on_kept
        options = sending.options
        needs = Needs(__version__, python_version(), self._sources)
        await _unless_stopped(self._engine.ready(needs, lambda why: self.emit(ev.Warned(why))), sending.stop)
        # Each lane has a request in flight at least. A run that was stopped by now has one lane, which sends nothing.
        lanes = max(1, min(self._engine.lanes, options.wire.highest))
        self._backlog = max(options.backlog, _WAITING * lanes)
        self._setup = Setup(
            version=__version__,
            destination=self._destination,
            sources=self._sources,
            options=_share_of(options, lanes),
            headers=every_header(options) if options.rules else options.headers,
            environ=self._environ,
            told=None,
            gzip=sending.gzip,
            rules=sending.rules,
            scope=sending.scope,
            container=sending.container,
            source=source,
            mark=sending.mark,
            rate_share=1 / lanes,
            shared_run=sending.shared_run,
        )
        numbers = count()
        self._lanes = [Lane(self, self._engine, number, numbers) for number in range(lanes)]
        self.share_out()

    async def setup(self) -> Setup:
        """What a process needs that does not know the run. Raises what a login raises."""
        if (hand_over := self.store.powers.hand_over) is None:
            return self._setup
        return replace(self._setup, told=await hand_over(None))

    @asynccontextmanager
    async def taking(self, report: Callable[[Outcome], None]) -> AsyncIterator["ShardedSending"]:
        """See `Lanes.taking`."""
        self.report, self._is_ended = report, False
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self._lanes:
                    tasks.create_task(lane.work(), name=f"bulkput-lane-{lane.number}")
                try:
                    yield self
                finally:
                    self._is_ended = True
                    self.wake()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self.leave_unsent()

    async def submit(self, upload: Upload) -> None:
        self.waiting.append(upload)
        if self._idle:
            self._gather()
        while len(self.waiting) > self._backlog:
            turn = asyncio.get_running_loop().create_future()
            self._full.append(turn)
            await turn

    def resize(self, workers: int) -> None:
        """See `Workers.resize`: the tuner has the limit itself."""
        self.share_out()

    def share_out(self) -> None:
        """Share out the requests in flight among the lanes that have a process, or among all if none has one yet."""
        lanes = [lane for lane in self._lanes if lane.has_process] or self._lanes
        for lane, share in zip(lanes, shares(self.tuner.slots.limit, len(lanes)), strict=True):
            lane.share = share

    # For the lanes.

    @property
    def lanes(self) -> int:
        return len(self._lanes)

    @property
    def is_over(self) -> bool:
        """Whether no file is left, and none is to come: also none of a process that may still die."""
        return self._is_ended and not self.waiting and not self.suspects and not any(lane.held for lane in self._lanes)

    @property
    def has_work(self) -> bool:
        """Whether there are files for a lane that would get a process now."""
        return bool(self.waiting or self.suspects) and not self.sending.stop.is_pulled

    async def news(self) -> None:
        """Return when there may be something to do for a lane that has nothing."""
        if self._is_worth_a_call:
            return
        if self.waiting:
            self._gather()
        turn = asyncio.get_running_loop().create_future()
        self._idle.append(turn)
        await turn

    @property
    def _is_worth_a_call(self) -> bool:
        if self.suspects or len(self.waiting) >= _BATCH * len(self._lanes):
            return True
        return bool(self.waiting) and (self._is_ended or self.sending.stop.is_pulled)

    def _gather(self) -> None:
        """Files wait: wake the lanes that have nothing to do, at once or when more may have come."""
        if self._is_worth_a_call:
            self.wake()
        elif self._linger is None:
            self._linger = asyncio.get_running_loop().call_later(_LINGER_S, self.wake)

    def wake(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        _wake(self._idle)

    def note_taken(self) -> None:
        """Files have been taken from the queue."""
        if self._full and len(self.waiting) <= self._backlog // 2:
            _wake(self._full)

    def leave_unsent(self) -> None:
        """Report all files that have no outcome as not sent: the run is being stopped."""
        left = [*self.waiting, *(suspect.upload for suspect in self.suspects)]
        self.waiting.clear()
        self.suspects.clear()
        for lane in self._lanes:
            left += lane.let_go()
        for upload in left:
            self.report(not_sent(upload))
        _wake(self._full)

    def leave_waiting(self) -> None:
        """The same for those that no process has."""
        left = [*self.waiting, *(suspect.upload for suspect in self.suspects)]
        self.waiting.clear()
        self.suspects.clear()
        for upload in left:
            self.report(not_sent(upload))
        _wake(self._full)

    def note_death(self, worker: str, files: int, why: str) -> None:
        self.sending.emit(ev.WorkerLost(worker, files, why))
        self.deaths_in_vain += 1
        if self.deaths_in_vain >= _DEATHS_IN_A_ROW * len(self._lanes):
            told = f"processes that send the files end again and again, the last ({worker}): {why}"
            self.sending.stop.pull(ev.Stopping(told, ev.StopCause.WORKERS))

    def emit(self, event: ev.Event) -> None:
        """An event of a process: a warning of several is one."""
        if isinstance(event, ev.Warned):
            if event.why in self._told_warnings:
                return
            self._told_warnings.add(event.why)
        self.sending.emit(event)

    # What is added up.

    @property
    def requests(self) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for lane in self._lanes:
            total.update(lane.requests)
        return total

    @property
    def connections(self) -> int:
        return sum(lane.connections for lane in self._lanes)

    @property
    def pacings(self) -> list[Pacing]:
        return [lane.pacing for lane in self._lanes if lane.pacing is not None]

    @property
    def in_flight(self) -> tuple[ev.InFlight, ...]:
        now_s = time.monotonic()
        return tuple(
            replace(row, age_s=row.age_s + now_s - lane.rows_at_s, what=f"{lane.name}: {row.what}")
            for lane in tuple(self._lanes)
            for row in lane.rows
        )

    async def aclose(self) -> None:
        """End all processes; those that still have files at once."""
        for lane in self._lanes:
            lane.end()
        await self._engine.aclose(self.run)


def _wake(waiting: "deque[asyncio.Future[None]]") -> None:
    while waiting:
        turn = waiting.popleft()
        if not turn.done():
            turn.set_result(None)


async def _unless_stopped(waiting: Coroutine[None, None, None], stop: Stop) -> None:
    """Wait, but no longer than until the run is being stopped. Raises what is awaited."""
    task = asyncio.ensure_future(waiting)
    try:
        with stop.waking(task.cancel):
            await asyncio.wait([task])
    finally:
        task.cancel()
    if not task.cancelled():
        task.result()


def _share_of(options: UploadOptions, lanes: int) -> UploadOptions:
    """The options for one of several processes: with its share of the rates, and nothing that is the driver's."""
    wire = options.wire
    if wire.objects_per_s is not None:
        wire = replace(wire, objects_per_s=wire.objects_per_s / lanes)
    if wire.bytes_per_s is not None:
        wire = replace(wire, bytes_per_s=wire.bytes_per_s / lanes)
    return replace(options, wire=wire, journal=None, retry_failed=False, manifest=None)


def check_shardable(roots: Iterable[bytes]) -> None:
    """Raises UsageError if the sources are nothing that another process can read. Blocking."""
    if b"-" in roots:
        raise UsageError("standard input can be read by one process only, which is not to be one of several")
    if pipes := [root for root in roots if is_pipe(root)]:
        raise UsageError(f"{printable(pipes[0])} is a pipe, which one process only can read: leave out the others")
