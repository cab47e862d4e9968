"""`bulkput mv SOURCE DEST`"""

from typing import Any

import click

from bulkput.cli.changes import change_options
from bulkput.cli.cp import copy_options, run_copy
from bulkput.cli.help import Verb
from bulkput.cli.values import Url


@click.command(cls=Verb)
@click.argument("source", type=Url())
@click.argument("dest", type=Url())
@copy_options
@change_options(sends_bodies=True)
def mv(source: str, dest: str, **options: Any) -> int:
    """Move or rename objects: copy each, prove the copy, then remove its source.

    \b
    bulkput mv swift://a/draft.html swift://a/final.html
    bulkput mv -r swift://artifacts/build-42 swift://archive/42

    Each object exists at least once at any moment. After an interruption the same command moves the rest. Only what
    somebody writes to a source between the last look at it and its removal is lost. In doubt the source stays:
    -r refuses large objects and links that the move would break (exit code 2). An object whose bytes pass through
    this machine stays if it has no length, changes meanwhile, or finds an object of its own size at DEST (1).

    The segments of a large object stay where they are, and the moved one reads them there. --with-segments copies
    them, and removes them after the source, if nothing else reads them. In S3 a moved object does not keep its ACL:
    give one by --header x-amz-acl:NAME.

    Exit codes: 0 moved, 1 an object failed or does not exist, 2 usage, 3 the store failed, 130 interrupted.
    """
    return run_copy(source, dest, is_move=True, **options)
