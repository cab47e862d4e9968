"""The flags about what is in the store already."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Literal

import click

from bulkput.errors import UsageError
from bulkput.options import SkipOptions

_DEFAULT = SkipOptions()


def skip_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --skip, --check-expiry, --delete-extra and --yes: as one argument, `skip`."""

    @click.option(
        "--skip",
        "mode",
        type=click.Choice(["none", "existing", "unchanged", "identical"]),
        default=_DEFAULT.mode,
        show_default=True,
        help="By one listing leave out what is there. unchanged: of the same size, stored since. identical: by MD5.",
    )
    @click.option(
        "--check-expiry",
        is_flag=True,
        help="With --skip, a HEAD for each object to leave out: has it expired? --expires-in does that by itself.",
    )
    @click.option("--delete-extra", is_flag=True, help="In the end, remove what is below DEST and has no file.")
    @click.option("--yes", "is_sure", is_flag=True, help=f"Even if that is more than {_DEFAULT.max_deleted} objects.")
    @wraps(verb)
    def with_skip(
        *,
        mode: Literal["none", "existing", "unchanged", "identical"],
        check_expiry: bool,
        delete_extra: bool,
        is_sure: bool,
        **others: Any,
    ) -> int:
        if is_sure and not delete_extra:
            raise UsageError("--yes is for --delete-extra")
        if check_expiry and mode == "none":
            raise UsageError("--check-expiry is for --skip")
        skip = SkipOptions(mode=mode, delete_extra=delete_extra, check_expiry=check_expiry)
        return verb(skip=replace(skip, max_deleted=None) if is_sure else skip, **others)

    return with_skip
