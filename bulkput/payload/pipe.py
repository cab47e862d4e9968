"""A pipe as a stream of bytes: stdin, a named pipe, or /dev/fd/N of a process substitution.

A pipe ends when the last program that writes to it closes it, and nothing tells whether that program had written all it
wanted. So `expect_size` and `expect_md5` are checked before the last part is given away. Ctrl-C ends the writing
program as well, which looks like a complete pipe: after its end a moment passes, in which the run may turn out to be
stopped.
"""

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, suppress
from typing import Protocol, TypeVar

from bulkput.activity import doing
from bulkput.errors import SourceError, Stopped
from bulkput.events import Emit, Warned
from bulkput.model import Upload
from bulkput.payload.readers import STDIN, Readers

T = TypeVar("T")
_PIPE_SIZE = 1024 * 1024
"""Bytes that the kernel is asked to keep for the pipe, so that a visit to a thread finds a whole chunk. Linux's highest
value for users (pipe(7))."""
_GRACE_S = 0.1
"""Seconds after the end of the pipe in which a signal that ended its writer arrives here, too."""


class Brake(Protocol):
    """What a pipe needs of `engine/stop.py`."""

    def waking(self, sleeper: Callable[[], object]) -> AbstractContextManager[None]: ...

    async def pause(self, delay_s: float) -> bool: ...


class Pipe:
    """Reads a pipe once (`engine/upload/large.py:Stream`)."""

    comes_again = False
    longest = None

    def __init__(
        self,
        upload: Upload,
        brake: Brake,
        emit: Emit,
        *,
        chunk_size: int,
        expect_size: int | None,
        expect_md5: str | None,
        may_be_empty: bool,
    ) -> None:
        self.version = f"pipe-{time.time_ns()}-{os.urandom(4).hex()}"
        self.size = 0
        """Bytes read so far."""
        self._is_ended = False
        self._upload = upload
        self._emit = emit
        self._may_be_empty = may_be_empty
        self._path = upload.source.path
        self._brake = brake
        self._chunk_size = chunk_size
        self._expect_size = expect_size
        self._expect_md5 = expect_md5.lower() if expect_md5 is not None else None
        self._md5 = hashlib.md5(usedforsecurity=False)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError if the pipe cannot be read or does not give what is expected, Stopped if the run stops."""
        readers = Readers(1, patience_s=None, most_stuck=1)
        fd: int | None = None
        try:
            fd = await self._waited(readers, _open, self._path)
            if os.isatty(fd):
                self._emit(Warned("it reads from the terminal: Ctrl-D at the beginning of a line ends the input"))
            while not self._is_ended and (chunk := await self._waited(readers, self._read, fd)):
                self.size += len(chunk)
                if self._expect_size is not None and self.size > self._expect_size:
                    raise self._unexpected(f"it gives more than the {self._expect_size} bytes of `large.expect_size`")
                yield chunk
            if not await self._brake.pause(_GRACE_S):
                raise Stopped
            self._check_all()
        except OSError as error:
            raise SourceError(self._path, "unreadable", error.strerror or str(error)) from error
        finally:
            if fd is not None and self._path != STDIN:
                readers.submit(self._path, os.close, fd)
            readers.close()

    async def announced(self) -> Upload:
        return self._upload

    def finish(self) -> Upload:
        return self._upload

    async def _waited(self, readers: Readers, function: Callable[..., T], *arguments: object) -> T:
        """Call the function in a thread. The thread is left alone when the run is stopped: the writer may be silent."""
        reading = readers.run(self._path, function, *arguments)
        with self._brake.waking(reading.cancel), doing("waiting for the pipe"):
            # `wait` does not raise the error of `reading`, nor its cancellation.
            await asyncio.wait((reading,))
        if reading.cancelled():
            raise Stopped
        return reading.result()

    def _read(self, fd: int) -> bytes:
        """A chunk; less at the end of the pipe. A terminal would go on after its end."""
        pieces, missing = [], self._chunk_size
        while missing:
            piece = os.read(fd, missing)
            if not piece:
                self._is_ended = True
                break
            pieces.append(piece)
            missing -= len(piece)
        data = b"".join(pieces)
        if self._expect_md5 is not None:
            self._md5.update(data)
        return data

    def _check_all(self) -> None:
        """Raises SourceError if the pipe, which has ended, has not given what was expected."""
        if self._expect_size is not None and self.size != self._expect_size:
            said = f"it ended after {self.size} bytes, and `large.expect_size` says {self._expect_size}"
            raise self._unexpected(f"{said}: look whether the program before the pipe has failed")
        if self._expect_md5 is not None and (md5 := self._md5.hexdigest()) != self._expect_md5:
            raise self._unexpected(f"its MD5 is {md5}, and `large.expect_md5` says {self._expect_md5}")
        if not self.size and not self._may_be_empty:
            raise self._unexpected("it gave no bytes")
        if not self.size and self._expect_size is None:
            self._emit(Warned("the pipe gave no bytes: look whether the program before it has failed"))

    def _unexpected(self, detail: str) -> SourceError:
        return SourceError(self._path, "unexpected", f"{detail}. Nothing of it is stored")


def _open(path: bytes) -> int:
    """Blocks until a named pipe has a writer."""
    fd = sys.stdin.fileno() if path == STDIN else os.open(path, os.O_RDONLY)
    with suppress(ImportError, AttributeError, OSError):  # not Linux, not a pipe, or not allowed
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    return fd
