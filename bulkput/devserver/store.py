"""The store: containers, their objects, and the order in which writes win.

This file keeps the index, which is always in memory. Where the bytes lie is a shelf: `memory.MemoryShelf` or
`directory.DirectoryShelf`. Both have the same methods; there are two of them and will be no third, so there is no
base class, only the union `Shelf`.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from .directory import DirectoryDraft, DirectoryShelf
from .listing import ListQuery, NameIndex, Row, list_page
from .memory import MemoryDraft, MemoryShelf
from .record import ContainerRecord, Headers, StoredObject

Shelf = MemoryShelf | DirectoryShelf
Draft = MemoryDraft | DirectoryDraft


class Container:
    """One container: its objects by name, their order, their totals."""

    def __init__(self, record: ContainerRecord, objects: Sequence[StoredObject] = ()) -> None:
        self.record = record
        self.objects = {stored.name: stored for stored in objects}
        self.bytes_used = sum(stored.size for stored in objects)
        self.writing = 0  # writes between their decision and their index entry: not empty, though nothing is listed
        self._names = NameIndex(self.objects)

    def page(self, query: ListQuery) -> list[Row]:
        """One page of the listing."""
        return list_page(self._names.in_order(), query)

    def enter(self, stored: StoredObject) -> None:
        """Index a stored object, in place of any older one."""
        old = self.objects.get(stored.name)
        if old is None:
            self._names.add(stored.name)
        else:
            self.bytes_used -= old.size
        self.objects[stored.name] = stored
        self.bytes_used += stored.size

    def forget(self, name: str) -> None:
        """Take an object out of the index."""
        self.bytes_used -= self.objects.pop(name).size
        self._names.remove(name)


class Store:
    """All containers of the one account. `await load()` before use, `await aclose()` after."""

    def __init__(self, shelf: Shelf) -> None:
        self.containers: dict[str, Container] = {}
        self._shelf = shelf
        self._names = NameIndex()
        self._turn = asyncio.Lock()  # containers come and go one at a time
        # Two writes of one object must reach shelf and index in the same order; 64 locks keep strangers apart.
        self._stripes = [asyncio.Lock() for _ in range(64)]
        self._ticks = 0

    async def load(self) -> None:
        """Read back what an earlier run left on the shelf."""
        for record, objects in await self._shelf.load():
            self.containers[record.name] = Container(record, objects)
            self._names.add(record.name)

    async def aclose(self) -> None:
        """Release the shelf; a directory keeps what it holds."""
        await self._shelf.aclose()

    def now(self) -> float:
        """A timestamp later than any given before, in steps of 10 us as X-Timestamp has them."""
        self._ticks = max(int(time.time() * 100_000), self._ticks + 1)
        return self._ticks / 100_000

    def page(self, query: ListQuery) -> list[Row]:
        """One page of the account's containers."""
        return list_page(self._names.in_order(), query)

    async def create(self, name: str, headers: Headers) -> bool:
        """Create a container, or give an existing one these headers too. True when it is new."""
        async with self._turn:
            old = self.containers.get(name)
            if old is not None:
                if headers:
                    await self._set_headers(old, headers)
                return False
            record = await self._shelf.add_container(ContainerRecord(name, self.now(), headers))
            self.containers[name] = Container(record)
            self._names.add(name)
            return True

    async def update(self, container: Container, headers: Headers) -> None:
        """Merge headers into a container's; an empty value removes one (API reference, "Update container metadata")."""
        async with self._turn:
            await self._set_headers(container, headers)

    async def drop(self, name: str) -> bool:
        """Delete an empty container. False: it is not empty. Raises KeyError when there is none."""
        async with self._turn:
            container = self.containers[name]
            if container.objects or container.writing:
                return False
            del self.containers[name]
            self._names.remove(name)
            await self._shelf.drop_container(container.record)
            return True

    def find(self, container: Container, name: str) -> StoredObject | None:
        """The object, unless it is absent or past its X-Delete-At."""
        stored = container.objects.get(name)
        return None if stored is None or stored.is_expired(time.time()) else stored

    def draft(self) -> Draft:
        """Room for the bytes of one upload. Whatever becomes of it, `await draft.discard()` at the end."""
        return self._shelf.draft()

    async def keep(self, container: Container, draft: Draft, stored: StoredObject) -> bool:
        """Make a complete draft the object. False: its container is gone.

        The later timestamp wins, whoever finishes last: the loser is told "created" too, as in Swift, where both
        were stored and the older one is cleaned away (swift/obj/diskfile.py, cleanup_ondisk_files).
        """
        async with self._writing(container, stored.name) as is_there:
            if not is_there:
                return False
            old = container.objects.get(stored.name)
            if old is None or old.timestamp < stored.timestamp:
                container.enter(await draft.keep(container.record, stored))
                if old is not None:
                    await self._shelf.remove_content(old)
            return True

    async def rewrite(self, container: Container, name: str, changes: StoredObject) -> bool:
        """Give the object the metadata of `changes` and keep its bytes. False: it is not there."""
        async with self._writing(container, name) as is_there:
            old = self.find(container, name)
            if not is_there or old is None:
                return False
            fresh = replace(changes, size=old.size, etag=old.etag, content=old.content)
            await self._shelf.rewrite(container.record, fresh)
            container.enter(fresh)
            return True

    async def delete(self, container: Container, name: str) -> bool:
        """Delete the object. False: it was not there, or had expired; then its remains go now."""
        async with self._writing(container, name) as is_there:
            stored = container.objects.get(name)
            if not is_there or stored is None:
                return False
            await self._shelf.remove(container.record, stored)
            container.forget(name)
            return not stored.is_expired(time.time())

    async def _set_headers(self, container: Container, headers: Headers) -> None:
        merged = {**dict(container.record.headers), **dict(headers)}
        record = replace(container.record, headers=tuple((k, v) for k, v in merged.items() if v))
        await self._shelf.update_container(record)
        container.record = record

    def _writing(self, container: Container, name: str) -> "_Writing":
        """The right to change one object; entering says whether its container is still in the store."""
        return _Writing(self, container, self._stripes[hash(name) % len(self._stripes)])


class _Writing:
    """A plain class: as a generator with `asynccontextmanager` it took a tenth of a small PUT's time."""

    __slots__ = ("_container", "_lock", "_store")

    def __init__(self, store: Store, container: Container, lock: asyncio.Lock) -> None:
        self._store = store
        self._container = container
        self._lock = lock

    async def __aenter__(self) -> bool:
        self._container.writing += 1
        try:
            await self._lock.acquire()
        except asyncio.CancelledError:
            self._container.writing -= 1
            raise
        return self._store.containers.get(self._container.record.name) is self._container

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()
        self._container.writing -= 1
