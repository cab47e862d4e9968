"""Writes a verb's output, and handles outputs that cannot be written.

If stderr cannot be written, messages are dropped and the upload goes on. If stdout or the summary cannot be written,
CannotWriteError is raised, since both are data.
"""

import io
import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from bulkput import events as ev
from bulkput.cli.flags import in_flags, row_in_flags
from bulkput.errors import UsageError
from bulkput.report.trace import Trace

_TRACE_BUFFER = 1024 * 1024
"""Written some ten thousand requests at a time: a line each would cost a system call per object."""
_STREAM = re.compile(r"/dev/(?:stdout|stderr|fd/\d{1,9})|/proc/self/fd/\d{1,9}")
"""The system's names of streams that this process has open already. They are links to the redirected files."""


class CannotWriteError(Exception):
    """stdout or the summary's file takes no more. The text is one sentence; a reader that left is no fault."""

    def __init__(self, where: str, error: OSError) -> None:
        self.is_reader_gone = isinstance(error, BrokenPipeError)
        why = "its reader has gone" if self.is_reader_gone else error.strerror or str(error)
        super().__init__(f"cannot write to {where}: {why}")


def open_missing_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr is closed (`<&-`), or sockets would get their numbers."""
    for fd, flags, name in ((0, os.O_RDONLY, "stdin"), (1, os.O_WRONLY, "stdout"), (2, os.O_WRONLY, "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number, which is `fd`
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "r" if flags == os.O_RDONLY else "w", closefd=False))  # noqa: SIM115


def escape_what_does_not_fit() -> None:
    r"""Whatever a stream's encoding does not have (LC_ALL=C, lone surrogates) is written as `\xe9`, `\u20ac`, `\udcff`:
    no name ends a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Write a message to stderr; errors are ignored. Not by click, which writes UTF-8 even if stderr is ASCII."""
    with suppress(OSError):
        sys.stderr.write(in_flags(line) + "\n")
        sys.stderr.flush()


def write_line(line: str) -> None:
    """A line of data on stdout. Raises CannotWriteError, once; what follows goes nowhere."""
    try:
        sys.stdout.write(line + "\n")
    except OSError as error:
        raise _lost_stdout(error) from error


def write_row(row: Mapping[str, Any]) -> None:
    """An object of JSON on stdout. Raises CannotWriteError."""
    write_line(json.dumps(row_in_flags(row)))


def flush() -> None:
    """Flush stdout. Raises CannotWriteError."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise _lost_stdout(error) from error


def own_output(*files: "SummaryFile | TraceFile | None") -> frozenset[tuple[int, int]]:
    """Device and inode of each file that this command writes, so that a source leaves them out."""
    identities = {identity for number in (1, 2) if (identity := _identity(number)) is not None}
    return frozenset(identities.union(*(file.identities for file in files if file is not None)))


def _identity(file: int | str) -> tuple[int, int] | None:
    """Device and inode; None if it is no regular file or does not exist."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def discard_stdout() -> None:
    """Redirect stdout to /dev/null: the interpreter flushes it at exit, and would report an error."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lost_stdout(error: OSError) -> CannotWriteError:
    discard_stdout()
    return CannotWriteError("stdout", error)


def _open_special(path: str, flag: str) -> int | None:
    """A descriptor for what is written to as it is: a stream of ours by its name, a device, a FIFO; None for a file.

    Raises OSError, and UsageError for a link to a file: whoever may write to the directory could have put it there,
    to have us overwrite what only we may.
    """
    if _STREAM.fullmatch(path):
        return os.dup({"/dev/stdout": 1, "/dev/stderr": 2}.get(path) or int(path.rpartition("/")[2]))
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError:  # nothing is there, or a link that leads to nothing
        is_file = True
    if not is_file:
        # O_NONBLOCK: a FIFO that nobody reads is an error, at once.
        fd = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # it was looked at before it was opened
            os.set_blocking(fd, True)
            return fd
        os.close(fd)
    if os.path.islink(path):
        raise UsageError(f"{flag} {path} is a link: name the file itself")
    return None


class SummaryFile:
    """The file of `--summary`: complete or untouched. Made at once, so that a wrong path is known before the run.

    It is a new file, readable by its owner only, which takes the place of whatever is there when it is complete.
    """

    def __init__(self, path: str) -> None:
        """Raises UsageError when the file cannot be made there."""
        self._path = path
        self._temporary: str | None = None
        self._special: int | None = None
        if path == "-":
            return
        try:
            self._special = _open_special(path, "--summary")
            if self._special is None:
                directory = os.path.dirname(path) or "."
                handle, self._temporary = tempfile.mkstemp(prefix=".bulkput-summary-", dir=directory)
                os.close(handle)
        except OSError as error:
            raise UsageError(f"--summary {path}: {error.strerror}") from None

    @property
    def identities(self) -> set[tuple[int, int]]:
        """Of the new file, and of what it will replace."""
        candidates = (self._special, self._temporary, self._path)
        found = (_identity(file) for file in candidates if file is not None and file != "-")
        return {identity for identity in found if identity is not None}

    def write(self, summary: Mapping[str, Any]) -> None:
        """Raises CannotWriteError."""
        text = json.dumps(row_in_flags(summary))
        if self._path == "-":
            write_line(text)
            return
        try:
            if self._special is not None:
                flush()  # it may be stdout by another name
                with open(self._special, "w", encoding="utf-8", closefd=False) as file:
                    file.write(text + "\n")
            elif self._temporary is not None:
                with open(self._temporary, "w", encoding="utf-8") as file:
                    file.write(text + "\n")
                os.replace(self._temporary, self._path)
                self._temporary = None
        except OSError as error:
            raise CannotWriteError(self._path, error) from error

    def close(self) -> None:
        """Forget an unwritten file; what was at the path before is still there."""
        if self._special is not None:
            os.close(self._special)
            self._special = None
        if self._temporary is not None:
            with suppress(OSError):
                os.unlink(self._temporary)


def _open_trace(path: str, flags: int) -> int:
    special = _open_special(path, "--trace")
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600) if special is None else special


class TraceFile:
    """The file of `--trace`: a view of events that turns what goes wrong with the file into CannotWriteErrors.

    A new file is its owner's only; one that is there is emptied and stays as open to others as it was made.
    """

    def __init__(self, path: str) -> None:
        """Raises UsageError when the file cannot be made there."""
        self._path = path
        if path == "-":
            raise UsageError("--trace needs a file: stdout is for --json and --summary")
        try:
            self._file = open(  # noqa: SIM115 - closed by `close`
                path, "w", encoding="utf-8", buffering=_TRACE_BUFFER, opener=_open_trace
            )
        except OSError as error:
            raise UsageError(f"--trace {path}: {error.strerror}") from None
        self._trace = Trace(self._file, worded=in_flags)

    @property
    def identities(self) -> set[tuple[int, int]]:
        identity = _identity(self._file.fileno())
        return set() if identity is None else {identity}

    def __call__(self, event: ev.Event) -> None:
        try:
            self._trace(event)
        except OSError as error:
            raise CannotWriteError(self._path, error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise CannotWriteError(self._path, error) from error
