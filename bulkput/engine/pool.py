"""A bounded queue and the workers that empty it: the only place where a run's tasks are born, and where they end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Made by `pool`, and used within its block."""

    def __init__(self, handle: Callable[[T], Awaitable[None]], tasks: asyncio.TaskGroup, backlog: int) -> None:
        self._handle = handle
        self._tasks = tasks
        self._queue: asyncio.Queue[T | None] = asyncio.Queue(backlog)
        self._born = 0
        self._alive = 0
        self._wanted = 0
        self.is_ending = False
        """From now on there are no new workers."""

    async def submit(self, item: T) -> None:
        """Waits while `backlog` items are queued (back-pressure)."""
        await self._queue.put(item)

    def resize(self, workers: int) -> None:
        """Have so many workers: new ones at once; those too many end when they have handled their item."""
        self._wanted = workers
        while self._alive < workers and not self.is_ending:
            self._alive += 1
            self._born += 1
            self._tasks.create_task(self._work(), name=f"bulkput-worker-{self._born}")

    async def end(self) -> None:
        """No more items: workers end when the queue is empty."""
        await self._queue.put(None)

    async def _work(self) -> None:
        while (item := await self._queue.get()) is not None:
            await self._handle(item)
            if self._alive > self._wanted and not self.is_ending:
                self._alive -= 1
                return
        self._queue.put_nowait(None)  # for the next worker


@asynccontextmanager
async def pool(handle: Callable[[T], Awaitable[None]], *, workers: int, backlog: int) -> AsyncIterator[Pool[T]]:
    """Leaving the block waits until every submitted item has been handled. When the block or `handle` raises, or the
    caller is cancelled, all workers are cancelled and awaited before the error goes on.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            made = Pool(handle, tasks, backlog)
            made.resize(workers)
            try:
                yield made
            finally:
                made.is_ending = True
            await made.end()
    except BaseExceptionGroup as group:
        # The first error is what went wrong; the workers that it cancelled have nothing to add.
        raise group.exceptions[0] from None
