"""Removes, after an upload, the segments of the large objects that it has overwritten (`large.reap`)."""

import time
from dataclasses import replace

from bulkput import events as ev
from bulkput.engine.compare.evidence import segments_below
from bulkput.engine.stop import Stop
from bulkput.errors import Stopped, StoreError
from bulkput.options import UploadOptions
from bulkput.policy.leftovers import are_of_one_upload, is_for_segments
from bulkput.stores.base import Store


class Reaping:
    """Collects what an upload leaves, event by event. At its end what nothing reads is removed."""

    def __init__(self, options: UploadOptions, stop: Stop, emit: ev.Emit) -> None:
        """`emit` gets a Change for each segment that is removed, and SegmentsLeft or SegmentsKept for those that
        stay."""
        self._options = options
        self._stop = stop
        self._emit = emit
        self._began_ns = time.time_ns()
        self._left: list[ev.SegmentsLeft] = []

    def receiver(self, emit: ev.Emit) -> ev.Emit:
        """A receiver that passes all events to `emit`, except those about segments that `run` will look at."""

        def take(event: ev.Event) -> None:
            if isinstance(event, ev.SegmentsLeft):
                self._left.append(event)
            else:
                emit(event)

        return take

    async def run(self, store: Store, container: str) -> None:
        """Remove the segments, unless the run has been stopped. `container` is that of `store`."""
        left, self._left = self._left, []
        if not left:
            return
        from bulkput.engine.objects.reap import ReapTally, reap  # noqa: PLC0415 - only this needs it

        try:
            self._stop.check()
            paths = [path for each in left for path in await self._paths(store, each)]
            tally = ReapTally.of(self._emit, self._stop, self._options.stop)
            workers = self._options.wire.start
            await reap(store, container, paths, tally=tally, workers=workers, stored_before_ns=self._began_ns)
        except (Stopped, StoreError) as error:
            for each in left:
                self._emit(replace(each, why=f"not all of them were looked at: {error}"))

    async def _paths(self, store: Store, left: ev.SegmentsLeft) -> tuple[str, ...]:
        """The segments that may be removed; the others are told. Raises StoreError, Stopped."""
        paths = left.paths
        names = store.powers.segment_names
        if names is None:
            raise AssertionError("a store with large objects of segments names these")
        if left.below is not None:
            below = await segments_below(store, left.key, left.below)
            paths = tuple(each.path for each in below if each.path is not None)
            if not are_of_one_upload(paths, names.group_of):
                self._emit(replace(left, why="what lies below its prefix is not of one upload"))
                return ()
        strange = [path for path in paths if not is_for_segments(path, names.group_of)]
        if strange or not paths:
            why = "they are in no container for segments" if strange else "the store does not tell which they are"
            self._emit(replace(left, paths=tuple(strange), why=why))
        return tuple(path for path in paths if path not in set(strange))
