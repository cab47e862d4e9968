"""The flags about one share of the sources."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, get_args

import click

from bulkput.cli.configured import is_typed
from bulkput.cli.values import OneOf
from bulkput.errors import UsageError
from bulkput.options import ShareOptions
from bulkput.share_options import ShareBy

_SHARD = r"([0-9]{1,9})/([0-9]{1,9})"


class Shard(click.ParamType[tuple[int, int]]):
    """A number of a shard and the number of all, written `2/4`."""

    name = "K/N"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(_SHARD, str(value).strip(), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not a shard: write 1/4, 2/4, 3/4 or 4/4 for one of four", param, ctx)
        return int(match[1]), int(match[2])


def share_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --shard and --shard-by, as one argument, `share`."""

    @click.option("--shard", type=Shard(), help="Take only share K of N, for N machines that upload the same sources.")
    @click.option(
        "--shard-by",
        type=OneOf(get_args(ShareBy)),
        default="hash",
        show_default=True,
        help="Shares by names (hash), or of about equal bytes, by the sizes of what --files-from lists (bytes).",
    )
    @wraps(verb)
    def with_share(*, shard: tuple[int, int] | None, shard_by: ShareBy, **others: Any) -> int:
        if shard is None and shard_by != "hash" and is_typed("shard_by"):
            raise UsageError("--shard-by needs --shard")
        share = ShareOptions(shard=shard[0], of=shard[1], by=shard_by) if shard is not None else None
        return verb(share=share, **others)

    return with_share
