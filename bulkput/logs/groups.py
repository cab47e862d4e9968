"""Lines folded into groups: how many, how many bytes, and the distinct values of what they hold.

Lines wait in a list for each group, and some hundred thousand of them are then taken in together: a set learns many
values at once for a fraction of what one at a time costs, most of which is waiting for memory. Requests are not looked
into before that, once for all that are the same. What a group holds is bounded by `distinct`; how many groups there are
is what the keys and the logs say, and none is left out.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from bulkput.errors import UsageError
from bulkput.logs.columns import Columns, Request
from bulkput.logs.keys import KEYS, NOTED
from bulkput.logs.paths import split_path

DISTINCT = 1_000
_WAITING = 200_000
"""Lines, of some 200 bytes each."""
_MEANINGS = 65_536
_TOLD = ("method", "container", "object")
"""By a request."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of the lines with the same `key`."""

    key: Key
    count: int
    bytes: int
    seen: Mapping[str, Set[str] | None]
    """The distinct values of each field of `keys.NOTED`, so far; None: more than the limit."""


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
        own = [name for name in self.by if name not in _TOLD]
        self._is_by_request = len(own) < len(self.by)
        self._keys = ("request", *own) if self._is_by_request else tuple(own)
        self._noted = tuple(name for name in NOTED if name not in self.by)
        more = () if self._is_by_request else ("request",)
        self._row = ("size", *(name for name in self._noted if name not in _TOLD), *more)
        self._sums: dict[Key, _Sums] = {}
        self._origins: dict[tuple[str | None, Callable[[Any], Request]], _Origin] = {}
        self._are_waiting = 0
        self.lines = 0

    def add(self, columns: Columns, container: str | None = None) -> None:
        """`container` is the one whose log it is, where that is known; see `paths.split_path`."""
        origin = container, columns.read_request
        if origin not in self._origins:
            self._origins[origin] = _Origin(defaultdict(list), _Meanings(*origin))
        waiting = self._origins[origin].waiting
        fields = {
            "request": columns.requests,
            "size": columns.sizes,
            "date": columns.dates,
            "hour": columns.hours if "hour" in self.by else (),
            "user-agent": columns.agents,
            "status": columns.statuses,
            "referrer": columns.referrers,
            "ip": columns.ips,
        }
        keys = [fields[name] for name in self._keys]
        rows = zip(*(fields[name] for name in self._row), strict=True)
        # A loop without an interpreter: a list for each key, and the values of each line added to its own. One key as
        # it is, since the hash of a string is kept, and that of a tuple is not.
        own = map(waiting.__getitem__, keys[0] if len(keys) == 1 else zip(*keys, strict=True))
        deque(map(list.extend, own, rows), maxlen=0)
        self.lines += len(columns)
        self._are_waiting += len(columns)
        if self._are_waiting >= _WAITING:
            self._take_in()

    def all(self) -> list[Group]:
        """All groups, in the order of their keys."""
        self._take_in()
        return [self._group(key, sums) for key, sums in sorted(self._sums.items())]

    def _group(self, key: Key, sums: _Sums) -> Group:
        seen = dict(zip(self._noted, sums.seen, strict=True))
        own = {name: {value} for name, value in zip(self.by, key, strict=True)}
        return Group(key, sums.count, sums.bytes, {name: own.get(name, seen.get(name)) for name in NOTED})

    def _take_in(self) -> None:
        for waiting, meanings in self._origins.values():
            for key, values in waiting.items():
                self._add_to_group(key if len(self._keys) > 1 else (key,), values, meanings)
            waiting.clear()
        self._are_waiting = 0

    def _add_to_group(self, keys: tuple[Any, ...], values: list[Any], meanings: "_Meanings") -> None:
        """Lines with the same `_keys`; the `values` are those of the `_row` of each, one after the other."""
        width = len(self._row)
        found: dict[str, Sequence[Any]] = {name: values[at::width] for at, name in enumerate(self._row)}
        found.update((name, (key,)) for name, key in zip(self._keys, keys, strict=True))
        found.update(zip(_TOLD, zip(*map(meanings.__getitem__, set(found["request"])), strict=True), strict=True))
        key: Key = tuple(found[name][0] for name in self.by)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = _Sums(0, 0, [set() for _ in self._noted])
        sums.count += len(found["size"])
        sums.bytes += sum(found["size"])
        for index, (name, seen) in enumerate(zip(self._noted, sums.seen, strict=True)):
            if seen is not None:
                seen.update(found[name])
                if len(seen) > self.distinct:
                    sums.seen[index] = None


class _Meanings(dict[Any, tuple[str, str, str]]):
    """What requests tell, found out once for each."""

    def __init__(self, container: str | None, read_request: Callable[[Any], Request]) -> None:
        self._container = container
        self._read_request = read_request

    def __missing__(self, request: Any) -> tuple[str, str, str]:
        if len(self) >= _MEANINGS:
            self.clear()
        method, path = self._read_request(request)
        told = self[request] = method, *split_path(path, self._container)
        return told


class _Origin(NamedTuple):
    """Lines whose requests mean the same."""

    waiting: defaultdict[Any, list[Any]]
    meanings: _Meanings
