"""Listings: sorted names, and one page of them as Swift would answer it.

The rules are those of the container server's query (swift/container/backend.py, list_objects_iter) and of the API
reference ("Show container details and list objects"). One deviation: with `path=`, Swift 2.38 leaves out an object
whose name is a skipped subdir's with the last byte one higher (`a0` after `a/b`); here it is listed.

Names are compared as text: code point order of Python's str is the byte order of UTF-8.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """One page's conditions. Empty markers and an empty prefix are no conditions; `path=None` is no path."""

    limit: int
    marker: str = ""
    end_marker: str = ""
    prefix: str = ""
    delimiter: str = ""
    path: str | None = None
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class ListingRow:
    """One line of a listing: a name, or the common beginning of several (`is_subdir`)."""

    name: str
    is_subdir: bool = False


class NameIndex:
    """A sorted set of names. Changes are collected, and applied when the names are listed.

    A few changes are applied one by one, many by one sort: timsort sorts a sorted run with a tail in nearly linear time
    (500 000 names: tens of milliseconds, once).
    """

    _FEW = 64  # beyond this, moving the list's tail for each name costs more than one sort

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._sorted: list[str] = sorted(names)
        self._added: set[str] = set()
        self._removed: set[str] = set()

    def add(self, name: str) -> None:
        """Add a name that is not in the set."""
        if name in self._removed:
            self._removed.discard(name)
        else:
            self._added.add(name)

    def remove(self, name: str) -> None:
        """Remove a name that is in the set."""
        if name in self._added:
            self._added.discard(name)
        else:
            self._removed.add(name)

    def in_order(self) -> Sequence[str]:
        """All names, sorted. The list is valid until the next call of a method; the caller must not change it."""
        if len(self._added) + len(self._removed) <= self._FEW:
            for name in self._removed:
                del self._sorted[bisect_left(self._sorted, name)]
            for name in self._added:
                insort(self._sorted, name)
        else:
            if self._removed:
                self._sorted = [name for name in self._sorted if name not in self._removed]
            self._sorted.extend(self._added)
            self._sorted.sort()
        self._added.clear()
        self._removed.clear()
        return self._sorted


def list_page(names: Sequence[str], query: ListQuery) -> list[ListingRow]:
    """The rows of one page of sorted `names`; a row costs one step, a subdir one binary search."""
    if query.path is not None:  # an older spelling: the objects directly below a directory, and no subdirs
        below = query.path.rstrip("/") + "/" if query.path else ""
        query = replace(query, prefix=below, delimiter="/", path=below)
    first, end = _bounds(names, query)
    if not query.delimiter:
        chosen = names[max(first, end - query.limit) : end] if query.reverse else names[first:end][: query.limit]
        return [ListingRow(name) for name in (reversed(chosen) if query.reverse else chosen)]
    # A subdir that equals the lower bound was on the page before, so it is left out. In reverse the lower bound is
    # `end_marker`, because Swift swaps the markers before it compares.
    seen = query.end_marker if query.reverse else query.marker
    rows: list[ListingRow] = []
    while first < end and len(rows) < query.limit:
        name = names[end - 1 if query.reverse else first]
        if query.reverse:
            end -= 1
        else:
            first += 1
        cut = name.find(query.delimiter, len(query.prefix))
        subdir = name[: cut + len(query.delimiter)] if cut >= 0 else ""
        if query.path is not None and name == query.path:
            continue
        if not subdir or (query.path is not None and subdir == name):
            rows.append(ListingRow(name))
            continue
        if query.path is None and subdir != seen:
            rows.append(ListingRow(subdir, is_subdir=True))
        if query.reverse:  # with a path, the object that is called like the subdir still comes
            end = (bisect_left if query.path is None else bisect_right)(names, subdir, first, end)
        else:
            first = _end_of_prefix(names, subdir, first, end)
    return rows


def _bounds(names: Sequence[str], query: ListQuery) -> tuple[int, int]:
    """The slice of `names` within prefix and markers; markers are exclusive, and swap their roles in reverse."""
    low, high = (query.end_marker, query.marker) if query.reverse else (query.marker, query.end_marker)
    first, end = 0, len(names)
    if query.prefix:
        first = bisect_left(names, query.prefix)
        end = _end_of_prefix(names, query.prefix, first, end)
    if low:
        first = max(first, bisect_right(names, low))
    if high:
        end = min(end, bisect_left(names, high))
    return first, max(first, end)


def _end_of_prefix(names: Sequence[str], prefix: str, first: int, end: int) -> int:
    """The index after the names that start with `prefix`; their run begins at or before `first`."""
    return bisect_left(names, True, first, end, key=lambda name: not name.startswith(prefix))
