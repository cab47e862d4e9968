"""`bulkput mv SOURCE DEST`"""

from typing import Any

import click

from bulkput.cli.changes import change_options
from bulkput.cli.cp import copy_options, run_copy


@click.command()
@click.argument("source")
@click.argument("dest")
@copy_options
@change_options
def mv(source: str, dest: str, **options: Any) -> int:
    """Move or rename objects: copies as `bulkput cp` makes them, and each source removed once its copy is proven.

    \b
    bulkput mv swift://a/draft.html swift://a/final.html
    bulkput mv -r swift://artifacts/build-42 swift://archive/42

    Whatever happens in between, each object is there once at least; the same command goes on with what is left. What is
    written to a source between its copy and its removal is lost. In doubt a source stays: large objects and links that
    -r would break are refused (2); so is, where the bytes pass through this machine, what is of unknown length, changes
    meanwhile, or finds an object of its own size at DEST, which may be itself (1).

    Exit codes: 0 moved, 1 something could not be, or was not there, 2 usage, 3 the store failed, 130 interrupted.
    """
    return run_copy(source, dest, is_move=True, **options)
