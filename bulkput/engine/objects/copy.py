"""Copies or moves objects, by the store itself if it can.

    listing ──bounded queue──> workers: copy, proven by its ETag ──> change ──(move)──> batches ──> bulk-delete

A move is a proven copy, then a removal. If it breaks off in between, each object still exists at least once, and the
same command continues with the rest. If the store cannot copy (plain HTTP, or two kinds of stores), the bytes pass
through this machine (`relay.py`). A source that is not proven to be another object than its copy is not removed.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from bulkput import events as ev
from bulkput.engine.objects.changes import ChangeTally
from bulkput.engine.objects.copier import Copier
from bulkput.engine.objects.copy_segments import SegmentCopier
from bulkput.engine.objects.leftovers import Leftovers, reap_of
from bulkput.engine.objects.move_check import refuse_to_part
from bulkput.engine.objects.relay import Relay
from bulkput.engine.objects.remove import Remover, listed, nothing_there, row_of, row_of_itself
from bulkput.engine.open_store import connected, governor_of, pace_of
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner, tuner_of
from bulkput.errors import BulkputError, NotFound, Stopped, StoreError, Unsupported, UsageError, printable
from bulkput.events import Change, Done
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.option_types import checked
from bulkput.options import HeaderOptions
from bulkput.policy.directories import is_marker
from bulkput.policy.rename import Rename, one_spelling, rename_of
from bulkput.policy.retry import FailurePolicy
from bulkput.stores.base import Destination, Store
from bulkput.verb_options import CopyOptions
from bulkput.verb_results import Changes

_REMOVED_AT_ONCE = 50
"""Sources of a batch. Few, so that removals keep pace with copies: Swift removes two at a time within a batch."""
_REMOVED_AFTER_S = 2.0
"""Age at which copied sources are removed with the next copy, even if the batch is not full. A short time between copy
and removal leaves little room for others to write to the source."""

_COPIES = frozenset(("copy", "put"))
"""Requests whose rate the tuner raises: copies by the store ("copy"), and those through this machine ("put")."""


async def copy(
    source: str,
    destination: str,
    *,
    options: CopyOptions | None = None,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Changes:
    """Copy the object `source`, or recursively all objects below it, to `destination`; both are URLs.

    Copies keep the type, metadata and other fields of their objects, unless `options.headers` replaces them. The
    destination's container is made if it does not exist; a bucket of S3 only if `options.s3` says so. With
    `with_segments` the segments of large objects are copied, too; without it, a copy of a large object shares them.
    `on_event` gets a Change for each object, and Relaying if the bytes pass through this machine. `wire.concurrency`
    limits the copies in flight; if it is None, the tuner does.

    Raises UsageError for a wrong URL, missing credentials, and a copy onto itself; NotFound if there is no source.
    """
    return await _copy(
        source, destination, checked(options, CopyOptions), on_event, stop=stop, environ=environ, is_move=False
    )


async def move(
    source: str,
    destination: str,
    *,
    options: CopyOptions | None = None,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Changes:
    """Copy as `copy` does, and remove each source once its copy is proven.

    Raises like `copy`, and UsageError if large objects or links would be parted from the objects that they read.
    """
    return await _copy(
        source, destination, checked(options, CopyOptions), on_event, stop=stop, environ=environ, is_move=True
    )


async def _copy(
    source: str,
    destination: str,
    options: CopyOptions,
    on_event: ev.Emit | None,
    *,
    stop: Stop | None,
    environ: Mapping[str, str] | None,
    is_move: bool,
) -> Changes:
    stop, wire = stop or Stop(), options.wire
    there, here = Destination.parse(source), Destination.parse(destination)
    _check_spread(there, here, options)
    pace, governor = pace_of(wire, stop), governor_of(wire, stop, there, here)  # one for both stores
    tuner = tuner_of(wire, pace, governor, operations=_COPIES)
    emit = _told_to(on_event or _ignore, tuner)
    stop.report_to(emit)
    is_same = one_spelling(there.scheme, there.root) == one_spelling(here.scheme, here.root)
    rename = rename_of(there.prefix, here.prefix, is_recursive=options.is_recursive, is_same_container=is_same)
    tally = ChangeTally(emit, stop, FailurePolicy(options.stop))
    started = time.monotonic()
    opened = partial(connected, wire=wire, retry=options.retry, slots=tuner.slots, pace=pace, governor=governor)
    opened = partial(opened, emit=emit, brake=stop, environ=environ)
    async with (
        opened(source, read_for=destination) as (old, counted),
        opened(destination, headers=options.headers, s3=options.s3) as (new, count),
    ):
        container = here.root if there.scheme == here.scheme else None
        given = _replacing(options.headers)
        is_one_account = container is not None and old.place == new.place != ""
        relay = Relay(old, new, given, emit, is_one_account=is_one_account)
        copier = Copier(old, new, container=container, rename=rename, headers=given, relay=relay)
        leftovers = None
        if options.with_segments:
            copier.segments = SegmentCopier(old, new, given)
            leftovers = _leftovers(old, there.root, stop, emit, options) if is_move else None
        mover = Remover(old, tally, workers=wire.start, moved_to=copier.name, leftovers=leftovers) if is_move else None
        try:
            async with stop.bounded(wire.timeout_s):
                if is_move and options.is_recursive:
                    await refuse_to_part(old, there, rename, tuner, stop, with_segments=options.with_segments)
                room = ev.room_of(on_event)
                transfer = _Transfer(
                    copier, mover, tally, tuner, there, rename=rename, room=room, is_dry=options.dry_run
                )
                await transfer.run()
                if leftovers is not None:
                    await leftovers.finish()
        except Stopped:
            pass
        except (NotFound, Unsupported):
            raise
        except StoreError as error:  # making the container failed, or the request for the store's limits
            stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        requests = counted.requests + count.requests
    pacing = pace.so_far() if pace is not None else None
    changes = tally.changes(requests, time.monotonic() - started, is_dry=options.dry_run, pacing=pacing)
    if copier.is_sharing:
        emit(ev.Warned(_STAYING if is_move else _SHARED))
    return changes if leftovers is None else replace(changes, segments=leftovers.close())


def _check_spread(there: Destination, here: Destination, options: CopyOptions) -> None:
    """Raises UsageError for copies over containers that would lose objects, or that need one container."""
    if "{" not in there.root + here.root or not there.scheme == here.scheme == "swift":
        return
    from bulkput.policy.spread import check_one, share_containers  # noqa: PLC0415 - few copies are of this kind

    if there.root != here.root and share_containers(there.root, here.root):
        raise UsageError(
            f"{printable(there.root)} and {printable(here.root)} have containers in common, so that a copy may replace"
            " an object that is still to be copied: copy to containers of other names"
        )
    if options.with_segments:
        check_one(here.root, "`with_segments` copies segments beside the objects of one container")


_SHARED = "copies of large objects share the segments of their sources: `with_segments=True` copies these, too"
_STAYING = "the segments of large objects stay where they were: `with_segments=True` moves these, too"


def _leftovers(store: Store, own: str, stop: Stop, emit: ev.Emit, options: CopyOptions) -> Leftovers:
    workers = options.wire.start
    reap = reap_of(store, own, emit, stop, options.stop, workers=workers)
    return Leftovers(store, stop, emit, workers=workers, reap=reap, is_thorough=True)


class _Transfer:
    """Copies all listed objects by workers; for a move, removes their sources in batches after that."""

    def __init__(
        self,
        copier: Copier,
        mover: Remover | None,
        tally: ChangeTally,
        tuner: Tuner,
        source: Destination,
        *,
        rename: Rename,
        room: Callable[[], Awaitable[None]],
        is_dry: bool,
    ) -> None:
        """`room` is awaited before each object is queued (back-pressure)."""
        self._source = source
        self._rename = rename
        self._room = room
        self._copier = copier
        self._mover = mover
        self._tally = tally
        self._tuner = tuner
        self._is_dry = is_dry
        self._copied: list[RemoteObject] = []
        """For a move: sources whose copies are proven, to be removed with the next batch."""
        self._since_s = 0.0
        """Time at which the first of them was copied."""

    async def run(self) -> None:
        """Raises NotFound if there is nothing to copy, and StoreError if the container cannot be made."""
        try:
            await self._copy_all()
        except NotFound:
            if not self._is_dry:
                await self._copier.new.undo_prepare()
            raise
        finally:
            if self._mover is not None and self._copied:  # an error, or an interrupted run that is out of time
                self._mover.leave(tuple(self._copied))

    async def _copy_all(self) -> None:
        workers, found = self._tuner.workers, 0
        async with (
            pool(self._take, workers=workers, backlog=workers) as copiers,
            aclosing(self._rows()) as rows,
        ):
            self._tuner.resizes(copiers)
            async for row in rows:
                await self._room()
                if not found and not self._is_dry:
                    await self._copier.new.prepare()
                    if self._mover is not None:
                        await self._mover.prepare()
                found += 1
                await copiers.submit(row)
        if not found and not self._tally.stop.is_pulled:
            raise await self._nothing_there()
        if self._mover is not None and self._copied:
            batch, self._copied = tuple(self._copied), []
            await self._mover.remove_if_unchanged(batch)

    async def _rows(self) -> AsyncGenerator[RemoteObject, None]:
        rename = self._rename
        if not rename.is_recursive:
            if (row := await row_of(self._copier.old, rename.old)) is not None:
                yield row
            return
        # The listing of "dir/" does not contain the directory's own marker, the object "dir".
        if rename.old and rename.new:
            marker = await row_of_itself(self._copier.old, rename.old[:-1])
            if marker is not None and is_marker(marker):
                yield marker
        async with aclosing(listed(self._copier.old, rename.old, self._tally.stop)) as rows:
            async for row in rows:
                yield row

    async def _take(self, row: RemoteObject) -> None:
        tally, to = self._tally, self._copier.name(row)
        try:
            tally.stop.check()
            if not to:  # the marker of the directory whose contents are copied to the container's top
                raise StoreError("copy", row.name, "it would have no name at the destination")
            if self._is_dry:
                tally.add(Change(Done.WOULD, row.name, to, row.bytes))
                return
            is_there = await self._copier.copy(row, is_move=self._mover is not None)
        except Stopped:
            return
        except BulkputError as error:
            tally.fail(Change(Done.FAILED, row.name, to, row.bytes, error), error)
            return
        if not is_there and not self._rename.is_recursive:
            raise await self._nothing_there()  # the single source was deleted after it was listed
        if not is_there:
            tally.add(Change(Done.GONE, row.name, None, row.bytes))
        elif self._mover is None:
            tally.add(Change(Done.COPIED, row.name, to, row.bytes))
        else:
            await self._remove_later(self._mover, row)

    async def _nothing_there(self) -> NotFound:
        rename = self._rename
        target = replace(self._source, prefix=rename.old)
        return await nothing_there("copy", self._copier.old, target, is_recursive=rename.is_recursive)

    async def _remove_later(self, mover: Remover, row: RemoteObject) -> None:
        now_s = time.monotonic()
        self._since_s = self._since_s if self._copied else now_s
        self._copied.append(row)
        if len(self._copied) >= min(mover.batch, _REMOVED_AT_ONCE) or now_s - self._since_s >= _REMOVED_AFTER_S:
            batch, self._copied = tuple(self._copied), []
            await mover.remove_if_unchanged(batch)


def _replacing(headers: HeaderOptions) -> ObjectHeaders:
    """The headers for all copies. Raises UsageError for a field that would change where a copy goes."""
    for name, _ in headers.extra:
        if name.lower().startswith(("destination", "x-copy-from")):
            raise UsageError(f"`headers.extra` {name}: where a copy goes is said by its destination")
    return ObjectHeaders(
        content_type=headers.content_type,
        cache_control=headers.cache_control,
        expires_in_s=headers.expires_in_s,
        meta=headers.meta,
        extra=headers.extra,
    )


def _told_to(tell: ev.Emit, tuner: Tuner) -> ev.Emit:
    """One receiver for all events: passes each to `tell`, then those of requests to the tuner."""

    def emit(event: ev.Event) -> None:
        tell(event)
        if isinstance(event, ev.Requested):
            tuner(event)

    return emit


def _ignore(_told: object) -> None:
    """Discards events."""
