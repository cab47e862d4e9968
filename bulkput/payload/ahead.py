"""Read-ahead: a thread reads the next piece of a file while the present piece is sent."""

import asyncio
import threading
from concurrent.futures import Future
from io import FileIO
from typing import Any

from bulkput.activity import doing
from bulkput.payload.readers import Readers

CLOSE_S = 1.0
"""Seconds to wait until a file is closed; then its thread finishes alone. A finished request must not wait for a disk
that hangs."""


class ReadAhead:
    """An open file with at most one read under way, in a thread."""

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
        """Start to read up to `size` bytes."""
        self._reading = self._readers.submit(self._path, self._read, size)

    async def begun(self) -> bytes | None:
        """The bytes that `begin` asked for; fewer or none at the end of the file."""
        if self._reading is None:
            return None
        with doing("reading"):
            return await asyncio.wrap_future(self._reading)

    async def settled(self) -> None:
        """Wait up to CLOSE_S for a read under way."""
        if self._reading is not None and not self._reading.done():
            reading = asyncio.wrap_future(self._reading)
            reading.add_done_callback(forget)
            await asyncio.wait((reading,), timeout=CLOSE_S)

    def close(self) -> None:
        """Close the file; call this in a thread.

        If a read is under way, its thread closes the file when it returns. Closing it here would free the descriptor,
        and the read would go on in the next file that gets the same number.
        """
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
    """Ignore an error of closing: everything that was needed has been read."""
    if not closing.cancelled():
        closing.exception()
