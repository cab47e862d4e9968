"""Verifies a copy from store to store: compares the objects of a URL with those that an upload of it would make.

Both stores are listed. Where the rows decide, neither is asked for an object. An object whose MD5 its store does not
show is read.
"""

import os
import time
from collections.abc import Mapping

from bulkput import events as ev
from bulkput.engine.sources.objects import ObjectScan
from bulkput.engine.sources.open_source import Origin, opened_source
from bulkput.engine.sources.opening import opener_of
from bulkput.engine.sources.tree import check_source, naming_of, scope_below, tree_of
from bulkput.engine.stop import Stop
from bulkput.engine.verify.comparer import Comparer
from bulkput.engine.verify.tally import Tally
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.policy.filters import Filters
from bulkput.record import frozen
from bulkput.stores.base import Destination, Store
from bulkput.transport.base import WireCount
from bulkput.verb_options import VerifyOptions


@frozen
class ObjectsVerification:
    """Everything that such a verification needs."""

    store: Store
    options: VerifyOptions
    stop: Stop
    tally: Tally
    emit: ev.Emit

    async def compare(
        self, roots: list[bytes], target: Destination, counts: list[WireCount], environ: Mapping[str, str] | None
    ) -> None:
        """Compare the objects of the only one of `roots`, a URL. `counts` gets that of its requests. Raises UsageError,
        StoreError, Unsupported."""
        options = self.options
        check_source(roots, options, {"journal": options.journal is not None, "files.path": options.files is not None})
        async with opened_source(
            os.fsdecode(roots[0]),
            destination=str(target),
            options=options,
            emit=self.emit,
            brake=self.stop,
            environ=environ,
        ) as origin:
            counts.append(origin.count)
            await self._compare(origin, target)

    async def _compare(self, origin: Origin, target: Destination) -> None:
        options, stop, room = self.options, self.stop, ev.room_of(self.emit)
        tree = await tree_of(origin)
        filters = Filters(options.walk, now_ns=time.time_ns())
        scan = ObjectScan(tree, filters, None, stop, room)
        comparer = Comparer(
            store=self.store,
            opener=opener_of(
                origin.source, options.body, _ignore, fits=_as_they_are, large_above=options.body.buffer_size
            ),
            scope=scope_below(tree, naming_of(tree, target), options.walk, filters),
            options=options,
            stop=stop,
            tally=self.tally,
            room=room,
        )
        with stop.waking(scan.close):
            await comparer.run(scan)
        if stop.order is not None:
            return
        for useless in filters.useless():
            self.emit(ev.Warned(useless))
        if origin.left_out is not None and (why := origin.left_out()) is not None:
            stop.pull(ev.Stopping(f"the source: {why}", ev.StopCause.STORE))


def _as_they_are(_row: RemoteObject, headers: ObjectHeaders) -> ObjectHeaders:
    return headers


def _ignore(_told: object) -> None:
    """Discards events."""
