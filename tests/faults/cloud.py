"""A real Keystone and a real Swift, each behind a relay, for faults of logins and of tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import Handler, Intercept, ResourceKind, parse_target
from bulkput.options import UploadOptions
from tests.faults.target import Ran, new_place, stored_in
from tests.servers.httprelay import Relay, relay
from tests.servers.keystone import KeystoneSwift

LOGIN = "POST /v3/auth/tokens"
Answering = Callable[[], web.Response]


@dataclass(frozen=True)
class Container:
    """A container of one test."""

    servers: KeystoneSwift
    place: str = field(default_factory=new_place)
    name: str = "keystone, swift"
    prepares: int = 1

    @property
    def url(self) -> str:
        return f"swift://{self.place}"

    def stored(self) -> dict[str, bytes]:
        return stored_in(self.servers.judge(), self.place)


@dataclass(frozen=True, kw_only=True)
class Cloud(Container):
    """The same, and both relays on the way to it."""

    keystone: Relay
    swift: Relay

    @property
    def environ(self) -> dict[str, str]:
        return self.through(self.servers.environment)

    def through(self, environ: dict[str, str]) -> dict[str, str]:
        """The environment with the addresses of the relays."""
        store = f"{self.swift.url}/v1/AUTH_{self.servers.project_id}"
        return {**environ, "OS_AUTH_URL": f"{self.keystone.url}/v3", "OS_STORAGE_URL": store}

    @property
    def logins(self) -> int:
        """The number of requests for a token, also of those that failed."""
        return self.keystone.count(LOGIN)


@asynccontextmanager
async def relayed(
    servers: KeystoneSwift,
    *,
    keystone: Intercept | None = None,
    swift: Intercept | None = None,
    rows: int | None = None,
) -> AsyncIterator[Cloud]:
    """Runs the relays, which pass everything on but for what these do. With `rows`, pages of listings have so many."""
    async with (
        relay(servers.environment["OS_AUTH_URL"], keystone) as first,
        relay(servers.storage_url(), swift, rows=rows) as second,
    ):
        yield Cloud(servers, keystone=first, swift=second)


async def upload(
    tree: Path,
    to: Container,
    options: UploadOptions,
    *,
    environ: Mapping[str, str],
    on_event: ev.Emit | None = None,
) -> Ran:
    """Uploads `tree`, and asserts that the numbers add up and no object is counted twice."""
    seen: list[ev.Event] = []

    def watch(event: ev.Event) -> None:
        seen.append(event)
        if on_event is not None:
            on_event(event)

    summary = await bulkput.upload([tree], to.url, options=options, on_event=watch, environ=environ)
    ran = Ran(summary, seen)
    assert summary.adds_up and len(ran.uploaded) == summary.uploaded
    return ran


@dataclass(slots=True)
class Faulty:
    """An intercept of Keystone's relay: it answers the logins with these numbers, from 1; others reach Keystone."""

    answer: Answering | None
    """None closes the connection."""
    numbers: Collection[int]
    is_silent: bool = False
    """Whether they get no answer at all."""
    count: int = 0
    is_met: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        if request.method != "POST":
            return await pass_on(request)
        self.count += 1
        if self.count not in self.numbers:
            return await pass_on(request)
        self.is_met.set()
        if self.is_silent:
            await asyncio.Event().wait()  # until the relay ends
        if self.answer is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return self.answer()


def token_of(answer: web.StreamResponse) -> str:
    """The token of Keystone's answer to a login."""
    return answer.headers["X-Subject-Token"]


def is_object_put(request: web.BaseRequest) -> bool:
    return request.method == "PUT" and parse_target(request.raw_path).kind is ResourceKind.OBJECT


def refusal_of(servers: KeystoneSwift) -> Answering:
    """Gives what Swift answers to a token that Keystone has revoked."""
    url = f"{servers.storage_url()}/c"
    try:
        urlopen(Request(url, headers={"X-Auth-Token": servers.revoked_token()}))
    except HTTPError as error:
        with error:
            fields = {name: text for name, text in error.headers.items() if name.startswith(("X-", "Www", "WWW"))}
            status, body, kind = error.code, error.read(), error.headers["Content-Type"]
    assert status == 401
    return lambda: web.Response(status=status, headers={**fields, "Content-Type": kind}, body=body)


@dataclass(slots=True)
class Revoking:
    """An intercept of Swift's relay: with the `after`-th PUT of an object, its token becomes invalid.

    Swift itself remembers for minutes which tokens it has accepted, so the relay refuses it as Swift would. Until it
    has accepted one, Swift asks Keystone for each request; so one goes first, or 64 would take seconds.
    """

    refusal: Answering
    after: int
    invalid: set[str] = field(default_factory=set)
    is_for_good: bool = False
    """Whether later tokens are refused, too."""
    puts: int = 0
    is_met: asyncio.Event = field(default_factory=asyncio.Event)
    _known: set[str] = field(default_factory=set)
    _first: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        token = request.headers["X-Auth-Token"]
        if is_object_put(request):
            self.puts += 1
            if self.puts == self.after:
                self.invalid.add(token)
                self.is_met.set()
        if token in self.invalid or (self.is_for_good and self.is_met.is_set()):
            return self.refusal()
        if token not in self._known:
            async with self._first:
                answer = await pass_on(request)
                self._known.add(token)
                return answer
        return await pass_on(request)
