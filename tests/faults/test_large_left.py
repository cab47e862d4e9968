"""What stays in the store beside a large object: parts of an unfinished one, segments of an overwritten one."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler
from bulkput.options import SkipOptions
from bulkput.verb_options import SegmentOptions
from tests.conftest import environ_of
from tests.faults.parted import (
    COUNT,
    LARGE,
    MANIFEST,
    PART,
    Site,
    after,
    big,
    failure,
    noise,
    of_kind,
    run,
    site,
)

MODES = ["slo", "dlo"]
NEW = noise(seed=2)
OWN = ("swiftclient/1", "swiftclient/2")


async def put_large(where: Site, mode: str) -> None:
    """Stores the large object `big` as another client does, of two segments."""
    judge = where.judge

    def put() -> None:
        judge.put("c", "", b"")
        judge.put("c_segments", "", b"")
        for name in OWN:
            judge.put("c_segments", name, name.encode())
        if mode == "dlo":
            judge.put("c", "big", b"", fields={"X-Object-Manifest": "c_segments/swiftclient/"})
            return
        rows = [{"path": f"/c_segments/{name}"} for name in OWN]
        judge.put("c", "big", json.dumps(rows).encode(), query="?multipart-manifest=put")

    await asyncio.to_thread(put)


def told(events: list[ev.SegmentsLeft]) -> set[str]:
    """The segments that the events name, of the container c_segments."""
    assert all(event.key == "big" for event in events)
    return {path for event in events for path in event.paths}


@pytest.mark.parametrize("new", MODES)
@pytest.mark.parametrize("old", MODES)
async def test_a_large_object_over_one_of_another_client_names_its_segments(tmp_path: Path, old: str, new: str) -> None:
    """The event names exactly the segments that nothing uses."""
    async with site() as there:
        await put_large(there, old)
        ran = await run(there, big(tmp_path), large=replace(LARGE, mode=new))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        (left,) = of_kind(ran, ev.SegmentsLeft)
        if old == "dlo":
            assert (left.below, left.paths) == ("c_segments/swiftclient/", ())
        else:
            assert (left.below, set(left.paths)) == (None, {f"c_segments/{name}" for name in OWN})


@pytest.mark.parametrize("new", MODES)
@pytest.mark.parametrize("old", MODES)
async def test_the_same_file_again_leaves_no_segments_in_whatever_mode(tmp_path: Path, old: str, new: str) -> None:
    """Both objects use the same parts."""
    async with site() as there:
        await run(there, big(tmp_path), large=replace(LARGE, mode=old))
        ran = await run(there, tmp_path / "big", large=replace(LARGE, mode=new))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        assert of_kind(ran, ev.SegmentsLeft) == [] and ran.summary.parts_sent == 0


async def test_one_version_over_another_names_exactly_what_nothing_uses(tmp_path: Path) -> None:
    """Plain, large, another large, plain again: after each, the segments told so far are those that no object uses."""
    path = big(tmp_path, b"plain")
    everything, unused = set[str](), set[str]()
    async with site() as there:
        for content in (b"o", noise(), NEW, noise(seed=3), b"p"):
            path.write_bytes(content)
            ran = await run(there, path, skip=SkipOptions(mode="identical"))
            assert (ran.summary.exit_code, await there.content()) == (0, content)
            unused |= told(of_kind(ran, ev.SegmentsLeft))
            everything = {f"c_segments/{name}" for name in there.segments()}
            assert unused == everything - there.used()
    assert len(everything) == 3 * COUNT


@pytest.mark.parametrize("mode", MODES)
async def test_no_segment_is_called_left_if_the_store_does_not_tell_what_the_new_object_uses(
    tmp_path: Path, mode: str
) -> None:
    """The same file again; from the second manifest on, every look at the object is refused."""
    is_silent = False

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if is_silent and request.method in ("GET", "HEAD") and "/c/big" in request.raw_path:
            return web.Response(status=400)
        return await there.intercept(request, handler)

    def silence() -> None:
        nonlocal is_silent
        is_silent = True

    there = Site()
    async with DevServer(intercept=refuse) as there.server:
        await run(there, big(tmp_path), large=replace(LARGE, mode=mode))
        there.meets(MANIFEST, after(silence))
        ran = await run(there, tmp_path / "big", large=replace(LARGE, mode="slo"))
        is_silent = False
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        assert [(left.paths, left.below) for left in of_kind(ran, ev.SegmentsLeft)] == [((), None)]


@pytest.mark.parametrize("below", ["c_segments/big/", "c_segments/big"])
async def test_a_dynamic_object_that_would_contain_the_parts_is_not_overwritten(tmp_path: Path, below: str) -> None:
    """It would change with each part. The failure says what to do, and that works."""

    def put() -> None:
        there.judge.put("c", "", b"")
        there.judge.put("c_segments", "", b"")
        there.judge.put("c_segments", "big/1", b"one")
        there.judge.put("c", "big", b"", fields={"X-Object-Manifest": below})

    async with site() as there:
        await asyncio.to_thread(put)
        ran = await run(there, big(tmp_path))
        assert (ran.summary.exit_code, await there.content(), len(there.segments())) == (1, b"one", 1)
        assert f"all that is below {below}" in failure(ran)
        ran = await run(there, big(tmp_path), large=replace(LARGE, container="others"))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        assert [left.below for left in of_kind(ran, ev.SegmentsLeft)] == [below]


def group(where: Site) -> str:
    return next(iter(where.segments()))[:-8]


@pytest.mark.parametrize("name", ["00000011", "foreign", "x/bulkput/1-1-1/00000001", "00000001x"])
async def test_a_foreign_object_among_the_parts_spoils_no_static_object_and_is_refused_for_a_dynamic_one(
    tmp_path: Path, name: str
) -> None:
    """It lies below the prefix of the parts. A dynamic object would contain it; the old object stays."""
    async with site() as there:
        path = big(tmp_path)
        await run(there, path)
        await asyncio.to_thread(there.judge.put, "c_segments", group(there) + name, b"foreign")
        ran = await run(there, path)
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        await asyncio.to_thread(there.judge.put, "c", "big", b"o")
        ran = await run(there, path, large=replace(LARGE, mode="dlo"))
        assert (ran.summary.exit_code, await there.content()) == (1, b"o")
        assert name in failure(ran) and there.segments()[group(there) + name] == b"foreign"


async def test_reaping_removes_what_nothing_uses_and_nothing_else(tmp_path: Path) -> None:
    """Two objects are overwritten in turns, in all modes; a copy of one manifest keeps its segments."""
    path = big(tmp_path)
    async with site() as there:
        await run(there, path, to="swift://c/a")
        kept = {f"c_segments/{name}" for name in there.segments()}
        rows = [{"path": f"/{name}"} for name in sorted(kept)]
        await asyncio.to_thread(
            there.judge.put, "c", "copy", json.dumps(rows).encode(), query="?multipart-manifest=put"
        )
        for step, content in enumerate((NEW, noise(seed=3), noise(seed=3), b"o", NEW)):
            path.write_bytes(content)
            for key in "ab":
                large = replace(LARGE, mode=MODES[step % 2], reap=True)
                skip = SkipOptions(mode="identical")
                ran = await run(there, path, to=f"swift://c/{key}", large=large, skip=skip)
                assert (ran.summary.exit_code, await there.content(key)) == (0, content)
                assert await there.content("copy") == noise()
        assert {f"c_segments/{name}" for name in there.segments()} == kept | there.used("a") | there.used("b")


@pytest.mark.parametrize("answered", [503, 403])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reaping_removes_nothing_of_which_it_is_not_sure(tmp_path: Path, method: str, answered: int) -> None:
    """From the new manifest on, all looks at objects or listings fail."""
    is_blind = False

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if is_blind and request.method == method and "/c" in request.raw_path:
            return web.Response(status=answered)
        return await there.intercept(request, handler)

    def blind() -> None:
        nonlocal is_blind
        is_blind = True

    there = Site()
    path = big(tmp_path)
    async with DevServer(intercept=refuse) as there.server:
        await run(there, path, large=replace(LARGE, reap=True))
        before = there.used()
        path.write_bytes(NEW)
        there.meets(MANIFEST, after(blind))
        ran = await run(there, path, large=replace(LARGE, reap=True))
        is_blind = False
        assert ran.summary.uploaded == 1 and await there.content() == NEW
        assert before <= {f"c_segments/{name}" for name in there.segments()}


async def test_a_manifest_that_comes_up_while_a_long_group_is_removed_keeps_its_segments(tmp_path: Path) -> None:
    """segments --reap: after the first two of ten, and a minute, another client stores one that reads the last two."""
    stored: list[str] = []

    async def store_another(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "DELETE" and "/c_segments/" in request.raw_path and not stored:
            stored.extend(sorted(there.segments())[-2:])
            rows = json.dumps([{"path": f"/c_segments/{name}"} for name in stored]).encode()
            await asyncio.to_thread(there.judge.put, "c", "other", rows, query="?multipart-manifest=put")
        return await there.intercept(request, handler)

    there = Site()
    async with DevServer(intercept=store_another) as there.server:
        environ = environ_of(there.server)
        await run(there, big(tmp_path))
        await bulkput.remove("swift://c/big", environ=environ)
        options = SegmentOptions(reap=True, older_than_s=0, search_again_s=0, looked_at_once=2)
        done = await bulkput.segments("swift://c", options=options, environ=environ)
        assert (done.exit_code, done.removed, sorted(there.segments())) == (0, COUNT - 2, stored)
        assert await there.content("other") == noise()[-PART - 500 :]


async def test_segments_that_the_store_does_not_tell_are_in_doubt(tmp_path: Path) -> None:
    """--reap-segments: the old manifest may not be read. The file is uploaded, and the exit code is 1."""

    async def hide(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if "multipart-manifest=get" in request.raw_path and request.method == "GET":
            return web.Response(status=403)
        return await there.intercept(request, handler)

    there = Site()
    async with DevServer(intercept=hide) as there.server:
        await run(there, big(tmp_path))
        ran = await run(there, big(tmp_path, NEW), large=replace(LARGE, reap=True))
        assert (ran.summary.exit_code, ran.summary.uploaded, await there.content()) == (1, 1, NEW)
        assert [event.why for event in of_kind(ran, ev.SegmentsLeft)] == ["the store does not tell which they are"]
        assert len(there.segments()) == 2 * COUNT
