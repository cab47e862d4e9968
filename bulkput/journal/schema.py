"""Creates, recognises, migrates and locks the file of a journal.

The file is a SQLite database in WAL mode, so that `bulkput status` can read it while a run writes. `application_id`
marks it as a journal of bulkput, `user_version` is the version of its schema. Its names are plain, so that people can
read it with the `sqlite3` program.
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
"""Schema 1 named settings after flags of the command line, and the gzip level was a part of another setting's value."""

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
    """
    CREATE TABLE parts (            -- of large files that are not uploaded yet
        path BLOB NOT NULL,         -- of the file
        upload TEXT NOT NULL,       -- what the store knows its parts by; in Swift CONTAINER/PREFIX
        number INTEGER NOT NULL,    -- from 1
        etag TEXT NOT NULL,         -- the part's MD5, as the store proved it
        size INTEGER NOT NULL,      -- of the part, in bytes
        state TEXT NOT NULL,        -- of the file when the part was sent: device, inode and ctime_ns
        PRIMARY KEY (path, upload, number)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE uploads (          -- in parts, of large files that are not uploaded yet; of stores that name them (S3)
        path BLOB NOT NULL,         -- of the file
        key TEXT NOT NULL,          -- of the object
        id TEXT NOT NULL,           -- the store's name for the upload, which a run has begun
        PRIMARY KEY (path, key, id)
    ) WITHOUT ROWID;
    """,
)
"""Each item migrates the schema to the next version. A new file gets all of them. Never edit a released one."""


_ANY = {
    "files": "SELECT 1 FROM files LIMIT 1",
    "parts": "SELECT 1 FROM parts LIMIT 1",
    "uploads": "SELECT 1 FROM uploads LIMIT 1",
}


def has_rows(connection: sqlite3.Connection) -> bool:
    """Whether a run has noted anything of a file. Raises sqlite3.Error."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    # A journal that is only read may be of an earlier schema.
    return any(connection.execute(any_of).fetchone() for table, any_of in _ANY.items() if table in there)


def connect(path: bytes, *, is_read_only: bool) -> sqlite3.Connection:
    """Open a connection outside any transaction, for one thread at a time. Raises sqlite3.Error."""
    uri = f"file://{quote(os.path.abspath(path))}?mode={'ro' if is_read_only else 'rw'}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def connect_to_read(path: bytes) -> sqlite3.Connection:
    """Open a journal that may be in use, to read it. Raises JournalError, and UsageError if the file is missing, empty
    or no journal.

    If it has no log file, no process writes to it. SQLite then opens it as immutable and makes no files of its own: on
    a read-only file system it could not make them, and elsewhere it could not remove them again.
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
    """Rename the settings of a schema-1 journal for a connection that may not write to the file.

    The connection gets a temporary table `settings`, which hides the table of the file. Closes the connection if that
    fails. Raises sqlite3.Error."""
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("CREATE TEMP TABLE settings AS SELECT name, value FROM main.settings")
        connection.executescript(_OPTIONS_BY_NAME)
    except BaseException:
        connection.close()
        raise


def stored_mtime(mtime_ns: int) -> int:
    """The time in SQLite's 64 bits. A time before 1677 or after 2262 wraps round; comparisons use the wrapped value."""
    return mtime_ns if -(2**63) <= mtime_ns < 2**63 else (mtime_ns + 2**63) % 2**64 - 2**63


@contextmanager
def as_journal_error(path: bytes) -> Iterator[None]:
    """Turns SQLite's errors into JournalErrors."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(path, str(error)) from error


def create_or_lock(path: bytes, *, must_exist: bool = False) -> int:
    """Open the file at `path`, create it with mode 0600 if it is missing, and lock it for one run. Returns the
    descriptor.

    Keep the descriptor open until every connection is closed: when a process closes any descriptor of a file, POSIX
    drops all its locks on that file, SQLite's included. Raises UsageError for a link, a file that is not regular,
    missing permission, and a journal in use.
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
    """Raises JournalError if `path` no longer names the locked file: SQLite opens by name, and it may be replaced."""
    try:
        is_same = os.path.samestat(os.lstat(path), os.fstat(lock))
    except OSError:
        is_same = False
    if not is_same:
        raise JournalError(path, "it was removed or replaced while it was in use")


def is_in_use(path: bytes) -> bool:
    """Whether a run has locked the journal. Do not call it in a process that has it open itself. Raises OSError."""
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
    """Give a new or older file the newest schema. Raises UsageError for a file of something else or of a newer bulkput.

    Commits do not wait for the disk (`synchronous = NORMAL`). A process that is killed loses no commit. A power failure
    may lose the last ones; their files are sent again.
    """
    version = check_version(connection, path, migrations)
    connection.execute("PRAGMA synchronous = NORMAL")
    if version == 0:
        connection.execute("PRAGMA journal_mode = WAL")
    if version < len(migrations):
        _migrate(connection, version, migrations)


def _migrate(connection: sqlite3.Connection, version: int, migrations: tuple[str, ...]) -> None:
    for number in range(version, len(migrations)):
        # Each in one transaction: after a crash the file has one version or the next.
        connection.executescript(
            f"BEGIN IMMEDIATE; {migrations[number]}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
        )
    # Write the log into the file: a copy without its log is then still recognised as a journal.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def check_version(connection: sqlite3.Connection, path: bytes, migrations: tuple[str, ...] = MIGRATIONS) -> int:
    """The version of the schema; 0 for an empty file. Raises UsageError if the file is something else."""
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, unreadable, full: it may be a journal
            raise
        raise _no_journal(path) from None
    if application != APPLICATION_ID and (application or version or tables):
        raise _no_journal(path)
    if version > len(migrations):
        raise UsageError(f"journal {printable(path)} is of a newer bulkput (schema {version}): use that version")
    return int(version)


def _no_journal(path: bytes) -> UsageError:
    return UsageError(f"{printable(path)} is not a journal of bulkput: name another file")
