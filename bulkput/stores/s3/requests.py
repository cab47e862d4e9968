"""Sends requests to one bucket, signed with the keys that all workers share.

What a refusal says about the way is learned once for all of them, and the request is sent again at once:

| the refusal says                                     | then                                                        |
|------------------------------------------------------|-------------------------------------------------------------|
| the bucket is in another region                      | its region, and with Amazon its host                        |
| the time is wrong by more than S3 takes (15 minutes) | the store's clock is used                                   |
| the keys have expired, or are not known any more     | newer ones are asked for (`credentials.py`)                 |
"""

import hashlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import quote

from bulkput.errors import Denied, IntegrityError, StoreError
from bulkput.model import Body
from bulkput.policy.etag import md5_of
from bulkput.record import frozen
from bulkput.stores.s3.credentials import Credentials
from bulkput.stores.s3.errors import MOVED, SKEWED, blames_keys, code_of, error_of_reading, text_of
from bulkput.stores.s3.settings import Place, Settings
from bulkput.stores.s3.sign import EMPTY_SHA256, Keys, Signer
from bulkput.stores.status import error_from_transport, refusal
from bulkput.transport.base import MAX_ANSWER, Answer, Incoming, Transport, TransportError
from bulkput.transport.pacing import sends_again
from bulkput.transport.secrets import without_secrets

if TYPE_CHECKING:
    from bulkput.payload.reading import Span

_MOST_AGAIN = 4
"""How often one request is sent again, for all three reasons together."""
_REGION = re.compile(r"[a-z0-9-]{1,63}")
"""It becomes a part of a host's name."""
_SKEW_S = 600
"""A refusal without a text is put down to the clock if the clocks differ by more seconds than this. S3 takes 900."""


@frozen
class Request:
    """A request to the bucket, or to the object `key` in it. `query` is as `wire_format.py:query_of` makes it, and
    `payload` the SHA-256 of the body in hex, or UNSIGNED. `bucket` names another one; `""` is the service itself."""

    method: str
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: str = ""
    payload: str = EMPTY_SHA256
    max_answer: int = MAX_ANSWER
    moves: int = 0
    bucket: str | None = None


class Way:
    """What is known about the way to the store, shared by all stores of an account: keys, regions, the clock."""

    def __init__(self, settings: Settings, credentials: Credentials, transport: Transport) -> None:
        self.settings = settings
        self.credentials = credentials
        self.transport = transport
        self.ahead_s = 0.0
        """How far the store's clock is ahead of ours."""
        self._regions: dict[str, str] = {}
        self._places: dict[str, Place] = {}
        self._signers: dict[tuple[str, Keys], Signer] = {}

    def believed(self, bucket: str) -> tuple[str, float]:
        """The bucket's region and how far the store's clock is ahead, as they are believed now."""
        return self.region(bucket), self.ahead_s

    def region(self, bucket: str) -> str:
        return self._regions.get(bucket, self.settings.region)

    def place(self, bucket: str) -> Place:
        found = self._places.get(bucket)
        if found is None:
            found = self._places[bucket] = self.settings.place_of(bucket, self.region(bucket))
        return found

    def learn_region(self, bucket: str, region: str) -> None:
        if self.region(bucket) == region:
            return
        self._regions[bucket] = region
        self._places.pop(bucket, None)
        self._signers.clear()

    def signer(self, bucket: str, keys: Keys) -> Signer:
        found = self._signers.get((bucket, keys))
        if found is None:
            found = self._signers[bucket, keys] = Signer(keys, self.region(bucket), self.place(bucket).service)
        return found


class BucketRequests:
    """Requests to one bucket, unless a request names another."""

    def __init__(self, bucket: str, way: Way) -> None:
        self._bucket = bucket
        self._way = way

    async def ask(self, operation: str, request: Request, body: Body | None = None) -> Answer:
        """Send a request, again after what a refusal has taught. Raises StoreError if no answer comes, or if keys are
        refused and there are no others."""
        way = self._way
        for _ in range(_MOST_AGAIN):
            keys = await way.credentials.fresh()
            believed = way.believed(self._bucket_of(request))
            answer = await self._send(operation, request, keys, body)
            if answer.status < 300 or not await self._has_learned(request, keys, believed, answer):
                return answer
            sends_again(request.method)
        return answer

    async def _send(self, operation: str, request: Request, keys: Keys | None, body: Body | None) -> Answer:
        url, fields = self._signed(request, keys)
        try:
            answer = await self._way.transport.request(
                request.method, url, fields, body, max_answer=request.max_answer, moves=request.moves
            )
        except TransportError as error:
            # Not `from error`: the cause holds the request as it was sent, with its signature.
            raise self._without_answer(operation, request, error, fields) from None
        return answer if answer.status < 300 else without_secrets(answer, fields)

    def _without_answer(
        self, operation: str, request: Request, error: TransportError, sent: Mapping[str, str]
    ) -> StoreError:
        found = error_from_transport(operation, request.key or self._bucket, error, sent=sent)
        if error.is_first_contact:
            found.detail += f" ({self._way.settings.what_names(self._way.place(self._bucket_of(request)))})"
        return found

    def _bucket_of(self, request: Request) -> str:
        return self._bucket if request.bucket is None else request.bucket

    def _signed(self, request: Request, keys: Keys | None) -> tuple[str, dict[str, str]]:
        """The URL, and all header fields."""
        way, bucket = self._way, self._bucket_of(request)
        place = way.place(bucket)
        path = place.path or "/" if request.key is None else f"{place.path}/{quote(request.key, safe='/~')}"
        url = f"{place.origin}{path}?{request.query}" if request.query else place.origin + path
        if keys is None:
            return url, dict(request.headers)
        target = request.method, place.host, path, request.query
        return url, way.signer(bucket, keys).signed(target, request.headers, request.payload, time.time() + way.ahead_s)

    async def _has_learned(
        self, request: Request, keys: Keys | None, believed: tuple[str, float], answer: Answer
    ) -> bool:
        """Whether a refusal says something about the way that was not known when the request was sent: another worker
        may have learned it since. Applies the table above."""
        way, code = self._way, code_of(answer)
        if code in MOVED or answer.status in (301, 307) or (answer.status == 400 and not code):
            region = answer.headers.get("x-amz-bucket-region") or text_of(answer, "Region")
            if region and _REGION.fullmatch(region) and region != believed[0]:
                way.learn_region(self._bucket_of(request), region)
                return True
        if code in SKEWED or (answer.status == 403 and not code):
            ahead_s = _ahead_s(answer)
            if ahead_s is not None and abs(ahead_s - believed[1]) > _SKEW_S:
                way.ahead_s = ahead_s
                return True
        if keys is None or not blames_keys(code, answer.status, are_temporary=way.credentials.are_temporary):
            return False
        return await way.credentials.renewed(keys) is not None

    async def read(
        self,
        key: str,
        fields: Mapping[str, str],
        has_opaque_etag: Callable[[Mapping[str, str]], bool],
        *,
        version: str | None = None,
        span: "Span | None" = None,
    ) -> AsyncGenerator[bytes, None]:
        """Yield the object's bytes as they arrive. Raises StoreError: see `Powers.get`, `payload/reading.py:Read`.
        `has_opaque_etag` says of an answer's fields whether the ETag need be no MD5."""
        from bulkput.payload.reading import asked, check_answer, exactly  # noqa: PLC0415 - few runs read objects

        request = Request("GET", key, {**fields, **asked(span)})
        for _ in range(_MOST_AGAIN):
            keys = await self._way.credentials.fresh()
            believed = self._way.believed(self._bucket)
            async with self._incoming(request, keys) as answer:
                check_answer(key, answer.status, answer.headers, version, span)
                if answer.status not in (200, 206):
                    refused = without_secrets(await refusal(answer), self._signed(request, keys)[1])
                    if await self._has_learned(request, keys, believed, refused):
                        continue
                    raise error_of_reading("get", key, refused)
                md5 = hashlib.md5(usedforsecurity=False)
                try:
                    async for chunk in exactly(answer.chunks, key, span):
                        if span is None:
                            md5.update(chunk)
                        yield chunk
                except TransportError as error:
                    raise error_from_transport("get", key, error) from None
                if span is None and not has_opaque_etag(answer.headers):
                    _check(key, answer.headers, md5.hexdigest())
                return
        raise Denied("get", key, "the store refuses the request in a new way each time")

    @asynccontextmanager
    async def _incoming(self, request: Request, keys: Keys | None) -> AsyncIterator[Incoming]:
        url, fields = self._signed(request, keys)
        try:
            async with self._way.transport.incoming(url, fields) as answer:
                yield answer
        except TransportError as error:
            raise self._without_answer("get", request, error, fields) from None


def _check(key: str, headers: Mapping[str, str], md5: str) -> None:
    """Raises IntegrityError if the ETag is an MD5, and that of other bytes."""
    etag = md5_of(headers.get("ETag"))
    if etag is not None and etag != md5:
        raise IntegrityError("get", key, expected=etag, actual=md5, status=200)


def _ahead_s(answer: Answer) -> float | None:
    """How far the store's clock is ahead of ours, by the time in the refusal, else by its Date."""
    from datetime import datetime  # noqa: PLC0415 - when a clock is wrong
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        told = text_of(answer, "ServerTime")
        moment = datetime.fromisoformat(told) if told else parsedate_to_datetime(answer.headers["Date"])
        return moment.timestamp() - time.time()
    except (KeyError, ValueError, OverflowError):
        return None
