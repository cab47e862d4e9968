"""The flags for publishing to readers: in which order, and over what."""

from collections.abc import Callable
from typing import get_args

import click

from bulkput.cli.values import OneOf
from bulkput.options import IfExists, UploadOptions


def publish_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --last and --if-exists."""
    verb = click.option(
        "--if-exists",
        type=OneOf(get_args(IfExists)),
        default=UploadOptions().if_exists,
        show_default=True,
        help="An object of the name is there: replace it, skip the file, fail it, or fail it if it differs.",
    )(verb)
    return click.option(
        "--last",
        multiple=True,
        metavar="GLOB",
        help="Send files that match last, if no other failed. Repeatable.",
    )(verb)
