"""Large objects of one bucket: multipart uploads.

S3 names an upload by an id that it makes up, and shows of it the key and the time at which it was begun, nothing else.
So an upload that an earlier run has left is found by its key, and its parts prove themselves: by their ETags, which are
their MD5s, against the bytes of the file (`engine/upload/generation.py`). What the object will have in its headers was
said when that upload was begun, and cannot be seen before it is complete: it is compared afterwards, and corrected by
a copy onto itself. An upload with fields that cannot be seen at all (an ACL, tags, keys) is begun afresh.

An upload that is gone is begun again in silence: somebody has aborted or completed it, or a rule of the bucket has.
Then `complete` names the parts that are missing.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING

from bulkput.errors import Exists, IntegrityError, PartsRefused, StoreError, Unavailable
from bulkput.model import Body, LargeUpload, ObjectHeaders, Stored, StoredPart, UnfinishedUpload
from bulkput.payload.digest import DigestingBody
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.etag import composite_etag, md5_of
from bulkput.stores.s3.errors import code_of, error_of, request_id_of
from bulkput.stores.s3.requests import Request
from bulkput.stores.s3.wire_format import complete_request, etag_of, length, parsed, query_of
from bulkput.transport.base import Answer

if TYPE_CHECKING:
    from bulkput.stores.s3.store import S3Store

_COMPLETE_WORK = 64 * 1024
"""Bytes that each part adds to the deadline of the completion: a second, at the rate used for deadlines."""
_MAX_PAGE = 4 * 1024 * 1024
_ENCODED = r"(?:[A-Za-z0-9._~/*!$'()|-]|%[0-9A-Fa-f]{2})*"
"""A key as Ceph's gateway encodes it (src/rgw/rgw_common.cc, char_needs_url_encoding)."""
_REFUSED = ("InvalidPart", "InvalidPartOrder", "NoSuchUpload")
"""The parts are not those that the completion names, or the upload is gone."""


class Multipart:
    """Sends objects of the bucket of `store` in parts: see `stores/powers.py:LargeObjects`."""

    def __init__(self, store: "S3Store") -> None:
        self._store = store
        self._ask = store.requests.ask
        self._ids: dict[str, str] = {}
        """The store's id of each upload that this process works on, by our own."""
        self._found: set[str] = set()
        """Ids of uploads that an earlier run has begun."""
        self._taken: set[str] = set()
        """Ids that belong, or have belonged, to an upload of this process."""
        self._etags: dict[tuple[str, int], tuple[str, str, str]] = {}
        """MD5, ETag and checksum of the parts, by the store's id and the number."""
        self._beginning = asyncio.Lock()

    async def begin(self, key: str, version: str, headers: ObjectHeaders) -> LargeUpload:
        """Sends nothing: the upload is begun with its first part, unless `list_parts` finds an earlier one."""
        return LargeUpload(key, f"{self._store.bucket}/{key}#{version}", headers)

    async def list_parts(self, upload: LargeUpload) -> tuple[StoredPart, ...]:
        async with self._beginning:
            if upload.id in self._ids:
                return await self._parts_of_ours(upload)
            if not self._store.can_be_resumed(upload.headers):
                return ()
            earlier = [each async for each in self.unfinished(upload.key) if each.key == upload.key]
            for each in sorted(earlier, key=lambda each: each.begun, reverse=True):
                if each.id not in self._taken and (parts := await self.parts_of(each.key, each.id)):
                    self._ids[upload.id] = each.id
                    self._taken.add(each.id)
                    self._found.add(each.id)
                    return parts
        return ()

    async def _parts_of_ours(self, upload: LargeUpload) -> tuple[StoredPart, ...]:
        return await self.parts_of(upload.key, self._ids[upload.id]) or ()

    async def parts_of(self, key: str, upload_id: str) -> tuple[StoredPart, ...] | None:
        """The parts of an upload; None if it is gone."""
        found: list[StoredPart] = []
        marker = "0"
        while True:
            query = query_of(uploadId=upload_id, part_number_marker=marker)
            answer = await self._ask("list parts", Request("GET", key, query=query, max_answer=_MAX_PAGE))
            if answer.status == 404 and code_of(answer) != "NoSuchBucket":  # Ceph's gateway 16 says NoSuchKey
                return None
            if answer.status != 200:
                raise error_of("list parts", key, answer)
            root = parsed(answer.body, "list parts", key)
            for part in root.iter("Part"):
                number, size = int(part.findtext("PartNumber") or 0), int(part.findtext("Size") or 0)
                etag = (part.findtext("ETag") or "").strip('"')
                md5 = md5_of(etag) or ""
                known = self._etags.get((upload_id, number))
                if known is not None and known[1] == etag:
                    md5 = known[0]
                found.append(StoredPart(number, size, md5, _time(part.findtext("LastModified"))))
            following = root.findtext("NextPartNumberMarker") or ""
            if root.findtext("IsTruncated") != "true" or following == marker:
                return tuple(sorted(found, key=lambda part: part.number))
            marker = following

    async def send_part(self, upload: LargeUpload, number: int, body: Body) -> StoredPart:
        store, key = self._store, upload.key
        upload_id = await self._id_of(upload)
        said = await store.checksums.of(body)
        digesting = None if said.md5 is not None else DigestingBody(body)
        fields = {**said.fields, **store.customer_key}
        query = query_of(partNumber=str(number), uploadId=upload_id)
        answer = await self._ask("part", Request("PUT", key, fields, query, payload=said.payload), digesting or body)
        md5 = said.md5 if digesting is None else await digesting.sent_md5()
        if answer.status == 404 and code_of(answer) == "NoSuchUpload":
            self._forget(upload)
            raise Unavailable("part", key, f"the upload is gone, and begun again (part {number})", status=404)
        if answer.status != 200 or md5 is None:
            raise error_of("part", key, answer, sent_md5=md5).about(key, f" (part {number})")
        etag = etag_of(answer.headers) or ""
        if md5_of(etag) != md5 and not store.has_opaque_etag(answer.headers):
            raise IntegrityError(
                "part", key, expected=md5, actual=etag, status=200, request_id=request_id_of(answer.headers)
            )
        name, value = said.sent or ("", "")
        self._etags[upload_id, number] = md5, etag, f"{name}={value}" if name else ""
        return StoredPart(number, body.size or 0, md5)

    async def _id_of(self, upload: LargeUpload) -> str:
        """The store's id of the upload, which is begun if it is not yet."""
        async with self._beginning:
            if upload.id not in self._ids:
                self._ids[upload.id] = await self.create(upload.key, self._store.rendered(upload.headers))
                self._taken.add(self._ids[upload.id])
            return self._ids[upload.id]

    async def create(self, key: str, fields: Mapping[str, str], *, bucket: str | None = None) -> str:
        """Begin an upload of an object with these header fields, without a condition: that belongs to its end."""
        fields = {name: value for name, value in fields.items() if name != "If-None-Match"}
        if bucket is None and (algorithm := self._store.checksums.algorithm) is not None:
            fields["x-amz-checksum-algorithm"] = algorithm
        answer = await self._ask("begin", Request("POST", key, fields, "uploads=", bucket=bucket))
        if answer.status != 200:
            raise error_of("begin", key, answer)
        upload_id = parsed(answer.body, "begin", key).findtext("UploadId")
        if not upload_id:
            raise StoreError("begin", key, "the answer names no upload", status=200)
        return upload_id

    async def complete(self, upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
        key, ordered = upload.key, sorted(parts, key=lambda part: part.number)
        upload_id = self._ids.get(upload.id)
        if upload_id is None:
            raise _parts_refused(key, ordered, [part.number for part in ordered])
        await self._check_condition(key, headers)
        named = [(part.number, *self._named(upload_id, part)) for part in ordered]
        expected = composite_etag([part.md5 for part in ordered])
        size = sum(part.size for part in ordered)
        etag, request_id = await self.completed(
            key, upload_id, named, self._store.customer_key | _condition(headers), moves=len(ordered)
        )
        if etag is None:  # refused
            if await self._is_complete(key, expected, size):  # by an attempt whose answer was lost
                return Stored(key, size, expected, None)
            raise await self._refused(upload, ordered)
        if etag != expected and not await self._is_complete(key, expected, size):
            detail = f"composed of parts whose ETag together is {expected}, the store answered {etag}"
            raise IntegrityError("put", key, detail, expected=expected, actual=etag, status=200, request_id=request_id)
        if upload_id in self._found:
            await self._store.correct(key, headers, size)
        self._forget(upload)
        return Stored(key, size, expected, request_id)

    async def _check_condition(self, key: str, headers: ObjectHeaders) -> None:
        """Raises Exists if the object is there, and nothing is to be overwritten. Amazon looks itself; Ceph's gateway
        knows the condition in a PUT, and ignores it in a completion."""
        if headers.only_new and not self._store.is_amazons and await self._store.head(key) is not None:
            raise Exists("put", key, "an object of this name is there already", status=412)

    def _named(self, upload_id: str, part: StoredPart) -> tuple[str, str]:
        """The ETag of a part, and its checksum as NAME=VALUE."""
        known = self._etags.get((upload_id, part.number))
        return (known[1], known[2]) if known is not None and known[0] == part.md5 else (part.md5, "")

    async def completed(
        self,
        key: str,
        upload_id: str,
        parts: Sequence[tuple[int, str, str]],
        fields: Mapping[str, str],
        *,
        moves: int,
        bucket: str | None = None,
    ) -> tuple[str | None, str | None]:
        """Complete an upload of parts (number, ETag, checksum). The ETag of the object and the request's id; no ETag
        if the store refuses the parts. Raises StoreError, also for an error that comes with a 200."""
        body = complete_request(parts)
        request = Request(
            "POST",
            key,
            {"Content-Type": "application/xml", **fields},
            query_of(uploadId=upload_id),
            payload=hashlib.sha256(body).hexdigest(),
            moves=moves * _COMPLETE_WORK,
            bucket=bucket,
        )
        answer = await self._ask("complete", request, BytesBody.of(body))
        if code_of(answer) in _REFUSED:
            return None, None
        if answer.status != 200 or b"<Error" in answer.body:
            raise error_of("put", key, answer)
        root = parsed(answer.body, "put", key)
        return (root.findtext("ETag") or "").strip('"'), request_id_of(answer.headers)

    async def _is_complete(self, key: str, etag: str, size: int) -> bool:
        """Whether a HEAD shows the object that was to be composed. Of one whose ETag proves nothing, whether its parts
        have this size: the store has checked each when it came."""
        head = await self._store.head(key)
        if head is None or length(head) != size:
            return False
        return etag_of(head) == etag or self._store.has_opaque_etag(head)

    async def _refused(self, upload: LargeUpload, parts: Sequence[StoredPart]) -> StoreError:
        """The error for parts that the store does not compose: it names those that are not there any more."""
        there = {part.number: part for part in await self._parts_of_ours(upload)}
        wrong = [part.number for part in parts if not _is(part, there.get(part.number))]
        if not wrong:  # it has others besides, of an earlier run: some stores compose only all of them
            await self.abort(upload)
            wrong = [part.number for part in parts]
        if not there:
            self._forget(upload)
        return _parts_refused(upload.key, parts, wrong)

    async def abort(self, upload: LargeUpload) -> None:
        if (upload_id := self._ids.get(upload.id)) is not None:
            await self.abort_unfinished(upload.key, upload_id)
            self._forget(upload)

    async def abort_unfinished(self, key: str, upload_id: str, *, bucket: str | None = None) -> bool:
        """Remove an upload with its parts. False if it is not there."""
        request = Request("DELETE", key, query=query_of(uploadId=upload_id), bucket=bucket)
        answer = await self._ask("abort", request)
        if answer.status not in (200, 204, 404):
            raise error_of("abort", key, answer)
        return answer.status != 404

    def _forget(self, upload: LargeUpload) -> None:
        upload_id = self._ids.pop(upload.id, None)
        self._etags = {which: what for which, what in self._etags.items() if which[0] != upload_id}

    async def unfinished(self, prefix: str) -> AsyncGenerator[UnfinishedUpload, None]:
        """Uploads whose keys begin with the prefix, in the order of the keys, by ListMultipartUploads."""
        markers: dict[str, str] = {}
        while True:
            query = query_of(uploads="", prefix=prefix, encoding_type="url", **markers)
            answer = await self._ask("list", Request("GET", query=query, max_answer=_MAX_PAGE))
            if answer.status != 200:
                raise error_of("list", prefix or self._store.bucket, answer)
            rows, following = _uploads(answer)
            for row in rows:
                yield row
            if following is None or following == markers:
                return
            markers = following

    async def part_sizes(self, key: str) -> tuple[int, ...] | None:
        """By HEADs of the first part, which tells its size and the number of all, and of the last: if that has what is
        left, all are taken to be equal but for it. Stores that ignore the number show the whole object."""
        head = await self._store.head(key, query="partNumber=1")
        if head is None:
            return None
        count, first = head.get("x-amz-mp-parts-count", ""), length(head)
        total = head.get("Content-Range", "").rpartition("/")[2]
        if not (count.isdigit() and total.isdigit() and first):
            return None
        last = int(total) - first * (int(count) - 1)
        if not 0 < last <= first:
            return None
        if int(count) > 2:
            end = await self._store.head(key, query=query_of(partNumber=count))
            if end is None or length(end) != last:
                return None
        return (first,) * (int(count) - 1) + (last,)


def _uploads(answer: Answer) -> tuple[list[UnfinishedUpload], dict[str, str] | None]:
    """The uploads of a page, and where the next one begins.

    Ceph's gateway (seen with 16) encodes the keys as it is asked to, and not the marker, and does not say so. A key
    that could be an encoded one is taken for that.
    """
    from urllib.parse import unquote_plus  # noqa: PLC0415

    root = parsed(answer.body, "list", "")
    is_encoded = root.findtext("EncodingType") == "url"
    rows = []
    for each in root.iter("Upload"):
        key, upload_id, begun = (each.findtext(tag) or "" for tag in ("Key", "UploadId", "Initiated"))
        key = unquote_plus(key) if is_encoded or re.fullmatch(_ENCODED, key) else key
        rows.append(UnfinishedUpload(key, upload_id, _time(begun)))
    if root.findtext("IsTruncated") != "true":
        return rows, None
    marker = root.findtext("NextKeyMarker") or ""
    return rows, {
        "key_marker": unquote_plus(marker) if is_encoded else marker,
        "upload_id_marker": root.findtext("NextUploadIdMarker") or "",
    }


def _time(text: str | None) -> str:
    return (text or "").removesuffix("Z")


def _is(part: StoredPart, there: StoredPart | None) -> bool:
    return there is not None and (part.size, part.md5) == (there.size, there.md5)


def _condition(headers: ObjectHeaders) -> dict[str, str]:
    return {"If-None-Match": "*"} if headers.only_new else {}


def _parts_refused(key: str, parts: Sequence[StoredPart], wrong: Sequence[int]) -> PartsRefused:
    detail = f"part {wrong[0]} of {len(parts)} is gone or is not what was sent"
    return PartsRefused("put", key, detail, numbers=tuple(wrong), status=None)
