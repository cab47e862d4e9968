"""Reads an object of S3 with its headers, by one request."""

import hashlib
from typing import TYPE_CHECKING

from bulkput.errors import IntegrityError
from bulkput.payload.reading import Fetched, plain_md5, version_of
from bulkput.stores.s3.errors import error_of_reading
from bulkput.stores.s3.requests import Request
from bulkput.stores.s3.wire_format import kept

if TYPE_CHECKING:
    from bulkput.stores.s3.store import S3Store


async def fetch(store: "S3Store", key: str, most: int) -> Fetched | None:
    """See `payload/reading.py:Fetch`. A GET of the object, or a HEAD if no bytes are wanted."""
    if not most:
        head = await store.head(key)
        return None if head is None else Fetched(store.row(key, head), kept(head), version_of(head), None)
    request = Request("GET", key, store.customer_key, max_answer=most, moves=most)
    answer = await store.requests.ask("get", request)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise error_of_reading("get", key, answer)
    row = store.row(key, answer.headers)
    data, md5 = answer.body if row.bytes == len(answer.body) else None, plain_md5(row)
    if data is not None and md5 is not None:
        actual = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if actual != md5:
            raise IntegrityError("get", key, expected=md5, actual=actual, status=200)
    return Fetched(row, kept(answer.headers), version_of(answer.headers), data)
