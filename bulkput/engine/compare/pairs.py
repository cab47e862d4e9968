"""Pairs each file of a scan with the object of its name.

For directories, by a merge join with everything listed below the destination; for single files, and if objects without
files do not matter, by looking up their names in the listing.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from bulkput.engine.compare.keys import key_of, why_nameless
from bulkput.engine.compare.listing import Lookup, Unlisted, in_order
from bulkput.engine.compare.merge_join import ListedObject, Pair, ScannedEntry, joined, nameless
from bulkput.engine.stop import Stop
from bulkput.errors import NotFound
from bulkput.model import Found, SourceFile
from bulkput.policy.naming import SUFFIX
from bulkput.policy.scope import Scope
from bulkput.stores.base import Store


@dataclass(slots=True, kw_only=True)
class Pairing:
    """Pairs files with objects.

    `sees_all`: also gives objects without files, if a source is a directory. `may_leave`: pairs may be
    `is_unlisted` (`listing.py`). `is_mirror`: entries that exist but are not files count as unknown, like entries that
    could not be read.
    """

    store: Store
    scope: Scope
    stop: Stop
    sees_all: bool = True
    may_leave: bool = False
    is_mirror: bool = False
    is_container_there: bool = field(default=True, init=False)
    is_in_order: bool = field(default=True, init=False)
    """False if a file came too late, after its object had seemed to have no file: a link that led to a file leads to a
    directory now, for example."""
    _last: bytes = field(default=b"", init=False)

    async def pairs(self, scan: AsyncIterable[Found]) -> AsyncGenerator[Pair, None]:
        """The pairs in the order of the scan, which is nearly that of the names. Raises StoreError if listing fails."""
        async with aclosing(self._scanned(scan)) as here:
            is_join = self.sees_all and self.scope.is_whole
            async with aclosing(self._joined(here) if is_join else self._looked_up(here)) as pairs:
                async for pair in pairs:
                    yield pair

    async def _scanned(self, scan: AsyncIterable[Found]) -> AsyncGenerator[ScannedEntry, None]:
        async for found in scan:
            if self.stop.is_pulled:
                return
            key = key_of(found, self.scope, is_mirror=self.is_mirror)
            if not isinstance(found, SourceFile):
                yield ScannedEntry(key, found)
            elif key is None:
                yield ScannedEntry(None, why_nameless(found, self.scope))
            else:
                self.is_in_order = self.is_in_order and key > self._last
                self._last = key
                yield ScannedEntry(key, found)

    async def _joined(self, here: AsyncIterator[ScannedEntry]) -> AsyncGenerator[Pair, None]:
        suffix = SUFFIX.encode() if self.scope.gzip.adds_suffix else b""
        async with aclosing(self._listed()) as there, aclosing(joined(here, there, suffix=suffix)) as pairs:
            async for pair in pairs:
                yield pair

    async def _listed(self) -> AsyncGenerator[ListedObject, None]:
        has_begun = False
        try:
            async with aclosing(in_order(self.store, self.scope.listing_prefix)) as rows:
                async for row in rows:
                    has_begun = True
                    yield row
        except NotFound:
            if has_begun:  # the container was deleted while it was listed
                raise
            self.is_container_there = False

    async def _looked_up(self, here: AsyncIterator[ScannedEntry]) -> AsyncGenerator[Pair, None]:
        lookup = Lookup(self.store, self.scope.listing_prefix, may_leave=self.may_leave)
        async with aclosing(lookup):
            async for each in here:
                if each.key is None or not isinstance(each.found, SourceFile):
                    yield nameless(each.found)
                    continue
                row = await lookup.find(each.key)
                self.is_container_there = lookup.is_container_there
                is_unlisted = isinstance(row, Unlisted)
                yield Pair(each.key, each.found, None if isinstance(row, Unlisted) else row, is_unlisted=is_unlisted)
