"""Notes of a mirror, on disk: extra objects (no file is for them) and objects that stay and may read those.

SQLite keeps them in a temporary database in TMPDIR (about 200 bytes each) and removes it at the end. All calls block,
and each must end before the next begins.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from bulkput.model import RemoteObject
from bulkput.policy.references import Reference, may_read_others
from bulkput.sources.on_disk import as_blob, as_text, end_of, room_for, temporary_database

_TABLES = """
CREATE TABLE extra (name BLOB PRIMARY KEY, bytes INT, hash TEXT, modified TEXT, large TEXT, link TEXT, may_read INT,
    spared_by TEXT) WITHOUT ROWID;
CREATE TABLE reader (path BLOB PRIMARY KEY, is_looked_at INT DEFAULT 0) WITHOUT ROWID;
CREATE TABLE target (path BLOB PRIMARY KEY, read_by TEXT) WITHOUT ROWID;
"""
_WHAT = "the names of objects without files"


class Extras:
    """The extra objects of one container, and the readers: links and large objects that stay. Paths are
    CONTAINER/OBJECT."""

    def __init__(self, container: str) -> None:
        self._own = container + "/"
        self._database: sqlite3.Connection | None = None

    def add(
        self, extras: Sequence[RemoteObject], readers: Iterable[str], links: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Note extras, readers, and links of this run, each as its target and its name: `spare_targets` spares the
        targets. Raises UsageError if TMPDIR is full, as every other call does."""
        with room_for(_WHAT):
            if self._database is None:
                self._database = temporary_database(_TABLES)
            self._database.executemany(
                "INSERT OR REPLACE INTO extra VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    (
                        as_blob(row.name),
                        row.bytes,
                        row.hash,
                        row.last_modified,
                        row.large,
                        row.link,
                        may_read_others(row),
                    )
                    for row in extras
                ),
            )
            self._database.executemany(_ADD_READER, ((as_blob(path),) for path in readers))
            self._database.executemany(
                "INSERT OR IGNORE INTO target VALUES (?, ?)", ((as_blob(path), by) for path, by in links)
            )

    def readers(self, most: int) -> list[str]:
        """Up to `most` readers that have not been looked at yet; they count as looked at from now on."""
        if self._database is None:
            return []
        with room_for(_WHAT):
            taken = self._database.execute("SELECT path FROM reader WHERE is_looked_at = 0 LIMIT ?", (most,)).fetchall()
            self._database.executemany("UPDATE reader SET is_looked_at = 1 WHERE path = ?", taken)
        return [as_text(path) for (path,) in taken]

    def spare_targets(self) -> None:
        """Spare the extras to which noted links lead, and make all targets readers. Call it after all extras are
        noted."""
        if self._database is None:
            return
        own = as_blob(self._own)
        with room_for(_WHAT):
            self._database.execute(
                "UPDATE extra SET spared_by = (SELECT read_by FROM target WHERE path = CAST(? || name AS BLOB))"
                " WHERE spared_by IS NULL",
                (own,),
            )
            self._database.execute("INSERT OR IGNORE INTO reader (path) SELECT path FROM target")

    def spare(self, reads: Iterable[Reference], by: str) -> None:
        """Note that the reader `by` reads these objects: extras among them stay, and those that may read others become
        readers."""
        if self._database is None:
            return
        with room_for(_WHAT):
            for read in reads:
                if read.path.startswith(self._own):
                    self._spare(self._database, read, by)
                if read.may_read:
                    self._database.execute(_ADD_READER, (as_blob(read.path),))

    def _spare(self, database: sqlite3.Connection, read: Reference, by: str) -> None:
        first = as_blob(read.path.removeprefix(self._own))
        names = first, end_of(first) if read.is_prefix else first + b"\0"
        database.execute(
            "UPDATE extra SET spared_by = ? WHERE spared_by IS NULL AND name >= ? AND name < ?", (by, *names)
        )
        database.execute(
            "INSERT OR IGNORE INTO reader (path) SELECT CAST(? || name AS BLOB) FROM extra"
            " WHERE may_read AND name >= ? AND name < ?",
            (as_blob(self._own), *names),
        )

    def count(self, *, is_spared: bool) -> int:
        """How many extras stay because a reader reads them; or, with `is_spared` False, how many do not."""
        if self._database is None:
            return 0
        with room_for(_WHAT):
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
            with room_for(_WHAT):
                rows = self._database.execute(query, (last, is_spared, size)).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [
                (RemoteObject(as_text(name), count, md5, None, modified, large=large, link=link), by)
                for name, count, md5, modified, large, link, by in rows
            ]

    def forget(self, names: Iterable[str]) -> None:
        """Drop extras to which nothing has to be done."""
        if self._database is None:
            return
        with room_for(_WHAT):
            self._database.executemany("DELETE FROM extra WHERE name = ?", ((as_blob(name),) for name in names))

    def close(self) -> None:
        if self._database is not None:
            self._database.close()


_ADD_READER = "INSERT OR IGNORE INTO reader (path) VALUES (?)"
