"""The flags about what is stored with every object of an upload."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

import click

from bulkput.cli.values import Duration, OneOf
from bulkput.options import HeaderOptions
from bulkput.policy.headers import check_content_type, check_value, parse_fields


def header_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --header, --meta, --content-type, --cache-control, --expires-in and --mtime-format: as one argument,
    `headers`."""

    @click.option(
        "--header",
        multiple=True,
        metavar="NAME:VALUE",
        help="Store this header with each object, as it is. Repeatable.",
    )
    @click.option(
        "--meta", multiple=True, metavar="NAME:VALUE", help="Store this metadata with each object. Repeatable."
    )
    @click.option("--content-type", metavar="TYPE", help="Type of all objects. Default: from the object's name.")
    @click.option("--cache-control", metavar="VALUE", help="Store this Cache-Control with each object.")
    @click.option("--expires-in", type=Duration(), help="The store deletes each object after this time: 90, 12h, 7d.")
    @click.option(
        "--mtime-format",
        type=OneOf(["nanoseconds", "swiftclient"]),
        default=HeaderOptions().mtime_format,
        show_default=True,
        help="Swift: form of X-Object-Meta-Mtime. swiftclient suits swift upload --changed.",
    )
    @wraps(verb)
    def with_headers(
        *,
        header: tuple[str, ...],
        meta: tuple[str, ...],
        content_type: str | None,
        cache_control: str | None,
        expires_in: int | None,
        mtime_format: Literal["nanoseconds", "swiftclient"],
        **others: Any,
    ) -> int:
        headers = HeaderOptions(
            content_type=_checked(content_type, check_content_type, what="--content-type"),
            cache_control=_checked(cache_control, check_value, what="--cache-control"),
            expires_in_s=expires_in,
            meta=parse_fields(meta, what="--meta"),
            extra=parse_fields(header, what="--header"),
            mtime_format=mtime_format,
        )
        return verb(headers=headers, **others)

    return with_headers


def _checked(value: str | None, check: Callable[..., str], *, what: str) -> str | None:
    """A header value, stripped; None if absent or blank. Raises UsageError if `check` does."""
    text = (value or "").strip()
    return check(text, what=what) if text else None
