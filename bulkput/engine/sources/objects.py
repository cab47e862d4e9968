"""Finds the objects of a source that is a URL: as a walk finds files, in the order of the listing."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import lru_cache
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.engine.sources.open_source import Origin
from bulkput.engine.stop import Stop
from bulkput.errors import Stopped, StoreError
from bulkput.model import Found, KnownFiles, Reason, RemoteObject, Skip, SourceFile
from bulkput.policy.filters import Filters
from bulkput.policy.object_state import state_of
from bulkput.policy.skip import moment_ns
from bulkput.record import frozen

if TYPE_CHECKING:
    from bulkput.journal.known import JournalledUploads
    from bulkput.sources.share import Share

_AT_ONCE = 1_000
"""Rows about which the journal is asked in one visit to a thread."""
_DIRECTORIES_KEPT = 1_024
"""Directories whose exclusion is remembered: the listing goes through one after the other."""


@frozen(kw_only=True)
class Tree:
    """What is taken of a source: all objects below `prefix`, or the object `single` alone."""

    origin: Origin
    prefix: str
    single: RemoteObject | None = None

    @property
    def root(self) -> bytes:
        """The URL of all of it."""
        return self.origin.path_of(self.prefix if self.single is None else self.single.name)

    def name_of(self, row: RemoteObject) -> bytes:
        """The name of an object relative to the source, as a file's."""
        return row.name[len(self.prefix) :].encode()


class ObjectScan:
    """`async for found in ObjectScan(...)` yields the objects of a tree. In place of `sources/scan.py:Scan`.

    If the listing fails, the run is stopped: nothing is known of the objects that come after that.
    """

    def __init__(
        self,
        tree: Tree,
        filters: Filters,
        earlier: "Callable[[], JournalledUploads] | None",
        stop: Stop,
        room: Callable[[], Awaitable[None]],
        *,
        share: "Share | None" = None,
    ) -> None:
        """`share`: leave the objects of other shards out. `room` is awaited before each batch: others than the consumer
        may slow the scan down (back-pressure)."""
        self._tree = tree
        self._filters = filters
        self._open_earlier = earlier
        self._stop = stop
        self._room = room
        self._share = share
        self._is_listing = False
        self._is_closed = False
        self._enters = lru_cache(_DIRECTORIES_KEPT)(filters.enters_directory)

    def begin(self) -> None:
        """Does nothing: the first page is asked for when it is needed."""

    async def __aiter__(self) -> AsyncGenerator[Found, None]:
        try:
            async with aclosing(self._batches()) as batches:
                async for batch in batches:
                    await self._room()
                    for found in batch:
                        if self._is_closed:
                            return
                        yield found
        except Stopped:
            return
        except StoreError as error:
            self._stop.pull(ev.Stopping(f"the source: {error}", ev.StopCause.STORE))

    async def _batches(self) -> AsyncGenerator[list[Found], None]:
        earlier = self._open_earlier() if self._open_earlier is not None else None
        async with aclosing(self._rows()) as rows:
            batch: list[Found] = []
            async for row in rows:
                if self._share is not None and not self._share.takes(self._tree.name_of(row)):
                    continue
                batch.append(self._found(row))
                if len(batch) >= (_AT_ONCE if earlier is not None else 1):
                    yield await _without_known(batch, earlier)
                    batch = []
            if batch:
                yield await _without_known(batch, earlier)

    async def _rows(self) -> AsyncGenerator[RemoteObject, None]:
        tree = self._tree
        if tree.single is not None:
            yield tree.single
            return
        self._is_listing = True
        async with aclosing(tree.origin.source.list(tree.prefix)) as rows:
            async for row in rows:
                self._is_listing = False
                # The marker of the tree's own directory has no name below it. As an entry that is no file it would
                # stand for the whole tree, and a mirror would know nothing of any object.
                if row.name != tree.prefix:
                    yield row
                self._is_listing = True
        self._is_listing = False

    def _found(self, row: RemoteObject) -> Found:
        name, path = self._tree.name_of(row), self._tree.origin.path_of(row.name)
        if self._filters.are_there and not takes(self._filters, name, self._enters):
            return Skip(path, name, Reason.EXCLUDED)
        size, mtime_ns = row.bytes or 0, moment_ns(row.last_modified) or 0
        if self._filters.have_limits and (why := self._filters.left_out(size, mtime_ns)) is not None:
            return Skip(path, name, why)
        return SourceFile(path, name, size, mtime_ns, remote=row)

    def at(self) -> bytes | None:
        """The source if its listing is waited for, else None. Call it in any thread."""
        return self._tree.root if self._is_listing else None

    def close(self) -> None:
        self._is_closed = True


def takes(filters: Filters, name: bytes, enters: Callable[[bytes], bool] | None = None) -> bool:
    """Whether the patterns take the object. A walk would not enter a directory that they exclude."""
    above = (name[:end] for end, byte in enumerate(name) if byte == ord("/"))
    return all(map(enters or filters.enters_directory, above)) and filters.takes_file(name)


async def _without_known(batch: list[Found], earlier: "JournalledUploads | None") -> list[Found]:
    """The batch without the objects that the journal knows, which are counted. Raises JournalError."""
    if earlier is None:
        return batch

    def ask() -> list[Found]:
        left: list[Found] = []
        count = size = 0
        for found in batch:
            if (
                isinstance(found, SourceFile)
                and found.remote is not None
                and earlier.has(found.path, found.name, found.size, state_of(found.remote))
            ):
                count, size = count + 1, size + found.size
            else:
                left.append(found)
        return [*left, KnownFiles(count, size)] if count else left

    return await asyncio.to_thread(ask)
