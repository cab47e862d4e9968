"""A line of a log as a record."""

from typing import NamedTuple

from bulkput.logs.paths import ObjectPath

MOST_BYTES = 2**63 - 1
"""The most bytes of an answer: a line with a larger size is a bad line."""
_MOST_DIGITS = len(str(MOST_BYTES))


class Record(NamedTuple):
    """A line. `date` is like 2010-02-14 and `hour` like 04, in the log's time zone. `path` has no query. The other
    fields are as logged, `-` if empty. `place` is None if only the path and the log's name say it, see
    `paths.split_path`."""

    ip: str
    date: str
    hour: str
    method: str
    path: str
    status: str
    size: int
    referrer: str
    agent: str
    place: ObjectPath | None = None


def size_of(text: str) -> int | None:
    """Read a size in bytes; `-` is 0; None: not a size."""
    if text == "-":
        return 0
    if not (text.isascii() and text.isdigit()):  # int() takes more: 1_000, +1
        return None
    digits = text.lstrip("0")
    size = int(digits or 0) if len(digits) <= _MOST_DIGITS else MOST_BYTES + 1
    return size if size <= MOST_BYTES else None
