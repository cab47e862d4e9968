"""Uploads in parts, request by request: begun, listed, completed, aborted.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import hashlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote_plus

from bulkput.errors import StoreError
from bulkput.model import UnfinishedUpload
from bulkput.payload.in_memory import BytesBody
from bulkput.record import record
from bulkput.stores.s3.errors import code_of, error_of, request_id_of
from bulkput.stores.s3.requests import BucketRequests, Request
from bulkput.stores.s3.wire_format import complete_request, parsed, query_of
from bulkput.transport.base import Answer

_COMPLETE_WORK = 64 * 1024
"""Bytes that each part adds to the deadline of the completion: a second, at the rate used for deadlines."""
_MAX_PAGE = 4 * 1024 * 1024
_ENCODED = r"(?:[A-Za-z0-9._~/*!$'()|-]|%[0-9A-Fa-f]{2})*"
"""A key as Ceph's gateway encodes it (src/rgw/rgw_common.cc, char_needs_url_encoding)."""
_REFUSED = ("InvalidPart", "InvalidPartOrder", "NoSuchUpload")
"""The parts are not those that the completion names, or the upload is gone."""


class NamedPart(NamedTuple):
    """A part as a completion names it: its ETag, and its checksum as NAME=VALUE if the store has told it."""

    number: int
    etag: str
    checksum: str = ""


@record
class ShownPart:
    """A part as the store lists it. `modified` is when it was stored, in ISO 8601 and UTC."""

    number: int
    size: int
    etag: str
    modified: str


@record
class Completed:
    """An object that the store has composed. `etag` is empty if the answer has none."""

    etag: str
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        return request_id_of(self.headers)


class Uploads:
    """Uploads to one bucket, unless a call names another."""

    def __init__(self, requests: BucketRequests, bucket: str) -> None:
        self._ask = requests.ask
        self._bucket = bucket

    async def create(
        self, key: str, fields: Mapping[str, str], *, algorithm: str | None = None, bucket: str | None = None
    ) -> str:
        """Begin an upload of an object with these header fields; gives its id. A condition is left out: it belongs to
        the completion. `algorithm` is that of the checksums that the parts will have."""
        fields = {name: value for name, value in fields.items() if name != "If-None-Match"}
        if algorithm is not None:
            fields["x-amz-checksum-algorithm"] = algorithm
        answer = await self._ask("begin", Request("POST", key, fields, "uploads=", bucket=bucket))
        if answer.status != 200 or b"<Error" in answer.body:
            raise error_of("begin", key, answer)
        upload_id = parsed(answer.body, "begin", key).findtext("UploadId")
        if not upload_id:
            raise StoreError("begin", key, "the answer names no upload", status=200)
        return upload_id

    async def parts(self, key: str, upload_id: str) -> tuple[ShownPart, ...] | None:
        """The parts of an upload, in the order of their numbers; None if it is gone."""
        found: list[ShownPart] = []
        marker = "0"
        while True:
            query = query_of(uploadId=upload_id, part_number_marker=marker)
            answer = await self._ask("list parts", Request("GET", key, query=query, max_answer=_MAX_PAGE))
            if is_gone(answer):
                return None
            if answer.status != 200:
                raise error_of("list parts", key, answer)
            root = parsed(answer.body, "list parts", key)
            for part in root.iter("Part"):
                number, size = int(part.findtext("PartNumber") or 0), int(part.findtext("Size") or 0)
                etag, modified = part.findtext("ETag") or "", part.findtext("LastModified") or ""
                found.append(ShownPart(number, size, etag.strip('"'), modified.removesuffix("Z")))
            following = root.findtext("NextPartNumberMarker") or ""
            if root.findtext("IsTruncated") != "true" or following == marker:
                return tuple(sorted(found, key=lambda part: part.number))
            marker = following

    async def complete(
        self,
        key: str,
        upload_id: str,
        parts: Sequence[NamedPart],
        fields: Mapping[str, str],
        *,
        bucket: str | None = None,
    ) -> Completed | None:
        """Compose the object of parts in their order. None if the store refuses the parts, or the upload is gone.
        Raises StoreError, also for an error that comes with a 200."""
        body = complete_request(parts)
        request = Request(
            "POST",
            key,
            {"Content-Type": "application/xml", **fields},
            query_of(uploadId=upload_id),
            payload=hashlib.sha256(body).hexdigest(),
            moves=len(parts) * _COMPLETE_WORK,
            bucket=bucket,
        )
        answer = await self._ask("complete", request, BytesBody.of(body))
        if code_of(answer) in _REFUSED:
            return None
        if answer.status != 200 or b"<Error" in answer.body:
            raise error_of("put", key, answer)
        root = parsed(answer.body, "put", key)
        return Completed((root.findtext("ETag") or "").strip('"'), answer.headers)

    async def abort(self, key: str, upload_id: str, *, bucket: str | None = None) -> bool:
        """Remove an upload with its parts. False if it is not there."""
        answer = await self._ask("abort", Request("DELETE", key, query=query_of(uploadId=upload_id), bucket=bucket))
        if answer.status not in (200, 204, 404):
            raise error_of("abort", key, answer)
        return answer.status != 404

    async def unfinished(self, prefix: str) -> AsyncGenerator[UnfinishedUpload, None]:
        """Uploads whose keys begin with the prefix, in the store's order, by ListMultipartUploads."""
        markers: dict[str, str] = {}
        while True:
            query = query_of(uploads="", prefix=prefix, encoding_type="url", **markers)
            answer = await self._ask("list", Request("GET", query=query, max_answer=_MAX_PAGE))
            if answer.status != 200:
                raise error_of("list", prefix or self._bucket, answer)
            rows, following = _page(answer)
            for row in rows:
                yield row
            if following is None or following == markers:
                return
            markers = following


def is_gone(answer: Answer) -> bool:
    """Whether the upload that a request was about is not there any more. Ceph's gateway 16 says NoSuchKey."""
    return answer.status == 404 and code_of(answer) != "NoSuchBucket"


def _page(answer: Answer) -> tuple[list[UnfinishedUpload], dict[str, str] | None]:
    """The uploads of a page, and where the next one begins. Raises StoreError.

    Ceph's gateway (seen with 16) encodes the keys as it is asked to, and not the marker, and does not say so. A key
    that could be an encoded one is taken for that.
    """
    root = parsed(answer.body, "list", "")
    is_encoded = root.findtext("EncodingType") == "url"
    rows = []
    for each in root.iter("Upload"):
        key, upload_id, begun = (each.findtext(tag) or "" for tag in ("Key", "UploadId", "Initiated"))
        key = unquote_plus(key) if is_encoded or re.fullmatch(_ENCODED, key) else key
        rows.append(UnfinishedUpload(key, upload_id, begun.removesuffix("Z")))
    if root.findtext("IsTruncated") != "true":
        return rows, None
    marker = root.findtext("NextKeyMarker") or ""
    return rows, {
        "key_marker": unquote_plus(marker) if is_encoded else marker,
        "upload_id_marker": root.findtext("NextUploadIdMarker") or "",
    }
