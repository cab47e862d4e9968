"""Faults while a pipe is sent: its object is all of it or what was there before, and no part of it is left behind."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from gzip import decompress as gunzip
from pathlib import Path

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import DevServer, DevServerOptions, Handler, Intercept, SloConstraints
from bulkput.engine.stop import Stop
from bulkput.options import BodyOptions, GzipOptions, WireOptions
from tests.faults.parted import (
    COUNT,
    LARGE,
    MANIFEST,
    PART,
    SIZE,
    Site,
    answers,
    failure,
    loses_the_answer,
    noise,
    of_kind,
    resets,
    run,
    site,
    with_etag,
)
from tests.faults.target import Ran
from tests.servers.devserver import devserver_process
from tests.servers.judge import SwiftJudge

BOTH = pytest.mark.parametrize("mode", ["slo", "dlo"])
TO = "swift://c/big"
MD5 = hashlib.md5(noise()).hexdigest()


class Writing:
    """A pipe, and the end of it that a test writes to."""

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe()
        self.source = f"/dev/fd/{self._read_end}"

    async def write(self, content: bytes) -> None:
        while content:
            content = content[await asyncio.to_thread(os.write, self._write_end, content) :]

    def end(self) -> None:
        if self._write_end >= 0:
            os.close(self._write_end)
            self._write_end = -1

    def close(self) -> None:
        self.end()
        os.close(self._read_end)


@pytest.fixture
def pipe() -> Iterator[Writing]:
    made = Writing()
    yield made
    made.close()


async def sent(there: Site, pipe: Writing, content: bytes, **options: object) -> Ran:
    """Uploads `content` through the pipe."""
    running = asyncio.create_task(run(there, pipe.source, to=TO, **options))
    await pipe.write(content)
    pipe.end()
    return await running


@asynccontextmanager
async def over_an_old_object(mode: str = "slo") -> AsyncIterator[Site]:
    """A site that has the plain object `big` already."""
    async with site() as there:
        await asyncio.to_thread(there.judge.put, "c", "", b"")
        await asyncio.to_thread(there.judge.put, "c", "big", b"old")
        yield there


@pytest.mark.parametrize(
    "fault",
    [
        resets,
        loses_the_answer,
        answers(503),
        answers(429),
        answers(408),
        answers(401),
        answers(422),
        with_etag("0" * 32),
        with_etag(None),
    ],
    ids=["reset", "lost answer", "503", "429", "408", "401", "422", "wrong etag", "no etag"],
)
@pytest.mark.parametrize(("mode", "number"), [("slo", 1), ("slo", COUNT), ("slo", MANIFEST), ("dlo", MANIFEST)])
async def test_a_retry_sends_the_held_part_again_and_no_other(
    pipe: Writing, fault: Intercept, number: int, mode: str
) -> None:
    """The pipe is read once, and its object is whole."""
    async with site() as there:
        there.meets(number, fault)
        ran = await sent(there, pipe, noise(), large=replace(LARGE, mode=mode, expect_size=SIZE, expect_md5=MD5))
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        assert all(times == 1 for each, times in there.numbers.items() if each != number)
        assert set(there.numbers) == set(range(1, COUNT + 1)) and len(there.segments()) == COUNT


@pytest.mark.parametrize("fault", [resets, answers(503), answers(400), answers(202), answers(403)])
@pytest.mark.parametrize("number", [1, COUNT])
async def test_a_part_that_always_fails_leaves_the_old_object_and_no_segment(
    pipe: Writing, fault: Intercept, number: int
) -> None:
    """Nobody could go on with the parts of a pipe."""
    async with over_an_old_object() as there:
        there.always_meets(number, fault)
        ran = await sent(there, pipe, noise())
        assert (ran.summary.failed, await there.content()) == (1, b"old") and ran.summary.exit_code in (1, 3)
        assert there.segments() == {} and not of_kind(ran, ev.PartsLeft)


@BOTH
@pytest.mark.parametrize("fault", [loses_the_answer, with_etag("0" * 32), answers(400), resets, answers(201)])
async def test_parts_stay_if_the_object_may_be_composed_of_them(pipe: Writing, fault: Intercept, mode: str) -> None:
    """Whatever the answers to the manifest were, the object can be read, and the run says what stays."""

    async def hides(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        return await fault(request, handler)

    async with over_an_old_object() as there:
        there.always_meets(MANIFEST, hides)
        ran = await sent(there, pipe, noise(), large=replace(LARGE, mode=mode))
        content = await there.content()
        assert content in (b"old", noise())
        if ran.summary.exit_code:
            assert [(told.count, told.size) for told in of_kind(ran, ev.PartsLeft)] == [(COUNT, SIZE)]
            assert len(there.segments()) == COUNT
        else:
            assert content == noise()


@pytest.mark.parametrize("size", [SIZE, 500, 0, PART, 2 * PART])
async def test_a_pipe_that_ends_early_stores_nothing(pipe: Writing, size: int) -> None:
    """Its writer was to give one byte more: the old object stays, and no segment."""
    async with over_an_old_object() as there:
        ran = await sent(there, pipe, noise()[:size], large=replace(LARGE, expect_size=size + 1))
        assert (ran.summary.exit_code, await there.content(), there.segments()) == (1, b"old", {})
        assert f"it ended after {size} bytes" in failure(ran) and not of_kind(ran, ev.PartsLeft)


@pytest.mark.parametrize("size", [SIZE, 500, PART])
async def test_a_pipe_that_gives_more_than_expected_stores_nothing(pipe: Writing, size: int) -> None:
    """By one byte."""
    async with over_an_old_object() as there:
        ran = await sent(there, pipe, noise()[:size], large=replace(LARGE, expect_size=size - 1))
        assert (ran.summary.exit_code, await there.content(), there.segments()) == (1, b"old", {})
        assert f"it gives more than the {size - 1} bytes" in failure(ran)


@pytest.mark.parametrize("size", [SIZE, 500])
async def test_a_pipe_with_another_md5_stores_nothing(pipe: Writing, size: int) -> None:
    """One bit differs."""
    async with over_an_old_object() as there:
        ran = await sent(there, pipe, noise()[:size], large=replace(LARGE, expect_md5="0" * 32))
        assert (ran.summary.exit_code, await there.content(), there.segments()) == (1, b"old", {})
        assert "its MD5 is" in failure(ran)


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, SIZE])
@pytest.mark.parametrize("gzip", ["never", "always"])
async def test_a_pipe_of_any_length_is_stored_whole(pipe: Writing, size: int, gzip: str) -> None:
    """Of no bytes, of exactly one part, and of more."""
    async with site() as there:
        ran = await sent(there, pipe, noise()[:size], gzip=GzipOptions(mode=gzip))  # type: ignore[arg-type]
        content = await there.content()
        assert ran.summary.exit_code == 0 and content is not None
        assert (gunzip(content) if gzip == "always" else content) == noise()[:size]


async def test_a_gzip_stream_of_a_pipe_that_ends_early_stores_nothing(pipe: Writing) -> None:
    """expect_size is of the bytes in the pipe, not of the stream."""
    async with over_an_old_object() as there:
        gzip, large = GzipOptions(mode="always"), replace(LARGE, expect_size=SIZE + 1)
        ran = await sent(there, pipe, noise(), gzip=gzip, large=large)
        assert (ran.summary.exit_code, await there.content(), there.segments()) == (1, b"old", {})


async def test_parts_in_flight_when_a_pipe_fails_leave_no_segment(pipe: Writing) -> None:
    """A slow server stores parts 2 and 3 long after the pipe has turned out to be too short."""
    met = asyncio.Event()

    async def slow(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        met.set()
        await asyncio.sleep(0.3)
        return await handler(request)

    async with over_an_old_object() as there:
        there.meets(2, slow)
        there.meets(3, slow)
        large, body = replace(LARGE, expect_size=SIZE), BodyOptions(chunk_size=PART)
        running = asyncio.create_task(run(there, pipe.source, to=TO, large=large, body=body))
        await pipe.write(noise()[: 4 * PART + 1])
        await met.wait()
        pipe.end()
        ran = await running
    assert (ran.summary.exit_code, there.segments()) == (1, {})


class Begun:
    """An event that is set when this many parts are stored; with 0, when the object was looked at."""

    def __init__(self, parts: int) -> None:
        self._left = max(0, parts)
        self._event = asyncio.Event()
        self.wait = self._event.wait

    def __call__(self, event: ev.Event) -> None:
        self._left -= isinstance(event, ev.PartStored)
        if self._left <= 0 and isinstance(event, ev.PartStored | ev.Requested) and event_key(event) == "big":
            self._event.set()


def event_key(event: ev.PartStored | ev.Requested) -> str:
    return event.upload.key if isinstance(event, ev.PartStored) else event.key


@pytest.mark.parametrize("after_bytes", [0, 10, PART, 3 * PART + 5])
async def test_an_interrupted_pipe_whose_writer_is_silent_leaves_nothing(pipe: Writing, after_bytes: int) -> None:
    """Its writer has given something, and gives no more: the run ends at once, with exit code 130."""
    stop, begun = Stop(), Begun(after_bytes // PART - 1)
    async with over_an_old_object() as there:
        running = asyncio.create_task(
            run(there, pipe.source, to=TO, stop=stop, on_event=begun, body=BodyOptions(chunk_size=PART))
        )
        await pipe.write(noise()[:after_bytes])
        await begun.wait()
        stop.interrupt()
        async with asyncio.timeout(10):
            ran = await running
        assert (ran.summary.exit_code, ran.summary.skipped, await there.content()) == (130, 1, b"old")
        assert there.segments() == {}


@pytest.mark.parametrize("size", [500, SIZE])
async def test_a_stop_just_after_the_end_of_the_pipe_stores_nothing(pipe: Writing, size: int) -> None:
    """Ctrl-C ends the writer first, so the pipe ends before the signal is seen here."""
    stop = Stop()
    async with over_an_old_object() as there:
        running = asyncio.create_task(run(there, pipe.source, to=TO, stop=stop))
        await pipe.write(noise()[:size])
        pipe.end()
        await asyncio.sleep(0.01)
        stop.interrupt()
        ran = await running
        assert (ran.summary.exit_code, await there.content(), there.segments()) == (130, b"old", {})


async def test_an_interrupted_pipe_without_time_says_which_parts_stay(pipe: Writing) -> None:
    """The store does not answer the removal of the parts."""
    stop, over, begun = Stop(), asyncio.Event(), Begun(2)

    async def silent(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "DELETE":
            await over.wait()
        return await there.intercept(request, handler)

    there = Site()
    async with DevServer(intercept=silent) as there.server:
        wire = WireOptions(timeout_s=0.25)
        running = asyncio.create_task(
            run(there, pipe.source, to=TO, stop=stop, wire=wire, on_event=begun, body=BodyOptions(chunk_size=PART))
        )
        await pipe.write(noise()[: 3 * PART])
        await begun.wait()
        stop.interrupt()
        ran = await running
        over.set()
        assert (ran.summary.exit_code, ran.summary.skipped) == (130, 1)
        (told,) = of_kind(ran, ev.PartsLeft)
        assert told.count == len(there.segments()) == 2


async def test_a_silent_writer_is_reported_and_waited_for(pipe: Writing) -> None:
    """It is silent for longer than a read may take: that is no hang. Stalled says what is waited for."""
    stalled = asyncio.Event()

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.Stalled):
            stalled.set()

    async with site() as there:
        body = BodyOptions(read_timeout_s=0.02, max_stuck=1)
        running = asyncio.create_task(run(there, pipe.source, to=TO, body=body, stall_s=0.1, on_event=watch))
        await pipe.write(noise()[:4321])
        await stalled.wait()
        await pipe.write(noise()[4321:])
        pipe.end()
        ran = await running
        assert (ran.summary.exit_code, await there.content()) == (0, noise())
        text = str(of_kind(ran, ev.Stalled)[0])
        assert "waiting for the pipe" in text


async def test_a_named_pipe_that_nobody_opens_ends_by_an_interruption(tmp_path: Path) -> None:
    """Opening it waits for a writer."""
    stop = Stop()
    os.mkfifo(tmp_path / "fifo")
    async with over_an_old_object() as there:
        begun = Begun(0)
        running = asyncio.create_task(run(there, tmp_path / "fifo", to=TO, stop=stop, on_event=begun))
        await begun.wait()
        stop.interrupt()
        async with asyncio.timeout(10):
            ran = await running
        assert (ran.summary.exit_code, ran.summary.adds_up, await there.content()) == (130, True, b"old")
        os.close(os.open(tmp_path / "fifo", os.O_RDWR | os.O_NONBLOCK))  # ends the thread that still waits


async def test_a_pipe_that_cannot_be_read_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal whose other end has gone: after what was written before, a read gives EIO."""
    ours, other = os.openpty()
    with open(ours, "rb", buffering=0) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(other, b"x" * (2 * PART + PART // 2))
        os.close(other)
        async with over_an_old_object() as there:
            ran = await run(there, "-", to=TO, body=BodyOptions(chunk_size=PART))
            assert (ran.summary.exit_code, await there.content(), there.segments()) == (1, b"old", {})
            assert "Input/output error" in failure(ran)


@BOTH
async def test_a_pipe_with_more_parts_than_the_store_takes_stores_nothing(pipe: Writing, mode: str) -> None:
    """Five parts of 1000 bytes, and parts that grow in the second half: 9000 bytes are more."""
    slo = SloConstraints(max_manifest_segments=5)
    async with site(DevServerOptions(slo=slo)) as there:
        ran = await sent(there, pipe, noise(20_000), large=replace(LARGE, mode=mode))
        if mode == "slo":
            assert (ran.summary.exit_code, await there.content(), there.segments()) == (1, None, {})
            assert "more than 5 parts" in failure(ran) and "large.expect_size" in failure(ran)
        else:
            assert (ran.summary.exit_code, await there.content()) == (0, noise(20_000))


async def test_an_expected_size_makes_the_parts_of_a_pipe_few_enough(pipe: Writing) -> None:
    """Five parts at most."""
    async with site(DevServerOptions(slo=SloConstraints(max_manifest_segments=5))) as there:
        content = noise(2_000_000)
        ran = await sent(there, pipe, content, large=replace(LARGE, expect_size=len(content)))
        assert (ran.summary.exit_code, await there.content() == content) == (0, True)
        assert len(there.segments()) <= 5


@pytest.mark.parametrize("size", [PART, PART + 1])
async def test_a_pipe_without_parts_is_stored_whole_or_not_at_all(pipe: Writing, size: int) -> None:
    """large.mode=never: what is held in memory is sent in one request, and nothing longer."""
    async with over_an_old_object() as there:
        ran = await sent(there, pipe, noise()[:size], large=replace(LARGE, mode="never"))
        is_short = size <= PART
        assert (ran.summary.exit_code, there.segments()) == (0 if is_short else 1, {})
        assert await there.content() == (noise()[:size] if is_short else b"old")


async def test_a_cancelled_pipe_stores_nothing(pipe: Writing) -> None:
    """The caller cancels its task while the writer is silent."""
    async with over_an_old_object() as there:
        begun = Begun(2)
        running = asyncio.create_task(run(there, pipe.source, to=TO, on_event=begun, body=BodyOptions(chunk_size=PART)))
        await pipe.write(noise()[: 3 * PART])
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await there.content() == b"old"


PRODUCER = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.stdout.buffer.write(os.urandom(3_000_000))
sys.stdout.flush()
print("written", file=sys.stderr, flush=True)
{}
"""
SILENT = "signal.pause()"
SUICIDE = "os.kill(os.getpid(), signal.SIGKILL)"
UPLOAD = f"{sys.executable} -m bulkput upload --segment-size 200000 {{}} - swift://c/big"


@contextmanager
def shell(producer: str, flags: str = "") -> Iterator[tuple[subprocess.Popen[str], SwiftJudge]]:
    """A producer piped into the command, as a process group of its own, over an old object."""
    with devserver_process() as server:
        judge = SwiftJudge(server.auth_url, server.user, server.key)
        judge.put("c", "", b"")
        judge.put("c", "big", b"old")
        program = PRODUCER.format(producer)
        line = f"set -o pipefail; {sys.executable} -c '{program}' | {UPLOAD.format(flags)}"
        with subprocess.Popen(
            ["bash", "-c", line],
            env={**os.environ, **server.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as running:
            yield running, judge


def test_ctrl_c_to_the_whole_process_group_stores_nothing(tmp_path: Path) -> None:
    """python producer | bulkput upload - swift://c/big, then SIGINT to both: the pipe ends since its writer is dead."""
    with shell(SILENT) as (running, judge):
        assert running.stderr is not None
        while "written" not in running.stderr.readline():
            pass
        while len(judge.names("c_segments")) < 4:
            pass
        os.killpg(running.pid, signal.SIGINT)
        _, err = running.communicate(timeout=30)
        assert judge.content("c", "big") == b"old", err
        assert judge.names("c_segments") == [] and "Traceback" not in err and running.returncode == 130


def test_a_producer_that_is_killed_fails_the_upload_if_its_size_is_expected() -> None:
    """--expect-size 3000001; it dies one byte before its end: exit code 1, no object, no segment."""
    with shell(SUICIDE, "--expect-size 3000001") as (running, judge):
        _, err = running.communicate(timeout=30)
        assert running.returncode == 1 and "it ended after 3000000 bytes, and --expect-size says 3000001" in err
        assert (judge.content("c", "big"), judge.names("c_segments")) == (b"old", [])
