"""`bulkput rm URL`"""

import sys

import click

from bulkput.cli.changes import ChangesView, change_options
from bulkput.cli.configured import Configured
from bulkput.cli.values import Url
from bulkput.errors import UsageError, printable
from bulkput.options import RetryOptions, WireOptions
from bulkput.policy.naming import without_query
from bulkput.verb_options import RemoveOptions


@click.command(cls=Configured)
@click.argument("url", type=Url())
@click.option("-r", "--recursive", "is_recursive", is_flag=True, help="Everything below URL, and URL itself.")
@click.option(
    "--with-segments", is_flag=True, help="Remove the segments of large objects, too, if nothing else reads them."
)
@click.option("--yes", is_flag=True, help="Do not ask. Needed with -r where there is no terminal.")
@change_options(sends_bodies=False)
def rm(
    url: str,
    *,
    is_recursive: bool,
    with_segments: bool,
    yes: bool,
    dry_run: bool,
    is_verbose: bool,
    as_json: bool,
    wire: WireOptions,
    retry: RetryOptions,
) -> int:
    """Remove the object URL, such as swift://CONTAINER/NAME or s3://BUCKET/NAME. With -r, remove everything below
    URL as a directory.

    \b
    bulkput rm swift://artifacts/build-41/report.html
    bulkput rm -r --yes s3://artifacts/build-41

    One request removes a thousand objects if the store has bulk-delete. The container or bucket stays. Of a large
    object in Swift the manifest is removed. A line says how many segments stay; --with-segments removes them after the
    manifest. To find out that nothing else reads them, it looks at every object of the account that may. A directory of
    a WebDAV server is not removed.

    Exit codes: 0 removed, 1 an object failed or does not exist, 2 usage, 3 the store failed, 130 interrupted.
    """
    if is_recursive and not (yes or dry_run):
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError("rm -r needs --yes if there is no terminal to ask on; --dry-run shows what it would do")
        is_name = "/" in url.partition("://")[2] and not url.endswith("/")
        itself = ", and the object of exactly that name" if is_name else ""
        if not click.confirm(f"Remove everything below {printable(without_query(url))}{itself}?", err=True):
            return 1
    view = ChangesView("remove", is_verbose=is_verbose, as_json=as_json)
    from bulkput.engine.objects.remove import remove  # noqa: PLC0415 - brings aiohttp

    options = RemoveOptions(
        is_recursive=is_recursive, with_segments=with_segments, retry=retry, wire=wire, dry_run=dry_run
    )
    return view.run(
        lambda stop: remove(url, options=options, on_event=view.show, stop=stop),
        what="removed",
    )
