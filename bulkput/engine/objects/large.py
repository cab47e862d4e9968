"""Looks at a large object: which segments does a GET of it read?"""

from bulkput.engine.compare.evidence import itself_of, segments_below, segments_of
from bulkput.errors import NotFound
from bulkput.model import RemoteObject, Segment
from bulkput.policy.directories import is_marker
from bulkput.record import frozen
from bulkput.stores.base import Store


@frozen
class LargeObject:
    """A large object with its segments, in their order. `below` is the CONTAINER/PREFIX of a dynamic one's."""

    key: str
    segments: tuple[Segment, ...]
    below: str | None = None

    @property
    def once(self) -> dict[str, Segment]:
        """The segments that are objects, by CONTAINER/OBJECT, each once."""
        return {segment.path: segment for segment in self.segments if segment.path is not None}


def may_be_large(row: RemoteObject) -> bool:
    """Whether the listing's row may be that of a large object: a dynamic one is listed as empty."""
    return row.large is not None or (not row.bytes and row.link is None and not is_marker(row))


async def large_of(store: Store, row: RemoteObject) -> LargeObject | None:
    """The large object of the row; None if it is none, or has no segment, or is gone.

    Raises StoreError, also if the store does not show the segments.
    """
    if not may_be_large(row):
        return None
    itself = await itself_of(store, row.name)
    if itself is None or itself.large is None:
        return None
    if itself.large == "dynamic" and itself.below is not None:
        segments = await segments_below(store, row.name, itself.below)
        return LargeObject(row.name, segments, itself.below) if segments else None
    try:
        segments = await segments_of(store, row.name)
    except NotFound:
        return None
    return LargeObject(row.name, segments) if segments else None
