"""Where a verb's output goes, and what happens when it cannot go there.

Messages are a courtesy: when nobody can read stderr any more they end, and the upload goes on. Data is a promise: when
stdout or the summary cannot be written, the run says so and does not end with 0.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from bulkput import events as ev
from bulkput.errors import UsageError
from bulkput.report.trace import Trace

_TRACE_BUFFER = 1024 * 1024
"""Written some ten thousand requests at a time: a line each would cost a system call per object."""


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


def write_line(line: str) -> None:
    """A line of data on stdout. Raises CannotWriteError, once; what follows goes nowhere."""
    try:
        sys.stdout.write(line + "\n")
    except OSError as error:
        raise _lost_stdout(error) from error


def flush() -> None:
    """What is still buffered for stdout. Raises CannotWriteError."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise _lost_stdout(error) from error


def discard_stdout() -> None:
    """What is still written goes nowhere: the interpreter flushes once more at its end, and would complain."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lost_stdout(error: OSError) -> CannotWriteError:
    discard_stdout()
    return CannotWriteError("stdout", error)


class SummaryFile:
    """The file of `--summary`: complete or untouched. Made at once, so that a wrong path is known before the run."""

    def __init__(self, path: str) -> None:
        """Raises UsageError when the file cannot be made there."""
        self._path = path
        self._temporary: str | None = None
        if path == "-":
            return
        try:
            if os.path.exists(path) and not os.path.isfile(path):  # /dev/stdout, a FIFO: written to as it is
                os.close(os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)))
                return
            handle, self._temporary = tempfile.mkstemp(prefix=".bulkput-summary-", dir=os.path.dirname(path) or ".")
            os.close(handle)
        except OSError as error:
            raise UsageError(f"--summary {path}: {error.strerror}") from None

    def write(self, summary: Mapping[str, Any]) -> None:
        """Raises CannotWriteError."""
        text = json.dumps(summary)
        if self._path == "-":
            write_line(text)
            return
        try:
            with open(self._temporary or self._path, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            if self._temporary is not None:
                os.replace(self._temporary, self._path)
                self._temporary = None
        except OSError as error:
            raise CannotWriteError(self._path, error) from error

    def close(self) -> None:
        """Forget an unwritten file; what was at the path before is still there."""
        if self._temporary is not None:
            with suppress(OSError):
                os.unlink(self._temporary)


class TraceFile:
    """The file of `--trace`: a view of events that turns what goes wrong with the file into CannotWriteErrors."""

    def __init__(self, path: str) -> None:
        """Raises UsageError when the file cannot be made there."""
        self._path = path
        if path == "-":
            raise UsageError("--trace wants a file: stdout is for --json and --summary")
        try:
            self._file = open(path, "w", encoding="utf-8", buffering=_TRACE_BUFFER)  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise UsageError(f"--trace {path}: {error.strerror}") from None
        self._trace = Trace(self._file)

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
