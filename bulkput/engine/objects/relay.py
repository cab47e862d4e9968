"""Copies an object through this machine, if the store cannot copy it: a GET from one store feeds a PUT to the other."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from bulkput.errors import Conflict, IntegrityError, NotFound, TooLarge, Unsupported
from bulkput.events import Emit, Relaying
from bulkput.model import Fields, ObjectHeaders, RemoteObject
from bulkput.policy.etag import md5_of
from bulkput.stores.base import Store


class Relay:
    """Copies objects from the store `old` to the store `new`."""

    def __init__(
        self,
        old: Store,
        new: Store,
        headers: ObjectHeaders,
        emit: Emit,
        *,
        is_one_account: bool = False,
    ) -> None:
        """Fields of `headers` replace those of each object. `emit` gets Relaying before the first copy.
        `is_one_account`: both stores are one account, so different names mean different objects."""
        self._old = old
        self._new = new
        self._headers = headers
        self._emit = emit
        self._is_one_account = is_one_account
        self._is_told = False

    async def copy(self, key: str, to: str, *, is_move: bool) -> None:
        """Copy the object `key` to `to`. With `is_move`, also prove that the source may be removed afterwards.

        Raises StoreError, Stopped.
        """
        if not self._is_told:
            self._is_told = True
            self._emit(Relaying())
        found = await _described(self._old, key)
        if found is None:
            raise NotFound("copy", key, "it was listed, but no longer exists")
        head, kept = found
        most = self._new.limits.max_object_bytes
        if head.bytes is not None and head.bytes > most:
            raise TooLarge("copy", key, _IN_ONE.format(size=head.bytes, most=most))
        if not self._new.keeps_metadata:
            kept = _without_metadata(kept, key, is_move=is_move)
        elif self._new.powers.expire is None:
            kept = _without_expiry(kept, key, is_move=is_move)
        if is_move:
            await self._refuse_unsafe(head, to)
        body = _Remote(self._old, head)
        stored = await self._new.put(to, body, with_given(kept, self._headers))
        # A server that knows the length may answer before `chunks` has checked the end: so it is checked here.
        if body.md5 not in (None, body.sent_md5):
            raise IntegrityError("copy", stored.key, expected=body.md5, actual=body.sent_md5, status=201)
        # Without an ETag the PUT proves nothing: compare the length, and for a move the content.
        if stored.etag is None:
            copied = await self._new.stat(to)
            if copied is None or copied.bytes != stored.size:
                raise IntegrityError("copy", stored.key, expected=head.hash, actual=None, status=201)
            if is_move and (found_md5 := await self._read_back(to)) != body.sent_md5:
                raise IntegrityError("copy", stored.key, expected=body.sent_md5, actual=found_md5, status=201)
        if is_move:
            await self._refuse_changed(head)

    async def _refuse_unsafe(self, head: RemoteObject, to: str) -> None:
        """Before the PUT of a move: raise if source and destination may be one object.

        Two URLs may lead to one object, for example by two names of a host or past a proxy. Then removing the source
        would remove the copy. Equal hashes or times do not prove that; different sizes prove that they are two objects.
        """
        check_removable = self._old.powers.check_removable
        if check_removable is not None:  # a page that a server shows for a directory is no object
            await check_removable(head.name)
        if head.bytes is None:
            raise Unsupported("move", head.name, "its length is unknown, so a complete copy cannot be proven")
        there = None if self._is_one_account else await self._new.stat(to)
        if there is not None and there.bytes in (None, head.bytes):
            raise Conflict(
                "move",
                head.name,
                "what is at the destination already, of this size, may be the object itself under another address:"
                " use cp, then rm",
            )

    async def _refuse_changed(self, head: RemoteObject) -> None:
        """After the copy of a move: raise if the source has changed. It may be newer than the copy, or be the copy."""
        now = await self._old.stat(head.name)
        then = (head.bytes, head.hash, head.last_modified)
        if now is None or (now.bytes, now.hash, now.last_modified) != then:
            raise Conflict("move", head.name, "it was overwritten after the copy, so it is not removed")

    async def _read_back(self, key: str) -> str:
        """The MD5, in hex, of the object as the store gives it back."""
        get = self._new.powers.get
        if get is None:
            raise Unsupported("move", key, "nothing proves its copy, which cannot be read back: not removed")
        md5 = hashlib.md5(usedforsecurity=False)
        async with aclosing(get(key)) as chunks:
            async for chunk in chunks:
                md5.update(chunk)
        return md5.hexdigest()


class _Remote:
    """An object of a store as the body of a PUT to another."""

    def __init__(self, store: Store, head: RemoteObject) -> None:
        # `get_once` has no retries: if it fails, the PUT fails and is retried, and reads the object from its beginning.
        self._get = store.powers.get_once
        self._key = head.name
        self.data = b"" if head.bytes == 0 else None
        """An empty object is not read: the store may answer the PUT before a GET would have ended."""
        self.size = head.bytes
        self.length_hint = head.bytes or 0
        self.md5 = md5_of(head.hash) if head.large is None else None
        self._sent = hashlib.md5(usedforsecurity=False)

    @property
    def sent_md5(self) -> str:
        """The MD5, in hex, of the bytes that the last call of `chunks` gave."""
        return self._sent.hexdigest()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The object's bytes. Raises StoreError; Conflict if its length has changed."""
        if self._get is None:
            raise Unsupported("get", self._key, "this store cannot read objects")
        self._sent, sent = hashlib.md5(usedforsecurity=False), 0
        async with aclosing(self._get(self._key)) as chunks:
            async for chunk in chunks:
                sent += len(chunk)
                self._refuse_other(sent, is_whole=False)
                self._sent.update(chunk)
                yield chunk
        self._refuse_other(sent, is_whole=True)

    def _refuse_other(self, sent: int, *, is_whole: bool) -> None:
        if self.size is not None and (sent > self.size or (is_whole and sent < self.size)):
            raise Conflict("get", self._key, "it was overwritten while it was copied: its length changed")


_IN_ONE = (
    "its {size} bytes would pass through this machine in one request, of which the destination takes {most}: download"
    " it, and upload it in parts"
)


async def _described(store: Store, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
    """The object and its headers. If the store cannot describe objects, the headers are those that `stat` gives."""
    if (describe := store.powers.describe) is not None:
        return await describe(key)
    row = await store.stat(key)
    if row is None:
        return None
    return row, ObjectHeaders(content_type=row.content_type, encoding=row.encoding, meta=row.meta)


def with_given(kept: ObjectHeaders, given: ObjectHeaders) -> ObjectHeaders:
    """The headers of a copy: those of its source, replaced by what is given."""
    return replace(
        given,
        content_type=given.content_type or kept.content_type,
        encoding=kept.encoding,
        cache_control=given.cache_control or kept.cache_control,
        meta=_overlaid(kept.meta, given.meta),
        extra=_overlaid(kept.extra, given.extra),
    )


def _without_metadata(kept: ObjectHeaders, key: str, *, is_move: bool) -> ObjectHeaders:
    """The headers that a store without metadata keeps.

    Raises Unsupported if an encoding would be lost, since the copy could not be read; and, for a move, if metadata or
    `x-` fields would be lost, since the source is removed.
    """
    if kept.encoding:
        raise Unsupported("copy", key, "it has Content-Encoding, which the destination does not keep")
    if is_move and any(name.lower() != "mtime" for name, _ in kept.meta):
        raise Unsupported("copy", key, "it has metadata, which the destination does not keep")
    own = [name for name, _ in kept.extra if name.lower().startswith("x-")]
    if is_move and own:
        raise Unsupported("copy", key, f"it has {own[0]}, which the destination does not keep")
    return replace(kept, meta=(), extra=tuple(field for field in kept.extra if field[0] not in own))


def _without_expiry(kept: ObjectHeaders, key: str, *, is_move: bool) -> ObjectHeaders:
    """The headers that a store without expiry keeps. Raises Unsupported for a move, since the source is removed."""
    extra = tuple(field for field in kept.extra if field[0].lower() not in ("x-delete-at", "x-delete-after"))
    if is_move and extra != kept.extra:
        raise Unsupported("copy", key, "it expires, which the destination does not keep")
    return replace(kept, extra=extra)


def _overlaid(fields: Fields, given: Fields) -> Fields:
    """`fields`, replaced or extended by those of `given`."""
    names = {name.lower() for name, _ in given}
    return (*(field for field in fields if field[0].lower() not in names), *given)
