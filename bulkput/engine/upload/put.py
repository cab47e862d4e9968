"""Sends one file as one object."""

from collections.abc import Awaitable, Callable, Container
from typing import TYPE_CHECKING, Protocol, TypeVar

from bulkput.engine.upload.sent import Sent
from bulkput.errors import SourceError, Stopped, Unsupported
from bulkput.events import Emit, SegmentsLeft
from bulkput.model import Body, Skip, Upload
from bulkput.payload.body import StreamedFile, WholeFile
from bulkput.payload.in_memory import BytesBody
from bulkput.payload.source_body import Opened, Opener, is_streamed
from bulkput.policy.directories import MARKER_TYPE
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.engine.upload.if_exists import NewOnly
    from bulkput.engine.upload.large import LargeSender, LargeSent
    from bulkput.engine.upload.links import Links
    from bulkput.engine.upload.skip import Skipper
    from bulkput.payload.gzip_body import Packed, PackedStream, Packer
    from bulkput.payload.pipe import Pipe

S = TypeVar("S")
W_contra = TypeVar("W_contra", contravariant=True)
_EMPTY = BytesBody.of(b"")


class Send(Protocol[W_contra]):
    """A method of LargeSender."""

    async def __call__(self, upload: Upload, what: W_contra, /, *, below: str | None) -> "LargeSent": ...


class Putter:
    """Sends files, each as it is when it is opened, not as it was when the scan found it."""

    def __init__(
        self,
        store: Store,
        opener: Opener,
        packer: "Packer | None",
        skipper: "Skipper | None" = None,
        *,
        emit: Emit,
        new_only: "NewOnly | None" = None,
        large_above: int,
        open_large: "Callable[[], LargeSender]",
        open_pipe: "Callable[[Upload], Pipe]",
        in_parts: Container[bytes] = (),
        links: "Links | None" = None,
    ) -> None:
        """Without a packer files are sent uncompressed; without a skipper every file is sent; without `new_only` what
        is there is overwritten. Files of more than `large_above` bytes may be for the LargeSender. `in_parts`: the
        paths of files of which an earlier run may have left an upload in parts. `links` puts those of a
        source that has some."""
        self._links = links
        self._in_parts = in_parts
        self._new_only = new_only
        self._emit = emit
        self._large_above = large_above
        self._open_large = open_large
        self._open_pipe = open_pipe
        self._store = store
        self._opener = opener
        self._packer = packer
        self._skipper = skipper

    async def put(self, upload: Upload) -> Sent | Skip:
        """Send the file as it is now. If it changes while it is read, it is read and sent a second time.

        Returns a Skip if the store has the file already. Raises SourceError, StoreError, Stopped. The store never keeps
        a mixture of two versions: see `payload/body.py`.
        """
        for is_last in (False, True):
            try:
                return await (self._put_pipe(upload) if upload.source.is_pipe else self._put(upload, is_last=is_last))
            except SourceError as error:
                if is_last or error.problem != "changed" or upload.source.is_pipe:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _put(self, upload: Upload, *, is_last: bool) -> Sent | Skip:
        opener, source, new_only = self._opener, upload.source, self._new_only
        file: Opened | None = None
        left: SegmentsLeft | None = None
        if source.listed is not None and self._skipper is not None:
            skip, file, left, is_free = await self._skipper.examine(upload)
            if skip is not None:
                return skip
            if not is_free and new_only is not None and new_only.is_implied:
                new_only = None
        if is_last and new_only is not None and new_only.is_implied:
            new_only = None  # the version that was read first may be there
        if source.is_directory:
            return await self._sent(upload, None, self._put_directory, new_only)
        if self._links is not None and (linked := await self._put_link(self._links, upload, new_only)) is not None:
            return linked
        file = file or (None if is_last else opener.open_at_once(source)) or await opener.open(source)
        upload = opener.upload_of(upload, file)
        if source.remote is not None and self._is_marker(upload, file):
            return await self._sent(upload, None, self._put_directory, new_only)
        if new_only is not None:
            opened = file
            return await self._sent(upload, file, lambda upload: self._put_file(upload, lambda: opened), new_only)
        hand = [file]
        del file  # `_put_file` alone has it, and frees it
        sent = await self._put_file(upload, hand.pop)
        if left is not None and not sent.parts:  # else `_overwriting` has told it, without what the new object uses
            self._emit(left)
        return sent

    def _is_marker(self, upload: Upload, file: Opened) -> bool:
        """Whether another store's marker of a directory becomes a directory: as an object it would be in its way."""
        has_directories = self._store.powers.make_directory is not None
        return has_directories and file.size == 0 and upload.headers.content_type == MARKER_TYPE

    async def _put_link(self, links: "Links", upload: Upload, new_only: "NewOnly | None") -> Sent | Skip | None:
        """Put the link that the source is. None if it is none, or is to be an object."""
        while links.takes(upload.source):
            try:
                return await self._sent(upload, None, links.put, new_only)
            except Unsupported:
                links.give_up()
        return None

    async def _sent(
        self,
        upload: Upload,
        file: Opened | None,
        send: Callable[[Upload], Awaitable[Sent]],
        new_only: "NewOnly | None",
    ) -> Sent | Skip:
        """Await `send(upload)`, but overwrite nothing if that is not wanted."""
        if new_only is None:
            return await send(upload)
        looks_first = upload.source.is_pipe or (file is not None and file.size > self._large_above)
        return await new_only.put(upload, file, send, looks_first=looks_first)

    async def _put_file(self, upload: Upload, take: Callable[[], Opened]) -> Sent:
        """Send the file that `take` gives. A small one whose compressed stream is sent is freed before that."""
        file = take()
        size, mtime_ns = file.size, file.version.mtime_ns
        is_large = await self._is_large(file)
        packed = await self._packed(upload, file, is_large=is_large)
        compression = packed.compression if packed is not None else None
        in_parts: LargeSent | None = None
        if packed is not None and not isinstance(packed, tuple):
            in_parts = await self._overwriting(upload.key, self._open_large().send_stream, upload, packed)
        elif is_large and is_streamed(file):
            in_parts = await self._overwriting(upload.key, self._open_large().send_file, upload, file)
        if (done := in_parts) is not None:
            return Sent(done.upload, done.stored, size, mtime_ns, compression, done.parts, done.found_bytes)
        body: Body = file
        if self._packer is not None and isinstance(packed, tuple):
            upload, body = self._packer.upload_of(upload, packed), packed.body
        del file, packed
        stored = await self._store.put(upload.key, body, upload.headers)
        if upload.source.path in self._in_parts:
            await self._open_large().settle(upload)
        return Sent(upload, stored, size, mtime_ns, compression)

    async def _is_large(self, file: Opened) -> bool:
        """Whether the file is sent in parts."""
        if not is_streamed(file) or (file.size <= self._large_above and file.layout is None):
            return False
        return await self._open_large().takes(file.size, file.layout)

    async def _packed(self, upload: Upload, file: Opened, *, is_large: bool) -> "Packed | PackedStream | None":
        """What is sent of the file: a stream if its length need not be known beforehand, or must not matter. None: the
        file itself, as no file is compressed."""
        if self._packer is None or not isinstance(file, WholeFile | StreamedFile):
            return None
        if isinstance(file, StreamedFile) and (is_large or self._store.powers.needs_length):
            return await self._packer.streamed(upload, file)
        return await self._packer.packed(upload, file)

    async def _put_pipe(self, upload: Upload) -> Sent | Skip:
        """Send what comes out of a pipe, once. Raises SourceError if it is not what is expected."""
        return await self._sent(upload, None, self._put_stream, self._new_only)

    async def _put_stream(self, upload: Upload) -> Sent:
        pipe = self._open_pipe(upload)
        packed = self._packer.piped(upload, pipe) if self._packer is not None else None
        done = await self._overwriting(upload.key, self._open_large().send_stream, upload, packed or pipe)
        compression = packed.compression if packed is not None else None
        return Sent(done.upload, done.stored, pipe.size, upload.source.mtime_ns, compression, done.parts)

    async def _overwriting(self, key: str, send: "Send[S]", upload: Upload, what: S) -> "LargeSent":
        """Await `send(upload, what)`, and emit which segments are left of a large object that it overwrites."""
        from bulkput.engine.upload.overwritten import segments_before, without_its_own  # noqa: PLC0415

        left = await segments_before(self._store, key)
        done = await send(upload, what, below=left.below if left is not None else None)
        if left is not None:
            try:
                left = await without_its_own(self._store, left)
            except Stopped:  # the object is stored, and may use some of them
                left = SegmentsLeft(key)
        if left is not None:
            self._emit(left)
        return done

    async def _put_directory(self, upload: Upload) -> Sent:
        """Make the directory if the store has directories (WebDAV), else put an empty object as its marker."""
        if (make_directory := self._store.powers.make_directory) is not None:
            stored = await make_directory(upload.key)
        else:
            stored = await self._store.put(upload.key, _EMPTY, upload.headers)
        return Sent(upload, stored, 0, 0, None)
