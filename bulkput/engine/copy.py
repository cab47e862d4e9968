"""Objects copied or moved, by the store itself where it can.

    listing ──bounded queue──> workers: copy, proven by its ETag ──> change ──(move)──> batches ──> bulk-delete

A move is a copy that was proven, then a removal: whatever happens in between, each object is there once at least, and
the same command goes on with what is left. Where the store has no copy of its own (plain HTTP, two kinds of stores),
the bytes pass through here.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial

from bulkput import events as ev
from bulkput.engine.changes import Change, Changes, ChangeTally, Done, OnChange
from bulkput.engine.opening import open_store
from bulkput.engine.passing import Passing
from bulkput.engine.pool import pool
from bulkput.engine.remove import Remover, listed, row_of
from bulkput.engine.stop import Stop
from bulkput.engine.tuning import Tuner
from bulkput.errors import (
    BulkputError,
    IntegrityError,
    NotFound,
    Stopped,
    StoreError,
    Unsupported,
    UsageError,
    printable,
)
from bulkput.model import ObjectHeaders, RemoteObject, Segment
from bulkput.options import HeaderOptions, RetryOptions, StopRules, WireOptions
from bulkput.policy.places import Rename, one_spelling, rename_of
from bulkput.policy.retry import GiveUp
from bulkput.stores.base import Copies, Destination, Manifests, Store

_REMOVED_AT_ONCE = 50
"""Sources of a batch: few, so that removals keep pace with copies. Of each batch Swift removes two at a time."""


async def copy(
    source: str,
    destination: str,
    *,
    is_recursive: bool = False,
    is_move: bool = False,
    is_dry: bool = False,
    headers: HeaderOptions | None = None,
    wire: WireOptions | None = None,
    retry: RetryOptions | None = None,
    on_change: OnChange | None = None,
    on_event: ev.Emit | None = None,
    on_passing: Callable[[], None] | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Changes:
    """Copy the object `source`, or recursively what lies below it, to `destination`; both are URLs.

    Type, metadata and the other fields of each object come along; what `headers` has replaces them. The container of
    the destination is made if it is not there. `on_passing` is told when the bytes pass through here. As many copies
    are in flight as `wire.concurrency` says, or as the tuner finds.

    Raises UsageError: a wrong URL, missing credentials, a copy onto itself, a move of segments away from their
    manifest. Raises NotFound where there is no source.
    """
    stop, wire = stop or Stop(), wire or WireOptions()
    tuner = Tuner(wire)
    emit = _counted(on_event or _ignore, tuner)
    stop.report_to(emit)
    there, here = Destination.parse(source), Destination.parse(destination)
    is_same = one_spelling(there.scheme, there.root) == one_spelling(here.scheme, here.root)
    rename = rename_of(there.prefix, here.prefix, is_recursive=is_recursive, is_same_container=is_same)
    tally = ChangeTally(on_change or _ignore, stop, GiveUp(StopRules()))
    started = time.monotonic()
    requests: Counter[str] = Counter()
    opened = partial(open_store, wire=wire, retry=retry, slots=tuner.slots, emit=emit, brake=stop, environ=environ)
    async with opened(source) as (old, counted), opened(destination, headers=headers) as (new, count):
        container = here.root if there.scheme == here.scheme else None
        given = _replacing(headers or HeaderOptions())
        passing = Passing(old, new, given, on_passing or _nothing)
        copier = _Copier(old, new, container=container, rename=rename, headers=given, passing=passing)
        mover = Remover(old, tally, workers=wire.start, moved_to=copier.name) if is_move else None
        try:
            if is_move and is_recursive:
                await _refuse_to_part(old, there, rename, tuner, stop)
            await _Run(copier, mover, tally, tuner, is_dry=is_dry).run(rename)
        except Stopped:
            pass
        except (NotFound, Unsupported):
            raise
        except StoreError as error:  # of the new container, of the store's limits
            stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        requests.update(counted.requests)
        requests.update(count.requests)
    return tally.changes(requests, time.monotonic() - started, is_dry=is_dry)


async def _refuse_to_part(store: Store, source: Destination, rename: Rename, tuner: Tuner, stop: Stop) -> None:
    """A look at all that is to be moved, before anything is: manifests name their segments by where they are now.

    Raises UsageError: a large object whose segments would be moved away from it.
    """
    below = f"{source.root}/{rename.old}"

    async def look(row: RemoteObject) -> None:
        if row.large == "static" and isinstance(store, Manifests):
            parts: tuple[Segment, ...] = ()
            with suppress(NotFound):  # gone meanwhile
                parts = await store.segments(row.name)
            if any(part.path is not None and part.path.startswith(below) for part in parts):
                raise UsageError(
                    f"{printable(row.name)} is a large object whose segments lie below {source}: its manifest would"
                    " lose them. Nothing was moved; use cp"
                )
            return
        head = await row_of_itself(store, row.name)
        if head is not None and head.large == "dynamic":
            raise UsageError(
                f"{printable(row.name)} is a dynamic large object, whose segments may be among what is moved:"
                " nothing was moved; use cp, or move its segments apart from it"
            )

    async with (
        pool(look, workers=tuner.workers, backlog=tuner.workers) as lookers,
        aclosing(listed(store, rename.old, stop)) as rows,
    ):
        async for row in rows:
            # A listing has a dynamic one as empty, but for its type like all that are.
            if row.large == "static" or (row.bytes == 0 and row.content_type != "application/directory"):
                await lookers.submit(row)


class _Copier:
    """Copies one object after the other from `old` to `new`."""

    def __init__(
        self,
        old: Store,
        new: Store,
        *,
        container: str | None,
        rename: Rename,
        headers: ObjectHeaders,
        passing: Passing,
    ) -> None:
        """`container` is that of `new`, as `old` knows it; None where the two are different kinds of stores: then all
        goes by `passing`."""
        self.old = old
        self.new = new
        self._container = container
        self._rename = rename
        self._headers = headers
        self._passing = passing
        self._made = 0
        """How often the container was made again."""
        self._making = asyncio.Lock()

    def name(self, row: RemoteObject) -> str:
        """The one that it gets."""
        return self._rename.of(row.name)

    async def copy(self, row: RemoteObject, *, is_move: bool) -> bool:
        """True when the copy is there and proven, False when the object itself is no longer there.

        Raises StoreError, Stopped.
        """
        made = self._made
        try:
            await self._copy(row, is_move=is_move)
        except NotFound:
            is_there = await row_of_itself(self.old, row.name) is not None
            if not is_there and row.bytes:  # without bytes it may be a link that leads nowhere
                return False
        else:
            return True
        await self._make_again(made)
        try:
            await self._copy(row, is_move=is_move)
        except NotFound:
            if is_there:
                raise
            return False
        return True

    async def _make_again(self, made: int) -> None:
        """Someone has deleted the container meanwhile: however many workers met that, it is made once."""
        async with self._making:
            if self._made == made:
                await self.new.prepare()
                self._made += 1

    async def _copy(self, row: RemoteObject, *, is_move: bool) -> None:
        if self._container is not None:
            try:
                await self._by_the_store(self._container, row)
            except Unsupported:
                self._container = None
            else:
                return
        await self._passing.copy(row.name, self.name(row), is_move=is_move)

    async def _by_the_store(self, container: str, row: RemoteObject) -> None:
        if not isinstance(self.old, Copies):
            raise Unsupported("copy", row.name, "this store copies nothing by itself")
        stored = await self.old.copy(row.name, container, self.name(row), self._headers, row.bytes or 0)
        if stored.etag == (row.hash or "").lower():
            return
        # Of a manifest the listing has the MD5 of its text, of a link that of nothing; or it was written to since.
        head = await self.old.stat(row.name)
        copied = await self.new.stat(self.name(row))
        if head is None and copied is None and row.bytes == 0:  # a link that leads nowhere, there as here
            return
        if head is None or copied is None or (head.hash, head.bytes) != (copied.hash, copied.bytes):
            expected = head.hash if head is not None else None
            raise IntegrityError("copy", stored.key, expected=expected, actual=stored.etag, status=201)


class _Run:
    """What is listed, copied by workers; where it is a move, the sources removed behind that."""

    def __init__(
        self, copier: _Copier, mover: Remover | None, tally: ChangeTally, tuner: Tuner, *, is_dry: bool
    ) -> None:
        self._copier = copier
        self._mover = mover
        self._tally = tally
        self._tuner = tuner
        self._is_dry = is_dry
        self._copied: list[RemoteObject] = []
        """Of a move: what can be removed."""

    async def run(self, rename: Rename) -> None:
        """Raises NotFound: there is nothing to copy. Raises StoreError: of the new container."""
        if not self._is_dry:
            await self._copier.new.prepare()
            if self._mover is not None:
                await self._mover.prepare()
        found, workers = 0, self._tuner.workers
        async with (
            pool(self._take, workers=workers, backlog=workers) as copiers,
            aclosing(self._rows(rename)) as rows,
        ):
            self._tuner.resizes(copiers)
            async for row in rows:
                found += 1
                await copiers.submit(row)
        if self._mover is not None and self._copied:
            await self._mover.remove(tuple(self._copied))
        if not found and not self._tally.stop.is_pulled:
            if not self._is_dry:
                await self._copier.new.undo_prepare()
            raise NotFound("copy", rename.old, "there is nothing of that name")

    async def _rows(self, rename: Rename) -> AsyncGenerator[RemoteObject, None]:
        if not rename.is_recursive:
            if (row := await row_of(self._copier.old, rename.old)) is not None:
                yield row
            return
        async with aclosing(listed(self._copier.old, rename.old, self._tally.stop)) as rows:
            async for row in rows:
                yield row

    async def _take(self, row: RemoteObject) -> None:
        tally, to = self._tally, self._copier.name(row)
        if self._is_dry:
            tally.add(Change(Done.WOULD, row.name, to, row.bytes))
            return
        try:
            tally.stop.check()
            if not to:  # the marker of the very directory whose contents go to the top
                raise StoreError("copy", row.name, "it would have no name there")
            is_there = await self._copier.copy(row, is_move=self._mover is not None)
        except Stopped:
            return
        except BulkputError as error:
            tally.fail(Change(Done.FAILED, row.name, to, row.bytes, error), error)
            return
        if not is_there:
            tally.add(Change(Done.GONE, row.name, None, row.bytes))
        elif self._mover is None:
            tally.add(Change(Done.COPIED, row.name, to, row.bytes))
        else:
            self._copied.append(row)
            if len(self._copied) >= min(self._mover.batch, _REMOVED_AT_ONCE):
                batch, self._copied = tuple(self._copied), []
                await self._mover.remove(batch)


async def row_of_itself(store: Store, key: str) -> RemoteObject | None:
    """What the store says of the object now; None when it is gone, whatever the listing has."""
    try:
        return await store.stat(key)
    except NotFound:
        return None


def _replacing(headers: HeaderOptions) -> ObjectHeaders:
    """What is given for all objects. Raises UsageError for what would send them elsewhere."""
    for name, _ in headers.extra:
        if name.lower().startswith(("destination", "x-copy-from")):
            raise UsageError(f"--header {name}: where a copy goes is said by the second URL")
    return ObjectHeaders(
        content_type=headers.content_type,
        cache_control=headers.cache_control,
        expires_in_s=headers.expires_in_s,
        meta=headers.meta,
        extra=headers.extra,
    )


def _counted(tell: ev.Emit, tuner: Tuner) -> ev.Emit:
    """Tells events, and shows them to the tuner: to that, a copy made by the store is what a put is to an upload."""

    def emit(event: ev.Event) -> None:
        tell(event)
        if isinstance(event, ev.Requested) and event.operation == "copy":
            event = replace(event, operation="put")
        tuner(event)

    return emit


def _nothing() -> None:
    """Nobody wants to know."""


def _ignore(_told: object) -> None:
    """For those who do not want to know."""
