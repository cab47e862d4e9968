"""Lines folded into groups: how many, how many bytes, and the distinct values of what they hold.

Lines wait in a list for each group, and some hundred thousand of them are then taken in together: a set learns many
values at once for a fraction of what one at a time costs. What a group holds is bounded by `distinct`; how many groups
there are is what the keys and the logs say, and none is left out.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bulkput.errors import UsageError
from bulkput.logs.columns import Columns
from bulkput.logs.keys import KEYS, NOTED
from bulkput.logs.paths import Place, split_path

DISTINCT = 1_000
_WAITING = 200_000
"""Lines, of some 200 bytes each."""
_PLACES = 65_536

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of the lines with the same `key`."""

    key: Key
    count: int
    bytes: int
    seen: Mapping[str, frozenset[str] | None]
    """The distinct values of each field of `keys.NOTED`; None: more than the limit."""


@dataclass(slots=True)
class _Sums:
    count: int
    bytes: int
    seen: list[set[str] | None]


class Groups:
    """Takes in columns of lines, in any order, and gives groups."""

    def __init__(self, by: Iterable[str] = ("object",), distinct: int = DISTINCT) -> None:
        """`by` are one or several of `keys.KEYS`. Raises UsageError for others."""
        self.by = tuple(by)
        self.distinct = distinct
        if not self.by or not set(self.by) <= set(KEYS):
            raise UsageError(f"group by {', '.join(KEYS)}")
        self._noted = tuple(name for name in NOTED if name not in self.by)
        self._waiting: defaultdict[Any, list[tuple[Any, ...]]] = defaultdict(list)
        self._are_waiting = 0
        self._sums: dict[Key, _Sums] = {}
        self._places: dict[str | None, _Places] = {}
        self.lines = 0

    def add(self, columns: Columns, container: str | None = None) -> None:
        """`container` is the one whose log it is, where that is known; see `paths.split_path`."""
        fields = self._fields(columns, container)
        # One key as it is, since the hash of a string is known, and that of a tuple is not.
        keys = fields[self.by[0]] if len(self.by) == 1 else zip(*(fields[name] for name in self.by), strict=True)
        rows = zip(columns.sizes, *(fields[name] for name in self._noted), strict=True)
        # A loop without an interpreter: a list for each key, and each line appended to its own.
        deque(map(list.append, map(self._waiting.__getitem__, keys), rows), maxlen=0)
        self.lines += len(columns)
        self._are_waiting += len(columns)
        if self._are_waiting >= _WAITING:
            self._take_in()

    def _fields(self, columns: Columns, container: str | None) -> dict[str, Sequence[str]]:
        """Those that are keys or noted; the others cost nothing."""
        places = self._places.setdefault(container, _Places(container))
        containers, objects = zip(*map(places.__getitem__, columns.paths), strict=True) if len(columns) else ((), ())
        return {
            "object": objects,
            "container": containers,
            "date": columns.dates,
            "hour": columns.hours if "hour" in self.by else (),
            "user-agent": columns.agents,
            "status": columns.statuses,
            "referrer": columns.referrers,
            "ip": columns.ips,
            "method": columns.methods if "method" in self.by else (),
        }

    def all(self) -> list[Group]:
        """All groups, in the order of their keys."""
        self._take_in()
        return [self._group(key, sums) for key, sums in sorted(self._sums.items())]

    def _group(self, key: Key, sums: _Sums) -> Group:
        seen = {
            name: None if values is None else frozenset(values)
            for name, values in zip(self._noted, sums.seen, strict=True)
        }
        own = {name: frozenset((value,)) for name, value in zip(self.by, key, strict=True) if name in NOTED}
        return Group(key, sums.count, sums.bytes, {name: own.get(name, seen.get(name)) for name in NOTED})

    def _take_in(self) -> None:
        for waiting, rows in self._waiting.items():
            key: Key = (waiting,) if len(self.by) == 1 else waiting
            sums = self._sums.get(key)
            if sums is None:
                sums = self._sums[key] = _Sums(0, 0, [set() for _ in self._noted])
            sizes, *columns = zip(*rows, strict=True)
            sums.count += len(rows)
            sums.bytes += sum(sizes)
            for index, values in enumerate(columns):
                seen = sums.seen[index]
                if seen is not None:
                    seen.update(values)
                    if len(seen) > self.distinct:
                        sums.seen[index] = None
        self._waiting.clear()
        self._are_waiting = 0


class _Places(dict[str, Place]):
    """Where paths lead, found out once for each."""

    def __init__(self, container: str | None) -> None:
        self._container = container

    def __missing__(self, path: str) -> Place:
        if len(self) >= _PLACES:
            self.clear()
        place = self[path] = split_path(path, self._container)
        return place
