"""`bulkput logs [SOURCE...] --by KEY`"""

import gc
import importlib.util
import json
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING

import click

from bulkput.cli.configured import Configured
from bulkput.cli.connection import server_options
from bulkput.cli.output import CannotWriteError, flush, say, write_line
from bulkput.cli.values import Count, OneOf, Url
from bulkput.errors import NotFound, SourceError, StoreError, Unsupported, UsageError, printable
from bulkput.logs.keys import KEYS, parse_keys
from bulkput.options import WireOptions
from bulkput.report.lines import count_text, counted

if TYPE_CHECKING:
    from bulkput.logs.groups import Group, Groups
    from bulkput.logs.read import Log, Totals
    from bulkput.model import Found
    from bulkput.stores.base import Store

_BAD_LINES = 20
"""Lines per log that --verbose shows."""
_BAD_LINE_LENGTH = 300
"""Characters that it shows of each."""
_SUFFIXES = (".svg", ".png", ".html")


@click.command(cls=Configured)
@click.argument("sources", metavar="[URL|FILE|DIR]...", nargs=-1, type=Url(may_be_path=True))
@click.option(
    "--by",
    "keys",
    metavar="KEY[,KEY]",
    multiple=True,
    default=("object",),
    help="Group by " + ", ".join(KEYS) + ". Default: object.",
    shell_complete=lambda _ctx, _option, begun: _keys_after(begun),
)
@click.option(
    "--sort",
    type=OneOf(["count", "bytes", "name"]),
    default="count",
    show_default=True,
    help="Order of the groups.",
)
@click.option("--top", type=Count(1), help="Print the first N groups only.")
@click.option("--distinct", type=Count(1), default=1_000, show_default=True,
              help="List up to N values of each kind per group.")  # fmt: skip
@click.option(
    "--container", metavar="NAME", help="The container of the logs, if neither their names nor their lines say it."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per group.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one CSV row per group.")
@click.option("--chart", metavar="FILE", help="Draw the requests of each group: FILE.svg, .png or .html.")
@click.option("-v", "--verbose", "is_verbose", is_flag=True, help="Print lines that were not understood.")
@server_options
def logs(
    *,
    sources: tuple[str, ...],
    keys: tuple[str, ...],
    sort: str,
    top: int | None,
    distinct: int,
    container: str | None,
    as_json: bool,
    as_csv: bool,
    chart: str | None,
    is_verbose: bool,
    wire: WireOptions,
) -> int:
    """Count the requests in access logs, by object or by another field of their lines.

    \b
    bulkput logs --by date,status                              the account's logs: swift://.CDN_ACCESS_LOGS
    bulkput logs swift://.CDN_ACCESS_LOGS/horror --top 10      logs whose names begin with horror
    bulkput logs s3://logs/horror/ --by user-agent             S3's, from the bucket to which it delivers them
    bulkput logs access.log* /var/log/nginx --by user-agent --chart agents.html

    Reads plain and gzip logs in Apache's common and combined format, in that of S3, and in the W3C's extended one (with
    a #Fields line). Reads directories with all files below them. Dates and hours are in the time zone of the log.

    Exit codes: 0 success; 1 a log could not be read to its end (the lines before count), no line was in a known format,
    or there was no log; 2 usage; 3 the store failed; 130 interrupted.
    """
    from bulkput.cli.loop import run  # noqa: PLC0415 - asyncio
    from bulkput.logs.groups import Groups  # noqa: PLC0415

    groups = Groups(parse_keys(keys), distinct)
    _check(sources, chart, is_one_format=not (as_json and as_csv))
    reading = _LogReading(groups, container, wire, is_verbose=is_verbose)
    gc.disable()  # lines make no reference cycles, and the search for cycles took a tenth of the time
    try:
        totals = run(reading.read(sources))
    except Unsupported as error:
        raise UsageError(str(error)) from None
    found = _sorted(groups.all(), sort)
    shown = found if top is None else found[:top]
    about = _about(totals, len(found), len(shown))
    if chart is not None:  # before printing: the reader of the output may leave (| head)
        _draw(chart, found, groups.by, about, most=top, distinct=distinct)
    _print(shown, groups.by, distinct, "json" if as_json else "csv" if as_csv else "text")
    flush()
    say(about)
    if totals.bad_lines and not totals.lines:
        say("bulkput: no line was understood: is this an access log? -v shows some lines")
        return 1
    return 1 if totals.failed or reading.has_failed or not totals.logs else 0


def _keys_after(begun: str) -> list[str]:
    """What a shell may complete `date,st` to."""
    others, comma, _ = begun.rpartition(",")
    return [value for key in KEYS if (value := others + comma + key).startswith(begun)]


def _check(sources: tuple[str, ...], chart: str | None, *, is_one_format: bool) -> None:
    """Find wrong arguments before any log is read. Raises UsageError."""
    if not is_one_format:
        raise UsageError("use --json or --csv, not both")
    for source in sources:
        if not _is_url(source) and not os.path.exists(source):
            raise UsageError(f"{printable(source)}: no such file or directory")
    if chart is None:
        return
    if not chart.lower().endswith(_SUFFIXES):
        raise UsageError(f"--chart {printable(chart)}: the name must end with {', '.join(_SUFFIXES)}")
    if not os.path.isdir(os.path.dirname(chart) or "."):
        raise UsageError(f"--chart {printable(chart)}: there is no such directory")
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("--chart needs matplotlib: pip install 'bulkput[charts]'")


def _is_url(source: str) -> bool:
    return "://" in source and not os.path.exists(source)


class _LogReading:
    """Reads all sources, and prints errors to stderr."""

    def __init__(self, groups: "Groups", container: str | None, wire: WireOptions, *, is_verbose: bool) -> None:
        self._groups = groups
        self._container = container
        self._wire = wire
        self._bad_lines: dict[str, int] = {}
        self._is_verbose = is_verbose
        self.has_failed = False

    async def read(self, sources: tuple[str, ...]) -> "Totals":
        """Raises UsageError, and StoreError if the store failed as a whole."""
        from bulkput.logs.read import LOGS, fold  # noqa: PLC0415 - asyncio

        async with AsyncExitStack() as opened:
            stores: list[tuple[str, Store | None]] = []
            sources = sources or (f"swift://{LOGS}",)
            first = next(filter(_is_url, sources), None)
            for source in sources:
                stores.append((source, await self._open(source, opened, first) if _is_url(source) else None))
            async with aclosing(self._logs(stores)) as all_logs:
                return await fold(
                    all_logs,
                    self._groups,
                    container=self._container,
                    on_error=self._error,
                    on_bad_line=self._bad_line if self._is_verbose else None,
                )

    async def _open(self, url: str, opened: AsyncExitStack, first: str | None) -> "Store":
        """Environment variables without a host in their name apply to the server of the `first` URL."""
        from bulkput.engine.open_store import connected  # noqa: PLC0415 - brings aiohttp

        store, _ = await opened.enter_async_context(connected(url, wire=self._wire, read_for=first))
        return store

    async def _logs(self, stores: "list[tuple[str, Store | None]]") -> "AsyncGenerator[Log, None]":
        from bulkput.logs.read import local_logs, one_by_one, stored_logs  # noqa: PLC0415
        from bulkput.stores.base import Destination  # noqa: PLC0415

        for source, store in stores:
            if store is None:
                found = one_by_one(local_logs(os.fsencode(source), self._other))
            else:
                found = stored_logs(store, Destination.parse(source).prefix)
            try:
                async with aclosing(found):
                    async for log in found:
                        yield log
            except NotFound as error:
                self._error(error)

    def _other(self, found: "Found") -> None:
        """An entry in a directory that is not a readable file."""
        from bulkput.model import Skip  # noqa: PLC0415

        if isinstance(found, SourceError):
            self._error(found)
        elif isinstance(found, Skip) and self._is_verbose:
            say(f"bulkput: skipped {printable(found.path)}: {found.reason.value}")

    def _error(self, error: SourceError | StoreError) -> None:
        self.has_failed = True
        say(f"bulkput: {error}")

    def _bad_line(self, log: str, line: str) -> None:
        shown = self._bad_lines.get(log, 0)
        if shown < _BAD_LINES:
            say(f"bulkput: not understood in {printable(log)}: {printable(line[:_BAD_LINE_LENGTH])}")
        elif shown == _BAD_LINES:
            say(f"bulkput: not understood in {printable(log)}: more lines, which are only counted")
        self._bad_lines[log] = min(shown, _BAD_LINES) + 1


def _sorted(groups: "list[Group]", sort: str) -> "list[Group]":
    """Sort by name, or the largest first and equal ones by name."""
    if sort == "name":
        return groups
    return sorted(groups, key=lambda group: group.bytes if sort == "bytes" else group.count, reverse=True)


def _print(groups: "list[Group]", by: tuple[str, ...], distinct: int, form: str) -> None:
    from bulkput.report.log_text import csv_lines, group_json, group_lines  # noqa: PLC0415

    if form == "csv":
        for line in csv_lines(groups, by, distinct):
            write_line(line)
        return
    for group in groups:
        if form == "json":
            write_line(json.dumps(group_json(group, by, distinct)))
        else:
            write_line("\n".join([*group_lines(group, by, distinct), ""]))  # a call per line takes ten times as long


def _about(totals: "Totals", found: int, shown: int) -> str:
    """Sum up in one line what was read, what is not shown and what failed."""
    parts = [
        f"{counted(totals.lines, 'line')} of {counted(totals.logs, 'log')}, {counted(found, 'group')}",
        f"{count_text(found - shown)} of them not shown" if shown < found else "",
        f"{counted(totals.bad_lines, 'line')} not understood" if totals.bad_lines else "",
        f"{counted(totals.failed, 'log')} not read to the end" if totals.failed else "",
    ]
    return "; ".join(filter(None, parts))


def _draw(
    path: str, groups: "list[Group]", by: tuple[str, ...], about: str, *, most: int | None, distinct: int
) -> None:
    """Raises CannotWriteError."""
    from bulkput.report.charts import save  # noqa: PLC0415
    from bulkput.report.log_chart import MOST_BARS, chart_of, page_of  # noqa: PLC0415

    if not groups:
        say(f"bulkput: no chart: there are no groups ({printable(path)} is not written)")
        return
    most = most or MOST_BARS
    try:
        if path.lower().endswith(".html"):
            page = page_of(groups, by, most=most, distinct=distinct, about=about)
            with open(path, "w", encoding="utf-8") as file:
                file.write(page)
        else:
            save(chart_of(groups, by, most=most), path)
    except OSError as error:
        raise CannotWriteError(path, error) from error
