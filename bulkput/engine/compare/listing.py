"""Reads a store's listing: whole and with its order checked (`in_order`), or only near the wanted names (`Lookup`).

If a run wants a few names of a large container, reading the whole listing is a waste; if it wants a million names, a
request for each is one. A page of 10 000 rows costs about as much as a few dozen HEADs. So `Lookup` reads pages, and
decides at the end of each page how to continue:

| the page held         | then                                                                                     |
|-----------------------|------------------------------------------------------------------------------------------|
| `_FEW` wanted names   | the next page begins at the next wanted name                                             |
| or more               |                                                                                          |
| fewer                 | the next `_MANY` names are left to the caller, whose workers ask for each in parallel    |

So n names in a container of any size take about n / `_FEW` pages at most. If the container holds little but the wanted
names, they take one page for each 10 000.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum

from bulkput.engine.compare.merge_join import ListedObject
from bulkput.errors import NotFound, StoreError, Unsupported
from bulkput.model import RemoteObject
from bulkput.stores.base import Store

_PAGE = 10_000
"""Rows of a page in Swift. If a store gives fewer, `Lookup` jumps after this number of rows all the same."""
_FEW = 20
"""Wanted names in a page for which it pays to read another."""
_MANY = 1_000
"""Names in a row that are left to the caller after a page with few wanted names."""


async def in_order(store: Store, prefix: str, start_after: str | None = None) -> AsyncGenerator[ListedObject, None]:
    """The objects below `prefix`, in bytewise order. Raises StoreError if the listing fails or is not in that order."""
    last = b""
    async with aclosing(store.list(prefix, start_after=start_after)) as listing:
        async for row in listing:
            if not isinstance(row, RemoteObject):
                continue
            if not row.name.startswith(prefix):  # a cache that drops the query string, for example
                raise StoreError("list", row.name, f"the store lists it, though it does not begin with {prefix}")
            key = _encoded(row.name)
            if key <= last:
                raise StoreError("list", row.name, "the store does not list in order of the names")
            last = key
            yield ListedObject(key, row)


class Unlisted(Enum):
    """The answer of `Lookup.find` for a name that it left to the caller."""

    UNLISTED = "unlisted"


class Lookup:
    """Finds objects by names that come in ascending order. Call `aclose` at the end."""

    def __init__(
        self, store: Store, prefix: str, *, may_leave: bool, page: int = _PAGE, few: int = _FEW, many: int = _MANY
    ) -> None:
        """With `may_leave`, `find` may answer UNLISTED: for names too far apart, or if the store cannot list."""
        self._page, self._few, self._many = page, few, many
        self._store = store
        self._prefix = prefix
        self._may_leave = may_leave
        self._rows: AsyncGenerator[ListedObject, None] | None = None
        self._row: ListedObject | None = None
        self._is_ended = False
        self._lists_nothing = False
        self.is_container_there = True
        self._left = 0
        """Next names to leave to the caller."""
        self._read = 0
        """Rows read of this page."""
        self._wanted = 0
        """Names looked up in this page."""

    async def find(self, key: bytes) -> RemoteObject | Unlisted | None:
        """The object of this name; None if there is none. Raises StoreError."""
        if self._left:
            self._left -= 1
            return Unlisted.UNLISTED
        self._wanted += 1
        while not self._is_ended and (self._row is None or self._row.key < key):
            if self._read >= self._page and self._wanted <= self._few and self._may_leave:
                await self.aclose()
                self._left = self._many - 1
                return Unlisted.UNLISTED
            await self._step(key)
        if self._lists_nothing:
            return Unlisted.UNLISTED
        return self._row.row if self._row is not None and self._row.key == key else None

    async def _step(self, key: bytes) -> None:
        """Read the next row. At the end of a page, jump to just before `key`."""
        if self._read >= self._page:
            await self.aclose()
            self._wanted = 1
        try:
            if self._rows is None:
                # Never start before the last row: rows between `_before(key)` and `key` would be read again and again.
                start = max(_before(key), self._row.row.name, key=_encoded) if self._row is not None else None
                self._rows = in_order(self._store, self._prefix, start)
            self._row = await anext(self._rows)
            self._read += 1
        except StopAsyncIteration:
            self._row, self._is_ended = None, True
        except Unsupported:
            if not self._may_leave:
                raise
            self._lists_nothing = self._is_ended = True
        except NotFound:
            if self._row is not None:  # the container was deleted while it was listed
                raise
            self._is_ended = True
            self.is_container_there = False

    async def aclose(self) -> None:
        """Close the listing. The next `find` opens a new one."""
        rows, self._rows, self._read, self._wanted = self._rows, None, 0, 0
        if rows is not None:
            await rows.aclose()


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _before(key: bytes) -> str:
    """A name just before `key`, with few or no names between: a listing that starts after it begins with `key`.

    It is `key` with its last character lowered by one and the highest character appended. (No name contains NUL or a
    surrogate.)
    """
    name = key.decode()
    last = ord(name[-1]) - 1
    if last < 1:
        return name[:-1]
    return name[:-1] + chr(0xD7FF if 0xD800 <= last <= 0xDFFF else last) + "\U0010ffff"
