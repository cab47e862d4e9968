"""Apache's common and combined format: blocks of lines as columns.

A combined line has six quotes, so what is between them repeats, and is taken out by strides; `combined` proves that no
line of the block is different. A line that is not regular is read by `parse_line`, to the same result
(`tests/properties/test_logs_properties.py`).
"""

import re
from collections.abc import Sequence
from operator import itemgetter
from sys import intern

from bulkput.logs.columns import Columns, IrregularError, Pool, Record, Request, sizes_of
from bulkput.logs.paths import NOTHING, without_query

_MONTHS = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
}  # fmt: skip
_NO_MORE = ' "-" "-"'
"""A common line with this behind it is a combined one."""
_NOBODY = " - - "
_WHEN = re.compile(r"\[([0-3]\d)/(\w{3}|[01]\d)/(\d{4}):([^ ]{0,2})", re.S | re.A)
_FIRST = re.compile(r'[^ "]+( - - \[[0-3]\d/(?:\w{3}|[01]\d)/\d{4}:)', re.A)
_STATUS = re.compile(r"\d{3}", re.A)
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(rf'([^ ]+) [^ ]+ [^"]+? (\[[^"]*){_QUOTED} (\d{{3}}) (\d+|-)(?: {_QUOTED} {_QUOTED}(?: .*)?)?', re.A)
_REQUEST = re.compile(r"([A-Za-z_-]+) (.+?)(?: HTTP/\d(?:\.\d)?)?", re.A)
_first_of = itemgetter(0)


class Statuses(Pool):
    """Checked and kept; there are at most a thousand."""

    def __init__(self) -> None:
        super().__init__(_status)


def combined(block: str, statuses: Statuses) -> Columns | None:
    """A block whose lines are all combined, or all common. None, or IrregularError: it is not.

    Every line is `ip - - [14/Feb/2010:when zone] "request" status size "referrer" "agent"`, with one space wherever
    there is one, and all of the same date.
    """
    first = _FIRST.match(block)
    if first is None or ("\\" in block and '\\"' in block):  # an escaped quote ends nothing
        return None
    if block.count('"', 0, block.find("\n")) == 2:
        block = block.replace("\n", _NO_MORE + "\n")
    # What is before the first quote, request, " status size ", referrer, " ", agent.
    parts = block.split('"')
    count, rest = divmod(len(parts) - 1, 6)
    if rest or parts.pop() != "\n" or parts[4::6].count(" ") != count:
        return None
    requests, referrers, agents = parts[1::6], parts[3::6], parts[5::6]
    if any("\n" in "".join(column) for column in (requests, referrers, agents)):
        return None
    ips, whens = _ips_and_whens(parts[0::6], first[1])
    texts, sizes = _statuses_and_sizes(parts[2::6])
    date, _ = _date_and_hour(first[1][len(_NOBODY) :] + "00")
    return Columns(
        ips=list(map(intern, ips)),  # one object for equal texts, while there is any
        dates=[date] * count,
        requests=requests,
        statuses=statuses.all(texts),
        sizes=sizes,
        referrers=list(map(intern, referrers)),
        agents=list(map(intern, agents)),
        read_request=method_and_path,
        find_hours=lambda: [_hour(when[1:3]) for when in whens],
    )


def _ips_and_whens(heads: list[str], between: str) -> tuple[Sequence[str], Sequence[str]]:
    """What is before the quotes: `between` stands between IP and time, and a line end before all but the first IP. The
    times get a NUL before them: where it is proves what is what. Raises IrregularError."""
    heads[0] = "\n" + heads[0]
    joined = "".join(heads)
    if "" in heads or set(map(_first_of, heads)) != {"\n"} or "\0" in joined:
        raise IrregularError
    pieces = joined.replace(between, "\n\0").split("\n")
    ips, whens = pieces[1::2], pieces[2::2]
    all_ips = "".join(ips)
    if len(pieces) != 2 * len(heads) + 1 or "" in pieces[1:] or " " in all_ips or "\0" in all_ips:
        raise IrregularError
    if set(map(_first_of, whens)) != {"\0"}:
        raise IrregularError
    return ips, whens


def _statuses_and_sizes(middles: Sequence[str]) -> tuple[Sequence[str], Sequence[int]]:
    """`[" 200 1234 ", " 304 - "]` -> `["200", "304"], [1234, 0]`. Raises IrregularError."""
    joined = "\n".join(middles)
    if "-" in joined:
        joined = joined.replace(" - ", " 0 ")
    count = len(middles)
    # Nothing, 200, 1234, line end, 304, 0, nothing: what is left between four spaces can only be a number.
    parts = joined.split(" ")
    if len(parts) != 3 * count + 1 or parts[0] or parts[-1] or parts[3::3].count("\n") != count - 1:
        raise IrregularError
    return parts[1::3], sizes_of(parts[2::3])


def _status(text: str) -> str:
    """Raises IrregularError."""
    if not _STATUS.fullmatch(text):
        raise IrregularError
    return text


def parse_line(line: str) -> Record | None:
    """A line in the common or combined format, None where it is neither. What follows the agent is passed over."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    ip, when, request, code, size, referrer, agent = match.groups("-")
    try:
        date, hour = _date_and_hour(when)
        (number,) = sizes_of(("0" if size == "-" else size,))
    except IrregularError:
        return None
    return Record(ip, date, hour, *method_and_path(request), code, number, referrer, agent)


def _date_and_hour(when: str) -> tuple[str, str]:
    """`[14/Feb/2010:04` -> 2010-02-14, 04. Rackspace's CDN writes the month as a number."""
    match = _WHEN.match(when)
    if match is None:
        raise IrregularError
    day, name, year, hour = match.groups()
    month = name if name.isdigit() else _MONTHS.get(name)
    if month is None:
        raise IrregularError
    return f"{year}-{month}-{day}", _hour(hour)


def _hour(text: str) -> str:
    return text if len(text) == 2 and text.isascii() and text.isdigit() else NOTHING


def method_and_path(request: str) -> Request:
    """`GET /a?b HTTP/1.1` -> GET, /a; a client may send anything, and a path that holds spaces is one."""
    match = _REQUEST.fullmatch(request)
    return (NOTHING, NOTHING) if match is None else (match[1], without_query(match[2]))
