"""Reads through aiofiles for a thread without an event loop, such as a scan's."""

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bulkput.payload.readers import OneFile, Readers

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncFileIO


class Blocks:
    """The blocks of an open descriptor, which stays its caller's. Use it with `with`, in any thread without a loop.

    It has an event loop of its own, which runs while a block is awaited, and a daemon thread that reads: one read may
    take for ever. Leaving the block closes both and waits for nothing, so a thread whose event loop runs may do it.
    """

    def __init__(self, path: bytes, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._readers = Readers(1, patience_s=None, most_stuck=1)
        self._executor = OneFile(path, self._readers)
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> Self:
        try:
            self._file = self._loop.run_until_complete(self._open())
        except BaseException:
            self._close()
            raise
        return self

    async def _open(self) -> "AsyncFileIO":
        import aiofiles  # noqa: PLC0415

        return await aiofiles.open(self._descriptor, "rb", buffering=0, closefd=False, executor=self._executor)

    def next(self) -> bytes:
        """Up to `size` bytes; none at the end. Raises OSError."""
        return self._loop.run_until_complete(self._file.read(self._size))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._readers.close()
        self._loop.close()
