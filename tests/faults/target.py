"""A place on a real server, the way to it through a proxy, and what is really there: read by nothing of bulkput."""

import asyncio
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Protocol
from urllib.parse import urlsplit

import bulkput
from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from tests.ledger import Ledger, Row
from tests.servers.judge import SwiftJudge
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

EAGER = RetryOptions(retries=8, base_s=0.01, cap_s=0.3)
"""As many tries as by default, without their pauses."""


class Target(Protocol):
    """Where one test uploads to."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> tuple[str, int]:
        """Of the server itself."""

    @property
    def prepares(self) -> int:
        """PUTs of a run that are no objects."""

    def by(self, port: int) -> tuple[str, Mapping[str, str]]:
        """Destination and environment that lead to it by way of a port on this machine."""

    def stored(self) -> dict[str, bytes]:
        """What is there, by name. Blocking."""


@dataclass(frozen=True, slots=True)
class NginxTarget:
    """A directory of nginx, read as files."""

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
    """A container, read with the standard library's HTTP client. Only the storage is led through a proxy."""

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
        judge = self._judge
        with ThreadPoolExecutor(4) as threads:
            names = judge.names(self.place)
            found = threads.map(lambda name: judge.get(self.place, name), names)
            return {name: seen.content for name, seen in zip(names, found, strict=True) if seen is not None}

    @property
    def _judge(self) -> SwiftJudge:
        return SwiftJudge(self.server.auth_url, self.server.user, self.server.key)


def new_place() -> str:
    """A name for a container or a directory of one's own."""
    return f"faults-{uuid.uuid4().hex[:8]}"


def contents(root: Path) -> dict[str, bytes]:
    """The files below a directory, by name."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def make_tree(root: Path, count: int, size: int) -> Path:
    """Files of `size` random bytes and a few, so that no two are alike, in directories of ten."""
    chance = Random(count)
    for n in range(count):
        file = root / f"{n // 10:03d}" / f"{n:04d}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(size + n % 7))
    return root


@dataclass(frozen=True, slots=True)
class Ran:
    """A run, and what it said of each file."""

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
    """Upload `tree` by way of `port`; the numbers have to add up, whatever happens."""
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


async def judged(ledger: Ledger, fault: str, tree: Path, target: Target, ran: Ran) -> Row:
    """The store against the tree, as a row of the ledger."""
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
