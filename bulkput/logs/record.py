"""What a line of a log says."""

from typing import NamedTuple

MOST_BYTES = 2**63 - 1
"""No answer has more; a line that says so is a bad one."""
_MOST_DIGITS = len(str(MOST_BYTES))


class Record(NamedTuple):
    """A line. `date` is 2010-02-14 and `hour` 04, as the log has them; `path` is without its query; the others are as
    they are logged, `-` for nothing."""

    ip: str
    date: str
    hour: str
    method: str
    path: str
    status: str
    size: int
    referrer: str
    agent: str


def size_of(text: str) -> int | None:
    """`-` is 0; None: not a size."""
    if text == "-":
        return 0
    if not (text.isascii() and text.isdigit()):  # int() takes more: 1_000, +1
        return None
    digits = text.lstrip("0")
    size = int(digits or 0) if len(digits) <= _MOST_DIGITS else MOST_BYTES + 1
    return size if size <= MOST_BYTES else None
