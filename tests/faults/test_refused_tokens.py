"""Tokens that the store refuses: requests are sent again with a newer one, whatever they carry, and not for ever."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import Denied
from bulkput.model import ObjectHeaders
from bulkput.options import WireOptions
from bulkput.stores.base import Store
from bulkput.testing.given import ONCE
from tests.faults.raw import raw_server, read_request

DATA = bytes(range(256)) * 2_000
MD5 = hashlib.md5(DATA).hexdigest()
TRANSPORTS = ["wire", "aiohttp"]


@dataclass
class Streamed:
    """A body that comes in pieces, as that of a large file."""

    size: int = len(DATA)
    md5: None = None
    data: None = None
    length_hint: int = len(DATA)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(DATA), 65_536):
            yield DATA[start : start + 65_536]


@dataclass
class Cloud:
    """Refuses as many requests for objects as `refuses` says; `tokens` are those of the requests, in turn."""

    refuses: int
    lives_s: int
    url: str = ""
    logins: int = 0
    tokens: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head, body = await read_request(reader)
            writer.write(self.answer(head.decode(), body))

    def answer(self, head: str, body: bytes) -> bytes:
        fields = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if line)
        if head.startswith("GET /auth"):
            self.logins += 1
            granted = f"X-Auth-Token: t{self.logins}\r\nX-Auth-Token-Expires: {self.lives_s}"
            return said(200, f"{granted}\r\nX-Storage-Url: {self.url}/v1/a")
        self.tokens.append(fields["x-auth-token"])
        self.bodies.append(body)
        if len(self.tokens) <= self.refuses:
            return said(401)
        return said(201, f"ETag: {MD5}") if head.startswith("PUT") else said(200, f"ETag: {MD5}", DATA)


def said(status: int, fields: str = "X: y", body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status} Said\r\n{fields}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def store_of(cloud: Cloud, transport: str, *, is_given: bool = False) -> AsyncIterator[Store]:
    wire = WireOptions(transport="aiohttp" if transport == "aiohttp" else "wire")
    async with raw_server(cloud.serve) as cloud.url:
        environ = {"ST_AUTH": f"{cloud.url}/auth/v1.0", "ST_USER": "u", "ST_KEY": "k"}
        if is_given:
            environ = {"OS_STORAGE_URL": f"{cloud.url}/v1/a", "OS_AUTH_TOKEN": "t0"}
        async with connected("swift://c", wire=wire, retry=ONCE, environ=environ) as (store, _):
            yield store


async def got(store: Store) -> bytes:
    get = store.powers.get
    assert get is not None
    return b"".join([piece async for piece in get("k")])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_streamed_body_is_sent_again_from_its_beginning(transport: str) -> None:
    """The first token is refused when the whole body has arrived."""
    cloud = Cloud(refuses=1, lives_s=3600)
    async with store_of(cloud, transport) as store:
        stored = await store.put("k", Streamed(), ObjectHeaders())
    assert (stored.etag, stored.size) == (MD5, len(DATA))
    assert (cloud.tokens, cloud.bodies) == (["t1", "t2"], [DATA, DATA])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_object_is_read_by_a_newer_token(transport: str) -> None:
    cloud = Cloud(refuses=1, lives_s=3600)
    async with store_of(cloud, transport) as store:
        assert await got(store) == DATA
    assert cloud.tokens == ["t1", "t2"]


@pytest.mark.parametrize("reads", [True, False], ids=["get", "put"])
@pytest.mark.parametrize("refuses", [3, 4])
async def test_a_request_is_sent_again_three_times_at_most(refuses: int, *, reads: bool) -> None:
    """Each token has expired when it arrives, as on a server that lets requests wait."""
    cloud = Cloud(refuses=refuses, lives_s=0)
    async with store_of(cloud, "wire") as store:
        asked = got(store) if reads else store.put("k", Streamed(), ObjectHeaders())
        if refuses == 3:
            await asked
        else:
            with pytest.raises(Denied, match="401"):
                await asked
    assert cloud.tokens == ["t1", "t2", "t3", "t4"] and cloud.logins == 4


@pytest.mark.parametrize("reads", [True, False], ids=["get", "put"])
async def test_a_young_token_that_is_refused_means_no(*, reads: bool) -> None:
    """Two logins, and no third: another would change nothing."""
    cloud = Cloud(refuses=9, lives_s=3600)
    async with store_of(cloud, "wire") as store:
        with pytest.raises(Denied, match="401"):
            await (got(store) if reads else store.put("k", Streamed(), ObjectHeaders()))
    assert cloud.tokens == ["t1", "t2"] and cloud.logins == 2


@pytest.mark.parametrize("reads", [True, False], ids=["get", "put"])
async def test_a_given_token_that_is_refused_says_what_to_do(*, reads: bool) -> None:
    cloud = Cloud(refuses=9, lives_s=0)
    async with store_of(cloud, "wire", is_given=True) as store:
        with pytest.raises(Denied, match=r"401 the store refuses OS_AUTH_TOKEN: .* Set it to a new one"):
            await (got(store) if reads else store.put("k", Streamed(), ObjectHeaders()))
    assert cloud.tokens == ["t0"] and cloud.logins == 0
