"""The W3C's extended format (Extended Log File Format, WD-logfile-960323), as IIS and CDNs write it."""

import re
from collections.abc import Callable, Sequence
from operator import itemgetter

from bulkput.logs.columns import Columns, IrregularError, Pool, Record, as_text, ip_text, sizes_of
from bulkput.logs.paths import NOTHING, without_query

_DATE = re.compile(rb"\d{4}-[01]\d-[0-3]\d|-")
_HOUR = re.compile(rb"[0-2]\d:|-")
_STATUS = re.compile(rb"\d{3}|-")
_FIELD = re.compile(rb'(?:^|(?<= ))(?:"((?:[^"]|"")*)"|([^" ][^ ]*|))(?= |$)')


class Pools:
    """One for each field."""

    def __init__(self) -> None:
        self.ip, self.method = Pool(ip_text), Pool(as_text)
        self.date, self.hour, self.status = Pool(_date), Pool(_hour), Pool(_status)
        self.path, self.referrer, self.agent = Pool(_path), Pool(as_text), Pool(as_text)


class Fields:
    """What a `#Fields:` directive names; each field that is missed is `-`."""

    def __init__(self, names: Sequence[bytes]) -> None:
        lower = [name.lower() for name in names]
        self._count = len(lower)

        def place(*choice: bytes) -> int | None:
            return next((lower.index(name) for name in choice if name in lower), None)

        self._ip = place(b"c-ip", b"cs-ip")
        self._date, self._time = place(b"date"), place(b"time")
        self._method, self._path = place(b"cs-method"), place(b"cs-uri-stem", b"cs-uri")
        self._status, self._size = place(b"sc-status"), place(b"sc-bytes")
        self._referrer = place(b"cs(referer)", b"cs(referrer)")
        self._agent = place(b"cs(user-agent)")

    def record(self, line: bytes) -> Record | None:
        """A line alone: separated by tabs if it has one, else by spaces, and quoted what holds some."""
        if b"\t" in line or b'"' not in line:
            values = line.split(b"\t" if b"\t" in line else b" ")
        else:
            values = [bare or quoted.replace(b'""', b'"') for quoted, bare in _FIELD.findall(line)]
        if len(values) != self._count:
            return None
        try:
            return next(self._of(1, lambda at: values[at : at + 1], Pools()).records())
        except IrregularError:
            return None

    def columns(self, block: bytes, pools: Pools) -> Columns | None:
        """Those of a block whose lines have all these fields and no quotes. None, or IrregularError: not so."""
        count, tabs = block.count(b"\n"), block.count(b"\t")
        if tabs not in (0, count * (self._count - 1)) or (not tabs and b'"' in block):
            return None
        # Line ends become fields of their own, which have to be at their places.
        separator, step = b"\t" if tabs else b" ", self._count + 1
        values = block[:-1].replace(b"\n", separator + b"\n" + separator).split(separator)
        if len(values) != count * step - 1 or values[self._count :: step].count(b"\n") != count - 1:
            return None
        return self._of(count, lambda at: values[at::step], pools)

    def _of(self, count: int, values: Callable[[int], Sequence[bytes]], pools: Pools) -> Columns:
        """Raises IrregularError."""

        def column(at: int | None) -> Sequence[bytes]:
            return [b"-"] * count if at is None else values(at)

        hours = pools.hour.all(map(itemgetter(slice(3)), column(self._time)))
        methods = pools.method.all(column(self._method))
        sizes = [b"0" if size == b"-" else size for size in column(self._size)]
        return Columns(
            ips=pools.ip.all(column(self._ip)),
            dates=pools.date.all(column(self._date)),
            paths=pools.path.all(column(self._path)),
            statuses=pools.status.all(column(self._status)),
            sizes=sizes_of(sizes),
            referrers=pools.referrer.all(column(self._referrer)),
            agents=pools.agent.all(column(self._agent)),
            find_hours=lambda: hours,
            find_methods=lambda: methods,
        )


def _date(raw: bytes) -> str:
    return _checked(_DATE, raw)


def _hour(raw: bytes) -> str:
    """`04:` -> 04"""
    return _checked(_HOUR, raw)[:2]


def _status(raw: bytes) -> str:
    return _checked(_STATUS, raw)


def _path(raw: bytes) -> str:
    return without_query(as_text(raw)) or NOTHING


def _checked(pattern: re.Pattern[bytes], raw: bytes) -> str:
    if not pattern.fullmatch(raw):
        raise IrregularError
    return as_text(raw)
