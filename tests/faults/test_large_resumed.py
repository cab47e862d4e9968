"""Runs that end in the middle of a large object: the next run sends what is missing, and nothing that is there."""

import asyncio
import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import Handler
from bulkput.engine.stop import Stop
from bulkput.options import GzipOptions, WireOptions
from tests.faults.parted import (
    COUNT,
    LARGE,
    MANIFEST,
    PART,
    SIZE,
    answers,
    before,
    big,
    noise,
    of_kind,
    run,
    site,
)

BOTH = pytest.mark.parametrize("mode", ["slo", "dlo"])


def journal_of(path: Path, *, is_wanted: bool) -> dict[str, str]:
    return {"journal": str(path / "journal")} if is_wanted else {}


@BOTH
@pytest.mark.parametrize("journalled", [False, True], ids=["without journal", "with journal"])
@pytest.mark.parametrize("at", [1, 5, COUNT, MANIFEST])
async def test_an_interrupted_run_is_continued_by_the_next_one(
    tmp_path: Path, at: int, journalled: bool, mode: str
) -> None:
    """Ctrl-C while part `at` or the manifest is sent: those in flight end, and each part is sent once in both runs."""
    (tmp_path / "tree").mkdir()
    path, large, stop = big(tmp_path / "tree"), replace(LARGE, mode=mode, parts_at_once=3), Stop()
    options = journal_of(tmp_path, is_wanted=journalled)
    async with site() as there:
        there.meets(at, before(stop.interrupt))
        ran = await run(there, path, large=large, stop=stop, **options)
        left = there.segments()
        if at == MANIFEST:  # it was in flight, so it is complete
            assert (ran.summary.exit_code, ran.summary.uploaded) == (130, 1)
        else:
            assert (ran.summary.exit_code, ran.summary.skipped, await there.content()) == (130, 1, None)
            (told,) = of_kind(ran, ev.PartsLeft)
            assert (told.count, told.size) == (len(left), sum(map(len, left.values())))
        again = await run(there, path, large=large, **options)
        assert (again.summary.exit_code, await there.content()) == (0, noise())
        assert set(there.puts.values()) == {1} and len(there.puts) == COUNT
        if at != MANIFEST:
            assert (again.summary.parts_found, again.summary.parts_sent) == (len(left), COUNT - len(left))


async def test_an_interrupted_run_without_an_answer_ends_in_time(tmp_path: Path) -> None:
    """No part is answered any more after the third: exit code 130, and the parts that are known are told."""
    stop, met, over = Stop(), asyncio.Event(), asyncio.Event()

    async def silent(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        met.set()
        await over.wait()
        return await handler(request)

    async with site() as there:
        for number in range(4, COUNT + 1):
            there.always_meets(number, silent)
        wire = WireOptions(timeout_s=0.25)
        running = asyncio.create_task(
            run(there, big(tmp_path), stop=stop, wire=wire, large=replace(LARGE, parts_at_once=1))
        )
        await met.wait()
        stop.interrupt()
        async with asyncio.timeout(10):
            ran = await running
        over.set()
        assert (ran.summary.exit_code, ran.summary.skipped, await there.content()) == (130, 1, None)
        assert [told.count for told in of_kind(ran, ev.PartsLeft)] == [3]


@BOTH
async def test_a_cancelled_run_leaves_the_old_object_and_is_continued(tmp_path: Path, mode: str) -> None:
    """The caller cancels its task at part 5."""
    path, large = big(tmp_path, b"o"), replace(LARGE, mode=mode, parts_at_once=1)
    async with site() as there:
        await run(there, path)
        big(tmp_path)
        met, over = asyncio.Event(), asyncio.Event()

        async def silent(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
            met.set()
            await over.wait()
            return await handler(request)

        there.meets(5, silent)
        running = asyncio.create_task(run(there, path, large=large))
        await met.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        over.set()
        assert await there.content() == b"o"
        again = await run(there, path, large=large)
        assert (again.summary.exit_code, await there.content()) == (0, noise())
        assert {times for number, times in there.numbers.items() if number != 5} == {1}


async def test_an_error_of_one_part_lets_those_in_flight_end(tmp_path: Path) -> None:
    """Part 1 is refused while parts 2 to 4 are in flight: they are stored, and told."""
    others, arrived = asyncio.Event(), 0

    async def note(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        if arrived == 3:
            others.set()
        return await handler(request)

    async with site() as there:

        async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
            await others.wait()
            return await answers(400)(request, handler)

        there.always_meets(1, refuse)
        for number in (2, 3, 4):
            there.meets(number, note)
        ran = await run(there, big(tmp_path), large=replace(LARGE, parts_at_once=4))
        left = there.segments()
        assert len(left) >= 3 and [told.count for told in of_kind(ran, ev.PartsLeft)] == [len(left)]


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
async def test_the_rate_of_bytes_counts_every_part_and_its_retries(tmp_path: Path, transport: str) -> None:
    """Part 3 is refused once: eleven parts pass, and each request is counted."""
    wire = WireOptions(bytes_per_s=1e9, objects_per_s=1e9, transport=transport)  # type: ignore[arg-type]
    async with site() as there:
        there.meets(3, answers(503))
        ran = await run(there, big(tmp_path), wire=wire)
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        pacing = ran.summary.pacing
        assert pacing is not None and pacing.sent == SIZE + PART
        requests = [event.operation for event in of_kind(ran, ev.Requested)]
        assert requests.count("part") == COUNT + 1 and pacing.requests >= COUNT + 2


async def test_an_interrupted_run_does_not_wait_for_the_rate_of_its_parts(tmp_path: Path) -> None:
    """An hour for each byte."""
    stop = Stop()
    async with site() as there:
        wire = WireOptions(bytes_per_s=1 / 3600)
        begun = asyncio.Event()

        def watch(event: ev.Event) -> None:
            if isinstance(event, ev.Requested) and event.operation == "list parts":
                begun.set()

        running = asyncio.create_task(run(there, big(tmp_path, noise(3_000_000)), wire=wire, stop=stop, on_event=watch))
        await begun.wait()
        stop.interrupt()
        async with asyncio.timeout(10):
            ran = await running
        assert (ran.summary.exit_code, ran.summary.skipped, await there.content()) == (130, 1, None)


async def test_two_runs_at_once_of_one_file_leave_it_whole(tmp_path: Path) -> None:
    """Both send all parts or find some of the other's; the object is whole, and no segment is unused."""
    async with site() as there:
        path = big(tmp_path)
        first, second = await asyncio.gather(run(there, path), run(there, path))
        assert (first.summary.exit_code, second.summary.exit_code) == (0, 0)
        assert await there.content() == noise()
        assert {f"c_segments/{name}" for name in there.segments()} == there.used()


async def test_two_runs_at_once_of_different_versions_end_with_one_of_them(tmp_path: Path) -> None:
    """Under one object name, from two directories."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, two = big(tmp_path / "a"), big(tmp_path / "b", noise(seed=2))
    async with site() as there:
        ran = await asyncio.gather(run(there, one), run(there, two))
        assert [each.summary.exit_code for each in ran] == [0, 0]
        assert await there.content() in (noise(), noise(seed=2))


@pytest.mark.parametrize("journalled", [False, True], ids=["without journal", "with journal"])
async def test_a_compressed_file_in_parts_is_continued(tmp_path: Path, journalled: bool) -> None:
    """Its gzip stream is made again, and its parts that are there are not sent again."""
    content = os.urandom(4_000) + bytes(100_000) + os.urandom(4_000)
    options = {"gzip": GzipOptions(mode="always"), **journal_of(tmp_path, is_wanted=journalled)}
    (tmp_path / "tree").mkdir()
    async with site() as there:
        there.always_meets(6, answers(400))
        path = big(tmp_path / "tree", content)
        ran = await run(there, path, large=replace(LARGE, parts_at_once=1), **options)
        assert (ran.summary.exit_code, await there.content()) == (1, None) and len(there.segments()) == 5
        there.recovers()
        ran = await run(there, path, **options)
        stored = await there.content()
        assert ran.summary.exit_code == 0 and stored is not None and gzip.decompress(stored) == content
        assert {times for number, times in there.numbers.items() if number != 6} == {1}


async def test_a_compressed_file_that_changes_at_part_3_is_stored_in_one_version(tmp_path: Path) -> None:
    """In the new one; the stream is read to its end before its last part is sent."""
    path = big(tmp_path, os.urandom(3_000_000))
    new = os.urandom(3_000_000)
    async with site() as there:
        there.meets(3, before(lambda: asyncio.to_thread(path.write_bytes, new)))
        large = replace(LARGE, part_size=300_000, parts_at_once=1)
        ran = await run(there, path, gzip=GzipOptions(mode="always"), large=large)
        stored = await there.content()
        assert ran.summary.exit_code == 0 and stored is not None and gzip.decompress(stored) == new


async def test_several_compressed_files_share_little_room_without_a_lock(tmp_path: Path) -> None:
    """Eight streams, and room for two parts."""
    (tmp_path / "tree").mkdir()
    contents = {f"f{n}": noise(20_000, seed=n) for n in range(8)}
    for name, content in contents.items():
        (tmp_path / "tree" / name).write_bytes(content)
    async with site() as there:
        for number in range(1, 5):
            there.meets(number, answers(503), answers(503))
        large = replace(LARGE, held=2 * PART)
        ran = await run(there, tmp_path / "tree", gzip=GzipOptions(mode="always"), large=large)
        assert ran.summary.exit_code == 0
        for name, content in contents.items():
            stored = await there.content(name)
            assert stored is not None and gzip.decompress(stored) == content


class Hanging:
    """Stores the first parts, and leaves the others unanswered."""

    def __init__(self, *, after: int) -> None:
        self._left = after
        self.met, self.over = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        self._left -= 1
        if self._left < 0:
            self.met.set()
            await self.over.wait()
            return web.Response(status=503)
        return await handler(request)


@pytest.mark.parametrize("journalled", [False, True], ids=["without journal", "with journal"])
async def test_kill_9_at_random_moments_costs_no_finished_part(tmp_path: Path, journalled: bool) -> None:
    """bulkput upload, killed four times: only parts in flight are sent twice, and the object is whole in the end."""
    chance, kills, parts = random.Random(journalled), 4, 40
    content = noise(parts * PART)
    (tmp_path / "tree").mkdir()
    path = big(tmp_path / "tree", content)
    at_once = 4
    async with site() as there:
        options = there.server.options
        environ = {"ST_AUTH": there.server.auth_url, "ST_USER": options.user, "ST_KEY": options.key}
        command = [sys.executable, "-m", "bulkput", "upload", "--segment-above", "1", "--segment-size", str(PART)]
        command += ["--concurrency", str(at_once), str(path), "swift://c"]
        command += ["--journal", str(tmp_path / "journal")] if journalled else []
        finished = Counter[str]()
        for _ in range(kills):
            hanging = Hanging(after=chance.randint(2, 6))
            for number in range(1, parts + 1):
                there.always_meets(number, hanging)
            process = await asyncio.create_subprocess_exec(
                *command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            await hanging.met.wait()
            process.send_signal(signal.SIGKILL)
            await process.wait()
            finished += Counter(there.segments().keys() - finished.keys())
            hanging.over.set()
            there.puts.clear()
            there.recovers()
        assert kills <= len(finished) < parts
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **environ})
        assert await process.wait() == 0
        assert await there.content() == content
        assert not there.puts.keys() & finished.keys() and len(there.puts) + len(finished) == parts


DISK_ERROR = """
import asyncio, sys, bulkput
from bulkput.options import BodyOptions, LargeOptions, UploadOptions

large = LargeOptions(above=1, part_size=100_000, parts_at_once=1)
options = UploadOptions(body=BodyOptions(readers=1), large=large)
summary = asyncio.run(bulkput.upload(sys.argv[1], "swift://c", options=options))
print(summary.uploaded, summary.parts_left, *(failure.error for failure in summary.failures))
sys.exit(summary.exit_code)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace gives the errors, and is not installed")
async def test_a_disk_error_in_the_middle_of_a_part_fails_only_that_file(tmp_path: Path) -> None:
    """strace answers the fourth read of the file and all later ones with EIO: the first parts stay and are told."""
    (tmp_path / "tree").mkdir()
    path = big(tmp_path / "tree", noise(1_000_000))
    (tmp_path / "tree" / "z").write_text("z")
    async with site() as there:
        options = there.server.options
        environ = {"ST_AUTH": there.server.auth_url, "ST_USER": options.user, "ST_KEY": options.key}
        inject = ("strace", "-f", "-qq", "-o", tmp_path / "calls", "-e", "trace=read", "-P", path)
        process = await asyncio.create_subprocess_exec(
            *inject, "-e", "inject=read:error=EIO:when=4+", sys.executable, "-c", DISK_ERROR, path.parent,
            env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if b"ptrace" in err:
            pytest.skip(f"no tracing here: {err.decode().splitlines()[0]}")
        assert process.returncode == 1, err
        words = out.decode().split(maxsplit=2)
        assert words[0] == "1" and int(words[1]) == len(there.segments()) >= 1
        assert "Input/output error" in words[2] and await there.content() is None
        assert await there.content("z") == b"z"
