"""The events of a verb as an async iterator: `async with bulkput.stream(bulkput.upload, ...) as run: async for ...`."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

from bulkput import events as ev

P = ParamSpec("P")
R = TypeVar("R")

_MOST_WAITING = 1_000
"""Waiting events at which the verb stops taking files or objects. More may follow: files that are queued or in flight
emit a few events each, and each request of a bulk-delete in flight up to a thousand."""


class EventStream(Generic[R]):
    """The events of one verb; `stream` makes it. Iterate once, within the `async with` block, then read `result`.

    Memory is bounded: if the consumer falls behind, the verb pauses. No event is lost, with one exception: a Streaming
    event (the progress of one large file) that still waits is replaced by the next one of the same file.

    Leaving the block before the last event cancels the verb and waits until it has ended. For an orderly end, pass a
    `Stop` to the verb, pull it, and iterate to the end.
    """

    def __init__(self, begin: Callable[[ev.Emit], Coroutine[Any, Any, R]]) -> None:
        self._begin = begin
        self._task: asyncio.Task[R] | None = None
        self._waiting: deque[ev.Event] = deque()
        self._streaming: dict[bytes, ev.Streaming] = {}
        """Path -> newest waiting Streaming event. `_waiting` holds the first one, to keep its place in the order."""
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._thread = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._begin(self), name="bulkput-stream")
        self._task.add_done_callback(lambda _task: self._arrived.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (task := self._task) is None:
            return
        if not task.done():
            task.cancel()
        self._taken.set()  # the verb may wait in `room`
        await asyncio.wait((task,))
        if not task.cancelled() and kind is not None:
            # The block's own error propagates. Reading the task's error keeps asyncio from logging it as not retrieved.
            task.exception()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ev.Event:
        """The next event. After the last one, raises the verb's own error if it raised one."""
        if self._task is None:
            raise RuntimeError("iterate over the events within `async with`")
        while not self._waiting:
            if self._task.done():
                _ = self.result
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        event = self._waiting.popleft()
        if len(self._waiting) < _MOST_WAITING:
            self._taken.set()
        if isinstance(event, ev.Streaming):
            return self._streaming.pop(event.path)
        return event

    @property
    def result(self) -> R:
        """The verb's return value. Raises the verb's error if it raised one.

        Raises RuntimeError if there is none: before the verb has ended, and after it was cancelled.
        """
        if self._task is None or not self._task.done():
            raise RuntimeError("there is no result before the events have ended")
        # Not `self._task.result()`: its CancelledError would look as if the reader of the result were cancelled.
        if self._task.cancelled():
            raise RuntimeError(
                "there is no result: the verb was cancelled, because the block was left before its last event"
                " (to end it in order, give the verb a Stop, interrupt that, and iterate to the end)"
            )
        return self._task.result()

    def __call__(self, event: ev.Event) -> None:
        """Queue an event of the verb. May be called from any thread."""
        if isinstance(event, ev.Streaming):
            is_waiting = event.path in self._streaming
            self._streaming[event.path] = event
            if is_waiting:
                return
        self._waiting.append(event)
        if threading.get_ident() == self._thread:
            self._arrived.set()
        elif self._loop is not None:  # Stalled, from the watchdog's thread
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def room(self) -> None:
        """Wait until fewer than `_MOST_WAITING` events wait for the consumer (`events.py:PacedEmit`)."""
        while len(self._waiting) >= _MOST_WAITING and self._task is not None:
            self._taken.clear()
            await self._taken.wait()


def stream(verb: Callable[P, Coroutine[Any, Any, R]], *arguments: P.args, **options: P.kwargs) -> EventStream[R]:
    """Run `verb(*arguments, **options)` and iterate over its events. Verbs: upload, verify, verify_manifest, copy,
    move and remove.

        async with bulkput.stream(bulkput.upload, "./dist", "swift://artifacts/build-42") as run:
            async for event in run:
                if isinstance(event, bulkput.events.Failed):
                    print(event.path, event.error)
        print(run.result.uploaded)

    The stream passes its own `on_event` to the verb. Raises TypeError if `options` has one.
    """
    if "on_event" in options:
        raise TypeError("stream() gives the events by iteration: leave out on_event")
    # A ParamSpec cannot say that every verb has on_event.
    return EventStream(lambda emit: verb(*arguments, **{**options, "on_event": emit}))  # type: ignore[arg-type]
