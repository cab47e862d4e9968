"""Notes of a mirror, on disk: extra objects (no file is for them) and objects that stay and may read those.

SQLite keeps them in a temporary database in TMPDIR (about 200 bytes each) and removes it at the end. All calls block,
and each must end before the next begins.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from bulkput.errors import UsageError
from bulkput.model import RemoteObject
from bulkput.policy.references import Reference, may_read_others

_TABLES = """
CREATE TABLE extra (name BLOB PRIMARY KEY, bytes INT, hash TEXT, modified TEXT, large TEXT, link TEXT, may_read INT,
    spared_by TEXT) WITHOUT ROWID;
CREATE TABLE reader (path BLOB PRIMARY KEY, is_looked_at INT DEFAULT 0) WITHOUT ROWID;
"""


class Extras:
    """The extra objects of one container, and the readers: links and large objects that stay. Paths are
    CONTAINER/OBJECT."""

    def __init__(self, container: str) -> None:
        self._own = container + "/"
        self._database: sqlite3.Connection | None = None

    def add(self, extras: Sequence[RemoteObject], readers: Iterable[str]) -> None:
        """Note extras and readers. Raises UsageError if TMPDIR is full, as every other call does."""
        with _room():
            if self._database is None:
                # `close` may come from another thread.
                self._database = sqlite3.connect("", check_same_thread=False)
                self._database.executescript("PRAGMA journal_mode = OFF;" + _TABLES)
            self._database.executemany(
                "INSERT OR REPLACE INTO extra VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    (_blob(row.name), row.bytes, row.hash, row.last_modified, row.large, row.link, may_read_others(row))
                    for row in extras
                ),
            )
            self._database.executemany(_ADD_READER, ((_blob(path),) for path in readers))

    def readers(self, most: int) -> list[str]:
        """Up to `most` readers that have not been looked at yet; they count as looked at from now on."""
        if self._database is None:
            return []
        with _room():
            taken = self._database.execute("SELECT path FROM reader WHERE is_looked_at = 0 LIMIT ?", (most,)).fetchall()
            self._database.executemany("UPDATE reader SET is_looked_at = 1 WHERE path = ?", taken)
        return [_text(path) for (path,) in taken]

    def spare(self, reads: Iterable[Reference], by: str) -> None:
        """Note that the reader `by` reads these objects: extras among them stay, and those that may read others become
        readers."""
        if self._database is None:
            return
        with _room():
            for read in reads:
                if read.path.startswith(self._own):
                    self._spare(self._database, read, by)
                if read.may_read:
                    self._database.execute(_ADD_READER, (_blob(read.path),))

    def _spare(self, database: sqlite3.Connection, read: Reference, by: str) -> None:
        first = _blob(read.path.removeprefix(self._own))
        names = first, _end(first) if read.is_prefix else first + b"\0"
        database.execute(
            "UPDATE extra SET spared_by = ? WHERE spared_by IS NULL AND name >= ? AND name < ?", (by, *names)
        )
        database.execute(
            "INSERT OR IGNORE INTO reader (path) SELECT CAST(? || name AS BLOB) FROM extra"
            " WHERE may_read AND name >= ? AND name < ?",
            (_blob(self._own), *names),
        )

    def count(self, *, is_spared: bool) -> int:
        """How many extras stay because a reader reads them; or, with `is_spared` False, how many do not."""
        if self._database is None:
            return 0
        with _room():
            found = self._database.execute("SELECT COUNT(*) FROM extra WHERE (spared_by IS NOT NULL) = ?", (is_spared,))
            return int(found.fetchone()[0])

    def batches(self, size: int, *, is_spared: bool) -> Iterator[list[tuple[RemoteObject, str]]]:
        """The extras in order of their names, each with the reader that spares it."""
        last = b""
        query = (
            "SELECT name, bytes, hash, modified, large, link, spared_by FROM extra"
            " WHERE name > ? AND (spared_by IS NOT NULL) = ? ORDER BY name LIMIT ?"
        )
        while self._database is not None:
            with _room():
                rows = self._database.execute(query, (last, is_spared, size)).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [
                (RemoteObject(_text(name), count, md5, None, modified, large=large, link=link), by)
                for name, count, md5, modified, large, link, by in rows
            ]

    def close(self) -> None:
        if self._database is not None:
            self._database.close()


_ADD_READER = "INSERT OR IGNORE INTO reader (path) VALUES (?)"


def _end(prefix: bytes) -> bytes:
    """The first name after all that begin with `prefix`. UTF-8 has no byte 0xFF, so the last byte has a successor."""
    return prefix[:-1] + bytes((prefix[-1] + 1,)) if prefix else b"\xff"


def _blob(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(blob: bytes) -> str:
    return blob.decode("utf-8", "surrogatepass")


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        why = f"the names of objects without files cannot be kept on disk: {error}: set TMPDIR to where there is room"
        raise UsageError(why) from None
