"""Copies that the store itself makes: in one request, and above 5 GiB in parts.

A copy is made under the condition (`x-amz-copy-source-if-match`) that its source still has the ETag that a HEAD has
shown, and so the same bytes. Some stores ignore the condition (Ceph's gateway 16, moto), so after a copy in parts the
source is looked at again. The ETag of the copy is another one if the source was sent in other parts, or if the store
encrypts it with other keys; then a HEAD has to show the ETag that the copy was answered with, and its size.

No copy has the ACL of its source, as in S3 itself: that would be two requests more for each. A run says so once, if
something may be lost by it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

import asyncio
import shlex
from collections.abc import Awaitable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from enum import Enum, auto
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import quote

from bulkput.errors import IntegrityError, NotFound, StoreError, Unavailable, Unsupported, printable
from bulkput.model import Fields, ObjectHeaders, Stored
from bulkput.options import MIB
from bulkput.policy.parts import Cut, Part
from bulkput.record import record
from bulkput.stores.s3.encryption import of_source
from bulkput.stores.s3.errors import error_of, request_id_of
from bulkput.stores.s3.given_fields import blame, given, gives_acl
from bulkput.stores.s3.requests import Request
from bulkput.stores.s3.tags import FIELD as TAGS
from bulkput.stores.s3.tags import document_of, put_tags
from bulkput.stores.s3.uploads import NamedPart, Uploads, etag_of_parts
from bulkput.stores.s3.wire_format import etag_of, has_fields, is_owners, kept, length, own_encryption, parsed, query_of
from bulkput.transport.base import Answer

if TYPE_CHECKING:
    from bulkput.stores.s3.store import S3Store

_PART = 1024 * MIB
"""Bytes of a part of a copy: the store moves them itself, so large ones cost nothing."""
_AT_ONCE = 4
_ABORT_S = 5.0
"""Seconds that a copy which is cancelled takes at most to remove its parts."""
_REPLACE = {"x-amz-metadata-directive": "REPLACE"}
_REPLACE_TAGS = {"x-amz-tagging-directive": "REPLACE"}
_NO_ACL = (
    "copies do not have the ACLs of their sources, but what the store gives to new objects: name another by"
    " `headers.extra` x-amz-acl"
)
_ACL_OF_OTHERS = b"/groups/global/"
"""Part of the URIs of the groups to which an ACL can grant something."""


@record
class _Job:
    """A copy to be made: `etag` is that of the source, and `fields` are the headers of the copy."""

    source: str
    bucket: str
    key: str
    fields: Mapping[str, str] = field(repr=False)
    etag: str = ""


class _Acls(Enum):
    """What the look at the first copy's source has shown of ACLs."""

    DISABLED = auto()
    OWNERS = auto()
    """That object has none but the usual one, which gives everything to its owner. Others may have."""
    UNKNOWN = auto()


class Copies:
    """Copies objects of the bucket of `store`."""

    def __init__(self, store: "S3Store", uploads: Uploads) -> None:
        self._store = store
        self._uploads = uploads
        self._ask = store.requests.ask
        self._acls: _Acls | None = None
        """None before the first copy."""
        self._looking = asyncio.Lock()

    async def copy(self, source: str, bucket: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        """See `Powers.copy`. `size` is as listed; that of the HEAD decides."""
        try:
            made = await self._copied(source, bucket, key, headers)
        except StoreError as error:
            blame(error, headers)
            raise
        await self._tell_of_acls(source, headers)
        return made

    async def _copied(self, source: str, bucket: str, key: str, headers: ObjectHeaders) -> Stored:
        head = await self._head(source)
        own, etag = kept(head), etag_of(head) or ""
        own = replace(own, extra=own.extra + own_encryption(head))
        size = length(head) or 0
        is_whole = size <= self._store.limits.max_object_bytes
        if is_whole and headers == ObjectHeaders():
            # The store copies metadata, type and encoding, and leaves these out.
            extra = tuple((name, value) for name, value in own.extra if name.startswith("x-amz-"))
            apart = ObjectHeaders(storage_class=own.storage_class, extra=extra)
            made = await self._in_one(_Job(source, bucket, key, self._store.rendered(apart), etag), size)
        else:
            job = _Job(source, bucket, key, self._store.rendered(merged(own, headers)), etag)
            if is_whole:
                made = await self._in_one(job, size, _directives(job.fields))
            else:
                made = await self._in_parts(job, Cut(size, _PART))
            if not (is_whole and self._store.is_amazons):
                await self._give_tags(job, made, has_tags=bool(head.get("x-amz-tagging-count")))
        if made.etag != etag:
            await self._check(bucket, key, made, size)
        return replace(made, size=size, copied=etag)

    async def correct(
        self, key: str, headers: ObjectHeaders, etags: Container[str | None], sizes: Sequence[int]
    ) -> str | None:
        """Give the object with one of these ETags, of parts of these sizes, these headers, if it has others: it was
        sent by an upload that an earlier run has begun, or all was not known then. Gives its new ETag: None if that is
        still the same, since its copy has the same parts, and if somebody has stored another object there."""
        head = await self._store.head(key)
        if head is None or etag_of(head) not in etags:
            return None
        wanted = {name: value for name, value in self._store.rendered(headers).items() if name != "If-None-Match"}
        if has_fields(head, wanted, exactly=True) and not await self._is_for_others(key, headers):
            return None
        etag = etag_of(head) or ""
        job = _Job(key, self._store.bucket, key, wanted, etag)
        try:
            made = await self._in_parts(job, _parts_of(sizes))
        except Unsupported:
            if sum(sizes) > self._store.limits.max_object_bytes:
                raise
            made = await self._in_one(job, sum(sizes), _REPLACE | _REPLACE_TAGS)
        return made.etag if made.etag != etag else None

    async def _is_for_others(self, key: str, headers: ObjectHeaders) -> bool:
        """Whether the object has an ACL for everyone that these headers do not ask for. A copy has none."""
        if gives_acl(headers.extra):
            return False
        answer = await self._ask("stat", Request("GET", key, query="acl="))
        return answer.status == 200 and _ACL_OF_OTHERS in answer.body

    async def _tell_of_acls(self, source: str, headers: ObjectHeaders) -> None:
        """Say once that no copy has the ACL of its source, unless the user gives one, or a look at the first copy's
        shows that nothing is lost."""
        if gives_acl(headers.extra):
            return
        async with self._looking:
            if self._acls is None:
                self._acls = await self._looked_at_acl(source)
                if self._acls is _Acls.OWNERS:  # it may be the only copy
                    return
        if self._acls is not _Acls.DISABLED:
            self._store.tell_once(_NO_ACL)

    async def _looked_at_acl(self, source: str) -> "_Acls":
        """By one request. Amazon says of a bucket that it has ACLs disabled, and shows some of its own making all the
        same; other stores that have none refuse to show one."""
        if self._store.is_directory:
            return _Acls.DISABLED
        with suppress(StoreError):
            if self._store.is_amazons:
                answer = await self._ask("stat", Request("GET", query="ownershipControls="))
                is_disabled = answer.status == 200 and b">BucketOwnerEnforced<" in answer.body
                return _Acls.DISABLED if is_disabled else _Acls.UNKNOWN
            answer = await self._ask("stat", Request("GET", source, query="acl="))
            if answer.status in (400, 405, 501):
                return _Acls.DISABLED
            if answer.status == 200 and is_owners(answer.body):
                return _Acls.OWNERS
        return _Acls.UNKNOWN

    async def _give_tags(self, job: _Job, made: Stored, *, has_tags: bool) -> None:
        """Give a copy with other fields the tags that were given, else those of its source; `has_tags`: that has some.
        At Amazon's a copy in one request has both by itself, and one in parts those that were given. Ceph's gateway 16
        gives it none."""
        given_tags = given(job.fields, TAGS)
        if given_tags is not None:
            if self._store.is_amazons:
                return
            document = document_of(given_tags)
        elif has_tags:
            found = await self._ask("stat", Request("GET", job.source, query="tagging="))
            if found.status != 200:
                raise error_of("copy", job.source, found)
            document = found.body
        else:
            return
        await put_tags(self._store, "copy", job.key, document, etags=(made.etag,), bucket=job.bucket)

    async def _head(self, key: str) -> Mapping[str, str]:
        head = await self._store.head(key)
        if head is None:
            raise NotFound("copy", key, "there is no object of that name", status=404)
        return head

    async def _check(self, bucket: str, key: str, made: Stored, size: int) -> None:
        """Raises IntegrityError unless the copy is what is there now: an older object may have its size, too."""
        head = await self._store.head(key, bucket=bucket)
        if head is None or length(head) != size:
            there = f"{length(head)} bytes" if head is not None else "nothing"
            raise IntegrityError("copy", key, f"a copy of {size} bytes was made, and there is {there}", status=200)
        if etag_of(head) != made.etag:
            detail = f"a copy with the ETag {made.etag} was made, and there is {etag_of(head)}"
            raise IntegrityError("copy", key, detail, status=200)

    def _given(self, job: _Job) -> dict[str, str]:
        """The fields that say what is copied."""
        path = quote(f"{self._store.bucket}/{job.source}", safe="/~")
        key = self._store.customer_key
        condition = {"x-amz-copy-source-if-match": f'"{job.etag}"'} if job.etag else {}
        return {"x-amz-copy-source": f"/{path}", **condition, **of_source(key), **key}

    async def _in_one(self, job: _Job, size: int, directives: Mapping[str, str] | None = None) -> Stored:
        fields = {**job.fields, **(directives or {}), **self._given(job)}
        answer = await self._ask("copy", Request("PUT", job.key, fields, moves=size, bucket=job.bucket))
        return Stored(job.key, size, _made(answer, job.source), request_id_of(answer.headers))

    async def _in_parts(self, job: _Job, parts: Iterable[Part]) -> Stored:
        """Each part is tried again by itself: the others need not be copied once more for it. Raises Unsupported if the
        store cannot copy parts: GCS has no such request, and Ceph's gateway 16 ends at a name with a percent sign (it
        decodes the name twice, and asserts that something is left)."""
        if "%" in job.source and not self._store.is_amazons:
            raise Unsupported("copy", job.source, "this store may not copy parts of an object whose name has a %")
        uploads, given, rest = self._uploads, self._given(job), iter(parts)
        named: list[NamedPart] = []
        upload_id = await self._begun(job)

        async def copied(part: Part) -> NamedPart:
            query = query_of(partNumber=str(part.number), uploadId=upload_id)
            ranged = {**given, "x-amz-copy-source-range": f"bytes={part.offset}-{part.offset + part.size - 1}"}
            request = Request("PUT", job.key, ranged, query, moves=part.size, bucket=job.bucket)
            return NamedPart(part.number, _made(await self._ask("copy", request), job.source))

        async def worker() -> None:
            for part in rest:
                named.append(await self._store.context.again(partial(copied, part)))

        try:
            await _all_of(worker() for _ in range(_AT_ONCE))
            named.sort()
            if not self._store.is_amazons:
                await self._check_source(job)
            done = await uploads.complete(job.key, upload_id, named, self._store.customer_key, bucket=job.bucket)
        except BaseException:
            await self._give_up(job, upload_id)
            raise
        if done is None:
            await self._give_up(job, upload_id)
            raise Unavailable("copy", job.source, "the store does not compose the parts that it has copied")
        # Ceph's gateway 16 names no ETag of what it has composed.
        return Stored(job.key, 0, done.etag or etag_of_parts(named), done.request_id)

    async def _begun(self, job: _Job) -> str:
        """Begin an upload in parts; gives its id. If this is cancelled meanwhile, what it has begun is removed."""
        beginning = asyncio.ensure_future(self._uploads.create(job.key, job.fields, bucket=job.bucket))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            await self._unbegun(job, beginning)
            raise
        except StoreError as error:
            if error.status is None:  # no answer has come: it may be begun, and nobody knows its id
                self._tell_left(job)
            raise

    async def _unbegun(self, job: _Job, beginning: "asyncio.Future[str]") -> None:
        """Remove the upload whose beginning is under way, or tell that it may stay: also if this is cancelled again."""
        is_known = False
        try:
            await asyncio.wait([beginning], timeout=_ABORT_S)
            is_known = beginning.done() and not beginning.cancelled() and beginning.exception() is None
        finally:
            if not is_known:
                beginning.cancel()
                self._tell_left(job)
        if is_known:
            await self._give_up(job, beginning.result())

    async def _give_up(self, job: _Job, upload_id: str) -> None:
        """Remove the upload, or tell that it stays."""
        is_left = True
        try:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_ABORT_S):
                    await self._uploads.abort(job.key, upload_id, bucket=job.bucket)
                is_left = False
        finally:
            if is_left:
                self._tell_left(job)

    def _tell_left(self, job: _Job) -> None:
        place = f"s3://{job.bucket}/{job.key}"
        self._store.context.warn(_LEFT.format(key=printable(job.key), place=shlex.quote(printable(place))))

    async def _check_source(self, job: _Job) -> None:
        """Raises Unavailable if the source is another object by now: its parts may be of two, since some stores ignore
        the condition. Amazon keeps it."""
        if job.etag and etag_of(await self._head(job.source)) != job.etag:
            raise Unavailable("copy", job.source, "the source was overwritten while it was copied", status=412)


async def _all_of(coroutines: Iterable[Awaitable[None]]) -> None:
    """Await all of them at once. The first error cancels the others, and is raised when they have ended."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


_LEFT = (
    "{key}: the upload in parts by which it was to be copied may have stayed, and costs as objects do:"
    " `bulkput.segments` {place} lists it; with `reap` it is removed once nothing has happened in it for a week"
)


def _made(answer: Answer, source: str) -> str:
    """The ETag of the copy. Raises StoreError, also for an error that comes with a 200."""
    if answer.status == 412:
        raise Unavailable("copy", source, "the source was overwritten while it was copied", status=412)
    if answer.status != 200 or b"<Error" in answer.body:
        raise error_of("copy", source, answer)
    etag = (parsed(answer.body, "copy", source).findtext("ETag") or "").strip('"')
    if not etag:
        raise Unavailable("copy", source, "the answer does not say that a copy was made", status=200)
    return etag


def _directives(fields: Mapping[str, str]) -> dict[str, str]:
    """What says that these fields replace those of the source. Tags are ignored unless it is said of them, too."""
    wanted = _REPLACE | _REPLACE_TAGS if given(fields, TAGS) is not None else _REPLACE
    return {name: value for name, value in wanted.items() if given(fields, name) is None}


def _parts_of(sizes: Sequence[int]) -> Iterator[Part]:
    for number, (size, end) in enumerate(zip(sizes, accumulate(sizes), strict=True), 1):
        yield Part(number, end - size, size)


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
