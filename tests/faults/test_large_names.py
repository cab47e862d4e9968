"""Large objects with odd names, sizes and limits, each read back with the standard library's HTTP client."""

import asyncio
import gzip
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import DevServer, DevServerOptions, Handler, SloConstraints, SwiftConstraints
from bulkput.options import GzipOptions, HeaderOptions
from tests.faults.parted import (
    COUNT,
    LARGE,
    MANIFEST,
    Site,
    answers,
    big,
    failure,
    noise,
    of_kind,
    run,
    site,
)

BOTH = pytest.mark.parametrize("mode", ["slo", "dlo"])
NAMES = [
    "a b",
    "ünï/cødé/日本",
    "100%25",
    "q?a=b&c#d",
    "plus+plus;semi:colon,comma",
    'quote"back\\slash',
    "tab\tand\nline",
    "a/bulkput/1-1-1/00000001",
    "bulkput/bulkput/bulkput",
    "dots/../not",
    "n" * 1024,
    "ü" * 512,
    "d/" * 511 + "nn",
    "~" * 1000,
]


@BOTH
@pytest.mark.parametrize("key", NAMES, ids=lambda key: key[:20].encode("unicode_escape").decode())
async def test_an_object_of_any_name_is_sent_in_parts_and_continued(tmp_path: Path, key: str, mode: str) -> None:
    """The run before fails at part 6; the next one finds the first five."""
    large = replace(LARGE, mode=mode, parts_at_once=1)
    async with site() as there:
        there.meets(6, answers(400))
        to = f"swift://c/{key}"
        ran = await run(there, big(tmp_path), to=to, large=large)
        assert ran.summary.exit_code == 1, of_kind(ran, ev.Failed)
        again = await run(there, tmp_path / "big", to=to, large=large)
        assert again.summary.exit_code == 0 and again.summary.parts_found == 5
        assert await there.content(key) == noise()
        assert len(there.segments()) == COUNT and all(len(name.encode()) <= 1024 for name in there.segments())


@BOTH
async def test_two_long_names_that_differ_at_their_end_have_parts_of_their_own(tmp_path: Path, mode: str) -> None:
    """Both keys are cut to the same beginning."""
    large = replace(LARGE, mode=mode)
    async with site() as there:
        path = big(tmp_path)
        for last in "ab":
            await run(there, path, to="swift://c/" + "n" * 1023 + last, large=large)
        assert len(there.segments()) == 2 * COUNT
        assert await there.content("n" * 1023 + "a") == await there.content("n" * 1023 + "b") == noise()


@BOTH
@pytest.mark.parametrize("container", ["with space", "ünï-cødé", "per%cent", "c" * 247])
async def test_a_container_of_any_name_has_its_segments_beside_it(tmp_path: Path, container: str, mode: str) -> None:
    """CONTAINER_segments."""
    async with site() as there:
        ran = await run(there, big(tmp_path), to=f"swift://{container}", large=replace(LARGE, mode=mode))
        assert ran.summary.exit_code == 0, of_kind(ran, ev.Failed)
        assert await there.content(container=container) == noise()
        assert len(there.segments(container + "_segments")) == COUNT


async def test_a_container_name_that_leaves_no_room_for_segments_fails_with_advice(tmp_path: Path) -> None:
    """Of 250 bytes; with its _segments it is too long. Another container can be named."""
    container = "c" * 250
    async with site() as there:
        ran = await run(there, big(tmp_path), to=f"swift://{container}")
        assert (ran.summary.exit_code, ran.summary.uploaded) == (1, 0)
        assert "name of 259 bytes, Swift takes 256: name another one by `large.container`" in failure(ran)
        large = replace(LARGE, container="segments")
        ran = await run(there, big(tmp_path), to=f"swift://{container}", large=large)
        assert (ran.summary.exit_code, await there.content(container=container)) == (0, noise())


@BOTH
async def test_segments_in_the_container_of_the_objects_are_found_again(tmp_path: Path, mode: str) -> None:
    """large.container is that of the objects."""
    large = replace(LARGE, mode=mode, container="c", parts_at_once=1)
    async with site() as there:
        there.meets(6, answers(400))
        await run(there, big(tmp_path), large=large)
        ran = await run(there, tmp_path / "big", large=large)
        assert (ran.summary.exit_code, ran.summary.parts_found, await there.content()) == (0, 5, noise())


@BOTH
async def test_parts_of_one_byte_make_a_whole_object(tmp_path: Path, mode: str) -> None:
    """Two hundred of them, of which one is refused once."""
    content = noise(200)
    async with site() as there:
        there.meets(77, answers(503))
        ran = await run(there, big(tmp_path, content), large=replace(LARGE, mode=mode, part_size=1))
        assert (ran.summary.exit_code, await there.content()) == (0, content)
        assert ran.summary.parts_sent == 200


async def test_parts_are_larger_than_asked_if_the_store_takes_fewer(tmp_path: Path) -> None:
    """Five in a manifest: a file of 3 MB is sent in parts of 1 MiB, which are found again."""
    content = noise(3_000_000)
    async with site(DevServerOptions(slo=SloConstraints(max_manifest_segments=5))) as there:
        there.meets(MANIFEST, answers(400))
        assert (await run(there, big(tmp_path, content))).summary.exit_code == 1
        ran = await run(there, tmp_path / "big")
        assert (ran.summary.exit_code, ran.summary.parts_found) == (0, 3) and await there.content() == content


async def test_a_store_that_takes_only_small_objects_gets_them_in_parts(tmp_path: Path) -> None:
    """max_file_size is 2000; parts of 1 MiB were asked for."""
    limits = SwiftConstraints(max_file_size=2000)
    async with site(DevServerOptions(limits=limits)) as there:
        ran = await run(there, big(tmp_path), large=replace(LARGE, part_size=2**20))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        assert max(map(len, there.segments().values())) <= 2000


@pytest.mark.parametrize("answer", [404, 503, 200])
async def test_a_store_without_an_info_takes_static_large_objects(tmp_path: Path, answer: int) -> None:
    """GET /info fails, or is no JSON."""

    async def no_info(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.raw_path == "/info":
            return web.Response(status=answer, text="<html>")
        return await there.intercept(request, handler)

    there = Site()
    async with DevServer(intercept=no_info) as there.server:
        ran = await run(there, big(tmp_path))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        assert len(there.used()) == COUNT


@pytest.mark.parametrize("mode", ["never", "always"], ids=["as it is", "compressed"])
async def test_parts_of_an_object_that_expires_outlive_it_and_are_not_taken_for_one_that_does_not(
    tmp_path: Path, mode: Literal["never", "always"]
) -> None:
    """An hour; the parts have a week more. A run without an expiry sends all parts anew."""

    async def content() -> bytes:
        stored = await there.content() or b""
        return gzip.decompress(stored) if mode == "always" else stored

    async with site() as there:
        there.meets(MANIFEST, answers(400))
        path, headers, packed = big(tmp_path), HeaderOptions(expires_in_s=3600), GzipOptions(mode=mode)
        await run(there, path, headers=headers, gzip=packed)
        ran = await run(there, path, headers=headers, gzip=packed)
        assert (ran.summary.exit_code, ran.summary.parts_found, await content()) == (0, COUNT, noise())
        objects = there.server.store.containers
        ends = objects["c"].objects["big"].delete_at
        parts = {stored.delete_at for stored in objects["c_segments"].objects.values()}
        assert ends is not None and all(end is not None and end > ends + 6 * 86_400 for end in parts)
        ran = await run(there, path, gzip=packed)
        assert (ran.summary.exit_code, ran.summary.parts_sent, await content()) == (0, COUNT, noise())
        assert objects["c"].objects["big"].delete_at is None
        used = {path.partition("/")[2] for path in there.used()}
        assert all(objects["c_segments"].objects[name].delete_at is None for name in used)


@pytest.mark.parametrize("failing", ["segments", "objects"])
async def test_the_container_of_segments_gets_policy_and_readers_although_a_look_fails_once(
    tmp_path: Path, failing: str
) -> None:
    """A HEAD of either container is answered 503: it is looked at again."""
    fails = 1
    made: list[dict[str, str]] = []

    async def unwilling(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal fails
        container = "/c_segments" if failing == "segments" else "/c"
        if request.method == "HEAD" and request.raw_path.endswith(container):
            fails -= 1
            if fails >= 0:
                return web.Response(status=503)
        if request.method == "PUT" and request.raw_path.endswith("/c_segments"):
            made.append(dict(request.headers))
        answer = await there.intercept(request, handler)
        if request.method == "HEAD" and request.raw_path.endswith("/c"):
            answer.headers["X-Storage-Policy"] = "gold"
        return answer

    there = Site()
    async with DevServer(intercept=unwilling) as there.server:
        await asyncio.to_thread(there.judge.put, "c", "", b"", fields={"X-Container-Read": ".r:*"})
        ran = await run(there, big(tmp_path))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
    (fields,) = made
    assert (fields["X-Storage-Policy"], fields["X-Container-Read"]) == ("gold", ".r:*")
