"""The files of `--summary`, `--summary-md`, `--report` and `--trace`. They are opened before the run, so a wrong path
is an error at once; a file that is there keeps its content until there is something to write."""

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from bulkput import events as ev
from bulkput.cli.flags import in_flags, row_in_flags
from bulkput.cli.output import CannotWriteError, flush, identity, no_command, write_line
from bulkput.errors import UsageError
from bulkput.report.trace import Trace

_TRACE_BUFFER = 1024 * 1024
"""Bytes: some ten thousand requests per system call. Without the buffer, each object would cost one."""
_STREAM = re.compile(r"/dev/(?:stdout|stderr|fd/\d{1,9})|/proc/self/fd/\d{1,9}")
"""The system's names of streams that this process has already open. They are links to the redirected files."""


def _open_special(path: str, flag: str) -> int | None:
    """A descriptor for a path that is no file: a stream of this process, a device, a FIFO. None for a file.

    Raises OSError, and UsageError for a link to a file: another user who may write to the directory could have made the
    link, so that this process overwrites a file that only its own user may write.
    """
    if _STREAM.fullmatch(path):
        return os.dup({"/dev/stdout": 1, "/dev/stderr": 2}.get(path) or int(path.rpartition("/")[2]))
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError:  # nothing is there, or a link that leads to nothing
        is_file = True
    if not is_file:
        # With O_NONBLOCK, a FIFO without a reader is an error at once.
        fd = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # it may have changed between stat and open
            os.set_blocking(fd, True)
            return fd
        os.close(fd)
    if os.path.islink(path):
        raise UsageError(f"{flag} {path} is a link: name the file itself")
    return None


class WholeFile:
    """A file that is complete or untouched. One is made and removed at once, so that a wrong path is an error before
    the run, and a run that is killed leaves none.

    It is a new file, readable by its owner only. When it is complete, it replaces the file at the path.
    """

    def __init__(self, path: str, flag: str) -> None:
        """Raises UsageError if the file cannot be made there."""
        self._path = path
        self._special: int | None = None
        if path == "-":
            return
        try:
            self._special = _open_special(path, flag)
            if self._special is None:
                handle, made = self._new()
                os.unlink(made)
                os.close(handle)
        except OSError as error:
            raise UsageError(f"{flag} {path}: {error.strerror}") from None

    def _new(self) -> tuple[int, str]:
        return tempfile.mkstemp(prefix=".bulkput-summary-", dir=os.path.dirname(self._path) or ".")

    @property
    def identities(self) -> set[tuple[int, int]]:
        """Device and inode of the stream, and of the file that will be replaced."""
        found = (identity(file) for file in (self._special, self._path) if file is not None and file != "-")
        return {each for each in found if each is not None}

    def write_text(self, text: str) -> None:
        """Raises CannotWriteError."""
        if self._path == "-":
            write_line(text)
            return
        try:
            if self._special is not None:
                flush()  # it may be stdout by another name
                with open(self._special, "w", encoding="utf-8", closefd=False) as file:
                    file.write(no_command(text) + "\n")
            else:
                handle, made = self._new()
                try:
                    with open(handle, "w", encoding="utf-8") as file:
                        file.write(text + "\n")
                    os.replace(made, self._path)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(made)
                    raise
        except OSError as error:
            raise CannotWriteError(self._path, error) from error

    def close(self) -> None:
        if self._special is not None:
            os.close(self._special)
            self._special = None


class SummaryFile(WholeFile):
    """The file of `--summary`."""

    def __init__(self, path: str) -> None:
        """Raises UsageError if the file cannot be made there."""
        super().__init__(path, "--summary")

    def write(self, summary: Mapping[str, Any]) -> None:
        """Raises CannotWriteError."""
        self.write_text(json.dumps(row_in_flags(summary)))


def _open_trace(path: str, flags: int) -> int:
    special = _open_special(path, "--trace")
    flags = flags & ~os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, 0o600) if special is None else special


class TraceFile:
    """The file of `--trace`: a view of events. Errors of the file become CannotWriteErrors.

    A new file is readable by its owner only. An existing file is emptied by the first event, and keeps its permissions.
    """

    def __init__(self, path: str) -> None:
        """Raises UsageError if the file cannot be made there."""
        self._path = path
        if path == "-":
            raise UsageError("--trace needs a file: stdout is for --json and --summary")
        try:
            self._file = open(  # noqa: SIM115 - closed by `close`
                path, "w", encoding="utf-8", buffering=_TRACE_BUFFER, opener=_open_trace
            )
        except OSError as error:
            raise UsageError(f"--trace {path}: {error.strerror}") from None
        self._trace: Trace | None = None

    @property
    def identities(self) -> set[tuple[int, int]]:
        own = identity(self._file.fileno())
        return set() if own is None else {own}

    def __call__(self, event: ev.Event) -> None:
        try:
            if self._trace is None:
                if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                    self._file.truncate()
                self._trace = Trace(self._file, worded=in_flags, guarded=no_command)
            self._trace(event)
        except OSError as error:
            raise CannotWriteError(self._path, error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise CannotWriteError(self._path, error) from error
