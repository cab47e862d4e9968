"""Where an object's bytes are, and how to read them a piece at a time."""

import asyncio
import os
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import BinaryIO, cast

PIECE = 1 << 20
"""Bytes per trip to a thread: at 1 MiB the trip costs a few per cent of the copy."""


def open_no_link(path: str, flags: int) -> int:
    """For `open`: as it does by itself, but not through a link (OSError)."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _open(path: str) -> BinaryIO:
    return cast(BinaryIO, open(path, "rb", opener=open_no_link))


@dataclass(frozen=True, slots=True)
class MemoryContent:
    """The pieces as they came from the socket: joining a large body would stop the loop for as long as it takes."""

    pieces: tuple[bytes, ...] = field(repr=False)

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to before `stop`."""
        offset = 0
        for piece in self.pieces:
            low, high = max(start - offset, 0), stop - offset
            if low < len(piece) and high > low:
                yield piece[low:high]
            offset += len(piece)
            if offset >= stop:
                return


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file, read by the shelf's own threads."""

    path: str
    threads: Executor = field(repr=False, compare=False)

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to before `stop`. A file replaced meanwhile is read to its end all the same."""
        loop = asyncio.get_running_loop()
        file = await loop.run_in_executor(self.threads, _open, self.path)
        try:
            await loop.run_in_executor(self.threads, file.seek, start)
            while start < stop:
                piece = await loop.run_in_executor(self.threads, file.read, min(PIECE, stop - start))
                if not piece:
                    raise OSError(f"{self.path} is shorter than recorded")
                start += len(piece)
                yield piece
        finally:
            await loop.run_in_executor(self.threads, file.close)


Content = MemoryContent | FileContent
