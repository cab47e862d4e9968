"""What a runner of GitHub Actions reads in the output of a step: commands, and lines that must not become any.

    ::error file=dist/a.html,title=bulkput::put a.html: 422 ...      at the start of a line, behind blanks
    ##[error]put a.html: 422 ...                                     anywhere in a line: the older form

It reads them on stdout and on stderr, line by line (actions/runner, src/Runner.Common/ActionCommand.cs). A page of the
run shows ten errors and ten warnings of a step.
"""

import os
import re
from collections.abc import Sequence
from typing import Literal

from bulkput.errors import printable
from bulkput.record import frozen
from bulkput.report.lines import count_text

MOST = 10
"""Annotations of one kind that are shown for a step."""
_COMMAND = re.compile(r"(?:^|(?<=[\r\n]))(\s*)::")
_OLDER = "##["


def harmless(text: str) -> str:
    r"""The text, in which no line is a command: a character of its beginning becomes `\u003a` or `\u005b`. In a JSON
    object the second means the same; the first stands in none, since that begins with a brace."""
    return _COMMAND.sub(r"\1\\u003a:", text).replace(_OLDER, r"##\u005b")


def annotation(kind: Literal["error", "warning"], message: str, *, file: str | None = None) -> str:
    """A command that has the message shown on the run's page, and beside the file if one is given."""
    at = f"file={_property(file)}," if file else ""
    return f"::{kind} {at}title=bulkput::{_data(message)}"


def _data(text: str) -> str:
    """As `escapeData` of actions/toolkit, packages/core/src/command.ts; `_property` as its `escapeProperty`."""
    shown = text.replace("##[", "##\\u005b")  # another form of a command
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


@frozen(kw_only=True)
class Trouble:
    """What a run has to say. `failures` are the first of `failed`, each with its file if there is one; `warnings` are
    the first of `warned`. `stopped` is why the run ended early."""

    stopped: str | None = None
    failures: Sequence[tuple[str | None, str]] = ()
    failed: int = 0
    warnings: Sequence[str] = ()
    warned: int = 0


def annotations(trouble: Trouble) -> list[str]:
    """Ten errors and ten warnings at most. Where there are more, the last of these says how many are not shown."""
    stopped = [] if trouble.stopped is None else [annotation("error", f"stopped: {trouble.stopped}")]
    failures = [annotation("error", message, file=file) for file, message in trouble.failures[:MOST]]
    warnings = [annotation("warning", message) for message in trouble.warnings[:MOST]]
    return [
        *stopped,
        *_first(failures, trouble.failed, MOST - len(stopped), annotation("error", "and {} more failed")),
        *_first(warnings, trouble.warned, MOST, annotation("warning", "and {} more warnings")),
    ]


def _first(lines: list[str], total: int, room: int, more: str) -> list[str]:
    if total <= room:
        return lines[:room]
    shown = lines[: room - 1]
    return [*shown, more.format(count_text(total - len(shown)))]


def file_of(path: bytes, *, working: bytes, workspace: bytes | None) -> str | None:
    """The file of an annotation: relative to the workspace, where the repository is, or else to the working directory;
    absolute if it is below neither. None for stdin."""
    if path in (b"", b"-"):
        return None
    whole = os.path.normpath(os.path.join(working, path))
    for above in (workspace, working):
        if above and (below := whole.removeprefix(os.path.normpath(above).rstrip(b"/") + b"/")) != whole:
            return printable(below)
    return printable(whole)
