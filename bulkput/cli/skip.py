"""The flags about what is in the store already."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, get_args

import click

from bulkput.cli.configured import is_typed
from bulkput.cli.values import OneOf
from bulkput.errors import UsageError
from bulkput.options import SkipMode, SkipOptions

_DEFAULT = SkipOptions()


def skip_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --skip, --check-expiry, --delete-extra and --yes: as one argument, `skip`."""

    @click.option(
        "--skip",
        "mode",
        type=OneOf(get_args(SkipMode)),
        default=_DEFAULT.mode,
        show_default=True,
        help="Do not send files that the store has. existing: same name. unchanged: same size. identical: same MD5.",
    )
    @click.option(
        "--check-expiry",
        is_flag=True,
        help="With --skip, ask for each object whether it has expired. On with --expires-in.",
    )
    @click.option(
        "--delete-extra", is_flag=True, help="After the upload, remove objects below DEST that have no file here."
    )
    @click.option(
        "--yes", "is_sure", is_flag=True, help=f"Let --delete-extra remove more than {_DEFAULT.max_deleted} objects."
    )
    @wraps(verb)
    def with_skip(
        *,
        mode: SkipMode,
        check_expiry: bool,
        delete_extra: bool,
        is_sure: bool,
        **others: Any,
    ) -> int:
        if is_sure and not delete_extra:
            raise UsageError("--yes needs --delete-extra")
        if check_expiry and mode == "none" and is_typed("check_expiry"):
            raise UsageError("--check-expiry needs --skip")
        skip = SkipOptions(mode=mode, delete_extra=delete_extra, check_expiry=check_expiry)
        return verb(skip=replace(skip, max_deleted=None) if is_sure else skip, **others)

    return with_skip
