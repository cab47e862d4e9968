"""The keys that lines can be grouped by, and the fields whose values each group lists."""

from collections.abc import Iterable, Mapping, Set

from bulkput.errors import UsageError, printable
from bulkput.record import frozen

KEYS = ("object", "container", "date", "hour", "user-agent", "status", "referrer", "ip", "method")
"""All keys; `hour` is the hour of the day, so `date,hour` gives the hours of a timeline."""
NOTED = ("user-agent", "status", "referrer", "ip", "date", "container", "object")
"""The fields whose distinct values a group notes, in the order in which they are shown."""

GroupKey = tuple[str, ...]


@frozen
class Group:
    """The lines with the same `key`."""

    key: GroupKey
    count: int
    bytes: int
    seen: Mapping[str, Set[str] | None]
    """The distinct values of each field in `NOTED`; None: more than the limit."""


def parse_keys(texts: Iterable[str]) -> tuple[str, ...]:
    """`["date,hour"]` -> `("date", "hour")`. Raises UsageError that lists the keys."""
    keys = tuple(part.strip() for text in texts for part in text.split(","))
    for key in keys:
        if key not in KEYS:
            raise UsageError(
                f"no key {printable(key)!r}: group by {', '.join(KEYS)}, or by several with commas between"
            )
    if not keys or len(set(keys)) < len(keys):
        raise UsageError("group by each key once")
    return keys
