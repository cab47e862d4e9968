"""What a store lists, in the order that everything here relies upon; and a listing that is read along with names.

Of a large container a few names are wanted: then reading the listing to its end is a waste, and so is a request for
each of a million names. `Lookup` reads pages, since one of 10 000 rows costs about as much as a few dozen HEADs, and at
the end of each decides how to go on:

| the page held                                     | then                                                       |
|---------------------------------------------------|------------------------------------------------------------|
| `_FEW` wanted names or more                       | the next page begins where the next wanted name would be   |
| fewer                                             | the next `_MANY` names are not looked up, but left to the  |
|                                                   | caller to ask for one by one, which workers do in parallel |

So n names in a container of any size take at most n / `_FEW` + 1 pages, and as many names as objects a page for each
10 000.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum

from bulkput.engine.compare.merge_join import ListedObject
from bulkput.errors import NotFound, StoreError, Unsupported
from bulkput.model import RemoteObject
from bulkput.stores.base import Store

_PAGE = 10_000
"""Rows of a page, as Swift gives them; where a store gives fewer, a jump comes some pages later."""
_FEW = 20
_MANY = 1_000


async def in_order(store: Store, prefix: str, start_after: str | None = None) -> AsyncGenerator[ListedObject, None]:
    """The objects below `prefix`. Raises StoreError: of the listing, or when it is in no order to be followed."""
    last = b""
    async with aclosing(store.list(prefix, start_after=start_after)) as listing:
        async for row in listing:
            if not isinstance(row, RemoteObject):
                continue
            if not row.name.startswith(prefix):  # a cache that drops the query, say
                raise StoreError("list", row.name, f"the store lists it, though it does not begin with {prefix}")
            key = _encoded(row.name)
            if key <= last:
                raise StoreError("list", row.name, "the store lists in another order than that of the names")
            last = key
            yield ListedObject(key, row)


class Unlisted(Enum):
    """The answer of a lookup that has not looked."""

    UNLISTED = "unlisted"


class Lookup:
    """`find` names that come in order. `aclose` it at the end."""

    def __init__(
        self, store: Store, prefix: str, *, may_leave: bool, page: int = _PAGE, few: int = _FEW, many: int = _MANY
    ) -> None:
        """`may_leave` names to the caller: those too far apart, and all where the store lists nothing."""
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
        """Names still to be left to the caller."""
        self._read = 0
        """Rows of this page."""
        self._wanted = 0
        """Names that were looked for in it."""

    async def find(self, key: bytes) -> RemoteObject | Unlisted | None:
        """The object of this name. Raises StoreError."""
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
        """One row further; over a page's end to just before `key`."""
        if self._read >= self._page:
            await self.aclose()
            self._wanted = 1
        try:
            if self._rows is None:
                # Never behind the last row, or names between `_before(key)` and `key` would be read for ever.
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
            if self._row is not None:  # deleted while it was listed
                raise
            self._is_ended = True
            self.is_container_there = False

    async def aclose(self) -> None:
        """The listing is not read on; the next name begins another."""
        rows, self._rows, self._read, self._wanted = self._rows, None, 0, 0
        if rows is not None:
            await rows.aclose()


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _before(key: bytes) -> str:
    """A name that sorts before `key`, with few or no names between: a listing behind it begins with `key`.

    Its last character lowered by one, and behind that the highest there is. (No name has NUL or a surrogate in it.)
    """
    name = key.decode()
    last = ord(name[-1]) - 1
    if last < 1:
        return name[:-1]
    return name[:-1] + chr(0xD7FF if 0xD800 <= last <= 0xDFFF else last) + "\U0010ffff"
