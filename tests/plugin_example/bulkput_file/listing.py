"""Lists a container in the order of the names' bytes, in bounded memory. All calls block.

`names.py` says why a walk through sorted directories gives the names in order. A directory is read once for each page
of its entries: its smallest ones that come after the last page.
"""

import heapq
import os
from collections.abc import Iterator

from bulkput.model import Prefix
from bulkput_file.names import added_by

PAGE = 10_000
"""Entries of one directory that are held in memory."""


class Listing:
    """The names of objects that begin with `prefix` and come after `start_after`; with a delimiter, each group of names
    once, as a Prefix."""

    def __init__(
        self, path: str, prefix: str, delimiter: str | None, start_after: str | None, *, page: int = PAGE
    ) -> None:
        self._path = path
        self._page = page
        self._prefix = prefix.encode()
        self._delimiter = (delimiter or "").encode()
        self._after = (start_after or "").encode()
        self._group: bytes | None = None
        """The group that was listed last: whatever else is in it is left out."""

    def __iter__(self) -> Iterator[str | Prefix]:
        """Raises FileNotFoundError if there is no container."""
        if not os.path.isdir(self._path):
            raise FileNotFoundError(2, "there is no such container", self._path)
        for name in self._names():
            try:
                text = name.decode()
            except UnicodeDecodeError:
                continue  # a file of another program
            group = self._group_of(name)
            if group is None:
                yield text
            elif group != self._group:
                self._group = group
                if group > self._after:
                    yield Prefix(group.decode())

    def _group_of(self, name: bytes) -> bytes | None:
        head, found, _ = name[len(self._prefix) :].partition(self._delimiter) if self._delimiter else (name, b"", b"")
        return self._prefix + head + found if found else None

    def _names(self) -> Iterator[bytes]:
        """A stack in place of recursion: a name may have a thousand slashes."""
        stack = [(b"", self._entries(self._path, b""))]
        while stack:
            start, entries = stack[-1]
            entry = next(entries, None) if not self._is_listed(start) else None
            if entry is None:
                stack.pop()
            elif entry[1] is None:
                yield entry[0]
            else:
                stack.append((entry[0], self._entries(entry[1], entry[0])))

    def _may_have(self, start: bytes, *, is_directory: bool) -> bool:
        """Whether the object `start`, or one in a directory whose names begin so, may be listed."""
        if self._is_listed(start):
            return False
        if not is_directory:
            return start.startswith(self._prefix) and start > self._after
        is_below = start.startswith(self._prefix) or self._prefix.startswith(start)
        return is_below and (start > self._after or self._after.startswith(start))

    def _is_listed(self, start: bytes) -> bool:
        """Whether all names that begin with `start` are in the group that was listed last."""
        return self._group is not None and start.startswith(self._group)

    def _entries(self, directory: str, start: bytes) -> Iterator[tuple[bytes, str | None]]:
        """What the entries of a directory stand for, in order: the name of an object and None, or the start of names
        and the path of the directory that has them."""
        last = start[:-1]  # before all
        while True:
            wanted = (
                each
                for each in _scan(directory, start)
                if each[0] > last and self._may_have(each[0], is_directory=each[1] is not None)
            )
            page = heapq.nsmallest(self._page, wanted)
            yield from page
            if len(page) < self._page:
                return
            last = page[-1][0]


def _scan(directory: str, start: bytes) -> Iterator[tuple[bytes, str | None]]:
    """The entries of a directory in any order; none if it is gone. No two stand for the same."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                is_directory = entry.is_dir(follow_symlinks=False)
                added = added_by(entry.name, is_directory=is_directory)
                if added is not None and (is_directory or entry.is_file(follow_symlinks=False)):
                    yield start + added, entry.path if is_directory else None
    except FileNotFoundError:
        return
