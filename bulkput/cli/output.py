"""Writes a verb's output to stdout and stderr, and handles streams that cannot be written.

If stderr cannot be written, messages are dropped and the upload goes on. If stdout or the summary cannot be written,
CannotWriteError is raised, since both are data.
"""

import io
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from bulkput.cli.flags import in_flags, row_in_flags

if TYPE_CHECKING:
    from bulkput.cli.files import TraceFile, WholeFile
    from bulkput.cli.job_view import StepSummary
    from bulkput.events import Emit, Event

_RETRY_EVERY_S = 3.0
"""Seconds between two lines about retries: of many requests in flight, each may be tried again."""


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
    write_to_stderr(worded(line))


def worded(line: str) -> str:
    """A message of the library, as stderr gets it."""
    return no_command(in_flags(line))


def write_to_stderr(line: str) -> None:
    """Write a line as it is, commands to a CI system too; errors are ignored."""
    with suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def is_in_github() -> bool:
    """Whether a runner of GitHub Actions reads what this command prints."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def no_command(text: str) -> str:
    """The text; in GitHub Actions one in which no name of a file or object is a command to the runner."""
    if ("::" not in text and "##[" not in text) or not is_in_github():
        return text
    from bulkput.report.github import harmless  # noqa: PLC0415 - for odd names in CI only

    return harmless(text)


def annotate_error(message: str) -> None:
    """In GitHub Actions, show the message on the page of the run as well."""
    if is_in_github():
        from bulkput.report.github import annotation  # noqa: PLC0415 - for mistakes in CI only

        write_to_stderr(annotation("error", in_flags(message)))


def say_what_delays() -> "Emit":
    """The view of verbs that only print what they found: it says warnings, and of retries one every few seconds."""
    from bulkput.events import Retrying, Warned  # noqa: PLC0415 - a command that fails at once does not need it

    next_s = 0.0

    def show(event: "Event") -> None:
        nonlocal next_s
        if isinstance(event, Warned):
            say(f"bulkput: {event.why}")
        elif isinstance(event, Retrying) and (now_s := time.monotonic()) >= next_s:
            next_s = now_s + _RETRY_EVERY_S
            say(f"bulkput: {event.line}")

    return show


def write_line(line: str) -> None:
    """Write a line of data to stdout. Raises CannotWriteError once; later lines are dropped."""
    write_as_it_is(no_command(line))


def write_as_it_is(text: str) -> None:
    """Write text of our own to stdout, which has no names in it. Raises CannotWriteError, as `write_line`."""
    try:
        sys.stdout.write(text + "\n")
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


@contextmanager
def writing_on() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Within the block, each given function writes something, also if one before it could not.

    At the end it raises the first CannotWriteError, but none that says that the reader of stdout has gone.
    """
    lost: list[CannotWriteError] = []

    def write(one: Callable[[], None]) -> None:
        try:
            one()
        except CannotWriteError as error:
            if not error.is_reader_gone:
                lost.append(error)

    yield write
    if lost:
        raise lost[0]


def own_output(*files: "WholeFile | TraceFile | StepSummary | None") -> frozenset[tuple[int, int]]:
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
