"""Copies an object through this machine, if the store cannot copy it: a GET from one store feeds a PUT to the other."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bulkput.errors import Conflict, IntegrityError, NotFound, SourceError, TooLarge, Unsupported
from bulkput.events import Emit, Relaying
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.payload.remote import StreamedObject, version_of
from bulkput.policy.copied import fitted, with_given
from bulkput.stores.base import Store
from bulkput.stores.reading import reads_of


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
        reads = reads_of(self._old)
        if reads is None:
            raise Unsupported("get", key, "this store cannot read objects")
        fetch, read = reads
        seen = await fetch(key, 0)
        if seen is None:
            raise NotFound("copy", key, "it was listed, but no longer exists")
        head, size, most = seen.row, seen.row.bytes, self._new.limits.max_object_bytes
        if size is None:
            raise Unsupported("copy", key, "its length is unknown, so a complete copy cannot be proven")
        if size > most:
            raise TooLarge("copy", key, _IN_ONE.format(size=size, most=most))
        kept = self._fitted(key, seen.headers, is_move=is_move)
        if is_move:
            await self._refuse_unsafe(head, to)
        body = _Hashed(StreamedObject(key.encode(), read, seen, version_of(seen, head), sent=_ignore))
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

    def _fitted(self, key: str, kept: ObjectHeaders, *, is_move: bool) -> ObjectHeaders:
        """The headers that the destination keeps. Raises Unsupported if the copy could not be read without the others,
        and for a move if any would be lost, since the source is removed."""
        new = self._new
        found = fitted(kept, keeps_metadata=new.keeps_metadata, keeps_expiry=new.powers.expire is not None)
        if found.lost and (is_move or found.is_unreadable):
            raise Unsupported("copy", key, f"{found.lost[0]}, which the destination does not keep")
        return found.headers

    async def _refuse_unsafe(self, head: RemoteObject, to: str) -> None:
        """Before the PUT of a move: raise if source and destination may be one object.

        Two URLs may lead to one object, for example by two names of a host or past a proxy. Then removing the source
        would remove the copy. Equal hashes or times do not prove that; different sizes prove that they are two objects.
        """
        check_removable = self._old.powers.check_removable
        if check_removable is not None:  # a page that a server shows for a directory is no object
            await check_removable(head.name)
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


class _Hashed:
    """An object of a store as the body of a PUT to another, and the MD5 of what was sent."""

    def __init__(self, body: StreamedObject) -> None:
        self._body = body
        self.data = b"" if body.size == 0 else None
        """An empty object is not read: the store may answer the PUT before a GET would have ended."""
        self.size = self.length_hint = body.size
        self.md5 = body.md5
        self._sent = hashlib.md5(usedforsecurity=False)

    @property
    def sent_md5(self) -> str:
        """The MD5, in hex, of the bytes that the last call of `chunks` gave."""
        return self._sent.hexdigest()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The object's bytes. Raises StoreError; Conflict if the object was overwritten."""
        self._sent = hashlib.md5(usedforsecurity=False)
        try:
            async with aclosing(self._body.chunks()) as chunks:
                async for chunk in chunks:
                    self._sent.update(chunk)
                    yield chunk
        except SourceError as error:
            kind = Conflict if error.problem == "changed" else NotFound
            raise kind("get", self._body.seen.row.name, error.detail) from None


def _ignore(_count: int, _read_s: float) -> None:
    """For a body whose progress nobody sees."""


_IN_ONE = (
    "its {size} bytes would pass through this machine in one request, of which the destination takes {most}:"
    " `bulkput.upload` copies it in parts"
)
