"""Files that change while they are sent in parts, and parts that others change: no object is a mixture."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import DevServer, Handler
from bulkput.options import BodyOptions
from tests.faults.parted import (
    COUNT,
    LARGE,
    MANIFEST,
    PART,
    SIZE,
    Site,
    after,
    answers,
    before,
    big,
    noise,
    of_kind,
    rewrite,
    run,
    site,
)

BOTH = pytest.mark.parametrize("mode", ["slo", "dlo"])
NEW = noise(seed=2)


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(NEW)


def truncated(path: Path) -> None:
    os.truncate(path, SIZE - PART)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(NEW)
    other.replace(path)


def deleted(path: Path) -> None:
    path.unlink(missing_ok=True)


def a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@BOTH
@pytest.mark.parametrize("change", [overwritten, truncated, emptied, grown, replaced])
async def test_a_file_that_changes_at_part_7_is_sent_in_its_new_version(
    tmp_path: Path, change: Callable[[Path], None], mode: str
) -> None:
    """One part at a time. Changed once: nothing of the old version is in the object."""
    path = big(tmp_path)
    async with site() as there:
        there.meets(6, after(lambda: asyncio.to_thread(change, path)))
        ran = await run(there, path, large=replace(LARGE, mode=mode, parts_at_once=1))
        assert (ran.summary.exit_code, await there.content()) == (0, path.read_bytes())


@BOTH
@pytest.mark.parametrize("change", [grown, deleted, a_link])
async def test_a_file_that_changes_at_every_attempt_or_is_gone_leaves_the_old_object(
    tmp_path: Path, change: Callable[[Path], None], mode: str
) -> None:
    """It changes whenever part 6 was sent."""
    path = big(tmp_path, b"o")
    async with site() as there:
        await run(there, path)
        big(tmp_path)
        there.always_meets(6, after(lambda: asyncio.to_thread(change, path)))
        ran = await run(there, path, large=replace(LARGE, mode=mode, parts_at_once=1))
        assert (ran.summary.exit_code, ran.summary.failed, await there.content()) == (1, 1, b"o")
        assert {told.count for told in of_kind(ran, ev.PartsLeft)} == {6}


@BOTH
async def test_of_a_file_that_grows_the_beginning_is_sent_as_a_snapshot(tmp_path: Path, mode: str) -> None:
    """With body.changing=snapshot, it grows at each part: the bytes that it had at first are stored."""
    path = big(tmp_path)
    async with site() as there:
        for number in range(1, COUNT + 1):
            there.meets(number, after(lambda: asyncio.to_thread(grown, path)))
        ran = await run(there, path, large=replace(LARGE, mode=mode), body=BodyOptions(changing="snapshot"))
        assert (ran.summary.exit_code, ran.summary.snapshots, await there.content()) == (0, 1, noise())


@BOTH
async def test_a_file_that_shrinks_is_no_snapshot(tmp_path: Path, mode: str) -> None:
    """With body.changing=snapshot, it loses a part at each attempt."""
    path = big(tmp_path)

    def shrink() -> None:
        os.truncate(path, path.stat().st_size - PART)

    async with site() as there:
        there.always_meets(3, after(lambda: asyncio.to_thread(shrink)))
        large = replace(LARGE, mode=mode, parts_at_once=1)
        ran = await run(there, path, large=large, body=BodyOptions(changing="snapshot"))
        assert (ran.summary.exit_code, await there.content()) == (1, None)


@BOTH
@pytest.mark.parametrize("what", ["deleted", "overwritten", "all deleted"])
async def test_a_part_that_others_take_away_before_the_manifest_is_sent_again(
    tmp_path: Path, what: str, mode: str
) -> None:
    """Part 4; it is overwritten by other bytes of the same size."""

    def spoil() -> None:
        container = there.server.store.containers["c_segments"]
        for name in list(container.objects):
            if what == "overwritten" and name.endswith("4"):
                there.overwrite(name)
            elif what == "all deleted" or (what == "deleted" and name.endswith("4")):
                container.delete(name)

    async with site() as there:
        if mode == "slo":
            there.meets(MANIFEST, before(spoil))
        stored = 0

        def once_all_are_there() -> None:
            nonlocal stored
            stored += 1
            if stored == COUNT:
                spoil()

        for number in range(1, COUNT + 1):
            there.meets(number, after(once_all_are_there))
        ran = await run(there, big(tmp_path), large=replace(LARGE, mode=mode))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())


async def test_a_store_that_damages_parts_again_and_again_ends_the_upload(tmp_path: Path) -> None:
    """A part is overwritten before every manifest: the file fails, and the old object stays."""

    def spoil() -> None:
        there.overwrite(list(there.puts)[-1])

    async with site() as there:
        await run(there, big(tmp_path, b"o"))
        there.always_meets(MANIFEST, before(spoil))
        async with asyncio.timeout(10):
            ran = await run(there, big(tmp_path))
        assert (ran.summary.exit_code, await there.content()) == (1, b"o")
        assert there.manifests <= 5 and len(there.puts) <= 5 * COUNT
        assert of_kind(ran, ev.PartsLeft)


@BOTH
async def test_other_bytes_of_the_same_version_do_not_touch_the_object_that_exists(tmp_path: Path, mode: str) -> None:
    """The file is rewritten with its size and mtime kept: the old object is readable until the new one is complete."""
    path = big(tmp_path)
    seen: list[bytes | None] = []

    async def look() -> None:
        seen.append(await there.content())

    async with site() as there:
        await run(there, path, large=replace(LARGE, mode=mode))
        rewrite(path, NEW)
        for number in range(1, COUNT + 1):
            there.meets(number, after(look))
        there.meets(MANIFEST, before(look))
        ran = await run(there, path, large=replace(LARGE, mode=mode))
        assert (ran.summary.exit_code, await there.content()) == (0, NEW)
        assert set(seen) == {noise()} and len(seen) == COUNT + 1
        if mode == "slo":
            (left,) = of_kind(ran, ev.SegmentsLeft)
            assert {f"c_segments/{name}" for name in there.segments()} - there.used() == set(left.paths)


async def test_half_of_a_version_with_other_bytes_in_the_store_is_not_mixed_in(tmp_path: Path) -> None:
    """The run before was refused at part 6; then the file is rewritten with its size and mtime kept."""
    path = big(tmp_path)
    async with site() as there:
        there.always_meets(6, answers(400))
        await run(there, path)
        there.recovers()
        rewrite(path, NEW)
        ran = await run(there, path)
        assert (ran.summary.exit_code, await there.content()) == (0, NEW)


@pytest.mark.parametrize("journalled", [False, True], ids=["without journal", "with journal"])
async def test_a_file_written_twice_in_one_second_of_a_coarse_clock_is_not_mixed(
    tmp_path: Path, journalled: bool
) -> None:
    """Its mtime is in whole seconds, as FAT has it. The run before stored five parts of the first version."""
    (tmp_path / "tree").mkdir()
    path = big(tmp_path / "tree")
    second_ns = path.stat().st_mtime_ns // 10**9 * 10**9
    os.utime(path, ns=(second_ns, second_ns))
    options = {"journal": str(tmp_path / "journal")} if journalled else {}
    async with site() as there:
        there.meets(6, answers(400))
        ran = await run(there, path, large=replace(LARGE, parts_at_once=1), **options)
        assert ran.summary.exit_code == 1 and len(there.segments()) == 5
        rewrite(path, NEW)
        ran = await run(there, path, **options)
        assert (ran.summary.exit_code, await there.content()) == (0, NEW)


async def test_a_look_at_the_old_object_that_fails_costs_no_upload(tmp_path: Path) -> None:
    """Every HEAD of the object is answered 503."""

    async def blind(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "HEAD" and "/c/big" in request.raw_path:
            return web.Response(status=503)
        return await there.intercept(request, handler)

    there = Site()
    async with DevServer(intercept=blind) as there.server:
        ran = await run(there, big(tmp_path))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        assert not any(left.paths or left.below for left in of_kind(ran, ev.SegmentsLeft))


async def test_nothing_is_sent_beside_a_part_with_other_bytes(tmp_path: Path) -> None:
    """Part 10 of this version is there with other bytes: all that is there is proven before anything is sent."""
    path = big(tmp_path)
    async with site() as there:
        there.meets(MANIFEST, answers(400))
        await run(there, path)
        container = there.server.store.containers["c_segments"]
        for name in sorted(container.objects)[:-1]:
            container.delete(name)
        rewrite(path, NEW)
        ran = await run(there, path, large=replace(LARGE, parts_at_once=1))
        assert (ran.summary.exit_code, await there.content()) == (0, NEW)
        unused = {f"c_segments/{name}" for name in there.segments()} - there.used()
        # The tenth is of the first run, which has told it.
        assert (len(unused), of_kind(ran, ev.PartsLeft)) == (1, [])


@pytest.mark.parametrize("journalled", [False, True])
@pytest.mark.parametrize("way", ["in place", "by another file"])
async def test_a_file_that_is_rewritten_with_its_old_time_is_not_mixed(
    tmp_path: Path, journalled: bool, way: str
) -> None:
    """Between two runs, as by touch -r: same size, same mtime."""
    (tmp_path / "tree").mkdir()
    path = big(tmp_path / "tree")
    options = {"journal": str(tmp_path / "journal")} if journalled else {}
    async with site() as there:
        there.meets(6, answers(400))
        ran = await run(there, path, large=replace(LARGE, parts_at_once=1), **options)
        assert ran.summary.exit_code == 1 and len(there.segments()) == 5
        times = path.stat()
        if way == "in place":
            path.write_bytes(NEW)
        else:
            path.with_name("other").write_bytes(NEW)
            path.with_name("other").replace(path)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        ran = await run(there, path, **options)
        assert (ran.summary.exit_code, await there.content()) == (0, NEW)


async def test_a_file_that_is_rewritten_with_its_old_time_while_it_is_sent_is_sent_anew(tmp_path: Path) -> None:
    """At part 7: the object is of one version."""
    path = big(tmp_path)
    times = path.stat()

    def write() -> None:
        path.write_bytes(NEW)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    async with site() as there:
        there.meets(7, before(write))
        ran = await run(there, path, large=replace(LARGE, parts_at_once=1))
        assert (ran.summary.exit_code, await there.content()) == (0, NEW)
