"""Sorts on disk: findings by object name, and the names of a list, also by size.

The order of object names differs from that of file names if names are escaped (a byte 0xFF sorts last, its `%FF` does
not). SQLite keeps the names in a temporary database in TMPDIR (about 200 bytes each) and removes it at the end. Its
sorter takes a few MiB of memory, whatever the number of names.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from bulkput.activity import current
from bulkput.errors import SourceError, UsageError
from bulkput.model import EmptyDirectoryFound, Entry, Found, KnownFiles, Reason, Skip, SourceFile

_TABLE = (
    "CREATE TABLE found (key BLOB, kind TEXT, path BLOB, name BLOB, size INT, mtime TEXT, target BLOB,"
    " is_directory INT, problem TEXT, detail TEXT)"
)


def by_key(source: Iterator[Found], key: Callable[[Found], bytes | None]) -> Iterator[Found]:
    """Findings without a key at once; those with one in bytewise order of the keys, after the source has ended.

    Raises UsageError if the names do not fit into TMPDIR.
    """
    with _database(_TABLE) as database:
        for found in source:
            if (place := key(found)) is None or isinstance(found, KnownFiles | EmptyDirectoryFound):
                yield found
            else:
                database.execute("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(place, found))
        current().in_hand = None  # what takes long from now on is the sorting, and no path
        for row in database.execute("SELECT * FROM found ORDER BY key, rowid"):
            yield _found(row)


def in_order(names: Iterator[bytes]) -> Iterator[bytes]:
    """Each name once, in bytewise order, after the last one has arrived. Raises UsageError like `by_key`."""
    with _database("CREATE TABLE names (name BLOB)") as database:
        database.executemany("INSERT INTO names VALUES (?)", ((name,) for name in names))
        current().in_hand = None  # what takes long from now on is the sorting, and not the list
        for (name,) in database.execute("SELECT name FROM names GROUP BY name ORDER BY name"):
            yield name


def largest_first(files: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Each name once, with its size: from the largest size to the smallest, equal ones in bytewise order of the names,
    after the last one has arrived. Raises UsageError like `by_key`."""
    with _database("CREATE TABLE files (name BLOB, size INT)") as database:
        database.executemany("INSERT INTO files VALUES (?, ?)", files)
        current().in_hand = None  # what takes long from now on is the sorting, and not the list
        yield from database.execute("SELECT name, max(size) FROM files GROUP BY name ORDER BY 2 DESC, 1")


def each_once(names: Iterator[bytes]) -> Iterator[bytes]:
    """Each name when it comes for the first time. Raises UsageError like `by_key`.

    Names are remembered on disk as digests of 16 bytes. The chance that two of a hundred million names share a digest
    is below 1 in 10^22.
    """
    with _database("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID") as database:
        for name in names:
            digest = hashlib.blake2b(name, digest_size=16).digest()
            if database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount:
                yield name


@contextmanager
def _database(table: str) -> Iterator[sqlite3.Connection]:
    """A temporary database. Raises UsageError if TMPDIR has no room for it."""
    try:
        # The iterator may be closed in another thread than the one that iterates.
        with closing(sqlite3.connect("", check_same_thread=False)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute(table)
            yield database
    except sqlite3.Error as error:
        raise UsageError(f"the names cannot be sorted on disk: {error}: set TMPDIR to where there is room") from None


def _row(key: bytes, found: Entry) -> tuple[Any, ...]:
    match found:
        case SourceError():
            return key, "error", found.path, *(None,) * 5, found.problem, found.detail
        case Skip():
            return key, "skip", found.path, found.name, *(None,) * 4, found.reason.name, None
    about = found.size, str(found.mtime_ns), found.target, found.is_directory
    return key, "file", found.path, found.name, *about, None, None


def _found(row: tuple[Any, ...]) -> Entry:
    _, kind, path, name, size, mtime_ns, target, is_directory, problem, detail = row
    if kind == "error":
        return SourceError(path, problem, detail)
    if kind == "skip":
        return Skip(path, name, Reason[problem])
    return SourceFile(path, name, size, int(mtime_ns), target, bool(is_directory))
