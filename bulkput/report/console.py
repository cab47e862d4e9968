"""Consoles for people: when they use colours, and when a line may be redrawn in place ("moving line").

| stream     | environment                        | colours | moving line |
|------------|------------------------------------|---------|-------------|
| terminal   | -                                  | yes     | yes         |
| terminal   | NO_COLOR                           | no      | yes         |
| terminal   | TERM=dumb, or TTY_INTERACTIVE=0    | as rich | no          |
| terminal   | TTY_COMPATIBLE=0                   | no      | no          |
| anything   | FORCE_COLOR, or TTY_COMPATIBLE=1   | yes     | no          |
| anything   | the same, and NO_COLOR             | no      | no          |
| anything   | -                                  | no      | no          |

rich treats FORCE_COLOR and TTY_COMPATIBLE=1 as a terminal, and would redraw lines in the log of a CI job.
"""

import os
from typing import TextIO

from rich.console import Console

_WIDTH = 100
"""Columns if the stream is no terminal: rich's default of 80 cuts our tables."""


def console(stream: TextIO) -> Console:
    """A console on `stream`."""
    is_terminal = stream.isatty()
    has_no_colour = bool(os.environ.get("NO_COLOR"))
    return Console(
        file=stream,
        highlight=False,
        width=None if is_terminal else _WIDTH,
        force_terminal=False if has_no_colour and not is_terminal else None,
    )


def can_move(console: Console) -> bool:
    """Whether a line can be redrawn in place."""
    return console.is_terminal and console.is_interactive and console.file.isatty()
