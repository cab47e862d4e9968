"""One file into one object."""

from dataclasses import replace
from typing import NamedTuple

from bulkput.errors import SourceError
from bulkput.model import Compression, Stored, Upload
from bulkput.options import GzipOptions
from bulkput.payload.body import BodyOpener, FileBody
from bulkput.payload.pack import Packed, Packer
from bulkput.policy.original import ENCODING, SUFFIX, SUFFIX_TYPE
from bulkput.stores.base import Store


class Sent(NamedTuple):
    """What became of an upload: as it was sent, the store's receipt, and the version of the file that it is for."""

    upload: Upload
    stored: Stored
    size: int
    mtime_ns: int
    compression: Compression | None


class Putter:
    """Sends files, each as it is when its turn comes."""

    def __init__(self, store: Store, opener: BodyOpener, packer: Packer | None, options: GzipOptions) -> None:
        """Without a packer every object is its file."""
        self._store = store
        self._opener = opener
        self._packer = packer
        self._options = options

    async def put(self, upload: Upload) -> Sent:
        """Send the file as it is now; one that changes while it is read is read and sent once more.

        Raises SourceError and StoreError. The store never keeps a mixture of two versions: see `payload/body.py`.
        """
        try:
            return await self._sent(upload, self._opener.open_at_once(upload.source))
        except SourceError as error:
            if error.problem != "changed":
                raise
        return await self._sent(upload, None)

    async def _sent(self, upload: Upload, file: FileBody | None) -> Sent:
        file = file or await self._opener.open(upload.source)
        upload = _described(upload, file)
        if self._packer is None:
            stored = await self._store.put(upload.key, file, upload.headers)
            return Sent(upload, stored, file.size, file.version.mtime_ns, None)
        packed = await self._packer.packed(upload, file)
        upload = as_packed(upload, packed, self._options)
        size, mtime_ns = file.size, file.version.mtime_ns
        del file  # a small one is in memory
        stored = await self._store.put(upload.key, packed.body, upload.headers)
        return Sent(upload, stored, size, mtime_ns, packed.compression)


def as_packed(upload: Upload, packed: Packed, options: GzipOptions) -> Upload:
    """The upload as its body wants it: under which name, and what stands beside it."""
    if packed.original is None:
        return upload
    headers = replace(upload.headers, meta=(*upload.headers.meta, *packed.original.as_fields()))
    if options.store_as == "encoding":
        return replace(upload, headers=replace(headers, encoding=ENCODING))
    # Where all objects get the suffix, the plan has given it to them.
    key = upload.key + SUFFIX if options.suffixed == "some" else upload.key
    return replace(upload, key=key, headers=replace(headers, content_type=SUFFIX_TYPE))


def _described(upload: Upload, file: FileBody) -> Upload:
    """Written to since it was found: what is sent is what counts."""
    headers, mtime_ns = upload.headers, file.version.mtime_ns
    return upload if headers.mtime_ns == mtime_ns else replace(upload, headers=replace(headers, mtime_ns=mtime_ns))
