"""Notes in a temporary SQLite database in TMPDIR, which SQLite removes at the end. Names are stored as UTF-8, so that
they sort as a store sorts them. All calls block."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from bulkput.errors import UsageError


def temporary_database(tables: str) -> sqlite3.Connection:
    """A database with these tables. Its calls may come from different threads, one after the other."""
    database = sqlite3.connect("", check_same_thread=False)
    database.executescript("PRAGMA journal_mode = OFF;" + tables)
    return database


@contextmanager
def room_for(what: str) -> Iterator[None]:
    """Raises UsageError if `what` does not fit into TMPDIR."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise UsageError(f"{what} cannot be kept on disk: {error}: set TMPDIR to where there is room") from None


def as_blob(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def as_text(blob: bytes) -> str:
    return blob.decode("utf-8", "surrogatepass")


def end_of(prefix: bytes) -> bytes:
    """The first name after all that begin with `prefix`. UTF-8 has no byte 0xFF, so the last byte has a successor."""
    return prefix[:-1] + bytes((prefix[-1] + 1,)) if prefix else b"\xff"
