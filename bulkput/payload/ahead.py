"""A file of which the next piece is read, in a thread, while the one before is used."""

import asyncio
import threading
from concurrent.futures import Future
from io import FileIO
from typing import Any

from bulkput.activity import doing
from bulkput.payload.readers import Readers

CLOSE_S = 1.0
"""Who lets go of a file waits so long for its closing, then leaves it to a thread: a request that is over must not
wait for a disk that hangs."""


class ReadAhead:
    """A file of which one piece is read, in a thread, while the piece before is used."""

    def __init__(self, path: bytes, file: FileIO, readers: Readers) -> None:
        self.fileno = file.fileno
        self._path = path
        self._file = file
        self._readers = readers
        self._reading: Future[bytes | None] | None = None
        self._lock = threading.Lock()
        self._is_reading = False
        self._is_left = False

    def begin(self, size: int) -> None:
        """Read up to `size` bytes."""
        self._reading = self._readers.submit(self._path, self._read, size)

    @doing("reading")
    async def begun(self) -> bytes | None:
        """What was begun to be read; nothing at the end of the file."""
        return await asyncio.wrap_future(self._reading) if self._reading is not None else None

    async def settled(self) -> None:
        """Wait a little for a read that is still going on."""
        if self._reading is not None and not self._reading.done():
            reading = asyncio.wrap_future(self._reading)
            reading.add_done_callback(forget)
            await asyncio.wait((reading,), timeout=CLOSE_S)

    def close(self) -> None:
        """In a thread. A read that is still going on would go on in whatever file gets the same number next: then it is
        that thread which closes the file when it comes back."""
        with self._lock:
            self._is_left = True
            if not self._is_reading:
                self._file.close()

    def _read(self, size: int) -> bytes | None:
        self._is_reading = True
        try:
            return self._file.read(size)
        finally:
            with self._lock:
                self._is_reading = False
                if self._is_left:
                    self._file.close()


def forget(closing: "asyncio.Future[Any]") -> None:
    """A file of which all was read is none the worse for an error when it is closed."""
    if not closing.cancelled():
        closing.exception()
