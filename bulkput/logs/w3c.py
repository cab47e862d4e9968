"""Lines in the W3C's extended format (Extended Log File Format, WD-logfile-960323), as IIS and CDNs write it."""

import re
from collections.abc import Sequence

from bulkput.logs.paths import NOTHING, without_query
from bulkput.logs.record import Record, size_of

_IP = re.compile(r"[^ \n\0]+")
_DATE = re.compile(r"\d{4}-[01]\d-[0-3]\d|-", re.A)
_HOUR = re.compile(r"[0-2]\d:|-", re.A)
_STATUS = re.compile(r"\d{3}|-", re.A)
_FIELD = re.compile(r'(?:^|(?<= ))(?:"((?:[^"]|"")*)"|([^" ][^ ]*|))(?= |$)')


class Fields:
    """What a `#Fields:` directive names; each field that is missed is `-`."""

    def __init__(self, names: Sequence[str]) -> None:
        lower = [name.lower() for name in names]
        self._count = len(lower)

        def place(*choice: str) -> int:
            """That of the `-` behind all values, where there is none."""
            return next((lower.index(name) for name in choice if name in lower), self._count)

        self._ip = place("c-ip", "cs-ip")
        self._date, self._time = place("date"), place("time")
        self._method, self._path = place("cs-method"), place("cs-uri-stem", "cs-uri")
        self._status, self._size = place("sc-status"), place("sc-bytes")
        self._referrer = place("cs(referer)", "cs(referrer)")
        self._agent = place("cs(user-agent)")

    def record(self, line: str) -> Record | None:
        """None where it does not hold what it should. Values are separated by tabs if there is one, else by spaces, and
        quoted where they hold some."""
        if "\t" in line or '"' not in line:
            values = line.split("\t" if "\t" in line else " ")
        else:
            values = [bare or quoted.replace('""', '"') for quoted, bare in _FIELD.findall(line)]
        if len(values) != self._count:
            return None
        values.append(NOTHING)
        ip, date, hour, status = values[self._ip], values[self._date], values[self._time][:3], values[self._status]
        size = size_of(values[self._size])
        is_right = _IP.fullmatch(ip) and _DATE.fullmatch(date) and _HOUR.fullmatch(hour) and _STATUS.fullmatch(status)
        if size is None or not is_right:
            return None
        path = without_query(values[self._path]) or NOTHING
        return Record(
            ip, date, hour[:2], values[self._method], path, status, size, values[self._referrer], values[self._agent]
        )
