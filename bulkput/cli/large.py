"""The flags about large objects and pipes."""

from collections.abc import Callable
from functools import wraps
from typing import Any, get_args

import click

from bulkput.cli.values import OneOf, Size
from bulkput.errors import UsageError
from bulkput.options import LargeMode, LargeOptions

_DEFAULT = LargeOptions()


def large_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb the flags about large objects, as one argument, `large`."""

    @click.option(
        "--segment-size",
        type=Size(),
        help="Size of the parts of a large file. Default: 256M of a file, 32M of a pipe; more if there were too many.",
    )
    @click.option("--segment-above", type=Size(), help="Send larger files in parts. Default: 1G, or the store's limit.")
    @click.option(
        "--segment-container",
        metavar="NAME",
        help="Swift: container of the parts. Default: that of DEST with _segments behind its name.",
    )
    @click.option(
        "--large",
        "large_mode",
        type=OneOf(get_args(LargeMode)),
        default=_DEFAULT.mode,
        show_default=True,
        help="How large objects are composed: slo (static), dlo (dynamic), never. auto: slo on Swift, else dlo.",
    )
    @click.option(
        "--reap-segments",
        is_flag=True,
        help="Remove the parts of overwritten large objects after the upload, unless something else reads them.",
    )
    @click.option(
        "--expect-size",
        type=Size(may_be_zero=True),
        help="SOURCE is a pipe: store nothing unless it gives this many bytes.",
    )
    @click.option("--expect-md5", metavar="HEX", help="SOURCE is a pipe: store nothing unless its bytes have this MD5.")
    @wraps(verb)
    def with_large(
        *,
        segment_size: int | None,
        segment_above: int | None,
        segment_container: str | None,
        large_mode: LargeMode,
        reap_segments: bool,
        expect_size: int | None,
        expect_md5: str | None,
        **others: Any,
    ) -> int:
        large = LargeOptions(
            mode=large_mode,
            above=segment_above if segment_above is not None else _DEFAULT.above,
            part_size=segment_size,
            container=_container(segment_container),
            reap=reap_segments,
            expect_size=expect_size,
            expect_md5=expect_md5,
        )
        return verb(large=large, **others)

    return with_large


def _container(name: str | None) -> str | None:
    """Raises UsageError."""
    if name is not None and ("/" in name or name in ("", ".", "..")):
        raise UsageError("--segment-container is the name of a container: without a slash, and not . or ..")
    return name
