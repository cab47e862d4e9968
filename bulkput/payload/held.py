"""Cuts a stream into parts that are held in memory: a stream cannot be read twice, and a failed request has to be
repeated.

All streams of a run share one `HeldBytes`. A stream takes room for a part before it fills it, and gives it back when
the part is sent. So it never waits for room while it keeps some that only itself could give back, and nothing can lock.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial


class HeldBytes:
    """Room for parts in memory, first come first served."""

    def __init__(self, most: int) -> None:
        """`most` bytes may be held, or one part if that is larger."""
        self._most = most
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Returns when there is room for `size` bytes."""
        if not self._waiting and self._fits(size):
            self._held += size
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(size)
            else:
                self._wake()  # it may have stood before others that fit
            raise

    def give(self, size: int) -> None:
        self._held -= size
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():  # else it was cancelled
                if not self._fits(size):
                    return
                self._held += size
                turn.set_result(None)
            self._waiting.popleft()

    def _fits(self, size: int) -> bool:
        return self._held == 0 or self._held + size <= self._most


class HeldPart:
    """A part of a stream, whole in memory, as a Body. `is_last`: the stream ends with it. `release` frees it."""

    data = None

    def __init__(self, pieces: list[bytes], md5: str, *, is_last: bool, release: Callable[[], None]) -> None:
        self.size = self.length_hint = sum(map(len, pieces))
        self.md5 = md5
        self.is_last = is_last
        self._pieces = pieces
        self._release = release

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self._pieces:
            yield piece

    def release(self) -> None:
        self._pieces = []
        release, self._release = self._release, _nothing
        release()


def _nothing() -> None:
    """It is released already."""


async def held_parts(
    stream: AsyncGenerator[bytes, None], size_of: Callable[[int], int], room: HeldBytes
) -> AsyncGenerator[HeldPart, None]:
    """The parts of `stream`, which is closed at the end. Part `number` (from 1) has `size_of(number)` bytes; only the
    last may be smaller, and is empty if the stream is. The caller releases each part.

    A part is yielded when the bytes behind it have begun to come, or the stream has ended. Raises what the stream does.
    """
    loop = asyncio.get_running_loop()
    async with aclosing(stream):
        number, rest, is_ended = 1, b"", False
        while not is_ended:
            size = size_of(number)
            await room.take(size)
            pieces, missing, md5 = [], size, hashlib.md5(usedforsecurity=False)
            try:
                while True:
                    chunk, rest = rest or await anext(stream, b""), b""
                    if not chunk:
                        is_ended = True
                        break
                    if not missing:
                        rest = chunk
                        break
                    if len(chunk) > missing:
                        chunk, rest = chunk[:missing], chunk[missing:]
                    await loop.run_in_executor(None, md5.update, chunk)
                    pieces.append(chunk)
                    missing -= len(chunk)
            except BaseException:
                room.give(size)
                raise
            yield HeldPart(pieces, md5.hexdigest(), is_last=is_ended, release=partial(room.give, size))
            number += 1
