"""The flags with which a run can be watched: its page in the browser, and the page as a file at the end."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from bulkput.errors import UsageError
from bulkput.record import frozen

if TYPE_CHECKING:
    from bulkput.cli.watch_view import Watch


@frozen(kw_only=True)
class WatchFlags:
    """Where a run shall be shown; None is nowhere."""

    status_page: str | None
    report: str | None


def watch_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb the flags, as one argument, `watch`."""

    @click.option(
        "--status-page",
        metavar="[HOST:]PORT",
        help="Serve a page about the run, with charts, and /metrics for Prometheus. HOST: 127.0.0.1.",
    )
    @click.option("--report", metavar="FILE", help="Write that page to FILE when the run ends: one file of HTML.")
    @wraps(verb)
    def with_watch(*, status_page: str | None, report: str | None, **others: Any) -> int:
        if report == "-":
            raise UsageError("--report needs a file: stdout is for --json, --print-urls and --summary")
        return verb(watch=WatchFlags(status_page=status_page, report=report), **others)

    return with_watch


def open_watch(
    flags: WatchFlags, sources: Sequence[str], destination: str, *, tag: str | None, is_dry_run: bool
) -> "Watch | None":
    """What shows the run; None if nobody asks for it. Raises UsageError if the file cannot be made, or nothing can
    listen on the port."""
    if flags.status_page is None and flags.report is None:
        return None
    from bulkput.cli.watch_view import Watch  # noqa: PLC0415 - aiohttp's server: 150 ms that only such runs pay

    return Watch(flags, sources, destination, tag=tag, is_dry_run=is_dry_run)
