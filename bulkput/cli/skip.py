"""The flags about what is in the store already."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, get_args

import click

from bulkput.cli.configured import is_typed
from bulkput.cli.values import Duration, OneOf
from bulkput.errors import UsageError
from bulkput.options import SkipMode, SkipOptions

_DEFAULT = SkipOptions()


def skip_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --skip, --check-expiry, --delete-extra, --keep-for, --expire-extra and --yes: as one argument,
    `skip`."""

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
        help="With --skip, ask for each object whether it has expired. On with --expires-in and --expire-extra.",
    )
    @click.option(
        "--delete-extra", is_flag=True, help="After the upload, remove objects below DEST that have no file here."
    )
    @click.option(
        "--keep-for",
        type=Duration(),
        help="Let --delete-extra leave objects younger than this: 12h, 14d.",
    )
    @click.option(
        "--expire-extra",
        type=Duration(),
        help="In place of --delete-extra: such objects expire after this time. With --skip, one HEAD for each object.",
    )
    @click.option(
        "--yes",
        "is_sure",
        is_flag=True,
        help=f"Let --delete-extra or --expire-extra take more than {_DEFAULT.max_deleted} objects.",
    )
    @wraps(verb)
    def with_skip(
        *,
        mode: SkipMode,
        check_expiry: bool,
        delete_extra: bool,
        keep_for: int | None,
        expire_extra: int | None,
        is_sure: bool,
        **others: Any,
    ) -> int:
        skip = SkipOptions(
            mode=mode,
            delete_extra=delete_extra,
            keep_for_s=keep_for if delete_extra or is_typed("keep_for") else None,
            expire_extra_s=expire_extra,
            check_expiry=check_expiry,
        )
        return verb(skip=_confirmed(skip, is_sure=is_sure), **others)

    return with_skip


def _confirmed(skip: SkipOptions, *, is_sure: bool) -> SkipOptions:
    """The options without a bound on what is removed, if that is confirmed. Raises UsageError for flags without use."""
    if is_sure and not skip.is_mirror:
        raise UsageError("--yes needs --delete-extra or --expire-extra")
    if skip.check_expiry and skip.mode == "none" and is_typed("check_expiry"):
        raise UsageError("--check-expiry needs --skip")
    return replace(skip, max_deleted=None) if is_sure else skip
