"""Removes objects, by bulk-delete if the store has it.

    listing ──batches of up to 1 000──> workers: bulk-delete, or one DELETE each ──> change

If the store has no bulk-delete, a batch is one object, and all workers remove in parallel. Objects that a bulk-delete
leaves are removed by a DELETE each, also in parallel.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace

from bulkput import events as ev
from bulkput.engine.compare.evidence import itself_of
from bulkput.engine.objects.changes import ChangeTally
from bulkput.engine.objects.leftovers import Leftovers, reap_of
from bulkput.engine.open_store import connected, pace_of
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.errors import Conflict, NotFound, Stopped, StoreError, Unsupported, UsageError
from bulkput.events import Change, Done
from bulkput.model import RemoteObject
from bulkput.option_types import checked
from bulkput.options import WireOptions
from bulkput.policy.naming import joined_prefix
from bulkput.policy.references import is_as_listed
from bulkput.policy.retry import FailurePolicy
from bulkput.stores.base import Destination, Store
from bulkput.verb_options import RemoveOptions
from bulkput.verb_results import Changes

Batch = tuple[RemoteObject, ...]
MOST = 1_000
"""Most objects of a batch, even if the store's limit is higher: Swift removes two at a time within a request, so larger
batches would take minutes, without visible progress."""


async def remove(
    url: str,
    *,
    options: RemoveOptions | None = None,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Changes:
    """Remove the object `url`; with `is_recursive`, also all objects below it as a directory. The container stays.

    Of a large object the manifest is removed. With `with_segments` its segments are removed after that, if they are
    what the manifest named and nothing else in the account reads them. Without it they stay: `on_event` gets a
    SegmentsLeft for each large object that the listing shows. It gets a Change for each object.

    Raises UsageError for a wrong URL and missing credentials; NotFound if there is no object of that name.
    """
    options, stop, emit = checked(options, RemoveOptions), stop or Stop(), on_event or _ignore
    stop.report_to(emit)
    target = Destination.parse(url)
    if not options.is_recursive and not target.prefix:
        raise UsageError(f"{target} names a directory, not an object: remove its contents with `is_recursive=True`")
    tally = ChangeTally(emit, stop, FailurePolicy(options.stop))
    started = time.monotonic()
    requests: Mapping[str, int] = Counter()
    wire, retry = options.wire, options.retry
    pace = pace_of(wire, stop)
    async with connected(url, wire=wire, retry=retry, pace=pace, emit=emit, brake=stop, environ=environ) as opened:
        store, count = opened
        requests = count.requests
        leftovers = Leftovers(
            store,
            stop,
            emit,
            workers=wire.start,
            reap=reap_of(store, target.root, emit, stop, options.stop, workers=wire.start)
            if options.with_segments
            else None,
            is_thorough=options.with_segments or not options.is_recursive,
        )
        remover = Remover(store, tally, workers=wire.start, is_dry=options.dry_run, leftovers=leftovers)
        try:
            async with stop.bounded(wire.timeout_s):
                room = ev.room_of(on_event)
                await remover.run(target, is_recursive=options.is_recursive, room=room)
                await leftovers.finish()
        except Stopped:
            pass
        except (NotFound, Unsupported):
            raise
        except StoreError as error:  # the look at a single object failed, or the request for the store's limits
            stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
    pacing = pace.so_far() if pace is not None else None
    changes = tally.changes(requests, time.monotonic() - started, is_dry=options.dry_run, pacing=pacing)
    return replace(changes, segments=leftovers.close())


class Remover:
    """Removes batches of objects."""

    def __init__(
        self,
        store: Store,
        tally: ChangeTally,
        *,
        workers: int = WireOptions().first_concurrency,
        is_dry: bool = False,
        moved_to: Callable[[RemoteObject], str] | None = None,
        leftovers: Leftovers | None = None,
        within: str = "",
    ) -> None:
        """`workers` send single DELETEs in parallel. `moved_to` gives the new name of an object, if this is the second
        half of a move. `leftovers` notes the segments of removed large objects; call its `finish` at the end. Changes
        have `within` before the names."""
        self._store = store
        self._tally = tally
        self._workers = workers
        self._is_dry = is_dry
        self._moved_to = moved_to
        self._leftovers = leftovers if not is_dry else None
        self._within = within
        self.batch = 1
        """Objects for one call of `remove`."""

    async def prepare(self) -> None:
        """Set `batch` to what the store takes in one request. Raises StoreError."""
        if not self._is_dry and self._store.powers.delete_many is not None:
            self.batch = min(MOST, (await self._store.ask_limits()).max_deletes)

    async def run(self, target: Destination, *, is_recursive: bool, room: Callable[[], Awaitable[None]]) -> None:
        """Remove the object that `target` names, or all below it. Awaits `room` before it takes a listed object
        (back-pressure).

        Raises NotFound if there is no object.
        """
        tally, prefix, found = self._tally, target.prefix, 0
        if is_recursive:
            await self.prepare()
        # The backlog is one batch: a thousand rows are half a megabyte.
        async with pool(self.remove, workers=self._workers, backlog=1) as removers:
            # If `prefix` is empty or ends in "/", the listing below contains the object itself.
            is_listed = is_recursive and (not prefix or prefix.endswith("/"))
            if not is_listed and (row := await row_of(self._store, prefix)) is not None:
                found += 1
                await removers.submit((row,))
            batch: list[RemoteObject] = []
            if is_recursive:
                async with aclosing(listed(self._store, joined_prefix(prefix), tally.stop)) as rows:
                    async for row in rows:
                        await room()
                        found += 1
                        batch.append(row)
                        if len(batch) >= self.batch:
                            await removers.submit(tuple(batch))
                            batch.clear()
            if batch:
                await removers.submit(tuple(batch))
        if not found and not tally.stop.is_pulled:
            raise await nothing_there("remove", self._store, target, is_recursive=is_recursive)

    async def remove(self, batch: Batch) -> None:
        """Remove the objects, and add a change for each to the tally. Many calls may run concurrently."""
        try:
            self._tally.stop.check()
            batch = await self._noted(batch)
            left = frozenset() if self._is_dry else await self._left(batch)
        except Stopped:
            self.leave(batch)
            return
        except asyncio.CancelledError:  # an interrupted run is out of time
            self.leave(batch)
            raise
        except StoreError as error:
            # An error that stops the run is reported once, for all. Any other has used up its retries.
            failed = batch[:1] if error.stops_run else batch
            for row in failed:
                self._fail(row, error)
            self.leave(batch[len(failed) :])
            return
        for row in batch:
            if row.name not in left:
                self._told(row)
        one_by_one = [row for row in batch if row.name in left]
        if len(one_by_one) < 2:
            for row in one_by_one:
                await self._remove_one(row)
            return
        workers = min(self._workers, len(one_by_one))
        async with pool(
            self._remove_one, workers=workers, backlog=len(batch), abandoned=lambda row: self.leave((row,))
        ) as removers:
            for row in one_by_one:
                await removers.submit(row)

    async def remove_if_unchanged(self, batch: Batch) -> None:
        """Remove the objects that a HEAD shows unchanged since they were listed. Changed objects fail."""
        proven = []
        for row, now in await self.looked_at(batch):
            if now is None or is_as_listed(row, now):
                proven.append(row)
            else:
                self._fail(row, Conflict("remove", row.name, "it was overwritten after it was listed"))
        if proven:
            await self.remove(tuple(proven))

    async def looked_at(self, batch: Batch) -> list[tuple[RemoteObject, RemoteObject | None]]:
        """Send a HEAD for each object. Returns each row with its object now, None if it is gone.

        Objects whose HEAD fails are added to the tally and left out. If this is cancelled, all objects are left.
        """
        found: list[tuple[RemoteObject, RemoteObject | None]] = []

        async def look(row: RemoteObject) -> None:
            try:
                self._tally.stop.check()
                found.append((row, await itself_of(self._store, row.name)))
            except Stopped:
                self._leave_one(row)
            except asyncio.CancelledError:
                self._leave_one(row)
                raise
            except StoreError as error:
                self._fail(row, error)

        workers, backlog = min(self._workers, len(batch)), len(batch)
        try:
            async with pool(look, workers=workers, backlog=backlog, abandoned=self._leave_one) as lookers:
                for row in batch:
                    await lookers.submit(row)
        except asyncio.CancelledError:
            self.leave(tuple(row for row, _ in found))
            raise
        return found

    async def _noted(self, batch: Batch) -> Batch:
        """The objects that may be removed, after their segments are noted. Raises Stopped."""
        if self._leftovers is None:
            return batch
        unseen = await self._leftovers.look(batch)
        for row in batch:
            if (error := unseen.get(row.name)) is not None:
                self._fail(row, error)
        return tuple(row for row in batch if row.name not in unseen)

    async def _left(self, batch: Batch) -> frozenset[str]:
        """Try a bulk-delete. Returns the names that it did not remove: all of them if the store refuses the request.

        If the store has no bulk-delete after all, `batch` becomes 1. Raises StoreError if the error is retryable (its
        retries are used up) or stops the run.
        """
        names = tuple(row.name for row in batch)
        delete_many = self._store.powers.delete_many
        if len(batch) > 1 and delete_many is not None:
            try:
                return frozenset(await delete_many(names))
            except asyncio.CancelledError:
                self._tally.uncertain += len(names)
                raise
            except Unsupported:
                self.batch = 1
            except StoreError as error:
                if error.is_retryable or error.stops_run:
                    raise
        return frozenset(names)

    async def _remove_one(self, row: RemoteObject) -> None:
        try:
            self._tally.stop.check()
            await self._store.delete((row.name,))
        except Stopped:
            self.leave((row,))
        except asyncio.CancelledError:
            self._tally.uncertain += 1
            self.leave((row,))
            raise
        except StoreError as error:
            self._fail(row, error)
        else:
            self._told(row)

    def _told(self, row: RemoteObject) -> None:
        to = self._moved_to(row) if self._moved_to is not None else None
        done = Done.WOULD if self._is_dry else Done.REMOVED if to is None else Done.MOVED
        self._tally.add(Change(done, self._within + row.name, to, row.bytes))
        if self._leftovers is not None:
            self._leftovers.removed(row.name)

    def leave(self, batch: Batch) -> None:
        """Give up the objects, since the run is being stopped. For a move, add a KEPT change for each: its copy exists
        and its source was not removed. (A cancelled request may have removed it: `ChangeTally.uncertain`.)"""
        if self._moved_to is not None:
            for row in batch:
                self._tally.add(Change(Done.KEPT, row.name, self._moved_to(row), row.bytes))

    def _leave_one(self, row: RemoteObject) -> None:
        self.leave((row,))

    def _fail(self, row: RemoteObject, error: StoreError) -> None:
        to = self._moved_to(row) if self._moved_to is not None else None
        name = self._within + row.name
        error = error.about(name, "" if to is None else "; it is copied, and not removed")
        self._tally.fail(Change(Done.FAILED, name, to, row.bytes, error), error)


async def listed(store: Store, prefix: str, stop: Stop) -> AsyncGenerator[RemoteObject, None]:
    """The objects below `prefix`, until the run is stopped. A listing that fails stops the run.

    Raises NotFound if the container does not exist, and Unsupported if the store cannot list.
    """
    has_begun = False
    try:
        async with aclosing(store.list(prefix)) as listing:
            async for item in listing:
                has_begun = True
                if stop.is_pulled:
                    return
                _refuse_stray(item.name, prefix)
                if isinstance(item, RemoteObject):
                    yield item
    except (NotFound, Unsupported):
        if not has_begun:
            raise
        stop.pull(ev.Stopping(f"the listing of {prefix or 'the container'} broke off", ev.StopCause.STORE))
    except StoreError as error:
        stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))


def _refuse_stray(name: str, prefix: str) -> None:
    """Raises StoreError for a name outside `prefix`: a server that ignores the prefix lists objects that must stay."""
    if not name.startswith(prefix):
        raise StoreError("list", prefix, f"the listing has {name}, which is not below that")


async def row_of(store: Store, key: str) -> RemoteObject | None:
    """The object as the listing has it (a link as itself). If it is not listed, or not yet, as a HEAD shows it.

    Raises NotFound if the store says that the bucket is missing.
    """
    with suppress(Unsupported):
        try:
            async with aclosing(store.list(key)) as listing:
                async for item in listing:
                    if isinstance(item, RemoteObject) and item.name == key:
                        return item
                    break
        except NotFound as error:
            if error.code:  # the store says in a word of its own what is missing: the bucket
                raise
            return None
    return await store.stat(key)


async def row_of_itself(store: Store, key: str) -> RemoteObject | None:
    """The object as a HEAD shows it now. None if it is gone, even if the listing still has it."""
    try:
        return await store.stat(key)
    except NotFound:
        return None


async def nothing_there(operation: str, store: Store, target: Destination, *, is_recursive: bool) -> NotFound:
    """The error if there is no object at `target`."""
    if not is_recursive:
        hint = await _hint_below(store, target.prefix)
        return NotFound(operation, target.prefix, "there is no object of that name" + hint)
    if not target.prefix:
        return NotFound(operation, target.root, "nothing is stored there")
    is_name = not target.prefix.endswith("/")
    return NotFound(operation, target.prefix, "no object " + "has that name, or " * is_name + "lies below it")


async def _hint_below(store: Store, key: str) -> str:
    """For an error about the missing object `key`: whether it is a directory of objects. Empty if it is not."""
    if key.rstrip("/"):
        with suppress(StoreError):
            async with aclosing(store.list(key.rstrip("/") + "/")) as listing:
                async for _ in listing:
                    return ", but a directory with objects below it: `is_recursive=True` takes them"
    return ""


def _ignore(_told: object) -> None:
    """Discards events."""
