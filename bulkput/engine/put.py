"""One file into one object."""

from dataclasses import replace

from bulkput.errors import SourceError
from bulkput.model import Stored, Upload
from bulkput.payload.body import BodyOpener
from bulkput.stores.base import Store


async def put_file(upload: Upload, store: Store, opener: BodyOpener) -> tuple[Stored, int]:
    """Send the file as it is now; one that changes while it is read is read and sent once more.

    Returns the store's receipt and the bytes read from disk.

    Raises SourceError and StoreError. The store never keeps a mixture of two versions: see `payload/body.py`.
    """
    try:
        return await _put_once(upload, store, opener)
    except SourceError as error:
        if error.problem != "changed":
            raise
    return await _put_once(upload, store, opener)


async def _put_once(upload: Upload, store: Store, opener: BodyOpener) -> tuple[Stored, int]:
    body = await opener.open(upload.source)
    headers = upload.headers
    if headers.mtime_ns != body.version.mtime_ns:  # written to since it was found: what is sent is what counts
        headers = replace(headers, mtime_ns=body.version.mtime_ns)
    return await store.put(upload.key, body, headers), body.size
