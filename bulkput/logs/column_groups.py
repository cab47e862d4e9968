"""Groups of lines with numpy: does for `columns.Columns` what `groups.Groups` does for Records.

Groups and values are codes here, see `dictionary`. That a group has seen a value is one integer, `group << 32 | value`.
What is known of a field is a sorted array of such pairs without duplicates. New pairs wait until there are half as many
as known ones, so the cost of sorting per line does not grow with the log.

Memory: 8 bytes per known pair, and there are at most `distinct` pairs per group and field; some 2 KiB per group for
its key, sums and result; each value in use, once; and some 100 MiB for lines that wait, for requests, and for values in
no known pair. Those values are forgotten when they are many (`_forget_unused`): otherwise a log with a new address in
every line would fill the memory although no group lists them.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np

from bulkput.logs.columns import Columns, Flags, Ints
from bulkput.logs.combined import method_and_path
from bulkput.logs.dictionary import Dictionary
from bulkput.logs.keys import NOTED, Group, GroupKey
from bulkput.logs.paths import split_path
from bulkput.logs.s3_access import request_and_place

_WAITING = 200_000
"""Lines, of some 100 bytes each, that are grouped at a time."""
_UNUSED = 131_072
"""Values of a field that no group lists, and requests: some 30 MiB at usual lengths."""
_PLACES = 1_024
"""Containers whose requests are remembered: some 30 MiB, even if they have one request each."""
_FREED = 24 * 1024 * 1024
"""Bytes. After one block of this size has been freed, glibc keeps freed memory for the next block of lines. It would
otherwise return it and ask for new pages, 0.3 us per line (mallopt(3), M_MMAP_THRESHOLD: at most 32 MiB)."""
_LOW = 2**32 - 1
_REQUEST_FIELDS = ("method", "container", "object")


class ColumnGroups:
    """Takes in Columns, and gives groups."""

    def __init__(self, by: Sequence[str], distinct: int) -> None:
        np.empty(_FREED, np.uint8)
        self._by = by
        self._noted = [name for name in NOTED if name not in by]
        self._texts = {name: Texts() for name in ("date", "hour", "status", "container", "object")}
        if "method" in by:
            self._texts["method"] = Texts()
        self._dictionaries = {name: Dictionary() for name in ("ip", "referrer", "user-agent")}
        self._requests: dict[tuple[str | None, str | None], Requests] = {}
        """By the container of the log, and by the bucket that S3's lines name."""
        self._key_pairs = [KeyPairs() for _ in by[1:]]
        self._waiting: list[tuple[Ints, ...]] = []
        """For each block the columns of groups, of sizes, and of each noted field's codes."""
        self._lines_waiting = 0
        self._sums = np.zeros((3, 0), np.int64)
        """For each group its lines, and its bytes as two sums: of the low and of the high 32 bits of each size."""
        self._seen = {name: SeenPairs(distinct) for name in self._noted}
        self._most_values = dict.fromkeys(self._noted, _UNUSED)
        """The size of each field's dictionary at which values that no group lists are forgotten."""

    def add(self, columns: Columns, container: str | None) -> None:
        codes = self._codes(columns, container)
        groups = codes[self._by[0]]
        for name, pairs in zip(self._by[1:], self._key_pairs, strict=True):
            groups = pairs.codes(groups, codes[name])
        self._waiting.append((groups, columns.sizes, *(codes[name] for name in self._noted)))
        self._lines_waiting += len(columns)
        if self._lines_waiting >= _WAITING:
            self._group_waiting()

    def all(self) -> Iterator[Group]:
        """In no order. A group's values are looked up when the caller asks: most groups are never shown."""
        self._group_waiting()
        for pairs in self._seen.values():
            pairs.merge()
        texts = {name: self._values(name).texts() for name in (*self._noted, *self._by)}
        groups = np.flatnonzero(self._sums[0])
        for group, count, low, high in zip(groups.tolist(), *self._sums[:, groups].tolist(), strict=True):
            key = self._key(group, texts)
            yield Group(key, count, low + (high << 32), GroupValues(group, self._by, key, self._seen, texts))

    def _key(self, group: int, texts: Mapping[str, Sequence[str]]) -> GroupKey:
        codes = []
        for pairs in reversed(self._key_pairs):
            group, code = pairs.pair(group)
            codes.append(code)
        return tuple(texts[name][code] for name, code in zip(self._by, (group, *reversed(codes)), strict=True))

    def _codes(self, columns: Columns, container: str | None) -> dict[str, Ints]:
        if len(self._requests) > _PLACES or sum(map(len, self._requests.values())) > _UNUSED:
            self._requests.clear()
        place = (container, columns.bucket)
        if place not in self._requests:
            fields = {name: self._texts[name] for name in _REQUEST_FIELDS if name in self._texts}
            self._requests[place] = Requests(container, columns.bucket, fields)
        dates, hours = (
            np.array([self._texts[name].code(hour[at]) for hour in columns.known_hours], np.int64)[columns.hours]
            for at, name in enumerate(("date", "hour"))
        )
        status_codes = np.zeros(1000, np.int64)
        for status in np.flatnonzero(np.bincount(columns.statuses)).tolist():
            status_codes[status] = self._texts["status"].code(f"{status:03}")
        return {
            "date": dates,
            "hour": hours,
            "status": status_codes[columns.statuses],
            "ip": self._dictionaries["ip"].codes(columns.ips),
            "referrer": self._dictionaries["referrer"].codes(columns.referrers),
            "user-agent": self._dictionaries["user-agent"].codes(columns.agents),
            **self._requests[place].codes(columns),
        }

    def _group_waiting(self) -> None:
        if not self._waiting:
            return
        groups, sizes, *codes = (np.concatenate(column) for column in zip(*self._waiting, strict=True))
        self._waiting, self._lines_waiting = [], 0
        count = int(groups.max()) + 1
        if count > self._sums.shape[1]:
            more = np.zeros((3, 2 * count - self._sums.shape[1]), np.int64)
            self._sums = np.concatenate((self._sums, more), axis=1)
        self._sums[0, :count] += np.bincount(groups)
        np.add.at(self._sums[1], groups, sizes & _LOW)
        if sizes.max() > _LOW:
            np.add.at(self._sums[2], groups, sizes >> 32)
        for name, values in zip(self._noted, codes, strict=True):
            self._seen[name].add(groups, values, count)
            self._forget_unused(name)

    def _values(self, name: str) -> "Dictionary | Texts":
        return self._dictionaries[name] if name in self._dictionaries else self._texts[name]

    def _forget_unused(self, name: str) -> None:
        """Unused values are at most `_UNUSED` and as many as used ones."""
        values = self._values(name)
        if len(values) <= self._most_values[name]:
            return
        used = self._seen[name].values()
        self._most_values[name] = 2 * len(used) + _UNUSED
        if 2 * len(used) > len(values):  # forgetting a few takes as long as forgetting many
            return
        self._seen[name].recode(values.keep(used))
        if name in _REQUEST_FIELDS:
            self._requests.clear()  # they hold the old codes


class GroupValues(Mapping[str, Set[str] | None]):
    """The distinct values of one group, by field; None: more than the limit."""

    __slots__ = ("_by", "_group", "_key", "_seen", "_texts")

    def __init__(
        self,
        group: int,
        by: Sequence[str],
        key: GroupKey,
        seen: "Mapping[str, SeenPairs]",
        texts: Mapping[str, Sequence[str]],
    ) -> None:
        self._group = group
        self._by = by
        self._key = key
        self._seen = seen
        self._texts = texts

    def __getitem__(self, name: str) -> Set[str] | None:
        if name in self._by:
            return {self._key[self._by.index(name)]}
        codes = self._seen[name].of(self._group)
        return None if codes is None else set(map(self._texts[name].__getitem__, codes))

    def __iter__(self) -> Iterator[str]:
        return iter(NOTED)

    def __len__(self) -> int:
        return len(NOTED)


class KeyPairs:
    """The codes of groups by several keys: one for each distinct pair of a group by all keys before and a value."""

    def __init__(self) -> None:
        self._pairs: list[int] = []
        self._codes: dict[int, int] = {}

    def codes(self, groups: Ints, values: Ints) -> Ints:
        pairs, lines = np.unique(groups << 32 | values, return_inverse=True)
        codes = [self._codes.setdefault(pair, len(self._codes)) for pair in pairs.tolist()]
        return np.array(codes, np.int64)[lines]

    def pair(self, code: int) -> tuple[int, int]:
        if len(self._pairs) < len(self._codes):
            self._pairs = list(self._codes)
        return divmod(self._pairs[code], 1 << 32)


class Texts:
    """The distinct values of a field that is read once per hour, status or request, not once per line."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def code(self, text: str) -> int:
        return self._codes.setdefault(text, len(self._codes))

    def texts(self) -> Sequence[str]:
        return list(self._codes)

    def keep(self, used: Ints) -> Ints:
        """As `Dictionary.keep`."""
        texts = self.texts()
        new_codes = np.zeros(len(texts), np.int64)
        new_codes[used] = np.arange(len(used))
        self._codes = {texts[old]: code for code, old in enumerate(used.tolist())}
        return new_codes


class Requests:
    """The distinct requests in the logs of one container, or of one bucket of S3, each with its codes for method,
    container and object."""

    def __init__(self, container: str | None, bucket: str | None, fields: Mapping[str, Texts]) -> None:
        """`fields` are those of `_REQUEST_FIELDS` that are asked for."""
        self._container = container
        self._bucket = bucket
        self._fields = fields
        self._requests = Dictionary()
        self._field_codes = np.zeros((len(fields), 0), np.int64)
        """A row per field, a column per request."""

    def __len__(self) -> int:
        return len(self._requests)

    def codes(self, columns: Columns) -> Mapping[str, Ints]:
        """Return each line's codes, by field."""
        known = len(self._requests)
        requests = self._requests.codes(columns.requests)
        if len(self._requests) > known:
            new = [self._codes_of(request) for request in self._requests.newest(len(self._requests) - known)]
            self._field_codes = np.concatenate((self._field_codes, np.array(new, np.int64).T), axis=1)
        return {name: codes[requests] for name, codes in zip(self._fields, self._field_codes, strict=True)}

    def _codes_of(self, request: str) -> list[int]:
        if self._bucket is None:
            method, path = method_and_path(request)
            place = split_path(path, self._container)
        else:
            method, _, place = request_and_place(request, self._bucket)
        texts = dict(zip(_REQUEST_FIELDS, (method, *place), strict=True))
        return [field.code(texts[name]) for name, field in self._fields.items()]


class SeenPairs:
    """The distinct pairs of group and value of one field, until a group has too many."""

    def __init__(self, distinct: int) -> None:
        self._distinct = distinct
        self._pairs = np.zeros(0, np.int64)
        """Sorted."""
        self._new: list[Ints] = []
        self._new_count = 0
        self._is_over = np.zeros(0, np.bool_)
        """For each group, whether it has more values than the limit. It has no pairs then."""

    def add(self, groups: Ints, values: Ints, group_count: int) -> None:
        if len(self._is_over) < group_count:
            more = np.zeros(2 * group_count - len(self._is_over), np.bool_)
            self._is_over = np.concatenate((self._is_over, more))
        pairs = groups << 32 | values
        if self._is_over.any():
            pairs = pairs[~self._is_over[groups]]
        pairs = _distinct(pairs)
        self._new.append(pairs)
        self._new_count += len(pairs)
        if self._new_count > max(_WAITING, len(self._pairs) // 2):
            self.merge()

    def merge(self) -> None:
        """Take the new pairs in. Groups with more values than the limit lose all theirs."""
        if not self._new:
            return
        pairs = _distinct(np.concatenate((self._pairs, *self._new)))
        self._new, self._new_count = [], 0
        groups = pairs >> 32
        begins = np.flatnonzero(np.diff(groups, prepend=-1))
        counts = np.diff(begins, append=len(groups))
        over = groups[begins[counts > self._distinct]]
        self._is_over[over] = True
        self._pairs = pairs[~self._is_over[groups]] if len(over) else pairs

    def values(self) -> Ints:
        """Return the codes of all values in pairs, ascending."""
        self.merge()
        return _distinct(self._pairs & _LOW)

    def recode(self, new_codes: Ints) -> None:
        """Straight after `values`. The pairs stay sorted, as `Dictionary.keep` does not change the order of values."""
        self._pairs = self._pairs & ~_LOW | new_codes[self._pairs & _LOW]

    def of(self, group: int) -> list[int] | None:
        """Return the codes of a group's values; None: more than the limit. Call `merge` before."""
        if self._is_over[group]:
            return None
        begin, end = np.searchsorted(self._pairs, [group << 32, (group + 1) << 32])
        codes: list[int] = (self._pairs[begin:end] & _LOW).tolist()
        return codes


def _distinct(numbers: Ints) -> Ints:
    """Return the distinct numbers, sorted."""
    ordered = np.sort(numbers)
    is_new: Flags = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
    return ordered[is_new]
