"""The last look before segments are removed: what has come up since their readers were searched for?"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from bulkput.engine.compare.evidence import references_of
from bulkput.engine.objects.readers import NotesOnDisk
from bulkput.errors import StoreError, Unsupported, printable
from bulkput.model import RemoteObject
from bulkput.policy.leftovers import UnreadGroup, is_segment, reads_any
from bulkput.policy.references import may_read_others
from bulkput.sources.segment_notes import SegmentNotes, SegmentRow
from bulkput.stores.base import Store
from bulkput.stores.powers import SegmentNames

_BATCH = 1_000
"""Rows of a listing that are compared with the notes at once."""


class FreshLook:
    """Looks at the objects that segments are named after, since a new manifest of them is stored there, and for new
    segments, since an upload may have gone on."""

    def __init__(self, store: Store, own: str, notes: NotesOnDisk) -> None:
        """`own` is the container of `store`, where the large objects are. Raises Unsupported."""
        self._store = store
        self._own = own
        self._notes = notes
        self._names = names_of(store)

    async def new_segment(self, group: UnreadGroup) -> str | None:
        """The path of a segment of the group that is not noted, or has changed. Raises StoreError."""
        batch: list[RemoteObject] = []
        async with aclosing(beside(self._store, group.container).list(group.prefix, delimiter="/")) as listing:
            async for row in listing:
                found = segment_of(row, self._names, group.container) if isinstance(row, RemoteObject) else None
                if found is not None and found.group == group.path:
                    batch.append(found.row)
                if len(batch) >= _BATCH:
                    if (new := await self._unknown(group, batch)) is not None:
                        return new
                    batch = []
        return await self._unknown(group, batch)

    async def _unknown(self, group: UnreadGroup, rows: list[RemoteObject]) -> str | None:
        row = await self._notes(SegmentNotes.first_unknown, group.container, rows)
        return f"{group.container}/{row.name}" if row is not None else None

    async def reader(self, group: UnreadGroup, rows: tuple[RemoteObject, ...]) -> str | None:
        """The path of an object that reads one of these segments of the group, directly or through other links and
        manifests; only the objects that they may belong to are looked at. Raises StoreError."""
        paths = frozenset(f"{group.container}/{row.name}" for row in rows)
        async with aclosing(self._keys(group.prefix)) as keys:
            async for key in keys:
                path = f"{self._own}/{key}"
                if await self._is_read_by(path, paths):
                    return path
        return None

    async def _keys(self, prefix: str) -> AsyncGenerator[str, None]:
        for key in self._names.keys_of(prefix):
            yield key
        if (begin := self._names.cut_key(prefix)) is not None:
            async with aclosing(self._store.list(begin)) as rows:
                async for row in rows:
                    if isinstance(row, RemoteObject) and may_read_others(row):
                        yield row.name

    async def _is_read_by(self, path: str, paths: frozenset[str]) -> bool:
        waiting, seen = [path], {path}
        while waiting:
            for read in await references_of(self._store, waiting.pop(), self._own):
                if reads_any(read, paths):
                    return True
                if read.may_read and read.path not in seen:
                    seen.add(read.path)
                    waiting.append(read.path)
        return False


def segment_of(row: RemoteObject, names: SegmentNames, container: str) -> SegmentRow | None:
    """The row as a segment in `container`; None if it is none."""
    found = names.group_of(row.name)
    if found is None:
        return None
    group, is_ours = found
    return SegmentRow(row, f"{container}/{group}", is_ours) if is_segment(row, is_ours=is_ours) else None


def names_of(store: Store) -> SegmentNames:
    """Raises Unsupported if the store keeps no segments as objects."""
    names = store.powers.segment_names
    if names is None:
        raise Unsupported("list", "", "this store keeps no segments of large objects")
    return names


def beside(store: Store, container: str) -> Store:
    """The store of another container. Raises Unsupported."""
    power = store.powers.beside
    if power is None:
        raise Unsupported("list", printable(container), "this store does not look into other containers")
    return power(container)


def why_unseen(error: StoreError) -> str:
    return f"whether they are read cannot be seen: {error}"
