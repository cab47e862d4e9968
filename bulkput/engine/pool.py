"""A bounded queue and the workers that empty it: the only place where a run's tasks are born, and where they end."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Generic, TypeVar

from bulkput.activity import Activity, noted_in

T = TypeVar("T")


class Pool(Generic[T]):
    """Made by `pool`, and used within its block.

    Not an asyncio.Queue: with that one who submits is woken for each item that is taken, which costs a turn of the
    event loop per object; here only when half of the backlog is gone.
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
        """Workers that wait for an item."""
        self._full: deque[asyncio.Future[None]] = deque()
        """Producers that wait for room."""
        self._born = 0
        self._alive = 0
        self._wanted = 0
        self._is_ended = False

    async def submit(self, item: T) -> None:
        """Queue an item; returns when no more than `backlog` are queued (back-pressure)."""
        self._items.append(item)  # before the wait: if that is cancelled, the item is still accounted for
        _wake(self._hungry, 1)
        while len(self._items) > self._backlog:
            await self._turn(self._full)

    def resize(self, workers: int) -> None:
        """Have so many workers: new ones at once; those too many end when they have handled their item."""
        self._wanted = workers
        while self._alive < workers and not self._is_ended:
            self._alive += 1
            self._born += 1
            self._tasks.create_task(self._work(), name=f"bulkput-worker-{self._born}")

    def end(self) -> None:
        """No more items and no new workers: those there are end when the queue is empty."""
        self._is_ended = True
        _wake(self._hungry, len(self._hungry))

    async def _work(self) -> None:
        mine = Activity()
        with noted_in(mine, self._in_flight) if self._in_flight is not None else nullcontext():
            # Here, and not in a coroutine below: each time a worker goes on, it passes all that are above.
            while self._items or not self._is_ended:
                if not self._items:
                    mine.in_hand = None
                    await self._turn(self._hungry)
                    continue
                item = self._items.popleft()
                if self._full and len(self._items) <= (self._backlog + 1) // 2:
                    _wake(self._full, len(self._full))
                mine.began_s = time.monotonic()
                mine.in_hand = item
                await self._handle(item)
                if self._alive > self._wanted and not self._is_ended:
                    self._alive -= 1
                    _wake(self._hungry, 1)  # this worker may have been woken for an item that it leaves
                    return

    async def _turn(self, waiting: deque[asyncio.Future[None]]) -> None:
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        await turn


def _wake(waiting: deque[asyncio.Future[None]], count: int) -> None:
    while waiting and count:
        turn = waiting.popleft()
        if not turn.done():  # not cancelled meanwhile
            turn.set_result(None)
            count -= 1


def _forget(_item: object) -> None:
    """Nobody asks for what was not handled."""


@asynccontextmanager
async def pool(
    handle: Callable[[T], Awaitable[None]],
    *,
    workers: int,
    backlog: int,
    abandoned: Callable[[T], None] = _forget,
    in_flight: set[Activity] | None = None,
) -> AsyncIterator[Pool[T]]:
    """Leaving the block waits until every submitted item has been handled. When the block or `handle` raises, or the
    caller is cancelled, all workers are cancelled and awaited before the error goes on; `abandoned` is then told each
    item that was submitted and never handed to `handle`.

    `in_flight` holds an activity for each worker there is. Without it, workers note what they do in that of the caller.
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
        # The first error is what went wrong; the workers that it cancelled have nothing to add.
        raise group.exceptions[0] from None
    finally:
        while items:
            abandoned(items.popleft())
