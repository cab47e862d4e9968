"""`bulkput upload SOURCE... DEST`"""

import os
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

from bulkput.cli.connection import connection_options, rate_options
from bulkput.cli.gzip import gzip_options
from bulkput.cli.headers import header_options
from bulkput.cli.help import Verb
from bulkput.cli.job import JobFlags, job_options, open_job
from bulkput.cli.large import large_options
from bulkput.cli.output import CannotWriteError, flush, own_output, writing_on
from bulkput.cli.publish import publish_options
from bulkput.cli.rules import rules_option
from bulkput.cli.s3 import s3_options
from bulkput.cli.scale import Scale, scale_options
from bulkput.cli.share import share_options
from bulkput.cli.skip import skip_options
from bulkput.cli.stop import stop_options
from bulkput.cli.values import OneOf, Seconds, Url, refuse_odd
from bulkput.cli.walk import split, walk_options
from bulkput.cli.watch import WatchFlags, open_watch, watch_options
from bulkput.errors import BulkputError, UsageError
from bulkput.options import (
    BodyOptions,
    FileListOptions,
    GzipOptions,
    HeaderOptions,
    IfExists,
    LargeOptions,
    RetryOptions,
    S3Options,
    ShareOptions,
    SkipOptions,
    StopRules,
    UploadOptions,
    WalkOptions,
    WireOptions,
)
from bulkput.policy.headers import check_value
from bulkput.record import frozen
from bulkput.rule_options import Rule

if TYPE_CHECKING:
    from bulkput.cli.files import SummaryFile, TraceFile
    from bulkput.cli.job_view import JobView
    from bulkput.cli.view import UploadView
    from bulkput.cli.watch_view import Watch
    from bulkput.engine.stop import Stop
    from bulkput.results import Summary


@click.command(cls=Verb)
@click.argument("paths", metavar="SOURCE... DEST", nargs=-1, type=Url(is_last=True))
@walk_options
@share_options
@click.option(
    "--changing",
    type=OneOf(["fail", "snapshot"]),
    default=BodyOptions().changing,
    show_default=True,
    help="A file that changes while it is read: fail it, or send the size it had at the start (logs).",
)
@click.option("--literal", is_flag=True, help="Accept //, . and .. in DEST as parts of object names.")
@click.option(
    "--encode-names",
    type=OneOf(["strict", "percent"]),
    default="strict",
    help="File names that are not UTF-8: fail, or escape as %FF (and % as %25).",
    show_default=True,
)
@header_options
@rules_option
@gzip_options("Compress. auto: only files that become smaller by an eighth or more.")
@skip_options
@large_options
@s3_options
@publish_options
@click.option("--dir-markers", is_flag=True, help="Make an empty application/directory object for each directory.")
@click.option("--storage-policy", metavar="NAME", help="Swift: storage policy of a container that this run makes.")
@click.option("--checksum-headers", is_flag=True, help="HTTP: send X-Checksum-Md5, -Sha1 and -Sha256 (Artifactory).")
@click.option(
    "--write-manifest",
    metavar="NAME",
    help="When all else is there, put an object NAME below DEST that lists what was published.",
)
@connection_options(
    "Requests in flight. auto starts with 64 and adapts between 8 and 256; -v says why.",
    retries="Retries per object, after random pauses that grow.",
    timeout="Time limit of a request, plus the time its body takes at 64 KiB/s.",
)
@rate_options(
    "Requests for objects per second at most: 500/s, 30/m. PUT, HEAD and DELETE count, and retries.",
    "Bytes of objects per second at most: 512K/s, 100M/s. As sent: compressed, and retries.",
)
@click.option(
    "--stalled-after",
    type=Seconds(0.1, 86_400),
    default=UploadOptions().stall_s,
    show_default=True,
    help="Print what is in flight when nothing has moved for this long. Stops nothing.",
)
@click.option(
    "--transport",
    type=OneOf(["wire", "aiohttp"]),
    default=WireOptions().transport,
    show_default=True,
    help="HTTP client. wire needs least CPU; a proxy always uses aiohttp.",
)
@stop_options
@click.option(
    "--journal", metavar="FILE", help="Record what is uploaded in FILE. The same command again sends only the rest."
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Send only the files that failed in the last run with this --journal.",
)
@click.option("--dry-run", is_flag=True, help="Print on stdout what would be uploaded. Send nothing.")
@click.option(
    "--progress",
    type=OneOf(["auto", "bar", "plain", "none"]),
    default="auto",
    show_default=True,
    help="Progress on stderr. auto: a bar on a terminal, else a line every 10 s (plain).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per event on stdout.")
@click.option("--summary", metavar="FILE", help="Write the numbers of the run to FILE as one JSON object. - is stdout.")
@click.option("--trace", metavar="FILE", help="Write one JSON line per request to FILE: start, duration, bytes, error.")
@scale_options
@job_options
@watch_options
@click.option("-v", "--verbose", is_flag=True, help="Print a line for each object and each retry.")
@click.option("-q", "--quiet", is_flag=True, help="Print only failures, and what a stalled run waits for.")
def upload(
    *,
    paths: tuple[str, ...],
    literal: bool,
    progress: Literal["auto", "bar", "plain", "none"],
    as_json: bool,
    summary: str | None,
    trace: str | None,
    job: JobFlags,
    scale: Scale,
    watch: WatchFlags,
    verbose: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Upload files and directories to DEST, one request per file, each proven by its MD5.

    Of a directory, the contents go below DEST. A single file becomes DEST itself, or DEST/NAME if DEST ends in /.

    \b
    bulkput upload ./dist swift://artifacts/build-42
    bulkput upload --make-bucket ./dist s3://artifacts/build-42
    bulkput upload report.pdf swift://papers/2026/
    bulkput upload --journal up.db /srv/archive swift://archive     # again after a crash: sends the rest
    bulkput upload --skip identical --delete-extra ./site swift://site     # a mirror: sends what changed
    bulkput upload --exclude '*.tmp' --exclude .git/ . https://dav.example.org/backup/
    bulkput upload swift://artifacts/build-42/ s3://copies/build-42/     # from store to store
    git ls-files -z | bulkput upload --files-from - --null swift://artifacts/source

    DEST is swift://CONTAINER[/PREFIX], s3://BUCKET[/PREFIX] or http(s)://HOST/PATH/. A missing container is made, a
    bucket with --make-bucket. A temporary URL of Swift's will do, in quotes; tempurl://[PREFIX] is that in
    BULKPUT_TEMPURL. A SOURCE may be such a URL, too: then its objects are copied (docs/store-to-store.md).
    Options with their reasons: docs/options.md.
    """
    sources, given = split(paths, flags["files"], verb="upload")
    destination = _destination(given, is_literal=literal)
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other: give one")
    from bulkput.engine.descriptors import fitting_concurrency  # noqa: PLC0415 - options

    options, advice = fitting_concurrency(_options(**flags))  # before the event loop, which needs some descriptors too
    send = scale.upload(destination)  # other processes inherit the limit
    from bulkput.cli.view import UploadView  # noqa: PLC0415 - asyncio

    shown = sources if options.files is None else (f"the list {options.files.path}",)
    watched = open_watch(watch, shown, destination, tag=options.tag, is_dry_run=options.dry_run)
    outputs = _outputs(summary, trace, lambda: open_job(job, shown, destination), watched)
    told = outputs.job
    shows = partial(UploadView, verbose=verbose, quiet=quiet, as_json=as_json, progress=progress)
    view = shows(trace=outputs.trace, job=told, watch=watched)
    if advice is not None:
        view.say(advice)
    own = own_output(outputs.trace, outputs.summary, *(each.file for each in (told, watched) if each is not None))
    options = replace(
        options, walk=replace(options.walk, own_output=own), tells_urls=told is not None and told.tells_urls
    )
    with _watching(watched, view):
        _run(view, lambda stop: view.run(sources, destination, options, stop, upload=send), outputs)
    return view.exit_code


def _destination(given: str, *, is_literal: bool) -> str:
    """The URL that is meant. Raises UsageError."""
    if not is_literal:
        refuse_odd(given)
    if not given.lower().startswith("tempurl:"):
        return given
    from bulkput.policy.temp_url import from_variable  # noqa: PLC0415 - few destinations are

    return from_variable(given, os.environ)


def _watching(watch: "Watch | None", view: "UploadView") -> AbstractContextManager[None]:
    return watch.watching(lambda: view.exit_code) if watch is not None else nullcontext()


@frozen
class _Outputs:
    """What the run writes beside its lines; None for what nobody asked for."""

    summary: "SummaryFile | None"
    trace: "TraceFile | None"
    job: "JobView | None"


def _outputs(
    summary: str | None, trace: str | None, open_job: "Callable[[], JobView | None]", watch: "Watch | None"
) -> _Outputs:
    """Raises UsageError if one cannot be made; then `watch`, which listens already, is closed."""
    try:
        return _opened(summary, trace, open_job())
    except UsageError:
        if watch is not None:
            watch.close()
        raise


def _opened(summary: str | None, trace: str | None, job: "JobView | None") -> _Outputs:
    if summary is None and trace is None:
        return _Outputs(None, None, job)
    from bulkput.cli.files import SummaryFile, TraceFile  # noqa: PLC0415 - tempfile and json: 5 ms

    tracing = TraceFile(trace) if trace is not None else None
    return _Outputs(SummaryFile(summary) if summary is not None else None, tracing, job)


def _run(view: "UploadView", send: Callable[["Stop"], Coroutine[Any, Any, "Summary"]], outputs: _Outputs) -> None:
    """Run the upload, then write the page and the summary, and close the trace.

    Raises CannotWriteError, but not if the reader of stdout has gone.
    """
    from bulkput.cli.loop import run_stoppable  # noqa: PLC0415 - asyncio, and what follows

    file, tracing, job = outputs.summary, outputs.trace, outputs.job
    try:
        result = run_stoppable(send, at_exit=file.close if file else _nothing)
        with writing_on() as write:
            if job is not None:
                write(lambda: job.write(result))
            if file is not None:
                write(lambda: file.write(result.as_json()))
            if tracing is not None:
                write(tracing.close)
            write(flush)
    except BulkputError as error:
        if job is not None and not isinstance(error, UsageError):
            job.write_ended(view.recorder.summary(), error)
        raise
    finally:
        if file is not None:
            file.close()
        if job is not None:
            job.close()
        if tracing is not None:
            with suppress(CannotWriteError):
                tracing.close()  # not closed yet if the run failed


def _nothing() -> None:
    """For `at_exit`: nothing to clean up."""


def _options(
    *,
    walk: WalkOptions,
    files: FileListOptions | None,
    share: ShareOptions | None,
    fail_if_empty: bool,
    changing: Literal["fail", "snapshot"],
    encode_names: Literal["strict", "percent"],
    headers: HeaderOptions,
    rules: tuple[Rule, ...],
    gzip: GzipOptions,
    skip: SkipOptions,
    large: LargeOptions,
    s3: S3Options,
    last: tuple[str, ...],
    if_exists: IfExists,
    dir_markers: bool,
    storage_policy: str | None,
    checksum_headers: bool,
    write_manifest: str | None,
    wire: WireOptions,
    retry: RetryOptions,
    stalled_after: float,
    transport: Literal["wire", "aiohttp"],
    stop: StopRules,
    journal: str | None,
    retry_failed: bool,
    tag: str | None,
    keep_tag: bool,
    dry_run: bool,
) -> UploadOptions:
    return UploadOptions(
        walk=walk,
        files=files,
        share=share,
        fail_if_empty=fail_if_empty,
        body=BodyOptions(changing=changing),
        encode_names=encode_names,
        headers=headers,
        rules=rules,
        gzip=gzip,
        skip=skip,
        large=large,
        s3=s3,
        last=last,
        if_exists=if_exists,
        dir_markers=dir_markers,
        retry=retry,
        wire=replace(wire, transport=transport),
        stop=stop,
        storage_policy=check_value(storage_policy, what="--storage-policy") if storage_policy else None,
        checksum_headers=checksum_headers,
        manifest=write_manifest,
        journal=journal,
        retry_failed=retry_failed,
        tag=tag,
        keep_tag=keep_tag,
        dry_run=dry_run,
        stall_s=stalled_after,
    )
