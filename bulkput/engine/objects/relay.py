"""A copy that no store makes: the object is read from the one and put into the other, piece by piece."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from bulkput.errors import Conflict, IntegrityError, NotFound, Unsupported
from bulkput.events import Emit, Relaying
from bulkput.model import Fields, ObjectHeaders, RemoteObject
from bulkput.policy.etag import md5_of
from bulkput.stores.base import Store


class Relay:
    """Copies objects from `old` to `new` by way of this machine."""

    def __init__(
        self,
        old: Store,
        new: Store,
        headers: ObjectHeaders,
        emit: Emit,
        *,
        is_one_account: bool = False,
    ) -> None:
        """What `headers` has replaces what an object has; `emit` is told Relaying before the first.
        `is_one_account`: other names are other objects."""
        self._old = old
        self._new = new
        self._headers = headers
        self._emit = emit
        self._is_one_account = is_one_account
        self._is_told = False

    async def copy(self, key: str, to: str, *, is_move: bool) -> None:
        """Copy the object `key` to `to`; for a move its source may go afterwards. Raises StoreError, Stopped."""
        if not self._is_told:
            self._is_told = True
            self._emit(Relaying())
        found = await _described(self._old, key)
        if found is None:
            raise NotFound("copy", key, "it was listed, and is gone")
        head, kept = found
        if not self._new.keeps_metadata:
            kept = _without_metadata(kept, key, is_move=is_move)
        if is_move:
            await self._refuse_unsafe(head, to)
        headers = replace(
            self._headers,
            content_type=self._headers.content_type or kept.content_type,
            encoding=kept.encoding,
            cache_control=self._headers.cache_control or kept.cache_control,
            meta=_overlaid(kept.meta, self._headers.meta),
            extra=_overlaid(kept.extra, self._headers.extra),
        )
        body = _Remote(self._old, head)
        stored = await self._new.put(to, body, headers)
        if body.md5 not in (None, body.sent_md5):  # who is told the length only may answer before the last is checked
            raise IntegrityError("copy", stored.key, expected=body.md5, actual=body.sent_md5, status=201)
        if stored.etag is None:  # the store proves nothing: at least it is as long
            copied = await self._new.stat(to)
            if copied is None or copied.bytes != stored.size:
                raise IntegrityError("copy", stored.key, expected=head.hash, actual=None, status=201)
            if is_move and (found_md5 := await self._read_back(to)) != body.sent_md5:
                raise IntegrityError("copy", stored.key, expected=body.sent_md5, actual=found_md5, status=201)
        if is_move:
            await self._refuse_changed(head)

    async def _refuse_unsafe(self, head: RemoteObject, to: str) -> None:
        """Before anything is written. Two URLs may lead to one object, by two names of a host or past a proxy, say: to
        remove the one would remove the other. No hash or time tells that for certain, but that one is larger does."""
        check_removable = self._old.powers.check_removable
        if check_removable is not None:  # a page that a server shows for a directory is no object
            await check_removable(head.name)
        if head.bytes is None:
            raise Unsupported("move", head.name, "its length is not known, so nobody could tell whether all of it came")
        there = None if self._is_one_account else await self._new.stat(to)
        if there is not None and there.bytes in (None, head.bytes):
            raise Conflict(
                "move",
                head.name,
                "what is at the destination already, of this size, may be the object itself under another address:"
                " use cp, then rm",
            )

    async def _refuse_changed(self, head: RemoteObject) -> None:
        """After the copy: the source is what it was, so that it is neither newer, nor what was written just now."""
        now = await self._old.stat(head.name)
        then = (head.bytes, head.hash, head.last_modified)
        if now is None or (now.bytes, now.hash, now.last_modified) != then:
            raise Conflict("move", head.name, "it was written to meanwhile: it is copied, and not removed")

    async def _read_back(self, key: str) -> str:
        """Its MD5 in hex."""
        get = self._new.powers.get
        if get is None:
            raise Unsupported("move", key, "its copy cannot be read back, and nothing else proves it: not removed")
        md5 = hashlib.md5(usedforsecurity=False)
        async with aclosing(get(key)) as chunks:
            async for chunk in chunks:
                md5.update(chunk)
        return md5.hexdigest()


class _Remote:
    """An object of a store as a body."""

    def __init__(self, store: Store, head: RemoteObject) -> None:
        # Without retries of its own: a PUT that fails is retried, and reads the object anew.
        self._get = store.powers.get_once
        self._key = head.name
        self.data = b"" if head.bytes == 0 else None
        """A store answers as soon as it has the length: what is empty must not be read first."""
        self.size = head.bytes
        self.length_hint = head.bytes or 0
        self.md5 = md5_of(head.hash) if head.large is None else None
        self._sent = hashlib.md5(usedforsecurity=False)

    @property
    def sent_md5(self) -> str:
        """In hex, of what `chunks` gave the last time."""
        return self._sent.hexdigest()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises StoreError: Conflict, when it is not as long as it was."""
        if self._get is None:
            raise Unsupported("get", self._key, "this store gives no objects back")
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
            raise Conflict("get", self._key, "it was written to meanwhile: it has another length")


async def _described(store: Store, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
    """The object and what stands beside its bytes; of a store that has no power to tell that, what a row says."""
    if (describe := store.powers.describe) is not None:
        return await describe(key)
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
