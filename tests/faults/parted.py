"""Uploads in small parts to a devserver that meets chosen requests with faults, and what the server holds afterwards.

The objects are read with the standard library's HTTP client: each is the old one or the new one, and never unreadable.
"""

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TypeVar

from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, DevServerOptions, Handler, Intercept, ResourceKind, parse_target
from bulkput.engine.stop import Stop
from bulkput.options import LargeOptions, RetryOptions, UploadOptions
from tests.conftest import environ_of
from tests.faults.target import Ran
from tests.servers.judge import SwiftJudge

E = TypeVar("E")
PART, COUNT = 1000, 10
SIZE = PART * (COUNT - 1) + 500
"""Bytes of a file of ten parts, the last of which is smaller."""
LARGE = LargeOptions(above=1, part_size=PART)
QUICK = RetryOptions(retries=3, base_s=0.001)
MANIFEST = 0
"""Stands for the number of a part where a request for the manifest is meant."""


class Site:
    """A devserver that meets the PUTs of parts and manifests with the faults that wait for them."""

    def __init__(self) -> None:
        self.server: DevServer
        self.puts: Counter[str] = Counter()
        """PUTs of parts, by segment name, as they arrived."""
        self.manifests = 0
        self._once: dict[int, list[Intercept]] = {}
        self._always: dict[int, Intercept] = {}

    def meets(self, number: int, *faults: Intercept) -> None:
        """The next PUTs of part `number` (or of MANIFEST) meet these faults, in order."""
        self._once.setdefault(number, []).extend(faults)

    def always_meets(self, number: int, fault: Intercept) -> None:
        self._always[number] = fault

    def recovers(self) -> None:
        self._once.clear()
        self._always.clear()

    @property
    def numbers(self) -> Counter[int]:
        """How often a part of each number was sent."""
        return sum((Counter({_number(name): count}) for name, count in self.puts.items()), Counter[int]())

    async def intercept(self, request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        target = parse_target(request.raw_path)
        if request.method != "PUT" or target.kind is not ResourceKind.OBJECT:
            return await handler(request)
        if "multipart-manifest" in target.query or "X-Object-Manifest" in request.headers:
            number, self.manifests = MANIFEST, self.manifests + 1
        elif "/bulkput/" in target.name and target.name[-8:].isdigit():
            number = _number(target.name)
            self.puts[target.name] += 1
        else:
            return await handler(request)
        if waiting := self._once.get(number):
            return await waiting.pop(0)(request, handler)
        fault = self._always.get(number)
        return await fault(request, handler) if fault is not None else await handler(request)

    @property
    def judge(self) -> SwiftJudge:
        options = self.server.options
        return SwiftJudge(self.server.auth_url, options.user, options.key)

    async def content(self, name: str = "big", container: str = "c") -> bytes | None:
        """The object's bytes, by a GET; None if it does not exist. Fails if it cannot be read to its end."""
        return await asyncio.to_thread(self.judge.content, container, name)

    def segments(self, container: str = "c_segments") -> dict[str, bytes]:
        """The stored segments, by name."""
        there = self.server.store.containers.get(container)
        if there is None:
            return {}
        return {name: b"".join(stored.pieces) for name, stored in there.objects.items()}

    def overwrite(self, name: str, container: str = "c_segments") -> str:
        """Flips a bit of a stored object; gives its new MD5."""
        there = self.server.store.containers[container]
        content = b"".join(there.objects[name].pieces)
        content = content[:-1] + bytes((content[-1] ^ 1,))
        etag = hashlib.md5(content).hexdigest()
        there.enter(replace(there.objects[name], pieces=(content,), etag=etag, timestamp=self.server.store.now()))
        return etag

    def used(self, name: str = "big", container: str = "c") -> set[str]:
        """The segments of a static large object, as CONTAINER/OBJECT."""
        stored = self.server.store.containers[container].objects[name]
        return {segment.name.removeprefix("/") for segment in stored.slo.segments} if stored.slo is not None else set()


def _number(name: str) -> int:
    return int(name[-8:])


@asynccontextmanager
async def site(options: DevServerOptions | None = None) -> AsyncIterator[Site]:
    made = Site()
    async with DevServer(options, intercept=made.intercept) as made.server:
        yield made


def noise(size: int = SIZE, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)


def big(root: Path, content: bytes | None = None, name: str = "big") -> Path:
    """A file of ten parts, or with this content."""
    path = root / name
    path.write_bytes(noise() if content is None else content)
    return path


async def run(
    where: Site,
    source: Path | str,
    *,
    to: str = "swift://c",
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
    **options: object,
) -> Ran:
    """Uploads with `LARGE` and `QUICK`, unless the options say otherwise. Asserts that the numbers add up."""
    seen: list[ev.Event] = []

    def watch(event: ev.Event) -> None:
        seen.append(event)
        if on_event is not None:
            on_event(event)

    chosen = UploadOptions(**{"large": LARGE, "retry": QUICK, **options})  # type: ignore[arg-type]
    summary = await bulkput.upload(
        [source], to, options=chosen, on_event=watch, stop=stop, environ=environ or environ_of(where.server)
    )
    assert summary.adds_up
    uploaded = sum(isinstance(event, ev.Uploaded) for event in seen)
    failed = sum(isinstance(event, ev.Failed) for event in seen)
    assert (summary.uploaded, summary.failed) == (uploaded, failed)
    return Ran(summary, seen)


def failure(ran: Ran) -> str:
    """The text of the only failure."""
    (failed,) = of_kind(ran, ev.Failed)
    return str(failed.error)


def of_kind(ran: Ran, kind: type[E]) -> list[E]:
    return [event for event in ran.events if isinstance(event, kind)]


def answers(status: int, body: bytes = b"", fields: Mapping[str, str] | None = None) -> Intercept:
    """Reads the request, stores nothing, and answers this."""

    async def fault(request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, body=body, headers=fields)

    return fault


async def resets(request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
    """Resets the connection after the first bytes of the body."""
    await request.content.readany()
    return _aborted(request)


async def loses_the_answer(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
    """Stores what is sent, and resets the connection instead of an answer."""
    await handler(request)
    return _aborted(request)


def _aborted(request: web.BaseRequest) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response(status=500)


def with_etag(etag: str | None) -> Intercept:
    """Stores what is sent, and answers with this ETag, or without one."""

    async def fault(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        del answer.headers["ETag"]
        if etag is not None:
            answer.headers["ETag"] = etag
        return answer

    return fault


def damages(where: Site) -> Intercept:
    """Stores other bytes than those that are sent, and answers with their MD5."""

    async def fault(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        target = parse_target(request.raw_path)
        answer.headers["ETag"] = where.overwrite(target.name, target.container)
        return answer

    return fault


def before(act: Callable[[], Awaitable[None] | None]) -> Intercept:
    """Calls `act`, and then serves the request."""

    async def fault(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        waiting = act()
        if waiting is not None:
            await waiting
        return await handler(request)

    return fault


def after(act: Callable[[], Awaitable[None] | None]) -> Intercept:
    """Serves the request, and calls `act` before the answer is sent."""

    async def fault(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        waiting = act()
        if waiting is not None:
            await waiting
        return answer

    return fault


def beats(*pieces: bytes, cut: bool = False) -> Intercept:
    """Answers 202 and these pieces of a body, each in a chunk of its own; `cut` resets the connection behind them."""

    async def fault(request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        await request.read()
        answer = web.StreamResponse(status=202, headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        for piece in pieces:
            await answer.write(piece)
            await asyncio.sleep(0)
        if cut:
            return _aborted(request)
        await answer.write_eof()
        return answer

    return fault


def outcome(status: str, **fields: object) -> bytes:
    """The last lines of an answer with heartbeats."""
    said = {"Response Status": status, "Response Body": "", "Errors": [], **fields}
    return b"\r\n\r\n" + json.dumps(said).encode()


def rewrite(path: Path, content: bytes) -> None:
    """Replaces the bytes in place, and keeps size and mtime."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
