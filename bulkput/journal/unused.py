"""Removes a journal that a run has made and not used: a command that is refused leaves no file behind."""

import os
import sqlite3
from contextlib import closing, suppress

from bulkput.errors import JournalError, UsageError
from bulkput.journal.schema import check_same_file, connect, create_or_lock, has_rows


def remove_if_unused(path: bytes) -> None:
    """Remove the journal at `path` if nothing of a file is in it. Blocking. Another run that has it by now keeps it:
    this takes the lock of a run, and one that waits for it finds that the file is gone (`schema.py:check_same_file`).
    """
    with suppress(UsageError, JournalError, OSError, sqlite3.Error):
        lock = create_or_lock(path, must_exist=True)
        try:
            check_same_file(path, lock)
            with closing(connect(path, is_read_only=False)) as connection:
                is_used = has_rows(connection)
            if not is_used:
                os.unlink(path)
        finally:
            os.close(lock)
