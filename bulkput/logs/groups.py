"""Groups of lines: for each group the number of lines, their bytes, and the distinct values of their other fields.

`column_groups` takes lines that `columns` has parsed; this module takes Records, one by one, and merges both results.
`distinct` bounds what one group holds. The number of groups has no bound: no group is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from bulkput.errors import UsageError
from bulkput.logs.keys import KEYS, NOTED, Group, GroupKey
from bulkput.logs.paths import split_path
from bulkput.logs.record import Record

if TYPE_CHECKING:
    from bulkput.logs.column_groups import ColumnGroups
    from bulkput.logs.columns import Columns

__all__ = ["DISTINCT", "Group", "Groups"]
DISTINCT = 1_000
"""Values of each field that a group lists: enough for a page, and some 100 KiB per field and group at most."""
_PLACES = 65_536
"""Paths whose container and object are remembered: some 20 MiB."""
_FIELDS = (*NOTED, "hour", "method")
"""The fields of a line, in the order of `values` in `_add`."""


class Groups:
    """Takes in lines, in any order, and gives groups."""

    def __init__(self, by: Iterable[str] = ("object",), distinct: int = DISTINCT) -> None:
        """`by` are one or several of `keys.KEYS`. Raises UsageError for others."""
        self.by = tuple(by)
        self.distinct = distinct
        if not self.by or not set(self.by) <= set(KEYS):
            raise UsageError(f"group by {', '.join(KEYS)}")
        self._noted = tuple(name for name in NOTED if name not in self.by)
        self._by_indices = [_FIELDS.index(name) for name in self.by]
        self._noted_indices = [(index, _FIELDS.index(name)) for index, name in enumerate(self._noted)]
        self._sums: dict[GroupKey, _Sums] = {}
        self._places: dict[tuple[str, str | None], tuple[str, str]] = {}
        self._column_groups: ColumnGroups | None = None
        self.lines = 0

    def add(self, lines: "list[Record] | Columns", container: str | None = None) -> None:
        """`container` is the container whose log the lines are from, if known; see `paths.split_path`. Lines that name
        their container themselves are in that one."""
        self.lines += len(lines)
        if isinstance(lines, list):
            for record in lines:
                self._add(record, container)
            return
        if self._column_groups is None:
            from bulkput.logs.column_groups import ColumnGroups  # noqa: PLC0415 - numpy: an extra, a tenth of a second

            self._column_groups = ColumnGroups(self.by, self.distinct)
        self._column_groups.add(lines, container)

    def all(self) -> list[Group]:
        """All groups, in the order of their keys."""
        groups = {key: self._group(key, sums) for key, sums in self._sums.items()}
        for group in () if self._column_groups is None else self._column_groups.all():
            other = groups.get(group.key)
            groups[group.key] = group if other is None else self._both(group, other)
        return sorted(groups.values(), key=attrgetter("key"))

    def _group(self, key: GroupKey, sums: "_Sums") -> Group:
        seen = dict(zip(self._noted, sums.seen, strict=True))
        own = {name: {value} for name, value in zip(self.by, key, strict=True)}
        return Group(key, sums.count, sums.bytes, {name: own.get(name, seen.get(name)) for name in NOTED})

    def _both(self, one: Group, other: Group) -> Group:
        """Merge two groups of the same key."""
        seen = {}
        for name in NOTED:
            first, second = one.seen[name], other.seen[name]
            both = None if first is None or second is None else first | second
            seen[name] = None if both is None or len(both) > self.distinct else both
        return Group(one.key, one.count + other.count, one.bytes + other.bytes, seen)

    def _add(self, record: Record, container: str | None) -> None:
        place = record.place or self._place(record.path, container)
        values = (
            record.agent,
            record.status,
            record.referrer,
            record.ip,
            record.date,
            *place,
            record.hour,
            record.method,
        )
        key = tuple([values[at] for at in self._by_indices])
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = _Sums(0, 0, [set() for _ in self._noted])
        sums.count += 1
        sums.bytes += record.size
        for index, at in self._noted_indices:
            seen = sums.seen[index]
            if seen is not None:
                seen.add(values[at])
                if len(seen) > self.distinct:
                    sums.seen[index] = None

    def _place(self, path: str, container: str | None) -> tuple[str, str]:
        place = self._places.get((path, container))
        if place is None:
            if len(self._places) >= _PLACES:
                self._places.clear()
            place = self._places[path, container] = split_path(path, container)
        return place


@dataclass(slots=True)
class _Sums:
    count: int
    bytes: int
    seen: list[set[str] | None]
    """By noted field; None: more values than the limit."""
