"""Reports what a run waits for, if nothing has moved for a while.

A thread checks the recorder's counters every few seconds, so it works even if the event loop itself hangs. It reads
what is in flight from the notes of the run's tasks (`activity.py`). The watchdog ends nothing: everything that a run
waits for has a deadline of its own, except the scan, or depends on something that has one (seconds below are defaults).

| what is awaited | its end |
|---|---|
| the check of a source | `sources/check.py`: 120 s (`BodyOptions.read_timeout_s`), or the first Ctrl-C |
| the scan | none: a directory may take long. Stalled names it; the first Ctrl-C ends it; its thread is a daemon |
| opening, reading, closing a file | `payload/readers.py`: 120 s each; 16 that hang stop the run |
| reading a small file on the loop | only on file systems of this machine (`sources/mounts.py`), which answer or fail |
| a host name, a connection, TLS | `transport/wire.py`: 15 s each (`connect_timeout_s`) |
| a request | 90 s (`timeout_s`) and its size at 64 KiB/s (`min_rate`), by a sweep over all connections |
| a server that takes nothing of a body | 90 s without progress |
| 100 Continue | 2 s, then the body is sent without it |
| a pause before a retry | 30 s, or the store's Retry-After up to 120 s; a stopped run ends it |
| a rate that the user asked for | the rate itself: no stall, no part of a request's deadline; a stopped run ends it |
| a login, a container made again | requests like the others; workers that wait for one login share its outcome |
| a slot, room in the queue | the worker that holds it waits for one of the above |
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerError
from contextlib import suppress

from bulkput import events as ev
from bulkput.activity import Activity, noted_in
from bulkput.model import Upload
from bulkput.policy.stall import StallBegan, StallEnded, StallTimer
from bulkput.recorder import Recorder

_EVERY_S = 5.0
_ANSWER_S = 2.0
"""If the event loop does not run a callback for this long, it hangs."""
_FRAMES = 6
"""Innermost stack frames of a hanging event loop that Stalled shows."""
_NO_STEP = "waiting for its turn"
"""The text for a worker that has noted no step: it waits for a slot or for its turn on the event loop. In a fast run
nearly every object waits for a slot, and noting that would cost each of them 0.2 us."""


class Watchdog:
    """Watches the run within its `with` block. Enter the block in the run's own task."""

    def __init__(
        self,
        recorder: Recorder,
        emit: ev.Emit,
        *,
        stall_s: float,
        scanned: Callable[[], bytes | None],
        in_flight: set[Activity],
        elsewhere: Callable[[], tuple[ev.InFlight, ...]] = tuple,
        is_paced: Callable[[], bool] = lambda: False,
    ) -> None:
        """`scanned` returns the path that the scan is reading; `in_flight` holds what each worker does,
        and `elsewhere` returns what other processes do. `is_paced`
        returns whether a request waits for the rate that was asked for. `emit` is called in the event loop's thread,
        unless that hangs."""
        self._recorder = recorder
        self._emit = emit
        self._scanned = scanned
        self._in_flight = in_flight
        self._elsewhere = elsewhere
        self._is_paced = is_paced
        self._every_s = min(_EVERY_S, stall_s / 4)
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._ended = threading.Event()
        self._stall_timer = StallTimer(stall_s, time.monotonic(), self._counters())
        self._own = noted_in(Activity(), in_flight)
        """Notes what the run's own task does."""

    def __enter__(self) -> None:
        threading.Thread(target=self._watch, name="bulkput-watchdog", daemon=True).start()
        self._own.__enter__()
        self._recorder.look = self._rows  # for views, as long as the run sends

    def __exit__(self, *error: object) -> None:
        """Emit nothing more. The thread is not joined: its `emit` may be blocked on an output that nobody reads."""
        self._ended.set()
        self._recorder.look = tuple  # nothing is in flight any more
        self._own.__exit__(None, None, None)

    def _watch(self) -> None:
        while not self._ended.wait(self._every_s):
            found = self._stall_timer.look(time.monotonic(), self._counters(), is_paced=self._is_paced())
            if found is not None:
                self._tell(found)

    def _counters(self) -> tuple[int, ...]:
        recorder = self._recorder
        # The scan's path counts as progress: files that a journal knows reach the recorder only in batches.
        scanned = hash(self._scanned())
        return recorder.found, recorder.done, recorder.retries, recorder.bytes_moved, scanned

    def _tell(self, found: StallBegan | StallEnded) -> None:
        """Emit the event in the event loop's thread; from this thread if the event loop hangs."""
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

    def _event(self, found: StallBegan | StallEnded, loop_at: tuple[str, ...] = ()) -> ev.Stalled | ev.Moving:
        if isinstance(found, StallEnded):
            return ev.Moving(found.idle_s)
        scanning = None if self._recorder.is_scan_done else self._scanned()
        return ev.Stalled(found.idle_s, self._rows(), scanning, loop_at)

    def _loop_at(self) -> tuple[str, ...]:
        """The innermost stack frames of the event loop's thread, innermost last, with file names but no directories."""
        frame = sys._current_frames().get(self._loop_thread)  # there is no other way to another thread's stack
        stack = traceback.extract_stack(frame)[-_FRAMES:] if frame is not None else []
        return tuple(f"{os.path.basename(at.filename)}:{at.lineno} {at.name}" for at in stack)

    def _rows(self) -> tuple[ev.InFlight, ...]:
        now_s = time.monotonic()
        return oldest_first((*in_flight_of(self._in_flight, now_s), *self._elsewhere()))


def in_flight_of(activities: Iterable[Activity], now_s: float) -> Iterator[ev.InFlight]:
    """What is in hand, as rows of Stalled. Any thread may ask."""
    for activity in tuple(activities):
        if (row := _row(activity, now_s)) is not None:
            yield row


def oldest_first(rows: Iterable[ev.InFlight]) -> tuple[ev.InFlight, ...]:
    return tuple(sorted(rows, key=lambda row: -row.age_s))


def _row(activity: Activity, now_s: float) -> ev.InFlight | None:
    """The activity as a row of Stalled. None for an idle worker, and for the run's own task while it scans."""
    upload, described = activity.in_hand, activity.describe()
    if upload is None and not described.words:
        return None
    return ev.InFlight(
        path=upload.source.path if isinstance(upload, Upload) else b"",
        key=upload.key if isinstance(upload, Upload) else "",
        what=": ".join(described.words) or _NO_STEP,
        attempt=described.attempt,
        connection=described.connection,
        age_s=now_s - activity.began_s,
    )
