"""Findings in the order of their object names, where that is not the order of the file names: with escaped names (a
byte 0xFF sorts last, its `%FF` does not). And the names of a list: in order, or each of them once.

They are sorted on disk, in a temporary database that SQLite makes in TMPDIR (about 200 bytes for each) and removes with
the connection; its sorter holds a few MiB in memory, whatever their number.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from bulkput.errors import SourceError, UsageError
from bulkput.model import EmptyDirectory, Entry, Found, KnownFiles, Reason, Skip, SourceFile

_TABLE = (
    "CREATE TABLE found (key BLOB, kind TEXT, path BLOB, name BLOB, size INT, mtime TEXT, target BLOB, keeps_name INT,"
    " is_directory INT, problem TEXT, detail TEXT)"
)


def by_key(source: Iterator[Found], key: Callable[[Found], bytes | None]) -> Iterator[Found]:
    """What has a key, in bytewise order of it, once the source has ended; anything else at once.

    Raises UsageError when the names do not fit into TMPDIR.
    """
    with _database(_TABLE) as database:
        for found in source:
            if (place := key(found)) is None or isinstance(found, KnownFiles | EmptyDirectory):
                yield found
            else:
                database.execute("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(place, found))
        for row in database.execute("SELECT * FROM found ORDER BY key, rowid"):
            yield _found(row)


def in_order(names: Iterator[bytes]) -> Iterator[bytes]:
    """Each name once, in bytewise order, when all have come. Raises UsageError like `by_key`."""
    with _database("CREATE TABLE names (name BLOB)") as database:
        database.executemany("INSERT INTO names VALUES (?)", ((name,) for name in names))
        for (name,) in database.execute("SELECT name FROM names GROUP BY name ORDER BY name"):
            yield name


def each_once(names: Iterator[bytes]) -> Iterator[bytes]:
    """Each name as it comes, when it comes for the first time. Raises UsageError like `by_key`.

    What has come is on disk, as digests of 16 bytes: that any two of a hundred million names share one has a chance of
    less than 1 in 10^22.
    """
    with _database("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID") as database:
        for name in names:
            digest = hashlib.blake2b(name, digest_size=16).digest()
            if database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount:
                yield name


@contextmanager
def _database(table: str) -> Iterator[sqlite3.Connection]:
    """A temporary one. Raises UsageError when there is no room for it."""
    try:
        # Whoever drops the iterator may do so in another thread than the one that iterates.
        with closing(sqlite3.connect("", check_same_thread=False)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute(table)
            yield database
    except sqlite3.Error as error:
        raise UsageError(f"the names cannot be sorted on disk: {error}: set TMPDIR to where there is room") from None


def _row(key: bytes, found: Entry) -> tuple[Any, ...]:
    match found:
        case SourceError():
            return key, "error", found.path, *(None,) * 6, found.problem, found.detail
        case Skip():
            return key, "skip", found.path, found.name, *(None,) * 5, found.reason.name, None
    kinds = found.keeps_name, found.is_directory
    return key, "file", found.path, found.name, found.size, str(found.mtime_ns), found.target, *kinds, None, None


def _found(row: tuple[Any, ...]) -> Entry:
    _, kind, path, name, size, mtime_ns, target, keeps_name, is_directory, problem, detail = row
    if kind == "error":
        return SourceError(path, problem, detail)
    if kind == "skip":
        return Skip(path, name, Reason[problem])
    return SourceFile(path, name, size, int(mtime_ns), target, bool(keeps_name), bool(is_directory))
