"""What tests of large objects in S3 share: contents, runs of the library, and requests that meet something."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import Handler, Intercept
from bulkput.engine.upload.upload import upload
from bulkput.options import LargeOptions, RetryOptions, UploadOptions, WireOptions
from bulkput.results import Summary
from tests.servers.httprelay import Relay, relay
from tests.servers.judge import S3Judge
from tests.servers.s3 import RealS3

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MIB = 1024 * 1024
PART = 5 * MIB
LARGE = LargeOptions(above=PART, part_size=PART)
QUICK = RetryOptions(retries=6, base_s=0.01)


@cache
def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class Ran:
    summary: Summary
    events: list[ev.Event]

    def of_kind(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Box:
    """A bucket of a server."""

    server: RealS3
    name: str

    @property
    def judge(self) -> S3Judge:
        return S3Judge(self.server)

    @property
    def client(self) -> Any:
        return self.server.client()

    def through(self, relayed: Relay) -> Box:
        """The same behind a relay."""
        return replace(self, server=replace(self.server, endpoint=relayed.url))

    async def run(
        self, source: Path, *, to: str = "p/", environ: Mapping[str, str] | None = None, **options: Any
    ) -> Ran:
        """Upload to `p/`, or to `to`. Does not raise for what failed."""
        events: list[ev.Event] = []
        given = {"large": LARGE, "retry": QUICK, "wire": WireOptions(concurrency=8), **options}
        summary = await upload(
            [source],
            f"s3://{self.name}/{to}",
            options=UploadOptions(**given),
            on_event=events.append,
            environ={**self.server.environment, **(environ or {})},
        )
        return Ran(summary, events)

    def left(self, key: str, parts: dict[int, bytes], **parameters: Any) -> str:
        """An upload that another program has begun, with these parts. Gives its id."""
        upload_id = self.client.create_multipart_upload(Bucket=self.name, Key=key, **parameters)["UploadId"]
        for number, content in parts.items():
            self.send(key, upload_id, number, content)
        return str(upload_id)

    def send(self, key: str, upload_id: str, number: int, content: bytes) -> str:
        answer = self.client.upload_part(Bucket=self.name, Key=key, UploadId=upload_id, PartNumber=number, Body=content)
        return str(answer["ETag"])

    def complete(self, key: str, upload_id: str) -> None:
        rows = [{"PartNumber": number, "ETag": etag} for number, etag in self.parts(key, upload_id).items()]
        self.client.complete_multipart_upload(
            Bucket=self.name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": rows}
        )

    def parts(self, key: str, upload_id: str) -> dict[int, str]:
        found = self.client.list_parts(Bucket=self.name, Key=key, UploadId=upload_id)
        return {row["PartNumber"]: row["ETag"] for row in found.get("Parts", ())}

    def abort(self, key: str, upload_id: str) -> None:
        self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id)

    def unfinished(self) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=self.name)
        return [row["UploadId"] for row in found.get("Uploads", ())]


@dataclass
class Faults:
    """Requests that meet something, once each unless it says otherwise."""

    meets: list[tuple[Callable[[web.BaseRequest], bool], Intercept, int]] = field(default_factory=list)

    def at(self, method: str, *, has: str, meet: Intercept, times: int = 1) -> None:
        self.meets.append((lambda request: request.method == method and has in request.raw_path, meet, times))

    async def __call__(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        for index, (is_it, meet, times) in enumerate(self.meets):
            if times and is_it(request):
                self.meets[index] = is_it, meet, times - 1
                return await meet(request, pass_on)
        return await pass_on(request)


@asynccontextmanager
async def faulty(box: Box) -> AsyncIterator[tuple[Box, Faults, Relay]]:
    faults = Faults()
    async with relay(box.server.endpoint, faults) as relayed:
        yield box.through(relayed), faults, relayed


def says(status: int, code: str) -> Intercept:
    """An answer without passing the request on."""

    async def meet(_request: web.BaseRequest, _pass_on: Handler) -> web.StreamResponse:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>so it is</Message></Error>"
        return web.Response(status=status, body=body.encode(), content_type="application/xml")

    return meet


async def loses_answer(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
    """It is done, and the client never hears of it."""
    await pass_on(request)
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def after(call: Callable[[], object]) -> Intercept:
    """Calls something that blocks before the request is passed on."""

    async def meet(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        await asyncio.to_thread(call)
        return await pass_on(request)

    return meet
