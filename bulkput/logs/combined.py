"""A line in Apache's common or combined format. `columns` reads whole blocks of regular lines, with the same result."""

import re

from bulkput.logs.paths import NOTHING, without_query
from bulkput.logs.record import Record, size_of

_MONTHS = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
}  # fmt: skip
_WHEN = re.compile(r"\[([0-3]\d)/(\w{3}|[01]\d)/(\d{4}):([^ ]{0,2})", re.S | re.A)
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_LINE = re.compile(
    rf'(?>([^ ]+) [^ ]+ [^"]+? (\[[^"]*)){_QUOTED} (\d{{3}}) (\d+|-)(?: {_QUOTED} {_QUOTED}(?: .*)?)?', re.A
)
"""The first bracket counts: to try each of a long line would take quadratic time."""
_REQUEST = re.compile(r"([A-Za-z_-]+) (.+?)(?: HTTP/\d(?:\.\d)?)?", re.A)


def parse_line(line: str) -> Record | None:
    """Read a line in the common or combined format; None: it is in neither. Ignores what follows the user agent."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    ip, when, request, code, text, referrer, agent = match.groups("-")
    time, size = date_and_hour(when), size_of(text)
    if time is None or size is None:
        return None
    return Record(ip, *time, *method_and_path(request), code, size, referrer, agent)


def date_and_hour(when: str) -> tuple[str, str] | None:
    """`[14/Feb/2010:04` -> 2010-02-14, 04; None: no date. Rackspace's CDN writes the month as a number."""
    match = _WHEN.match(when)
    if match is None:
        return None
    day, name, year, hour = match.groups()
    month = name if name.isdigit() else _MONTHS.get(name)
    if month is None:
        return None
    return f"{year}-{month}-{day}", hour if len(hour) == 2 and hour.isascii() and hour.isdigit() else NOTHING


def method_and_path(request: str) -> tuple[str, str]:
    """`GET /a?b HTTP/1.1` -> GET, /a; a client may send anything, and a path that holds spaces is one."""
    match = _REQUEST.fullmatch(request)
    return (NOTHING, NOTHING) if match is None else (match[1], without_query(match[2]))
