"""A copy that no store makes: the object is read from the one and put into the other, piece by piece."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from bulkput.errors import Conflict, IntegrityError, NotFound, Unsupported
from bulkput.model import Fields, ObjectHeaders, RemoteObject
from bulkput.policy.original import is_md5
from bulkput.stores.base import Describes, Reads, Store
from bulkput.stores.wrappers import Retrying


class Passing:
    """Copies objects from `old` to `new` by way of this machine."""

    def __init__(self, old: Store, new: Store, headers: ObjectHeaders, on_passing: Callable[[], None]) -> None:
        """What `headers` has replaces what an object has; `on_passing` is told before the first."""
        self._old = old
        self._new = new
        self._headers = headers
        self._on_passing = on_passing
        self._is_told = False

    async def copy(self, key: str, to: str, *, is_move: bool) -> None:
        """Copy the object `key` to `to`. Raises StoreError, Stopped."""
        if not self._is_told:
            self._is_told = True
            self._on_passing()
        found = await _described(self._old, key)
        if found is None:
            raise NotFound("copy", key, "it was listed, and is gone")
        head, kept = found
        if not self._new.keeps_metadata:
            kept = _without_metadata(kept, key, is_move=is_move)
        if is_move:
            await self._refuse_itself(head, to)
        headers = replace(
            self._headers,
            content_type=self._headers.content_type or kept.content_type,
            encoding=kept.encoding,
            cache_control=self._headers.cache_control or kept.cache_control,
            meta=_overlaid(kept.meta, self._headers.meta),
            extra=_overlaid(kept.extra, self._headers.extra),
        )
        body = _Remote(self._old.once if isinstance(self._old, Retrying) else self._old, head)
        stored = await self._new.put(to, body, headers)
        if stored.etag is None:  # the store proves nothing: at least it is as long
            copied = await self._new.stat(to)
            if copied is None or copied.bytes != stored.size:
                raise IntegrityError("copy", stored.key, expected=head.hash, actual=None, status=201)

    async def _refuse_itself(self, head: RemoteObject, to: str) -> None:
        """Two URLs may lead to one object, by two names of a host, say: to remove the one would remove the other."""
        there = await self._new.stat(to) if head.hash is None else None
        if there is None or there.hash is not None:
            return
        if (there.bytes, there.last_modified) == (head.bytes, head.last_modified):
            raise Conflict("move", head.name, "what is there already may be the object itself under another address")


class _Remote:
    """An object of a store as a body."""

    data = None

    def __init__(self, store: Store, head: RemoteObject) -> None:
        self._store = store
        self._key = head.name
        self.size = head.bytes
        self.length_hint = head.bytes or 0
        self.md5 = head.hash.lower() if head.large is None and head.hash and is_md5(head.hash) else None

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises StoreError."""
        if not isinstance(self._store, Reads):
            raise Unsupported("get", self._key, "this store gives no objects back")
        return self._store.get(self._key)


async def _described(store: Store, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
    """The object and what stands beside its bytes; of a store that has no power to tell that, what a row says."""
    try:
        if isinstance(store, Describes):
            return await store.describe(key)
    except Unsupported:
        pass
    row = await store.stat(key)
    if row is None:
        return None
    return row, ObjectHeaders(content_type=row.content_type, encoding=row.encoding, meta=row.meta)


def _without_metadata(kept: ObjectHeaders, key: str, *, is_move: bool) -> ObjectHeaders:
    """What a store keeps that keeps no metadata. Raises Unsupported where the rest matters: its encoding always, else
    for a move, since then it would be nowhere."""
    if kept.encoding:
        raise Unsupported("copy", key, "it has Content-Encoding, which the destination does not keep")
    if is_move and any(name.lower() != "mtime" for name, _ in kept.meta):
        raise Unsupported("copy", key, "it has metadata, which the destination does not keep")
    own = [name for name, _ in kept.extra if name.lower().startswith("x-")]
    if is_move and own:
        raise Unsupported("copy", key, f"it has {own[0]}, which the destination does not keep")
    return replace(kept, meta=(), extra=tuple(field for field in kept.extra if field[0] not in own))


def _overlaid(fields: Fields, given: Fields) -> Fields:
    names = {name.lower() for name, _ in given}
    return (*(field for field in fields if field[0].lower() not in names), *given)
