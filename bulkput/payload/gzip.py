"""gzip (RFC 1952) made while it is read or sent: one core without I/O, and three interfaces to it.

`Compressor` is the core: bytes in, bytes out. `GzipReader` is a file object, `gzipped` an async iterator for the event
loop, `whole` a function for bytes in memory. All give the same bytes for the same input, level and library:

* The header has no name, no time and no operating system (section 2.3.1).
* The output of isal and zlib-ng depends on how their input is cut, so the core cuts it into blocks of BLOCK_SIZE.
"""

import asyncio
import errno
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from io import BufferedIOBase
from typing import Any, Protocol

from bulkput.payload.deflate import DEFAULT_LEVEL, Buffer, engine_for

BLOCK_SIZE = 256 * 1024
"""Bytes that the library gets at once. From 64 KiB to 4 MiB, speed and ratio differ by no more than the noise."""
_BATCH_SIZE = 2 * BLOCK_SIZE
"""Bytes collected before they go to a thread: about two milliseconds of work, beside which the switch between threads
costs little (`scripts/bench gzip`)."""
_FASTEST, _SMALLEST = 1, 9


class Compressor:
    """One gzip stream: `compress` each chunk, then `finish` once. Not for two threads at a time."""

    def __init__(self, level: int = DEFAULT_LEVEL) -> None:
        """Raises UsageError if `level` is not 1 to 9."""
        engine = engine_for(level)
        self._crc32 = engine.crc32
        self._deflate = engine.start()
        self._header = _header(level)
        self._held = bytearray()
        """Bytes of the next block, which is not full yet."""
        self._crc = 0
        self._is_finished = False
        self.source_size = 0
        """Uncompressed bytes taken so far."""

    @property
    def source_crc32(self) -> int:
        """CRC32 of the uncompressed bytes taken so far."""
        return self._crc

    def compress(self, chunk: Buffer) -> bytes:
        """The next bytes of the stream; may be empty. At most one block is held back."""
        if self._is_finished:
            raise ValueError("this stream is finished")
        rest = memoryview(chunk).cast("B")
        self._crc = self._crc32(rest, self._crc)
        self.source_size += len(rest)
        pieces = []
        if self._held:
            missing = BLOCK_SIZE - len(self._held)
            self._held += rest[:missing]
            rest = rest[missing:]
            if len(self._held) == BLOCK_SIZE:
                pieces.append(self._deflate.compress(self._held))
                self._held = bytearray()
        while len(rest) >= BLOCK_SIZE:
            pieces.append(self._deflate.compress(rest[:BLOCK_SIZE]))
            rest = rest[BLOCK_SIZE:]
        self._held += rest
        return self._after_header(b"".join(pieces))

    def finish(self) -> bytes:
        """The rest of the stream; never empty. It ends in CRC32 and ISIZE, little-endian (section 2.3.1).

        ISIZE is the size modulo 2^32: that of a file of 4 GiB is 0.
        """
        if self._is_finished:
            raise ValueError("this stream is finished")
        self._is_finished = True
        last = self._deflate.compress(self._held) + self._deflate.flush()
        trailer = self._crc.to_bytes(4, "little") + (self.source_size % 2**32).to_bytes(4, "little")
        return self._after_header(last + trailer)

    def _after_header(self, piece: bytes) -> bytes:
        """Put the header before the first bytes: its ten bytes alone would be a packet of their own."""
        if piece and self._header:
            piece, self._header = self._header + piece, b""
        return piece


def _header(level: int) -> bytes:
    """Section 2.3.1: ID1, ID2, CM 8 (deflate), no flags, MTIME 0, XFL 2 (smallest) or 4 (fastest), OS 255 (unknown)."""
    extra_flags = {_FASTEST: 4, _SMALLEST: 2}.get(level, 0)
    return bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, extra_flags, 255))


def whole(data: Buffer, level: int = DEFAULT_LEVEL) -> bytes:
    """`data` as a gzip stream. Raises UsageError if `level` is not 1 to 9."""
    compressor = Compressor(level)
    return compressor.compress(data) + compressor.finish()


class BinaryFile(Protocol):
    """What GzipReader reads from. Reads may be short; an empty one is the end."""

    def read(self, size: int, /) -> bytes | None: ...


class GzipReader(BufferedIOBase):
    """A binary file whose content is the gzip stream of another file. Neither is ever whole in memory or on disk.

        with open("access.log", "rb") as log, bulkput.GzipReader(log) as body:
            requests.put(url, data=body, headers={"Content-Encoding": "gzip"})

    It cannot seek, and its length is unknown before its end: HTTP clients send it chunked, and a second attempt needs a
    new reader and `log.seek(0)`. Closing it leaves the other file open, as gzip.GzipFile does. Iterating gives pieces,
    not lines: a gzip stream has none.
    """

    def __init__(self, fileobj: BinaryFile, *, level: int = DEFAULT_LEVEL, chunk_size: int = BLOCK_SIZE) -> None:
        """Read `fileobj` from its present position, `chunk_size` bytes at a time. The stream does not depend on that.

        Raises UsageError if `level` is not 1 to 9.
        """
        if chunk_size < 1:
            raise ValueError(f"chunk_size is 1 or more, not {chunk_size}")
        self._source = fileobj
        self._chunk_size = chunk_size
        self._compressor = Compressor(level)
        self._ready = memoryview(b"")
        """Compressed bytes that have not been read."""
        self._is_at_end = False

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes, fewer only at the end, none after it. No size or a negative one: everything that is left.

        Never fewer before the end, since boto3 makes each read a part, and S3 refuses parts below 5 MiB.
        """
        self._check_open()
        missing = -1 if size is None or size < 0 else size
        pieces = []
        while missing and self._fill():
            piece = self._take(missing)
            pieces.append(piece)
            if missing > 0:
                missing -= len(piece)
        return b"".join(pieces)

    def read1(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes that are ready; none only at the end."""
        self._check_open()
        return bytes(self._take(size)) if size and self._fill() else b""

    def __next__(self) -> bytes:
        if piece := self.read1():
            return piece
        raise StopIteration

    def close(self) -> None:
        self._ready = memoryview(b"")
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _fill(self) -> bool:
        """Whether bytes are ready; False at the end."""
        while not self._ready and not self._is_at_end:
            chunk = self._source.read(self._chunk_size)
            if chunk is None:
                raise BlockingIOError(errno.EAGAIN, "the file to compress is in non-blocking mode and has nothing yet")
            self._is_at_end = not chunk
            self._ready = memoryview(self._compressor.compress(chunk) if chunk else self._compressor.finish())
        return bool(self._ready)

    def _take(self, size: int) -> memoryview:
        """Up to `size` of the bytes that are ready; all of them if `size` is negative."""
        taken = self._ready if size < 0 else self._ready[:size]
        self._ready = self._ready[len(taken) :]
        return taken


RunInThread = Callable[..., "asyncio.Future[Any]"]
"""`run(function, *arguments)` in a thread, to be awaited; such as `partial(readers.run, path)`."""


async def gzipped(
    chunks: AsyncGenerator[bytes, None],
    *,
    run: RunInThread,
    level: int = DEFAULT_LEVEL,
    finish: Callable[[Compressor], bytes] = Compressor.finish,
) -> AsyncGenerator[bytes, None]:
    """The gzip stream of `chunks`, which are closed at the end. Raises what they raise, and UsageError for `level`.

    `finish` ends the stream, or raises: then a receiver of the chunked body knows that it is not complete.

    While one piece is sent, a thread compresses the next; a StreamedFile reads the one after that meanwhile. In memory
    are at most one chunk being compressed, one that was read, and two compressed pieces. If this is closed or
    cancelled, a thread may finish its chunk, and its result is dropped.
    """
    compressor = Compressor(level)
    pending: asyncio.Future[bytes] | None = None
    try:
        async with aclosing(chunks):
            async for batch in _batches(chunks):
                piece = await pending if pending is not None else b""
                pending = run(compressor.compress, batch)
                if piece:
                    yield piece
        piece = await pending if pending is not None else b""
        pending = run(finish, compressor)
        if piece:
            yield piece
        yield await pending
    finally:
        if pending is not None:
            _abandon(pending)


async def _batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at least _BATCH_SIZE; the last may be smaller."""
    held: list[bytes] = []
    size = 0
    async for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= _BATCH_SIZE:
            yield held[0] if len(held) == 1 else b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def _abandon(pending: "asyncio.Future[bytes]") -> None:
    """Cancel the call if it has not begun, and ignore its error if it has."""
    pending.cancel()
    pending.add_done_callback(lambda done: done.cancelled() or done.exception())
