"""Tags of objects, by a request of their own (PutObjectTagging).

A PUT has its tags in a field. For an upload in parts Amazon takes that field when the upload is begun; Ceph's gateway
16 ignores it there. So at every other endpoint the tags are put once more when the object is complete.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
"""

import hashlib
from base64 import b64encode
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from bulkput.payload.in_memory import BytesBody
from bulkput.stores.s3.errors import error_of
from bulkput.stores.s3.requests import BucketRequests, Request

FIELD = "x-amz-tagging"
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
    requests: BucketRequests, operation: str, key: str, document: bytes, *, bucket: str | None = None
) -> None:
    """Give the object these tags in place of its own. Raises StoreError if the store refuses: `operation` has failed
    then."""
    md5 = hashlib.md5(document, usedforsecurity=False).digest()
    fields = {"Content-MD5": b64encode(md5).decode(), "Content-Type": "application/xml"}
    payload = hashlib.sha256(document).hexdigest()
    request = Request("PUT", key, fields, "tagging=", payload=payload, bucket=bucket)
    answer = await requests.ask(operation, request, BytesBody.of(document))
    if answer.status not in (200, 204):
        raise error_of(operation, key, answer).about(key, f"; the object is stored without its tags ({FIELD})")
