"""Files that wait for their turn, in a temporary file: `--last` may hold back any number of them. All calls block."""

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from bulkput.errors import UsageError
from bulkput.model import SourceFile

_IN_MEMORY = 1024 * 1024
"""Bytes; some ten thousand files. Only more than that are written to TMPDIR."""


class Waiting:
    """A queue of files. What is read is not removed."""

    def __init__(self, *, in_memory: int = _IN_MEMORY) -> None:
        """Keeps up to `in_memory` bytes in memory."""
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115 - closed by `close`
        self.count = 0

    def add(self, files: Sequence[SourceFile]) -> None:
        """Raises UsageError if TMPDIR is full."""
        try:
            for file in files:
                pickle.dump(file, self._file)
            self._file.flush()  # else `batches` would find out that there is no room
        except OSError as error:
            why = f"the files that wait for `last` cannot be kept on disk: {error.strerror}"
            raise UsageError(f"{why}: set TMPDIR to where there is room") from None
        self.count += len(files)

    def batches(self, size: int) -> Iterator[list[SourceFile]]:
        """All files, in the order in which they were added. Call it after the last `add`."""
        self._file.seek(0)
        every = (pickle.load(self._file) for _ in range(self.count))  # noqa: S301 - nobody else can write to this file
        while batch := list(islice(every, size)):
            yield batch

    def close(self) -> None:
        with suppress(OSError):  # what could not be written is not needed any more
            self._file.close()
