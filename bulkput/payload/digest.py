"""Bodies that count or hash what passes through them while it is sent."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol, runtime_checkable

from bulkput.model import Body


class CountingBody:
    """A Body that counts in `sent_bytes` what passes through `chunks()`."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.sent_bytes = 0
        self.size, self.length_hint = body.size, body.length_hint
        self.data, self.md5 = body.data, body.md5

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        self.sent_bytes = 0
        async with aclosing(self._body.chunks()) as chunks:
            async for chunk in chunks:
                self.sent_bytes += len(chunk)
                yield chunk


_EMPTY = hashlib.md5(usedforsecurity=False)


@runtime_checkable
class ReadAndHashed(Protocol):
    """A body that gives its pieces to a function, too, in the thread that reads them (`body.py:StreamedFile`)."""

    def chunks_into(self, take: Callable[[bytes], None]) -> AsyncGenerator[bytes, None]: ...


@runtime_checkable
class PaidFor(Protocol):
    """A body whose pieces are paid for when they are sent (`stores/pace.py:PacedBody`)."""

    @property
    def unpaid(self) -> Body:
        """The same bytes, for one who reads them and sends none."""
        ...


async def read_into(body: Body, take: Callable[[bytes], None]) -> None:
    """Read the body to its end; `take` gets each piece, in a thread: a file's in the thread that has read it. Nothing
    is paid for, since nothing is sent. Raises the body's SourceError."""
    if isinstance(body, PaidFor):
        body = body.unpaid
    if isinstance(body, ReadAndHashed):
        async with aclosing(body.chunks_into(take)) as pieces:
            async for _ in pieces:
                pass
        return
    loop = asyncio.get_running_loop()
    async with aclosing(body.chunks()) as pieces:
        async for piece in pieces:
            await loop.run_in_executor(None, take, piece)


class DigestingBody:
    """A Body that hashes what passes through `chunks()`; `sent_bytes` counts it.

    A piece of a file is hashed by the thread that has read it. Any other piece is hashed by a thread while the event
    loop sends it (hashlib releases the interpreter lock). So hashing and sending overlap and the loop is never held. At
    most one piece is hashed at a time.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._md5 = _EMPTY
        self._hashing: asyncio.Future[None] | None = None
        self.data = body.data
        self.md5 = body.md5
        """The inner body's MD5, if that is known before sending."""
        self.size = size = body.size
        self.length_hint = body.length_hint
        self.sent_bytes = size or 0

    async def sent_md5(self) -> str:
        """MD5 in hex of what `chunks()` has yielded, or of the whole body if that is known.

        The answer may arrive before the transport asks for the piece after the last one, so this waits for the hashing.
        """
        if self.md5 is not None:
            return self.md5
        if self._hashing is not None:
            await asyncio.shield(self._hashing)
        return self._md5.hexdigest()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hashing = None
        self.sent_bytes = 0
        is_hashed = self.md5 is not None
        if not is_hashed and isinstance(self._body, ReadAndHashed):
            source, is_hashed = self._body.chunks_into(self._md5.update), True
        else:
            source = self._body.chunks()
        async with aclosing(source) as chunks:
            async for chunk in chunks:
                if is_hashed:
                    self.sent_bytes += len(chunk)
                    yield chunk
                    continue
                if self._hashing is not None:
                    await asyncio.shield(self._hashing)  # a cancelled sender must not cancel it: `sent_md5` awaits it
                self._hashing = loop.run_in_executor(None, self._md5.update, chunk)
                self.sent_bytes += len(chunk)
                yield chunk
