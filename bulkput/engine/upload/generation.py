"""One generation of the parts of a large object: those of one version of its bytes, under one set of names.

A part that the store has already, of an earlier run, is not sent if it is proven in one of these ways:

| the part                           | is proven by                                                              |
|------------------------------------|---------------------------------------------------------------------------|
| was sent or proven by this run     | its MD5 in the store's list of parts, which is the one that was sent      |
| of a file, has a journal's row     | its MD5 in that list, which is the row's: the file has the inode and the  |
|                                    | ctime that it had when the part was sent, and a ctime not of whole        |
|                                    | seconds, in which a file that was written twice may look the same         |
| of a file, otherwise               | the MD5 of the file's range, which is read for that                       |
| of a stream                        | the MD5 of the bytes that the stream gives again                          |

The parts of a file that are there are proven before others are sent: some stores (S3) cannot tell whose parts these
are, and nothing is to be added to those of another program or of another version.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Container, Mapping
from contextlib import aclosing, suppress
from typing import NamedTuple, Protocol

from bulkput import events as ev
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.engine.upload.earlier import EarlierUploads
from bulkput.errors import BulkputError, SourceError, Stopped, StoreError
from bulkput.model import Body, LargeUpload, Stored, StoredPart, Upload
from bulkput.payload.pieces import md5_of_pieces
from bulkput.policy.parts import Cut
from bulkput.stores.powers import LargeObjects, Remains


class KnownParts(Protocol):
    """The parts that earlier runs have sent: MD5s (hex) by their numbers."""

    async def __call__(self, path: bytes, state: str, upload: LargeUpload) -> Mapping[int, str]:
        """Those of the file `path` in this state (`Version.state`)."""


class Item(NamedTuple):
    """A part to be in the store."""

    number: int
    body: Body
    release: Callable[[], None] = lambda: None


class Parts(Protocol):
    """All parts of an object in their order, or only those with some numbers."""

    def __call__(self, numbers: Container[int] | None = None) -> AsyncGenerator[Item, None]: ...


class DifferentBytesError(Exception):
    """The store has a part of this version with other bytes."""


class Generation:
    """One generation of the parts of one object."""

    def __init__(
        self,
        large: LargeObjects,
        begun: LargeUpload,
        file: tuple[bytes, str],
        emit: ev.Emit,
        stop: Stop,
        *,
        known: KnownParts | None,
        refused: int,
        earlier: EarlierUploads,
    ) -> None:
        """`file` is its path, and its state if that tells it from other versions (`Version.state`)."""
        self._ask_known = known
        self.refused = refused
        """How often the store has not found all parts, in this generation and those before it."""
        self._large = large
        self._begun = begun
        self._earlier = earlier
        self._opening = asyncio.Lock()
        self._named: str | None = None
        """The store's name for the upload, once it is told."""
        self._path, self._state = file
        self._emit = emit
        self._stop = stop
        self._there: dict[int, StoredPart] = {}
        """The parts that the store had when it was asked last."""
        self._known: dict[int, str] = {}
        """MD5s of parts that this run or an earlier one has proven."""
        self._done: dict[int, StoredPart] = {}
        self._sent: set[int] = set()
        self._error: BulkputError | None = None
        self._may_be_composed = False

    @property
    def count(self) -> int:
        return len(self._done)

    @property
    def md5s(self) -> list[str]:
        """Those of all parts, in their order."""
        return [self._done[number].md5 for number in sorted(self._done)]

    @property
    def size(self) -> int:
        return sum(part.size for part in self._done.values())

    @property
    def found_bytes(self) -> int:
        return sum(part.size for part in self._done.values() if part.number not in self._sent)

    async def look(self) -> None:
        """Ask the store which parts it has."""
        self._there = {part.number: part for part in await self._large.list_parts(self._begun)}
        self._tell_name()
        if self._there and self._ask_known is not None:
            self._known = {**await self._ask_known(self._path, self._state, self._begun), **self._known}

    async def prove(self, parts: Parts, cut: Cut, at_once: int) -> None:
        """Prove all parts that were there, and send none: those of a file, in any order. Raises like `send_missing`."""
        strange = [part for part in self._there.values() if not cut.has(part.number, part.size)]
        # Behind the last part: an object that nobody reads (Swift), or a part of an upload that is not of this file.
        if any(part.number <= cut.count or self._large.abort_spares_object for part in strange):
            raise DifferentBytesError
        if self._there:
            async with aclosing(parts(self._there)) as items:
                await self.send_missing(items, at_once)

    async def send_missing(self, items: AsyncGenerator[Item, None], at_once: int) -> None:
        """Have each part in the store. After an error no further part is begun, and those in flight end: the next run
        has the less to send, and what is removed or told afterwards is all that is there. Raises SourceError,
        StoreError, Stopped, DifferentBytesError."""
        self._done, self._error = {}, None
        async with pool(self._take, workers=at_once, backlog=1, abandoned=_release) as workers:
            try:
                async for item in items:
                    await workers.submit(item)
                    if self._error is not None or self._stop.is_pulled:
                        break
            except BulkputError as error:  # of the stream
                self._error = self._error or error
        if self._error is not None:
            raise self._error
        self._stop.check()

    async def _take(self, item: Item) -> None:
        try:
            if self._error is None and not self._stop.is_pulled:
                await self._have(item)
        except Stopped:
            pass  # `send_missing` raises it when the others have ended
        except (StoreError, SourceError) as error:
            self._error = self._error or error
        finally:
            item.release()

    async def _have(self, item: Item) -> None:
        number, there = item.number, self._there.get(item.number)
        if there is None:
            await self._open()
            if self._error is not None:  # of another part, perhaps that the upload cannot be begun
                return
            part = await self._large.send_part(self._begun, number, item.body)
            self._sent.add(number)
            self._tell_name()
        elif await self._is_same(item, there):
            part = there
        else:
            raise DifferentBytesError
        self._known[number], self._done[number] = part.md5, part
        if number in self._sent:
            self._emit(ev.PartStored(self._path, self._state, self._begun, part, is_new=True))

    async def _open(self) -> None:
        """Begin the upload in the store before its first part is sent, and tell its name: a part may take minutes, and
        what a killed run leaves is known to be its own only by the journal."""
        large = self._large
        if large.open is None or large.remains is None or self._named is not None:
            return
        async with self._opening:
            if self._error is not None:  # the others would begin it in vain, one after the other
                return
            if large.remains(self._begun).upload is None:
                await large.open(self._begun)
            self._tell_name()

    def _tell_name(self) -> None:
        """Also of one that was begun in the place of another that somebody has aborted. One that was found may be that
        of a program that is running, so it is not called ours."""
        remains = self._remains()
        if remains is None or remains.upload is None or remains.upload.id == self._named:
            return
        self._named = remains.upload.id
        if remains.is_ours:
            self._emit(ev.UploadBegun(self._path, self._begun.key, self._named))

    def _remains(self) -> Remains | None:
        return self._large.remains(self._begun) if self._large.remains is not None else None

    async def _is_same(self, item: Item, there: StoredPart) -> bool:
        body = item.body
        if there.size != body.size:
            return False
        if body.md5 is not None:
            return body.md5 == there.md5
        if self._known.get(item.number) == there.md5:
            return True
        (md5,) = await md5_of_pieces(body, (there.size,))
        return md5 == there.md5

    async def complete(self, upload: Upload) -> Stored:
        self._may_be_composed = True  # until it is known to have failed, and a lost answer never tells
        parts = [self._done[number] for number in sorted(self._done)]
        stored = await self._large.complete(self._begun, parts, upload.headers)
        for part in parts:
            if part.number not in self._sent:
                self._emit(ev.PartStored(self._path, self._state, self._begun, part, is_new=False))
        return stored

    async def settle_others(self) -> None:
        """The object is there: remove or tell the other uploads of its name."""
        if (remains := self._remains()) is not None:
            await self._earlier.settle(self._path, self._begun.key, remains.others, used=self._named)

    def is_of_no_use(self, *, is_resumed: bool) -> bool:
        """Whether nobody misses the upload: it is ours, and has no part that a later run could use."""
        remains = self._remains()
        if remains is None or remains.upload is None or not remains.is_ours:
            return False
        return not (is_resumed and remains.is_resumable and (self._there or self._done))

    async def is_aborted(self, error: BaseException) -> bool:
        """Whether the parts of a stream that failed could be removed: nobody can go on with them. They stay if the
        store may have composed the object of them, whatever it has answered, and would miss them."""
        if not isinstance(error, BulkputError):  # cancelled: there is no time for it
            return False
        if self._may_be_composed and not self._large.abort_spares_object:
            return False
        with suppress(StoreError, Stopped):
            await self._large.abort(self._begun)
            return True
        return False

    def tell_what_is_left(self, *, is_resumed: bool) -> None:
        """Tell which parts stay: all, if the next run goes on with them, or those that this run has sent in vain."""
        left, remains, key = {**self._there, **self._done}, self._remains(), self._begun.key
        if remains is not None:
            if remains.upload is None:  # gone, or never begun
                return
            is_resumed = is_resumed and remains.is_resumable
        parts = [part for number, part in left.items() if is_resumed or number in self._sent]
        if parts or (remains is not None and remains.is_ours):
            self._earlier.note_told(remains)
            size, below = sum(part.size for part in parts), self._earlier.url(key) or self._begun.id
            self._emit(ev.PartsLeft(key, len(parts), size, below, is_resumed and bool(parts)))


def _release(item: Item) -> None:
    item.release()
