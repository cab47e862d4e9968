"""What a suspended coroutine waits for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from bulkput.activity import doing, places, words_of


@doing("reading a piece")
async def inner(future: "asyncio.Future[None]") -> None:
    await future


@doing(lambda at: f"sending {at['count']} pieces")
async def outer(future: "asyncio.Future[None]", count: int) -> None:
    async for _ in pieces(future):
        count -= 1


async def plain(future: "asyncio.Future[None]") -> None:
    await outer(future, 3)


async def pieces(future: "asyncio.Future[None]") -> AsyncGenerator[int, None]:
    yield 1
    await inner(future)


async def suspended(future: "asyncio.Future[None]") -> "asyncio.Task[None]":
    task = asyncio.create_task(plain(future))
    await asyncio.sleep(0)
    return task


async def test_words_are_told_from_the_outside_in() -> None:
    """Through functions that have none, and through generators; made of variables as they are now."""
    task = await suspended(asyncio.get_running_loop().create_future())
    chain = list(places(task.get_coro()))
    assert [place.code.co_name for place in chain] == ["plain", "outer", "pieces", "inner"]
    assert words_of(chain) == ["sending 2 pieces", "reading a piece"]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_has_ended_waits_for_nothing() -> None:
    """A task may end between the look at the list of them and the look at it."""
    future = asyncio.get_running_loop().create_future()
    task = await suspended(future)
    future.set_result(None)
    await task
    assert list(places(task.get_coro())) == []


def test_a_function_stays_what_it_is() -> None:
    """Noting the words costs a call nothing: there is no wrapper."""

    async def function() -> None: ...

    assert doing("nothing")(function) is function
