"""Uploads in parts, request by request: begun, listed, completed, aborted.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import hashlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus

from bulkput.errors import StoreError, Unavailable
from bulkput.model import UnfinishedUpload
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.etag import composite_etag, md5_of
from bulkput.record import record
from bulkput.stores.s3.errors import code_of, error_of, request_id_of
from bulkput.stores.s3.requests import BucketRequests, Request
from bulkput.stores.s3.wire_format import complete_request, parsed, query_of
from bulkput.transport.base import Answer

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_COMPLETE_WORK = 64 * 1024
"""Bytes that each part adds to the deadline of the completion: a second, at the rate used for deadlines."""
_MAX_PAGE = 4 * 1024 * 1024
_ENCODED = r"(?:[A-Za-z0-9._~/*!$'()|-]|%[0-9A-Fa-f]{2})*"
"""A key as Ceph's gateway encodes it (src/rgw/rgw_common.cc, char_needs_url_encoding)."""
_IN_PLACE = "the list goes on at the same place for ever"
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
            root = _page_of(answer, "ListParts", "list parts", key)
            found += [_shown(part, key) for part in root.iter("Part")]
            if not _goes_on(root, "list parts", key):
                return tuple(sorted(found, key=lambda part: part.number))
            following = root.findtext("NextPartNumberMarker") or ""
            if following == marker:
                raise Unavailable("list parts", key, _IN_PLACE)
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
        if is_gone(answer):
            return False
        if answer.status not in (200, 204):
            raise error_of("abort", key, answer)
        return True

    async def unfinished(self, prefix: str) -> AsyncGenerator[UnfinishedUpload, None]:
        """Uploads whose keys begin with the prefix, by ListMultipartUploads, page by page, in the store's order. Amazon
        sorts by key, and by time within one; Ceph's gateway 16 sorts names in which something follows the key, and so
        lists a-b before a."""
        markers: dict[str, str] = {}
        while True:
            query = query_of(uploads="", prefix=prefix, encoding_type="url", **markers)
            answer = await self._ask("list", Request("GET", query=query, max_answer=_MAX_PAGE))
            rows, following = _page(answer, prefix or self._bucket)
            for row in rows:
                yield row
            if following is None:
                return
            if following == markers:
                raise Unavailable("list", prefix or self._bucket, _IN_PLACE)
            markers = following


def etag_of_parts(parts: Sequence[NamedPart]) -> str | None:
    """The ETag of an object of parts with these ETags, which are not always MD5s of their bytes (KMS); None if one
    cannot be one. Objects of other parts do not have it."""
    md5s = [md5_of(part.etag) for part in parts]
    return composite_etag([md5 for md5 in md5s if md5 is not None]) if None not in md5s else None


def is_gone(answer: Answer) -> bool:
    """Whether the upload that a request was about is not there any more. Ceph's gateway 16 says NoSuchKey."""
    return answer.status == 404 and code_of(answer) in ("NoSuchUpload", "NoSuchKey")


def _page_of(answer: Answer, name: str, operation: str, key: str) -> "Element":
    """The root of a page of a list, whose name begins with `name`: most say ListPartsResult, moto ListPartsOutput.
    Raises StoreError for everything else, also if it comes with a 200."""
    if answer.status != 200 or b"<Error" in answer.body:
        raise error_of(operation, key, answer)
    root = parsed(answer.body, operation, key)
    if not root.tag.startswith(name):
        raise Unavailable(operation, key, "the answer is not a list of S3", status=200)
    return root


def _goes_on(root: "Element", operation: str, key: str) -> bool:
    """Whether another page follows. Raises Unavailable if the page does not say: what it does not name might be alive,
    and taken for dead."""
    match root.findtext("IsTruncated"):
        case "true":
            return True
        case "false":
            return False
    raise Unavailable(operation, key, "the answer does not say whether the list is complete", status=200)


def _shown(part: "Element", key: str) -> ShownPart:
    try:
        number, size = int(part.findtext("PartNumber") or ""), int(part.findtext("Size") or "")
    except ValueError:
        raise Unavailable("list parts", key, "the answer has a part without a number or a size", status=200) from None
    etag, modified = part.findtext("ETag") or "", part.findtext("LastModified") or ""
    return ShownPart(number, size, etag.strip('"'), modified.removesuffix("Z"))


def _page(answer: Answer, where: str) -> tuple[list[UnfinishedUpload], dict[str, str] | None]:
    """The uploads of a page, and where the next one begins. Raises StoreError.

    Ceph's gateway (seen with 16) encodes the keys as it is asked to, and not the marker, and does not say so. A key
    that could be an encoded one is taken for that.
    """
    root = _page_of(answer, "ListMultipartUploads", "list", where)
    is_encoded = root.findtext("EncodingType") == "url"
    rows = []
    for each in root.iter("Upload"):
        key, upload_id, begun = (each.findtext(tag) or "" for tag in ("Key", "UploadId", "Initiated"))
        key = unquote_plus(key) if is_encoded or re.fullmatch(_ENCODED, key) else key
        rows.append(UnfinishedUpload(key, upload_id, begun.removesuffix("Z")))
    if not _goes_on(root, "list", where):
        return rows, None
    marker = root.findtext("NextKeyMarker") or ""
    return rows, {
        "key_marker": unquote_plus(marker) if is_encoded else marker,
        "upload_id_marker": root.findtext("NextUploadIdMarker") or "",
    }
