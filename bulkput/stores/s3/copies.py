"""Copies that the store itself makes: in one request, and above 5 GiB in parts.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from bulkput.errors import NotFound, StoreError, Unavailable
from bulkput.model import Fields, ObjectHeaders, Stored
from bulkput.options import MIB
from bulkput.policy.etag import md5_of
from bulkput.policy.parts import Cut
from bulkput.stores.s3.encryption import of_source
from bulkput.stores.s3.errors import error_of, request_id_of
from bulkput.stores.s3.requests import Request
from bulkput.stores.s3.wire_format import etag_of, kept, meta_of, parsed, query_of

if TYPE_CHECKING:
    from bulkput.stores.s3.multipart import Multipart
    from bulkput.stores.s3.store import S3Store

_PART = 1024 * MIB
"""Bytes of a part of a copy: the store moves them itself, so large ones cost nothing."""
_AT_ONCE = 4


class Copies:
    """Copies objects of the bucket of `store`."""

    def __init__(self, store: "S3Store", multipart: "Multipart") -> None:
        self._store = store
        self._multipart = multipart
        self._ask = store.requests.ask

    async def copy(self, source: str, bucket: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        """See `Powers.copy`. Fields that are given make a HEAD of the source necessary: S3 keeps all or none."""
        is_whole = size <= self._store.limits.max_object_bytes
        if is_whole and headers == ObjectHeaders():
            return await self._in_one(source, bucket, key, {}, size)
        head = await self._head(source)
        fields = self._store.rendered(merged(kept(head), headers))
        if is_whole:
            return await self._in_one(source, bucket, key, {**fields, "x-amz-metadata-directive": "REPLACE"}, size)
        return await self._in_parts(source, (bucket, key), fields, size, etag_of(head) or "")

    async def correct(self, key: str, headers: ObjectHeaders, size: int) -> None:
        """Give the object these headers if it has others: it was sent by an upload that an earlier run has begun."""
        head = await self._head(key)
        wanted = self._store.rendered(headers)
        if all(_has(head, name, value) for name, value in wanted.items()) and len(meta_of(head)) == _count_meta(wanted):
            return
        fields = {**wanted, "x-amz-metadata-directive": "REPLACE"}
        fields.pop("If-None-Match", None)
        if size <= self._store.limits.max_object_bytes:
            await self._in_one(key, self._store.bucket, key, fields, size, etag=etag_of(head))
        else:
            await self._in_parts(key, (self._store.bucket, key), fields, size, etag_of(head) or "")

    async def _head(self, key: str) -> Mapping[str, str]:
        head = await self._store.head(key)
        if head is None:
            raise NotFound("copy", key, "it is not there", status=404)
        return head

    def _source(self, key: str) -> dict[str, str]:
        path = quote(f"{self._store.bucket}/{key}", safe="/~")
        return {"x-amz-copy-source": f"/{path}", **of_source(self._store.customer_key)}

    async def _in_one(
        self, source: str, bucket: str, key: str, fields: Mapping[str, str], size: int, *, etag: str | None = None
    ) -> Stored:
        condition = {"x-amz-copy-source-if-match": f'"{etag}"'} if etag else {}
        given = {**fields, **self._source(source), **condition, **self._store.customer_key}
        answer = await self._ask("copy", Request("PUT", key, given, moves=size, bucket=bucket))
        if answer.status != 200 or b"<Error" in answer.body:
            raise error_of("copy", source, answer)
        made = (parsed(answer.body, "copy", source).findtext("ETag") or "").strip('"')
        if not made:
            raise Unavailable("copy", source, "the answer does not say that a copy was made", status=200)
        is_opaque = self._store.has_opaque_etag(answer.headers)
        return Stored(key, size, None if is_opaque else md5_of(made), request_id_of(answer.headers))

    async def _in_parts(
        self, source: str, to: tuple[str, str], fields: Mapping[str, str], size: int, etag: str
    ) -> Stored:
        """`etag` is that of the source: a part of another version is refused."""
        bucket, key = to
        multipart = self._multipart
        fields = {name: value for name, value in fields.items() if name != "x-amz-metadata-directive"}
        upload_id = await multipart.create(key, fields, bucket=bucket)
        room = asyncio.Semaphore(_AT_ONCE)
        given = {**self._source(source), "x-amz-copy-source-if-match": f'"{etag}"', **self._store.customer_key}

        async def part(number: int, offset: int, length: int) -> tuple[int, str, str]:
            query = query_of(partNumber=str(number), uploadId=upload_id)
            ranged = {**given, "x-amz-copy-source-range": f"bytes={offset}-{offset + length - 1}"}
            async with room:
                answer = await self._ask("copy", Request("PUT", key, ranged, query, moves=length, bucket=bucket))
            if answer.status != 200 or b"<Error" in answer.body:
                raise error_of("copy", source, answer)
            return number, (parsed(answer.body, "copy", source).findtext("ETag") or "").strip('"'), ""

        tasks = [asyncio.create_task(part(each.number, each.offset, each.size)) for each in Cut(size, _PART)]
        try:
            parts = await asyncio.gather(*tasks)
            made, request_id = await multipart.completed(
                key, upload_id, parts, self._store.customer_key, moves=len(parts), bucket=bucket
            )
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.shield(multipart.abort_unfinished(key, upload_id, bucket=bucket))
            raise
        if made is None:
            raise StoreError("copy", source, "the store does not compose the parts that it has copied")
        return Stored(key, size, None, request_id)


def merged(own: ObjectHeaders, given: ObjectHeaders) -> ObjectHeaders:
    """The object's own headers, with those that are given in their place: metadata and other fields name by name."""
    return replace(
        given,
        content_type=given.content_type or own.content_type,
        encoding=given.encoding or own.encoding,
        cache_control=given.cache_control or own.cache_control,
        storage_class=given.storage_class or own.storage_class,
        meta=_overlaid(own.meta, given.meta, is_without=given.mtime_ns is not None),
        extra=_overlaid(own.extra, given.extra),
    )


def _overlaid(own: Fields, given: Fields, *, is_without: bool = False) -> Fields:
    """`is_without`: the time among the own metadata is replaced."""
    names = {name.lower() for name, _ in given} | ({"mtime"} if is_without else set())
    return tuple((name, value) for name, value in own if name.lower() not in names) + given


def _has(head: Mapping[str, str], name: str, value: str) -> bool:
    """Whether the answer to a HEAD has the field; one that a HEAD does not show counts as there."""
    shown = {field.lower(): text for field, text in head.items()}
    if name.lower().startswith("x-amz-meta-"):
        return meta_of({name: value})[0] in meta_of(head)
    if name in ("Content-Type", "Content-Encoding", "Cache-Control"):
        return shown.get(name.lower()) == value
    return True


def _count_meta(fields: Mapping[str, str]) -> int:
    return sum(name.lower().startswith("x-amz-meta-") for name in fields)
