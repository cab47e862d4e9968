"""Says what a run waits for, when nothing has moved for a while.

A thread looks at the recorder's counters every few seconds, so that the run pays nothing per object, and so that it
works also when the event loop itself stands. What is in flight is read off the suspended workers (`activity.py`) at the
moment when it is told. The watchdog ends nothing: everything that a run waits for has a deadline of its own, or waits
for something that has one (all seconds below are defaults).

| what is awaited | its end |
|---|---|
| a source is looked at | `source_check.py`: 120 s (`BodyOptions.read_timeout_s`), or the first Ctrl-C |
| the scan | none: a directory may take long. It is told which one; the first Ctrl-C ends it, its thread is a daemon |
| a file is opened, read, closed | `payload/readers.py`: 120 s each; 16 that hang stop the run |
| a small file is read on the loop | only on file systems of this machine (`sources/mounts.py`), which answer or fail |
| a host name, a connection, TLS | `transport/wire.py`: 15 s each (`connect_timeout_s`) |
| a request | 90 s (`timeout_s`) and its size at 64 KiB/s (`min_rate`), by a sweep over all connections |
| a server that takes nothing of a body | 90 s without any of it |
| 100 Continue | 2 s, then the body is sent without |
| a pause before the next try | 30 s, or the store's own wish up to 120 s; a stopped run ends it |
| a login, a container made again | requests like the others; who waits for another's login gets its outcome |
| a slot, a place in the queue | whoever holds it does one of the above |
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerError
from contextlib import suppress

from bulkput import events as ev
from bulkput.activity import places, words_of
from bulkput.engine.upload.pipeline import Pipeline
from bulkput.policy.stall import Moves, Patience, Still
from bulkput.recorder import Recorder
from bulkput.stores.tries import Tries
from bulkput.transport.connection import Connection

_EVERY_S = 5.0
_ANSWER_S = 2.0
"""An event loop that does not come round for so long stands."""
_FRAMES = 6
_ATTEMPTS = (Tries.__call__.__code__, Tries.wait_or_give_up.__code__)


class Watchdog:
    """Made and started in the task of the run; `end` it with the run."""

    def __init__(
        self, recorder: Recorder, emit: ev.Emit, *, stall_s: float, scanned: Callable[[], bytes | None]
    ) -> None:
        """`scanned` tells which path the scan has in hand. `emit` is called in the loop's thread, while that moves."""
        self._recorder = recorder
        self._emit = emit
        self._scanned = scanned
        self._every_s = min(_EVERY_S, stall_s / 4)
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._loop_thread = threading.get_ident()
        self._began_s = time.monotonic()
        self._ended = threading.Event()
        self._patience = Patience(stall_s, self._began_s, self._counters())

    def start(self) -> None:
        threading.Thread(target=self._watch, name="bulkput-watchdog", daemon=True).start()

    def end(self) -> None:
        """Nothing is told any more. The thread is not waited for: it may be about to write where nobody reads."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(self._every_s):
            found = self._patience.look(time.monotonic(), self._counters())
            if found is not None:
                self._tell(found)

    def _counters(self) -> tuple[int, ...]:
        recorder = self._recorder
        scanned = hash(self._scanned())  # files that a journal knows are counted by the thousand
        return recorder.found, recorder.done, recorder.retries, recorder.bytes_moved, scanned

    def _tell(self, found: Still | Moves) -> None:
        """By the event loop, in whose thread events belong; when it does not answer, from here."""
        turn: Future[None] = Future()

        def tell() -> None:
            if turn.set_running_or_notify_cancel():
                if not self._ended.is_set():
                    self._emit(self._event(found))
                turn.set_result(None)

        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(tell)
            try:
                turn.result(_ANSWER_S)
            except NoAnswerError:
                if turn.cancel():
                    self._emit(self._event(found, self._loop_at()))

    def _event(self, found: Still | Moves, loop_at: tuple[str, ...] = ()) -> ev.Stalled | ev.Moving:
        if isinstance(found, Moves):
            return ev.Moving(found.idle_s)
        scanning = None if self._recorder.is_scan_done else self._scanned()
        return ev.Stalled(found.idle_s, self._in_flight(), scanning, loop_at)

    def _loop_at(self) -> tuple[str, ...]:
        """Where the event loop's thread stands, innermost last: files by their names only."""
        frame = sys._current_frames().get(self._loop_thread)  # there is no other way to another thread's stack
        stack = traceback.extract_stack(frame)[-_FRAMES:] if frame is not None else []
        return tuple(f"{os.path.basename(at.filename)}:{at.lineno} {at.name}" for at in stack)

    def _in_flight(self) -> tuple[ev.InFlight, ...]:
        now_s = time.monotonic()
        found = (self._row(task, now_s) for task in asyncio.all_tasks(self._loop))
        return tuple(sorted((row for row in found if row is not None), key=lambda row: -row.age_s))

    def _row(self, task: "asyncio.Task[object]", now_s: float) -> ev.InFlight | None:
        """What a worker of this run handles; of the run's own task only what it does besides scanning."""
        chain = list(places(task.get_coro()))
        words = words_of(chain)
        path, key, began_s = b"", "", self._began_s
        sending = next((at.variables for at in chain if at.code is Pipeline._send.__code__), None)
        if sending is not None and sending["self"].emit is self._emit:
            upload, began_s = sending["upload"], sending.get("started", now_s)
            path, key = upload.source.path, upload.key
        elif task is not self._main or not words:
            return None
        attempts = (at.variables["attempt"] for at in chain if at.code in _ATTEMPTS)
        connection = next((at.variables["self"] for at in chain if at.code is Connection.exchange.__code__), None)
        return ev.InFlight(
            path=path,
            key=key,
            what=": ".join(words) or f"in {chain[-1].code.co_name}",
            attempt=next(attempts, 1),
            connection=connection.ends if connection is not None else None,
            age_s=now_s - began_s,
        )
