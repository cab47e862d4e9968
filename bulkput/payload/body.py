"""A source file as a Body.

A small file (up to `buffer_size`) is opened, read whole, hashed and closed at once, and kept as bytes. This happens on
the event loop or in one visit to a thread (`policy/reading.py` decides). A large file is streamed, through
aiofiles (`opened.py`): a thread reads the next piece while one is sent. Each attempt opens the file again.

A file may change while it is read. Either one consistent version is sent or nothing: size, mtime and inode are compared
before and after reading, and the last piece of a streamed file is sent only after that check. So the request for a
changed file breaks off, and the store keeps nothing of it.

With `changing="snapshot"` a file may grow while it is read. The bytes that it had when it was opened are sent. For a
file that only grows, such as a log, that is one version. A file rewritten in place may be stored as a mixture of two
versions, which nothing can detect. A file that shrank or was replaced fails in either mode.
"""

import asyncio
import errno
import hashlib
import os
import stat
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from bulkput.activity import doing
from bulkput.errors import SourceError
from bulkput.events import Emit, ReadingChosen, Snapshot, Streaming
from bulkput.model import SourceFile, Upload
from bulkput.options import BodyOptions
from bulkput.payload.in_memory import InMemory
from bulkput.payload.opened import load, opened
from bulkput.payload.readers import Readers
from bulkput.payload.version import Version
from bulkput.policy.reading import LOOP_MAX_SIZE, ReadPlacement

# If a FIFO took the file's place, O_NONBLOCK keeps the open from hanging; if a link did, O_NOFOLLOW keeps it from
# leading out of the tree. Windows lacks some of these flags, and only Windows has O_BINARY.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

T = TypeVar("T")
_TICK_S = 0.02
_SNAPSHOT = "(`body.changing='snapshot'` sends what was there when it was opened)"


class _WholeFields(NamedTuple):
    version: Version
    data: bytes
    hashed: str | None


class WholeFile(InMemory, _WholeFields):
    """A small file in memory. `hashed` is its MD5, if it was computed when the file was read."""

    __slots__ = ()

    @property
    def md5(self) -> str:
        return self.hashed or _md5(self.data)


class WholeSnapshot(WholeFile):
    """The first bytes of a file that was written to while it was read."""

    __slots__ = ()


class StreamedFile:
    """A large file, read while it is sent."""

    data = None
    md5 = None
    layout = None

    def __init__(
        self,
        path: bytes,
        version: Version,
        *,
        chunk_size: int,
        readers: Readers,
        sent: Callable[[int, float], None],
        grew: Callable[[int], None] | None = None,
    ) -> None:
        """`sent(bytes, seconds)` is called after each piece, with the bytes handed over in this attempt so far and the
        seconds that it has waited for the disk. `grew(bytes)` is called once if the file grows, with the number of its
        bytes that are sent. Without `grew`, a growing file fails."""
        self.version = version
        self.size = self.length_hint = version.size
        self._offset = 0
        self._path = path
        self._chunk_size = chunk_size
        self._readers = readers
        self._sent = sent
        self._grew = grew
        self._has_grown = False

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError if the file vanished, is unreadable, or changed since this body was made."""
        return self.chunks_into(None)

    async def chunks_into(self, take: Callable[[bytes], None] | None) -> AsyncGenerator[bytes, None]:
        """`chunks`, of which `take` gets each piece when it is read, in the thread that has read it: a piece ahead.

        To hash a piece there costs less than another visit to a thread, whose processor would have to fetch it again.
        """
        try:
            async with opened(self._path, _open_regular, self._readers) as file:
                self._look(os.fstat(file.fileno()))
                if self._offset:
                    await file.seek(self._offset)
                file.give_to(take)
                remaining, read_s = self.size, 0.0
                file.begin(min(self._chunk_size, remaining))
                while remaining:
                    began = time.monotonic()
                    chunk = await file.begun()
                    read_s += time.monotonic() - began
                    if not chunk:
                        raise _changed(self._path, "it shrank while it was read")
                    remaining -= len(chunk)
                    if remaining:
                        file.begin(min(self._chunk_size, remaining))  # goes on while this piece is sent
                    else:
                        self._look(os.fstat(file.fileno()))
                    yield chunk
                    self._sent(self.size - remaining, read_s)
        except OSError as error:
            raise source_error(self._path, error) from error

    def part(self, offset: int, size: int, sent: Callable[[int, float], None]) -> "StreamedFile":
        """The bytes `offset` to `offset + size` as a body of their own. It fails like the whole file if that changes,
        wherever in the file."""
        part = StreamedFile(
            self._path,
            self.version,
            chunk_size=self._chunk_size,
            readers=self._readers,
            sent=sent,
            grew=self._tell_growth if self._grew is not None else None,
        )
        part._offset, part.size, part.length_hint = offset, size, size
        return part

    async def sample(self, ranges: Sequence[tuple[int, int]]) -> bytes:
        """The bytes of `ranges` (offset, length), joined. Raises SourceError like `chunks`."""
        try:
            async with opened(self._path, _open_regular, self._readers) as file:
                self._check(os.fstat(file.fileno()))
                return b"".join([await file.range(offset, length) for offset, length in ranges])
        except OSError as error:
            raise source_error(self._path, error) from error

    async def prove(self, sizes: Sequence[int], md5s: Sequence[str]) -> None:
        """Nothing to do: what a disk gives is what the file has."""

    def changed(self, detail: str) -> SourceError:
        """The error for a file whose bytes are not those of one version."""
        return _changed(self._path, detail)

    def _check(self, status: os.stat_result) -> None:
        """Raises SourceError if the bytes of this version no longer exist."""
        if self.version.holds(status):
            return
        if self._grew is None:
            raise self.changed(f"it was written to before it was sent to its end {_SNAPSHOT}")
        if not self.version.begins(Version.of(status)):
            raise self.changed("it shrank, or another file has taken its place")

    def _look(self, status: os.stat_result) -> None:
        """`_check`; reports once that the file has grown."""
        self._check(status)
        if not self.version.holds(status):
            self._tell_growth(self.size)

    def _tell_growth(self, size: int) -> None:
        if self._grew is not None and not self._has_grown:
            self._has_grown = True
            self._grew(size)


FileBody = WholeFile | StreamedFile


class BodyOpener:
    """Makes bodies out of files, in its own threads. `close()` ends them."""

    def __init__(self, options: BodyOptions, emit: Emit, *, may_hang: str | None = None, hashes: bool = True) -> None:
        """`may_hang` is the type of a file system that may stop answering; then nothing is read on the event loop.

        `hashes`: a small file gets its MD5 when it is read. Without it, the MD5 is computed when it is asked for: it
        costs as much as all other work in Python for a file of 16 KiB.
        """
        self._options = options
        self._emit = emit
        self._hashes = hashes
        self._loop_max = min(LOOP_MAX_SIZE, options.buffer_size)
        self._may_change = options.changing == "snapshot"
        self._readers = Readers(options.readers, patience_s=options.read_timeout_s, most_stuck=options.max_stuck)
        self._reading = ReadPlacement(may_hold_loop=may_hang is None)
        if may_hang is not None:
            emit(ReadingChosen(is_on_loop=False, average_s=0.0, may_hang=may_hang))

    def open_at_once(self, source: SourceFile) -> FileBody | None:
        """Read the file on the event loop, as it is now. None if that may be slow: use `open` then.

        Raises SourceError like `open`.
        """
        if source.size > self._loop_max or not self._reading.takes(source.size):
            return None
        started_s = time.perf_counter()
        read = _read(
            source.target or source.path,
            self._loop_max,
            hashes=self._hashes,
            may_wait=False,
            may_change=self._may_change,
        )
        if self._reading.took(time.perf_counter() - started_s):
            self._emit(ReadingChosen(self._reading.is_on_loop, self._reading.average_s))
        if self._may_change:
            self._tell(source, read)
        return read if isinstance(read, WholeFile) else None

    async def open(self, source: SourceFile) -> FileBody:
        """Read the file in a thread, as it is now and not as the scan found it.

        Raises SourceError if it vanished, is unreadable, or changed while it was read; SourceGone if too many reads
        hang.
        """
        path = source.target or source.path
        read = partial(
            _read_in_thread, path, self._options.buffer_size, hashes=self._hashes, may_change=self._may_change
        )
        with doing("reading"):
            whole = await self._readers.run(path, read)
        if isinstance(whole, WholeFile):
            self._tell(source, whole)
            return whole
        return StreamedFile(
            path,
            whole,
            chunk_size=self._options.chunk_size,
            readers=self._readers,
            sent=lambda count, read_s: self._emit(Streaming(source.path, count, read_s, whole.size)),
            grew=(lambda size: self._emit(Snapshot(source.path, size))) if self._may_change else None,
        )

    def upload_of(self, upload: Upload, opened: FileBody) -> Upload:
        """The upload with the mtime of the version that is sent: the file may have been written to since the scan."""
        headers, mtime_ns = upload.headers, opened.version.mtime_ns
        return upload if headers.mtime_ns == mtime_ns else replace(upload, headers=replace(headers, mtime_ns=mtime_ns))

    def _tell(self, source: SourceFile, read: WholeFile | Version | None) -> None:
        if isinstance(read, WholeSnapshot):
            self._emit(Snapshot(source.path, read.size))

    def run(self, source: SourceFile, function: Callable[..., T], *arguments: Any) -> "asyncio.Future[T]":
        """Call `function(*arguments)` in one of the threads. Errors name the file."""
        return self._readers.run(source.path, function, *arguments)

    def close(self) -> None:
        """End the threads when the queue is empty: a queued job may be the closing of a file."""
        self._readers.close()


def _read_in_thread(path: bytes, limit: int, *, hashes: bool, may_change: bool) -> WholeFile | Version:
    """The whole file, or the version of a file larger than `limit`, which will be streamed."""
    read = _read(path, limit, hashes=hashes, may_change=may_change)
    if read is None:
        raise AssertionError("a read that may wait is never put off")
    if not isinstance(read, WholeFile):
        load()
    return read


def _read(
    path: bytes, limit: int, *, hashes: bool, may_wait: bool = True, may_change: bool = False
) -> WholeFile | Version | None:
    """The whole file. Only its version if it is larger than `limit`; None if the call would have to wait."""
    try:
        fd = os.open(path, _OPEN_FLAGS)
    except OSError as error:
        raise source_error(path, error) from error
    try:
        version = _settled(path, fd, may_wait=may_wait)
        if version is None or version.size > limit:
            return version
        data = os.read(fd, version.size + 1)
        if len(data) < version.size:  # allowed, though rare for regular files
            data = _read_up_to(fd, data, version.size + 1)
        if len(data) != version.size or not version.holds(os.fstat(fd)):
            return _snapshot(path, version, data, os.fstat(fd), may_change=may_change)
    except OSError as error:
        raise source_error(path, error) from error
    finally:
        os.close(fd)
    return WholeFile(version, data, _md5(data) if hashes else None)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _snapshot(path: bytes, version: Version, data: bytes, now: os.stat_result, *, may_change: bool) -> WholeFile:
    """The snapshot of a file whose length differs from its size, or whose state changed to `now` while it was read.

    Raises SourceError if there is no consistent snapshot, or none is allowed.
    """
    later = Version.of(now)
    if later == version and not getattr(now, "st_blocks", 0):
        content = "content" if not version.size else f"{'more' if len(data) > version.size else 'less'} content"
        kernel = "a file of the kernel, as in /proc and /sys: copy it to a disk first"
        raise SourceError(path, "unreadable", f"it has size {version.size} but {content}: {kernel}")
    if not may_change:
        raise _changed(path, f"it was written to while it was read {_SNAPSHOT}")
    if len(data) < version.size or not version.begins(later):
        raise _changed(path, "it shrank while it was read")
    data = data[: version.size]
    return WholeSnapshot(version, data, _md5(data))


def _settled(path: bytes, fd: int, *, may_wait: bool) -> Version | None:
    """The version of a regular file, taken when its mtime is old enough that a later write must change it.

    A file system's clock ticks (every 10 ms at most on Linux). Two writes within one tick leave the same mtime, so a
    file rewritten at the same size would look unchanged; git calls this the racy index. None if `may_wait` is False and
    the file is that new.
    """
    status = os.fstat(fd)
    _check_regular(path, status)
    age_s = time.time() - status.st_mtime
    if 0 <= age_s < _TICK_S:
        if not may_wait:
            return None
        time.sleep(_TICK_S - age_s)
        status = os.fstat(fd)
    return Version.of(status)


def _open_regular(path: bytes | str, _flags: int = 0) -> int:
    """Open a regular file. Raises SourceError for anything else in its place, without waiting for it or reading it."""
    fd = os.open(path, _OPEN_FLAGS)
    try:
        _check_regular(os.fsencode(path), os.fstat(fd))
    except SourceError:
        os.close(fd)
        raise
    return fd


def _check_regular(path: bytes, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _changed(path, "it is no longer a regular file")


def _read_up_to(fd: int, data: bytes, size: int) -> bytes:
    """`data` and the bytes that follow it, `size` in all, fewer at the end of the file."""
    pieces = [data]
    missing = size - len(data)
    while missing and (data := os.read(fd, missing)):
        pieces.append(data)
        missing -= len(data)
    return b"".join(pieces)


def source_error(path: bytes, error: OSError) -> SourceError:
    """The SourceError for an error of the operating system. Nothing else maps such errors."""
    if error.errno == errno.ELOOP:
        return SourceError(path, "changed", "a link has taken its place")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return SourceError(path, "vanished", "it was there when the tree was scanned")
    return SourceError(path, "unreadable", error.strerror or str(error))


def _changed(path: bytes, detail: str) -> SourceError:
    return SourceError(path, "changed", detail)
