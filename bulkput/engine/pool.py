"""A bounded queue and the workers that empty it: the only place where a run's tasks are born, and where they end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def pool(
    handle: Callable[[T], Awaitable[None]], *, workers: int, backlog: int
) -> AsyncIterator[Callable[[T], Awaitable[None]]]:
    """Yields `submit`, which waits while `backlog` items are queued (back-pressure).

    Leaving the block waits until every submitted item has been handled. When the block or `handle` raises, or the
    caller is cancelled, all workers are cancelled and awaited before the error goes on.
    """
    queue: asyncio.Queue[T | None] = asyncio.Queue(backlog)

    async def work() -> None:
        while (item := await queue.get()) is not None:
            await handle(item)

    try:
        async with asyncio.TaskGroup() as tasks:
            for number in range(workers):
                tasks.create_task(work(), name=f"bulkput-worker-{number}")
            yield queue.put
            for _ in range(workers):
                await queue.put(None)
    except BaseExceptionGroup as group:
        # The first error is what went wrong; the workers that it cancelled have nothing to add.
        raise group.exceptions[0] from None
