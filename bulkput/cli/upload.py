"""`bulkput upload SOURCE... DEST`"""

import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from bulkput.cli.values import Duration
from bulkput.events import Event
from bulkput.options import (
    HeaderOptions,
    RetryOptions,
    StopRules,
    UploadOptions,
    WalkOptions,
    WireOptions,
)
from bulkput.policy.headers import parse_fields

if TYPE_CHECKING:
    from bulkput.engine.stop import Stop
    from bulkput.recorder import Summary


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.argument("destination", metavar="DEST")
@click.option("--include", multiple=True, metavar="GLOB", help="Only files that match; gitignore syntax, repeatable.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Nothing that matches; wins over --include.")
@click.option("--follow-symlinks", is_flag=True, help="Follow links out of the tree and to directories.")
@click.option(
    "--encode-names",
    type=click.Choice(["strict", "percent"]),
    default="strict",
    help="File names that are not UTF-8: strict fails them; percent escapes them (and every % as %25).",
    show_default=True,
)
@click.option("--header", multiple=True, metavar="NAME:VALUE", help="Stored with each object, as it is; repeatable.")
@click.option("--meta", multiple=True, metavar="NAME:VALUE", help="User metadata of each object; repeatable.")
@click.option("--content-type", metavar="TYPE", help="For all objects. Default: by the name's suffix.")
@click.option("--cache-control", metavar="VALUE", help="Cache-Control of each object.")
@click.option("--expires-in", type=Duration(), help="The store deletes each object after 90 (seconds), 12h, 7d, ...")
@click.option("--storage-policy", metavar="NAME", help="Swift: the container's policy, should it be made now.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    default=WireOptions().concurrency,
    show_default=True,
    help="Requests in flight. More hides more latency; a store that answers 503 wants less.",
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
    type=click.FloatRange(0.1),
    default=WireOptions().timeout_s,
    show_default=True,
    help="Seconds for a request, plus its size at 64 KiB/s. Swift may hold one for 60 s to limit its rate.",
)
@click.option("--max-errors", type=click.IntRange(1), metavar="N", help="Stop after N failures. Default: never.")
@click.option("--fail-fast", is_flag=True, help="The same as --max-errors 1.")
@click.option("--insecure", is_flag=True, help="Do not verify TLS certificates.")
@click.option("--dry-run", is_flag=True, help="Say what would be uploaded; send nothing.")
@click.option(
    "--progress",
    type=click.Choice(["auto", "bar", "plain", "none"]),
    default="auto",
    show_default=True,
    help="On stderr. auto: a live line on a terminal, else a line every 5 s.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event on stdout.")
@click.option("--summary", type=click.File("w", lazy=False), help="Write the run's numbers as JSON; - is stdout.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each object and each retry.")
@click.option("-q", "--quiet", is_flag=True, help="Failures only.")
def upload(
    *,
    sources: tuple[str, ...],
    destination: str,
    progress: Literal["auto", "bar", "plain", "none"],
    as_json: bool,
    summary: IO[str] | None,
    verbose: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Upload files and directories to DEST, each in exactly one request, proven by its MD5.

    A directory contributes its contents, below DEST's prefix. A single file goes to DEST itself if that does not
    end in /, else below it by its name.

    \b
    bulkput upload ./dist swift://artifacts/build-42
    bulkput upload report.pdf swift://papers/2026/
    bulkput upload --exclude '*.tmp' --exclude .git/ . https://dav.example.org/backup/

    DEST is swift://CONTAINER[/PREFIX] or http(s)://HOST/PATH/. The container is made if it is not there.
    """
    options = _options(**flags)
    view = _View(verbose=verbose, quiet=quiet, as_json=as_json, progress=progress)
    from bulkput.cli.loop import run_stoppable  # noqa: PLC0415 - asyncio, and what follows

    result = run_stoppable(lambda stop: view.run(sources, destination, options, stop))
    if summary is not None:
        json.dump(result.as_json(), summary)
        summary.write("\n")
        summary.flush()
    sys.exit(result.exit_code)


def _options(
    *,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    encode_names: Literal["strict", "percent"],
    header: tuple[str, ...],
    meta: tuple[str, ...],
    content_type: str | None,
    cache_control: str | None,
    expires_in: int | None,
    storage_policy: str | None,
    concurrency: int,
    retries: int,
    timeout: float,
    max_errors: int | None,
    fail_fast: bool,
    insecure: bool,
    dry_run: bool,
) -> UploadOptions:
    extra = parse_fields(header, flag="--header")
    # The remaining texts become header fields as well: the same check keeps them on one line.
    checked = dict(
        parse_fields(
            [f"{n}: {v}" for n, v in (("content_type", content_type), ("cache_control", cache_control)) if v],
            flag="--content-type or --cache-control",
        )
    )
    return UploadOptions(
        walk=WalkOptions(include=include, exclude=exclude, follow_symlinks=follow_symlinks),
        encode_names=encode_names,
        headers=HeaderOptions(
            content_type=checked.get("content_type"),
            cache_control=checked.get("cache_control"),
            expires_in_s=expires_in,
            meta=parse_fields(meta, flag="--meta"),
            extra=extra,
        ),
        retry=RetryOptions(retries=retries),
        wire=WireOptions(
            concurrency=concurrency,
            timeout_s=timeout,
            verify_tls=not insecure,
            ca_file=os.environ.get("OS_CACERT"),
        ),
        stop=StopRules(max_errors=1 if fail_fast else max_errors),
        storage_policy=storage_policy,
        dry_run=dry_run,
    )


class _View:
    """What a run shows while it goes on: events as JSON on stdout, lines and progress on stderr."""

    def __init__(
        self, *, verbose: bool, quiet: bool, as_json: bool, progress: Literal["auto", "bar", "plain", "none"]
    ) -> None:
        self._verbose = verbose
        self._quiet = quiet
        self._as_json = as_json
        self._progress: Literal["auto", "bar", "plain", "none"] = "none" if quiet else progress

    async def run(self, sources: tuple[str, ...], destination: str, options: UploadOptions, stop: "Stop") -> "Summary":
        from rich.console import Console  # noqa: PLC0415 - drawn with only now

        from bulkput.engine.run import upload as upload_all  # noqa: PLC0415 - brings aiohttp
        from bulkput.recorder import Recorder  # noqa: PLC0415
        from bulkput.report.lines import event_line, summary_lines  # noqa: PLC0415
        from bulkput.report.progress import progress  # noqa: PLC0415

        recorder = Recorder()
        with progress(self._progress, recorder, Console(stderr=True, highlight=False)) as shown:

            def show(event: Event) -> None:
                if self._as_json:
                    _print_json(event, stop)
                if (line := event_line(event, verbose=self._verbose)) is not None:
                    shown.say(line)

            summary = await upload_all(
                sources, destination, options=options, recorder=recorder, on_event=show, stop=stop
            )
        if not self._quiet or not summary.adds_up:
            for line in summary_lines(summary):
                click.echo(line, err=True)
        return summary


def _print_json(event: Event, stop: "Stop") -> None:
    from bulkput.report.lines import event_json  # noqa: PLC0415

    row = event_json(event)
    if row is None:
        return
    try:
        sys.stdout.write(json.dumps(row) + "\n")
    except BrokenPipeError:
        # Whoever read our events has gone (`| head`): stop as if asked to. What is still printed goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stop.interrupt()
