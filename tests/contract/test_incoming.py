"""Response bodies that are read while they arrive: whole, in pieces, cut off, or never sent."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from bulkput.options import WireOptions
from bulkput.transport.base import Transport, TransportError
from bulkput.transport.route import open_transport
from bulkput.transport.session import SessionTransport
from tests.faults.raw import Behave, Delivery, raw_server, read_request

BODY = bytes(range(256)) * 40
FRAMES = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: x\r\n\r\n%b" % (len(BODY), BODY),
    "chunked": b"HTTP/1.1 200 OK\r\nETag: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (len(BODY), BODY),
    "until the end": b"HTTP/1.1 200 OK\r\nETag: x\r\nConnection: close\r\n\r\n%b" % BODY,
}


@pytest.fixture(params=["wire", "aiohttp"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    """Both transports, with timeouts of 0.3 s."""
    options = WireOptions(transport=request.param, timeout_s=0.3, connect_timeout_s=0.3)
    async with aclosing(open_transport(options, user_agent="test")) as opened:
        yield opened


def saying(answer: bytes, *, holds: bool = False) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            await read_request(reader)
            writer.write(answer)
            if holds:
                await reader.read()
            if b"Connection: close" in answer or not answer.endswith((BODY, b"0\r\n\r\n")):
                await asyncio.sleep(0.05)
                return

    return behave


@pytest.mark.parametrize("delivery", ["whole", "byte by byte", "random"])
@pytest.mark.parametrize("frame", FRAMES)
async def test_a_response_body_arrives_unchanged(transport: Transport, frame: str, delivery: Delivery) -> None:
    """With any framing and in any pieces; the transport counts the request."""
    async with raw_server(saying(FRAMES[frame]), delivery=delivery) as url:
        for _ in range(2):
            async with transport.incoming(f"{url}/a%20b", {"X-Own": "1"}) as answer:
                assert (answer.status, answer.headers["etag"]) == (200, "x")
                assert b"".join([piece async for piece in answer.chunks]) == BODY
    assert transport.count.requests == {"GET": 2}


@pytest.mark.parametrize("frame", ["length", "chunked"])
async def test_a_response_body_that_is_cut_off_is_an_error(transport: Transport, frame: str) -> None:
    """A short body never counts as complete."""
    async with raw_server(saying(FRAMES[frame][:-100])) as url:
        with pytest.raises(TransportError):
            async with transport.incoming(f"{url}/", {}) as answer:
                async for _ in answer.chunks:
                    pass


@pytest.mark.parametrize("answer", [b"", FRAMES["length"][:-100]])
async def test_a_server_that_falls_silent_is_an_error_within_the_timeout(transport: Transport, answer: bytes) -> None:
    """The server stops before the head or in the middle of the body."""
    started = time.monotonic()
    async with raw_server(saying(answer, holds=True)) as url:
        with pytest.raises(TransportError):
            async with transport.incoming(f"{url}/", {}) as incoming:
                async for _ in incoming.chunks:
                    pass
    assert time.monotonic() - started < 5


async def test_a_host_name_that_never_resolves_is_an_error_within_the_timeout() -> None:
    """A resolver may hang forever."""

    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        raise AssertionError

    options = WireOptions(connect_timeout_s=0.1)
    async with aclosing(SessionTransport(options, user_agent="test", resolve=resolve)) as transport:
        with pytest.raises(TransportError):
            async with asyncio.timeout(5), transport.incoming("http://never.example/", {}):
                pass
