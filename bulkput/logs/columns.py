"""What is known of many lines: a column for each field; and how the bytes of a log become the values in it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

MOST_BYTES = 2**63 - 1
"""No answer has more; a line that says so is a bad one."""
_KEPT = 65_536
"""Values of one field: all that usual logs have, but for addresses and queries. Some 10 MiB at most usual lengths."""


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
    """Many lines: the fields of `Record`, each as a sequence of all lines' values."""

    ips: Sequence[str]
    dates: Sequence[str]
    paths: Sequence[str]
    statuses: Sequence[str]
    sizes: Sequence[int]
    referrers: Sequence[str]
    agents: Sequence[str]
    find_hours: Callable[[], Sequence[str]]
    find_methods: Callable[[], Sequence[str]]

    def __len__(self) -> int:
        return len(self.ips)

    @property
    def hours(self) -> Sequence[str]:
        """Found out when they are asked for: few ask."""
        return self.find_hours()

    @property
    def methods(self) -> Sequence[str]:
        """The same."""
        return self.find_methods()

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Columns":
        """At least one."""
        ips, dates, hours, methods, paths, statuses, sizes, referrers, agents = zip(*records, strict=True)
        return cls(
            ips=ips, dates=dates, paths=paths, statuses=statuses, sizes=sizes, referrers=referrers, agents=agents,
            find_hours=lambda: hours, find_methods=lambda: methods,
        )  # fmt: skip

    def records(self) -> Iterator[Record]:
        """One by one."""
        columns = (self.ips, self.dates, self.hours, self.methods, self.paths, self.statuses, self.sizes)
        return map(Record, *columns, self.referrers, self.agents)


class IrregularError(Exception):
    """This line, or a line of this block, is not as it should be. Caught where lines can be looked at one by one."""


class Pool(dict[bytes, str]):
    """What bytes mean, found out once for each value; and one object for all equal values, whose hash is known."""

    def __init__(self, meaning: Callable[[bytes], str]) -> None:
        self._meaning = meaning

    def __missing__(self, raw: bytes) -> str:
        if len(self) >= _KEPT:
            self.clear()
        value = self[raw] = self._meaning(raw)
        return value

    def all(self, raws: Iterable[bytes]) -> list[str]:
        return list(map(self.__getitem__, raws))


def as_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def ip_text(raw: bytes) -> str:
    if not raw or b" " in raw or b"\n" in raw or b"\0" in raw:
        raise IrregularError
    return as_text(raw)


def sizes_of(raws: Sequence[bytes]) -> list[int]:
    """Raises IrregularError."""
    if not b"".join(raws).isdigit():  # int() takes more: 1_000, +1
        raise IrregularError
    try:
        return checked_sizes(list(map(int, raws)))
    except ValueError:  # an empty one, or one of thousands of digits
        raise IrregularError from None


def checked_sizes(sizes: list[int]) -> list[int]:
    """Raises IrregularError."""
    if max(sizes) > MOST_BYTES:
        raise IrregularError
    return sizes
