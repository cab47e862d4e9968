"""Sends one file as one object."""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from bulkput.errors import SourceError
from bulkput.model import Body, Compression, Skip, Stored, Upload
from bulkput.payload.body import BodyOpener, FileBody
from bulkput.payload.in_memory import BytesBody
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.engine.upload.skip import Skipper
    from bulkput.events import SegmentsLeft
    from bulkput.payload.gzip_body import Packer

_EMPTY = BytesBody.of(b"")


class Sent(NamedTuple):
    """An upload as it was sent, the store's receipt, and size and mtime of the version of the file that was sent."""

    upload: Upload
    stored: Stored
    size: int
    mtime_ns: int
    compression: Compression | None


class Putter:
    """Sends files, each as it is when it is opened, not as it was when the scan found it."""

    def __init__(
        self, store: Store, opener: BodyOpener, packer: "Packer | None", skipper: "Skipper | None" = None
    ) -> None:
        """Without a packer files are sent uncompressed; without a skipper every file is sent."""
        self._store = store
        self._opener = opener
        self._packer = packer
        self._skipper = skipper

    async def put(self, upload: Upload) -> Sent | Skip:
        """Send the file as it is now. If it changes while it is read, it is read and sent a second time.

        Returns a Skip if the store has the file already. Raises SourceError, StoreError, Stopped. The store never keeps
        a mixture of two versions: see `payload/body.py`.
        """
        opener, packer, source = self._opener, self._packer, upload.source
        for is_last in (False, True):
            try:
                file: FileBody | None = None
                left: SegmentsLeft | None = None
                if source.listed is not None and self._skipper is not None:
                    skip, file, left = await self._skipper.examine(source, upload.key)
                    if skip is not None:
                        return skip
                if source.is_directory:
                    return Sent(upload, await self._put_directory(upload), 0, 0, None)
                file = file or (None if is_last else opener.open_at_once(source)) or await opener.open(source)
                sent = _with_mtime_of(upload, file)
                body: Body = file
                compression = None
                size, mtime_ns = file.size, file.version.mtime_ns
                if packer is not None:
                    packed = await packer.packed(sent, file)
                    sent, body, compression = packer.upload_of(sent, packed), packed.body, packed.compression
                del file  # frees the content of a small file, if its compressed stream is sent instead
                stored = await self._store.put(sent.key, body, sent.headers)
                if left is not None and self._skipper is not None:
                    self._skipper.overwrote(left)
                return Sent(sent, stored, size, mtime_ns, compression)
            except SourceError as error:
                if is_last or error.problem != "changed":
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _put_directory(self, upload: Upload) -> Stored:
        """Make the directory if the store has directories (WebDAV), else put an empty object as its marker."""
        if (make_directory := self._store.powers.make_directory) is not None:
            return await make_directory(upload.key)
        return await self._store.put(upload.key, _EMPTY, upload.headers)


def _with_mtime_of(upload: Upload, file: FileBody) -> Upload:
    """The upload with the mtime of the version that is sent: the file may have been written to since the scan."""
    headers, mtime_ns = upload.headers, file.version.mtime_ns
    return upload if headers.mtime_ns == mtime_ns else replace(upload, headers=replace(headers, mtime_ns=mtime_ns))
