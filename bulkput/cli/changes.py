"""The flags that cp, mv, rm and segments share, and the view of their progress."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from bulkput.cli.connection import connection_options, rate_options
from bulkput.cli.output import flush, say, write_line, write_row
from bulkput.errors import NotFound, Unsupported, UsageError, printable
from bulkput.events import Change, Done, Event, SegmentsKept, SegmentsLeft
from bulkput.options import WireOptions
from bulkput.report.lines import count_text, counted, event_line, pacing_text, size_text
from bulkput.report.rows import event_json
from bulkput.verb_results import Changes, SegmentCounts

if TYPE_CHECKING:
    from bulkput.engine.stop import Stop

_VERBS = {
    Done.COPIED: "copied",
    Done.KEPT: "copied, not removed",
    Done.MOVED: "moved",
    Done.REMOVED: "removed",
    Done.GONE: "gone already",
}


_START = WireOptions().first_concurrency
_CONCURRENCY = f"Requests in flight. auto starts with {_START} and adapts (rm and segments: always {_START})."
_RATE = "Requests for objects per second at most: 500/s, 30/m. A bulk-delete counts each of its objects."
_BANDWIDTH = "Bytes per second at most that pass through this machine: 512K/s, 100M/s."


class ChangesView:
    """Prints successful changes on stdout; failures, notices, and what a move has left in two places on stderr."""

    def __init__(self, verb: str, *, is_verbose: bool, as_json: bool) -> None:
        """A dry run prints "would VERB"."""
        self._verb = verb
        self._is_verbose = is_verbose
        self._as_json = as_json

    def show(self, event: Event) -> None:
        match event:
            case Change():
                self._change(event)
            case SegmentsLeft() | SegmentsKept() if self._as_json:
                write_row(event_json(event) or {})
            case SegmentsLeft(why=""):
                pass  # the last line has the numbers
            case _ if (line := event_line(event, verbose=False)) is not None:
                say(line)

    def _change(self, change: Change) -> None:
        if self._as_json:
            write_row(change.as_json())
        elif change.done is Done.WOULD:
            write_line(f"would {self._verb}: {_names(change)}")
        elif change.done is Done.FAILED:
            say(f"failed: {change.error}")
        elif change.done is Done.KEPT:
            say(f"{_VERBS[change.done]}: {_names(change)}")
        elif self._is_verbose:
            write_line(f"{_VERBS[change.done]}: {_names(change)}")

    def run(self, main: Callable[["Stop"], Coroutine[Any, Any, Changes]], *, what: str) -> int:
        """Run `main`, print the numbers, return the exit code. `what` is the past participle, such as "copied"."""
        from bulkput.cli.loop import run_stoppable  # noqa: PLC0415 - asyncio

        try:
            changes = run_stoppable(main, at_exit=_nothing)
        except NotFound as error:
            say(f"bulkput: {printable(str(error))}")
            return 1
        except Unsupported as error:
            raise UsageError(str(error)) from None
        if self._as_json:
            write_row(changes.as_json())
        flush()
        done = f"would be {what}" if changes.is_dry else what
        rest = f", {count_text(changes.kept)} copied and not removed" if changes.kept else ""
        if changes.uncertain:
            of_them = "of them" if changes.kept else "more"
            rest += f", up to {count_text(changes.uncertain)} {of_them} may be removed (the store has not answered)"
        rest += f", {count_text(changes.gone)} gone already" if changes.gone else ""
        rest += f", {count_text(changes.failed)} failed" if changes.failed else ""
        say(
            f"{count_text(changes.done)} {done}{rest}, {size_text(changes.bytes)}; "
            f"{counted(sum(changes.requests.values()), 'request')} in {changes.elapsed_s:.1f} s"
        )
        for line in _segment_lines(changes.segments):
            say(line)
        if changes.pacing is not None:
            say(pacing_text(changes.pacing))
        return changes.exit_code


def change_options(*, sends_bodies: bool) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Adds the shared flags. The flags of the connection arrive as `wire` and `retry`.

    `sends_bodies`: objects may pass through this machine, so there is a --bandwidth.
    """

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        @click.option("--dry-run", is_flag=True, help="Print on stdout what would be done. Change nothing.")
        @click.option("-v", "--verbose", "is_verbose", is_flag=True, help="Print a line on stdout for each object.")
        @click.option(
            "--json", "as_json", is_flag=True, help="Print one JSON object per object on stdout, the numbers last."
        )
        @connection_options(_CONCURRENCY)
        @rate_options(_RATE, _BANDWIDTH if sends_bodies else None)
        @wraps(verb)
        def with_options(**options: Any) -> int:
            return verb(**options)

        return with_options

    return decorate


def _segment_lines(counts: SegmentCounts) -> list[str]:
    lines = []
    if counts.removed:
        lines.append(f"  segments removed: {count_text(counts.removed)}, {size_text(counts.removed_bytes)}")
    if counts.large:
        many = f"{counted(counts.left, 'segment')} ({size_text(counts.left_bytes)})" if counts.left else "the segments"
        lines.append(
            f"  left {many} of {counted(counts.large, 'large object')}: bulkput segments finds those that nothing reads"
        )
    if counts.in_doubt:
        lines.append(f"  segments not removed: {count_text(counts.in_doubt)} (named above)")
    return lines


def _names(change: Change) -> str:
    return printable(change.name) + (f" -> {printable(change.to)}" if change.to is not None else "")


def _nothing() -> None:
    """For `at_exit`: nothing to clean up."""
