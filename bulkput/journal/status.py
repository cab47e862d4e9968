"""The contents of a journal, counted from its rows on request, also while a run writes to it."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from bulkput.journal.journal import COMPLETE
from bulkput.journal.schema import as_journal_error, connect_to_read, is_in_use
from bulkput.record import frozen

_FAILURES_SHOWN = 10
_PAGE = 1_000


@frozen
class JournalRow:
    """One file: `path` and `size` of the source, `name` and `etag` of the object, `at_s` in seconds since 1970."""

    path: bytes
    size: int | None
    mtime_ns: int | None
    name: str | None
    etag: str | None
    outcome: str
    attempts: int
    error: str | None
    run: int
    at_s: int


@frozen
class JournalRun:
    """A run and its rows. Times in seconds since 1970; `last_s` is the time of its last outcome.

    `what` says which files it looked at: all, or failed. `ending` is "complete" or the reason why not; None: the run
    goes on, or was killed.
    """

    what: str
    began_s: float
    ended_s: float | None
    ending: str | None
    last_s: int
    uploaded: int
    bytes: int

    @property
    def elapsed_s(self) -> float:
        """Until its end, or until the end of the second of its last outcome if it has not ended."""
        return max((self.ended_s or self.last_s + 1) - self.began_s, 0.001)

    @property
    def objects_per_s(self) -> float:
        return self.uploaded / self.elapsed_s


@frozen
class Status:
    """A whole journal. `bytes` counts the bytes of uploaded source files."""

    settings: Mapping[str, str]
    uploaded: int
    bytes: int
    failed: int
    runs: int
    last: JournalRun | None
    is_covered: bool
    """Whether the last run over all files looked at all of them."""
    is_running: bool
    unfinished: int
    """Large files of which parts are stored, and not all."""
    parts: int
    parts_bytes: int
    """Those parts, and their bytes."""
    failures: tuple[JournalRow, ...]
    """The first failures in the order of their paths."""

    @property
    def is_done(self) -> bool:
        """Whether everything that the sources held when they were last scanned is uploaded."""
        return self.is_covered and not self.failed and not self.is_running


_TOTALS = """
    SELECT total(outcome = 'uploaded'), total(CASE outcome WHEN 'uploaded' THEN size END), total(outcome = 'failed'),
        coalesce(max(CASE run WHEN ?1 THEN at_s END), 0), total(run = ?1 AND outcome = 'uploaded'),
        total(CASE WHEN run = ?1 AND outcome = 'uploaded' THEN size END)
    FROM files
"""
"""One pass over the table: all rows have to be read anyway, but sorting 10 000 000 of them by run takes longer."""
_UNFINISHED = "SELECT count(DISTINCT path), count(*), total(size) FROM parts"
_LAST = "SELECT id, what, began_s, ended_s, ending FROM runs ORDER BY id DESC LIMIT 1"
_LAST_WHOLE = "SELECT ending FROM runs WHERE what = 'all' ORDER BY id DESC LIMIT 1"


def status(path: bytes) -> Status:
    """Raises UsageError if there is no journal at `path`, and JournalError if it is damaged."""
    with _open(path) as connection:
        last = connection.execute(_LAST).fetchone()
        totals = connection.execute(_TOTALS, (last[0] if last else 0,)).fetchone()
        uploaded, size, failed, last_s, last_uploaded, last_size = map(int, totals)
        unfinished, parts, parts_bytes = _unfinished(connection)
        return Status(
            settings=dict(connection.execute("SELECT name, value FROM settings")),
            uploaded=uploaded,
            bytes=size,
            failed=failed,
            runs=connection.execute("SELECT count(*) FROM runs").fetchone()[0],
            last=None if last is None else _run(last, last_s, last_uploaded, last_size),
            is_covered=connection.execute(_LAST_WHOLE).fetchone() == (COMPLETE,),
            is_running=is_in_use(path),
            unfinished=unfinished,
            parts=parts,
            parts_bytes=parts_bytes,
            failures=tuple(_rows(connection, "outcome = 'failed'", _FAILURES_SHOWN)),
        )


def _unfinished(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Large files that are not complete, their parts, and the bytes of these. An older journal has none."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'parts'").fetchone():
        return 0, 0, 0
    return tuple(map(int, connection.execute(_UNFINISHED).fetchone()))  # type: ignore[return-value]


def _run(row: tuple[int, str, float, float | None, str | None], last_s: int, uploaded: int, size: int) -> JournalRun:
    _, what, began_s, ended_s, ending = row
    return JournalRun(what, began_s, ended_s, ending, last_s, uploaded, size)


def rows(path: bytes) -> Iterator[JournalRow]:
    """Every file of a journal, in bytewise order of the paths, in constant memory. Raises like `status`."""
    after = b""
    with _open(path) as connection:
        # Page by page: during one long read transaction the WAL of a running upload could only grow.
        while page := _rows(connection, "path > ?", _PAGE, after):
            yield from page
            after = page[-1].path


def _rows(connection: sqlite3.Connection, where: str, limit: int, *values: bytes) -> list[JournalRow]:
    found = connection.execute(f"SELECT * FROM files WHERE {where} ORDER BY path LIMIT {limit}", values)  # noqa: S608 - ours
    return [JournalRow(*row) for row in found]


@contextmanager
def _open(path: bytes) -> Iterator[sqlite3.Connection]:
    with closing(connect_to_read(path)) as connection, as_journal_error(path):
        yield connection
