"""The body that is sent for a file: the file itself, or its gzip stream, as `policy/compress.py` decides.

| file fits in memory | its gzip stream fits | a compressed file is sent as                                        |
|---------------------|----------------------|---------------------------------------------------------------------|
| yes                 | yes                  | bytes in memory, with Content-Length and ETag                       |
| no                  | yes                  | the same                                                            |
| no                  | no                   | a stream made while it is sent, chunked, after a first pass for MD5 |

If the store takes no body of unknown length, the last two are a `PackedStream`: parts in memory, in one request if
there is only one (`engine/upload/large.py`).

The source's MD5 stands in the request's head (`policy/gzip_source.py`), before the first byte of the body, since a
Swift client cannot send it afterwards. So files of the third kind are read twice. The first pass compresses as well, as
long as the stream may still fit: which kind a file is shows only then. docs/tuning.md states the memory of all this.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bulkput.activity import doing
from bulkput.model import Body, Compression, Upload, Why
from bulkput.options import GzipOptions
from bulkput.payload.body import BodyOpener, FileBody, StreamedFile, WholeFile
from bulkput.payload.deflate import engine_for
from bulkput.payload.gzip import Compressor, RunInThread, gzipped, whole
from bulkput.payload.in_memory import BytesBody
from bulkput.payload.pieces import md5_of_pieces
from bulkput.policy.compress import (
    decide_by_magic,
    decide_by_name,
    decide_by_result,
    decide_by_sample,
    sample_ranges,
)
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.gzip_source import ENCODING, SUFFIX_TYPE, Original

if TYPE_CHECKING:
    from bulkput.payload.pipe import Pipe

_QUICK_SIZE, _QUICK_LEVEL = 64 * 1024, 6
"""So many bytes are compressed on the event loop, up to this level: two milliseconds. Two threads that want the
interpreter in turns cost more: 9 000 files of Python source took 8.9 s and 11.4 s of CPU with a thread for each, and
take 6.9 s and 8.2 s (two processors, level 6; `scripts/bench processes --only text`)."""
_FRAME = 64 * 1024
"""Bytes by which a gzip stream may be longer than its source, beside a quarter of that: more than any library makes of
bytes that cannot be compressed."""
_FAR = 2
"""Factor by which the rest of a file may compress better than its beginning before the first pass gives up on it."""


class PackedStream:
    """The gzip stream of a large file or a pipe (`engine/upload/large.py:Stream`).

    It needs no first pass if the object's headers are sent when the stream has ended.
    """

    def __init__(
        self,
        source: "StreamedFile | Pipe",
        compression: Compression,
        level: int,
        run: RunInThread,
        finished: Callable[[Original | None], Upload],
    ) -> None:
        """`finished` makes the upload with the headers for the source's size and MD5, or without them."""
        file = source if isinstance(source, StreamedFile) else None
        self.compression = compression
        self.comes_again = file is not None
        self.longest = file.size + file.size // 4 + _FRAME if file is not None else None
        name = f"{source.version.mtime_ns}-{source.size}" if isinstance(source, StreamedFile) else source.version
        self.version = f"{name}-gzip{level}"
        self._file = file
        self._source = source
        self._level = level
        self._run = run
        self._finished = finished
        self._md5 = hashlib.md5(usedforsecurity=False)

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError like the file."""
        self._md5 = hashlib.md5(usedforsecurity=False)
        return gzipped(self._hashed(), run=self._run, level=self._level)

    async def _hashed(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._source.chunks()) as chunks:
            async for chunk in chunks:
                await self._run(self._md5.update, chunk)
                yield chunk

    async def announced(self) -> Upload:
        """The upload with all headers that can be known before the stream has ended: those of a file, which is read for
        them. Raises SourceError."""
        if self._file is None:
            return self._finished(None)
        whole_file = self._file.part(0, self._file.size, _untold)
        with doing("reading it for its MD5"):
            (md5,) = await md5_of_pieces(whole_file, (whole_file.size,))
        return self._finished(Original(whole_file.size, md5))

    def finish(self) -> Upload:
        return self._finished(Original(self._source.size, self._md5.hexdigest()))


def _untold(_size: int, _seconds: float) -> None:
    """This reading is no progress of what is sent."""


class Packed(NamedTuple):
    """The body for a file, why it is compressed or not, and what it was made from if it is."""

    body: Body
    compression: Compression
    original: Original | None = None


class Packer:
    """Turns file bodies into the bodies that are sent."""

    def __init__(
        self,
        options: GzipOptions,
        names: GzipNames,
        opener: BodyOpener,
        *,
        hold: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Streams of up to `hold` bytes are kept in memory. `check` is called during a first pass; it may raise."""
        self._is_quick = options.level <= _QUICK_LEVEL
        self._options = options
        """Those of all files. Only the mode may differ from file to file."""
        self._by_mode = {options.mode: options}
        self._opener = opener
        self._hold = hold
        self._names = names
        self._check = check

    async def packed(self, upload: Upload, file: FileBody) -> Packed:
        """Raises SourceError like the file."""
        decided = self._by_name(upload, file.size)
        run = partial(self._opener.run, upload.source)
        with doing("compressing"):
            if isinstance(file, WholeFile):
                return await self._small(file, decided or decide_by_magic(file.data), run)
            return await self._large(file, decided or await self._sampled(file, run), run)

    async def streamed(self, upload: Upload, file: StreamedFile) -> Packed | PackedStream:
        """For a file whose compressed length need not be known: its gzip stream, or the file itself. Raises SourceError
        like the file."""
        run = partial(self._opener.run, upload.source)
        with doing("compressing"):
            decided = self._by_name(upload, file.size) or await self._sampled(file, run)
        if not decided.is_compressed:
            return Packed(file, decided)
        return PackedStream(file, decided, self._options.level, run, partial(self._upload_of, upload))

    def piped(self, upload: Upload, pipe: "Pipe") -> PackedStream | None:
        """The gzip stream of a pipe; None if it is sent as it is. Its bytes cannot be looked at beforehand, so `auto`
        compresses none."""
        if self._options_of(upload).mode != "always" or self._names.excludes(upload.source.name):
            return None
        run = partial(self._opener.run, upload.source)
        compression = Compression(is_compressed=True, why=Why.ASKED)
        return PackedStream(pipe, compression, self._options.level, run, partial(self._upload_of, upload))

    def _by_name(self, upload: Upload, size: int) -> Compression | None:
        is_excluded = self._names.excludes(upload.source.name)
        name = upload.source.name.decode("utf-8", "replace")
        return decide_by_name(name, size, self._options_of(upload), is_excluded=is_excluded)

    def _options_of(self, upload: Upload) -> GzipOptions:
        """The options with the mode that the rules give this file, if there are any."""
        mode = self._options.mode if upload.ruling is None else upload.ruling.gzip
        if mode not in self._by_mode:
            self._by_mode[mode] = replace(self._options, mode=mode)
        return self._by_mode[mode]

    def upload_of(self, upload: Upload, packed: Packed) -> Upload:
        """The upload with the headers that fit its body. The plan has given it its name."""
        return upload if packed.original is None else self._upload_of(upload, packed.original)

    def _upload_of(self, upload: Upload, original: Original | None) -> Upload:
        headers = upload.headers
        if original is not None:
            headers = replace(headers, meta=(*headers.meta, *original.as_fields()))
        if self._options.store_as == "encoding":
            return replace(upload, headers=replace(headers, encoding=ENCODING))
        return replace(upload, headers=replace(headers, content_type=SUFFIX_TYPE))

    async def _small(self, file: WholeFile, decided: Compression | None, run: RunInThread) -> Packed:
        if decided is not None and not decided.is_compressed:
            return Packed(file, decided)
        compressed = partial(_compressed, file.data, self._options.level)
        held = compressed() if self._is_quick and file.size <= _QUICK_SIZE else await run(compressed)
        decided = decided or decide_by_result(file.size, held.size, self._options)
        return Packed(held, decided, Original(file.size, file.md5)) if decided.is_compressed else Packed(file, decided)

    async def _sampled(self, file: StreamedFile, run: RunInThread) -> Compression:
        sample = await file.sample(sample_ranges(file.size))
        if (decided := decide_by_magic(sample)) is not None:
            return decided
        return decide_by_sample(len(sample), len(await run(whole, sample, self._options.level)), self._options)

    async def _large(self, file: StreamedFile, decided: Compression, run: RunInThread) -> Packed:
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
    """A gzip stream made while it is sent, again for each attempt."""

    size = None
    md5 = None
    data = None

    def __init__(self, file: StreamedFile, crc32: int, level: int, run: RunInThread) -> None:
        """`crc32` is the file's at the first pass, the pass that gave the MD5 in the request's head."""
        self.length_hint = file.size
        self._file = file
        self._crc32 = crc32
        self._level = level
        self._run = run

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError like the file. The last piece comes after the file's own last check, and only if the CRC32
        equals that of the first pass: a writer that uses mmap need not change size and mtime."""
        return gzipped(self._file.chunks(), run=self._run, level=self._level, finish=self._finished)

    def _finished(self, compressor: Compressor) -> bytes:
        if compressor.source_crc32 != self._crc32:
            raise self._file.changed("other bytes were read the second time")
        return compressor.finish()


class FirstPass:
    """MD5 of a file of `size` bytes, and its gzip stream if that has at most `hold` bytes. Not for two threads at once.

    The stream is dropped as soon as it clearly will not fit.
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
