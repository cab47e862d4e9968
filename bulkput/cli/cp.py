"""`bulkput cp SOURCE DEST`, and the flags and the run that `mv` shares with it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from bulkput.cli.changes import ChangesView, change_options
from bulkput.cli.help import Verb
from bulkput.cli.mistakes import refuse_local
from bulkput.cli.s3 import make_bucket_option
from bulkput.cli.values import Url, refuse_odd
from bulkput.options import HeaderOptions, RetryOptions, S3Options, WireOptions
from bulkput.policy.headers import parse_fields
from bulkput.verb_options import CopyOptions


def copy_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Adds the flags of cp and mv. The flags that replace headers of the objects arrive as `headers`."""

    @click.option("-r", "--recursive", "is_recursive", is_flag=True, help="Everything below SOURCE.")
    @click.option("--with-segments", is_flag=True, help="Also the segments of large objects.")
    @click.option("--header", multiple=True, metavar="NAME:VALUE", help="Replace the objects' headers. Repeatable.")
    @click.option("--meta", multiple=True, metavar="NAME:VALUE", help="Replace the objects' metadata. Repeatable.")
    @click.option("--content-type", metavar="TYPE", help="Replace the objects' type.")
    @click.option("--literal", is_flag=True, help="Accept //, . and .. in DEST as parts of object names.")
    @make_bucket_option
    @wraps(verb)
    def with_options(*, header: tuple[str, ...], meta: tuple[str, ...], content_type: str | None, **others: Any) -> int:
        checked = dict(parse_fields([f"type: {content_type}"] if content_type else [], what="--content-type"))
        headers = HeaderOptions(
            content_type=checked.get("type"),
            meta=parse_fields(meta, what="--meta"),
            extra=parse_fields(header, what="--header"),
        )
        return verb(headers=headers, **others)

    return with_options


@click.command(cls=Verb)
@click.argument("source", type=Url())
@click.argument("dest", type=Url())
@copy_options
@change_options(sends_bodies=True)
def cp(source: str, dest: str, **options: Any) -> int:
    """Copy objects within the store. Their bytes do not pass through this machine.

    \b
    bulkput cp swift://a/report.html swift://b/2026/          # becomes 2026/report.html in b
    bulkput cp -r swift://artifacts/build-42 swift://releases/4.2
    bulkput cp -r --make-bucket s3://artifacts/build-42 s3://releases/4.2

    The copy keeps type and metadata, except what --header, --meta and --content-type replace. In S3 it does not keep
    the ACL: give one by --header x-amz-acl:NAME. The container of DEST is made if it does not exist, a bucket with
    --make-bucket. Where the store cannot copy (plain HTTP, or from one kind of store to another), the bytes pass
    through this machine, and a line says so.

    Of a large object the manifest is copied: source and copy share the segments. --with-segments copies the segments,
    to the container DEST_segments. It refuses large objects that would not be the same then, and copies nothing of
    them.

    Exit codes: 0 copied, 1 an object failed or does not exist, 2 usage, 3 the store failed, 130 interrupted.
    """
    return run_copy(source, dest, is_move=False, **options)


def run_copy(
    source: str,
    dest: str,
    *,
    is_move: bool,
    literal: bool,
    is_recursive: bool,
    with_segments: bool,
    headers: HeaderOptions,
    make_bucket: bool,
    dry_run: bool,
    is_verbose: bool,
    as_json: bool,
    wire: WireOptions,
    retry: RetryOptions,
) -> int:
    """Copy, or move if `is_move`; the exit code."""
    refuse_local("mv" if is_move else "cp", source, dest)
    if not literal:
        refuse_odd(dest)
    view = ChangesView("move" if is_move else "copy", is_verbose=is_verbose, as_json=as_json)
    from bulkput.engine.objects.copy import copy, move  # noqa: PLC0415 - brings aiohttp

    options = CopyOptions(
        is_recursive=is_recursive,
        with_segments=with_segments,
        headers=headers,
        s3=S3Options(make_bucket=make_bucket),
        retry=retry,
        wire=wire,
        dry_run=dry_run,
    )
    verb = move if is_move else copy
    return view.run(
        lambda stop: verb(source, dest, options=options, on_event=view.show, stop=stop),
        what="moved" if is_move else "copied",
    )
