"""The flags about what of a directory tree is taken, which are several verbs'."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from bulkput.options import WalkOptions


def walk_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --include, --exclude and --follow-symlinks: as one argument, `walk`."""

    @click.option("--include", multiple=True, metavar="GLOB", help="Only what matches; gitignore syntax, repeatable.")
    @click.option("--exclude", multiple=True, metavar="GLOB", help="Nothing that matches; wins over --include.")
    @click.option("--follow-symlinks", is_flag=True, help="Follow links out of the tree and to directories.")
    @wraps(verb)
    def with_walk(*, include: tuple[str, ...], exclude: tuple[str, ...], follow_symlinks: bool, **others: Any) -> int:
        return verb(walk=WalkOptions(include=include, exclude=exclude, follow_symlinks=follow_symlinks), **others)

    return with_walk
