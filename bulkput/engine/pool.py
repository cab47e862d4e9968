"""A bounded queue and its workers. All worker tasks of a run are created here, and end here."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Generic, TypeVar

from bulkput.activity import Activity, noted_in

T = TypeVar("T")


class Pool(Generic[T]):
    """Queues items for its workers. `pool` makes it; use it within that block.

    An asyncio.Queue wakes the producer for each item that a worker takes, which costs a turn of the event loop per
    object. This queue wakes it only when half of the backlog is gone.
    """

    def __init__(
        self,
        handle: Callable[[T], Awaitable[None]],
        tasks: asyncio.TaskGroup,
        backlog: int,
        items: deque[T],
        in_flight: set[Activity] | None,
    ) -> None:
        self._handle = handle
        self._in_flight = in_flight
        self._tasks = tasks
        self._backlog = max(1, backlog)
        self._items = items
        self._hungry: deque[asyncio.Future[None]] = deque()
        """Idle workers, waiting for an item."""
        self._full: deque[asyncio.Future[None]] = deque()
        """Producers waiting for room."""
        self._born = 0
        self._alive = 0
        self._wanted = 0
        self._is_ended = False

    async def submit(self, item: T) -> None:
        """Queue an item, then wait until at most `backlog` items are queued (back-pressure)."""
        self.add(item)  # before the wait: if the wait is cancelled, `abandoned` still gets the item
        while len(self._items) > self._backlog:
            await self._turn(self._full)

    def add(self, item: T) -> None:
        """Queue an item without a wait: for producers that are held back otherwise."""
        self._items.append(item)
        if not _wake(self._hungry, 1):
            self._start(1)

    def resize(self, workers: int) -> None:
        """Set the highest number of workers. They start when items wait for them: one file needs one worker. Surplus
        workers end, those that handle an item after it."""
        self._wanted = workers
        self._start(len(self._items))
        _wake(self._hungry, self._alive - workers)

    def _start(self, most: int) -> None:
        if self._is_ended:
            return
        for _ in range(min(most, self._wanted - self._alive)):
            self._alive += 1
            self._born += 1
            self._tasks.create_task(self._work(), name=f"bulkput-worker-{self._born}")

    def end(self) -> None:
        """Announce that no items follow: no worker starts any more, and each ends when the queue is empty."""
        self._is_ended = True
        _wake(self._hungry, len(self._hungry))

    async def _work(self) -> None:
        mine = Activity()
        with noted_in(mine, self._in_flight) if self._in_flight is not None else nullcontext():
            # The loop stands in the task's outermost coroutine: each resumption passes through every coroutine above.
            while self._items or not self._is_ended:
                if self._alive > self._wanted and not self._is_ended:
                    self._alive -= 1
                    # This worker may have been woken for an item that it now leaves: another worker has to take it.
                    _wake(self._hungry, 1)
                    return
                if not self._items:
                    mine.in_hand = None
                    await self._turn(self._hungry)
                    continue
                item = self._items.popleft()
                if self._full and len(self._items) <= (self._backlog + 1) // 2:
                    _wake(self._full, len(self._full))
                mine.began_s = time.monotonic()
                mine.in_hand = item
                try:
                    await self._handle(item)
                except BaseException as error:
                    self._is_ended = True  # the other workers are cancelled, and none can start
                    if isinstance(error, asyncio.CancelledError) and not is_cancelled():
                        # Otherwise the task group would take it for the end of this worker alone.
                        raise RuntimeError(f"handling {item!r} was cancelled from within") from error
                    raise

    async def _turn(self, waiting: deque[asyncio.Future[None]]) -> None:
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        await turn


def is_cancelled() -> bool:
    """Whether the running task itself was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _wake(waiting: deque[asyncio.Future[None]], count: int) -> bool:
    """Whether `count` were waiting, and are woken now."""
    while waiting and count > 0:
        turn = waiting.popleft()
        if not turn.done():  # a cancelled waiter would waste the wake-up
            turn.set_result(None)
            count -= 1
    return count <= 0


def _forget(_item: object) -> None:
    """Discards an unhandled item, if the caller gave no `abandoned`."""


@asynccontextmanager
async def pool(
    handle: Callable[[T], Awaitable[None]],
    *,
    workers: int,
    backlog: int,
    abandoned: Callable[[T], None] = _forget,
    in_flight: set[Activity] | None = None,
) -> AsyncIterator[Pool[T]]:
    """Run `workers` tasks that call `handle` with each submitted item. Leaving the block waits for all of them.

    If the block or `handle` raises, or the caller is cancelled, all workers are cancelled and awaited before the first
    error propagates. Then `abandoned` is called with each item that was submitted but never passed to `handle`.

    If `in_flight` is given, it holds an activity for each live worker. Otherwise workers note what they do in the
    caller's activity.
    """
    items: deque[T] = deque()
    try:
        async with asyncio.TaskGroup() as tasks:
            made = Pool(handle, tasks, backlog, items, in_flight)
            made.resize(workers)
            try:
                yield made
            finally:
                made.end()
    except BaseExceptionGroup as group:
        # The first error is the cause. The workers that it cancelled have nothing to add.
        raise group.exceptions[0] from None
    finally:
        while items:
            abandoned(items.popleft())
