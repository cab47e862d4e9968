"""`bulkput cp SOURCE DEST`, and what `mv` shares with it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from bulkput.cli.changes import ChangesView, change_options
from bulkput.cli.values import refuse_odd
from bulkput.options import CopyOptions, HeaderOptions, RetryOptions, WireOptions
from bulkput.policy.headers import parse_fields


def copy_options(verb: Callable[..., int]) -> Callable[..., int]:
    """-r, and what each copy gets instead of what the object has; the last as `headers`."""

    @click.option("-r", "--recursive", "is_recursive", is_flag=True, help="All that lies below SOURCE.")
    @click.option("--header", multiple=True, metavar="NAME:VALUE", help="Instead of the object's own; repeatable.")
    @click.option("--meta", multiple=True, metavar="NAME:VALUE", help="Instead of the object's own; repeatable.")
    @click.option("--content-type", metavar="TYPE", help="Instead of the object's own.")
    @click.option("--literal", is_flag=True, help="Take //, . and .. in DEST for parts of the objects' names.")
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


@click.command()
@click.argument("source")
@click.argument("dest")
@copy_options
@change_options
def cp(source: str, dest: str, **options: Any) -> int:
    """Copy objects within the store, without their bytes passing through this machine.

    \b
    bulkput cp swift://a/report.html swift://b/2026/          # b: 2026/report.html
    bulkput cp -r swift://artifacts/build-42 swift://releases/4.2

    Type and metadata come along; --header, --meta and --content-type replace them. Manifests of static large objects
    are copied as manifests: their segments stay where they are. A copy is proven by its ETag. DEST's container is made
    if it is not there. Copies are made by COPY, or X-Copy-From where the store refuses that. Where no store can copy
    (plain HTTP, from one kind of store to another) the bytes pass through this machine, which is said.

    Exit codes: 0 copied, 1 something could not be, or was not there, 2 usage, 3 the store failed, 130 interrupted.
    """
    return run_copy(source, dest, is_move=False, **options)


def run_copy(
    source: str,
    dest: str,
    *,
    is_move: bool,
    literal: bool,
    is_recursive: bool,
    headers: HeaderOptions,
    dry_run: bool,
    is_verbose: bool,
    as_json: bool,
    wire: WireOptions,
    retry: RetryOptions,
) -> int:
    """Either verb."""
    if not literal:
        refuse_odd(dest)
    view = ChangesView("move" if is_move else "copy", is_verbose=is_verbose, as_json=as_json)
    from bulkput.engine.objects.copy import copy, move  # noqa: PLC0415 - brings aiohttp

    options = CopyOptions(is_recursive=is_recursive, headers=headers, retry=retry, wire=wire, dry_run=dry_run)
    verb = move if is_move else copy
    return view.run(
        lambda stop: verb(source, dest, options=options, on_event=view.show, stop=stop),
        what="moved" if is_move else "copied",
    )
