"""Writes a verb's output to stdout and stderr, and handles streams that cannot be written.

If stderr cannot be written, messages are dropped and the upload goes on. If stdout or the summary cannot be written,
CannotWriteError is raised, since both are data.
"""

import io
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bulkput.cli.flags import in_flags, row_in_flags

if TYPE_CHECKING:
    from bulkput.cli.files import SummaryFile, TraceFile
    from bulkput.events import Event


class CannotWriteError(Exception):
    """stdout or the summary's file cannot be written. The text is one sentence. `is_reader_gone`: only the reader has
    ended, which is no fault."""

    def __init__(self, where: str, error: OSError) -> None:
        self.is_reader_gone = isinstance(error, BrokenPipeError)
        why = "its reader has gone" if self.is_reader_gone else error.strerror or str(error)
        super().__init__(f"cannot write to {where}: {why}")


def open_missing_streams() -> None:
    """Open /dev/null for stdin, stdout and stderr if they are closed (`<&-`): sockets would get their numbers.

    `sys.stdin` stays None then: nothing must take it for a pipe that has ended."""
    for fd, flags, name in ((0, os.O_RDONLY, "stdin"), (1, os.O_WRONLY, "stdout"), (2, os.O_WRONLY, "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number, which is `fd`
        if fd and getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w", closefd=False))  # noqa: SIM115


def escape_what_does_not_fit() -> None:
    r"""Write characters that a stream's encoding lacks (LC_ALL=C, lone surrogates) as `\xe9`, `\u20ac`, `\udcff`: no
    name makes a command fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Write a message to stderr; errors are ignored. Not by click, which writes UTF-8 even if stderr is ASCII."""
    with suppress(OSError):
        sys.stderr.write(in_flags(line) + "\n")
        sys.stderr.flush()


def say_warning(event: "Event") -> None:
    """Say what a warning says, and nothing of other events: the view of verbs that only print what they found."""
    from bulkput.events import Warned  # noqa: PLC0415 - a command that fails at once does not need it

    if isinstance(event, Warned):
        say(f"bulkput: {in_flags(event.why)}")


def write_line(line: str) -> None:
    """Write a line of data to stdout. Raises CannotWriteError once; later lines are dropped."""
    try:
        sys.stdout.write(line + "\n")
    except OSError as error:
        raise _lost_stdout(error) from error


def write_row(row: Mapping[str, Any]) -> None:
    """Write a JSON object to stdout. Raises CannotWriteError."""
    import json  # noqa: PLC0415 - 2 ms, which only a verb that writes JSON has to pay

    write_line(json.dumps(row_in_flags(row)))


def flush() -> None:
    """Flush stdout. Raises CannotWriteError."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise _lost_stdout(error) from error


def own_output(*files: "SummaryFile | TraceFile | None") -> frozenset[tuple[int, int]]:
    """Device and inode of each file that this command writes, so that a source leaves them out."""
    identities = {found for number in (1, 2) if (found := identity(number)) is not None}
    return frozenset(identities.union(*(file.identities for file in files if file is not None)))


def identity(file: int | str) -> tuple[int, int] | None:
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
