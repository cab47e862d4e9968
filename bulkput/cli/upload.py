"""`bulkput upload SOURCE... DEST`"""

import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import click

from bulkput.cli.gzip import gzip_options
from bulkput.cli.output import CannotWriteError, SummaryFile, TraceFile, flush, own_output
from bulkput.cli.skip import skip_options
from bulkput.cli.values import Concurrency, Duration, Seconds, refuse_odd
from bulkput.cli.walk import split, walk_options
from bulkput.errors import UsageError
from bulkput.options import (
    BodyOptions,
    FileListOptions,
    GzipOptions,
    HeaderOptions,
    RetryOptions,
    SkipOptions,
    StopRules,
    UploadOptions,
    WalkOptions,
    WireOptions,
)
from bulkput.policy.headers import check_value, parse_fields

if TYPE_CHECKING:
    from bulkput.engine.stop import Stop
    from bulkput.results import Summary


@click.command()
@click.argument("paths", metavar="SOURCE... DEST", nargs=-1)
@walk_options
@click.option(
    "--changing",
    type=click.Choice(["fail", "snapshot"]),
    default=BodyOptions().changing,
    show_default=True,
    help="A file that is written to while it is read. snapshot: as many bytes as it had when opened; for logs.",
)
@click.option("--literal", is_flag=True, help="Take //, . and .. in DEST for parts of the objects' names.")
@click.option(
    "--encode-names",
    type=click.Choice(["strict", "percent"]),
    default="strict",
    help="File names that are not UTF-8: strict fails them; percent escapes them (and every % as %25).",
    show_default=True,
)
@click.option("--header", multiple=True, metavar="NAME:VALUE", help="Stored with each object, as it is; repeatable.")
@click.option("--meta", multiple=True, metavar="NAME:VALUE", help="User metadata of each object; repeatable.")
@click.option("--content-type", metavar="TYPE", help="For all objects but gzip files. Default: by the name's suffix.")
@click.option("--cache-control", metavar="VALUE", help="Cache-Control of each object.")
@click.option(
    "--mtime-format",
    type=click.Choice(["nanoseconds", "swiftclient"]),
    default=HeaderOptions().mtime_format,
    show_default=True,
    help="Swift: how X-Object-Meta-Mtime is written. nanoseconds: exact, for rclone. swiftclient: for --changed.",
)
@gzip_options("Send files compressed; auto: those that it makes smaller by an eighth or more.")
@skip_options
@click.option("--dir-markers", is_flag=True, help="An empty object for each directory, of type application/directory.")
@click.option("--expires-in", type=Duration(), help="The store deletes each object after 90 (seconds), 12h, 7d, ...")
@click.option("--storage-policy", metavar="NAME", help="Swift: the container's policy, should it be made now.")
@click.option(
    "--concurrency",
    type=Concurrency(),
    default="auto",
    show_default=True,
    help="Requests in flight. auto begins with 64 and finds out, up to 256; -v says what and why.",
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=RetryOptions().retries,
    show_default=True,
    help="Further tries per object, with growing random pauses.",
)
@click.option(
    "--timeout",
    type=Seconds(0.1, 86_400),
    default=WireOptions().timeout_s,
    show_default=True,
    help="Seconds for a request, plus its size at 64 KiB/s. Swift may hold one for 60 s to limit its rate.",
)
@click.option(
    "--stalled-after",
    type=Seconds(0.1, 86_400),
    default=UploadOptions().stall_s,
    show_default=True,
    help="Seconds without any progress until what is in flight is printed. Ends nothing: --timeout does.",
)
@click.option(
    "--transport",
    type=click.Choice(["wire", "aiohttp"]),
    default=WireOptions().transport,
    show_default=True,
    help="wire: our own HTTP for the PUTs, at a fraction of the CPU. aiohttp: that library, as behind a proxy.",
)
@click.option("--max-errors", type=click.IntRange(1), metavar="N", help="Stop after N failures. Default: never.")
@click.option("--fail-fast", is_flag=True, help="The same as --max-errors 1.")
@click.option("--insecure", is_flag=True, help="Do not verify TLS certificates.")
@click.option(
    "--journal", metavar="FILE", help="Write down what is done: the same command again sends only what is missing."
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Look only at what failed, says the --journal; not to go on after an interruption.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be uploaded, on stdout; send nothing.")
@click.option(
    "--progress",
    type=click.Choice(["auto", "bar", "plain", "none"]),
    default="auto",
    show_default=True,
    help="On stderr. auto and bar: a live line on a terminal, else a line every 5 s (plain).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event on stdout.")
@click.option("--summary", metavar="FILE", help="Write the run's numbers as one JSON object; - is stdout.")
@click.option("--trace", metavar="FILE", help="Write one JSON line per request: start, duration, bytes, error.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each object and each retry.")
@click.option("-q", "--quiet", is_flag=True, help="Only failures, and what the run waits for when it stalls.")
def upload(
    *,
    paths: tuple[str, ...],
    literal: bool,
    progress: Literal["auto", "bar", "plain", "none"],
    as_json: bool,
    summary: str | None,
    trace: str | None,
    verbose: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Upload files and directories to DEST, each in exactly one request, proven by its MD5.

    A directory contributes its contents, below DEST's prefix. A single file goes to DEST itself if that does not
    end in /, else below it by its name.

    \b
    bulkput upload ./dist swift://artifacts/build-42
    bulkput upload report.pdf swift://papers/2026/
    bulkput upload --journal up.db /srv/archive swift://archive     # again after a crash: only the rest
    bulkput upload --skip identical --delete-extra ./site swift://site     # a mirror: only what has changed
    bulkput upload --exclude '*.tmp' --exclude .git/ . https://dav.example.org/backup/
    git ls-files -z | bulkput upload --files-from - --null swift://artifacts/source

    DEST is swift://CONTAINER[/PREFIX] or http(s)://HOST/PATH/. The container is made if it is not there.
    """
    sources, destination = split(paths, flags["files"], verb="upload")
    if not literal:
        refuse_odd(destination)
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other")
    options = _options(**flags)
    from bulkput.cli.view import UploadView  # noqa: PLC0415 - rich
    from bulkput.engine.descriptors import fitting_concurrency  # noqa: PLC0415

    options, advice = fitting_concurrency(options)  # before the event loop, which needs some descriptors itself
    tracing = TraceFile(trace) if trace is not None else None
    view = UploadView(verbose=verbose, quiet=quiet, as_json=as_json, progress=progress, trace=tracing)
    if advice is not None:
        view.say(advice)
    file = SummaryFile(summary) if summary is not None else None
    options = replace(options, walk=replace(options.walk, own_output=own_output(tracing, file)))
    _run(lambda stop: view.run(sources, destination, options, stop), file, tracing)
    return view.exit_code


def _run(
    send: Callable[["Stop"], Coroutine[Any, Any, "Summary"]], file: SummaryFile | None, tracing: TraceFile | None
) -> None:
    """With what is written at its end. A reader of stdout who has left is no error. Raises CannotWriteError."""
    from bulkput.cli.loop import run_stoppable  # noqa: PLC0415 - asyncio, and what follows

    try:
        result = run_stoppable(send, at_exit=file.close if file else _nothing)
        if file is not None:
            file.write(result.as_json())
        if tracing is not None:
            tracing.close()
        flush()
    except CannotWriteError as error:
        if not error.is_reader_gone:
            raise
    finally:
        if file is not None:
            file.close()
        if tracing is not None:
            with suppress(CannotWriteError):
                tracing.close()  # where the run could not begin


def _nothing() -> None:
    """Nothing to tidy."""


def _options(
    *,
    walk: WalkOptions,
    files: FileListOptions | None,
    fail_if_empty: bool,
    changing: Literal["fail", "snapshot"],
    encode_names: Literal["strict", "percent"],
    header: tuple[str, ...],
    meta: tuple[str, ...],
    content_type: str | None,
    cache_control: str | None,
    mtime_format: Literal["nanoseconds", "swiftclient"],
    gzip: GzipOptions,
    skip: SkipOptions,
    dir_markers: bool,
    expires_in: int | None,
    storage_policy: str | None,
    concurrency: int | None,
    retries: int,
    timeout: float,
    stalled_after: float,
    transport: Literal["wire", "aiohttp"],
    max_errors: int | None,
    fail_fast: bool,
    insecure: bool,
    journal: str | None,
    retry_failed: bool,
    dry_run: bool,
) -> UploadOptions:
    return UploadOptions(
        walk=walk,
        files=files,
        fail_if_empty=fail_if_empty,
        body=BodyOptions(changing=changing),
        encode_names=encode_names,
        headers=HeaderOptions(
            content_type=_checked(content_type, what="--content-type"),
            cache_control=_checked(cache_control, what="--cache-control"),
            expires_in_s=expires_in,
            meta=parse_fields(meta, what="--meta"),
            extra=parse_fields(header, what="--header"),
            mtime_format=mtime_format,
        ),
        gzip=gzip,
        skip=skip,
        dir_markers=dir_markers,
        retry=RetryOptions(retries=retries),
        wire=WireOptions(
            concurrency=concurrency,
            timeout_s=timeout,
            transport=transport,
            verify_tls=not insecure,
            ca_file=os.environ.get("OS_CACERT"),
        ),
        stop=StopRules(max_errors=1 if fail_fast else max_errors),
        storage_policy=check_value(storage_policy, what="--storage-policy") if storage_policy else None,
        journal=journal,
        retry_failed=retry_failed,
        dry_run=dry_run,
        stall_s=stalled_after,
    )


def _checked(value: str | None, *, what: str) -> str | None:
    """A text that becomes a header field, on one line; None where it is not given, or blank. Raises UsageError."""
    text = (value or "").strip()
    return check_value(text, what=what) if text else None
