"""The file of a journal: how it is made, recognised, brought up to date and locked.

A SQLite database in WAL mode, so that `bulkput status` reads while a run writes. `application_id` says that it is ours,
`user_version` which schema it has. Whoever finds it may read it with the `sqlite3` program: names are plain.
"""

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from bulkput.errors import JournalError, UsageError, printable

APPLICATION_ID = 0x62756C6B  # "bulk"

MIGRATIONS = (
    """
    CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        began_s REAL NOT NULL       -- seconds since 1970
    );

    CREATE TABLE files (
        path BLOB PRIMARY KEY,      -- absolute; bytes, as the file system has them
        size INTEGER,               -- of the source, in bytes
        mtime_ns INTEGER,           -- of the source
        name TEXT,                  -- of the object; NULL: there is none for this path
        etag TEXT,                  -- as the store proved it; NULL: it proves none, or the file failed
        outcome TEXT NOT NULL,      -- uploaded, failed
        attempts INTEGER NOT NULL,  -- requests for it in the last run that sent it
        error TEXT,
        run INTEGER NOT NULL,       -- which run says so
        at_s INTEGER NOT NULL       -- when, in seconds since 1970
    ) WITHOUT ROWID;

    CREATE INDEX failed ON files (path) WHERE outcome = 'failed';
    """,
)
"""Each brings the schema before it to the next version; a new file gets them all. Never edit one that was released."""


def connect(path: bytes, *, is_read_only: bool) -> sqlite3.Connection:
    """A connection outside any transaction, for one thread at a time. Raises sqlite3.Error."""
    uri = f"file:{quote(path)}?mode={'ro' if is_read_only else 'rw'}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


@contextmanager
def as_journal_error(path: bytes) -> Iterator[None]:
    """SQLite's errors as JournalErrors."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(path, str(error)) from error


def create_or_lock(path: bytes) -> int:
    """A descriptor of the file at `path`, made with mode 0600 if there was none, and locked for one run.

    Keep it open until every connection is closed: POSIX drops a process's locks on a file, SQLite's own among them,
    with the first descriptor that is closed. Raises UsageError: a link, no regular file, no permission, in use.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        raise UsageError("--journal needs file locks that this system does not have") from None
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        why = "it is a link: name the file itself" if error.errno == errno.ELOOP else error.strerror
        raise UsageError(f"--journal {printable(path)}: {why}") from None
    why = None if stat.S_ISREG(os.fstat(fd).st_mode) else "not a regular file"
    if why is None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            why = "another run is using it"
        except OSError as error:
            why = f"cannot be locked: {error.strerror}"
    if why is not None:
        os.close(fd)
        raise UsageError(f"--journal {printable(path)}: {why}")
    return fd


def bring_up_to_date(connection: sqlite3.Connection, path: bytes, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """The newest schema in a new file or one of an older version. Raises UsageError: no journal, or of a newer one.

    Commits do not wait for the disk (`synchronous = NORMAL`): a process that is killed loses nothing of what it has
    committed; when the power fails, the last commits may be missing, and their files are sent again.
    """
    version = check_version(connection, path, migrations)
    connection.execute("PRAGMA synchronous = NORMAL")
    if version == 0:
        connection.execute("PRAGMA journal_mode = WAL")
    for number in range(version, len(migrations)):
        # One transaction each: a crash leaves a version that is whole.
        connection.executescript(
            f"BEGIN IMMEDIATE; {migrations[number]}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
        )


def check_version(connection: sqlite3.Connection, path: bytes, migrations: tuple[str, ...] = MIGRATIONS) -> int:
    """The version of the schema, 0 in an empty file. Raises UsageError where the file is something else."""
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, unreadable, full: a journal it may well be
            raise
        raise _no_journal(path) from None
    if application != APPLICATION_ID and (application or version or tables):
        raise _no_journal(path)
    if version > len(migrations):
        raise UsageError(f"journal {printable(path)} is of a newer bulkput (schema {version}): use that one")
    return int(version)


def _no_journal(path: bytes) -> UsageError:
    return UsageError(f"{printable(path)} is no journal of bulkput: name another file")
