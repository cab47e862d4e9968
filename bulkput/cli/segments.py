"""`bulkput segments URL`"""

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from bulkput.cli.changes import ChangesView, change_options
from bulkput.cli.configured import Configured
from bulkput.cli.output import flush, say, worded, write_line, write_row
from bulkput.cli.values import Duration, Url
from bulkput.errors import NotFound, Unsupported, UsageError, printable
from bulkput.events import Event, Looking, SegmentsFound, SegmentsKept, UnfinishedFound, UnfinishedKept
from bulkput.options import RetryOptions, WireOptions
from bulkput.policy.leftovers import age_text
from bulkput.report.lines import count_text, counted, pacing_text, size_text
from bulkput.verb_options import SegmentOptions
from bulkput.verb_results import UnreadSegments

if TYPE_CHECKING:
    from bulkput.engine.stop import Stop


@click.command(cls=Configured)
@click.argument("url", type=Url())
@click.option("--reap", is_flag=True, help="Remove the segments that nothing reads, or the unfinished uploads of S3.")
@click.option(
    "--older-than",
    type=Duration(least=0),
    default="7d",
    show_default=True,
    help="With --reap: keep an upload, or its segments, if its youngest part is younger. It may be running. 0: remove"
    " all, whatever their age.",
)
@click.option(
    "--segment-container",
    metavar="NAME",
    help="Swift: container that holds the segments. Default: the container of URL, with _segments.",
)
@change_options(sends_bodies=False)
def segments(
    url: str,
    *,
    reap: bool,
    older_than: int,
    segment_container: str | None,
    dry_run: bool,
    is_verbose: bool,
    as_json: bool,
    wire: WireOptions,
    retry: RetryOptions,
) -> int:
    """List parts of large objects that nothing reads, of the objects in URL, such as swift://CONTAINER/PREFIX or
    s3://BUCKET: in Swift segments, in S3 unfinished uploads. With --reap, remove them.

    \b
    bulkput segments swift://artifacts
    bulkput segments s3://artifacts
    bulkput segments --reap --older-than 2w s3://artifacts/build-42

    There is one line for each upload: how many segments or parts it has, their size, the age of the youngest, and
    where they are.

    S3: an upload that fails leaves its parts as an unfinished upload, which costs space, and which no listing of
    objects shows. --reap aborts those whose beginning and last part are older than --older-than.

    Swift: an upload that fails leaves segments; so does a large object that is overwritten or removed. bulkput lists
    all containers of the account, and looks at every object in them that may read others: large objects, links, and
    empty objects. If one of them cannot be looked at, no segment is removed.

    --reap does not ask. With --older-than 0 it removes all, also what a running upload needs, which then fails or
    sends its parts again: run it when none runs, first with --dry-run.

    Exit codes: 0 nothing in doubt, 1 something is kept in doubt, a removal failed, or there is no such container or
    bucket, 2 usage, 3 the store failed, 130 interrupted.
    """
    view = _View(is_verbose=is_verbose, as_json=as_json)
    from bulkput.engine.objects.segments import segments as look  # noqa: PLC0415 - brings the network

    options = SegmentOptions(
        reap=reap,
        older_than_s=older_than,
        segment_container=segment_container,
        retry=retry,
        wire=wire,
        dry_run=dry_run,
    )
    return view.run(lambda stop: look(url, options=options, on_event=view.show, stop=stop), is_reaping=reap)


class _View:
    """Prints groups of segments, or unfinished uploads, and removals on stdout, and what is kept, or cannot be looked
    at, on stderr; there also how far the look is."""

    def __init__(self, *, is_verbose: bool, as_json: bool) -> None:
        self._as_json = as_json
        self._changes = ChangesView("remove", is_verbose=is_verbose, as_json=as_json)
        from bulkput.report.looking import LookingLine  # noqa: PLC0415 - not for --help
        from bulkput.report.progress import Screen  # noqa: PLC0415 - as above

        self._looking = LookingLine(Screen(worded=worded))

    def show(self, event: Event) -> None:
        if isinstance(event, Looking):
            self._looking(event)
            return
        self._looking.end()
        if self._as_json and isinstance(event, SegmentsFound | SegmentsKept | UnfinishedFound | UnfinishedKept):
            write_row(event.as_json())
        elif isinstance(event, SegmentsFound):
            write_line(_line(event.count, event))
        elif isinstance(event, UnfinishedFound):
            write_line(_line(event.parts, event))
        else:
            self._changes.show(event)

    def run(self, main: Callable[["Stop"], Coroutine[Any, Any, UnreadSegments]], *, is_reaping: bool) -> int:
        from bulkput.cli.loop import run_stoppable  # noqa: PLC0415 - asyncio

        try:
            done = run_stoppable(main, at_exit=lambda: None)
        except NotFound as error:
            say(f"bulkput: {printable(str(error))}")
            return 1
        except Unsupported as error:
            raise UsageError(str(error)) from None
        finally:
            self._looking.end()
        if self._as_json:
            write_row(done.as_json())
        flush()
        for line in _summary(done, is_reaping=is_reaping):
            say(line)
        return done.exit_code


def _line(count: int, found: SegmentsFound | UnfinishedFound) -> str:
    # As ls does: a terminal gets escaped names, a pipe the exact ones.
    path = printable(found.path) if sys.stdout.isatty() else found.path
    age = age_text(found.age_s) if found.age_s is not None else "-"
    return f"{count_text(count):>7}  {size_text(found.size):>10}  {age:>11}  {path}"


def _summary(done: UnreadSegments, *, is_reaping: bool) -> list[str]:
    if done.parts is not None:
        line = f"{counted(done.found, 'unfinished upload')}, {counted(done.parts, 'part')}, {size_text(done.bytes)}"
    else:
        is_known = "nothing reads" if done.is_proven else "nothing seems to read"
        found, groups = counted(done.found, "segment"), counted(done.groups, "upload")
        line = f"{found} that {is_known}, {size_text(done.bytes)}, of {groups}"
    if is_reaping:
        removed = "would be removed" if done.is_dry else "removed"
        line += f"; {count_text(done.removed)} {removed}, {size_text(done.removed_bytes)}"
        for count, what in (
            (done.young, "too young"),
            (done.in_doubt, "kept in doubt"),
            (done.gone, "gone already"),
            (done.failed, "failed"),
            (done.uncertain, "may be removed (the store has not answered)"),
        ):
            line += f", {count_text(count)} {what}" if count else ""
    lines = [f"{line}; {counted(sum(done.requests.values()), 'request')} in {done.elapsed_s:.1f} s"]
    return lines if done.pacing is None else [*lines, pacing_text(done.pacing)]
