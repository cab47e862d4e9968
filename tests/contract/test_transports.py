"""One suite for both transports: what each promises, whatever servers and connections do.

Answers arrive whole, byte by byte, and in random pieces. Most tests use a transport through the plain HTTP store, which
adds only the mapping of errors.
"""

import asyncio
import gc
import os
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import StoreError, TooLarge, Unavailable, UsageError
from bulkput.events import Emit, Event, Requested
from bulkput.model import SourceFile
from bulkput.options import BodyOptions, RetryOptions, WireOptions
from bulkput.payload.body import BodyOpener
from bulkput.stores.base import Store
from bulkput.testing.given import HEADERS, ONCE, Pieces, whole
from bulkput.transport.base import TransportError, WireCount
from bulkput.transport.pacing import body_waits, paying_again
from bulkput.transport.session import SessionTransport
from bulkput.transport.wire import WireTransport
from tests.faults import raw
from tests.faults.raw import CREATED, read_request

StoreAt = Callable[..., AbstractAsyncContextManager[tuple[Store, WireCount]]]
RawServer = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture(params=["wire", "aiohttp"])
def options(request: pytest.FixtureRequest) -> WireOptions:
    """Both transports."""
    return WireOptions(transport=request.param, examines_http=False)


@pytest.fixture
def store_at(options: WireOptions) -> StoreAt:
    """The plain HTTP store below a URL."""

    def opened(
        url: str, *, retry: RetryOptions = ONCE, emit: Emit | None = None, **wire: Any
    ) -> AbstractAsyncContextManager[tuple[Store, WireCount]]:
        return connected(f"{url}/", wire=replace(options, **wire), retry=retry, emit=emit, environ={})

    return opened


@pytest.fixture(params=["whole", "byte by byte", "random"])
def raw_server(request: pytest.FixtureRequest) -> RawServer:
    """A server whose answers arrive in one piece, or in many."""
    return partial(raw.raw_server, delivery=request.param)


LARGE = Pieces(tuple(bytes([n]) * 262_144 for n in range(64)))


async def test_a_request_on_a_stale_connection_is_resent_without_costing_an_attempt(
    store_at: StoreAt, raw_server: RawServer
) -> None:
    """The server drops each connection at its second request; without retries, every object is stored."""
    arrived: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        head, _ = await read_request(reader)
        arrived.append(head.split(b" ")[1])
        writer.write(CREATED)
        await reader.readuntil(b"\r\n\r\n")

    events: list[Event] = []
    async with (
        raw_server(behave) as url,
        store_at(url, emit=events.append) as (store, count),
    ):
        for n in range(5):
            await store.put(f"{n}", whole(b"x"), HEADERS)
        await store.put("large", Pieces((b"a" * 70_000, b"b" * 70_000)), HEADERS)
    assert arrived == [b"/0", b"/1", b"/2", b"/3", b"/4", b"/large"]
    assert count.requests["PUT"] == 6 + 5, "resends are counted on the wire"
    assert [event.error for event in events if isinstance(event, Requested)] == [None] * 6


async def test_a_request_that_the_transport_sends_again_is_paid_again(store_at: StoreAt, raw_server: RawServer) -> None:
    """The server drops each connection at its second request, without an answer."""
    paid: list[str] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(CREATED)
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(behave) as url, store_at(url) as (store, count):
        for n in range(5):
            with paying_again(lambda _method, n=n: paid.append(f"{n}")):  # type: ignore[misc]
                await store.put(f"{n}", whole(b"x"), HEADERS)
    assert paid == ["1", "2", "3", "4"]
    assert count.requests["PUT"] == 5 + 4


async def test_a_new_connection_that_closes_unanswered_costs_an_attempt(
    store_at: StoreAt, raw_server: RawServer
) -> None:
    """The connection was not idle before, so the PUT fails and is retried if retries are left."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await read_request(reader)
        if number >= 2:  # aiohttp resends once by itself
            writer.write(CREATED)
            await reader.read()

    async with raw_server(behave) as url:
        async with store_at(url) as (store, _):
            with pytest.raises(Unavailable, match="closed the connection without an answer"):
                await store.put("x", whole(b"x"), HEADERS)
        async with store_at(url, retry=RetryOptions(retries=1, base_s=0)) as (store, _):
            await store.put("x", whole(b"x"), HEADERS)


async def test_a_201_before_the_end_of_the_body_is_a_failure(store_at: StoreAt, raw_server: RawServer) -> None:
    """A 201 in answer to the head alone proves nothing."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CREATED)
        await asyncio.Event().wait()  # reads no further

    async with raw_server(behave) as url, store_at(url) as (store, _):
        with pytest.raises(Unavailable, match="201 before the body had been sent"):
            await store.put("large", LARGE, HEADERS)


async def test_a_refusal_before_the_end_of_the_body_stops_the_sending(store_at: StoreAt, raw_server: RawServer) -> None:
    """The server answers 413 at once and reads no body; the error is raised although most of the body is unsent."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async with raw_server(behave) as url, store_at(url) as (store, _):
        with pytest.raises(TooLarge):
            await store.put("large", LARGE, HEADERS)


async def test_a_request_without_an_answer_ends_at_its_deadline(store_at: StoreAt, raw_server: RawServer) -> None:
    """`timeout_s` bounds each request."""

    async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        await asyncio.Event().wait()

    async with raw_server(behave) as url, store_at(url, timeout_s=0.2) as (store, _):
        with pytest.raises(Unavailable, match="no answer in time"):
            await store.put("x", whole(b"x"), HEADERS)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 201 Cre",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_an_incomplete_or_invalid_answer_is_a_failure(
    store_at: StoreAt, raw_server: RawServer, answer: bytes
) -> None:
    """An answer that cannot be read to its end fails the attempt; the deadline ends one that never ends."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(answer)

    async with raw_server(behave) as url, store_at(url, timeout_s=1.0) as (store, _):
        with pytest.raises(Unavailable):
            await store.put("x", whole(b"x"), HEADERS)


async def test_an_endless_answer_is_cut_and_its_connection_closed(store_at: StoreAt, raw_server: RawServer) -> None:
    """A megabyte of error page: its status counts, and the next request opens a connection."""
    connections = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        nonlocal connections
        connections = number + 1
        await read_request(reader)
        writer.write(b"HTTP/1.1 409 Conflict\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1_000_000)
        await reader.read()

    async with raw_server(behave) as url, store_at(url) as (store, _):
        for _ in range(2):
            with pytest.raises(StoreError, match="409"):
                await store.put("x", whole(b"x"), HEADERS)
    assert connections == 2


async def test_a_redirect_is_an_error_that_names_the_new_url(store_at: StoreAt, raw_server: RawServer) -> None:
    """The client sends no request, and so no credentials, to the new URL."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 307 Moved\r\nLocation: http://other.example/x\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with raw_server(behave) as url, store_at(url) as (store, count):
        with pytest.raises(StoreError, match=r"redirect to http://other\.example/x"):
            await store.put("x", whole(b"x"), HEADERS)
    assert count.requests.total() == 1


async def test_head_and_small_body_are_sent_in_one_segment(store_at: StoreAt, raw_server: RawServer) -> None:
    """Two writes would meet Nagle and delayed ACK: 40 ms per object instead of 0.1 (riak-python-client, issue 279)."""
    reads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while data := await reader.read(1 << 20):
            reads.append(data)
            writer.write(CREATED)

    async with raw_server(behave) as url, store_at(url) as (store, _):
        for n in range(3):
            await store.put(f"{n}", whole(b"body%d" % n), HEADERS)
    assert [data.rpartition(b"\r\n\r\n")[2] for data in reads] == [b"body0", b"body1", b"body2"]


async def test_connections_are_spread_over_all_addresses_of_a_host(options: WireOptions) -> None:
    """The host name has two addresses; both get connections."""
    hits: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hits.append(writer.get_extra_info("sockname")[0])
        await read_request(reader)
        writer.write(CREATED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    second = await asyncio.start_server(serve, "127.0.0.2", port)

    async def two_addresses(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1", "127.0.0.2"]

    kind = WireTransport if options.transport == "wire" else SessionTransport
    async with server, second, aclosing(kind(options, user_agent="test", resolve=two_addresses)) as transport:
        for _ in range(4):
            await transport.request("PUT", f"http://many.example:{port}/x", {}, whole(b"x"))
    assert sorted(set(hits)) == ["127.0.0.1", "127.0.0.2"]


@contextmanager
def black_hole(address: str, port: int) -> Iterator[None]:
    """Connections to this address are neither accepted nor refused: the listener's queue is full."""
    with socket.socket() as listener, socket.socket() as waits:
        listener.bind((address, port))
        listener.listen(0)
        waits.connect((address, port))
        yield


async def test_a_dead_address_delays_a_connection_only_briefly(options: WireOptions, raw_server: RawServer) -> None:
    """The delay is far below `connect_timeout_s` (600 s here), even if the dead address comes first."""
    served: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        served.append((await read_request(reader))[0])
        writer.write(CREATED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async def two_addresses(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    patient = replace(options, connect_timeout_s=600.0)
    kind = WireTransport if options.transport == "wire" else SessionTransport
    async with raw_server(behave) as url:
        port = int(url.rpartition(":")[2])
        with black_hole("127.0.0.2", port):
            async with aclosing(kind(patient, user_agent="test", resolve=two_addresses)) as transport:
                for _ in range(4):
                    await transport.request("PUT", f"http://many.example:{port}/x", {}, whole(b"x"))
    assert len(served) == 4


async def test_refusals_from_all_addresses_are_one_sentence(options: WireOptions) -> None:
    """The error does not list the answer of each address."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    async def two_addresses(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    kind = WireTransport if options.transport == "wire" else SessionTransport
    async with aclosing(kind(options, user_agent="test", resolve=two_addresses)) as transport:
        with pytest.raises(TransportError, match=f"^cannot connect to many.example:{port}: connection refused$"):
            await transport.request("PUT", f"http://many.example:{port}/x", {}, whole(b"x"))


async def test_a_host_name_outside_ascii_is_sent_as_its_a_label(options: WireOptions, raw_server: RawServer) -> None:
    """The resolver and `Host:` get the A-label, as with curl; over TLS, SNI has the same name."""
    heads: list[bytes] = []
    names: list[str] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        heads.append((await read_request(reader))[0])
        writer.write(CREATED)
        await reader.read()

    async def loopback(host: str, _port: int) -> list[str]:
        names.append(host)
        return ["127.0.0.1"]

    kind = WireTransport if options.transport == "wire" else SessionTransport
    async with raw_server(behave) as url, aclosing(kind(options, user_agent="test", resolve=loopback)) as transport:
        place = url.replace("http://127.0.0.1", "http://b\u00fccher.example")
        await transport.request("PUT", f"{place}/x", {}, whole(b"x"))
    assert names == ["xn--bcher-kva.example"]
    assert f"Host: xn--bcher-kva.example{place[place.rindex(':') :]}\r\n".encode() in heads[0]


async def test_an_invalid_host_is_a_usage_error(options: WireOptions) -> None:
    """Raised before any byte is sent."""
    kind = WireTransport if options.transport == "wire" else SessionTransport
    async with aclosing(kind(options, user_agent="test")) as transport:
        with pytest.raises(UsageError, match="is not a host name"):
            transport.check("https://b\u00fc..cher.example/")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, "", "401 Unauthorized, and no credentials are given: set BULKPUT_HTTP_TOKEN, or BULKPUT_HTTP_USER and"),
        (403, '{"errors": [{"status": 403, "message": "no rights"}]}', "403 Forbidden: no rights"),
        (409, "<html><head><title>409 Conflict</title></head><p>no parent</p></html>", "409 Conflict: no parent"),
    ],
)
async def test_an_error_contains_the_servers_reason(
    store_at: StoreAt, raw_server: RawServer, status: int, body: str, says: str
) -> None:
    """The test reads the errors of a PUT and of a GET."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            await read_request(reader)
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write((head + body).encode())

    async with raw_server(behave) as url, store_at(url) as (store, _):
        with pytest.raises(StoreError, match=f"^put x: {says}"):
            await store.put("x", whole(b"x"), HEADERS)
        assert store.powers.get is not None
        with pytest.raises(StoreError, match=f"^get x: {says}"):
            _ = [piece async for piece in store.powers.get("x")]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"])
async def test_a_server_without_expect_support_still_receives_the_body(
    store_at: StoreAt, raw_server: RawServer, answer: bytes
) -> None:
    """It is silent or answers 417: after a short wait the client sends this body, and later ones at once."""
    heads: list[bool] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(b"Expect: 100-continue" in head)
            if heads[-1]:
                writer.write(answer)
                await reader.read(1)  # no body comes: the client waits, then opens a new connection
                return
            await reader.readexactly(140_000)
            writer.write(CREATED)

    body = Pieces((b"a" * 70_000, b"b" * 70_000))
    async with raw_server(behave) as url, store_at(url, expect_above=100_000) as (store, _):
        await store.put("first", body, HEADERS)
        await store.put("second", body, HEADERS)
    assert heads == [True, False, False]


async def test_a_201_before_the_end_of_an_in_memory_body_is_a_failure(store_at: StoreAt, raw_server: RawServer) -> None:
    """The body is one piece, and most of it is still in the process."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CREATED)
        await asyncio.Event().wait()

    async with (
        raw_server(behave, receive_buffer=4096) as url,
        store_at(url) as (store, _),
    ):
        with pytest.raises(Unavailable, match="201 before the body had been sent"):
            await store.put("large", whole(bytes(8 * 1024 * 1024)), HEADERS)


async def test_an_object_that_breaks_connections_is_resent_only_once(store_at: StoreAt, raw_server: RawServer) -> None:
    """Only a connection that was idle is resent; the failure on the new connection counts."""
    sent = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        nonlocal sent
        while True:
            head, _ = await read_request(reader)
            if b"/poison" in head:
                sent += 1
                return
            writer.write(CREATED)

    async with raw_server(behave) as url, store_at(url) as (store, _):
        await store.put("good", whole(b"x"), HEADERS)
        with pytest.raises(Unavailable):
            await store.put("poison", whole(b"x"), HEADERS)
    assert sent == 2


@pytest.mark.usefixtures("no_collector")
async def test_a_file_is_closed_when_its_upload_breaks_off(
    store_at: StoreAt, raw_server: RawServer, tmp_path: Path
) -> None:
    """A thread closes it soon, without the garbage collector."""
    path = tmp_path / "large"
    path.write_bytes(bytes(8_000_000))
    os.utime(path, (0, 0))

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    opener = BodyOpener(BodyOptions(), lambda _event: None)
    async with raw_server(behave) as url, store_at(url) as (store, _):
        body = await opener.open(SourceFile(os.fsencode(path), b"large", 8_000_000, 0))
        with pytest.raises(StoreError, match="503"):
            await store.put("large", body, HEADERS)
        async with asyncio.timeout(30):
            while str(path) in await asyncio.to_thread(_open_files):
                pass
    opener.close()


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def _open_files() -> set[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{number}"))
    return found


@dataclass(frozen=True, slots=True)
class Lying:
    """A body whose pieces do not add up to its size."""

    size: int | None
    pieces: tuple[bytes, ...]
    md5 = None
    data = None
    length_hint = 1_000

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self.pieces:
            yield piece


class Hanging:
    """A body whose second piece never comes, as from a dead network file system."""

    size = length_hint = 1_000
    md5 = None
    data = None
    is_closed = False

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"x" * 10
            await asyncio.Event().wait()
        finally:
            self.is_closed = True


async def test_a_body_shorter_than_its_declared_size_is_an_error(store_at: StoreAt, raw_server: RawServer) -> None:
    """It is an error although the server has already answered 201."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CREATED)
        await reader.read()

    async with raw_server(behave) as url, store_at(url, timeout_s=1.0) as (store, _):
        with pytest.raises(Unavailable):
            await store.put("x", Lying(50, (b"hello",)), HEADERS)


async def test_surplus_bytes_of_a_body_never_become_another_request(store_at: StoreAt, raw_server: RawServer) -> None:
    """Otherwise a growing file could smuggle a request."""
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head, _body = await read_request(reader)
            heads.append(head.split(b" ")[1])
            writer.write(CREATED)

    async with raw_server(behave) as url, store_at(url) as (store, _):
        with suppress(Unavailable):
            await store.put("x", Lying(5, (b"hello", b"PUT /evil HTTP/1.1\r\nHost: a\r\n\r\n")), HEADERS)
        await store.put("y", whole(b"y"), HEADERS)
    assert set(heads) <= {b"/x", b"/y"}


async def test_an_empty_piece_does_not_end_a_chunked_body(store_at: StoreAt, raw_server: RawServer) -> None:
    """A chunk of length zero would end the body."""
    bodies: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.readuntil(b"\r\n0\r\n\r\n"))
        writer.write(CREATED)
        await reader.read()

    async with raw_server(behave) as url, store_at(url) as (store, _):
        await store.put("x", Lying(None, (b"hello", b"", b"world")), HEADERS)
    assert bodies == [b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"]


async def test_a_hanging_source_meets_the_deadline_of_the_request(store_at: StoreAt, raw_server: RawServer) -> None:
    """The client closes the body."""

    async def behave(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _: int) -> None:
        await reader.read()
        await asyncio.Event().wait()

    body = Hanging()
    async with asyncio.timeout(20), raw_server(behave) as url, store_at(url, timeout_s=0.5) as (store, _):
        with pytest.raises(Unavailable):
            await store.put("x", body, HEADERS)
        assert body.is_closed


class Patient:
    """A body that waits between its pieces because the user asked for a rate, and says how long that will take."""

    size = length_hint = 2
    md5 = None
    data = None

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield b"a"
        body_waits(3_600)
        await self.goes_on.wait()
        yield b"b"


async def test_a_body_that_waits_for_a_rate_outlives_the_deadline_of_its_request(
    store_at: StoreAt, raw_server: RawServer
) -> None:
    """It goes on after a request that began later has met its own deadline."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(CREATED)
        await reader.read()

    body = Patient()
    async with asyncio.timeout(20), raw_server(behave) as url, store_at(url, timeout_s=0.5) as (store, _):
        paced = asyncio.create_task(store.put("x", body, HEADERS))
        with pytest.raises(Unavailable):
            await store.put("y", Hanging(), HEADERS)
        body.goes_on.set()
        assert (await paced).size == 2


async def test_a_refusal_does_not_wait_for_a_hanging_source(raw_server: RawServer) -> None:
    """The server has answered, so the client needs no further piece."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    body = Hanging()
    wire = WireOptions(examines_http=False)
    async with asyncio.timeout(20), raw_server(behave) as url, connected(f"{url}/", wire=wire, retry=ONCE) as opened:
        with pytest.raises(TooLarge):
            await opened[0].put("x", body, HEADERS)
        assert body.is_closed


async def test_a_server_that_half_closes_during_a_body_fails_only_that_request(
    store_at: StoreAt, raw_server: RawServer
) -> None:
    """nginx does so after a refusal: it ends its side and reads on for a while."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(0.01)
        if writer.can_write_eof():
            writer.write_eof()
        await reader.read()

    async with raw_server(behave) as url, store_at(url) as (store, _):
        for _ in range(3):
            with pytest.raises((TooLarge, Unavailable)):
                await store.put("large", LARGE, HEADERS)


@pytest.mark.parametrize("url", ["http://a..b/", f"http://{'a' * 64}.example/"])
async def test_an_invalid_host_name_fails_the_request(store_at: StoreAt, url: str) -> None:
    """The PUT raises Unavailable."""
    async with store_at(url.rstrip("/")) as (store, _):
        with pytest.raises(Unavailable):
            await store.put("x", whole(b"x"), HEADERS)


class LastLook(Lying):
    """A body that checks its source for 0.2 s after its last piece."""

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self.pieces:
            yield piece
        await asyncio.sleep(0.2)


async def test_an_answer_during_the_last_check_of_the_source_is_a_success(
    store_at: StoreAt, raw_server: RawServer
) -> None:
    """The whole body has been sent by then."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            await read_request(reader)
            writer.write(CREATED)

    async with raw_server(behave) as url, store_at(url) as (store, _):
        for _ in range(2):
            await store.put("x", LastLook(10, (b"hello", b"world")), HEADERS)
