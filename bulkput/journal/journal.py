"""The journal of a run: which files are in the store. A row is written after the store has proven it, never before.

    event loop ──rows──> two deques ──thread, every 0.25 s or 500 rows──> one SQLite transaction

If the process is killed, the next run sends again whatever had no row yet; whatever has a row is stored. No totals are
stored: `status.py` counts them when it is asked, so they cannot be wrong.
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Literal

from bulkput import events as ev
from bulkput.errors import JournalError
from bulkput.journal.parts import PartRows, Taken, noted_parts
from bulkput.journal.same_run import refuse_other
from bulkput.journal.schema import (
    as_journal_error,
    bring_up_to_date,
    check_same_file,
    connect,
    connect_to_read,
    create_or_lock,
    has_rows,
    stored_mtime,
)
from bulkput.model import RemoteObject, UnfinishedUpload

_EVERY_S = 0.25
_ROWS = 500
"""Outcomes written in one transaction; fewer if _EVERY_S ends first. A killed process loses no more rows than that."""
_PATIENCE_S = 60.0
"""Seconds to wait for the last rows at the end of a run."""
_LOOK_S = 5.0
"""Seconds that `close` waits for a look that is under way in another thread."""
_BEHIND = 1_000
"""Rows to be written from which on the scan waits for the disk."""
_AT_ONCE = 100
"""Rows per statement. SQLite releases the interpreter lock once per statement, and in a busy process the thread waits
up to 5 ms to get it back."""
_UPLOADED = """
    INSERT OR REPLACE INTO files
    SELECT column1, column2, column3, column4, column5, 'uploaded', 1, NULL, ?1, ?2 FROM (VALUES {})
"""
_OTHER = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM files WHERE path = ?1 AND (?2 IS NULL OR (name = ?2 AND outcome = 'uploaded'))"
_STRUCK = """
    UPDATE runs SET ending = 'verify has struck objects since, upload again'
    WHERE id = (SELECT max(id) FROM runs WHERE what = 'all')
"""
_Forgotten = tuple[bytes, str | None]
_STALE = """
    DELETE FROM files WHERE outcome = 'failed' AND run < ? AND
    (path = ? OR (path >= ? AND path < ?))
"""
_ENDED = "UPDATE runs SET ended_s = ?, ending = ? WHERE id = ?"
COMPLETE = "complete"
"""The ending of a run that has looked at everything it was asked to, with or without failures."""
SPLIT = "share.split"
"""The setting for `OtherShards.split` of the last complete run. Runs may differ in it: after a change of the list, the
same shard has another share of it."""

_SECOND_NS = 1_000_000_000
_WRAPS_NS = 2**63
_CLOCK_ERROR_S = 86_400.0
"""Seconds by which a file's mtime may be in the future by accident: local times (FAT) are off by up to 14 hours."""

_UploadedRow = tuple[bytes, int, int | None, str, str | None]
"""path, size, mtime_ns (None: it does not identify the version), name, etag"""
_Other = tuple[bytes, int | None, int | None, str | None, str | None, str, int, str | None]
"""The same, then outcome, attempts, error."""


class Journal:
    """An open journal, locked for one run. It takes events on the event loop, and writes in its own thread."""

    def __init__(self, path: bytes, lock: int | None, connection: sqlite3.Connection) -> None:
        """Use `open_journal` or `open_to_read`. `lock` None: read only."""
        self.path = path
        self._lock = lock
        self._connection = connection
        self._look = threading.Lock()
        """Held while the connection is used before the run, and by `close`: if the run is stopped while its thread
        still looks at the sources, nobody waits for that thread, and SQLite crashes if it is closed in use."""
        self._is_closed = False
        self._uploaded: deque[_UploadedRow] = deque()
        self._others: deque[_Other] = deque()
        self._forgotten: deque[_Forgotten] = deque()
        self._in_parts = PartRows()
        self._split: str | None = None
        self._attempts: dict[str, int] = {}
        """Object name -> failed requests, until its outcome is known."""
        self._run = 0
        self._enough = threading.Event()
        self._is_ending = False
        self._error: JournalError | None = None
        self._thread: threading.Thread | None = None

    @property
    def has_uploads(self) -> bool:
        """Whether an earlier run has uploaded anything."""
        with self._looking() as connection:
            found = connection.execute("SELECT 1 FROM files WHERE outcome = 'uploaded' LIMIT 1")
            return found.fetchone() is not None

    @contextmanager
    def _looking(self) -> Iterator[sqlite3.Connection]:
        """The connection, for a look before the run. Raises JournalError if the journal is closed meanwhile."""
        with self._look, as_journal_error(self.path):
            if self._is_closed:
                raise JournalError(self.path, "it is closed")
            yield self._connection

    def check(self, settings: Mapping[str, str]) -> None:
        """Store the settings of the first run; those of a later run must be equal. Raises UsageError.

        An empty value equals a missing one. A run counts as the first as long as the journal has no row, so a run that
        the store refused does not fix the settings.
        """
        with self._looking() as connection:
            recorded = dict(connection.execute("SELECT name, value FROM settings"))
            if not has_rows(connection):
                if self._lock is None:
                    return
                connection.execute("BEGIN")
                connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", settings.items())
                connection.execute("COMMIT")
                return
        refuse_other(self.path, recorded, settings)

    @property
    def own_files(self) -> frozenset[bytes]:
        """The paths of the journal's own files, which are not uploaded."""
        return frozenset(self.path + suffix for suffix in (b"", b"-wal", b"-shm"))

    def has_failed(self, path: bytes) -> bool:
        with self._looking() as connection:
            row = "SELECT 1 FROM files WHERE outcome = 'failed' AND path = ?"
            return connection.execute(row, (path,)).fetchone() is not None

    def failed_below(self, root: bytes) -> list[bytes]:
        """Names of the failed files below the directory `root`, relative to it, in bytewise order."""
        base = os.path.join(root, b"")
        rows = "SELECT substr(path, ?) FROM files WHERE outcome = 'failed' AND path >= ? AND path < ? ORDER BY path"
        with self._looking() as connection:
            return [name for (name,) in connection.execute(rows, (len(base) + 1, base, _end_of(base)))]

    def noted_parts(self, path: bytes) -> tuple[tuple[str, str, int, str], ...]:
        """State, upload, number and MD5 (hex) of all parts that runs have sent of a large file, until it is uploaded.
        Also during a run; rows of the last moments may be missing. Blocking. Raises JournalError."""
        with as_journal_error(self.path), closing(connect(self.path, is_read_only=True)) as connection:
            return noted_parts(connection, path)

    def uploads_begun(self) -> dict[bytes, tuple[UnfinishedUpload, ...]]:
        """The uploads in parts that runs of this journal have begun, of files that are not uploaded yet, by their
        paths. Those runs have ended, since one run at a time has the journal. Blocking. Raises JournalError."""
        with self._looking() as connection:
            return self._in_parts.read_begun(connection)

    # These are called on the event loop.

    def begin(self, failed: Callable[[JournalError], None], what: Literal["all", "failed"] | None) -> None:
        """Start writing; `failed` is called on the running event loop if writing fails.

        `what` says which files the run looks at. None: a verification, which is not listed as a run.
        """
        loop = asyncio.get_running_loop()

        def write() -> None:
            try:
                if what is not None:
                    self._register(what)
                self._write_on()
            except Exception as error:  # noqa: BLE001 - a thread's error would vanish, and the run must not go on
                said = error if isinstance(error, JournalError) else JournalError(self.path, repr(error))
                self._error = said
                loop.call_soon_threadsafe(failed, said)

        self._thread = threading.Thread(target=write, name="bulkput-journal", daemon=True)
        self._thread.start()

    def __call__(self, event: ev.Event) -> None:
        """Queue a row if the event is the outcome of a file."""
        match event:
            case ev.Uploaded():
                stored, mtime_ns = event.stored, event.mtime_ns
                proof = mtime_ns if mtime_ns % _SECOND_NS and -_WRAPS_NS <= mtime_ns < _WRAPS_NS else _proof(event)
                size, remote = event.bytes_read, event.upload.source.remote
                if remote is not None:
                    size, proof = _of_object(remote)
                row = (event.upload.source.path, size, proof, stored.key, stored.etag)
                if self._attempts and (failures := self._attempts.pop(stored.key, 0)):
                    self._others.append((*row, "uploaded", failures + 1, None))
                else:
                    self._uploaded.append(row)
                self._in_parts.completed(event)
            case ev.PartStored():
                self._in_parts.sent(event)
            case ev.UploadBegun():
                self._in_parts.begun(event)
                self._enough.set()  # a run that is killed before its first part leaves the upload, too
            case ev.Retrying():
                self._attempts[event.error.key] = event.attempt
                return
            case ev.OtherShards(split=str(split)):
                self._split = split
                return
            case ev.Failed():
                attempts = self._attempts.pop(event.key or "", 0) + 1
                self._others.append((event.path, None, None, event.key, None, "failed", attempts, str(event.error)))
            case _:
                return
        if len(self._uploaded) + len(self._others) >= _ROWS:
            self._enough.set()

    @property
    def is_behind(self) -> bool:
        """Whether the disk is too slow for the run, so that the scan should pause."""
        return self._error is None and len(self._uploaded) + len(self._others) >= _BEHIND

    def keep(self, path: bytes, upload: UnfinishedUpload) -> None:
        """Keep the row of an upload in parts, although its file is about to be uploaded."""
        self._in_parts.keep(path, upload)

    def forget(self, path: bytes, key: str | None = None) -> None:
        """Delete the row of a file whose object is not what was uploaded: the next run sends it again.

        With `key` only if the file was uploaded under that object name, which another file has now.
        """
        self._forgotten.append((path, key))

    # These run in the journal's thread.

    def _register(self, what: str) -> None:
        with as_journal_error(self.path):
            cursor = self._connection.execute("INSERT INTO runs (what, began_s) VALUES (?, ?)", (what, time.time()))
            self._run = cursor.lastrowid or 0

    def _write_on(self) -> None:
        while True:
            self._enough.wait(_EVERY_S)
            self._enough.clear()
            is_ending = self._is_ending  # read before the rows: rows that come later need another round
            self.write()
            if is_ending:
                return

    def write(self) -> None:
        """Write all queued rows in one transaction. Raises JournalError; the rows are then kept for another try."""
        uploaded = [self._uploaded.popleft() for _ in range(len(self._uploaded))]
        others = [self._others.popleft() for _ in range(len(self._others))]
        in_parts = self._in_parts.take()
        # Taken last: `forget` precedes the row of the file that took the name, so it must be in this transaction too.
        forgotten = [self._forgotten.popleft() for _ in range(len(self._forgotten))]
        if not (uploaded or others or forgotten or in_parts):
            return
        try:
            with as_journal_error(self.path):
                if self._lock is not None:
                    check_same_file(self.path, self._lock)
                self._transact(uploaded, others, forgotten, in_parts)
        except JournalError as error:
            self._uploaded.extendleft(reversed(uploaded))
            self._others.extendleft(reversed(others))
            self._forgotten.extendleft(reversed(forgotten))
            self._in_parts.give_back(in_parts)
            lost = "what it holds is good, what it could not take is sent again by the next run"
            raise JournalError(self.path, f"{error.detail}: {lost}") from error

    def _transact(
        self,
        uploaded: list[_UploadedRow],
        others: list[_Other],
        forgotten: list[_Forgotten],
        in_parts: Taken,
    ) -> None:
        connection, said = self._connection, (self._run, int(time.time()))
        connection.execute("BEGIN IMMEDIATE")
        try:
            for start in range(0, len(uploaded), _AT_ONCE):
                rows = uploaded[start : start + _AT_ONCE]
                values: list[Any] = [*said]
                for row in rows:
                    values += row
                connection.execute(_UPLOADED.format(",".join(["(?,?,?,?,?)"] * len(rows))), values)
            connection.executemany(_OTHER, [(*row, *said) for row in others])
            connection.executemany(_FORGET, forgotten)
            self._in_parts.write(connection, in_parts)
            if forgotten and not self._run:  # this is a verification
                connection.execute(_STRUCK)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    # These block: call them in a thread.

    def end(self, ending: str = COMPLETE, forget_stale_below: Iterable[bytes] = ()) -> None:
        """Write the rows that are left and the run's ending, and stop writing.

        `forget_stale_below` names sources that this run has looked at completely: failures of earlier runs below them
        that did not occur again are deleted. Raises JournalError, also if an earlier write failed.
        """
        self._is_ending = True
        self._enough.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)
            if self._thread.is_alive():
                raise JournalError(self.path, f"its disk has not answered for {_PATIENCE_S:g} s")
            self._thread = None
        try:
            self.write()  # one more try if it failed before: uploads that were in flight have added rows since
            with as_journal_error(self.path):
                for root in forget_stale_below:
                    base = os.path.join(root, b"")
                    self._connection.execute(_STALE, (self._run, root, base, _end_of(base)))
                if self._split is not None:
                    self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (SPLIT, self._split))
                self._connection.execute(_ENDED, (time.time(), ending, self._run))
        except JournalError as error:
            self._error = error
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Close the file and release its lock. Rows that `end` has not written are lost."""
        if self._thread is not None and self._thread.is_alive():
            return  # the thread hangs in the connection, which must not be closed under it
        if not self._look.acquire(timeout=_LOOK_S):
            return  # likewise
        try:
            self._is_closed = True
            self._connection.close()
        finally:
            self._look.release()
            if self._lock is not None:
                os.close(self._lock)


def _proof(event: ev.Uploaded) -> int | None:
    """The mtime to store; None if it does not identify the version of the file.

    On a file system with whole seconds (or every other one), a write just after the upload may leave the same mtime;
    git calls this the racy index. With fractions of a second, `payload/body.py` has waited for the next tick. An mtime
    far in the future was set on purpose, so a later write would change it.
    """
    is_coarse, now_s = event.mtime_ns % _SECOND_NS == 0, time.time()
    if is_coarse and now_s - event.elapsed_s - 2.0 < event.mtime_ns / _SECOND_NS < now_s + _CLOCK_ERROR_S:
        return None
    return stored_mtime(event.mtime_ns)


def _of_object(row: RemoteObject) -> tuple[int, int]:
    """The size of a source's object, as its listing has it, and in place of an mtime the number of its version."""
    from bulkput.policy.object_state import state_of  # noqa: PLC0415 - for sources that are no files

    return row.bytes or 0, state_of(row)


def open_to_read(path: bytes) -> Journal:
    """The journal at `path`, for reading. Raises UsageError if it is not a journal, and JournalError."""
    path = os.path.abspath(path)
    return Journal(path, None, connect_to_read(path))


def open_journal(path: bytes, *, must_exist: bool = False) -> Journal:
    """The journal at `path`, locked for one run, and made if there is none.

    Raises UsageError if it is in use, a link, not a journal, or missing although `must_exist`. Raises JournalError if
    it is damaged or the disk is full.
    """
    path = os.path.join(os.path.realpath(os.path.dirname(path) or b"."), os.path.basename(path))
    lock = create_or_lock(path, must_exist=must_exist)
    try:
        with as_journal_error(path):
            # Between `begin` and `end` only the writing thread uses the connection.
            connection = connect(path, is_read_only=False)
            try:
                check_same_file(path, lock)
                bring_up_to_date(connection, path)
            except BaseException:
                connection.close()
                raise
    except BaseException:
        os.close(lock)
        raise
    return Journal(path, lock, connection)


def _end_of(base: bytes) -> bytes:
    """The first path behind all that begin with `base`, which ends in a slash."""
    return base[:-1] + bytes([base[-1] + 1])
