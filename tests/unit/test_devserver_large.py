"""Large objects of the local store: what its options change, and what would take too long to ask a real Swift.

`tests/contract/test_static_large.py` and `test_dynamic_large.py` compare the rest with a real one.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from bulkput.devserver import DevServer, DevServerOptions, Latency, SloConstraints, SwiftConstraints
from bulkput.devserver.manifests import parse_manifest
from bulkput.devserver.ranges import parse_range, resolve
from bulkput.devserver.rules import Refused

PUT = "?multipart-manifest=put"
DELETE = "?multipart-manifest=delete"


class Swift:
    """A client of a few lines, logged in."""

    def __init__(self, server: DevServer, session: aiohttp.ClientSession) -> None:
        self._server, self._session = server, session
        token = server.tokens.log_in("test:tester", "testing")
        assert token is not None
        self._headers = {"X-Auth-Token": token.text}

    async def ask(self, verb: str, path: str, data: object = None, **headers: str) -> tuple[int, bytes]:
        sent = {**self._headers, **{key.replace("_", "-"): value for key, value in headers.items()}}
        url = URL(self._server.storage_url + path, encoded=True)
        async with self._session.request(verb, url, data=data, headers=sent) as got:
            return got.status, await got.read()

    async def put(self, path: str, *names: str, query: str = "") -> tuple[int, bytes]:
        return await self.ask("PUT", path + PUT + query, json.dumps([{"path": name} for name in names]))


@pytest.fixture
def options() -> DevServerOptions:
    return DevServerOptions(
        limits=SwiftConstraints(max_file_size=1000),
        slo=SloConstraints(max_manifest_segments=3, max_manifest_size=2000, yield_frequency=0.05),
        latency=Latency(put=0.2),
    )


@pytest.fixture
async def swift(options: DevServerOptions) -> AsyncIterator[Swift]:
    async with DevServer(options) as server, aiohttp.ClientSession() as session:
        swift = Swift(server, session)
        await swift.ask("PUT", "/c")
        await asyncio.gather(*(swift.ask("PUT", f"/c/{name}", b"x" * 400) for name in "123"))
        yield swift


async def test_the_limits_of_manifests_are_options(swift: Swift) -> None:
    """413 takes no manifest of 8 MiB, and /info tells the limits. A chunked body is refused where it is too long."""
    assert (await swift.put("/c/o", "/c/1", "/c/2", "/c/3"))[0] == 201
    assert (await swift.put("/c/o", *["/c/1"] * 4))[0] == 413

    async def chunks() -> AsyncIterator[bytes]:
        yield b" " * 1999
        yield b"[]"

    for body in (b" " * 1999 + b"[]", chunks()):
        assert await swift.ask("PUT", "/c/o" + PUT, body) == (413, b"Manifest File > 2000 bytes")
    assert (await swift.ask("PUT", "/c/o" + PUT, b" " * 1998 + b"[]"))[0] == 201


async def test_a_heartbeat_beats_while_the_server_is_slow(swift: Swift) -> None:
    """The head arrives at once, then a space every yield_frequency; the object is there before the report."""
    url = URL(swift._server.storage_url + "/c/o" + PUT + "&heartbeat=on", encoded=True)
    start = time.monotonic()
    async with swift._session.put(url, data=b'[{"path": "/c/1"}]', headers=swift._headers) as got:
        assert (got.status, time.monotonic() - start < 0.15) == (202, True)
        assert await got.content.readany() == b" "
        assert (await swift.ask("HEAD", "/c/o"))[0] == 200
        beats, _, report = (await got.read()).partition(b"\r\n\r\n")
    assert time.monotonic() - start >= 0.2
    assert beats.strip(b" ") == b"" and 2 <= len(beats) <= 4
    assert b"Response Status: 201 Created\n" in report


async def test_a_connection_stays_usable_after_a_heartbeat(swift: Swift) -> None:
    """As after any answer with chunks."""
    for _ in range(3):
        assert (await swift.put("/c/o", "/c/1", query="&heartbeat=on"))[0] == 202
    assert swift._server.traffic.connections <= 3  # those of the fixture's three PUTs at once


async def test_a_large_object_beyond_the_size_of_a_plain_one_cannot_be_copied(swift: Swift) -> None:
    """It is 413 as for a PUT of these bytes; with its manifest it can."""
    await swift.put("/c/o", "/c/1", "/c/2", "/c/3")
    assert (await swift.ask("COPY", "/c/o", Destination="c/new"))[0] == 413
    assert (await swift.ask("COPY", "/c/o?multipart-manifest=get", Destination="c/new"))[0] == 201
    status, body = await swift.ask("GET", "/c/new")
    assert (status, len(body)) == (200, 1200)


async def test_a_delete_with_too_many_segments_gives_up(swift: Swift) -> None:
    """As Swift does when ten times the segments of one manifest wait; those before are deleted."""
    name = "/c/1"
    for level in range(5):
        await swift.put(f"/c/level{level}", *[name] * 3)
        name = f"/c/level{level}"
    status, body = await swift.ask("DELETE", name + DELETE, Accept="application/json")
    report = json.loads(body)
    assert (status, report["Response Status"]) == (200, "400 Bad Request")
    assert report["Response Body"] == "Too many buffered slo segments to delete."
    assert report["Number Deleted"] == 2
    assert [(await swift.ask("HEAD", path))[0] for path in (name, "/c/level3", "/c/level2", "/c/1")] == [
        404,
        404,
        200,
        200,
    ]


async def test_manifests_that_contain_each_other_can_be_deleted(swift: Swift) -> None:
    """Each is found once, and then missing."""
    await swift.put("/c/a", "/c/1")
    await swift.put("/c/b", "/c/a")
    await swift.put("/c/a", "/c/b")
    assert (await swift.ask("GET", "/c/a"))[0] == 409
    _, body = await swift.ask("DELETE", "/c/a" + DELETE, Accept="application/json")
    assert [json.loads(body)[f"Number {what}"] for what in ("Deleted", "Not Found")] == [2, 1]


async def test_a_manifest_without_a_length_is_411(swift: Swift) -> None:
    """Like any body (RFC 9110, section 15.5.12)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", swift._server.port)
    head = f"PUT /v1/AUTH_test/c/o{PUT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    writer.write(head.encode() + f"X-Auth-Token: {swift._headers['X-Auth-Token']}\r\n\r\n".encode())
    assert (await reader.read()).startswith(b"HTTP/1.1 411 ")
    writer.close()
    await writer.wait_closed()


@given(st.one_of(st.none(), st.integers(0, 12)), st.one_of(st.none(), st.integers(0, 12)), st.integers(0, 10))
def test_a_range_is_a_slice(first: int | None, last: int | None, size: int) -> None:
    """Of any object, as RFC 9110 defines it."""
    wanted = parse_range(f"{'' if first is None else first}-{'' if last is None else last}")
    if (first is None and last is None) or (first is not None and last is not None and last < first):
        assert wanted is None
        return
    assert wanted == (first, last)
    numbers = range(size)
    chosen = numbers[max(size - (last or 0), 0) :] if first is None else [
        number for number in numbers if number >= first and (last is None or number <= last)
    ]  # fmt: skip
    span = resolve(wanted, size)
    assert list(chosen) == ([] if span is None else list(range(*span)))


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["/a/b", "0-1", "aGk="])
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.sampled_from(["path", "etag", "size_bytes", "range", "data", "more"]), inner),
    ),
    max_leaves=12,
)


@given(st.one_of(st.lists(JSON), JSON))
def test_any_json_is_a_manifest_or_is_refused(value: object) -> None:
    """Nothing else is raised."""
    try:
        parse_manifest(json.dumps(value).encode(), "c/o", SloConstraints())
    except Refused as refused:
        assert refused.status in (400, 413)
