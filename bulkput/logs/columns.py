"""What is known of many lines: a column for each field."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_BYTES = 2**63 - 1
"""No answer has more; a line that says so is a bad one."""
_KEPT = 65_536
"""Values of one field: all that usual logs have, but for queries. Some 10 MiB at most usual lengths."""

Request = tuple[str, str]
"""Method and path."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Many lines: the fields of `Record`, each as a sequence of all lines' values.

    `requests` are as the log has them, since most repeat: `read_request` says what one of them means.
    """

    ips: Sequence[str]
    dates: Sequence[str]
    requests: Sequence[Any]
    statuses: Sequence[str]
    sizes: Sequence[int]
    referrers: Sequence[str]
    agents: Sequence[str]
    read_request: Callable[[Any], Request]
    find_hours: Callable[[], Sequence[str]]

    def __len__(self) -> int:
        return len(self.ips)

    @property
    def hours(self) -> Sequence[str]:
        """Found out when they are asked for: few ask."""
        return self.find_hours()

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Columns":
        """At least one."""
        ips, dates, hours, methods, paths, statuses, sizes, referrers, agents = zip(*records, strict=True)
        return cls(
            ips=ips, dates=dates, requests=list(zip(methods, paths, strict=True)), statuses=statuses, sizes=sizes,
            referrers=referrers, agents=agents, read_request=read_already, find_hours=lambda: hours,
        )  # fmt: skip

    def records(self) -> Iterator[Record]:
        """One by one."""
        methods, paths = zip(*map(self.read_request, self.requests), strict=True)
        columns = (self.ips, self.dates, self.hours, methods, paths, self.statuses, self.sizes)
        return map(Record, *columns, self.referrers, self.agents)


def read_already(request: Request) -> Request:
    """Where the log has method and path in columns of their own."""
    return request


class IrregularError(Exception):
    """This line, or a line of this block, is not as it should be. Caught where lines can be looked at one by one."""


class Pool(dict[str, str]):
    """What texts mean, found out once for each value; and one object for all equal values, whose hash is known."""

    def __init__(self, meaning: Callable[[str], str]) -> None:
        self._meaning = meaning

    def __missing__(self, text: str) -> str:
        if len(self) >= _KEPT:
            self.clear()
        value = self[text] = self._meaning(text)
        return value

    def all(self, texts: Iterable[str]) -> list[str]:
        return list(map(self.__getitem__, texts))


def sizes_of(texts: Sequence[str]) -> list[int]:
    """Raises IrregularError."""
    joined = "".join(texts)
    if not (joined.isascii() and joined.isdigit()):  # int() takes more: 1_000, +1
        raise IrregularError
    try:
        sizes = list(map(int, texts))
    except ValueError:  # an empty one, or one of thousands of digits
        raise IrregularError from None
    if max(sizes) > MOST_BYTES:
        raise IrregularError
    return sizes
