"""MD5s of consecutive pieces of a body, in one reading."""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import aclosing

from bulkput.model import Body


async def md5_of_pieces(body: Body, sizes: Sequence[int]) -> tuple[str, ...]:
    """One MD5 in hex for each of `sizes` (bytes). If the body ends early, the last ones cover the bytes that exist.

    A thread hashes each chunk. Raises the body's SourceError, also if the file changed while it was read.
    """
    loop = asyncio.get_running_loop()
    pieces = Pieces(sizes)
    async with aclosing(body.chunks()) as chunks:
        async for chunk in chunks:
            await loop.run_in_executor(None, pieces.update, chunk)
    return pieces.digests()


class Pieces:
    """The MD5s of pieces of these sizes, of bytes that come in chunks of any size."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sums = [hashlib.md5(usedforsecurity=False) for _ in sizes]
        self._sizes = sizes
        self._at = 0
        self._taken = 0
        """Bytes of piece number `_at` hashed so far."""

    def update(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view and self._at < len(self._sizes):
            part = view[: self._sizes[self._at] - self._taken]
            self._sums[self._at].update(part)
            self._taken += len(part)
            view = view[len(part) :]
            if self._taken == self._sizes[self._at]:
                self._at, self._taken = self._at + 1, 0

    def digests(self) -> tuple[str, ...]:
        return tuple(md5.hexdigest() for md5 in self._sums)
