"""Large objects of a Swift account: which segments they have, and how new ones are made of segments that are there."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol
from urllib.parse import quote

from bulkput.errors import IntegrityError, StoreError, Unavailable
from bulkput.model import Body, ObjectHeaders, Prefix, RemoteObject, Segment, Stored
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.etag import large_etag, md5_of
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.listing import MAX_PAGE_BYTES
from bulkput.stores.swift.manifest import HEADERS, ManifestAnswer, manifest_body, outcome
from bulkput.stores.swift.requests import Request
from bulkput.stores.swift.wire_format import from_json, large, segment
from bulkput.transport.base import Answer

Rows = Callable[[str, Mapping[str, str]], AsyncGenerator[RemoteObject | Prefix, None]]


class Ask(Protocol):
    async def __call__(self, operation: str, request: Request, body: Body | None = None) -> Answer: ...


_QUERY = "?multipart-manifest=put"
_HEARTBEAT = "&heartbeat=on"
_HEARTBEAT_ABOVE = 32
"""Segments from which on Swift is asked to keep the connection alive. With fewer it takes a moment, and the status of
its answer is that of the object."""
_HEAD_WORK = 64 * 1024
"""Bytes that each segment adds to the deadline: one second, at the rate used for deadlines. Swift sends a HEAD for each
segment, two at a time."""

_MAX_MANIFEST_BYTES = 32 * 1024 * 1024
"""Four times the manifest size that Swift accepts (max_manifest_size): its answer has more fields per segment."""

_MOST_BELOW = 10_000
"""Swift's `container_listing_limit`: with that many segments, the HEAD of a dynamic large object has no size."""


class Composer:
    """The powers of a store that are about large objects."""

    def __init__(self, ask: Ask, rows: Rows, rendered: Callable[[ObjectHeaders], dict[str, str]]) -> None:
        """`rows` lists a container, by the fields of a query. `rendered` makes the header fields of a PUT."""
        self._ask = ask
        self._rows = rows
        self._rendered = rendered

    async def segments(self, key: str, container: str | None = None) -> tuple[Segment, ...]:
        """The manifest as it was written. A segment may have changed since: see `stat_part`."""
        query = "?multipart-manifest=get"
        request = Request("GET", key, query=query, max_answer=_MAX_MANIFEST_BYTES, container=container)
        answer = await self._ask("manifest", request)
        if answer.status != 200:
            raise error_from_response("manifest", key, answer)
        try:
            if large(answer.headers) == "static":
                return tuple(map(segment, from_json(answer.body)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        raise StoreError("manifest", key, "the answer is not the manifest of a large object", status=answer.status)

    async def segments_below(self, path: str) -> tuple[Segment, ...]:
        container, _, prefix = path.partition("/")
        found: list[Segment] = []
        async with aclosing(self._rows(container, {"format": "json", "prefix": prefix})) as rows:
            async for row in rows:
                if len(found) >= _MOST_BELOW or not isinstance(row, RemoteObject):
                    raise StoreError("list", path, f"more than {_MOST_BELOW} segments")
                is_plain = row.large is None and row.link is None
                found.append(Segment(row.bytes or 0, md5_of(row.hash) if is_plain else None, f"{container}/{row.name}"))
        return tuple(found)

    async def compose(
        self, key: str, segments: Sequence[Segment], headers: ObjectHeaders, *, below: str | None = None
    ) -> Stored:
        new = Composed(key, segments, self._rendered(headers))
        answer = await self._ask("put", new.request(below), new.body(below))
        return new.stored(answer) if below is None else new.stored_dynamic(answer)


class Composed:
    """One large object to be stored. `headers` are those of its manifest, under Swift's names."""

    def __init__(self, key: str, segments: Sequence[Segment], headers: Mapping[str, str]) -> None:
        self._key = key
        self._segments = segments
        self._headers = headers
        self._size = sum(segment.bytes for segment in segments)
        self._etag = large_etag(segment.md5 or "" for segment in segments)

    def request(self, below: str | None) -> Request:
        """The request for a dynamic large object of what lies below `below`, else for a static one."""
        if below is not None:
            return Request("PUT", self._key, {**self._headers, "X-Object-Manifest": quote(below)})
        count = len(self._segments)
        query = _QUERY + (_HEARTBEAT if count > _HEARTBEAT_ABOVE else "")
        fields = {**self._headers, **HEADERS}
        return Request("PUT", self._key, fields, query, max_answer=MAX_PAGE_BYTES, moves=count * _HEAD_WORK)

    def body(self, below: str | None) -> BytesBody:
        return BytesBody.of(b"" if below is not None else manifest_body(self._segments))

    def stored(self, answer: Answer) -> Stored:
        """The receipt for a static large object. Raises StoreError."""
        etag = self.accepted(answer)
        if etag != self._etag:
            detail = f"a large object of these segments has the ETag {self._etag}, the store answered {etag}"
            raise IntegrityError("put", self._key, detail, expected=self._etag, actual=etag, status=answer.status)
        return Stored(self._key, self._size, self._etag, answer.headers.get("X-Trans-Id"))

    def accepted(self, answer: Answer) -> str | None:
        """The ETag (MD5) in the answer to a static large object, if there is one. Raises StoreError if it is
        refused."""
        said = outcome(answer)
        request_id = answer.headers.get("X-Trans-Id")
        if said.status == 202:
            detail = f"the manifest: {said.words}"
            raise Unavailable("put", self._key, detail, status=202, request_id=request_id)
        if said.rejected:
            raise StoreError("put", self._key, refusal_text(said), status=said.status, request_id=request_id)
        if said.status != 201:
            if answer.status == 202:  # the answer's own body is all heartbeats and JSON
                answer = replace(answer, status=said.status, reason=said.words, body=b"")
            error = error_from_response("put", self._key, answer)
            error.detail = f"the manifest is refused: {error.detail}"
            raise error
        return said.etag

    def stored_dynamic(self, answer: Answer) -> Stored:
        """The receipt for a dynamic large object: of its manifest, which is empty. Raises StoreError."""
        if answer.status != 201:
            raise error_from_response("put", self._key, answer)
        return Stored(self._key, self._size, None, answer.headers.get("X-Trans-Id"))


def refusal_text(said: ManifestAnswer) -> str:
    """Which segment the store has rejected, and why, in its words."""
    path, why = said.rejected[0]
    more = f", and {len(said.rejected) - 1} more" if len(said.rejected) > 1 else ""
    return f"the manifest is refused: segment {path}: {why}{more}"
