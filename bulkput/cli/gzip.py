"""The flags about compression, which are several verbs'."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

import click

from bulkput.cli.configured import is_typed
from bulkput.cli.values import Count, OneOf
from bulkput.errors import UsageError
from bulkput.options import GzipOptions

_DEFAULT = GzipOptions()


def gzip_options(purpose: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a verb --gzip, whose help is `purpose`, --gzip-level, --gzip-as and --gzip-except: as one argument."""

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        @click.option(
            "--gzip",
            type=OneOf(["auto", "always", "never"]),
            default=_DEFAULT.mode,
            show_default=True,
            help=purpose,
        )
        @click.option(
            "--gzip-level",
            type=Count(1, 9),
            metavar="1-9",
            help=f"1 compresses fastest, 9 smallest. Default: {_DEFAULT.level}.",
        )
        @click.option(
            "--gzip-as",
            type=OneOf(["encoding", "suffix"]),
            help="encoding (default): same name, Content-Encoding: gzip. suffix (with always): NAME.gz.",
        )
        @click.option(
            "--gzip-except",
            multiple=True,
            metavar="GLOB",
            help="Send files that match as they are, under their names. Gitignore syntax, repeatable.",
        )
        @wraps(verb)
        def with_gzip(
            *,
            gzip: Literal["auto", "always", "never"],
            gzip_level: int | None,
            gzip_as: Literal["encoding", "suffix"] | None,
            gzip_except: tuple[str, ...],
            **others: Any,
        ) -> int:
            ruled = any(rule.gzip not in (None, "never") for rule in others.get("rules", ()))
            return verb(gzip=_options(gzip, gzip_level, gzip_as, gzip_except, ruled=ruled), **others)

        return with_gzip

    return decorate


def _options(
    mode: Literal["auto", "always", "never"],
    level: int | None,
    store_as: Literal["encoding", "suffix"] | None,
    exclude: tuple[str, ...],
    *,
    ruled: bool,
) -> GzipOptions:
    """`ruled`: a rule compresses files, whatever the mode is."""
    if mode == "never" and not ruled:
        if (level is not None or store_as is not None or exclude) and is_typed("gzip_level", "gzip_as", "gzip_except"):
            raise UsageError("--gzip-level, --gzip-as and --gzip-except need --gzip auto or always")
        return _DEFAULT
    return GzipOptions(
        mode=mode, level=level or _DEFAULT.level, store_as=store_as or _DEFAULT.store_as, exclude=exclude
    )
