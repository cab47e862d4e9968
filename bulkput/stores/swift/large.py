"""Large objects of one Swift container: segments in a container beside it, and a manifest.

| `large.mode` | the store     | the manifest                                                                         |
|--------------|---------------|--------------------------------------------------------------------------------------|
| auto         | is Swift      | static: names each segment, with MD5 and size, which Swift checks                    |
| auto         | has no SLO,   | dynamic: names the prefix of the segments                                            |
|              | or Ceph's     |                                                                                      |
| slo, dlo     | any           | static, dynamic                                                                      |

Ceph's gateway does not check what a manifest names, and nobody checks a dynamic one. So the segments are looked at just
before the manifest is sent: by one listing, and a HEAD for each that the listing does not prove (Swift's listings are
eventually consistent).
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from bulkput.errors import IntegrityError, NotFound, PartsRefused, StoreError, UsageError
from bulkput.model import Body, LargeUpload, ObjectHeaders, RemoteObject, Segment, Stored, StoredPart
from bulkput.policy.etag import large_etag, md5_of
from bulkput.policy.expiry import LIFE_MARGIN_S, wanted_life_s
from bulkput.policy.gzip_source import ETAG_FIELD
from bulkput.policy.skip import stored_ns
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.compose import Composed, refusal_text
from bulkput.stores.swift.manifest import outcome
from bulkput.stores.swift.part_names import group_name, parse, part_name
from bulkput.stores.swift.requests import ContainerRequests, Request
from bulkput.stores.swift.wire_format import SEGMENTS, has_slo, large, length
from bulkput.transport.base import Answer

if TYPE_CHECKING:
    from bulkput.stores.swift.store import SwiftStore

_MAX_CONTAINER_BYTES = 256
_DAY_S = 86_400
_YOUNG = _DAY_S
"""Seconds. A week is the default age from which on `bulkput segments --reap` removes what nothing reads."""


class SegmentedObjects:
    """Sends objects of the container of `store` in segments: see `stores/powers.py:LargeObjects`."""

    def __init__(self, store: "SwiftStore", container: str, requests: ContainerRequests) -> None:
        options = store.context.large
        self._store = store
        self._ask = requests.ask
        self._info = requests.info
        self._container = container
        self._segment_container = options.container or container + SEGMENTS
        self._mode = options.mode
        self._segments: SwiftStore | None = None
        self._tried: dict[str, set[int]] = {}
        """Numbers of the parts that this process has begun to send, by their uploads."""
        self._opening = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the container of the segments, if it is missing."""
        await self._segment_store()

    async def begin(self, key: str, version: str, headers: ObjectHeaders) -> LargeUpload:
        """The first call makes the container of the segments."""
        await self._segment_store()
        group = group_name(key, version, max_bytes=(await self._store.ask_limits()).max_name_bytes)
        return LargeUpload(key, f"{self._segment_container}/{group}", headers)

    async def list_parts(self, upload: LargeUpload) -> tuple[StoredPart, ...]:
        found, _ = await self._listed(upload)
        await self._make_young(upload, found)
        return tuple([await self._stored(upload, number, row) for number, row in sorted(found.items())])

    async def _stored(self, upload: LargeUpload, number: int, row: RemoteObject) -> StoredPart:
        """The part of this row. One that would expire before its object gets no MD5, so that it is not used: it is not
        replaced either, since something may read it."""
        md5, now_s = md5_of(row.hash) or "", time.time()
        wanted_s = wanted_life_s(upload.headers, now_s)
        if wanted_s is not None:
            now = await self._store.stat_part(f"{self._segment_container}/{row.name}")
            if now is None or (now.expires_at is not None and now.expires_at < now_s + wanted_s):
                md5 = ""
        return StoredPart(number, row.bytes or 0, md5)

    async def _make_young(self, upload: LargeUpload, found: Mapping[int, RemoteObject]) -> None:
        """If all parts are old, write to the first one's metadata, which has nothing but the expiry.

        They are about to be read, and a removal of unread segments (`engine/objects/reap.py`) spares those that have a
        young one among them."""
        if not found or min(map(_age, found.values())) < _YOUNG:
            return
        row = found[min(found)]
        headers = ObjectHeaders(expires_in_s=_life_s(upload))
        request = Request("POST", row.name, self._store.rendered(headers), container=self._segment_container)
        answer = await self._ask("list parts", request)
        if answer.status not in (200, 202, 204, 404):
            raise error_from_response("list parts", row.name, answer)

    async def send_part(self, upload: LargeUpload, number: int, body: Body) -> StoredPart:
        store = await self._segment_store()
        self._tried.setdefault(upload.id, set()).add(number)
        headers = ObjectHeaders(content_type="application/octet-stream", expires_in_s=_life_s(upload))
        try:
            stored = await store.put(part_name(_group_of(upload), number), body, headers)
        except StoreError as error:
            raise error.about(upload.key, f" (part {number})") from None
        if stored.etag is None:
            raise AssertionError("Swift proves each object by its MD5")
        return StoredPart(number, stored.size, stored.etag)

    async def complete(self, upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
        await self._look_at(upload, parts)
        stored = await self._put(upload, parts, headers)
        self._tried.pop(upload.id, None)
        return stored

    async def abort(self, upload: LargeUpload) -> None:
        store = await self._segment_store()
        found, _ = await self._listed(upload)
        # The listing may not have the last ones yet.
        numbers = self._tried.get(upload.id, set()) | set(found)
        await store.delete([part_name(_group_of(upload), number) for number in sorted(numbers)])
        self._tried.pop(upload.id, None)

    async def _is_static(self) -> bool:
        if self._mode == "auto":
            return has_slo(await self._info())
        return self._mode == "slo"

    async def _put(self, upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
        """PUT the manifest. Raises IntegrityError if neither its answer nor a HEAD proves the object."""
        group = _group_of(upload)
        segments = [
            Segment(part.size, part.md5, f"{self._segment_container}/{part_name(group, part.number)}") for part in parts
        ]
        is_static, etag = await self._is_static(), large_etag(part.md5 for part in parts)
        if not is_static:  # else nobody could tell later whether a segment is lost
            headers = replace(headers, meta=(*headers.meta, (ETAG_FIELD, etag)))
        new = Composed(upload.key, segments, self._store.rendered(headers))
        below = None if is_static else upload.id
        made = self._store.made
        answer = await self._ask("put", new.request(below), new.body(below))
        said = outcome(answer)
        if numbers := self._numbers_of(said.rejected, group):
            raise PartsRefused("put", upload.key, refusal_text(said), numbers=numbers, status=said.status)
        if said.status == 404 and not said.rejected:
            raise await self._store.made_again(upload.key, made)
        size = sum(part.size for part in parts)
        if is_static:
            if new.accepted(answer) == etag:
                return Stored(upload.key, size, etag, answer.headers.get("X-Trans-Id"))
        elif answer.status != 201:
            raise error_from_response("put", upload.key, answer)
        # A proxy may have changed the ETag, and nobody has computed that of a dynamic one yet.
        head = await self._ask("stat", Request("HEAD", upload.key, {"X-Newest": "true"}))
        actual = md5_of(head.headers.get("ETag")) if head.status in (200, 204) and large(head.headers) else None
        if actual != etag or length(head.headers) != size:
            detail = f"composed of parts whose MD5s have MD5 {etag}, a HEAD shows ETag {actual}"
            raise IntegrityError("put", upload.key, detail, expected=etag, actual=actual, status=head.status)
        return Stored(upload.key, size, etag, answer.headers.get("X-Trans-Id"))

    def _numbers_of(self, rejected: Sequence[tuple[str, str]], group: str) -> tuple[int, ...]:
        """The parts of the group among the segments that the store has rejected."""
        start = self._segment_container + "/"
        names = (parse(path.removeprefix(start)) for path, _ in rejected if path.startswith(start))
        return tuple(sorted({name.number for name in names if name is not None and name.group == group}))

    async def _look_at(self, upload: LargeUpload, parts: Sequence[StoredPart]) -> None:
        """Raises PartsRefused unless the store has each of the parts, and StoreError if it has others in their group: a
        dynamic large object would contain those."""
        found, others = await self._listed(upload)
        group, wrong = _group_of(upload), []
        for part in parts:
            row = found.pop(part.number, None)
            if row is None or not _is(part, row):
                row = await self._store.stat_part(f"{self._segment_container}/{part_name(group, part.number)}")
                if row is None or not _is(part, row):
                    wrong.append(part.number)
        if wrong:
            detail = f"part {wrong[0]} of {len(parts)} is gone or is not what was sent"
            raise PartsRefused("put", upload.key, detail, numbers=tuple(wrong), status=None)
        others += [row.name for row in found.values()]
        if others and not await self._is_static():
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            detail = f"the object would contain what else is below {upload.id}: remove {others[0]}{more} first"
            raise StoreError("put", upload.key, detail)

    async def _listed(self, upload: LargeUpload) -> tuple[dict[int, RemoteObject], list[str]]:
        """The rows of the upload's segments, by their numbers, and the names of other objects below their prefix."""
        store, group = await self._segment_store(), _group_of(upload)
        found: dict[int, RemoteObject] = {}
        others: list[str] = []
        with suppress(NotFound):
            async for row in store.list(group):
                name = parse(row.name)
                if name is not None and name.group == group and isinstance(row, RemoteObject):
                    found[name.number] = row
                else:
                    others.append(row.name)
        return found, others

    async def _segment_store(self) -> "SwiftStore":
        if self._segments is None:
            async with self._opening:
                if self._segments is None:
                    self._segments = await self._opened()
        return self._segments

    async def _opened(self) -> "SwiftStore":
        """The store of the segments. Its container is made if it is missing: with the policy of the objects' container,
        and readable for the same people, or they could not read large objects."""
        if self._segment_container == self._container:
            return self._store
        size = len(self._segment_container.encode())
        if size > _MAX_CONTAINER_BYTES:
            detail = f"the container of the parts has a name of {size} bytes, Swift takes {_MAX_CONTAINER_BYTES}"
            raise UsageError(f"{detail}: name another one by `large.container`")
        there = await self._look(self._segment_container)
        policy, fields = None, {}
        if there.status == 404:
            like = (await self._look(self._container)).headers
            policy = like.get("X-Storage-Policy")
            fields = {name: like[name] for name in ("X-Container-Read",) if like.get(name)}
        segments = self._store.beside(self._segment_container, policy, fields)
        if there.status not in (200, 204):
            await segments.prepare()
        return segments

    async def _look(self, container: str) -> Answer:
        """A HEAD of the container, whose answer says whether it is there. Raises StoreError for any other answer: a
        container that was made after that could have another policy, or be closed to its readers."""
        answer = await self._ask("stat", Request("HEAD", container=container))
        if answer.status not in (200, 204, 401, 403, 404):
            raise error_from_response("stat", container, answer)
        return answer


def _age(row: RemoteObject) -> float:
    """Seconds since it was stored, by the store's time and our clock; endless if the store does not tell."""
    stored = stored_ns(row)
    return time.time() - stored / 1e9 if stored is not None else math.inf


def _life_s(upload: LargeUpload) -> int | None:
    """Seconds after which a segment expires: later than its object. None if the object does not expire."""
    life_s = wanted_life_s(upload.headers, time.time())
    return None if life_s is None else int(life_s) + LIFE_MARGIN_S


def _group_of(upload: LargeUpload) -> str:
    return upload.id.partition("/")[2]


def _is(part: StoredPart, row: RemoteObject) -> bool:
    return row.bytes == part.size and md5_of(row.hash) == part.md5 and row.large is None and row.link is None
