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

_OPTIONS_BY_NAME = """
    INSERT INTO settings
    SELECT 'gzip.level', substr(value, instr(value, ' --gzip-level ') + 14) FROM settings
    WHERE name = '--gzip' AND instr(value, ' --gzip-level ');

    UPDATE settings SET value = substr(value, 1, instr(value, ' --gzip-level ') - 1)
    WHERE name = '--gzip' AND instr(value, ' --gzip-level ');

    UPDATE settings SET name = CASE name
        WHEN 'SOURCE' THEN 'sources'
        WHEN '--encode-names' THEN 'encode_names'
        WHEN '--gzip' THEN 'gzip.mode'
        WHEN '--gzip-as' THEN 'gzip.store_as'
        WHEN '--mtime-format' THEN 'headers.mtime_format'
        WHEN '--header, --meta, --content-type, --cache-control or --expires-in' THEN 'headers'
        ELSE name
    END;
"""
"""Settings were called after flags of the command line, and the gzip level was a part of another setting's value."""

MIGRATIONS = (
    """
    CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        what TEXT NOT NULL,         -- all, failed: which files it looked at
        began_s REAL NOT NULL,      -- seconds since 1970
        ended_s REAL,               -- NULL: it goes on, or was killed
        ending TEXT                 -- complete, or why not
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
    _OPTIONS_BY_NAME,
)
"""Each brings the schema before it to the next version; a new file gets them all. Never edit one that was released."""


def connect(path: bytes, *, is_read_only: bool) -> sqlite3.Connection:
    """A connection outside any transaction, for one thread at a time. Raises sqlite3.Error."""
    uri = f"file://{quote(os.path.abspath(path))}?mode={'ro' if is_read_only else 'rw'}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def connect_to_read(path: bytes) -> sqlite3.Connection:
    """To look at a journal that may be in use. Raises UsageError: not there, empty, no journal. Raises JournalError.

    With no log beside it nobody is writing, and SQLite is told so: it then makes no files of its own, which it could
    not remove again, nor on a read-only file system.
    """
    try:
        kind = os.stat(path).st_mode
    except OSError as error:
        raise UsageError(f"{printable(path)}: {error.strerror}") from None
    if not stat.S_ISREG(kind):
        raise UsageError(f"{printable(path)}: not a regular file")
    with as_journal_error(path):
        log = path + b"-wal"
        flag = "" if os.path.exists(log) and os.path.getsize(log) else "&immutable=1"
        uri = f"file://{quote(os.path.abspath(path))}?mode=ro{flag}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            version = check_version(connection, path)
        except BaseException:
            connection.close()
            raise
    if version == 0:
        connection.close()
        raise UsageError(f"{printable(path)} is empty: no run has used it")
    if version == 1:
        with as_journal_error(path):
            _rename_settings_in_memory(connection)
    return connection


def _rename_settings_in_memory(connection: sqlite3.Connection) -> None:
    """What the next run migrates in the file, for a connection that may not write to it: its own copy of the few rows,
    which stands before the file's table of that name. Closes the connection if that fails. Raises sqlite3.Error."""
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("CREATE TEMP TABLE settings AS SELECT name, value FROM main.settings")
        connection.executescript(_OPTIONS_BY_NAME)
    except BaseException:
        connection.close()
        raise


def stored_mtime(mtime_ns: int) -> int:
    """As SQLite can hold it, in 64 bits: a time before 1677 or after 2262 wraps round, and is compared as such."""
    return mtime_ns if -(2**63) <= mtime_ns < 2**63 else (mtime_ns + 2**63) % 2**64 - 2**63


@contextmanager
def as_journal_error(path: bytes) -> Iterator[None]:
    """SQLite's errors as JournalErrors."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(path, str(error)) from error


def create_or_lock(path: bytes, *, must_exist: bool = False) -> int:
    """A descriptor of the file at `path`, made with mode 0600 if there was none, and locked for one run.

    Keep it open until every connection is closed: POSIX drops a process's locks on a file, SQLite's own among them,
    with the first descriptor that is closed. Raises UsageError: a link, no regular file, no permission, in use.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        raise UsageError("`journal` needs file locks that this system does not have") from None
    try:
        create = 0 if must_exist else os.O_CREAT
        fd = os.open(path, os.O_RDWR | create | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        why = "it is a link: name the file itself" if error.errno == errno.ELOOP else error.strerror
        raise UsageError(f"`journal` {printable(path)}: {why}") from None
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
        raise UsageError(f"`journal` {printable(path)}: {why}")
    os.fchmod(fd, 0o600)  # it may have been there before
    return fd


def check_same_file(path: bytes, lock: int) -> None:
    """SQLite opens by name, and a file may be removed or replaced while it is open. Raises JournalError."""
    try:
        is_same = os.path.samestat(os.lstat(path), os.fstat(lock))
    except OSError:
        is_same = False
    if not is_same:
        raise JournalError(path, "it was removed or replaced while it was in use")


def is_in_use(path: bytes) -> bool:
    """Whether a run has it locked. Not for a process that has the journal open itself. Raises OSError."""
    import fcntl  # noqa: PLC0415 - not on Windows, where there are no journals

    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def bring_up_to_date(connection: sqlite3.Connection, path: bytes, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """The newest schema in a new file or one of an older version. Raises UsageError: no journal, or of a newer one.

    Commits do not wait for the disk (`synchronous = NORMAL`): a process that is killed loses nothing of what it has
    committed; when the power fails, the last commits may be missing, and their files are sent again.
    """
    version = check_version(connection, path, migrations)
    connection.execute("PRAGMA synchronous = NORMAL")
    if version == 0:
        connection.execute("PRAGMA journal_mode = WAL")
    if version < len(migrations):
        _migrate(connection, version, migrations)


def _migrate(connection: sqlite3.Connection, version: int, migrations: tuple[str, ...]) -> None:
    for number in range(version, len(migrations)):
        # One transaction each: a crash leaves a version that is whole.
        connection.executescript(
            f"BEGIN IMMEDIATE; {migrations[number]}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
        )
    # Into the file itself: a copy without its log is then known for what it is.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


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
    return UsageError(f"{printable(path)} is not a journal of bulkput: name another file")
