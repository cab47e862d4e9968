"""Whether a link or a large object reads what this very run writes: then what is proven of it does not hold to the end.

A link `l` leads to `t`. The file `l` has the bytes of `t`, so `--skip identical` would leave it out; the file `t` has
others and is sent. In the end `l` gives the bytes of the file `t`. So a file is sent, as a plain object, where its
object reads anything that has a file of its own in the sources.
"""

import asyncio
import os

from bulkput.engine.examine import reads_of
from bulkput.policy.scope import Scope
from bulkput.policy.through import Read, overlaps
from bulkput.stores.base import Store


class Beneath:
    """What objects of one container read, beside what an upload claims there."""

    def __init__(self, store: Store, scope: Scope, container: str, *, may_differ: bool) -> None:
        """`may_differ`: objects may be called otherwise than their files, which only they themselves know."""
        self._store = store
        self._scope = scope
        self._container = container
        self._below = f"{container}/{scope.listing_prefix}"
        self._may_differ = may_differ

    async def is_written(self, key: str) -> bool:
        """Whether anything that a GET of this object reads has a file, or may have one: also by way of other links and
        manifests. Raises StoreError, Stopped."""
        waiting = [f"{self._container}/{key}"]
        seen = set(waiting)
        while waiting:
            for read in await reads_of(self._store, waiting.pop(), self._container):
                if overlaps(read, self._below) and await self._has_file(read):
                    return True
                if read.may_read and read.path not in seen:
                    seen.add(read.path)
                    waiting.append(read.path)
        return False

    async def _has_file(self, read: Read) -> bool:
        if read.is_prefix or self._may_differ:
            return True
        paths = self._scope.sources_of(read.path.removeprefix(self._container + "/"))
        return paths is None or await asyncio.to_thread(lambda: any(map(os.path.lexists, paths)))
