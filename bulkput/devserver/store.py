"""The store: containers, their objects, and the rule by which one of two writes wins. All is in memory only.

Nothing here awaits: each method is one step of the event loop, so no request sees a half-finished change.
"""

import time

from .listing import ListingRow, ListQuery, NameIndex, list_page
from .record import Headers, StoredObject


class Container:
    """One container: its objects by name, their order, their totals. It was made at `timestamp` (epoch seconds)."""

    def __init__(self, name: str, timestamp: float, headers: Headers) -> None:
        self.name = name
        self.timestamp = timestamp
        self.headers = headers
        self.objects: dict[str, StoredObject] = {}
        self.bytes_used = 0
        self._names = NameIndex()

    def page(self, query: ListQuery) -> list[ListingRow]:
        """One page of the listing."""
        return list_page(self._names.in_order(), query)

    def find(self, name: str) -> StoredObject | None:
        """The object, unless it is absent or past its X-Delete-At."""
        stored = self.objects.get(name)
        return None if stored is None or stored.is_expired(time.time()) else stored

    def enter(self, stored: StoredObject) -> None:
        """Store an object in place of any older one of its name."""
        old = self.objects.get(stored.name)
        if old is None:
            self._names.add(stored.name)
        else:
            self.bytes_used -= old.size
        self.objects[stored.name] = stored
        self.bytes_used += stored.size

    def delete(self, name: str) -> bool:
        """Delete an object. False if it was absent, or had expired; an expired one is removed too."""
        stored = self.objects.pop(name, None)
        if stored is None:
            return False
        self.bytes_used -= stored.size
        self._names.remove(name)
        return not stored.is_expired(time.time())

    def merge(self, headers: Headers) -> None:
        """Merge headers into the container's. An empty value removes a header.

        API reference, "Create, update, or delete container metadata".
        """
        merged = {**dict(self.headers), **dict(headers)}
        self.headers = tuple((key, value) for key, value in merged.items() if value)


class ContainerStore:
    """All containers of the one account."""

    def __init__(self) -> None:
        self.containers: dict[str, Container] = {}
        self._names = NameIndex()
        self._ticks = 0

    def now(self) -> float:
        """A timestamp later than any given before, in steps of 10 us as X-Timestamp has them."""
        self._ticks = max(int(time.time() * 100_000), self._ticks + 1)
        return self._ticks / 100_000

    def find(self, path: str) -> StoredObject | None:
        """The object at /CONTAINER/OBJECT, unless it or its container is absent, or it has expired."""
        container, _, name = path.removeprefix("/").partition("/")
        return self.containers[container].find(name) if container in self.containers else None

    def delete(self, path: str) -> bool:
        """Delete the object at /CONTAINER/OBJECT. False if it was absent, or had expired."""
        container, _, name = path.removeprefix("/").partition("/")
        return container in self.containers and self.containers[container].delete(name)

    def page(self, query: ListQuery) -> list[ListingRow]:
        """One page of the account's containers."""
        return list_page(self._names.in_order(), query)

    def create(self, name: str, headers: Headers) -> bool:
        """Create a container, or give an existing one these headers too. True when it is new."""
        old = self.containers.get(name)
        if old is not None:
            old.merge(headers)
            return False
        self.containers[name] = Container(name, self.now(), headers)
        self._names.add(name)
        return True

    def drop(self, container: Container) -> bool:
        """Delete an empty container. False if it is not empty."""
        if container.objects:
            return False
        del self.containers[container.name]
        self._names.remove(container.name)
        return True

    def keep(self, container: Container, stored: StoredObject) -> bool:
        """Store an object whose body is complete. False if its container was deleted during the upload.

        The later timestamp wins, whichever upload ends last. The other is answered 201 too, as in Swift, which stores
        both and removes the older one (swift/obj/diskfile.py, cleanup_ondisk_files).
        """
        if self.containers.get(container.name) is not container:
            return False
        old = container.objects.get(stored.name)
        if old is None or old.timestamp < stored.timestamp:
            container.enter(stored)
        return True
