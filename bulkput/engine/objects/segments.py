"""Lists the segments of large objects that nothing reads, and removes them if that is asked for.

Uploads that fail leave segments without a manifest; so does a large object that is overwritten or removed. On a store
whose parts are no objects, uploads that fail are left themselves (`unfinished.py`).
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Protocol

from bulkput import events as ev
from bulkput.engine.objects.fresh_look import beside, names_of
from bulkput.engine.objects.reap import Reaper, ReapTally
from bulkput.engine.objects.remove import listed
from bulkput.engine.objects.unfinished import UnfinishedLook
from bulkput.engine.open_store import connected, pace_of
from bulkput.engine.stop import Stop
from bulkput.errors import NotFound, Stopped, StoreError, Unsupported, UsageError
from bulkput.model import Pacing, RemoteObject
from bulkput.option_types import checked
from bulkput.policy.leftovers import why_held
from bulkput.policy.naming import joined_prefix
from bulkput.policy.spread import check_one
from bulkput.sources.segment_notes import SegmentNotes
from bulkput.stores.base import Destination, Store
from bulkput.verb_options import SegmentOptions
from bulkput.verb_results import UnreadSegments

_BATCH = 1_000
"""Rows that wait in memory before they are written to disk."""


async def segments(
    url: str,
    *,
    options: SegmentOptions | None = None,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> UnreadSegments:
    """List the segments that nothing reads, of large objects of the container, or of those at and below `url`. With
    `reap`, remove them.

    Every object of the account that may read others is looked at. `on_event` gets a SegmentsFound for each group of
    segments, a Change for each removal, SegmentsKept for what stays although nothing seems to read it, Warned for what
    cannot be looked at, and Looking while it looks.

    On S3 it is the unfinished uploads in parts that are listed and removed. `on_event` gets an UnfinishedFound for
    each, nearly in the order of the store, a Change for each removal, and UnfinishedKept for what stays.

    Raises UsageError for a wrong URL and missing credentials; NotFound if there is no such container; Unsupported if
    the store keeps no segments.
    """
    options, stop, emit = checked(options, SegmentOptions), stop or Stop(), on_event or _ignore
    stop.report_to(emit)
    target = Destination.parse(url)
    if target.scheme == "swift":
        check_one(target.root, "segments are looked for in one container at a time")
    tally = ReapTally.of(emit, stop, options.stop)
    started = time.monotonic()
    requests: Mapping[str, int] = Counter()
    wire, retry = options.wire, options.retry
    pace = pace_of(wire, stop)
    async with connected(url, wire=wire, retry=retry, pace=pace, emit=emit, brake=stop, environ=environ) as opened:
        store, count = opened
        requests = count.requests
        look = _look(store, target, options, tally, on_event)
        try:
            async with stop.bounded(wire.timeout_s):
                await look.run()
        except Stopped:
            pass
        except (NotFound, Unsupported):
            raise
        except StoreError as error:
            stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        finally:
            await look.aclose()
    elapsed_s, pacing = time.monotonic() - started, pace.so_far() if pace is not None else None
    return look.result(requests, elapsed_s, pacing)


class _AnyLook(Protocol):
    """A look at what uploads have left in a container."""

    async def run(self) -> None:
        """Raises StoreError, Stopped."""

    def result(self, requests: Mapping[str, int], elapsed_s: float, pacing: Pacing | None) -> UnreadSegments:
        """The numbers so far."""

    async def aclose(self) -> None: ...


def _look(
    store: Store, target: Destination, options: SegmentOptions, tally: ReapTally, on_event: ev.Emit | None
) -> _AnyLook:
    """The look that the store's kind of parts needs. Raises UsageError; Unsupported if it has none."""
    room = ev.room_of(on_event)
    if (power := store.powers.unfinished) is None:
        return _Look(store, target, options, tally, room=room)
    if options.segment_container is not None:
        raise UsageError("`segment_container` is of no use here: this store keeps no segments, but unfinished uploads")
    return UnfinishedLook(store, power, target, options, tally.changes, emit=tally.emit, room=room)


class _Look:
    """One look at the segments of a container."""

    def __init__(
        self,
        store: Store,
        target: Destination,
        options: SegmentOptions,
        tally: ReapTally,
        *,
        room: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._target = target
        self._options = options
        self._tally = tally
        self._reaper = Reaper(
            store,
            target.root,
            tally,
            workers=options.wire.start,
            is_dry=options.dry_run,
            has_whole_groups=True,
            room=room,
            options=options,
        )
        self._stop = tally.changes.stop
        self.groups = self.found = self.bytes = self.read = 0
        self.is_proven = False
        """Whether everything was looked at that may read segments."""

    async def run(self) -> None:
        """Raises StoreError, Stopped."""
        now_ns = await self._note_segments()
        notes = self._reaper.notes
        if now_ns is None or not any((await notes(SegmentNotes.count, is_read=False))[:2]):
            self.is_proven = not self._stop.is_pulled
            return
        self._stop.check()
        await self._reaper.scan.run()
        self.is_proven = True
        self.groups, self.found, self.bytes = await notes(SegmentNotes.count, is_read=False)
        _, self.read, _ = await notes(SegmentNotes.count, is_read=True)
        async with aclosing(self._reaper.groups()) as groups:
            async for group in groups:
                age_s = group.age_s(now_ns)
                self._tally.emit(ev.SegmentsFound(group.path, group.count, group.bytes, age_s, group.is_ours))
        if self._options.reap:
            await notes(SegmentNotes.begin_again)  # what the first search has found is no news
            await self._reaper.remove(partial(why_held, now_ns=now_ns, older_than_s=self._options.older_than_s))

    async def _note_segments(self) -> int | None:
        """Note all segments. Returns the present time; None if there is no container for segments."""
        container = self._options.segment_container or names_of(self._store).container
        look = self._store.powers.look_at_container
        if look is None:
            raise Unsupported("list", container, "this store does not look into other containers")
        await look(self._target.root)  # NotFound: a container that does not exist has no segments to speak of
        try:
            facts = await look(container)
        except NotFound:
            if self._options.segment_container is None:
                return None
            raise
        # Of two clocks the slower one: if this machine's were days fast, the segments of a running upload would look
        # old enough.
        now_ns = time.time_ns() if facts.now_ns is None else min(facts.now_ns, time.time_ns())
        batch: list[RemoteObject] = []
        prefix = joined_prefix(self._target.prefix)
        async with aclosing(listed(beside(self._store, container), prefix, self._stop)) as rows:
            async for row in rows:
                batch.append(row)
                if len(batch) >= _BATCH:
                    await self._reaper.note_listed(container, batch)
                    batch = []
        await self._reaper.note_listed(container, batch)
        return now_ns

    async def aclose(self) -> None:
        await self._reaper.aclose()

    def result(self, requests: Mapping[str, int], elapsed_s: float, pacing: Pacing | None) -> UnreadSegments:
        """The numbers so far."""
        tally, changes = self._tally, self._tally.changes
        return UnreadSegments(
            groups=self.groups,
            found=self.found,
            bytes=self.bytes,
            read=self.read,
            removed=changes.done,
            removed_bytes=changes.bytes,
            gone=changes.gone,
            young=tally.young,
            in_doubt=tally.in_doubt,
            failed=changes.failed,
            uncertain=changes.uncertain,
            is_proven=self.is_proven and self._reaper.scan.doubt is None,
            is_dry=self._options.dry_run,
            requests=requests,
            elapsed_s=elapsed_s,
            failures=tuple(changes.failures),
            stopping=self._stop.order,
            pacing=pacing,
        )


def _ignore(_told: object) -> None:
    """Discards events."""
