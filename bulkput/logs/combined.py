"""Apache's common and combined format: blocks of lines as columns.

A combined line has six quotes, so the parts between them repeat. What joins parts again is a byte that the block does
not hold, and finding it at its place as often as there are lines proves that no line was different. A line that is not
regular is read by `parse_line`, to the same result (`tests/properties/test_logs_properties.py`).
"""

import json
import re
from collections.abc import Sequence
from operator import itemgetter

from bulkput.logs.columns import Columns, IrregularError, Pool, Record, as_text, checked_sizes, sizes_of
from bulkput.logs.paths import NOTHING, without_query

_MONTHS = {
    name: f"{number:02}"
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
_NO_MORE = b' "-" "-"'
"""A common line with this behind it is a combined one."""
_NOBODY = b" - - ["
_WHEN = re.compile(rb"\[([0-3]\d)/(\w{3}|[01]\d)/(\d{4}):([^ ]{0,2})", re.S)
_FIRST = re.compile(rb'[^ "]+( - - \[[0-3]\d/(?:\w{3}|[01]\d)/\d{4}:)')
_DIGITS = b"0123456789"
_QUOTED = rb'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    rb'([^ ]+) [^ ]+ [^"]+? (\[[^"]*)' + _QUOTED + rb" (\d{3}) (\d+|-)(?: " + _QUOTED + rb" " + _QUOTED + rb"(?: .*)?)?"
)
_REQUEST = re.compile(rb"([A-Za-z_-]+) (.+?)(?: HTTP/\d(?:\.\d)?)?")


class Pools:
    """One for each field."""

    def __init__(self) -> None:
        self.hour, self.status = Pool(_hour), _Statuses()
        self.referrer, self.agent = Pool(as_text), Pool(as_text)
        self.method, self.path = Pool(lambda raw: _method_and_path(raw)[0]), Pool(lambda raw: _method_and_path(raw)[1])


def combined(block: bytes, pools: Pools) -> Columns | None:
    """A block whose lines are all combined, or all common. None, or IrregularError: it is not.

    Every line is `ip - - [14/Feb/2010:when zone] "request" status size "referrer" "agent"`, with one space wherever
    there is one, and all of the same date.
    """
    first = _FIRST.match(block)
    if first is None or b"\0" in block or (b"\\" in block and b'\\"' in block):  # an escaped quote ends nothing
        return None
    count = block.count(b"\n")
    if block.count(b'"', 0, block.find(b"\n")) == 2:
        block = block.replace(b"\n", _NO_MORE + b"\n")
    # "\nip NUL", when and zone, request, " status size ", referrer, " ", agent. What looks like a first part has a line
    # end and NUL; with as many of both as there are lines, no other part has one, and all seven of each are there.
    marked = (b"\n" + block[:-1]).replace(first[1], b'\0"')
    parts = marked.split(b'"')
    if len(parts) != 7 * count + 1 or parts[-1] or parts[5::7].count(b" ") != count or marked.count(b"\0") != count:
        return None
    numbers = _numbers(parts[3::7])
    date, _ = _date_and_hour(first[1][len(_NOBODY) - 1 :] + b"00")
    whens, requests = parts[1::7], parts[2::7]
    return Columns(
        ips=_ips(parts[0:-1:7]),
        dates=[date] * count,
        find_hours=lambda: pools.hour.all(map(itemgetter(slice(2)), whens)),
        find_methods=lambda: pools.method.all(requests),
        paths=pools.path.all(requests),
        statuses=list(map(pools.status.__getitem__, numbers[0::2])),
        sizes=checked_sizes(numbers[1::2]),
        referrers=pools.referrer.all(parts[4::7]),
        agents=pools.agent.all(parts[6::7]),
    )


def _numbers(middles: Sequence[bytes]) -> list[int]:
    """`[" 200 1234 ", " 304 - "]` -> `[200, 1234, 304, 0]`, by what makes integers fastest. Raises IrregularError."""
    joined = b"\0".join(middles)
    if b"-" in joined:
        joined = joined.replace(b" - ", b" 0 ")
    count = len(middles)
    # Three spaces in each, at its ends and between two numbers; then what is left can only be digits.
    if joined.translate(None, _DIGITS) != b"   \0" * (count - 1) + b"   " or b"  " in joined:
        raise IrregularError
    if not joined.startswith(b" ") or not joined.endswith(b" ") or joined.count(b" \0 ") != count - 1:
        raise IrregularError
    try:
        numbers: list[int] = json.loads(b"[%b]" % joined[1:-1].replace(b" \0 ", b",").replace(b" ", b","))
    except ValueError:  # 007, or thousands of digits
        raise IrregularError from None
    return numbers


class _Statuses(dict[int, str]):
    """What is written for a status."""

    def __missing__(self, status: int) -> str:
        if not 100 <= status <= 999:  # then it may not have been three digits
            raise IrregularError
        text = self[status] = str(status)
        return text


def parse_line(line: bytes) -> Record | None:
    """A line in the common or combined format, None where it is neither. What follows the agent is passed over."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    ip, when, request, status, size, referrer, agent = match.groups(b"-")
    size = b"0" if size == b"-" else size
    try:
        date, hour = _date_and_hour(when)
        (number,) = sizes_of((size,))
    except IrregularError:
        return None
    method, path = _method_and_path(request)
    return Record(as_text(ip), date, hour, method, path, as_text(status), number, as_text(referrer), as_text(agent))


def _ips(parts: Sequence[bytes]) -> list[str]:
    """Each is line end, IP, NUL. Not from a pool: there are so many that looking one up costs more than to make it."""
    joined = as_text(b"".join(parts))
    ips = joined[1:-1].split("\0\n")
    if len(ips) != len(parts) or joined.count("\n") != len(parts) or joined.count("\0") != len(parts):
        raise IrregularError
    if not joined.startswith("\n") or not joined.endswith("\0") or " " in joined or "" in ips:
        raise IrregularError
    return ips


def _date_and_hour(when: bytes) -> tuple[str, str]:
    """`[14/Feb/2010:04` -> 2010-02-14, 04. Rackspace's CDN writes the month as a number."""
    match = _WHEN.match(when)
    if match is None:
        raise IrregularError
    day, name, year, hour = match.groups()
    month = as_text(name) if name.isdigit() else _MONTHS.get(name)
    if month is None:
        raise IrregularError
    return f"{as_text(year)}-{month}-{as_text(day)}", _hour(hour)


def _hour(raw: bytes) -> str:
    return as_text(raw) if len(raw) == 2 and raw.isdigit() else NOTHING


def _method_and_path(request: bytes) -> tuple[str, str]:
    """`GET /a?b HTTP/1.1` -> GET, /a; a client may send anything, and a path that holds spaces is one."""
    match = _REQUEST.fullmatch(request)
    return (NOTHING, NOTHING) if match is None else (as_text(match[1]), without_query(as_text(match[2])))
