"""Requests other than uploads, by both transports: logins, listings, HEADs, copies and bulk deletes."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from bulkput.options import WireOptions
from bulkput.payload.in_memory import BytesBody
from bulkput.transport.base import Transport
from bulkput.transport.route import open_transport
from tests.faults import raw
from tests.faults.raw import Behave, read_request

EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture(params=["wire", "aiohttp"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    opened = open_transport(WireOptions(transport=request.param), user_agent="test")
    yield opened
    await opened.aclose()


def answers(answer: bytes, heads: list[bytes]) -> Behave:
    """Answers every request with `answer` and notes what came."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head, body = await read_request(reader)
            heads.append(head + body)
            writer.write(answer)

    return behave


@pytest.mark.parametrize("method", ["PUT", "POST", "COPY", "DELETE", "MKCOL"])
async def test_a_request_that_could_have_a_body_says_that_it_has_none(transport: Transport, method: str) -> None:
    """Servers answer 411, or wait for a body, without Content-Length (RFC 9110, 8.6)."""
    heads: list[bytes] = []
    async with raw.raw_server(answers(EMPTY, heads)) as url:
        await transport.request(method, f"{url}/c", {"X-Auth-Token": "t"})
    assert heads[0].lower().count(b"\r\ncontent-length: 0\r\n") == 1


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_a_request_without_content_has_no_length(transport: Transport, method: str) -> None:
    heads: list[bytes] = []
    async with raw.raw_server(answers(EMPTY, heads)) as url:
        await transport.request(method, f"{url}/c?format=json&prefix=a%20b", {})
    assert heads[0].startswith(f"{method} /c?format=json&prefix=a%20b HTTP/1.1\r\n".encode())
    assert b"content-length" not in heads[0].lower()


async def test_a_body_in_memory_is_posted(transport: Transport) -> None:
    heads: list[bytes] = []
    async with raw.raw_server(answers(EMPTY, heads)) as url:
        answer = await transport.request("POST", f"{url}/v1/a?bulk-delete", {}, BytesBody.of(b"c/1\nc/2\n"))
    assert answer.status == 204 and heads[0].endswith(b"\r\n\r\nc/1\nc/2\n")


@pytest.mark.parametrize("delivery", ["whole", "random"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "chunked"])
async def test_a_page_of_a_listing_arrives_whole(
    transport: Transport, delivery: raw.Delivery, is_chunked: bool
) -> None:
    """3 MB, in whatever pieces, over one connection."""
    page, heads = b"x" * 3_000_000, []  # type: ignore[var-annotated]
    if is_chunked:
        body = (
            b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (page[:70_000], page[70_000:])) + b"0\r\n\r\n"
        )
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    else:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(page) + page
    async with raw.raw_server(answers(answer, heads), delivery=delivery) as url:
        for _ in range(2):
            found = await transport.request("GET", f"{url}/v1/a/c", {}, max_answer=4_000_000)
            assert found.body == page
    assert transport.count.connections == 1


async def test_an_answer_beyond_what_is_wanted_is_cut(transport: Transport) -> None:
    async with raw.raw_server(
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, [])
    ) as url:
        assert (await transport.request("GET", f"{url}/info", {}, max_answer=1_000)).body == b"x" * 1_000
        assert (await transport.request("GET", f"{url}/info", {}, max_answer=1_000)).status == 200


async def test_a_redirect_is_an_answer_and_is_not_followed(transport: Transport) -> None:
    """The token must not reach another host."""
    heads: list[bytes] = []
    answer = b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"
    async with raw.raw_server(answers(answer, heads)) as url:
        found = await transport.request("GET", f"{url}/auth/v1.0", {"X-Auth-Key": "k"})
    assert (found.status, found.headers["location"], len(heads)) == (301, "http://192.0.2.1/", 1)


@pytest.mark.parametrize("delivery", ["whole", "byte by byte", "random"])
async def test_a_head_has_the_fields_of_the_object_and_no_body(transport: Transport, delivery: raw.Delivery) -> None:
    """Content-Length is the object's: the next answer begins right after the head."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nX-Object-Meta-Mtime: 1.5\r\nEtag: ab\r\n\r\n"
    serve = partial(raw.raw_server, answers(answer, []), delivery=delivery)
    async with serve() as url:
        for _ in range(3):
            found = await transport.request("HEAD", f"{url}/v1/a/c/o", {})
            assert (found.headers["content-length"], found.headers["ETAG"], found.body) == ("5000", "ab", b"")
            assert ("X-Object-Meta-Mtime", "1.5") in found.headers.items()
    assert transport.count.connections == 1
