"""Groups of access log lines as text, as JSON and as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence, Set
from typing import Any

from bulkput.errors import printable
from bulkput.logs.groups import Group
from bulkput.logs.keys import NOTED
from bulkput.report.lines import count_text, size_text

HEADINGS = {
    "user-agent": "User Agents",
    "status": "Response codes",
    "referrer": "Referrers",
    "ip": "IPs",
    "date": "Dates",
    "container": "Container Name",
    "object": "Object Name",
}
_ONE_PER_LINE = {"user-agent", "referrer", "object"}
"""Fields with one value per line, because values are long or contain commas."""
_JSON = {
    "user-agent": "user_agents",
    "status": "statuses",
    "referrer": "referrers",
    "ip": "ips",
    "date": "dates",
    "container": "containers",
    "object": "objects",
}
_WIDTH = max(map(len, HEADINGS.values())) + 2


def key_text(key: Sequence[str]) -> str:
    """The key values of a group, on one line."""
    return ", ".join(map(printable, key))


def group_lines(group: Group, by: Sequence[str], distinct: int) -> list[str]:
    """A group for people: its key, and below it the fields that the blog post of 2010 showed."""
    lines = [key_text(group.key), _line("Count", count_text(group.count)), _line("Bytes", _bytes(group.bytes))]
    for name in NOTED:
        if name in by:
            continue
        values = group.seen[name]
        if values is None:
            lines.append(_line(HEADINGS[name], _more(distinct)))
        elif name in _ONE_PER_LINE:
            first, *others = _printable(values)
            lines += [_line(HEADINGS[name], first), *(" " * (_WIDTH + 2) + other for other in others)]
        else:
            lines.append(_line(HEADINGS[name], ", ".join(_printable(values))))
    return lines


def _printable(values: Set[str]) -> list[str]:
    """Sorted and printable. One check of all values together is fast: there may be millions, and few need escapes."""
    ordered = sorted(values)
    return ordered if "".join(ordered).isprintable() else list(map(printable, ordered))


def _line(heading: str, value: str) -> str:
    return f"  {heading + ':':{_WIDTH}}{value}"


def _bytes(size: int) -> str:
    return count_text(size) if size < 1024 else f"{count_text(size)} ({size_text(size)})"


def _more(distinct: int) -> str:
    return f"more than {count_text(distinct)}"


def group_json(group: Group, by: Sequence[str], distinct: int) -> dict[str, Any]:
    """A group for programs. null in place of values means more than `distinct` values."""
    row: dict[str, Any] = {"key": dict(zip(by, group.key, strict=True)), "count": group.count, "bytes": group.bytes}
    for name in NOTED:
        values = group.seen[name]
        row[_JSON[name]] = None if values is None else sorted(values)
    row["distinct"] = distinct
    return row


def csv_lines(groups: Iterable[Group], by: Sequence[str], distinct: int) -> Iterable[str]:
    """A table for spreadsheets. If a cell has several values, each is on a line of its own.

    Clients choose the values, so one that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    noted = [name for name in NOTED if name not in by]
    yield _row([*by, "count", "bytes", *(HEADINGS[name].lower() for name in noted)])
    for group in groups:
        cells = [_cell(group.seen[name], distinct) for name in noted]
        yield _row([*map(_harmless, map(printable, group.key)), str(group.count), str(group.bytes), *cells])


def _cell(values: Set[str] | None, distinct: int) -> str:
    return f"more than {distinct}" if values is None else _harmless("\n".join(_printable(values)))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "@", "-")) and text.partition("\n")[0] != "-" else text


def _row(cells: Sequence[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(cells)  # csv quotes a cell that contains this
    return stream.getvalue()[:-1]
