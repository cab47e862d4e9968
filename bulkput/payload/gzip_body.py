"""What is sent of a file: the file, or its gzip stream, as `policy/compress.py` decides.

| the file                  | what is sent when it is compressed                                                 |
|---------------------------|------------------------------------------------------------------------------------|
| is held in memory         | its stream, held as well: with Content-Length and ETag                             |
| is not, its stream can be | the same                                                                           |
| neither                   | the stream as it is made, in chunks, behind a first pass over the file for its MD5 |

The MD5 of the source stands in the head of the request (`policy/gzip_source.py`), before the first byte of the body; a
client of Swift cannot send it behind that. So the third kind is read twice. The first pass also compresses, for as long
as what that gives may be held: nobody knows beforehand which kind it is. The memory of it all is in `options.py`.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from bulkput.activity import doing
from bulkput.model import Body, Compression, Upload
from bulkput.options import GzipOptions
from bulkput.payload.body import BodyOpener, FileBody, StreamedFile, WholeFile
from bulkput.payload.deflate import engine_for
from bulkput.payload.gzip import Compressor, Run, gzipped, whole
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.compress import (
    decide_by_magic,
    decide_by_name,
    decide_by_new_name,
    decide_by_result,
    decide_by_sample,
    sample_ranges,
)
from bulkput.policy.gzip_source import ENCODING, SUFFIX_TYPE, Original
from bulkput.policy.naming import SUFFIX

_QUICK_SIZE = 16 * 1024
"""Up to this isal compresses on the event loop: it takes about as long as a visit to a thread."""
_FAR = 2
"""The rest of a file may compress so much better than its beginning."""


class Packed(NamedTuple):
    """What is sent of a file, why so, and what it is made from when it is compressed."""

    body: Body
    compression: Compression
    original: Original | None = None


class Packer:
    """Makes bodies that are sent out of bodies that are files."""

    def __init__(
        self,
        options: GzipOptions,
        opener: BodyOpener,
        *,
        hold: int,
        longest_name: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """A gzip stream of up to `hold` bytes is kept in memory; an object name has `longest_name` bytes at most.
        `check` is called in the course of a first pass, to end it by what it raises.

        Raises UsageError for a level that there is not.
        """
        self._is_quick = engine_for(options.level).name == "isal"
        self._options = options
        self._opener = opener
        self._hold = hold
        self._longest_name = longest_name
        self._check = check

    @doing("compressing")
    async def packed(self, upload: Upload, file: FileBody) -> Packed:
        """Raises SourceError like the file."""
        source, options = upload.source, self._options
        decided = decide_by_name(source.name.decode("utf-8", "replace"), file.size, options)
        if decided is None and options.suffixed == "some":
            decided = decide_by_new_name(upload.key, is_taken=source.keeps_name, longest=self._longest_name)
        run = partial(self._opener.run, source)
        if isinstance(file, WholeFile):
            return await self._small(file, decided or decide_by_magic(file.data), run)
        return await self._large(file, decided or await self._sampled(file, run), run)

    def upload_of(self, upload: Upload, packed: Packed) -> Upload:
        """The upload as its body wants it: under which name, and what stands beside it."""
        if packed.original is None:
            return upload
        headers = replace(upload.headers, meta=(*upload.headers.meta, *packed.original.as_fields()))
        if self._options.store_as == "encoding":
            return replace(upload, headers=replace(headers, encoding=ENCODING))
        # Where all objects get the suffix, the plan has given it to them.
        key = upload.key + SUFFIX if self._options.suffixed == "some" else upload.key
        return replace(upload, key=key, headers=replace(headers, content_type=SUFFIX_TYPE))

    async def _small(self, file: WholeFile, decided: Compression | None, run: Run) -> Packed:
        if decided is not None and not decided.is_compressed:
            return Packed(file, decided)
        compressed = partial(_compressed, file.data, self._options.level)
        held = compressed() if self._is_quick and file.size <= _QUICK_SIZE else await run(compressed)
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
        first = FirstPass(self._options.level, file.size, self._hold)
        async with aclosing(file.chunks()) as chunks:
            async for chunk in chunks:
                self._check()
                await run(first.take, chunk)
        held, md5 = await run(first.finish)
        body = held if held is not None else _Streamed(file, first.crc32, self._options.level, run)
        return Packed(body, decided, Original(file.size, md5))


def _compressed(source: bytes, level: int) -> BytesBody:
    return BytesBody.of(whole(source, level))


class _Streamed:
    """A gzip stream made while it is sent, for each attempt anew."""

    size = None
    md5 = None
    data = None

    def __init__(self, file: StreamedFile, crc32: int, level: int, run: Run) -> None:
        """`crc32` is that of the file at the first pass, whose MD5 is said to be the file's."""
        self.length_hint = file.size
        self._file = file
        self._crc32 = crc32
        self._level = level
        self._run = run

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError like the file. Its last piece comes behind the file's own last look at itself, and only
        when these were the bytes of the first pass: a writer by mmap leaves no trace in size and mtime."""
        return gzipped(self._file.chunks(), run=self._run, level=self._level, finish=self._finished)

    def _finished(self, compressor: Compressor) -> bytes:
        if compressor.source_crc32 != self._crc32:
            raise self._file.changed("other bytes were read the second time")
        return compressor.finish()


class FirstPass:
    """MD5 of a file of `size` bytes, and its gzip stream if that has at most `hold` bytes. In one thread at a time.

    The stream is given up as soon as it is far from fitting.
    """

    def __init__(self, level: int, size: int, hold: int) -> None:
        self._size = size
        self._hold = hold
        self._taken = self._kept = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._engine = engine_for(level)
        self._compressor: Compressor | None = Compressor(level)
        self.crc32 = 0
        self._pieces: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        self._md5.update(chunk)
        self._taken += len(chunk)
        self.crc32 = self._engine.crc32(chunk, self.crc32)
        if self._compressor is not None:
            self._keep(self._compressor.compress(chunk))

    def finish(self) -> tuple[BytesBody | None, str]:
        if self._compressor is not None:
            self._keep(self._compressor.finish())
        held = BytesBody.of(b"".join(self._pieces)) if self._compressor is not None else None
        return held, self._md5.hexdigest()

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._kept += len(piece)
        expected = self._kept * self._size / max(self._taken, 1)
        if self._kept > self._hold or expected > _FAR * self._hold:
            self._compressor = None
            self._pieces.clear()
