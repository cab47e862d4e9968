"""The store's clock: ages of objects, and when they expire, are told by it."""

import time

from bulkput.errors import Denied
from bulkput.stores.base import Store


class StoreClock:
    """Asks once, and not before the time is needed. It is this machine's clock if the store does not tell its own."""

    def __init__(self, store: Store, container: str) -> None:
        self._store = store
        self._container = container
        self._zero_ns: int | None = None
        """The time at which `time.monotonic_ns` was 0."""

    async def now_ns(self) -> int:
        """Nanoseconds since 1970; a store may tell whole seconds only. Raises StoreError, Stopped."""
        if self._zero_ns is None:
            told = await self._told()
            self._zero_ns = (time.time_ns() if told is None else told) - time.monotonic_ns()
        return self._zero_ns + time.monotonic_ns()

    async def now_s(self) -> int:
        """Whole seconds since 1970. Raises StoreError, Stopped."""
        return await self.now_ns() // 1_000_000_000

    async def _told(self) -> int | None:
        look = self._store.powers.look_at_container
        if look is None:
            return None
        try:
            return (await look(self._container)).now_ns
        except Denied:  # an access list may let a user list and write objects, and not look at their container
            return None
