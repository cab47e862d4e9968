"""Removes segments of large objects, if it is proven that nothing reads them.

    segments ──> who reads them? (`readers.py`) ──> once more, what is new ──> for each group:
    HEAD of each segment ──> are there new ones? ──> does their object read them after all? ──> removal

The second search finds manifests that were stored, copied or moved during the first one. It is repeated while removals
go on: for each `looked_at_once` segments, if the last one is `search_again_s` old (`SegmentOptions`). The last look is
at the objects that the segments are named after (`fresh_look.py`). Milliseconds lie between that look and the removal;
a manifest that is stored in them, or since the last search under another name, loses its segments, since a store has no
lock.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass

from bulkput import events as ev
from bulkput.engine.compare.evidence import itself_of
from bulkput.engine.objects.changes import ChangeTally
from bulkput.engine.objects.fresh_look import FreshLook, beside, names_of, segment_of, why_unseen
from bulkput.engine.objects.readers import NotesOnDisk, ReaderScan
from bulkput.engine.objects.remove import Remover
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.errors import Stopped, StoreError, printable
from bulkput.events import Change, Done
from bulkput.model import RemoteObject
from bulkput.options import StopRules, WireOptions
from bulkput.policy.leftovers import Hold, UnreadGroup
from bulkput.policy.references import is_as_listed
from bulkput.policy.retry import FailurePolicy
from bulkput.policy.skip import stored_ns
from bulkput.sources.segment_notes import SegmentNotes, SegmentRow
from bulkput.stores.base import Store
from bulkput.verb_options import SegmentOptions

_GROUPS = 1_000
"""Groups that are read from disk at once."""
_GROUPS_AT_ONCE = 8
"""Groups that are worked on at the same time: most have few segments, and each waits for looks of its own."""
Held = Callable[[UnreadGroup], Hold | None]


def _not_held(_group: UnreadGroup) -> Hold | None:
    """Everything that nothing reads is removed."""
    return None


@dataclass(slots=True)
class ReapTally:
    """Counts what becomes of segments, and tells each removal, and each reason to keep some."""

    emit: ev.Emit
    changes: ChangeTally
    read: int = 0
    young: int = 0
    in_doubt: int = 0

    @classmethod
    def of(cls, emit: ev.Emit, stop: Stop, rules: StopRules) -> "ReapTally":
        return cls(emit, ChangeTally(emit, stop, FailurePolicy(rules)))

    def keep(self, path: str, count: int, hold: Hold) -> None:
        if hold.is_in_doubt:
            self.in_doubt += count
        self.emit(ev.SegmentsKept(path, count, hold.why, hold.is_in_doubt))

    def doubt(self, path: str, count: int, why: str) -> None:
        self.keep(path, count, Hold(why, is_in_doubt=True))


async def reap(
    store: Store,
    own: str,
    paths: Iterable[str],
    *,
    tally: ReapTally,
    workers: int = WireOptions().first_concurrency,
    stored_before_ns: int | None = None,
    is_dry: bool = False,
) -> None:
    """Remove these segments, CONTAINER/OBJECT each, unless something in the account reads them. `own` is the container
    of `store`: the large objects that they belonged to are, or were, in it.

    Segments that were stored at `stored_before_ns` (nanoseconds since 1970) or later stay. The tally emits a Change for
    each removal, and SegmentsKept with a reason for all others. Raises Stopped, StoreError; Unsupported if the store
    keeps no segments; UsageError if TMPDIR is full.
    """
    reaper = Reaper(store, own, tally, workers=workers, is_dry=is_dry)
    try:
        await reaper.note_paths(paths, stored_before_ns)
        if (await reaper.notes(SegmentNotes.count, is_read=False))[1]:
            await reaper.scan.run()
            await reaper.remove()
    finally:
        await reaper.aclose()


class Reaper:
    """Notes segments, searches for what reads them, and removes the others. Close it at the end."""

    def __init__(
        self,
        store: Store,
        own: str,
        tally: ReapTally,
        *,
        workers: int,
        is_dry: bool = False,
        has_whole_groups: bool = False,
        room: Callable[[], Awaitable[None]] | None = None,
        options: SegmentOptions | None = None,
    ) -> None:
        """`has_whole_groups`: all segments of each group will be noted, so any other has been stored since. `room` is
        awaited before each group. Of `options` counts how fresh the looks are. Raises Unsupported."""
        options = options or SegmentOptions()
        self._fresh_s, self._looked_at_once = options.search_again_s, options.looked_at_once
        self._store = store
        self._tally = tally
        self._workers = workers
        self._is_dry = is_dry
        self._has_whole_groups = has_whole_groups
        self._room = room
        self._removers: dict[str, Remover] = {}
        self._names = names_of(store)
        self._stop = tally.changes.stop
        self._searched_s = 0.0
        self._searching = asyncio.Lock()
        self.notes = NotesOnDisk()
        self.scan = ReaderScan(store, own, self.notes, self._stop, workers=workers, warn=self._warn, tell=self._tell)
        self._noted = 0
        self._fresh_look = FreshLook(store, own, self.notes)

    def _warn(self, why: str) -> None:
        self._tally.emit(ev.Warned(why))

    def _tell(self) -> None:
        scan = self.scan
        self._tally.emit(ev.Looking(self._noted, scan.containers, scan.objects, scan.looked_at))

    async def aclose(self) -> None:
        await self.notes.aclose()

    async def note_paths(self, paths: Iterable[str], stored_before_ns: int | None) -> None:
        """Note the segments as a HEAD shows them, each path once. Missing ones are gone; one whose HEAD fails stays."""
        found: list[tuple[str, SegmentRow]] = []

        async def look(path: str) -> None:
            self._stop.check()
            container, _, name = path.partition("/")
            try:
                row = await itself_of(self._store, name, container)
            except StoreError as error:
                self._tally.changes.fail(Change(Done.FAILED, path, None, None, error), error)
                return
            if row is None:
                self._tally.changes.add(Change(Done.GONE, path))
                return
            then_ns = stored_ns(row)
            if stored_before_ns is not None and (then_ns is None or then_ns >= stored_before_ns):
                self._tally.doubt(path, 1, "it was stored again since, or does not tell when it was stored")
                return
            group, is_ours = self._names.group_of(name) or ("", False)
            found.append((container, SegmentRow(row, f"{container}/{group}", is_ours)))

        async with pool(look, workers=self._workers, backlog=self._workers) as lookers:
            for path in dict.fromkeys(paths):
                await lookers.submit(path)
        for container in {container for container, _ in found}:
            rows = [row for there, row in found if there == container]
            await self.notes(SegmentNotes.add, container, rows)
            self._noted += len(rows)

    async def note_listed(self, container: str, rows: list[RemoteObject]) -> None:
        """Note those rows of the container's listing that are segments."""
        segments = [found for row in rows if (found := segment_of(row, self._names, container)) is not None]
        await self.notes(SegmentNotes.add, container, segments)
        self._noted += len(segments)
        self._tell()

    async def remove(self, why_held: Held = _not_held) -> None:
        """After a run of `scan`: run it again, and remove the groups that nothing reads and that `why_held` does not
        hold. Raises Stopped, StoreError."""
        if self.scan.doubt is None and await self._has_any(why_held):
            await self._search_again()
        await self._tell_newly_read()
        if self.scan.doubt is not None:
            _, count, _ = await self.notes(SegmentNotes.count, is_read=False)
            self._tally.doubt("", count, _unknown(self.scan.doubt))
            return
        async with (
            pool(self._remove_group, workers=_GROUPS_AT_ONCE, backlog=_GROUPS_AT_ONCE) as removers,
            aclosing(self.groups()) as groups,
        ):
            async for group in groups:
                hold = why_held(group)
                if hold is None:
                    await removers.submit(group)
                    continue
                self._tally.young += 0 if hold.is_in_doubt else group.count
                self._tally.keep(group.path, group.count, hold)

    async def _search_again(self) -> None:
        await self.scan.run()
        self._searched_s = time.monotonic()

    async def _tell_newly_read(self) -> None:
        for path, count, by in await self.notes(SegmentNotes.newly_read):
            self._tally.read += count
            self._tally.keep(path, count, Hold(f"{printable(by)} reads them", is_in_doubt=False))
        await self.notes(SegmentNotes.begin_again)

    async def _new_doubt(self) -> str | None:
        """Repeat the search if the last one was some time ago. A reason to keep everything else, if that fails. Raises
        Stopped."""
        async with self._searching:
            if self.scan.doubt is None and time.monotonic() - self._searched_s > self._fresh_s:
                await self._search_again()
                await self._tell_newly_read()
        return None if self.scan.doubt is None else _unknown(self.scan.doubt)

    async def groups(self) -> AsyncGenerator[UnreadGroup, None]:
        """The groups with segments that nothing reads, until the run is stopped."""
        last = ""
        while groups := await self.notes(SegmentNotes.groups, last, _GROUPS):
            for group in groups:
                if self._stop.is_pulled:
                    return
                if self._room is not None:
                    await self._room()
                yield group
            last = groups[-1].path

    async def _has_any(self, why_held: Held) -> bool:
        async with aclosing(self.groups()) as groups:
            async for group in groups:
                if why_held(group) is None:
                    return True
        return False

    async def _remove_group(self, group: UnreadGroup) -> None:
        """Remove the group's segments that nothing reads, after a fresh look. Raises StoreError."""
        with suppress(Stopped):  # other groups' removals that are in flight may end
            await self._remove_unread(group)

    async def _remove_unread(self, group: UnreadGroup) -> None:
        last, left, remover = "", group.count, await self._remover(group.container)
        while left > 0:
            if (why := await self._new_doubt()) is not None:
                self._tally.doubt(group.path, left, why)
                return
            rows = await self.notes(SegmentNotes.unread, group.path, last, self._looked_at_once)
            if not rows:  # the others are read since
                return
            proven = await self._unchanged(remover, group, tuple(rows))
            if proven and (why := await self._why_not(group, proven, is_first=not last)) is not None:
                self._tally.doubt(group.path, left - len(rows) + len(proven), why)
                return
            for start in range(0, len(proven), remover.batch):
                await remover.remove(proven[start : start + remover.batch])
            last, left = f"{group.container}/{rows[-1].name}", left - len(rows)

    async def _remover(self, container: str) -> Remover:
        if (remover := self._removers.get(container)) is None:
            store, tally = beside(self._store, container), self._tally.changes
            remover = Remover(store, tally, workers=self._workers, is_dry=self._is_dry, within=f"{container}/")
            await remover.prepare()
            self._removers[container] = remover
        return remover

    async def _unchanged(
        self, remover: Remover, group: UnreadGroup, rows: tuple[RemoteObject, ...]
    ) -> tuple[RemoteObject, ...]:
        """The rows that a HEAD now shows unchanged. Adds the others to the tally."""
        proven = []
        for row, now in await remover.looked_at(rows):
            path = f"{group.container}/{row.name}"
            if now is None:
                self._tally.changes.add(Change(Done.GONE, path, None, row.bytes))
            elif is_as_listed(row, now):
                proven.append(row)
            else:
                self._tally.doubt(path, 1, "it was overwritten after it was listed")
        return tuple(proven)

    async def _why_not(self, group: UnreadGroup, rows: tuple[RemoteObject, ...], *, is_first: bool) -> str | None:
        """What has come up since the search that keeps the group. New segments are looked for once for each group: an
        upload that goes on later finds that segments are missing."""
        try:
            if is_first and self._has_whole_groups and (new := await self._fresh_look.new_segment(group)) is not None:
                return f"{printable(new)} was stored after they were listed"
            by = await self._fresh_look.reader(group, rows)
        except StoreError as error:
            return why_unseen(error)
        return f"{printable(by)} reads them now" if by is not None else None


def _unknown(doubt: str) -> str:
    return f"it is not known what is read: {doubt}"
