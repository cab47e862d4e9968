"""Tags of objects, by a request of their own (PutObjectTagging).

A PUT has its tags in a field. For an upload in parts Amazon takes that field when the upload is begun; Ceph's gateway
16 ignores it there. So at every other endpoint the tags are put once more when the object is complete.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
"""

import hashlib
from base64 import b64encode
from collections.abc import Container
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from bulkput.errors import StoreError
from bulkput.payload.in_memory import BytesBody
from bulkput.stores.s3.errors import error_of
from bulkput.stores.s3.requests import Request
from bulkput.stores.s3.wire_format import etag_of

if TYPE_CHECKING:
    from bulkput.stores.s3.store import S3Store

FIELD = "x-amz-tagging"
_NO_TAGS = f"; the object is stored without its tags ({FIELD})"
_ENTITIES = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def document_of(field: str) -> bytes:
    """The tags of the field, which is written as a query, as the body of a request.

    >>> document_of("team=a%26b&new=").decode().partition("<TagSet>")[2]
    '<Tag><Key>team</Key><Value>a&amp;b</Value></Tag><Tag><Key>new</Key><Value></Value></Tag></TagSet></Tagging>'
    """
    rows = "".join(
        f"<Tag><Key>{escape(name, _ENTITIES)}</Key><Value>{escape(value, _ENTITIES)}</Value></Tag>"
        for name, value in parse_qsl(field, keep_blank_values=True)
    )
    return f'<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>{rows}</TagSet></Tagging>'.encode()


async def put_tags(
    store: "S3Store",
    operation: str,
    key: str,
    document: bytes,
    *,
    etags: Container[str | None],
    bucket: str | None = None,
) -> None:
    """Give the object with one of these ETags these tags in place of its own, if a look just before shows that it is
    still that. S3 knows no condition for tags: an object that somebody stores in the milliseconds between gets them.
    Raises StoreError: `operation` has failed then."""
    head = await store.head(key, bucket=bucket)
    if head is None or etag_of(head) not in etags:
        raise StoreError(operation, key, f"another program has stored an object of this name meanwhile{_NO_TAGS}")
    md5 = hashlib.md5(document, usedforsecurity=False).digest()
    fields = {"Content-MD5": b64encode(md5).decode(), "Content-Type": "application/xml"}
    payload = hashlib.sha256(document).hexdigest()
    request = Request("PUT", key, fields, "tagging=", payload=payload, bucket=bucket)
    answer = await store.requests.ask(operation, request, BytesBody.of(document))
    if answer.status not in (200, 204):
        raise error_of(operation, key, answer).about(key, _NO_TAGS)
