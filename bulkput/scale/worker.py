"""Runs in a process that sends files of a run: what any `concurrent.futures.Executor` calls there.

    exchange(Call) ──thread-safe──> event loop of the run in this process: files ──pool──> PUT ──> outcomes
                   <──────Reply───

The event loop has a thread of its own, so files are sent between two exchanges as well. It lives, with its connections,
until the driver ends it or has not called for `_ABANDONED_S`: then the driver is gone.

A process answers when it has enough outcomes, when the driver's patience ends, and when no file is left.
"""

import asyncio
import gc
import os
import socket
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from bulkput import events as ev
from bulkput.activity import Activity
from bulkput.engine.event_loop import loop_factory
from bulkput.engine.open_store import Handed, governor_of, pace_of
from bulkput.engine.pool import Pool, pool
from bulkput.engine.stop import Stop
from bulkput.engine.upload.sender import Sender, not_sent
from bulkput.engine.upload.sending import OpenSource, Sending, new_only_of, opened_for, opener_of, putter_of, skipper_of
from bulkput.engine.upload.survey import Files
from bulkput.engine.upload.watchdog import in_flight_of, oldest_first
from bulkput.errors import BulkputError, Stopped, UsageError
from bulkput.model import LargeUpload, RemoteObject, UnfinishedUpload, Upload
from bulkput.scale.needs import python_version, why_unfit
from bulkput.scale.task import Asked, Call, Earlier, Reply, Setup, decoded, told
from bulkput.stores.base import Configured, Destination
from bulkput.stores.slots import Slots
from bulkput.transport.base import WireCount

_ABANDONED_S = 600.0
"""A driver may have no work for long, while it compares or scans. Then its next call sets the process up again."""
_GONE_S = 30.0
"""While a process has files, its driver calls at least every second: without a call, it is gone. The same time holds if
the next call may reach another process: nobody can tell this one that the run has ended."""
_MOST_ROWS = 20

_runs: dict[str, "Worker"] = {}
_making = threading.Lock()


def exchange(call: Call) -> Reply:
    """Take files, and answer with outcomes. Blocks. Called in any thread, but one call of a run at a time."""
    with _making:
        worker = _runs.get(call.run)
        if worker is None or worker.has_ended:
            if call.setup is None:
                return Reply(is_unknown=True)
            worker = _runs[call.run] = Worker(call.setup)
            worker.start()
    return worker.exchange(call)


def end(run: str) -> None:
    """End all parts of the run in this process, and close their connections."""
    with _making:
        for name in [each for each in _runs if each.rpartition("-")[0] == run]:
            _runs.pop(name).end()


class Worker:
    """One process's part of a run. All but `exchange`, `start` and `end` is for its own thread."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._loop = (loop_factory() or asyncio.new_event_loop)()
        self._thread = threading.Thread(target=self._run, name="bulkput-shard", daemon=True)
        self.has_ended = False
        self._error: BulkputError | None = None
        self._bug: str | None = None
        self._ended = asyncio.Event()
        self._stop = Stop()
        self._slots = Slots(1)
        self._activities: set[Activity] = set()
        self._earlier = HandedEarlier()
        self._count = WireCount()
        self._source: OpenSource = Files(None)
        self._pool: Pool[Upload] | None = None
        self._numbers: dict[int, int] = {}
        """Number of each file in hand, by the id of its Upload."""
        self._held: dict[int, Upload] = {}
        self._batch: list[tuple[object, ...]] = []
        self._kept: list[RemoteObject] = []
        self._asked: dict[str, Asked] = {}
        """The request of each object whose outcome has not come yet, by its key."""
        self._streaming: dict[bytes, ev.Streaming] = {}
        self._box: Future[Reply] | None = None
        self._enough = 1
        self._timer: asyncio.TimerHandle | None = None
        self._wants_rows = False
        self._refused: Configured | None = None
        self._renewal: asyncio.Future[Configured] | None = None
        self._is_whole = False
        """Whether an answer needs an outcome for each file, since the next call may reach another process."""
        self._called_s = time.monotonic()
        self._pace = pace_of(setup.options.wire, self._stop, shared_run=setup.shared_run)
        self._governor = governor_of(setup.options.wire, self._stop, Destination.parse(setup.destination))
        if self._governor is not None:
            self._governor.share = setup.rate_share

    def start(self) -> None:
        self._thread.start()

    def exchange(self, call: Call) -> Reply:
        box: Future[Reply] = Future()
        self._loop.call_soon_threadsafe(self._serve, call, box)
        return box.result()

    def end(self) -> None:
        with suppress(RuntimeError):  # it has ended, and its loop is closed
            self._loop.call_soon_threadsafe(self._ended.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self.has_ended = True
            with _making:  # of a driver that is gone, too: a setup has secrets
                for name in [each for each, worker in _runs.items() if worker is self]:
                    del _runs[name]
            self._loop.close()

    async def _main(self) -> None:
        try:
            await self._open_and_send()
        except BulkputError as error:
            self._error = error
        except Exception:  # noqa: BLE001 - a bug: the driver has to hear of it, and raises it as one
            self._bug = traceback.format_exc()
        if self._error is not None or self._bug is not None:
            self._answer()
            await self._until_ended()

    async def _until_ended(self) -> None:
        """Returns when the driver has ended the run, or has not called for long."""
        while not self._ended.is_set() and not self._is_abandoned:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _GONE_S / 6)

    @property
    def _is_abandoned(self) -> bool:
        if self._box is not None:
            return False
        is_logging_in = self._renewal is not None and not self._renewal.done()
        patience_s = _GONE_S if (self._held or self._is_whole) and not is_logging_in else _ABANDONED_S
        return time.monotonic() > self._called_s + patience_s

    async def _open_and_send(self) -> None:
        setup, options = self._setup, self._setup.options
        _check(setup)
        handed = Handed(setup.told, self._ask_again) if setup.told is not None else None
        opened = setup.source.opened(setup.destination, options, self._emit, self._stop, setup.environ)
        async with (
            opened as self._source,
            opened_for(options, setup.headers)(
                setup.destination,
                slots=self._slots,
                pace=self._pace,
                governor=self._governor,
                emit=self._emit,
                brake=self._stop,
                environ=setup.environ,
                handed=handed,
            ) as (store, self._count),
        ):
            sending = Sending(
                options=options,
                stop=self._stop,
                emit=self._emit,
                earlier=self._earlier,
                gzip=setup.gzip,
                rules=setup.rules,
                scope=setup.scope,
                container=setup.container,
                source=self._source,
                mark=setup.mark,
            )
            opener = opener_of(sending, store)
            skipper = skipper_of(sending, store, opener, self._note_kept)
            new_only = new_only_of(sending, store, self._note_kept)
            links = self._source.links(store, self._emit)
            putter = putter_of(sending, store, opener, skipper=skipper, new_only=new_only, links=links)
            self._sender = Sender(putter, self._stop)
            try:
                async with pool(self._send, workers=self._workers, backlog=0, in_flight=self._activities) as self._pool:
                    gc.freeze()  # what is imported stays: as in `cli/loop.py`
                    for upload in self._held.values():
                        self._pool.add(upload)
                    await self._until_ended()
                    self.has_ended = True
                    self._end_renewal()
                    self._stop.pull(ev.Stopping("the driver has ended the run", ev.StopCause.INTERRUPTED))
            finally:
                opener.close()

    def _end_renewal(self) -> None:
        """No login comes any more."""
        if self._renewal is not None and not self._renewal.done():
            self._renewal.set_exception(Stopped())

    @property
    def _workers(self) -> int:
        return self._slots.limit + self._slots.limit // 4

    # What the driver says.

    def _serve(self, call: Call, box: "Future[Reply]") -> None:
        if self._box is not None:  # its caller has gone
            self._box.set_result(Reply())
        self._box, self._enough, self._wants_rows = box, call.enough, call.wants_rows
        self._is_whole, self._called_s = call.patience_s is None, time.monotonic()
        if call.share != self._slots.limit:
            self._slots.limit = call.share
            if self._pool is not None:
                self._pool.resize(self._workers)
        if call.told is not None:
            self._take_login(call.told)
        if call.stop is not None:
            self._stop.pull(call.stop)
        self._take(call.files)
        self._set_timer(call.patience_s)
        is_enough = len(self._batch) >= self._enough and not self._is_whole
        if self._error is not None or self._bug is not None or not self._held or is_enough:
            self._answer()

    def _take(self, files: Sequence[tuple[Any, ...]]) -> None:
        shared = self._setup.options.headers
        for item in files:
            number, upload, earlier = decoded(item, shared)
            self._numbers[id(upload)] = number
            self._held[number] = upload
            if earlier is not None:
                self._earlier.note(upload.source.path, earlier)
            if self._pool is not None:
                self._pool.add(upload)

    def _set_timer(self, patience_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(patience_s, self._answer) if patience_s is not None else None

    def _take_login(self, told: Configured | BulkputError) -> None:
        renewal, self._renewal, self._refused = self._renewal, None, None
        if renewal is None or renewal.done():
            return
        if isinstance(told, BulkputError):
            renewal.set_exception(told)
        else:
            renewal.set_result(told)

    async def _ask_again(self, refused: Configured) -> Configured:
        """Another login, from the driver. Raises what its login raises, and Stopped if another process may get it."""
        if self._is_whole:
            self._refused, self.has_ended = refused, True  # the next call makes another Worker
            self._stop.pull(ev.Stopping("another login is needed", ev.StopCause.STORE))
            raise Stopped
        if self._renewal is None:
            self._renewal, self._refused = self._loop.create_future(), refused
            self._answer()
        return await asyncio.shield(self._renewal)

    # What it answers.

    async def _send(self, upload: Upload) -> None:
        try:
            outcome = await self._sender.send(upload)
        except asyncio.CancelledError:
            self._settle(upload, not_sent(upload))
            raise
        self._settle(upload, outcome)

    def _settle(self, upload: Upload, outcome: "ev.Uploaded | ev.Skipped | ev.Failed") -> None:
        number = self._numbers.pop(id(upload))
        del self._held[number]
        self._streaming.pop(upload.source.path, None)
        self._earlier.forget(upload.source.path)
        asked = self._asked.pop(upload.key, None)
        if isinstance(outcome, ev.Uploaded):
            self._batch.append(told(number, upload, outcome, asked))
        else:
            self._batch.append((number, outcome, asked))
        if not self._held or (len(self._batch) >= self._enough and not self._is_whole):
            self._answer()

    def _emit(self, event: ev.Event) -> None:
        if isinstance(event, ev.Requested):
            if event.operation == "put" and event.error is None and event.key not in self._asked:
                self._asked[event.key] = event.started_s, event.elapsed_s, event.size
                return
        elif isinstance(event, ev.Streaming):
            self._streaming[event.path] = event
            return
        self._batch.append((None, event, None))

    async def _note_kept(self, row: RemoteObject) -> None:
        self._kept.append(row)

    def _answer(self) -> None:
        if self.has_ended:
            self._ended.set()
        if self._box is None:
            return
        box, self._box = self._box, None
        batch, self._batch = self._batch, []
        kept, self._kept = self._kept, []
        streaming, self._streaming = self._streaming, {}
        batch += [(None, event, None) for event in streaming.values()]
        had_to_wait, self._slots.had_to_wait = self._slots.had_to_wait, False
        box.set_result(
            Reply(
                error=self._error,
                bug=self._bug,
                batch=batch,
                kept=kept,
                uploads_kept=self._earlier.taken(),
                refused=self._refused,
                had_to_wait=had_to_wait,
                now_s=time.monotonic(),
                requests=dict(self._count.requests + self._source.count.requests),
                connections=self._count.connections + self._source.count.connections,
                pacing=self._pace.so_far() if self._pace is not None else None,
                rows=self._rows() if self._wants_rows else (),
                host=socket.gethostname(),
                pid=os.getpid(),
            )
        )

    def _rows(self) -> tuple[ev.InFlight, ...]:
        return oldest_first(in_flight_of(self._activities, time.monotonic()))[:_MOST_ROWS]


class HandedEarlier:
    """What the driver's journal has of the large files that this process sends (`sending.py:Earlier`)."""

    def __init__(self) -> None:
        self.uploads_begun: dict[bytes, tuple[UnfinishedUpload, ...]] = {}
        self._parts: dict[bytes, tuple[tuple[str, str, int, str], ...]] = {}
        self._kept: list[tuple[bytes, UnfinishedUpload]] = []

    def note(self, path: bytes, earlier: Earlier) -> None:
        self._parts[path] = earlier.parts
        if earlier.begun:
            self.uploads_begun[path] = earlier.begun

    def forget(self, path: bytes) -> None:
        if self._parts.pop(path, None) is not None:
            self.uploads_begun.pop(path, None)

    async def known_parts(self, path: bytes, state: str, upload: LargeUpload) -> Mapping[int, str]:
        noted = self._parts.get(path, ())
        return {number: md5 for of, begun, number, md5 in noted if (of, begun) == (state, upload.id)}

    async def parts_of_file(self, path: bytes) -> set[tuple[int, str]]:
        return {(number, md5) for _, _, number, md5 in self._parts.get(path, ())}

    async def noted_parts(self, path: bytes) -> tuple[tuple[str, str, int, str], ...]:
        return self._parts.get(path, ())

    def keep_upload(self, path: bytes, upload: UnfinishedUpload) -> None:
        self._kept.append((path, upload))

    def taken(self) -> list[tuple[bytes, UnfinishedUpload]]:
        """Those that were kept since the last call."""
        kept, self._kept = self._kept, []
        return kept


def _check(setup: Setup) -> None:
    """Raises UsageError if this process cannot send the files of the run."""
    if (why := why_unfit((setup.version, python_version(), setup.sources))) is not None:
        raise UsageError(f"the worker on {socket.gethostname()} (process {os.getpid()}) {why}")
