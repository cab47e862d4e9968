"""Notes about segments of large objects, on disk: which there are, which objects may read them, and which are read.

SQLite keeps them in a temporary database in TMPDIR (about 300 bytes each) and removes it at the end. All calls block,
and each must end before the next begins. Paths are CONTAINER/OBJECT.
"""

from collections.abc import Iterable, Sequence

from bulkput.model import RemoteObject
from bulkput.policy.leftovers import UnreadGroup
from bulkput.policy.references import Reference
from bulkput.policy.skip import stored_ns
from bulkput.record import record
from bulkput.sources.on_disk import as_blob, as_text, end_of, room_for, temporary_database

_TABLES = """
CREATE TABLE segment (path BLOB PRIMARY KEY, family BLOB, bytes INT, hash TEXT, modified TEXT, large TEXT, link TEXT,
    stored_ns INT, is_ours INT, read_by TEXT, is_told INT DEFAULT 0) WITHOUT ROWID;
CREATE INDEX by_family ON segment (family, path);
CREATE TABLE reader (path BLOB PRIMARY KEY, mark TEXT, is_looked_at INT DEFAULT 0) WITHOUT ROWID;
"""
_WHAT = "the names of segments"
_SELECT = "SELECT path, bytes, hash, modified, large, link FROM segment "


@record
class SegmentRow:
    """One segment, the path of its group, and whether bulkput has sent it."""

    row: RemoteObject
    group: str
    is_ours: bool


class SegmentNotes:
    """Every call raises UsageError if TMPDIR is full."""

    def __init__(self) -> None:
        with room_for(_WHAT):
            self._database = temporary_database(_TABLES)

    def add(self, container: str, segments: Iterable[SegmentRow]) -> None:
        """Note segments in `container`."""
        with room_for(_WHAT):
            self._database.executemany(
                "INSERT OR REPLACE INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0)",
                (
                    (as_blob(f"{container}/{row.name}"), as_blob(group), *_values(row), stored_ns(row), is_ours)
                    for row, group, is_ours in ((each.row, each.group, each.is_ours) for each in segments)
                ),
            )

    def add_readers(self, rows: Iterable[tuple[str, RemoteObject]]) -> None:
        """Note objects that may read others. One that was noted before, and is the same, is not looked at again."""
        with room_for(_WHAT):
            self._database.executemany(_ADD_READER, ((as_blob(path), repr(_values(row))) for path, row in rows))

    def readers(self, most: int) -> list[str]:
        """Up to `most` readers that have not been looked at yet; they count as looked at from now on."""
        with room_for(_WHAT):
            query = "SELECT path FROM reader WHERE is_looked_at = 0 LIMIT ?"
            taken = self._database.execute(query, (most,)).fetchall()
            self._database.executemany("UPDATE reader SET is_looked_at = 1 WHERE path = ?", taken)
        return [as_text(path) for (path,) in taken]

    def note_reads(self, reads: Iterable[Reference], by: str) -> None:
        """Note that the object `by` reads these. Those that may read others become readers, if they are not noted."""
        with room_for(_WHAT):
            for read in reads:
                first = as_blob(read.path)
                names = first, end_of(first) if read.is_prefix else first + b"\0"
                self._database.execute(
                    "UPDATE segment SET read_by = ? WHERE read_by IS NULL AND path >= ? AND path < ?", (by, *names)
                )
                if read.may_read:
                    self._database.execute("INSERT OR IGNORE INTO reader (path) VALUES (?)", (first,))

    def groups(self, after: str, most: int) -> list[UnreadGroup]:
        """Up to `most` groups with segments that nothing reads, in order of their paths, after the path `after`."""
        query = (
            "SELECT family, COUNT(*), SUM(bytes), MAX(stored_ns), COUNT(stored_ns), MIN(is_ours) FROM segment"
            " WHERE read_by IS NULL AND family > ? GROUP BY family ORDER BY family LIMIT ?"
        )
        with room_for(_WHAT):
            rows = self._database.execute(query, (as_blob(after), most)).fetchall()
        return [
            UnreadGroup(as_text(family), count, size or 0, youngest if times == count else None, bool(ours))
            for family, count, size, youngest, times, ours in rows
        ]

    def unread(self, group: str, after: str, most: int) -> list[RemoteObject]:
        """Up to `most` segments of the group that nothing reads, in order of their paths, after the path `after`."""
        query = _SELECT + "WHERE family = ? AND read_by IS NULL AND path > ? ORDER BY path LIMIT ?"
        with room_for(_WHAT):
            rows = self._database.execute(query, (as_blob(group), as_blob(after), most)).fetchall()
        return [_remote(row) for row in rows]

    def begin_again(self) -> None:
        """From now on `newly_read` gives only what is noted as read from now on."""
        with room_for(_WHAT):
            self._database.execute("UPDATE segment SET is_told = 1 WHERE read_by IS NOT NULL AND NOT is_told")

    def newly_read(self) -> list[tuple[str, int, str]]:
        """The groups with segments that are read and were not so before: path, number, and one of their readers."""
        with room_for(_WHAT):
            rows = self._database.execute(
                "SELECT family, COUNT(*), MIN(read_by) FROM segment WHERE read_by IS NOT NULL AND NOT is_told"
                " GROUP BY family ORDER BY family"
            ).fetchall()
        return [(as_text(family), count, by) for family, count, by in rows]

    def first_unknown(self, container: str, rows: Sequence[RemoteObject]) -> RemoteObject | None:
        """The first of the rows that is not noted exactly so."""
        query = _SELECT + "WHERE path = ?"
        with room_for(_WHAT):
            for row in rows:
                noted = self._database.execute(query, (as_blob(f"{container}/{row.name}"),)).fetchone()
                if noted is None or noted[1:] != _values(row):
                    return row
        return None

    def count(self, *, is_read: bool) -> tuple[int, int, int]:
        """Groups, segments and bytes that something reads, or that nothing reads."""
        query = (
            "SELECT COUNT(DISTINCT family), COUNT(*), COALESCE(SUM(bytes), 0) FROM segment"
            " WHERE (read_by IS NOT NULL) = ?"
        )
        with room_for(_WHAT):
            groups, count, size = self._database.execute(query, (is_read,)).fetchone()
        return groups, count, size

    def close(self) -> None:
        self._database.close()


_ADD_READER = (
    "INSERT INTO reader (path, mark) VALUES (?, ?) ON CONFLICT (path) DO UPDATE"
    " SET mark = excluded.mark, is_looked_at = 0 WHERE mark IS NOT excluded.mark"
)


def _values(row: RemoteObject) -> tuple[int | None, str | None, str | None, str | None, str | None]:
    return row.bytes, row.hash, row.last_modified, row.large, row.link


def _remote(row: tuple[bytes, int | None, str | None, str | None, str | None, str | None]) -> RemoteObject:
    path, size, md5, modified, large, link = row
    name = as_text(path).partition("/")[2]
    # SQLite does not know what is written into `large`: it comes from a RemoteObject.
    return RemoteObject(name, size, md5, None, modified, large=large, link=link)  # type: ignore[arg-type]
