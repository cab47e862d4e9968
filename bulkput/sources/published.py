"""A manifest of a publish on disk: the notes from which one is written in order, and one that was fetched.

Everything is in TMPDIR. All calls block, and each must end before the next begins.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress

from bulkput.errors import UsageError
from bulkput.policy.manifest import Published, line_of, row_of
from bulkput.sources.on_disk import as_blob, as_text, room_for, temporary_database

_TABLE = "CREATE TABLE published (name BLOB PRIMARY KEY, bytes INT, hash TEXT, content_type TEXT) WITHOUT ROWID;"
_NOTES = "the names of what is published"
_FETCHED = "the manifest"
_MOST_LINE = 64 * 1024
"""Bytes of a line at most. A name of 1024 bytes has 6 KiB at most when each of them is escaped."""
_BATCH = 1_000


class PublishedNotes:
    """What a run has published, each name once. SQLite keeps it in a temporary database (about 150 bytes each)."""

    def __init__(self) -> None:
        self._database: sqlite3.Connection | None = None
        self._written: str | None = None

    def add(self, rows: Sequence[Published]) -> None:
        """Note these; of two with one name, the later. Raises UsageError if TMPDIR is full."""
        with room_for(_NOTES):
            if self._database is None:
                self._database = temporary_database(_TABLE)
            self._database.executemany(
                "INSERT OR REPLACE INTO published VALUES (?, ?, ?, ?)",
                ((as_blob(row.name), row.bytes, row.hash, row.content_type) for row in rows),
            )

    @property
    def are_empty(self) -> bool:
        return self._database is None

    def write(self) -> None:
        """Write the manifest to a file, `path`. Raises UsageError if TMPDIR is full."""
        if self._database is None:
            raise AssertionError("nothing is noted")
        with room_for(_FETCHED):
            descriptor, self._written = tempfile.mkstemp(prefix="bulkput-manifest-")
            with open(descriptor, "wb") as file:
                for name, size, md5, content_type in self._database.execute("SELECT * FROM published ORDER BY name"):
                    file.write(line_of(Published(as_text(name), size, md5, content_type)))

    @property
    def path(self) -> bytes:
        """The file that `write` has written. `close` removes it."""
        if self._written is None:
            raise AssertionError("nothing is written")
        return os.fsencode(self._written)

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
        if self._written is not None:
            with suppress(OSError):  # something that cleans TMPDIR was faster
                os.unlink(self._written)
            self._written = None


class FetchedManifest:
    """A manifest that is fetched: written from its beginning, then read as often as need be. Close it at the end."""

    def __init__(self, what: str) -> None:
        """`what` names it in messages."""
        self._what = what
        with room_for(_FETCHED):
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    def begin(self) -> None:
        """Forget what is written. Raises UsageError if TMPDIR is full, as `write` does."""
        with room_for(_FETCHED):
            self._file.seek(0)
            self._file.truncate()

    def write(self, piece: bytes) -> None:
        with room_for(_FETCHED):
            self._file.write(piece)

    def batches(self) -> Iterator[list[Published]]:
        """The lines in their order. Raises UsageError with the number of the first line that is none of a manifest."""
        with room_for(_FETCHED):
            self._file.seek(0)
        batch: list[Published] = []
        last, number = b"", 0
        while line := self._line():
            number += 1
            try:
                row = _row(line, last)
            except ValueError as why:
                raise UsageError(f"{self._what} is no manifest: line {number}: {why}") from None
            last = row.name.encode()
            batch.append(row)
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
        if not number:
            raise UsageError(f"{self._what} is no manifest: it is empty")

    def _line(self) -> bytes:
        with room_for(_FETCHED):
            return self._file.readline(_MOST_LINE + 1)

    def close(self) -> None:
        self._file.close()


def _row(line: bytes, last: bytes) -> Published:
    """The row of a line that comes after the name `last`. Raises ValueError."""
    if len(line) > _MOST_LINE:
        raise ValueError(f"it has more than {_MOST_LINE} bytes")
    row = row_of(line)
    if row.name.encode() <= last:
        raise ValueError("its name does not come after the name before it, in bytewise order")
    return row
