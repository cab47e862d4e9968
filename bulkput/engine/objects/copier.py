"""Copies single objects: by the store itself if it can, with or without their segments, else through this machine."""

import asyncio

from bulkput.engine.objects.copy_segments import SegmentCopier
from bulkput.engine.objects.large import large_of
from bulkput.engine.objects.relay import Relay
from bulkput.engine.objects.remove import row_of, row_of_itself
from bulkput.errors import IntegrityError, NotFound, Unsupported
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.policy.etag import md5_of
from bulkput.policy.rename import Rename
from bulkput.stores.base import Store


class Copier:
    """Copies single objects from the store `old` to the store `new`."""

    def __init__(
        self,
        old: Store,
        new: Store,
        *,
        container: str | None,
        rename: Rename,
        headers: ObjectHeaders,
        relay: Relay,
    ) -> None:
        """`container` is that of `new`, as `old` names it. None if the two are different kinds of stores: then `relay`
        makes all copies."""
        self.old = old
        self.new = new
        self._container = container
        self._rename = rename
        self._headers = headers
        self._relay = relay
        self.segments: SegmentCopier | None = None
        """Copies large objects with their segments; None: only their manifests are copied."""
        self.is_sharing = False
        """Whether a manifest was copied without its segments."""
        self._made = 0
        """Number of times that the container was made again."""
        self._making = asyncio.Lock()

    def name(self, row: RemoteObject) -> str:
        """The name of the object's copy."""
        return self._rename.of(row.name)

    async def copy(self, row: RemoteObject, *, is_move: bool) -> bool:
        """True if the copy is made and proven, False if the source no longer exists.

        Raises StoreError, Stopped.
        """
        made = self._made
        try:
            await self._copy(row, is_move=is_move)
        except NotFound:
            is_there = await row_of_itself(self.old, row.name) is not None
            # For a link the HEAD is of its target: the link may exist although its target does not.
            if not is_there and row.link is None:
                return False
        else:
            return True
        # The source exists, so the 404 may be of the destination's container: make it again, and try once more.
        await self._make_again(made)
        try:
            await self._copy(row, is_move=is_move)
        except NotFound:
            if is_there or await row_of(self.old, row.name) is not None:
                raise
            return False
        return True

    async def _make_again(self, made: int) -> None:
        """Make the container again, if another client has deleted it; once, even if many workers got the 404."""
        async with self._making:
            if self._made == made:
                await self.new.prepare()
                self._made += 1

    async def _copy(self, row: RemoteObject, *, is_move: bool) -> None:
        if self.segments is not None and (large := await large_of(self.old, row)) is not None:
            await self.segments.copy(large, self.name(row))
            return
        if self._container is not None:
            try:
                await self._by_the_store(self._container, row)
            except Unsupported:
                self._container = None
            else:
                self.is_sharing = self.is_sharing or row.large is not None
                return
        await self._relay.copy(row.name, self.name(row), is_move=is_move)

    async def _by_the_store(self, container: str, row: RemoteObject) -> None:
        copy_in_store = self.old.powers.copy
        if copy_in_store is None:
            raise Unsupported("copy", row.name, "this store cannot copy on the server")
        key = self.name(row)
        if "{" in container:
            from bulkput.policy.spread import container_of  # noqa: PLC0415 - few containers are several

            container = container_of(container, key)
        stored = await copy_in_store(row.name, container, key, self._headers, row.bytes or 0)
        if stored.copied is not None or (stored.etag is not None and stored.etag == md5_of(row.hash)):
            return
        # The ETag differs from the listing's hash: for a manifest that is the MD5 of its text, for a link that of no
        # bytes; or the object was written to since. HEADs of source and copy decide.
        head = await self.old.stat(row.name)
        copied = await self.new.stat(self.name(row))
        # A HEAD of a link without a target finds nothing: compare where source and copy lead to.
        if head is None and copied is None and row.link is not None:
            there = await row_of(self.new, self.name(row))
            is_same = there is not None and there.link == row.link
        elif head is None or copied is None or head.hash is None:
            is_same = False
        else:
            is_same = (head.hash, head.bytes) == (copied.hash, copied.bytes)
        if not is_same:
            expected = head.hash if head is not None else None
            raise IntegrityError("copy", stored.key, expected=expected, actual=stored.etag, status=201)
