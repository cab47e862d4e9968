"""The flags for S3 alone."""

from collections.abc import Callable
from functools import wraps
from typing import Any, get_args

import click

from bulkput.cli.values import OneOf
from bulkput.options import Checksum, S3Options


def s3_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --checksum and --make-bucket, as one argument, `s3`."""

    @click.option(
        "--checksum",
        type=OneOf(get_args(Checksum)),
        default=S3Options().checksum,
        show_default=True,
        help="S3: checksum by which it checks the bytes.",
    )
    @make_bucket_option
    @wraps(verb)
    def with_s3(*, checksum: Any, make_bucket: bool, **others: Any) -> int:
        return verb(s3=S3Options(checksum=checksum, make_bucket=make_bucket), **others)

    return with_s3


def make_bucket_option(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb --make-bucket, as `make_bucket`."""
    return click.option("--make-bucket", is_flag=True, help="S3: make the bucket if it is missing.")(verb)
