"""Threads that read files, and are abandoned when they hang.

A read from a dead network mount never returns, and nothing can end it from outside. So each job has a deadline: then
its caller gets an error, the thread is left behind, and a new one takes its place, up to a bound. All threads are
daemons, so a hanging one does not keep the program from ending; the interpreter waits for those of
`concurrent.futures`. There is no timer per job: one sweep checks all of them, eight times within the deadline.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from io import IOBase
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, ParamSpec, TypeVar

from bulkput.errors import SourceError, SourceGone

P = ParamSpec("P")
T = TypeVar("T")
STDIN = b"-"
"""The source that is standard input."""
_SWEEPS = 8
"""Sweeps within the deadline: a job may outlive its deadline by an eighth of it."""


class _Job(NamedTuple):
    path: bytes
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    outcome: "Future[Any]"


class _Reader:
    """A thread: its present job, when that began, and whether the thread was abandoned."""

    __slots__ = ("began_s", "is_given_up", "job")

    def __init__(self) -> None:
        self.job: _Job | None = None
        self.began_s = 0.0
        self.is_given_up = False


class Readers:
    """Up to `count` threads, started when needed. For use from an event loop. `close` ends those that do not hang."""

    def __init__(self, count: int, *, patience_s: float | None, most_stuck: int) -> None:
        """A job that takes longer than `patience_s` is abandoned (None: never); at most `most_stuck` threads may hang
        at once."""
        self._count = count
        self._patience_s = patience_s
        self._most_stuck = most_stuck
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._readers: set[_Reader] = set()
        self._stuck = 0
        self._lock = threading.Lock()
        """Guards the decision whether a job returned or was abandoned: it is one of the two."""
        self._sweeper: asyncio.TimerHandle | None = None

    def run(self, path: bytes, function: Callable[..., T], *arguments: Any) -> "asyncio.Future[T]":
        """`submit` as an awaitable."""
        return asyncio.wrap_future(self.submit(path, function, *arguments))

    def submit(self, path: bytes, function: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Call `function(*arguments)` in a thread, on behalf of the file `path`.

        Besides what the function raises, the future fails with SourceError if the call takes too long, and with
        SourceGone if too many calls hang or no thread is left because of them.
        """
        self._watch()
        outcome: Future[T] = Future()
        self._jobs.put(_Job(path, function, arguments, outcome))
        self._replenish()
        return outcome

    def close(self) -> None:
        """End the threads when the queue is empty: a queued job may be the closing of a file."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for _ in self._readers:
            self._jobs.put(None)

    def _replenish(self) -> None:
        """Start one more thread if there are too few. If too many hang, none is left, and every job fails at once."""
        if len(self._readers) < self._count and self._stuck < self._most_stuck:
            reader = _Reader()
            self._readers.add(reader)
            threading.Thread(target=self._work, args=(reader,), name="bulkput-read", daemon=True).start()
        if not self._readers:
            self._refuse_all()

    def _work(self, me: _Reader) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.outcome.set_running_or_notify_cancel():
                continue
            me.began_s = time.monotonic()
            me.job = job
            result, error = None, None
            try:
                result = job.function(*job.arguments)
            except BaseException as raised:  # noqa: BLE001 - the future's owner gets whatever it is
                error = raised
            with self._lock:
                me.job = None
                if me.is_given_up:
                    self._stuck -= 1
            if me.is_given_up:
                if isinstance(result, IOBase):  # an abandoned `open` succeeded late: nobody else closes the file
                    result.close()
                return
            if error is not None:
                job.outcome.set_exception(error)
            else:
                job.outcome.set_result(result)
            del job, result, error  # a waiting thread must not keep the last file's bytes alive

    def _watch(self) -> None:
        if self._sweeper is None and (patience_s := self._patience_s) is not None:
            self._sweeper = asyncio.get_running_loop().call_later(patience_s / _SWEEPS, self._sweep, patience_s)

    def _sweep(self, patience_s: float) -> None:
        late_s = time.monotonic() - patience_s
        for reader in tuple(self._readers):
            if reader.job is not None and reader.began_s < late_s:
                self._give_up(reader, late_s)
        self._sweeper = None
        self._watch()

    def _give_up(self, reader: _Reader, late_s: float) -> None:
        with self._lock:
            job = reader.job
            if job is None or reader.began_s >= late_s:  # the job returned just now
                return
            reader.is_given_up = True
            self._stuck += 1
            stuck = self._stuck
        self._readers.remove(reader)
        detail = f"the file system gave nothing for {self._patience_s:g} s"
        if stuck >= self._most_stuck:
            reads = f", to {stuck} reads at once" if stuck > 1 else ""
            job.outcome.set_exception(SourceGone(job.path, "unreadable", f"{detail}{reads}: it hangs"))
        else:
            job.outcome.set_exception(SourceError(job.path, "unreadable", detail))
        self._replenish()

    def _refuse_all(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return
            if job is not None and job.outcome.set_running_or_notify_cancel():
                job.outcome.set_exception(
                    SourceGone(job.path, "unreadable", "too many reads hang: none is left to read it")
                )


class OneFile(Executor):
    """The reader threads as the executor of one file, such as aiofiles wants.

    A call that comes while an earlier one still runs is left to the thread of the earlier one, and returns None at
    once. That is the closing of a file whose read hangs, since there is at most one read under way. Closing it at once
    would free the descriptor, and the read would go on in the next file that gets the same number.
    """

    def __init__(self, path: bytes, readers: Readers) -> None:
        self._path = path
        self._readers = readers
        self._lock = threading.Lock()
        self._is_running = False
        self._left: Callable[[], Any] | None = None
        self.take: Callable[[bytes], None] | None = None
        """Gets what a call has read, in its thread."""
        self.last: Future[Any] | None = None
        """The last call. A caller that is cancelled does not end it once it runs."""

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> "Future[T]":
        call = self._readers.submit(self._path, self._run, partial(function, *arguments, **named))
        self.last = call
        return call

    def _run(self, function: Callable[[], Any]) -> Any:
        with self._lock:
            if self._is_running:
                self._left = function
                return None
            self._is_running = True
        try:
            result = function()
            if self.take is not None and isinstance(result, bytes):
                self.take(result)
            return result
        finally:
            with self._lock:
                self._is_running = False
                left, self._left = self._left, None
            if left is not None:
                left()
