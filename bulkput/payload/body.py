"""A source file as a Body.

Small (up to `buffer_size`): opened, read whole, hashed and closed in one visit to a thread; held as bytes.
Large: streamed through aiofiles, opened again for each attempt.

A file may change under us. What is sent is one consistent version or nothing: size, mtime and inode are compared
before and after reading, and for a streamed file the last piece leaves only after that check, so that a request
for a changed file is broken off and the store keeps nothing of it.
"""

import asyncio
import errno
import hashlib
import os
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import FileIO

from aiofiles.threadpool import wrap
from aiofiles.threadpool.binary import AsyncFileIO

from bulkput.errors import SourceError
from bulkput.events import Emit, Streaming
from bulkput.model import SourceFile
from bulkput.options import BodyOptions

# O_NONBLOCK: a FIFO that took the file's place must not hang the reader. O_NOFOLLOW: nor may a link that took it lead
# out of the tree. Some are absent on Windows, and O_BINARY elsewhere.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


_TICK_S = 0.02


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one state of a file from another."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Version":
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A small file in memory."""

    version: Version
    data: bytes
    md5: str

    @property
    def size(self) -> int:
        return len(self.data)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self.data


class StreamedFile:
    """A large file, read while it is sent."""

    data = None
    md5 = None

    def __init__(
        self,
        path: bytes,
        version: Version,
        *,
        chunk_size: int,
        executor: ThreadPoolExecutor,
        sent: Callable[[int], None],
    ) -> None:
        """`sent` is told, piece by piece, how many bytes of the present passage have been handed over."""
        self.version = version
        self.size = version.size
        self._path = path
        self._chunk_size = chunk_size
        self._executor = executor
        self._sent = sent

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError: vanished, unreadable, or changed since this body was made or while it was read."""
        try:
            async with self._opened() as file:
                self._check(os.fstat(file.fileno()))
                remaining = self.size
                while remaining:
                    chunk = await file.read(min(self._chunk_size, remaining))
                    if not chunk:
                        raise _changed(self._path, "it shrank while it was read")
                    remaining -= len(chunk)
                    if not remaining:
                        self._check(os.fstat(file.fileno()))
                    yield chunk
                    self._sent(self.size - remaining)
        except OSError as error:
            raise source_error(self._path, error) from error

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[AsyncFileIO]:
        """The file, closed at the end. A cancellation may come while it is opened or closed: both happen all the same,
        where aiofiles by itself would leave the file to the garbage collector."""
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(self._executor, _open_file, self._path)
        try:
            opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise
        file = wrap(opened, loop=loop, executor=self._executor)
        try:
            yield file
        finally:
            await asyncio.shield(loop.run_in_executor(self._executor, opened.close))

    def _check(self, status: os.stat_result) -> None:
        if Version.of(status) != self.version:
            raise _changed(self._path, "it was written to before it was sent to its end")


FileBody = WholeFile | StreamedFile


class BodyOpener:
    """Makes bodies of files, in threads of its own; `close()` ends them."""

    def __init__(self, options: BodyOptions, emit: Emit) -> None:
        self._options = options
        self._emit = emit
        self._executor = ThreadPoolExecutor(options.readers, thread_name_prefix="bulkput-read")

    async def open(self, source: SourceFile) -> FileBody:
        """The file as it is now, whatever it was when it was found.

        Raises SourceError: vanished, unreadable, or changed while it was read.
        """
        loop = asyncio.get_running_loop()
        path = source.target or source.path
        whole = await loop.run_in_executor(self._executor, _read, path, self._options.buffer_size)
        if isinstance(whole, WholeFile):
            return whole
        return StreamedFile(
            path,
            whole,
            chunk_size=self._options.chunk_size,
            executor=self._executor,
            sent=lambda count: self._emit(Streaming(source.path, count)),
        )

    def close(self) -> None:
        """What is queued still runs: it may be the closing of a file."""
        self._executor.shutdown(wait=False)


def _read(path: bytes, limit: int) -> WholeFile | Version:
    """The whole file, or just its version when it is larger than `limit`."""
    try:
        fd = _open_regular(path)
    except OSError as error:
        raise source_error(path, error) from error
    try:
        version = _settled(fd)
        if version.size > limit:
            return version
        data = _read_up_to(fd, version.size + 1)
        if len(data) != version.size or Version.of(os.fstat(fd)) != version:
            raise _changed(path, "it was written to while it was read")
    except OSError as error:
        raise source_error(path, error) from error
    finally:
        os.close(fd)
    return WholeFile(version, data, hashlib.md5(data, usedforsecurity=False).hexdigest())


def _settled(fd: int) -> Version:
    """The file's version, once a later write could not hide behind the same mtime.

    A file system's clock ticks (up to 10 ms on Linux): two writes within one tick leave the same mtime, and a file
    rewritten in place at the same size would look unchanged. git knows this as the racy index.
    """
    status = os.fstat(fd)
    age_s = time.time() - status.st_mtime
    if 0 <= age_s < _TICK_S:
        time.sleep(_TICK_S - age_s)
        status = os.fstat(fd)
    return Version.of(status)


def _open_file(path: bytes) -> FileIO:
    return FileIO(path, "rb", opener=_open_regular)


def _close_unwanted(opening: "asyncio.Future[FileIO]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _open_regular(path: bytes | str, _flags: int = 0) -> int:
    """A descriptor of a regular file: whatever may have taken its place is neither waited for nor read."""
    fd = os.open(path, _OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _changed(os.fsencode(path), "it is no longer a regular file")
    return fd


def _read_up_to(fd: int, size: int) -> bytes:
    """`size` bytes or up to the end. One system call for nearly every file: os.read may return less, seldom does."""
    data = os.read(fd, size)
    if not data or len(data) >= size - 1:
        return data
    pieces = [data]
    missing = size - len(data)
    while missing and (data := os.read(fd, missing)):
        pieces.append(data)
        missing -= len(data)
    return b"".join(pieces)


def source_error(path: bytes, error: OSError) -> SourceError:
    """The one mapping of operating system errors about sources."""
    if error.errno == errno.ELOOP:
        return SourceError(path, "changed", "a link has taken its place")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return SourceError(path, "vanished", "it was there when the tree was scanned")
    return SourceError(path, "unreadable", error.strerror or str(error))


def _changed(path: bytes, detail: str) -> SourceError:
    return SourceError(path, "changed", detail)
