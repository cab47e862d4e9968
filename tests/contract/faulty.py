"""A store of another package: Swift under the scheme faulty://, with the fault that the variable FAULT names."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from bulkput.model import Body, LargeUpload, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.stores.base import Destination, Store, StoreContext
from bulkput.stores.powers import Powers
from bulkput.stores.swift import store as swift

Items = AsyncGenerator[RemoteObject | Prefix, None]


class Faultless:
    """Passes every operation on."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class WrongRows(Faultless):
    """Lists rows with other values."""

    def __init__(self, store: Store, **values: object) -> None:
        super().__init__(store)
        self._values: dict[str, Any] = values

    async def list(self, prefix: str, **where: Any) -> Items:
        async for item in self._store.list(prefix, **where):
            yield replace(item, **self._values) if isinstance(item, RemoteObject) else item


class WrongStat(WrongRows):
    """Shows such rows to `stat`, too."""

    @property
    def powers(self) -> Powers:
        return replace(self._store.powers, stat_itself=self.stat)

    async def stat(self, key: str, container: str | None = None) -> RemoteObject | None:
        row = await self._store.stat(key)
        return None if row is None else replace(row, **self._values)


class SortsByUtf16(Faultless):
    async def list(self, prefix: str, **where: Any) -> Items:
        items = [item async for item in self._store.list(prefix, **where)]
        for item in sorted(items, key=lambda each: each.name.encode("utf-16-be")):
            yield item


class StartsAfterAPrefix(Faultless):
    """Takes `start_after` for a prefix and leaves out all names that begin with it."""

    async def list(self, prefix: str, *, start_after: str | None = None, **where: Any) -> Items:
        async for item in self._store.list(prefix, start_after=start_after, **where):
            if start_after is None or not item.name.startswith(start_after):
                yield item


class StartsAtTheName(Faultless):
    """Lists `start_after` itself, too."""

    async def list(self, prefix: str, *, start_after: str | None = None, **where: Any) -> Items:
        async for item in self._store.list(prefix, **where):
            if start_after is None or item.name.encode() >= start_after.encode():
                yield item


class AlwaysMade(Faultless):
    was_made = True


class NeverMade(Faultless):
    was_made = False


class LosesHeaders(Faultless):
    """Stores objects without the given field of their headers."""

    def __init__(self, store: Store, lost: str) -> None:
        super().__init__(store)
        self._lost: dict[str, Any] = {lost: getattr(ObjectHeaders(), lost)}

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        return await self._store.put(key, body, replace(headers, **self._lost))


class CopyLosesHeaders(Faultless):
    """Copies objects and ignores the given field of the headers."""

    def __init__(self, store: Store, lost: str) -> None:
        super().__init__(store)
        self._lost: dict[str, Any] = {lost: getattr(ObjectHeaders(), lost)}

    @property
    def powers(self) -> Powers:
        return replace(self._store.powers, copy=self.copy)

    async def copy(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        assert self._store.powers.copy is not None
        return await self._store.powers.copy(source, container, key, replace(headers, **self._lost), size)


class PartsLiveForEver(Faultless):
    """Stores the parts of large objects without an expiry."""

    @property
    def powers(self) -> Powers:
        assert self._store.powers.large is not None
        return replace(self._store.powers, large=replace(self._store.powers.large, begin=self.begin))

    async def begin(self, key: str, version: str, headers: ObjectHeaders) -> LargeUpload:
        assert self._store.powers.large is not None
        return await self._store.powers.large.begin(key, version, replace(headers, expires_in_s=None))


FAULTS: dict[str, Callable[[Store], object]] = {
    "none": Faultless,
    "hash listed": partial(WrongRows, hash="0" * 32),
    "size listed": partial(WrongRows, bytes=6),
    "time listed": partial(WrongRows, last_modified="2009-10-08T09:00:00"),
    "time": partial(WrongStat, last_modified="2009-10-08T09:00:00"),
    "large listed": partial(WrongRows, large="static"),
    "large": partial(WrongStat, large="dynamic"),
    "link": partial(WrongStat, link="c/o"),
    "order of UTF-16": SortsByUtf16,
    "start_after is a prefix": StartsAfterAPrefix,
    "start_after is included": StartsAtTheName,
    "was_made is always true": AlwaysMade,
    "was_made is always false": NeverMade,
    "encoding": partial(LosesHeaders, lost="encoding"),
    "type": partial(LosesHeaders, lost="content_type"),
    "metadata": partial(LosesHeaders, lost="meta"),
    "expiry": partial(LosesHeaders, lost="expires_in_s"),
    "cache control": partial(LosesHeaders, lost="cache_control"),
    "type of a copy": partial(CopyLosesHeaders, lost="content_type"),
    "metadata of a copy": partial(CopyLosesHeaders, lost="meta"),
    "life of parts": PartsLiveForEver,
}


def open_store(destination: Destination, context: StoreContext) -> object:
    """The StoreFactory of the entry point."""
    bare = swift.open_store(Destination("swift", destination.root, destination.prefix), context)
    return FAULTS[context.environ["FAULT"]](bare)
