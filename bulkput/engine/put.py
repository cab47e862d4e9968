"""One file into one object."""

from dataclasses import replace

from bulkput.errors import SourceError
from bulkput.model import ObjectHeaders, Stored, Upload
from bulkput.payload.body import BodyOpener, FileBody
from bulkput.stores.base import Store


async def put_file(upload: Upload, store: Store, opener: BodyOpener) -> tuple[Stored, FileBody]:
    """Send the file as it is now; one that changes while it is read is read and sent once more.

    Returns the store's receipt, and the body that it is for.

    Raises SourceError and StoreError. The store never keeps a mixture of two versions: see `payload/body.py`.
    """
    try:
        body = opener.open_at_once(upload.source) or await opener.open(upload.source)
        return await store.put(upload.key, body, _described(upload, body)), body
    except SourceError as error:
        if error.problem != "changed":
            raise
    body = await opener.open(upload.source)
    return await store.put(upload.key, body, _described(upload, body)), body


def _described(upload: Upload, body: FileBody) -> ObjectHeaders:
    """Written to since it was found: what is sent is what counts."""
    headers, mtime_ns = upload.headers, body.version.mtime_ns
    return headers if headers.mtime_ns == mtime_ns else replace(headers, mtime_ns=mtime_ns)
