"""Objects removed, as many by one request as the store takes.

    listing ──batches of up to 10 000──> workers: bulk-delete, or one DELETE each ──> change

Where the store has no bulk-delete a batch is one object, and as many are removed at once as there are connections.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import aclosing

from bulkput import events as ev
from bulkput.engine.changes import Change, Changes, ChangeTally, Done, OnChange
from bulkput.engine.pool import pool
from bulkput.engine.run import open_store
from bulkput.engine.stop import Stop
from bulkput.errors import NotFound, Stopped, StoreError, UsageError
from bulkput.model import RemoteObject
from bulkput.options import RetryOptions, StopRules, WireOptions
from bulkput.policy.naming import joined_prefix
from bulkput.policy.retry import GiveUp
from bulkput.stores.base import Destination, Store

Batch = tuple[RemoteObject, ...]
MOST = 1_000
"""Objects of a batch, even where a request may have more: Swift removes two at a time, so that such a request takes
seconds, not minutes, and what is done shows."""


async def remove(
    url: str,
    *,
    is_recursive: bool = False,
    is_dry: bool = False,
    wire: WireOptions | None = None,
    retry: RetryOptions | None = None,
    on_change: OnChange | None = None,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Changes:
    """Remove the object `url`; recursively, it and all that lies below it as a directory. The container stays.

    Of a static large object the manifest is removed; its segments are objects of their own.

    Raises UsageError: a wrong URL, missing credentials. Raises NotFound where there is nothing of that name.
    """
    stop, wire, emit = stop or Stop(), wire or WireOptions(), on_event or _ignore
    stop.report_to(emit)
    target = Destination.parse(url)
    if not is_recursive and (not target.prefix or target.prefix.endswith("/")):
        raise UsageError(f"{url} names no object but what lies below it: remove that with -r")
    tally = ChangeTally(on_change or _ignore, stop, GiveUp(StopRules()))
    started = time.monotonic()
    requests: Mapping[str, int] = Counter()
    async with open_store(url, wire=wire, retry=retry, emit=emit, brake=stop, environ=environ) as (store, count):
        requests = count.requests
        try:
            await Remover(store, tally, is_dry=is_dry).run(target.prefix, wire.start, is_recursive=is_recursive)
        except Stopped:
            pass
        except NotFound:
            raise
        except StoreError as error:  # of the listing
            stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
    return tally.changes(requests, time.monotonic() - started, is_dry=is_dry)


class Remover:
    """Removes what it is given, batch by batch."""

    def __init__(
        self,
        store: Store,
        tally: ChangeTally,
        *,
        is_dry: bool = False,
        moved_to: Callable[[RemoteObject], str] | None = None,
    ) -> None:
        """`moved_to` says where the objects are now, if this is the end of a move."""
        self._store = store
        self._tally = tally
        self._is_dry = is_dry
        self._moved_to = moved_to

    async def run(self, prefix: str, workers: int, *, is_recursive: bool) -> None:
        """Raises NotFound: nothing is there. Raises StoreError: of the listing."""
        found = 0
        size = min(MOST, (await self._store.ask_limits()).max_deletes) if is_recursive and not self._is_dry else 1
        async with pool(self.remove, workers=workers, backlog=workers) as removers:
            if prefix and not prefix.endswith("/") and (row := await self._store.stat(prefix)) is not None:
                found += 1
                await removers.submit((row,))
            batch: list[RemoteObject] = []
            if is_recursive:
                async with aclosing(self._store.list(joined_prefix(prefix))) as listing:
                    async for item in listing:
                        if self._tally.stop.is_pulled:
                            break
                        if isinstance(item, RemoteObject):
                            found += 1
                            batch.append(item)
                        if len(batch) == size:
                            await removers.submit(tuple(batch))
                            batch.clear()
            if batch:
                await removers.submit(tuple(batch))
        if not found and not self._tally.stop.is_pulled:
            raise NotFound("remove", prefix, "there is nothing of that name")

    async def remove(self, batch: Batch) -> None:
        """Each is told."""
        tally = self._tally
        try:
            tally.stop.check()
            if not self._is_dry:
                await self._store.delete([row.name for row in batch])
        except Stopped:
            return
        except StoreError as error:
            await self._fail(batch, error)
            return
        for row in batch:
            to = self._moved_to(row) if self._moved_to is not None else None
            done = Done.WOULD if self._is_dry else Done.REMOVED if to is None else Done.MOVED
            tally.add(Change(done, row.name, to, row.bytes))

    async def _fail(self, batch: Batch, error: StoreError) -> None:
        """One of them could not be removed: which, the others tell by going alone."""
        if len(batch) == 1 or error.stops_run:
            for row in batch:
                self._tally.fail(Change(Done.FAILED, row.name, None, row.bytes, error), error)
            return
        for row in batch:
            await self.remove((row,))


def _ignore(_told: object) -> None:
    """For those who do not want to know."""
