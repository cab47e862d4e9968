"""Does the same for each of many containers, some at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

P = TypeVar("P")
T = TypeVar("T")
_AT_ONCE = 16
"""Containers that are made, looked at or first listed at once: beside what else the run does, and all of 64 in four
round trips."""


async def each(call: Callable[[P], Awaitable[T]], items: Iterable[P]) -> list[T]:
    """The results of `call` for all items, in their order. The first error cancels the other calls, and is raised when
    they have ended."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(item: P) -> T:
        async with room:
            return await call(item)

    try:
        async with asyncio.TaskGroup() as tasks:
            made = [tasks.create_task(one(item)) for item in items]
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return [task.result() for task in made]
