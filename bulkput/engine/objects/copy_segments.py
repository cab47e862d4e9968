"""Copies a large object with its segments.

    names planned ──> HEAD of each segment and of what has its new name ──> copies, each proven ──> new manifest, proven

Everything that could refuse the object is looked at before the first copy. If a copy breaks off, the same command finds
the segments that were copied, and goes on.
"""

import asyncio
from functools import partial

from bulkput.engine.compare.evidence import itself_of, segments_below
from bulkput.engine.objects.large import LargeObject
from bulkput.engine.pool import pool
from bulkput.errors import Conflict, IntegrityError, NotFound, StoreError, Unsupported, UsageError, printable
from bulkput.model import ObjectHeaders, RemoteObject, Segment
from bulkput.policy.copied import with_given
from bulkput.policy.etag import large_etag, md5_of
from bulkput.policy.segment_copies import SegmentCopy, SegmentPlan, planned
from bulkput.stores.base import Store
from bulkput.stores.powers import Composing

_AT_ONCE = 8
"""Requests in flight for one large object. Other workers need slots, too."""


class SegmentCopier:
    """Copies large objects of the store `old` to the store `new` of the same account, segments included."""

    def __init__(self, old: Store, new: Store, headers: ObjectHeaders) -> None:
        """Fields of `headers` replace those of each object. Raises UsageError if the stores cannot do this."""
        composing, beside = new.powers.composing, new.powers.beside
        if composing is None or beside is None or old.powers.beside is None:
            raise UsageError("`with_segments`: this store keeps no segments of large objects")
        self._old = old
        self._new = new
        self._headers = headers
        self._composing: Composing = composing
        self._beside = old.powers.beside
        self._there = beside(composing.container)
        """The store of the copies of segments."""
        self._is_there = False
        self._making = asyncio.Lock()

    async def copy(self, large: LargeObject, to: str) -> None:
        """Copy the segments, then store the object `to` as a large object of the copies. Raises StoreError, Stopped."""
        described = await self._described(large.key)
        plan = await self._plan(large, to)
        await self._refuse_broken(large)
        missing = await self._missing(large, plan)
        await self._prepare()
        async with pool(partial(self._copy_one, large), workers=_AT_ONCE, backlog=_AT_ONCE) as copiers:
            for copy in missing:
                await copiers.submit(copy)
        await self._compose(large, plan, to, with_given(described, self._headers))

    async def _described(self, key: str) -> ObjectHeaders:
        describe = self._old.powers.describe
        found = await describe(key) if describe is not None else None
        if found is None:
            raise NotFound("copy", key, "it was listed, but no longer exists")
        return found[1]

    async def _plan(self, large: LargeObject, to: str) -> SegmentPlan:
        most = (await self._new.ask_limits()).max_name_bytes
        rename = partial(self._composing.rename, old=large.key, new=to, max_bytes=most)
        plan = planned(large.segments, below=large.below, rename=rename, max_name_bytes=most)
        if isinstance(plan, str):
            raise Unsupported("copy", large.key, f"{plan}: nothing of it is copied; without `with_segments` it is")
        return plan

    async def _refuse_broken(self, large: LargeObject) -> None:
        """Raise if a segment is not what the manifest or the listing has: a GET of the object breaks off."""

        async def look(segment: Segment) -> None:
            container, _, name = (segment.path or "").partition("/")
            if not is_as_named(await itself_of(self._old, name, container), segment):
                why = f"segment {printable(segment.path or '')} is gone, or not what it was: nothing of it is copied"
                raise Conflict("copy", large.key, why)

        async with pool(look, workers=_AT_ONCE, backlog=_AT_ONCE) as lookers:
            for segment in large.once.values():
                await lookers.submit(segment)

    async def _missing(self, large: LargeObject, plan: SegmentPlan) -> list[SegmentCopy]:
        """The copies that are not there yet. Raises Conflict if something else has the name of one."""
        missing: list[SegmentCopy] = []

        async def look(copy: SegmentCopy) -> None:
            if copy.source == (self._composing.container, copy.name):
                return
            there = await itself_of(self._there, copy.name)
            if there is None or (is_as_named(there, copy.segment) and there.expires_at is not None):
                missing.append(copy)  # one that expires is replaced by the same bytes
            elif not is_as_named(there, copy.segment):
                why = f"{printable(self._path(copy.name))} is another object already: nothing of it is copied"
                raise Conflict("copy", large.key, why)

        async with pool(look, workers=_AT_ONCE, backlog=_AT_ONCE) as lookers:
            for copy in {copy.name: copy for copy in plan.copies}.values():
                await lookers.submit(copy)
        if plan.below is not None:
            ours = {self._path(copy.name) for copy in plan.copies}
            for segment in await segments_below(self._there, large.key, self._path(plan.below)):
                if segment.path not in ours:
                    why = f"{printable(segment.path or '')} would become a segment of it: nothing of it is copied"
                    raise Conflict("copy", large.key, why)
        return missing

    async def _prepare(self) -> None:
        """Make the container of the copies, once."""
        async with self._making:
            if not self._is_there:
                await self._composing.prepare()
                self._is_there = True

    async def _copy_one(self, large: LargeObject, copy: SegmentCopy) -> None:
        container, name = copy.source
        copy_in_store = self._beside(container).powers.copy
        if copy_in_store is None:
            raise Unsupported("copy", name, "this store cannot copy on the server")
        try:
            # Without an expiry of their own: an upload may take them for parts that it has sent, for an object that
            # does not expire.
            fields, to = ObjectHeaders(), self._composing.container
            stored = await copy_in_store(name, to, copy.name, fields, copy.segment.bytes)
        except NotFound as error:  # not the object itself: its caller would take it for gone
            raise StoreError("copy", large.key, f"segment {copy.segment.path}: {error}", status=404) from None
        if stored.etag != md5_of(copy.segment.md5):
            raise IntegrityError("copy", large.key, expected=copy.segment.md5, actual=stored.etag, status=201)

    async def _compose(self, large: LargeObject, plan: SegmentPlan, to: str, headers: ObjectHeaders) -> None:
        new = tuple(Segment(copy.segment.bytes, copy.segment.md5, self._path(copy.name)) for copy in plan.copies)
        below = self._path(plan.below) if plan.below is not None else None
        await self._composing.compose(to, new, headers, below=below)
        if below is None:
            return
        # The manifest of a dynamic one is empty. A HEAD shows what a GET reads.
        expected, head = large_etag(segment.md5 or "" for segment in new), await self._new.stat(to)
        if head is None or md5_of(head.hash) != expected or head.bytes != sum(segment.bytes for segment in new):
            actual = head.hash if head is not None else None
            why = f"its copy should have the ETag {expected}, and has {actual}"
            raise IntegrityError("copy", large.key, why, expected=expected, actual=actual)

    def _path(self, name: str) -> str:
        return f"{self._composing.container}/{name}"


def is_as_named(now: RemoteObject | None, segment: Segment) -> bool:
    """Whether the object, from a HEAD of itself, is the plain object that a manifest or a listing has as `segment`."""
    return (
        now is not None
        and now.large is None
        and now.link is None
        and now.bytes == segment.bytes
        and segment.md5 is not None
        and md5_of(now.hash) == md5_of(segment.md5)
    )
