"""Where a fault test uploads to, and what is stored there; the stored objects are read without any code of bulkput."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, Intercept, ResourceKind, parse_target
from bulkput.engine.stop import Stop
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from tests.ledger import Ledger, Row
from tests.servers.judge import S3Judge, SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

EAGER = RetryOptions(retries=8, base_s=0.01, cap_s=0.3)
"""The default number of retries, with short pauses."""


class Place(Protocol):
    """Where objects are stored."""

    @property
    def name(self) -> str: ...

    @property
    def prepares(self) -> int:
        """Number of PUTs of a run that store no object (the container's)."""

    def stored(self) -> dict[str, bytes]:
        """The stored bytes, by object name. Blocks."""


class Target(Place, Protocol):
    """Where one test uploads to."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the server itself."""

    def by(self, port: int) -> tuple[str, Mapping[str, str]]:
        """Destination and environment for an upload through a proxy on this port of 127.0.0.1."""


@dataclass(frozen=True, slots=True)
class NginxTarget:
    """A directory that nginx stores into; it is read as files."""

    server: NginxDav
    place: str
    name: str = "nginx"
    prepares: int = 0

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", urlsplit(self.server.url).port or 80

    @property
    def root(self) -> Path:
        return self.server.root / self.place

    def by(self, port: int) -> tuple[str, Mapping[str, str]]:
        return f"http://127.0.0.1:{port}/{self.place}/", {}

    def stored(self) -> dict[str, bytes]:
        return contents(self.root)


@dataclass(frozen=True, slots=True)
class SwiftTarget:
    """A container, read with the standard library's HTTP client. Only storage requests go through the proxy."""

    server: RealSwift
    place: str
    name: str = "swift"
    prepares: int = 1

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self._judge.storage_url)
        return parts.hostname or "", parts.port or 80

    def by(self, port: int) -> tuple[str, Mapping[str, str]]:
        account = urlsplit(self._judge.storage_url).path
        there = {"OS_STORAGE_URL": f"http://127.0.0.1:{port}{account}"}
        return f"swift://{self.place}", self.server.environment | there

    def stored(self) -> dict[str, bytes]:
        return stored_in(self._judge, self.place)

    @property
    def _judge(self) -> SwiftJudge:
        return SwiftJudge(self.server.auth_url, self.server.user, self.server.key)


def stored_in(judge: SwiftJudge | S3Judge, container: str) -> dict[str, bytes]:
    """Gives the bytes of a container's or bucket's objects, by name."""
    with ThreadPoolExecutor(4) as threads:
        names = judge.names(container)
        found = threads.map(lambda name: judge.get(container, name), names)
        return {name: seen.content for name, seen in zip(names, found, strict=True) if seen is not None}


def new_place() -> str:
    """Gives a new name for a container or directory."""
    return f"faults-{uuid.uuid4().hex[:8]}"


def contents(root: Path) -> dict[str, bytes]:
    """Gives the bytes of the files below a directory, by relative path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def make_tree(root: Path, count: int, size: int) -> Path:
    """Creates `count` files of `size` to `size + 6` random bytes, no two alike, ten in each directory."""
    chance = Random(count)
    for n in range(count):
        file = root / f"{n // 10:03d}" / f"{n:04d}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(size + n % 7))
    return root


@dataclass(frozen=True, slots=True)
class Ran:
    """The summary of a run and its events."""

    summary: bulkput.Summary
    events: list[ev.Event]

    @property
    def uploaded(self) -> set[str]:
        return {event.upload.key for event in self.events if isinstance(event, ev.Uploaded)}


async def upload(
    tree: Path,
    target: Target,
    port: int,
    *,
    wire: WireOptions,
    options: UploadOptions | None = None,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
) -> Ran:
    """Uploads `tree` through the proxy on `port`, and asserts that the numbers of the summary add up."""
    seen: list[ev.Event] = []

    def watch(event: ev.Event) -> None:
        seen.append(event)
        if on_event is not None:
            on_event(event)

    destination, environ = await asyncio.to_thread(target.by, port)
    chosen = replace(options or UploadOptions(retry=EAGER), wire=wire)
    summary = await bulkput.upload([tree], destination, options=chosen, on_event=watch, stop=stop, environ=environ)
    assert summary.adds_up
    return Ran(summary, seen)


@asynccontextmanager
async def faulty(intercept: Intercept) -> AsyncIterator[DevServer]:
    """Runs a devserver with `intercept` around its object PUTs; it answers all other requests itself."""

    async def only_puts(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "PUT" and parse_target(request.raw_path).kind is ResourceKind.OBJECT:
            return await intercept(request, handler)
        return await handler(request)

    async with DevServer(intercept=only_puts) as server:
        yield server


@asynccontextmanager
async def expiring(at: int) -> AsyncIterator[DevServer]:
    """Runs a devserver whose token expires with the object PUT of this number."""
    count = 0

    async def expire(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count == at:
            server.tokens.revoke()
        return await handler(request)

    async with faulty(expire) as server:
        yield server


async def judged(ledger: Ledger, fault: str, tree: Path, target: Place, ran: Ran) -> Row:
    """Compares the store with the tree; gives the row that it adds to the ledger."""
    summary = ran.summary
    return ledger.note(
        fault,
        target.name,
        source=await asyncio.to_thread(contents, tree),
        stored=await asyncio.to_thread(target.stored),
        uploaded=ran.uploaded,
        tried=summary.uploaded + summary.failed,
        puts=summary.requests.get("PUT", 0) - target.prepares,
        exit_code=summary.exit_code,
    )
