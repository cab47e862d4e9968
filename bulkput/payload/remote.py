"""An object of another store as a body: read while it is sent, or held in memory if it is small.

Either one version is sent or nothing. An answer with another version than was seen first breaks the request off. The
last piece of a body is held back until the source has proven all of them, so the store that gets them never keeps what
arrived damaged. Each attempt of a PUT reads the object again.

An ETag `<hex>-1` is that of one part, or 16 random bytes (MinIO with `--no-compat`, of a PUT without Content-MD5). If
it does not fit the bytes, the object is read again: damage is another one each time, so equal bytes are the object's.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from bulkput.activity import doing
from bulkput.errors import Conflict, IntegrityError, NotFound, SourceError, Unsupported
from bulkput.events import Emit, Streaming, Warned
from bulkput.model import ObjectHeaders, RemoteObject, SourceFile, Upload
from bulkput.options import BodyOptions
from bulkput.payload.in_memory import InMemory
from bulkput.payload.pieces import Pieces
from bulkput.payload.reading import Fetch, Fetched, Read, Span, has_etag, plain_md5
from bulkput.payload.version import Version
from bulkput.policy.copied import with_given, with_mtime
from bulkput.policy.etag import composite_of, md5_of, parts_in
from bulkput.policy.layout import Layout
from bulkput.policy.object_state import is_same, is_unknown, state_of
from bulkput.policy.skip import moment_ns

_OTHER_BYTES = "what has arrived is not what its ETag is made of"
_ODD = (
    "the source has ETags that end in -1 and are not made of the bytes: such an object is read twice, and copied if"
    " both readings are equal"
)
_NOT_THERE = "a list names it, and there is no such object"
_READINGS = 4
"""Of a small object whose ETag does not fit."""
LayoutOf = Callable[[RemoteObject], Awaitable[Layout | None]]
Fits = Callable[[RemoteObject, ObjectHeaders], ObjectHeaders]
"""The headers that the destination keeps of those that a source shows. Raises StoreError if the copy would be of no
use."""


class _WholeFields(NamedTuple):
    version: Version
    data: bytes
    md5: str
    seen: Fetched


class WholeObject(InMemory, _WholeFields):
    """A small object in memory, with the MD5 of the bytes that have come."""

    __slots__ = ()


class StreamedObject:
    """A larger object, read while it is sent, or a part of it."""

    data = None

    def __init__(
        self,
        path: bytes,
        read: Read,
        seen: Fetched,
        version: Version,
        *,
        layout: Layout | None = None,
        sent: Callable[[int, float], None],
        tell_odd: Callable[[], None] = lambda: None,
    ) -> None:
        """`path` names the object in messages. `sent` gets the number of bytes handed over in this attempt so far, and
        `tell_odd` is called if its ETag is not made of its bytes."""
        self.version = version
        self.size = self.length_hint = version.size
        self.md5 = plain_md5(seen.row)
        self.layout = layout
        self.seen = seen
        self._path = path
        self._read = read
        self._span: Span | None = None
        self._sent = sent
        self._tell_odd = tell_odd
        self._read_before: tuple[str, ...] = ()
        """The MD5s of the parts of the last attempt, if they did not fit."""

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises SourceError if the object is gone or was overwritten, StoreError."""
        given, last, pieces = 0, b"", self._pieces()
        try:
            reading = self._read(self.seen.row.name, version=self._condition, span=self._span)
            async with aclosing(reading) as chunks:
                async for chunk in chunks:
                    given += len(chunk)
                    if given > self.size:
                        break
                    if pieces is not None:
                        pieces.update(chunk)
                    if last:
                        yield last
                        self._sent(given - len(chunk), 0.0)
                    last = chunk
        except Conflict as error:
            raise self.changed(error.detail) from None
        except NotFound:
            raise SourceError(self._path, "vanished", "it was there when it was listed") from None
        if given != self.size:
            raise self.changed("it was overwritten while it was copied: its length changed")
        if pieces is not None and self.layout is not None:
            self._prove(self.layout, pieces.digests())
        if last:
            yield last
            self._sent(given, 0.0)

    def _prove(self, layout: Layout, md5s: tuple[str, ...]) -> None:
        """Raises IntegrityError if these are not the MD5s of its parts."""
        if layout.is_of(md5s):
            return
        if not _may_be_random(layout.etag) or md5s != self._read_before:
            self._read_before = md5s
            raise IntegrityError("get", self.seen.row.name, _OTHER_BYTES, expected=self.seen.row.hash)
        self._tell_odd()

    def _pieces(self) -> Pieces | None:
        """What hashes the parts of an object whose ETag is no MD5 of its bytes; None if nothing is known of its parts,
        or this is one of them."""
        layout = self.layout
        if self.md5 is not None or self._span is not None or layout is None:
            return None
        return Pieces(layout.sizes) if layout.md5s or layout.etag else None

    @property
    def _condition(self) -> str | None:
        """The version that an answer has to have. One GET of all bytes gives one version; without an ETag, some servers
        have another date for each answer."""
        version = self.seen.version
        return version if self._span is not None or has_etag(version) else None

    def part(self, offset: int, size: int, sent: Callable[[int, float], None]) -> "StreamedObject":
        """The bytes `offset` to `offset + size` of the same version, as a body of their own. Raises SourceError if the
        source does not tell versions apart."""
        if self.seen.version is None:
            why = "the source tells no versions apart, so its parts could be of two: give a larger `large.above`"
            raise SourceError(self._path, "unreadable", why)
        part = StreamedObject(self._path, self._read, self.seen, self.version, sent=sent, tell_odd=self._tell_odd)
        part._span, part.size, part.length_hint = Span(offset, size), size, size
        part.md5 = self._md5_of(Span(offset, size))
        return part

    def _md5_of(self, span: Span) -> str | None:
        """The MD5 that the source shows of these bytes, if they are one of its parts."""
        layout = self.layout
        if layout is None or not layout.md5s:
            return None
        for end, size, md5 in zip(accumulate(layout.sizes), layout.sizes, layout.md5s, strict=True):
            if span == (end - size, size):
                return md5
        return None

    async def prove(self, sizes: Sequence[int], md5s: Sequence[str]) -> None:
        """See `Streamed.prove`. No answer proves parts that are not the object's own: then the object is read once
        more, from end to end."""
        layout = self.layout
        if layout is not None and tuple(sizes) == layout.sizes and not _may_be_random(layout.etag):
            if not layout.is_of(md5s):
                raise self.changed("its parts are not those that its ETag is made of")
            return
        own = Pieces(layout.sizes) if layout is not None and (layout.md5s or layout.etag) else None
        if self.md5 is None and own is None:
            return
        parts, whole = Pieces(sizes), Pieces((self.size,))
        plain = StreamedObject(self._path, self._read, self.seen, self.version, sent=lambda _size, _seconds: None)
        async with aclosing(plain.chunks()) as chunks:
            async for chunk in chunks:
                for pieces in (parts, whole) if own is None else (parts, whole, own):
                    await asyncio.to_thread(pieces.update, chunk)
        if parts.digests() != tuple(md5s) or self.md5 not in (None, *whole.digests()):
            raise self.changed("one of its parts has arrived damaged")
        if own is not None and layout is not None and not layout.is_of(own.digests()):
            if not _may_be_random(layout.etag):
                raise self.changed(_OTHER_BYTES)
            self._tell_odd()

    def md5s_of(self, sizes: Sequence[int]) -> tuple[str, ...] | None:
        """The MD5s of its pieces of these sizes, if the source shows them."""
        layout = self.layout
        return layout.md5s if layout is not None and layout.md5s and tuple(sizes) == layout.sizes else None

    def changed(self, detail: str) -> SourceError:
        """The error for an object whose bytes are not those of one version."""
        return SourceError(self._path, "changed", detail)


class RemoteOpener:
    """Makes bodies out of a source's objects. In place of `BodyOpener`."""

    def __init__(
        self,
        fetch: Fetch,
        read: Read,
        options: BodyOptions,
        emit: Emit,
        *,
        fits: Fits,
        layout_of: LayoutOf,
        large_above: int,
    ) -> None:
        """`layout_of` gives the parts of an object that is large, was sent in parts, or has more than `large_above`
        bytes."""
        self._large_above = large_above
        self._fetch = fetch
        self._read = read
        self._most = min(options.buffer_size, large_above)
        self._emit = emit
        self._fits = fits
        self._layout_of = layout_of
        self._has_told_odd = False

    def open_at_once(self, source: SourceFile) -> None:
        """Does nothing: a request takes its time."""

    async def open(self, source: SourceFile) -> WholeObject | StreamedObject:
        """The object as it is now. A small one is read: then a PUT that is repeated reads it no second time.

        Raises SourceError if it is gone or cannot be read, and StoreError.
        """
        listed = _listed(source)
        with doing("reading"):
            seen = await self._seen(listed)
        if seen is None:
            raise SourceError(
                source.path, "vanished", _NOT_THERE if is_unknown(listed) else "it was there when it was listed"
            )
        if seen.row.bytes is None:
            raise SourceError(source.path, "unreadable", "its length is not known, so a complete read cannot be proven")
        seen = replace(seen, headers=with_mtime(self._fits(seen.row, seen.headers)))
        version = version_of(seen, listed, seen.headers.mtime_ns)
        data = b"" if seen.row.bytes == 0 else seen.data
        if data is not None and seen.row.large is None:
            data = await self._proven(source.path, seen, data)
            return WholeObject(version, data, hashlib.md5(data, usedforsecurity=False).hexdigest(), seen)
        row, size = seen.row, version.size
        has_parts = row.large is not None or size > self._large_above or composite_of(row.hash) is not None
        return StreamedObject(
            source.path,
            self._read,
            seen,
            version,
            layout=await self._layout_of(row) if has_parts else None,
            sent=lambda count, read_s: self._emit(Streaming(source.path, count, read_s, size)),
            tell_odd=self._tell_odd,
        )

    async def _proven(self, path: bytes, seen: Fetched, data: bytes) -> bytes:
        """The bytes of a plain object, compared with the ETag of its parts, if it has one and the sizes of the parts
        are known; `Fetch` has compared any other ETag. Bytes that do not fit are read again. Raises IntegrityError,
        SourceError."""
        row = seen.row
        if (etag := composite_of(row.hash)) is None:
            return data
        layout = Layout(sizes=(len(data),), etag=etag) if parts_in(row.hash) == 1 else await self._layout_of(row)
        if layout is None:
            return data
        for _ in range(_READINGS - 1):
            if _fits(layout, data):
                return data
            again = await self._fetch(row.name, self._most)
            if again is None or again.data is None or again.version != seen.version:
                raise SourceError(path, "changed", "it was overwritten while it was copied")
            if again.data == data and _may_be_random(etag):
                self._tell_odd()
                return data
            data = again.data
        if not _fits(layout, data):
            raise IntegrityError("get", row.name, _OTHER_BYTES, expected=row.hash)
        return data

    def _tell_odd(self) -> None:
        if not self._has_told_odd:
            self._has_told_odd = True
            self._emit(Warned(_ODD))

    async def _seen(self, listed: RemoteObject) -> Fetched | None:
        """What one request shows. A row of no bytes may be that of a link or of a large object of any size."""
        is_small = listed.large is None and (0 < (listed.bytes or 0) <= self._most or is_unknown(listed))
        seen = await self._fetch(listed.name, self._most if is_small else 0)
        if seen is None or is_small or seen.row.large is not None or not 0 < (seen.row.bytes or 0) <= self._most:
            return seen
        return await self._fetch(listed.name, self._most)

    def upload_of(self, upload: Upload, opened: WholeObject | StreamedObject) -> Upload:
        """The upload with the object's own headers, as far as no others are given, and with the version that is
        sent."""
        seen, listed = opened.seen, _listed(upload.source)
        headers = replace(with_given(seen.headers, upload.headers), mtime_ns=opened.version.mtime_ns)
        now = listed if is_same(listed, seen.row) else seen.row
        return replace(upload, headers=headers, source=replace(upload.source, remote=now))

    def close(self) -> None:
        """Does nothing: the source has an owner."""


def _may_be_random(etag: str | None) -> bool:
    return parts_in(etag) == 1


def _fits(layout: Layout, data: bytes) -> bool:
    pieces = Pieces(layout.sizes)
    pieces.update(data)
    return layout.is_of(pieces.digests())


def version_of(seen: Fetched, listed: RemoteObject, mtime_ns: int | None = None) -> Version:
    """The version as a file's: its number stands in for an inode. A ctime in whole seconds tells no versions apart."""
    row = listed if is_same(listed, seen.row) and not is_unknown(listed) else seen.row
    if mtime_ns is None:
        mtime_ns = moment_ns(row.last_modified) or 0
    # nginx makes its ETags of size and time, in seconds: those do not tell one version from the next.
    changed_ns = 1 if md5_of(row.hash) is not None or composite_of(row.hash) is not None else 0
    return Version(0, state_of(row), seen.row.bytes or 0, mtime_ns, changed_ns, 1)


def _listed(source: SourceFile) -> RemoteObject:
    if source.remote is None:
        raise Unsupported("get", repr(source.path), "it is no object")
    return source.remote
