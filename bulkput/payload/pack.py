"""What is sent of a file: the file, or its gzip stream, as `policy/compress.py` decides.

| the file                  | what is sent when it is compressed                                                 |
|---------------------------|------------------------------------------------------------------------------------|
| is held in memory         | its stream, held as well: with Content-Length and ETag                             |
| is not, its stream can be | the same                                                                           |
| neither                   | the stream as it is made, in chunks, behind a first pass over the file for its MD5 |

The MD5 of the source stands in the head of the request (`policy/original.py`), before the first byte of the body; a
client of Swift cannot send it behind that. So the third kind is read twice. The first pass also compresses, for as long
as what that gives may be held: nobody knows beforehand which kind it is. In memory is what the file itself would take.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

from bulkput.doing import doing
from bulkput.model import Body, Compression, SourceFile, Why
from bulkput.options import GzipOptions
from bulkput.payload.body import BodyOpener, FileBody, StreamedFile, WholeFile
from bulkput.payload.deflate import engine_for
from bulkput.payload.gzip import Compressor, Run, gzipped, whole
from bulkput.policy.compress import (
    decide_by_magic,
    decide_by_name,
    decide_by_result,
    decide_by_sample,
    sample_ranges,
)
from bulkput.policy.original import Original

_QUICK_SIZE = 16 * 1024
"""Up to this a file is compressed on the event loop: that takes less than a millisecond, and at the default level as
long as a visit to a thread."""


class Packed(NamedTuple):
    """What is sent of a file, why so, and what it is made from when it is compressed."""

    body: Body
    compression: Compression
    original: Original | None = None


IsTaken = Callable[[bytes], bool]
"""Whether the sources have another file where this one (its name in its source) would get with .gz. May block."""


class Packer:
    """Makes bodies that are sent out of bodies that are files."""

    def __init__(self, options: GzipOptions, opener: BodyOpener, *, hold: int, is_taken: IsTaken) -> None:
        """A gzip stream of up to `hold` bytes is kept in memory. Raises UsageError for a level that there is not."""
        engine_for(options.level)
        self._options = options
        self._opener = opener
        self._hold = hold
        self._is_taken = is_taken
        self._may_collide = options.suffixed == "some"

    @doing("compressing")
    async def packed(self, source: SourceFile, file: FileBody) -> Packed:
        """Raises SourceError like the file."""
        decided = decide_by_name(source.name.decode("utf-8", "replace"), file.size, self._options)
        if decided is None and self._may_collide and await self._opener.run(source, self._is_taken, source.name):
            decided = Compression(False, Why.TAKEN)
        run = partial(self._opener.run, source)
        if isinstance(file, WholeFile):
            return await self._small(file, decided or decide_by_magic(file.data), run)
        return await self._large(file, decided or await self._sampled(file, run), run)

    async def _small(self, file: WholeFile, decided: Compression | None, run: Run) -> Packed:
        if decided is not None and not decided.is_compressed:
            return Packed(file, decided)
        compressed = partial(_Held.of, file.data, self._options.level)
        held = compressed() if file.size <= _QUICK_SIZE else await run(compressed)
        decided = decided or decide_by_result(file.size, held.size, self._options)
        return Packed(held, decided, Original(file.size, file.md5)) if decided.is_compressed else Packed(file, decided)

    async def _sampled(self, file: StreamedFile, run: Run) -> Compression:
        sample = await file.sample(sample_ranges(file.size))
        if (decided := decide_by_magic(sample)) is not None:
            return decided
        return decide_by_sample(len(sample), len(await run(whole, sample, self._options.level)), self._options)

    async def _large(self, file: StreamedFile, decided: Compression, run: Run) -> Packed:
        if not decided.is_compressed:
            return Packed(file, decided)
        first = _FirstPass(self._options.level, self._hold)
        async with aclosing(file.chunks()) as chunks:
            async for chunk in chunks:
                await run(first.take, chunk)
        held, md5 = await run(first.finish)
        body = held if held is not None else _Streamed(file, self._options.level, run)
        return Packed(body, decided, Original(file.size, md5))


class _Held(NamedTuple):
    """A gzip stream in memory."""

    data: bytes
    md5: str

    @classmethod
    def of(cls, source: bytes, level: int) -> "_Held":
        return cls.holding(whole(source, level))

    @classmethod
    def holding(cls, stream: bytes) -> "_Held":
        return cls(stream, hashlib.md5(stream, usedforsecurity=False).hexdigest())

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def length_hint(self) -> int:
        return len(self.data)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self.data


class _Streamed:
    """A gzip stream made while it is sent, for each attempt anew."""

    size = None
    md5 = None
    data = None

    def __init__(self, file: StreamedFile, level: int, run: Run) -> None:
        self.length_hint = file.size
        self._file = file
        self._level = level
        self._run = run

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError like the file; its last piece comes behind the file's own last look at itself."""
        return gzipped(self._file.chunks(), run=self._run, level=self._level)


class _FirstPass:
    """MD5 of a file, and its gzip stream as long as that has no more than `hold` bytes. In one thread at a time."""

    def __init__(self, level: int, hold: int) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._compressor: Compressor | None = Compressor(level)
        self._pieces: list[bytes] = []
        self._room = hold

    def take(self, chunk: bytes) -> None:
        self._md5.update(chunk)
        if self._compressor is not None:
            self._keep(self._compressor.compress(chunk))

    def finish(self) -> tuple[_Held | None, str]:
        if self._compressor is not None:
            self._keep(self._compressor.finish())
        held = _Held.holding(b"".join(self._pieces)) if self._room >= 0 else None
        return held, self._md5.hexdigest()

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._room -= len(piece)
        if self._room < 0:
            self._compressor = None
            self._pieces.clear()
