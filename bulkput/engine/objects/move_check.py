"""Checks before a move that it parts no large object and no link from the objects that they read."""

from contextlib import aclosing, suppress

from bulkput.engine.compare.evidence import may_hold_readers
from bulkput.engine.objects.remove import listed, row_of_itself
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.errors import NotFound, UsageError, printable
from bulkput.model import RemoteObject, Segment
from bulkput.policy.references import Reference, overlaps
from bulkput.policy.rename import Rename
from bulkput.stores.base import Destination, Store


async def refuse_to_part(
    store: Store, source: Destination, rename: Rename, tuner: Tuner, stop: Stop, *, with_segments: bool = False
) -> None:
    """Before a move, check all its objects: manifests and links name other objects by their present names.

    Raises UsageError for a large object whose segments would, or might, be moved, and for a link to an object that
    would be moved. Sends nothing to a store without such objects. `with_segments`: large objects get segments of their
    own, so a dynamic one is moved if its segments lie elsewhere.
    """
    if not may_hold_readers(store):
        return
    below = f"{source.root}/{rename.old}"

    async def look(row: RemoteObject) -> None:
        if row.link is not None:
            if row.link.startswith(below):
                raise UsageError(
                    f"{printable(row.name)} is a link to what lies below {source}, and would lead nowhere:"
                    " nothing was moved; use cp, or move it apart"
                )
            return
        segments, large, are_apart = store.powers.segments, row.large, False
        if large is None:
            head = await row_of_itself(store, row.name)
            large = head.large if head is not None else None
            are_apart = with_segments and head is not None and _lie_elsewhere(head, below)
        if large == "static" and segments is not None:
            parts: tuple[Segment, ...] = ()
            with suppress(NotFound):  # deleted since it was listed
                parts = await segments(row.name)
            if any(part.path is not None and (part.path.startswith(below) or part.md5 is None) for part in parts):
                # Without an MD5 a part may be a large object itself, with segments of its own.
                raise UsageError(
                    f"{printable(row.name)} is a large object whose segments, or theirs, lie below {source} or may:"
                    " its manifest would lose them. Nothing was moved; use cp"
                )
        elif large == "dynamic" and not are_apart:
            raise UsageError(
                f"{printable(row.name)} is a dynamic large object, whose segments may be among what is moved:"
                " nothing was moved; use cp, or move its segments apart from it"
            )

    async with (
        pool(look, workers=tuner.workers, backlog=tuner.workers) as lookers,
        aclosing(listed(store, rename.old, stop)) as rows,
    ):
        async for row in rows:
            # The listing shows a dynamic large object with its manifest's own size, which is nearly always 0. Ceph's
            # gateway lists the copy of a static one so.
            if row.large == "static" or row.link is not None or not row.bytes:
                await lookers.submit(row)


def _lie_elsewhere(dynamic: RemoteObject, below: str) -> bool:
    """Whether no segment of a dynamic large object is among the objects whose CONTAINER/OBJECT begins with `below`."""
    return dynamic.below is not None and not overlaps(Reference(dynamic.below, is_prefix=True), below)
