"""Faults of uploads by executors that others have made (`OnExecutor`): the run ends in bounded time, and says why."""

import asyncio
import time
from collections import Counter
from concurrent.futures import Executor
from pathlib import Path

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, ResourceKind
from bulkput.engine.stop import Stop
from bulkput.options import UploadOptions, WireOptions
from bulkput.scale.any_executor import OnExecutor
from bulkput.scale.upload import upload_sharded
from tests.conftest import environ_of
from tests.faults.target import faulty
from tests.faults.test_run import QUICK, files

pytestmark = pytest.mark.timeout(120)


async def run(
    executor: Executor, server: DevServer, root: Path, *, stop: Stop | None = None, wire: WireOptions | None = None
) -> bulkput.Summary:
    """Asserts that every file has one outcome."""
    outcomes: Counter[bytes] = Counter()

    def note(event: ev.Event) -> None:
        match event:
            case ev.Uploaded():
                outcomes[event.upload.source.path] += 1
            case ev.Skipped():
                outcomes[event.skip.path] += 1
            case ev.Failed():
                outcomes[event.path] += 1

    summary = await upload_sharded(
        root,
        "swift://c",
        engine=OnExecutor(executor, lanes=2),
        options=UploadOptions(retry=QUICK, wire=wire or WireOptions()),
        on_event=note,
        stop=stop,
        environ=environ_of(server),
    )
    assert summary.adds_up
    assert len(outcomes) == summary.found and set(outcomes.values()) <= {1}
    return summary


async def test_a_store_that_refuses_each_new_login_ends_the_run_with_3(executor: Executor, tmp_path: Path) -> None:
    """The driver logs in without trouble again and again, and no object is ever taken."""

    async def refuse(_request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        return web.Response(status=401)

    async with faulty(refuse) as server:
        summary = await run(executor, server, files(tmp_path, 300))
        logins = server.traffic.requests["GET", ResourceKind.AUTH]
    assert summary.exit_code == 3 and summary.stopping is not None
    assert summary.stopping.cause is ev.StopCause.STORE
    assert "the store refuses each new login, before any file is stored" in summary.stopping.why
    assert (summary.uploaded, summary.failed, summary.workers_lost) == (0, 0, 0)
    assert logins <= 6


async def test_a_stop_while_calls_run_ends_the_run_when_they_end(executor: Executor, tmp_path: Path) -> None:
    """With exit code 130: what they had in hand is stored, and no other file."""
    stop, stopped, count = Stop(), asyncio.Event(), 0

    async def interrupt(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count == 8:  # as many as are in flight
            stop.interrupt()
            stopped.set()
        await stopped.wait()
        return await handler(request)

    async with faulty(interrupt) as server:
        summary = await run(executor, server, files(tmp_path, 500), stop=stop, wire=WireOptions(concurrency=8))
        stored = server.traffic.requests["PUT", ResourceKind.OBJECT]
    assert summary.exit_code == 130
    assert 8 <= summary.uploaded == stored <= 2 * 4 * 8 and summary.failed == 0


async def test_a_silent_server_holds_a_stopped_run_no_longer_than_its_time(executor: Executor, tmp_path: Path) -> None:
    """The calls have no answer then: their files are reported as not sent."""
    met, over, stop = asyncio.Event(), asyncio.Event(), Stop()

    async def never(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        met.set()
        await over.wait()
        return await handler(request)

    async with faulty(never) as server, asyncio.TaskGroup() as tasks:
        wire = WireOptions(timeout_s=2.0)
        running = tasks.create_task(run(executor, server, files(tmp_path, 100), stop=stop, wire=wire))
        await met.wait()
        stop.interrupt()
        began_s = time.monotonic()
        summary = await running
        took_s = time.monotonic() - began_s
        over.set()
    assert (summary.exit_code, summary.uploaded, summary.skipped) == (130, 0, 100)
    assert took_s < 10.0
