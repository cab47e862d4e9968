"""The shelf in memory: what is stored is gone when the server ends."""

import hashlib
from collections.abc import Sequence

from .content import MemoryContent
from .record import ContainerRecord, StoredObject


class MemoryDraft:
    """An upload under way: its pieces, its running MD5."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []
        self._md5 = hashlib.md5(usedforsecurity=False)

    async def write(self, piece: bytes) -> None:
        """Append one piece."""
        self._pieces.append(piece)
        self._md5.update(piece)
        self.size += len(piece)

    async def finish(self) -> str:
        """No more will come: the MD5, in hex."""
        return self._md5.hexdigest()

    async def discard(self) -> None:
        """Nothing to clean up."""

    async def keep(self, container: ContainerRecord, stored: StoredObject) -> StoredObject:
        """The object with its bytes."""
        return stored.placed(MemoryContent(tuple(self._pieces)))


class MemoryShelf:
    """Everything is in the records already; there is little to do."""

    async def load(self) -> list[tuple[ContainerRecord, Sequence[StoredObject]]]:
        """Nothing survives."""
        return []

    async def aclose(self) -> None:
        """Nothing to release."""

    async def add_container(self, record: ContainerRecord) -> ContainerRecord:
        """The record as it is."""
        return record

    async def update_container(self, record: ContainerRecord) -> None:
        """Kept by the index."""

    async def drop_container(self, record: ContainerRecord) -> None:
        """Forgotten by the index."""

    def draft(self) -> MemoryDraft:
        """A new draft."""
        return MemoryDraft()

    async def rewrite(self, container: ContainerRecord, stored: StoredObject) -> None:
        """Kept by the index."""

    async def remove(self, container: ContainerRecord, stored: StoredObject) -> None:
        """Forgotten by the index."""

    async def remove_content(self, stored: StoredObject) -> None:
        """Freed with its record."""
