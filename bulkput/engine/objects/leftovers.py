"""What becomes of the segments of large objects that are removed.

    manifest read ──> manifest removed ──> end of the run: HEAD of each segment ──> those that nothing reads are removed

The manifest goes first: a large object whose segments go first could not be read any more, if the run broke off in
between. A segment is removed only if a fresh HEAD shows the very bytes that the manifest named, in a container that is
named as one of segments, and if nothing else in the account reads it (`Reap`). All others stay, with a reason.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Protocol

from bulkput import events as ev
from bulkput.engine.compare.evidence import hides_manifest, itself_of
from bulkput.engine.objects.copy_segments import is_as_named
from bulkput.engine.objects.large import LargeObject, large_of
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.errors import StoreError, UsageError
from bulkput.model import RemoteObject, Segment
from bulkput.options import StopRules
from bulkput.policy.leftovers import are_of_one_upload, is_for_segments
from bulkput.record import frozen
from bulkput.stores.base import Store
from bulkput.verb_results import SegmentCounts

_MOST_HELD = 100_000
"""Segments that are kept in memory until they are removed: about 30 MB."""


@frozen
class Reaped:
    """What `Reap` has done: segments and bytes that it removed; segments that it kept because nothing proves that they
    may go, or because their removal failed; and segments that it did not come to, since the run was stopped."""

    removed: int
    bytes: int
    in_doubt: int
    untried: int


class Reap(Protocol):
    """Removes segments, CONTAINER/OBJECT each, that nothing in the account reads. Tells each removal, and the reason
    why others stay. Raises Stopped, StoreError."""

    async def __call__(self, paths: Collection[str]) -> Reaped: ...


def reap_of(store: Store, own: str, emit: ev.Emit, stop: Stop, rules: StopRules, *, workers: int) -> Reap:
    """The `Reap` of a run. `own` is the container of `store`. Raises UsageError if the store has no segments."""
    if store.powers.segment_names is None:
        raise UsageError("`with_segments`: this store keeps no segments of large objects")

    from bulkput.engine.objects.reap import ReapTally, reap  # noqa: PLC0415 - it removes by `remove.py`, as we do

    async def remove_unread(paths: Collection[str]) -> Reaped:
        tally = ReapTally.of(emit, stop, rules)
        await reap(store, own, paths, tally=tally, workers=workers)
        done, in_doubt = tally.changes, tally.in_doubt + tally.changes.failed
        untried = len(paths) - done.done - done.gone - tally.read - in_doubt
        return Reaped(done.done, done.bytes, in_doubt, untried if stop.is_pulled else 0)

    return remove_unread


class Leftovers:
    """Notes the segments of large objects before they are removed. `close` gives the numbers."""

    def __init__(
        self, store: Store, stop: Stop, emit: ev.Emit, *, workers: int, reap: Reap | None, is_thorough: bool
    ) -> None:
        """If `reap` is None, segments are only counted. `is_thorough`: also look at objects that are listed as empty,
        as dynamic large objects are."""
        self._store = store
        self._stop = stop
        self._emit = emit
        self._workers = workers
        self._reap = reap
        self._is_thorough = is_thorough
        self._counts = SegmentCounts()
        self._noted: dict[str, LargeObject | None] = {}
        """By key, what will be removed; None if the store does not show its segments."""
        self._orphans: dict[str, Segment] = {}
        """Segments whose manifests are removed, by CONTAINER/OBJECT."""
        self._why = "the run was stopped"
        """Why orphans stay, if `finish` does not end."""

    async def look(self, rows: Collection[RemoteObject]) -> dict[str, StoreError]:
        """Note the segments of those among the objects that are large. Returns those that must not be removed, since
        their segments would be lost sight of: by key, with the error. Raises Stopped."""
        failed: dict[str, StoreError] = {}

        async def look(row: RemoteObject) -> None:
            self._stop.check()
            try:
                large = await large_of(self._store, row)
            except StoreError as error:
                if self._reap is not None:
                    failed[row.name] = error
                elif hides_manifest(error):
                    self._noted[row.name] = None
                # Any other error the removal will meet as well.
                return
            if large is not None:
                self._noted[row.name] = large

        if self._store.powers.segments is None:
            return failed
        asked = [row for row in rows if row.large is not None or self._is_thorough]
        if len(self._orphans) >= _MOST_HELD:
            await self.finish()
        if asked:
            async with pool(look, workers=self._workers, backlog=len(asked)) as lookers:
                for row in asked:
                    await lookers.submit(row)
        return failed

    def removed(self, key: str) -> None:
        """The object `key` is removed."""
        if key not in self._noted:
            return
        large = self._noted.pop(key)
        if self._reap is None or large is None:
            self._leave(key, large)
            return
        segments = large.once
        names = self._store.powers.segment_names
        if names is None:
            raise AssertionError("a store with large objects of segments names these")
        if large.below is not None and not are_of_one_upload(segments, names.group_of):
            self._keep(key, sorted(segments), "what lies below its prefix is not of one upload")
            return
        strange = {
            path for path, each in segments.items() if each.md5 is None or not is_for_segments(path, names.group_of)
        }
        if strange:
            why = "they are no whole plain objects in a container for segments (*_segments, *+segments)"
            self._keep(key, sorted(strange), why)
        self._orphans |= {path: each for path, each in segments.items() if path not in strange}

    async def finish(self) -> None:
        """Remove the segments whose manifests are removed, if that is asked for. Raises StoreError, Stopped."""
        if self._reap is None or not self._orphans:
            return
        orphans, self._orphans = self._orphans, {}
        try:
            proven = await self._unchanged(orphans)
            done = await self._reap(proven) if proven else Reaped(0, 0, 0, 0)
        except BaseException as error:
            self._orphans |= orphans
            if isinstance(error, StoreError):
                self._why = str(error)
            raise
        counts = self._counts
        self._counts = replace(
            counts,
            removed=counts.removed + done.removed,
            removed_bytes=counts.removed_bytes + done.bytes,
            in_doubt=counts.in_doubt + done.in_doubt + done.untried,
        )
        if done.untried:
            why = f"{self._why}, and {done.untried} of them stay"
            self._emit(ev.SegmentsLeft("", tuple(proven), why=why))

    def close(self) -> SegmentCounts:
        """Tell which segments were to be removed and may be there still. Gives what became of all segments."""
        if self._orphans:
            self._keep("", sorted(self._orphans), self._why)
        return self._counts

    async def _unchanged(self, orphans: dict[str, Segment]) -> list[str]:
        """The paths of those that a HEAD shows as the manifest had them. Gone ones need no word."""
        found: dict[str, bool] = {}

        async def look(path: str) -> None:
            self._stop.check()
            container, _, name = path.partition("/")
            now = await itself_of(self._store, name, container)
            if now is not None:
                found[path] = is_as_named(now, orphans[path])

        async with pool(look, workers=self._workers, backlog=self._workers) as lookers:
            for path in orphans:
                await lookers.submit(path)
        if changed := sorted(path for path, is_same in found.items() if not is_same):
            self._keep("", changed, "they are not what their manifest named any more")
        return sorted(path for path, is_same in found.items() if is_same)

    def _keep(self, key: str, paths: list[str], why: str) -> None:
        self._counts = replace(self._counts, in_doubt=self._counts.in_doubt + len(paths))
        self._emit(ev.SegmentsLeft(key, tuple(paths), why=why))

    def _leave(self, key: str, large: LargeObject | None) -> None:
        counts, segments = self._counts, large.once if large is not None else {}
        self._counts = replace(
            counts,
            large=counts.large + 1,
            left=counts.left + len(segments),
            left_bytes=counts.left_bytes + sum(segment.bytes for segment in segments.values()),
        )
        below = large.below if large is not None else None
        self._emit(ev.SegmentsLeft(key, () if below is not None else tuple(segments), below))
