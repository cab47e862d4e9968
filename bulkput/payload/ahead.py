"""Read-ahead: a thread reads the next piece of a file while the present piece is sent."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bulkput.activity import doing
from bulkput.payload.readers import OneFile

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncFileIO

T = TypeVar("T")
CLOSE_S = 1.0
"""Seconds to wait until a file is closed; then its thread finishes alone. A finished request must not wait for a disk
that hangs."""


class Started(Generic[T]):
    """A call of aiofiles that is with its executor already. Await it for its result, once.

    A task would hand it over a turn of the event loop later, when a piece has been sent, and `asyncio.run` cancels the
    tasks that are left at its end: then a file would stay open.
    """

    def __init__(self, call: Coroutine[Any, Any, T]) -> None:
        self._call = call
        self.future: asyncio.Future[Any] = call.send(None)
        """What the call awaits: the future of its executor."""

    def __await__(self) -> Generator[Any, None, T]:
        if not self.future.done():  # a turn of the event loop here would let a cancellation drop the result
            yield self.future
        return (yield from self._call.__await__())


class ReadAhead:
    """An open file with at most one read under way, in a thread."""

    def __init__(self, file: "AsyncFileIO", executor: OneFile) -> None:
        """`executor` is the file's own."""
        self.fileno = file.fileno
        self._file = file
        self._executor = executor
        self._reading: Started[bytes] | None = None

    def give_to(self, take: Callable[[bytes], None] | None) -> None:
        """From now on, call `take` with each piece, in the thread that has read it."""
        self._executor.take = take

    def begin(self, size: int) -> None:
        """Start to read up to `size` bytes."""
        self._reading = Started(self._file.read(size))

    async def begun(self) -> bytes:
        """The bytes that `begin` asked for; fewer or none at the end of the file."""
        if self._reading is None:
            raise AssertionError("nothing has been begun")
        with doing("reading"):
            return await self._reading

    async def seek(self, offset: int) -> None:
        """The next `begin` reads from `offset` on."""
        with doing("reading"):
            await self._file.seek(offset)

    async def range(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset` on."""
        await self.seek(offset)
        with doing("reading"):
            return await self._file.read(size)

    async def close(self) -> None:
        """Wait up to CLOSE_S for a read under way, also for one whose caller was cancelled, and as long for the close.

        If this is cancelled, the file is closed all the same.
        """
        if self._reading is not None:
            self._reading.future.add_done_callback(_forget)
        try:
            if (last := self._executor.last) is not None and not last.done():
                await in_time(asyncio.wrap_future(last))
        finally:
            await in_time(Started(self._file.close()).future)


async def in_time(ending: "asyncio.Future[Any]") -> None:
    """Wait up to CLOSE_S, then let it end alone. Its error is ignored: everything that was needed has been read."""
    ending.add_done_callback(_forget)
    await asyncio.wait((ending,), timeout=CLOSE_S)


def _forget(ended: "asyncio.Future[Any]") -> None:
    """Mark its error as seen."""
    if not ended.cancelled():
        ended.exception()
