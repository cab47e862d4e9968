"""The journal's rows of large files that are not uploaded yet: the parts that were sent, and the uploads in parts that
were begun, of stores that name these (S3)."""

import sqlite3
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from bulkput import events as ev
from bulkput.model import UnfinishedUpload

_PART = "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)"
_NOTED_PARTS = "SELECT state, upload, number, etag FROM parts WHERE path = ?"
_BEGUN = "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)"
_ALL_BEGUN = "SELECT path, key, id FROM uploads ORDER BY path, key, id"
_COMPLETED = ("DELETE FROM parts WHERE path = ?", "DELETE FROM uploads WHERE path = ?")

_Part = tuple[bytes, str, int, str, int, str]
_Begun = tuple[bytes, str, str]


class Taken(NamedTuple):
    """Queued rows that are about to be written. `completed` are paths of files whose rows are deleted afterwards, but
    for those of `kept`."""

    parts: list[_Part]
    begun: list[_Begun]
    completed: list[tuple[bytes]]
    kept: list[_Begun]

    def __bool__(self) -> bool:
        return bool(self.parts or self.begun or self.completed)


class PartRows:
    """Takes events on the event loop, and gives their rows to the journal's thread."""

    def __init__(self) -> None:
        self._parts: deque[_Part] = deque()
        self._begun: deque[_Begun] = deque()
        self._completed: deque[tuple[bytes]] = deque()
        self._kept: deque[_Begun] = deque()
        self._keep: dict[bytes, list[UnfinishedUpload]] = {}
        self._in_parts: set[bytes] = set()
        """Paths of files of which uploads were begun."""

    def completed(self, event: ev.Uploaded) -> None:
        """The file is stored: its rows are of no interest any more. It may have been sent whole this time."""
        path = event.upload.source.path
        if event.parts or path in self._in_parts:
            self._in_parts.discard(path)
            self._completed.append((path,))
            self._kept.extend((path, each.key, each.id) for each in self._keep.pop(path, ()))

    def keep(self, path: bytes, upload: UnfinishedUpload) -> None:
        """The upload stays in the store when the file is stored: so does its row."""
        self._keep.setdefault(path, []).append(upload)

    def sent(self, event: ev.PartStored) -> None:
        part = event.part
        if event.state:
            self._parts.append((event.path, event.upload.id, part.number, part.md5, part.size, event.state))

    def begun(self, event: ev.UploadBegun) -> None:
        self._in_parts.add(event.path)
        self._begun.append((event.path, event.key, event.id))

    def take(self) -> Taken:
        """All queued rows. `completed` is taken first: then all parts of these files are among the others."""
        kept = [self._kept.popleft() for _ in range(len(self._kept))]
        completed = [self._completed.popleft() for _ in range(len(self._completed))]
        parts = [self._parts.popleft() for _ in range(len(self._parts))]
        return Taken(parts, [self._begun.popleft() for _ in range(len(self._begun))], completed, kept)

    def give_back(self, taken: Taken) -> None:
        self._parts.extendleft(reversed(taken.parts))
        self._begun.extendleft(reversed(taken.begun))
        self._completed.extendleft(reversed(taken.completed))
        self._kept.extendleft(reversed(taken.kept))

    @staticmethod
    def write(connection: sqlite3.Connection, taken: Taken) -> None:
        """Inside a transaction. Raises sqlite3.Error."""
        connection.executemany(_PART, taken.parts)
        connection.executemany(_BEGUN, taken.begun)
        for statement in _COMPLETED:
            connection.executemany(statement, taken.completed)
        connection.executemany(_BEGUN, taken.kept)

    def read_begun(self, connection: sqlite3.Connection) -> dict[bytes, tuple[UnfinishedUpload, ...]]:
        """The uploads that runs have begun, by the paths of their files. Raises sqlite3.Error."""
        found: dict[bytes, tuple[UnfinishedUpload, ...]] = {}
        rows: Iterable[_Begun] = connection.execute(_ALL_BEGUN)
        for path, key, upload_id in rows:
            found[path] = (*found.get(path, ()), UnfinishedUpload(key, upload_id, ""))
        self._in_parts.update(found)
        return found


def noted_parts(connection: sqlite3.Connection, path: bytes) -> tuple[tuple[str, str, int, str], ...]:
    """State, upload, number and MD5 (hex) of all parts of a file. Raises sqlite3.Error."""
    return tuple(connection.execute(_NOTED_PARTS, (path,)))
