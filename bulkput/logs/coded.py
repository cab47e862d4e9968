"""Groups of lines by numbers instead of texts, with numpy: what `groups.Groups` does with what `kernel.cut` gives.

A group has a number, and so has each value of a field. That a group has seen a value is one integer, `group << 32 |
value`, and what is known of a field are such integers, sorted and each once. Those of new lines wait until there are
half as many as what is held, so sorting costs the same for each line however many there are.

Memory: 16 bytes for what is held, which is at most `distinct` values of each field and group, and those values, each
once; and some 100 MiB for lines that wait, requests, and values that no group holds any more, which are forgotten when
there are 131 072 of them: a log whose every line has an address of its own would fill memory.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np

from bulkput.logs.combined import method_and_path
from bulkput.logs.kernel import Cut, Ints, Values, text_of
from bulkput.logs.keys import NOTED, TOLD, Group, Key
from bulkput.logs.paths import split_path

_WAITING = 200_000
"""Lines, of some 100 bytes each."""
_KEPT = 131_072
"""Values of one field which no group holds; and requests. Some 30 MiB at most usual lengths."""
_FREED = 24 * 1024 * 1024
"""Bytes. Once so much has been freed, glibc keeps what is freed for the next block, instead of giving it back to the
system and asking for new pages, 0.3 us for each line (mallopt(3), M_MMAP_THRESHOLD: at most 32 MiB)."""
_LOW = 2**32 - 1


class CodedGroups:
    """Takes in what `cut` gives, and gives groups."""

    def __init__(self, by: Sequence[str], distinct: int) -> None:
        np.empty(_FREED, np.uint8)
        self._by = by
        self._noted = [name for name in NOTED if name not in by]
        self._texts = {name: Texts() for name in ("date", "hour", "status", "container", "object")}
        if "method" in by:
            self._texts["method"] = Texts()
        self._values = {name: Values() for name in ("ip", "referrer", "user-agent")}
        self._requests: dict[str | None, Requests] = {}
        self._pairs = [Pairs() for _ in by[1:]]
        self._waiting: list[tuple[Ints, ...]] = []
        """Of each block groups, sizes, and the values of each noted field."""
        self._are_waiting = 0
        self._counts = np.zeros((3, 0), np.int64)
        """Of each group the lines, and its bytes as the sums of the lower and of the upper halves of sizes."""
        self._held = {name: Held(distinct) for name in self._noted}
        self._most = dict.fromkeys(self._noted, _KEPT)
        """Values of a field, before those are forgotten that no group holds."""

    def add(self, cut: Cut, container: str | None) -> None:
        fields = self._numbers(cut, container)
        groups = fields[self._by[0]]
        for name, pairs in zip(self._by[1:], self._pairs, strict=True):
            groups = pairs.numbers(groups, fields[name])
        self._waiting.append((groups, cut.sizes, *(fields[name] for name in self._noted)))
        self._are_waiting += len(cut)
        if self._are_waiting >= _WAITING:
            self._take_in()

    def all(self) -> Iterator[Group]:
        """In no order. What they have seen is found out when it is asked for: most is never shown."""
        self._take_in()
        for held in self._held.values():
            held.take_in()
        texts = {name: self._field(name).texts() for name in (*self._noted, *self._by)}
        groups = np.flatnonzero(self._counts[0])
        sums = self._counts[:, groups].T.tolist()
        for group, (count, low, high) in zip(groups.tolist(), sums, strict=True):
            key = self._key(group, texts)
            own = dict(zip(self._by, key, strict=True))
            yield Group(key, count, low + (high << 32), Seen(group, own, self._held, texts))

    def _key(self, group: int, texts: Mapping[str, Sequence[str]]) -> Key:
        numbers = []
        for pairs in reversed(self._pairs):
            group, number = divmod(pairs.all[group], 1 << 32)
            numbers.append(number)
        return tuple(texts[name][number] for name, number in zip(self._by, (group, *reversed(numbers)), strict=True))

    def _numbers(self, cut: Cut, container: str | None) -> dict[str, Ints]:
        if sum(map(len, self._requests.values())) > _KEPT:
            self._requests.clear()
        if container not in self._requests:
            told = {name: self._texts[name] for name in TOLD if name in self._texts}
            self._requests[container] = Requests(container, told)
        dates, hours = (
            np.array([self._texts[name].number(time[at]) for time in cut.hours], np.int64)[cut.times]
            for at, name in enumerate(("date", "hour"))
        )
        statuses = np.zeros(1000, np.int64)
        for status in np.flatnonzero(np.bincount(cut.statuses)).tolist():
            statuses[status] = self._texts["status"].number(f"{status:03}")
        return {
            "date": dates,
            "hour": hours,
            "status": statuses[cut.statuses],
            "ip": self._values["ip"].numbers(cut.ips),
            "referrer": self._values["referrer"].numbers(cut.referrers),
            "user-agent": self._values["user-agent"].numbers(cut.agents),
            **self._requests[container].numbers(cut),
        }

    def _take_in(self) -> None:
        if not self._waiting:
            return
        groups, sizes, *values = (np.concatenate(column) for column in zip(*self._waiting, strict=True))
        self._waiting, self._are_waiting = [], 0
        count = int(groups.max()) + 1
        if count > self._counts.shape[1]:
            more = np.zeros((3, 2 * count - self._counts.shape[1]), np.int64)
            self._counts = np.concatenate((self._counts, more), axis=1)
        self._counts[0, :count] += np.bincount(groups)
        np.add.at(self._counts[1], groups, sizes & _LOW)
        if sizes.max() > _LOW:
            np.add.at(self._counts[2], groups, sizes >> 32)
        for name, numbers in zip(self._noted, values, strict=True):
            self._held[name].add(groups, numbers, count)
            self._forget(name)

    def _field(self, name: str) -> "Values | Texts":
        return self._values[name] if name in self._values else self._texts[name]

    def _forget(self, name: str) -> None:
        field = self._field(name)
        if len(field) <= self._most[name]:
            return
        held = self._held[name]
        used = held.used()
        held.move(field.keep(used))
        self._most[name] = 2 * len(used) + _KEPT
        if name in TOLD:
            self._requests.clear()  # they have the old numbers


class Seen(Mapping[str, Set[str] | None]):
    """What a group has seen of each field."""

    def __init__(
        self, group: int, own: Mapping[str, str], held: "Mapping[str, Held]", texts: Mapping[str, Sequence[str]]
    ) -> None:
        self._group = group
        self._own = own
        self._held = held
        self._texts = texts

    def __getitem__(self, name: str) -> Set[str] | None:
        if name in self._own:
            return {self._own[name]}
        numbers = self._held[name].of(self._group)
        return None if numbers is None else set(map(self._texts[name].__getitem__, numbers))

    def __iter__(self) -> Iterator[str]:
        return iter(NOTED)

    def __len__(self) -> int:
        return len(NOTED)


class Pairs:
    """The distinct pairs of numbers, numbered from 0."""

    def __init__(self) -> None:
        self.all: list[int] = []
        """The one `<< 32 |` the other."""
        self._numbers: dict[int, int] = {}

    def numbers(self, firsts: Ints, seconds: Ints) -> Ints:
        pairs, places = np.unique(firsts << 32 | seconds, return_inverse=True)
        numbers = []
        for pair in pairs.tolist():
            number = self._numbers.setdefault(pair, len(self.all))
            if number == len(self.all):
                self.all.append(pair)
            numbers.append(number)
        return np.array(numbers, np.int64)[places]


class Texts:
    """The distinct texts of a field, numbered from 0; few, or found out once for each request."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.all)

    def number(self, text: str) -> int:
        number = self._numbers.setdefault(text, len(self.all))
        if number == len(self.all):
            self.all.append(text)
        return number

    def texts(self) -> Sequence[str]:
        return self.all

    def keep(self, used: Ints) -> Ints:
        """As `Values.keep`."""
        moved = np.zeros(len(self.all), np.int64)
        moved[used] = np.arange(len(used))
        self.all = [self.all[number] for number in used.tolist()]
        self._numbers = {text: number for number, text in enumerate(self.all)}
        return moved


class Requests:
    """What requests of the logs of one container mean."""

    def __init__(self, container: str | None, fields: Mapping[str, Texts]) -> None:
        """`fields` are those of `TOLD` that are of interest."""
        self._container = container
        self._fields = fields
        self._values = Values()
        self._meanings = np.zeros((len(fields), 0), np.int64)

    def __len__(self) -> int:
        return len(self._values)

    def numbers(self, cut: Cut) -> Mapping[str, Ints]:
        """Of the fields."""
        known = len(self._values)
        requests = self._values.numbers(cut.requests)
        if len(self._values) > known:
            new = [self._meaning(text_of(request)) for request in self._values.all[known:]]
            self._meanings = np.concatenate((self._meanings, np.array(new, np.int64).T), axis=1)
        return {name: meanings[requests] for name, meanings in zip(self._fields, self._meanings, strict=True)}

    def _meaning(self, request: str) -> list[int]:
        method, path = method_and_path(request)
        texts = dict(zip(TOLD, (method, *split_path(path, self._container)), strict=True))
        return [field.number(texts[name]) for name, field in self._fields.items()]


class Held:
    """Which values of one field the groups have seen."""

    def __init__(self, distinct: int) -> None:
        self._distinct = distinct
        self._held = np.zeros(0, np.int64)
        self._new: list[Ints] = []
        self._are_new = 0
        self._is_full = np.zeros(0, np.bool_)
        """Which groups have more."""

    def add(self, groups: Ints, values: Ints, count: int) -> None:
        """`count` is how many groups there are."""
        if len(self._is_full) < count:
            self._is_full = np.concatenate((self._is_full, np.zeros(2 * count - len(self._is_full), np.bool_)))
        pairs = groups << 32 | values
        if self._is_full.any():
            pairs = pairs[~self._is_full[groups]]
        pairs = _distinct(pairs)
        self._new.append(pairs)
        self._are_new += len(pairs)
        if self._are_new > max(_WAITING, len(self._held) // 2):
            self.take_in()

    def take_in(self) -> None:
        if not self._new:
            return
        held = _distinct(np.concatenate((self._held, *self._new)))
        self._new, self._are_new = [], 0
        groups = held >> 32
        begins = np.flatnonzero(np.diff(groups, prepend=-1))
        counts = np.diff(begins, append=len(groups))
        over = groups[begins[counts > self._distinct]]
        self._is_full[over] = True
        self._held = held[~self._is_full[groups]] if len(over) else held

    def used(self) -> Ints:
        """Values, in order."""
        self.take_in()
        return _distinct(self._held & _LOW)

    def move(self, moved: Ints) -> None:
        """Values have new numbers; straight after `used`."""
        self._held = (
            self._held & ~_LOW | moved[self._held & _LOW]
        )  # in order, since the new ones are in that of the old

    def of(self, group: int) -> list[int] | None:
        """None: more. After `take_in`."""
        if self._is_full[group]:
            return None
        begin, end = np.searchsorted(self._held, [group << 32, (group + 1) << 32])
        numbers: list[int] = (self._held[begin:end] & _LOW).tolist()
        return numbers


def _distinct(numbers: Ints) -> Ints:
    """In order."""
    ordered = np.sort(numbers)
    is_new = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
    return ordered[is_new]
