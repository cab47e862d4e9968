"""The W3C's extended format (Extended Log File Format, WD-logfile-960323), as IIS and CDNs write it."""

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from sys import intern

from bulkput.logs.columns import Columns, IrregularError, Pool, Record, read_already, sizes_of
from bulkput.logs.paths import NOTHING, without_query

_IP = re.compile(r"[^ \n\0]+")
_DATE = re.compile(r"\d{4}-[01]\d-[0-3]\d|-", re.A)
_HOUR = re.compile(r"[0-2]\d:|-", re.A)
_STATUS = re.compile(r"\d{3}|-", re.A)
_FIELD = re.compile(r'(?:^|(?<= ))(?:"((?:[^"]|"")*)"|([^" ][^ ]*|))(?= |$)')


class Pools:
    """One for each field that is checked."""

    def __init__(self) -> None:
        self.ip, self.date, self.status = Pool(_checked(_IP)), Pool(_checked(_DATE)), Pool(_checked(_STATUS))
        self.hour, self.path = Pool(_hour), Pool(_path)


class Fields:
    """What a `#Fields:` directive names; each field that is missed is `-`."""

    def __init__(self, names: Sequence[str]) -> None:
        lower = [name.lower() for name in names]
        self._count = len(lower)

        def place(*choice: str) -> int | None:
            return next((lower.index(name) for name in choice if name in lower), None)

        self._ip = place("c-ip", "cs-ip")
        self._date, self._time = place("date"), place("time")
        self._method, self._path = place("cs-method"), place("cs-uri-stem", "cs-uri")
        self._status, self._size = place("sc-status"), place("sc-bytes")
        self._referrer = place("cs(referer)", "cs(referrer)")
        self._agent = place("cs(user-agent)")

    def record(self, line: str) -> Record | None:
        """A line alone: separated by tabs if it has one, else by spaces, and quoted what holds some."""
        if "\t" in line or '"' not in line:
            values = line.split("\t" if "\t" in line else " ")
        else:
            values = [bare or quoted.replace('""', '"') for quoted, bare in _FIELD.findall(line)]
        if len(values) != self._count:
            return None
        try:
            return next(self._of(1, lambda at: values[at : at + 1], Pools()).records())
        except IrregularError:
            return None

    def columns(self, block: str, pools: Pools) -> Columns | None:
        """Those of a block whose lines have all these fields and no quotes. None, or IrregularError: not so."""
        count, tabs = block.count("\n"), block.count("\t")
        if tabs not in (0, count * (self._count - 1)) or (not tabs and '"' in block):
            return None
        # Line ends become fields of their own, which have to be at their places.
        separator, step = "\t" if tabs else " ", self._count + 1
        values = block[:-1].replace("\n", separator + "\n" + separator).split(separator)
        if len(values) != count * step - 1 or values[self._count :: step].count("\n") != count - 1:
            return None
        return self._of(count, lambda at: values[at::step], pools)

    def _of(self, count: int, values: Callable[[int], Sequence[str]], pools: Pools) -> Columns:
        """Raises IrregularError."""

        def column(at: int | None) -> Sequence[str]:
            return [NOTHING] * count if at is None else values(at)

        hours = pools.hour.all(map(itemgetter(slice(3)), column(self._time)))
        return Columns(
            ips=pools.ip.all(column(self._ip)),
            dates=pools.date.all(column(self._date)),
            requests=list(zip(column(self._method), pools.path.all(column(self._path)), strict=True)),
            statuses=pools.status.all(column(self._status)),
            sizes=sizes_of(["0" if size == NOTHING else size for size in column(self._size)]),
            referrers=list(map(intern, column(self._referrer))),
            agents=list(map(intern, column(self._agent))),
            read_request=read_already,
            find_hours=lambda: hours,
        )


def _hour(text: str) -> str:
    """`04:` -> 04"""
    return _checked(_HOUR)(text)[:2]


def _path(text: str) -> str:
    return without_query(text) or NOTHING


def _checked(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise IrregularError
        return text

    return check
