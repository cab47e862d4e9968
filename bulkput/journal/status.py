"""What a journal says, counted from its rows when it is asked; also while a run writes to it."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from bulkput.errors import UsageError, printable
from bulkput.journal.schema import as_journal_error, check_version, connect

_FAILURES_SHOWN = 10
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Row:
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


@dataclass(frozen=True, slots=True)
class Run:
    """What stands in the journal from the last run. Times in seconds since 1970; `last_s` is its last outcome's."""

    began_s: float
    last_s: int
    uploaded: int
    bytes: int

    @property
    def elapsed_s(self) -> float:
        """At least one second: outcomes are written with whole ones."""
        return max(1.0, self.last_s - int(self.began_s))

    @property
    def objects_per_s(self) -> float:
        return self.uploaded / self.elapsed_s


@dataclass(frozen=True, slots=True)
class Status:
    """A whole journal. `bytes` are those of the sources that are uploaded."""

    settings: Mapping[str, str]
    uploaded: int
    bytes: int
    failed: int
    runs: int
    last: Run | None
    failures: tuple[Row, ...]
    """The first ones, in the order of their paths."""


_TOTALS = """
    SELECT total(outcome = 'uploaded'), total(CASE outcome WHEN 'uploaded' THEN size END), total(outcome = 'failed'),
        coalesce(max(CASE run WHEN ?1 THEN at_s END), 0), total(run = ?1 AND outcome = 'uploaded'),
        total(CASE WHEN run = ?1 AND outcome = 'uploaded' THEN size END)
    FROM files
"""
"""One passage: 10 000 000 rows have to be read anyway, but not to be sorted by run."""


def status(path: bytes) -> Status:
    """Raises UsageError: not there, no journal. Raises JournalError: damaged."""
    with _open(path) as connection, as_journal_error(path):
        runs, last, began_s = connection.execute("SELECT count(*), max(id), max(began_s) FROM runs").fetchone()
        uploaded, size, failed, last_s, last_uploaded, last_size = connection.execute(_TOTALS, (last,)).fetchone()
        return Status(
            settings=dict(connection.execute("SELECT name, value FROM settings")),
            uploaded=int(uploaded),
            bytes=int(size),
            failed=int(failed),
            runs=runs,
            last=Run(began_s, last_s, int(last_uploaded), int(last_size)) if runs else None,
            failures=tuple(_rows(connection, "outcome = 'failed'", _FAILURES_SHOWN)),
        )


def rows(path: bytes) -> Iterator[Row]:
    """Every file of a journal, in bytewise order of the paths, in constant memory. Raises like `status`."""
    after = b""
    with _open(path) as connection:
        # Page by page: a transaction of minutes would let the log of a run that goes on grow for as long.
        while page := _rows(connection, "path > ?", _PAGE, after):
            yield from page
            after = page[-1].path


def _rows(connection: sqlite3.Connection, where: str, limit: int, *values: bytes) -> list[Row]:
    found = connection.execute(f"SELECT * FROM files WHERE {where} ORDER BY path LIMIT {limit}", values)  # noqa: S608 - ours
    return [Row(*row) for row in found]


@contextmanager
def _open(path: bytes) -> Iterator[sqlite3.Connection]:
    try:
        os.stat(path)
    except OSError as error:
        raise UsageError(f"{printable(path)}: {error.strerror}") from None
    with as_journal_error(path), closing(connect(path, is_read_only=True)) as connection:
        if check_version(connection, path) == 0:
            raise UsageError(f"{printable(path)} is empty: no run has used it")
        yield connection
