"""Lines in the W3C's extended format (Extended Log File Format, WD-logfile-960323), which IIS and CDNs write."""

import re
from collections.abc import Sequence

from bulkput.logs.paths import NOTHING, without_query
from bulkput.logs.record import Record, size_of

_IP = re.compile(r"[^ \n\0]+")
_DATE = re.compile(r"\d{4}-[01]\d-[0-3]\d|-", re.A)
_HOUR = re.compile(r"[0-2]\d:|-", re.A)
_STATUS = re.compile(r"\d{3}|-", re.A)
_FIELD = re.compile(r'(?:^|(?<= ))(?:"((?:[^"]|"")*)"|([^" ][^ ]*|))(?= |$)')


class W3cFields:
    """The fields that a `#Fields:` directive names, and where they are in a line. Others are `-`."""

    def __init__(self, names: Sequence[str]) -> None:
        lower = [name.lower() for name in names]
        self._count = len(lower)

        def index(*names: str) -> int:
            """The index of the first name that the directive has; if none, of the `-` that `record` appends."""
            return next((lower.index(name) for name in names if name in lower), self._count)

        self._ip = index("c-ip", "cs-ip")
        self._date, self._time = index("date"), index("time")
        self._method, self._path = index("cs-method"), index("cs-uri-stem", "cs-uri")
        self._status, self._size = index("sc-status"), index("sc-bytes")
        self._referrer = index("cs(referer)", "cs(referrer)")
        self._agent = index("cs(user-agent)")

    def record(self, line: str) -> Record | None:
        """Read a line; None: it does not fit the directive. Tabs separate the values if the line has one, else spaces.

        Values with spaces are quoted.
        """
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
