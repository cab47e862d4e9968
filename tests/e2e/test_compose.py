"""Large objects of segments that are in the store: the power `composing`, on a real Swift and a real Ceph RGW."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import IntegrityError, NotFound, StoreError
from bulkput.model import ObjectHeaders, Segment
from bulkput.options import RetryOptions
from bulkput.policy.etag import large_etag
from bulkput.stores.base import Store
from bulkput.stores.powers import Composing
from tests.servers.judge import SwiftJudge
from tests.servers.swift import RealSwift

PARTS = {"a %41ü?/1": b"0123456789", "a %41ü?/2": b"abc"}


@pytest.fixture(params=[pytest.param("swift", marks=pytest.mark.swift), pytest.param("rgw", marks=pytest.mark.rgw)])
def server(request: pytest.FixtureRequest) -> RealSwift:
    """A Swift and an RGW in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, RealSwift)
    return found


@pytest.fixture
def judge(server: RealSwift) -> SwiftJudge:
    return SwiftJudge(server.auth_url, server.user, server.key)


@pytest.fixture
def container(judge: SwiftJudge) -> str:
    """A container, with two segments in that of its segments."""
    name = f"m-{uuid.uuid4().hex[:8]}"
    for each in (name, f"{name}_segments"):
        judge.put(each, "", b"")
    for part, content in PARTS.items():
        judge.put(f"{name}_segments", part, content)
    return name


def segments(container: str) -> tuple[Segment, ...]:
    return tuple(
        Segment(len(content), hashlib.md5(content).hexdigest(), f"{container}_segments/{part}")
        for part, content in PARTS.items()
    )


@asynccontextmanager
async def opened(server: RealSwift, container: str) -> AsyncIterator[tuple[Store, Composing]]:
    retry = RetryOptions(retries=0)
    async with connected(f"swift://{container}", retry=retry, environ=server.environment) as (store, _):
        composing = store.powers.composing
        assert composing is not None
        yield store, composing


HEADERS = ObjectHeaders(content_type="text/x-large", meta=(("Color", "red"),))


async def test_compose_makes_a_static_large_object(server: RealSwift, container: str, judge: SwiftJudge) -> None:
    """The receipt has its ETag and size; names are odd."""
    parts = segments(container)
    async with opened(server, container) as (store, composing):
        assert composing.container == f"{container}_segments"
        stored = await composing.compose("x/ü ?", (*parts, parts[0]), HEADERS)
        expected = large_etag(part.md5 or "" for part in (*parts, parts[0]))
        assert (stored.key, stored.size, stored.etag) == ("x/ü ?", 23, expected)
        head = await store.stat("x/ü ?")
        assert head is not None and (head.large, head.bytes, head.hash) == ("static", 23, expected)
        assert head.content_type == "text/x-large" and ("Color", "red") in head.meta
    assert await asyncio.to_thread(judge.content, container, "x/ü ?") == b"0123456789abc0123456789"


async def test_compose_makes_a_dynamic_large_object(server: RealSwift, container: str, judge: SwiftJudge) -> None:
    """A HEAD has the ETag that its segments give."""
    parts, below = segments(container), f"{container}_segments/a %41ü?/"
    async with opened(server, container) as (store, composing):
        await composing.compose("x", parts, HEADERS, below=below)
        head = await store.stat("x")
        assert head is not None and (head.large, head.below, head.bytes) == ("dynamic", below, 13)
        assert head.hash == large_etag(part.md5 or "" for part in parts)
    assert await asyncio.to_thread(judge.content, container, "x") == b"0123456789abc"


@pytest.mark.parametrize("harm", ["gone", "size"])
async def test_compose_of_a_wrong_segment_stores_nothing(
    server: RealSwift, container: str, judge: SwiftJudge, harm: str
) -> None:
    """Swift names the segment; RGW only refuses."""
    first, second = segments(container)
    wrong = Segment(4, second.md5, second.path) if harm == "size" else Segment(3, second.md5, f"{second.path}3")
    async with opened(server, container) as (_, composing):
        with pytest.raises(StoreError) as caught:
            await composing.compose("x", (first, wrong), HEADERS)
    if "/swift/" not in judge.storage_url:
        words = "Size Mismatch" if harm == "size" else "404 Not Found"
        assert caught.value.detail == f"the manifest is refused: segment {wrong.path}: {words}"
    assert await asyncio.to_thread(judge.content, container, "x") is None


async def test_compose_into_a_missing_container_is_not_found(server: RealSwift, container: str) -> None:
    """The caller may make the container."""
    async with opened(server, f"{container}-none") as (_, composing):
        with pytest.raises(NotFound):
            await composing.compose("x", segments(container), HEADERS)


async def test_only_swift_compares_the_md5s_of_a_manifest(server: RealSwift, container: str, judge: SwiftJudge) -> None:
    """RGW 16 believes them, so the segments of a new large object must be proven beforehand."""
    first, second = segments(container)
    wrong = Segment(3, first.md5, second.path)
    async with opened(server, container) as (_, composing):
        if "/swift/" in judge.storage_url:
            assert (await composing.compose("x", (first, wrong), HEADERS)).etag == large_etag([first.md5 or ""] * 2)
            return
        with pytest.raises(StoreError, match="Etag Mismatch") as caught:
            await composing.compose("x", (first, wrong), HEADERS)
        assert not isinstance(caught.value, IntegrityError)


@pytest.mark.rgw
def test_rgw_refuses_an_etag_with_a_manifest(rgw: RealSwift) -> None:
    """So none is sent. An OpenStack Swift compares it."""
    judge = SwiftJudge(rgw.auth_url, rgw.user, rgw.key)
    judge.put("etags", "", b"")
    judge.put("etags", "part", b"abc")
    md5 = hashlib.md5(b"abc").hexdigest()
    manifest = json.dumps([{"path": "/etags/part", "etag": md5, "size_bytes": 3}]).encode()
    for etag in (large_etag([md5]), hashlib.md5(manifest).hexdigest()):
        status, _, _ = judge._request("PUT", "/etags/x?multipart-manifest=put", manifest, {"ETag": etag})
        assert status == 422
