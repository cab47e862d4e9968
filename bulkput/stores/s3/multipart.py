"""Large objects of one bucket: uploads in parts (`uploads.py`).

S3 names an upload by an id that it makes up, and shows of it the key and the time at which it was begun, nothing else.
So an upload that an earlier run has left is found by its key, and its parts prove themselves: by their ETags, which are
their MD5s, against the bytes of the file (`engine/upload/generation.py`). What the object will have in its headers was
said when that upload was begun, and cannot be seen before it is complete: it is compared afterwards, and corrected by
a copy onto itself. An upload with fields that cannot be seen at all (an ACL, tags, keys) is begun afresh.

An upload without parts proves nothing, so none is joined: it may be that of a program that has just begun it. What is
met and not joined, and what this process has begun in vain, is kept in mind for `remains`.

| the upload                                               | then                                                      |
|----------------------------------------------------------|-----------------------------------------------------------|
| is gone while parts are sent: somebody has aborted or    | another is begun in silence; `complete` names the parts   |
| completed it, or a rule of the bucket has                | that are missing in it                                    |
| is gone, or lacks parts, when it is completed, and the   | its completion has succeeded, and the answer was lost, or |
| object is there with exactly these parts                 | another process has sent the same                         |
| has other parts than were sent, or is completed, and     | somebody else works on it or on this key: another one is  |
| another object is there                                  | begun, and none of this key is joined any more            |
| has all parts and others besides, which some stores do   | it is aborted, and another one is begun                   |
| not leave out                                            |                                                           |
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from bulkput.errors import Exists, IntegrityError, PartsRefused, StoreError, Unavailable
from bulkput.model import Body, LargeUpload, ObjectHeaders, Stored, StoredPart, UnfinishedUpload
from bulkput.payload.digest import DigestingBody
from bulkput.policy.etag import composite_etag, md5_of
from bulkput.policy.s3_proof import Proves
from bulkput.stores.powers import Remains
from bulkput.stores.s3.errors import error_of, of_one, request_id_of
from bulkput.stores.s3.given_fields import blame, given
from bulkput.stores.s3.requests import Request
from bulkput.stores.s3.tags import FIELD as TAGS
from bulkput.stores.s3.tags import document_of, put_tags
from bulkput.stores.s3.uploads import Completed, NamedPart, ShownPart, Uploads, etag_of_parts, is_gone
from bulkput.stores.s3.wire_format import etag_of, has_fields, length, query_of
from bulkput.transport.pacing import noting_again

if TYPE_CHECKING:
    from bulkput.stores.s3.store import S3Store

_NOT_SHOWN = (403, 405, 501)
"""Keys that may only write, and stores that list no uploads: then nothing of an earlier run is found."""


@dataclass(slots=True)
class _Composed:
    """An object of parts that is stored, and may lack headers or tags. `etags`: one of these is its ETag.
    `may_differ`: others may have given it other headers."""

    etag: str | None
    etags: set[str | None]
    request_id: str | None
    may_differ: bool


@dataclass(slots=True)
class _Begun:
    """An upload that this process works on. `is_found`: an earlier run has begun it."""

    id: str
    is_found: bool = False
    sent: dict[int, tuple[str, NamedPart]] = field(default_factory=dict)
    """The parts that this process has sent, each with its MD5."""
    composed: _Composed | None = None


class Multipart:
    """Sends objects of the bucket of `store` in parts: see `stores/powers.py:LargeObjects`."""

    def __init__(self, store: "S3Store", uploads: Uploads) -> None:
        self._store = store
        self._uploads = uploads
        self._ask = store.requests.ask
        self._begun: dict[str, _Begun] = {}
        """By our own ids."""
        self._taken: set[str] = set()
        """The store's ids of all these."""
        self._seen: dict[str, dict[str, UnfinishedUpload]] = {}
        """By their keys, then by the store's ids: uploads that are there as far as is known, also those of others."""
        self._in_doubt: set[str] = set()
        """Keys of which an upload may have been begun by a request whose answer was lost."""
        self._disputed: set[str] = set()
        """Keys to which somebody else sends other bytes at the same time."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One for each key, held while an upload of it is begun or looked for."""

    async def begin(self, key: str, version: str, headers: ObjectHeaders) -> LargeUpload:
        """Sends nothing: the upload is begun with its first part, unless `list_parts` finds an earlier one."""
        return LargeUpload(key, f"{self._store.bucket}/{key}#{version}", headers)

    def _alone(self, key: str) -> asyncio.Lock:
        found = self._locks.get(key)
        if found is None:
            found = self._locks[key] = asyncio.Lock()
        return found

    async def list_parts(self, upload: LargeUpload) -> tuple[StoredPart, ...]:
        async with self._alone(upload.key):
            begun = self._begun.get(upload.id)
            if begun is not None:
                there = await self._uploads.parts(upload.key, begun.id)
                if there is None:
                    self._forget(upload, begun)
                return _as_sent(there or (), begun)
            if upload.key in self._disputed:
                return ()
            if not self._store.can_be_resumed(upload.headers):
                with suppress(StoreError):  # only to tell of them
                    await self._found(upload.key)
                return ()
            return await self._joined(upload)

    async def _joined(self, upload: LargeUpload) -> tuple[StoredPart, ...]:
        """Join the latest upload of this key that has parts, if there is one."""
        try:
            for each in sorted(await self._found(upload.key), key=lambda each: each.begun, reverse=True):
                if each.id not in self._taken and (parts := await self._uploads.parts(each.key, each.id)):
                    begun = self._begun[upload.id] = _Begun(each.id, is_found=True)
                    self._taken.add(each.id)
                    return _as_sent(parts, begun)
        except StoreError as error:
            if error.status not in _NOT_SHOWN:
                raise
        return ()

    async def _found(self, key: str) -> list[UnfinishedUpload]:
        """The unfinished uploads of a key. All are kept in mind."""
        found = []
        async with aclosing(self._uploads.unfinished(key)) as uploads:
            async for each in uploads:  # also those of longer keys that begin with it
                if each.key == key:
                    found.append(each)
                    self._seen.setdefault(key, {})[each.id] = each
        return found

    def remains(self, upload: LargeUpload) -> Remains:
        """See `stores/powers.py:LargeObjects`."""
        begun, seen = self._begun.get(upload.id), self._seen.get(upload.key, {})
        own = begun.id if begun is not None else None
        return Remains(
            upload=seen.get(own) if own is not None else None,
            is_ours=begun is not None and not begun.is_found and upload.key not in self._disputed,
            is_resumable=self._store.can_be_resumed(upload.headers),
            others=tuple(each for each in seen.values() if each.id != own),
        )

    async def send_part(self, upload: LargeUpload, number: int, body: Body) -> StoredPart:
        store, key = self._store, upload.key
        begun = await self._begun_of(upload)
        said = await store.checksums.of(body)
        digesting = None if said.md5 is not None else DigestingBody(body)
        fields = {**said.fields, **store.customer_key}
        query = query_of(partNumber=str(number), uploadId=begun.id)
        answer = await self._ask("part", Request("PUT", key, fields, query, payload=said.payload), digesting or body)
        md5 = said.md5 if digesting is None else await digesting.sent_md5()
        if is_gone(answer):
            self._forget(upload, begun)
            raise Unavailable("part", key, f"the upload is gone, and begun again (part {number})", status=404)
        if answer.status != 200 or md5 is None or b"<Error" in answer.body:
            error = error_of("part", key, answer, sent_md5=md5).about(key, f" (part {number})")
            raise of_one(error, has_worked=store.has_stored)
        etag = etag_of(answer.headers) or ""
        if store.proof_of(key, answer, md5, said) is Proves.OTHERS:
            raise IntegrityError(
                "part", key, expected=md5, actual=etag, status=200, request_id=request_id_of(answer.headers)
            )
        name, value = said.sent or ("", "")
        is_kept = bool(name) and answer.headers.get(name) == value  # else the store does not know such checksums
        begun.sent[number] = md5, NamedPart(number, etag, f"{name}={value}" if is_kept else "")
        return StoredPart(number, body.size or 0, md5)

    async def _begun_of(self, upload: LargeUpload) -> _Begun:
        """The upload, which is begun if it is not yet."""
        begun = self._begun.get(upload.id)
        if begun is not None:
            return begun
        async with self._alone(upload.key):
            begun = self._begun.get(upload.id)
            if begun is None:
                begun = self._begun[upload.id] = _Begun(await self._created(upload))
                self._taken.add(begun.id)
                self._seen.setdefault(upload.key, {})[begun.id] = UnfinishedUpload(upload.key, begun.id, "")
            return begun

    async def _created(self, upload: LargeUpload) -> str:
        """Begin an upload; gives its id. If another request may have begun one, too, whose answer was lost, the store
        is asked for it: nothing proves that it is ours, so it is only kept in mind."""
        key, fields = upload.key, self._store.rendered(upload.headers)
        with noting_again() as again:
            try:
                made = await self._uploads.create(key, fields, algorithm=self._store.checksums.algorithm)
            except StoreError as error:
                if error.status is None:  # no answer has come
                    self._in_doubt.add(key)
                blame(error, upload.headers)
                raise of_one(error, has_worked=self._store.has_stored) from None
        if again or key in self._in_doubt:
            self._in_doubt.discard(key)
            with suppress(StoreError):
                await self._found(key)
        return made

    async def open(self, upload: LargeUpload) -> None:
        await self._begun_of(upload)

    async def complete(self, upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
        key, ordered = upload.key, sorted(parts, key=lambda part: part.number)
        begun = self._begun.get(upload.id)
        if begun is None:
            raise _parts_refused(key, ordered, [part.number for part in ordered])
        if begun.composed is None:  # an attempt before may have failed behind this point
            begun.composed = await self._composed(upload, begun, ordered, headers)
        composed, sizes = begun.composed, [part.size for part in ordered]
        if composed.may_differ or headers != upload.headers:
            composed.etag = await self._store.correct(key, headers, composed.etags, sizes) or composed.etag
        tags = given(headers.extra, TAGS)
        if tags and not self._store.is_amazons:
            await put_tags(self._store, "put", key, document_of(tags), etags={*composed.etags, composed.etag})
        self._forget(upload, begun)
        self._store.has_stored = True
        return Stored(key, sum(sizes), composed.etag, composed.request_id)

    async def _composed(
        self, upload: LargeUpload, begun: _Begun, parts: Sequence[StoredPart], headers: ObjectHeaders
    ) -> _Composed:
        """Compose the object, once. Raises Exists, PartsRefused, StoreError."""
        key = upload.key
        await self._check_condition(key, headers)
        named = [_named(part, begun) for part in parts]
        condition = {"If-None-Match": "*"} if headers.only_new else {}
        done = await self._uploads.complete(key, begun.id, named, self._store.customer_key | condition)
        etag, own = composite_etag([part.md5 for part in parts]), etag_of_parts(named)
        if done is None:
            if not await self._is_there(key, named, parts, headers):
                raise await self._refused(upload, begun, parts)
            await self._uploads.abort(key, begun.id)  # if another upload of the same parts was completed
            return _Composed(etag, {etag, own}, None, may_differ=True)
        if done.etag != etag and not await self._is_composed(key, done, named, parts):
            raise await self._replaced(upload, begun, parts, done.etag)
        etags: set[str | None] = {done.etag} if done.etag else {etag, own}
        return _Composed(etag, etags, done.request_id, may_differ=begun.is_found)

    async def _check_condition(self, key: str, headers: ObjectHeaders) -> None:
        """Raises Exists if the object is there, and nothing is to be overwritten. Amazon looks itself; Ceph's gateway
        knows the condition in a PUT, and ignores it in a completion."""
        if headers.only_new and not self._store.is_amazons and await self._store.head(key) is not None:
            raise _exists(key)

    async def _is_composed(
        self, key: str, done: Completed, named: Sequence[NamedPart], parts: Sequence[StoredPart]
    ) -> bool:
        """Whether the object that was composed is that of these parts. The store has compared their ETags, so an ETag
        of its own proves no less where it need be no MD5; then the size is compared."""
        expected, own = composite_etag([part.md5 for part in parts]), etag_of_parts(named)
        if done.etag == own:
            return True
        head = await self._store.head(key) or {}
        has_size = length(head) == sum(part.size for part in parts)
        return has_size and (etag_of(head) in (expected, own) or self._store.has_opaque_etag(head))

    async def _replaced(self, upload: LargeUpload, begun: _Begun, parts: Sequence[StoredPart], etag: str) -> StoreError:
        """The error for an object that was completed and is another one: somebody has completed or put one of this name
        at the same time. Ceph's gateway 16 names no ETag, and may keep an upload that has met another without ever
        completing it, so the parts are sent in a new one."""
        is_left = True
        with suppress(StoreError):
            await self._uploads.abort(upload.key, begun.id)
            is_left = False
        self._forget(upload, begun, is_left=is_left)
        self._disputed.add(upload.key)
        expected = composite_etag([part.md5 for part in parts])
        detail = f"the object composed of parts with the ETag {expected} has another one: {etag or 'none'}"
        return PartsRefused("put", upload.key, detail, numbers=tuple(part.number for part in parts), status=200)

    async def _is_there(
        self, key: str, named: Sequence[NamedPart], parts: Sequence[StoredPart], headers: ObjectHeaders
    ) -> bool:
        """Whether a HEAD shows the object of these parts: an attempt before has completed it, or another process has.
        Raises Exists for that of another process, if nothing is to be overwritten."""
        head = await self._store.head(key)
        size = sum(part.size for part in parts)
        # An ETag that proves nothing (KMS) may be that of an older object, which has this size, too.
        if head is None or length(head) != size:
            return False
        if etag_of(head) not in (composite_etag([part.md5 for part in parts]), etag_of_parts(named)):
            return False
        if headers.only_new and not has_fields(head, self._store.rendered(headers)):
            raise _exists(key)
        return True

    async def _refused(self, upload: LargeUpload, begun: _Begun, parts: Sequence[StoredPart]) -> StoreError:
        """The error for parts that the store does not compose: it names those that are not there any more."""
        key, numbers = upload.key, [part.number for part in parts]
        shown = await self._uploads.parts(key, begun.id)
        if shown is None:
            self._forget(upload, begun)
            return _parts_refused(key, parts, numbers)
        there = {part.number: part for part in _as_sent(shown, begun)}
        wrong = [part.number for part in parts if not _is(part, there.get(part.number))]
        if any(number in there for number in wrong):
            self._disputed.add(key)
        if not wrong:  # it has others besides
            await self.abort(upload)
        return _parts_refused(key, parts, wrong or numbers)

    async def abort(self, upload: LargeUpload) -> None:
        if (begun := self._begun.get(upload.id)) is not None:
            await self._uploads.abort(upload.key, begun.id)
            self._forget(upload, begun)

    def _forget(self, upload: LargeUpload, begun: _Begun, *, is_left: bool = False) -> None:
        """Forget an upload that is no more; `is_left`: that is of no use any more. Another one may have been begun in
        its place."""
        if self._begun.get(upload.id) is begun:
            del self._begun[upload.id]
            self._taken.discard(begun.id)
        if not is_left and (seen := self._seen.get(upload.key)) is not None:
            seen.pop(begun.id, None)
            if not seen:
                del self._seen[upload.key]

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
        if int(count) > 2:  # else the first one says it all
            end = await self._store.head(key, query=query_of(partNumber=count))
            if end is None or length(end) != last:
                return None
        return (first,) * (int(count) - 1) + (last,)


def as_stored(part: ShownPart) -> StoredPart:
    """The part with the MD5 that its ETag is; empty if it is none."""
    return StoredPart(part.number, part.size, md5_of(part.etag) or "", part.modified)


def _as_sent(parts: Sequence[ShownPart], begun: _Begun) -> tuple[StoredPart, ...]:
    """The parts that the store lists. One that this process has sent has its MD5, whatever its ETag is."""
    found = []
    for part in parts:
        md5, named = begun.sent.get(part.number, ("", None))
        is_ours = named is not None and named.etag == part.etag
        found.append(StoredPart(part.number, part.size, md5, part.modified) if is_ours else as_stored(part))
    return tuple(found)


def _named(part: StoredPart, begun: _Begun) -> NamedPart:
    md5, named = begun.sent.get(part.number, ("", None))
    return named if named is not None and md5 == part.md5 else NamedPart(part.number, part.md5)


def _is(part: StoredPart, there: StoredPart | None) -> bool:
    return there is not None and (part.size, part.md5) == (there.size, there.md5)


def _exists(key: str) -> Exists:
    return Exists("put", key, "an object of this name is there already", status=412)


def _parts_refused(key: str, parts: Sequence[StoredPart], wrong: Sequence[int]) -> PartsRefused:
    detail = f"part {wrong[0]} of {len(parts)} is gone or is not what was sent"
    return PartsRefused("put", key, detail, numbers=tuple(wrong), status=None)
