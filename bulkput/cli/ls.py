"""`bulkput ls URL`"""

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bulkput.cli.configured import Configured
from bulkput.cli.connection import server_options
from bulkput.cli.output import say, say_what_delays, write_line
from bulkput.cli.values import Seconds, Url
from bulkput.errors import NotFound, Unsupported, UsageError, printable
from bulkput.model import Container, Prefix, RemoteObject
from bulkput.options import WireOptions
from bulkput.policy.directories import is_marker, one_level
from bulkput.policy.naming import joined_prefix, without_query

if TYPE_CHECKING:
    from bulkput.stores.base import Store

_TIMEOUT_S = WireOptions().timeout_s
Row = RemoteObject | Prefix | Container
_LOOKED_AT = 32
"""Rows of the listing that wait for the HEAD of the first one, so that many are in flight."""


@click.command(cls=Configured)
@click.argument("url", metavar="URL", type=Url())
@click.option("-l", "--long", "is_long", is_flag=True, help="Also print size in bytes, time, ETag and content type.")
@click.option(
    "-r", "--recursive", is_flag=True, help="List everything below URL. Default: one level, directories end in /."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object per line: name bytes hash content_type last_modified, and large if it is. Of"
    " containers: container objects bytes last_modified.",
)
@click.option(
    "--timeout", type=Seconds(0.1, 86_400), default=_TIMEOUT_S, show_default=True, help="Time limit of a request."
)
@server_options
def ls(url: str, *, is_long: bool, recursive: bool, as_json: bool, timeout: float, wire: WireOptions) -> int:
    """List the objects below URL, such as swift://CONTAINER/PREFIX or s3://BUCKET/PREFIX; of swift:// or s3:// alone
    the containers or buckets. Plain HTTP has no listing.

    \b
    bulkput ls swift://artifacts/build-42
    bulkput ls -r -l s3://artifacts/build-42/
    bulkput ls s3://                                # the buckets that these keys may list

    Names are printed in full, ready to paste after swift://CONTAINER/. A directory is listed once, also if it has a
    marker (an empty object of type application/directory); -r lists the marker itself.

    The size of a large object is that of what it is composed of. With -l the words "static" or "dynamic" take the
    place of its ETag, which is no MD5 of its bytes. Some are listed as empty: with -l and --json, a HEAD of each empty
    object finds them. S3's listings tell no type of content: -l prints - there.

    Exit codes: 0 found, or the container or directory is empty, 1 nothing has that name, 2 there is no such bucket.
    """
    from bulkput.cli.loop import run  # noqa: PLC0415 - asyncio
    from bulkput.stores.base import Destination  # noqa: PLC0415 - brings all options

    def show(item: Row) -> None:
        write_line(_json_row(item) if as_json else _text_row(item, is_long=is_long))

    if Destination.of_account(url) is not None:
        if recursive:
            raise UsageError(f"-r is for the objects of one container: write {url.partition(':')[0]}://NAME")
        run(_list_account(url, replace(wire, timeout_s=timeout), show))
        return 0
    try:
        wire = replace(wire, timeout_s=timeout)
        found = run(_list(url, recursive, wire, show, with_sizes=is_long or as_json))
    except NotFound:
        return _no_container(url)
    except Unsupported as error:
        raise UsageError(str(error)) from None
    if not found:
        say(f"bulkput: nothing at {printable(without_query(url))}")
    return 0 if found else 1


async def _list_account(url: str, wire: WireOptions, show: Callable[[Row], None]) -> None:
    from bulkput.engine.open_store import list_containers  # noqa: PLC0415 - brings aiohttp
    from bulkput.verb_options import ListOptions  # noqa: PLC0415 - as above

    async with aclosing(list_containers(url, options=ListOptions(wire=wire), on_event=say_what_delays())) as containers:
        async for container in containers:
            show(container)


def _no_container(url: str) -> int:
    """Say that not even the container is there. Returns 1: an upload makes it, so that it is as good as empty. Raises
    UsageError for a bucket, which no upload makes unasked: its name is probably misspelt."""
    from bulkput.stores.base import Destination  # noqa: PLC0415 - see below

    where = Destination.parse(url)
    if where.noun == "bucket":
        raise UsageError(
            f"there is no bucket {printable(where.root)}: check its name, AWS_PROFILE and AWS_ENDPOINT_URL"
        )
    say(f"bulkput: nothing at {printable(without_query(url))}: there is no {where.noun} {printable(where.root)}")
    return 1


async def _list(
    url: str,
    recursive: bool,
    wire: WireOptions,
    show: Callable[[Row], None],
    *,
    with_sizes: bool,
) -> bool:
    """Show what lies below the URL, or else the object of exactly that name. Returns whether either exists."""
    from bulkput.engine.open_store import connected  # noqa: PLC0415 - brings aiohttp
    from bulkput.stores.base import Destination  # noqa: PLC0415

    prefix = Destination.parse(url).prefix
    shown = 0
    async with connected(url, wire=wire, emit=say_what_delays()) as (store, _):
        below = store.list(joined_prefix(prefix), delimiter=None if recursive else "/")
        rows = below if recursive else one_level(below)
        async with aclosing(below), aclosing(rows), aclosing(_sized(store, rows) if with_sizes else rows) as listing:
            async for item in listing:
                show(item)
                shown += 1
        if shown or not prefix:
            return True
        exact = await store.stat(prefix.removesuffix("/"))
        is_directory = exact is not None and is_marker(exact)
        if exact is not None and (recursive if is_directory else not prefix.endswith("/")):
            show(exact)
            return True
    return is_directory


async def _sized(
    store: "Store", rows: AsyncIterator[RemoteObject | Prefix]
) -> AsyncGenerator[RemoteObject | Prefix, None]:
    """The rows, in their order, with the sizes of large objects that the listing has as empty or without a size."""
    waiting: deque[RemoteObject | Prefix | asyncio.Task[RemoteObject]] = deque()
    try:
        async for row in rows:
            if isinstance(row, Prefix) or row.bytes or row.link is not None or is_marker(row):
                waiting.append(row)
            else:
                waiting.append(asyncio.create_task(_with_size(store, row)))
            while waiting and (len(waiting) >= _LOOKED_AT or not isinstance(waiting[0], asyncio.Task)):
                first = waiting.popleft()
                yield await first if isinstance(first, asyncio.Task) else first
        for left in tuple(waiting):
            yield await left if isinstance(left, asyncio.Task) else left
    finally:
        tasks = [left for left in waiting if isinstance(left, asyncio.Task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _with_size(store: "Store", row: RemoteObject) -> RemoteObject:
    head = await store.stat(row.name)
    return row if head is None or head.large is None else replace(row, bytes=head.bytes, large=head.large)


def _json_row(item: Row) -> str:
    if isinstance(item, Prefix):
        return json.dumps({"prefix": item.name})
    if isinstance(item, Container):
        told = {"objects": item.objects, "bytes": item.bytes, "last_modified": item.last_modified}
        return json.dumps({"container": item.name, **told})
    row = {
        "name": item.name,
        "bytes": item.bytes,
        "hash": item.hash,
        "content_type": item.content_type,
        "last_modified": item.last_modified,
    }
    return json.dumps(row if item.large is None else {**row, "large": item.large})


def _text_row(item: Row, *, is_long: bool) -> str:
    # As ls does: a terminal gets escaped names, one line each; a pipe gets the exact names.
    name = printable(item.name) if sys.stdout.isatty() else item.name
    if not is_long:
        return name
    if isinstance(item, Prefix):
        return f"{'-':>12}  {'-':26}  {'-':32}  {'-':24}  {name}"
    # Swift lists times in UTC without a zone, so the Z is ours.
    size = "-" if item.bytes is None else item.bytes
    time = f"{item.last_modified}Z" if item.last_modified else "-"
    if isinstance(item, Container):
        objects = "-" if item.objects is None else item.objects
        return f"{size:>12}  {time:26}  {objects:>12}  {name}"
    return f"{size:>12}  {time:26}  {item.large or item.hash or '-':32}  {item.content_type or '-':24}  {name}"
