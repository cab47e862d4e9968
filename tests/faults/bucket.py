"""A bucket of a real S3 behind a fault proxy or a relay, and the answers that only S3 gives.

    bulkput ──> FaultProxy or Relay(intercept) ──> S3

The signature of a request covers the name of its host, and both pass that on as it came. `faultproxy.py` breaks
connections and bytes; the intercepts of this file are for `httprelay.py`, which knows requests. An intercept of kind
`Meets` chooses which requests meet a fault; `Region`, `Clock` and `Expiry` refuse as an S3 elsewhere would, until the
client has learned.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from aiohttp import web

from bulkput.devserver import Handler, Intercept
from tests.faults.target import stored_in
from tests.servers.httprelay import Relay, relay
from tests.servers.judge import S3Judge
from tests.servers.s3 import RealS3

Kind = Literal["put", "part", "begin", "complete", "copy", "copy part", "delete many", "read", "remove"]


@dataclass(frozen=True, slots=True)
class S3Target:
    """A bucket of its own, read by boto3."""

    server: RealS3
    place: str
    name: str
    prepares: int = 0

    @classmethod
    def new(cls, server: RealS3, name: str = "rgw s3") -> "S3Target":
        return cls(server, server.make_bucket(), name)

    @property
    def address(self) -> tuple[str, int]:
        return self.server.address

    @property
    def judge(self) -> S3Judge:
        return S3Judge(self.server)

    def by(self, port: int) -> tuple[str, Mapping[str, str]]:
        """Destination and environment for an upload through a proxy or relay on this port of 127.0.0.1."""
        return f"s3://{self.place}", {**self.server.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}

    def stored(self) -> dict[str, bytes]:
        return stored_in(self.judge, self.place)


@asynccontextmanager
async def relayed(target: S3Target, intercept: Intercept) -> AsyncIterator[Relay]:
    """Runs a relay in front of the target's server."""
    async with relay(target.server.endpoint, intercept) as running:
        yield running


def port_of(running: Relay) -> int:
    return urlsplit(running.url).port or 0


# --- which requests


def kind_of(request: web.BaseRequest) -> Kind:
    """What a request is for."""
    query = dict(parse_qsl(urlsplit(request.raw_path).query, keep_blank_values=True))
    is_copy = "x-amz-copy-source" in request.headers
    match request.method:
        case "PUT" if "partNumber" in query:
            return "copy part" if is_copy else "part"
        case "PUT":
            return "copy" if is_copy else "put"
        case "POST" if "uploads" in query:
            return "begin"
        case "POST":
            return "delete many" if "delete" in query else "complete"
        case "DELETE":
            return "remove"
        case _:
            return "read"


def number_of(request: web.BaseRequest) -> int:
    """The number of the part; 0 for other requests."""
    return int(dict(parse_qsl(urlsplit(request.raw_path).query)).get("partNumber", "0"))


@dataclass(slots=True)
class Meets:
    """Requests of one kind meet a fault: the first `times` for each object (and part), all of them if that is None.

    bulkput's own trials (whether a store refuses to overwrite) pass.
    """

    kind: Kind
    fault: Intercept
    times: int | None = 1
    part: int | None = None
    """Only the part of this number."""
    count: int = 0
    """How many have met it."""
    _seen: Counter[str] = field(default_factory=Counter)

    async def __call__(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        is_meant = kind_of(request) == self.kind and self.part in (None, number_of(request))
        if not is_meant or "/.bulkput-" in request.raw_path:
            return await pass_on(request)
        path = f"{urlsplit(request.raw_path).path} {number_of(request)}"
        self._seen[path] += 1
        if self.times is not None and self._seen[path] > self.times:
            return await pass_on(request)
        self.count += 1
        return await self.fault(request, pass_on)


# --- what they meet


def document(code: str, message: str = "as the test wants it", **more: str) -> bytes:
    """An error document."""
    rows = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in {"Message": message, **more}.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>{rows}</Error>'.encode()


def says(status: int, code: str = "", fields: Mapping[str, str] | None = None, **more: str) -> Intercept:
    """Answers with an error, and passes nothing on. Without a code the answer has no document."""

    async def answer(_request: web.BaseRequest, _pass_on: Handler) -> web.StreamResponse:
        return error(status, code, fields, **more)

    return answer


def error(status: int, code: str = "", fields: Mapping[str, str] | None = None, **more: str) -> web.Response:
    kind = {"Content-Type": "application/xml"} if code else {}
    named = {"x-amz-request-id": "FAULT", **kind, **(fields or {})}
    return web.Response(status=status, headers=named, body=document(code, **more) if code else b"")


def after(fault: Intercept) -> Intercept:
    """The server does what it is asked; the client learns of the fault only."""

    async def both(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        await pass_on(request)
        return await fault(request, pass_on)

    return both


async def resets(request: web.BaseRequest, _pass_on: Handler) -> web.StreamResponse:
    """Ends the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cuts_the_answer(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
    """The server does what it is asked; its answer ends in the middle of its last field, or of its body."""
    answer = await pass_on(request)
    assert isinstance(answer, web.Response) and request.transport is not None
    body = answer.body if isinstance(answer.body, bytes) else b""
    fields = "".join(f"{name}: {text}\r\n" for name, text in answer.headers.items() if name != "Content-Length")
    head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n{fields}Content-Length: {len(body)}\r\n".encode()
    whole = head + b"\r\n" + body
    request.transport.write(whole[: len(whole) - len(body) // 2] if body else head[:-10])
    request.transport.close()
    return web.Response()


def with_etag(etag: str | None) -> Intercept:
    """The server does what it is asked; its answer has another ETag, or none."""

    async def lie(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        answer.headers.popall("ETag", None)
        if etag is not None:
            answer.headers["ETag"] = f'"{etag}"'
        return answer

    return lie


# --- an S3 elsewhere


@dataclass(slots=True)
class Region:
    """The bucket is in this region: requests that are signed for another one are refused, in one of two ways."""

    region: str
    way: Literal[301, 400]
    """301 has the region in a field, 400 in the document."""
    refused: int = 0

    async def __call__(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        if f"/{self.region}/s3/aws4_request" in request.headers.get("Authorization", ""):
            return await pass_on(request)
        self.refused += 1
        if self.way == 301:
            return error(301, "PermanentRedirect", {"x-amz-bucket-region": self.region}, Endpoint="127.0.0.1")
        return error(400, "AuthorizationHeaderMalformed", Region=self.region)


@dataclass(slots=True)
class Clock:
    """The store's clock is so far ahead; it takes no signature that is more than 15 minutes off."""

    ahead_s: int
    refused: int = 0

    async def __call__(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        now = datetime.now(UTC) + timedelta(seconds=self.ahead_s)
        signed = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(now - signed) <= timedelta(minutes=15):
            return await pass_on(request)
        self.refused += 1
        date = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return error(403, "RequestTimeTooSkewed", {"Date": date}, ServerTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"))


@dataclass(slots=True)
class Expiry:
    """From the `after`-th request of the kind on, the store refuses this access key as expired."""

    access_key: str
    kind: Kind = "put"
    after: int = 40
    refused: int = 0
    count: int = 0
    is_met: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        self.count += kind_of(request) == self.kind
        if self.count >= self.after:
            self.is_met.set()
        if not self.is_met.is_set() or f"Credential={self.access_key}/" not in request.headers["Authorization"]:
            return await pass_on(request)
        self.refused += 1
        return error(400, "ExpiredToken", message="The provided token has expired.")
