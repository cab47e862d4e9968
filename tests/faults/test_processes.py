"""Faults of a run that several processes send: whatever ends, every file has one outcome, and the sum is true."""

import asyncio
import multiprocessing
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, ResourceKind
from bulkput.engine.stop import Stop
from bulkput.errors import Exists, IntegrityError, SourceError, UsageError
from bulkput.options import LargeOptions, RetryOptions, UploadOptions, WireOptions
from bulkput.scale.processes import Processes
from bulkput.scale.upload import upload_sharded
from tests.conftest import environ_of
from tests.faults.peer import kill_peer
from tests.faults.target import expiring, faulty
from tests.faults.test_run import QUICK, files

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="finds the peer of a connection in /proc")


async def run(
    server: DevServer, root: Path, *, stop: Stop | None = None, processes: int = 2, **options: object
) -> tuple[bulkput.Summary, list[ev.Event]]:
    seen: list[ev.Event] = []
    chosen = UploadOptions(**{"retry": QUICK, **options})  # type: ignore[arg-type]
    summary = await upload_sharded(
        [root],
        "swift://c",
        engine=Processes(processes),
        options=chosen,
        on_event=seen.append,
        stop=stop,
        environ=environ_of(server),
    )
    assert summary.adds_up
    return summary, seen


async def test_two_processes_share_one_login_and_send_one_put_for_each_file(
    tmp_path: Path, devserver: DevServer
) -> None:
    """Each event that one process emits comes from two as well, once."""
    summary, seen = await run(devserver, files(tmp_path, 300))
    assert (summary.uploaded, summary.failed, summary.workers_lost) == (300, 0, 0)
    assert devserver.traffic.requests["GET", ResourceKind.AUTH] == 1
    assert devserver.traffic.requests["PUT", ResourceKind.OBJECT] == 300
    assert summary.requests == {"GET": 1, "PUT": 301}
    assert sum(summary.workers.values()) == 300 and len(summary.workers) == 2
    kinds = Counter(type(event) for event in seen)
    assert kinds[ev.Uploaded] == kinds[ev.Discovered] == 300
    assert sum(event.operation == "put" for event in seen if isinstance(event, ev.Requested)) == 300


async def test_a_killed_process_costs_no_file(tmp_path: Path) -> None:
    """Its files are sent by others; the summary counts it."""
    killed: list[int] = []

    async def kill_once(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/0200") and not killed:
            killed.append(kill_peer(request))
        return await handler(request)

    async with faulty(kill_once) as server:
        summary, seen = await run(server, files(tmp_path, 500))
    assert (summary.uploaded, summary.failed, summary.workers_lost) == (500, 0, 1)
    lost = [event for event in seen if isinstance(event, ev.WorkerLost)]
    assert len(lost) == 1 and lost[0].files > 0


async def test_a_file_that_kills_its_process_three_times_fails_by_its_name(tmp_path: Path) -> None:
    """All other files are stored, also those that were in the same processes."""
    killed: list[int] = []

    async def kill(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/0042"):
            killed.append(kill_peer(request))
            raise web.HTTPServiceUnavailable
        return await handler(request)

    async with faulty(kill) as server:
        summary, seen = await run(server, files(tmp_path, 200))
    assert (summary.uploaded, summary.failed, summary.workers_lost) == (199, 1, 3)
    assert len(set(killed)) == 3
    (failure,) = summary.failures
    assert failure.path == os.fsencode(tmp_path / "0042") and "3 processes ended" in failure.error
    (error,) = [event.error for event in seen if isinstance(event, ev.Failed)]
    assert isinstance(error, SourceError) and error.problem == "unexpected"


async def test_processes_that_all_end_at_once_stop_the_run(tmp_path: Path) -> None:
    """With exit code 3, and in bounded time: the run does not start processes for ever."""

    async def kill(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        kill_peer(request)
        raise web.HTTPServiceUnavailable

    async with faulty(kill) as server:
        summary, _ = await run(server, files(tmp_path, 300))
    assert summary.exit_code == 3 and summary.stopping is not None
    assert summary.stopping.cause is ev.StopCause.WORKERS
    assert summary.found == summary.skipped <= 300


async def test_a_token_that_expires_is_renewed_by_the_driver_for_all(tmp_path: Path) -> None:
    """The 200th request revokes the token. All processes go on with one more login."""
    async with expiring(200) as server:
        summary, _ = await run(server, files(tmp_path, 500))
        assert (summary.uploaded, summary.failed, summary.retries) == (500, 0, 0)
        assert server.traffic.requests["GET", ResourceKind.AUTH] == 2


async def test_a_stopped_run_reports_every_file_and_leaves_no_process(tmp_path: Path) -> None:
    """The caller stops it after 50 objects."""
    stop, count = Stop(), 0

    async def stop_later(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count == 50:
            stop.interrupt()
        return await handler(request)

    async with faulty(stop_later) as server:
        summary, seen = await run(server, files(tmp_path, 2_000), stop=stop, wire=WireOptions(concurrency=8))
    assert summary.exit_code == 130
    assert 50 <= summary.uploaded < 2_000 and summary.failed == 0
    outcomes = Counter(type(event) for event in seen if isinstance(event, ev.Uploaded | ev.Skipped | ev.Failed))
    assert outcomes.total() == summary.found
    assert sum(summary.workers.values()) == summary.uploaded, "what was left unsent was sent by no process"
    assert not multiprocessing.active_children()


async def test_a_silent_server_holds_an_interrupted_run_no_longer_than_its_time(tmp_path: Path) -> None:
    """Files in the processes have no outcome then, and are reported as not sent."""
    met, over = asyncio.Event(), asyncio.Event()

    async def never(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        met.set()
        await over.wait()
        return await handler(request)

    stop = Stop()
    async with faulty(never) as server, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run(server, files(tmp_path, 100), stop=stop, wire=WireOptions(timeout_s=2.0)))
        await met.wait()
        stop.interrupt()
        summary, _ = await running
        over.set()
    assert summary.exit_code == 130 and summary.uploaded == 0
    assert summary.skipped == summary.found == 100


async def test_rates_hold_for_the_sum_of_all_processes(tmp_path: Path, devserver: DevServer) -> None:
    """Each has its share; together they tell what was reached."""
    wire = WireOptions(objects_per_s=200.0)
    summary, _ = await run(devserver, files(tmp_path, 300), wire=wire)
    assert summary.uploaded == 300 and summary.pacing is not None
    assert (summary.pacing.objects_per_s, summary.pacing.requests) == (200.0, 300)
    assert summary.pacing.reached_objects_per_s <= 200.0 * 1.02


async def test_a_large_file_is_sent_in_parts_by_a_process(tmp_path: Path, devserver: DevServer) -> None:
    """Its parts are told to the driver, whose journal has them; its progress, too."""
    (tmp_path / "large").write_bytes(os.urandom(400_000))
    files(tmp_path, 20)
    large = LargeOptions(above=100_000, part_size=50_000)
    summary, seen = await run(devserver, tmp_path, large=large)
    assert (summary.uploaded, summary.large_sent, summary.parts_sent) == (21, 1, 8)
    assert sum(isinstance(event, ev.PartStored) for event in seen) == 8


async def test_a_failure_in_a_process_is_that_of_its_file(tmp_path: Path) -> None:
    """Errors pass from process to process with all that they say."""

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/0007"):
            return web.Response(status=422, headers={"X-Trans-Id": "tx7"})
        return await handler(request)

    async with faulty(refuse) as server:
        summary, seen = await run(server, files(tmp_path, 50), retry=RetryOptions(retries=1, base_s=0.001))
    assert (summary.uploaded, summary.failed, summary.retries) == (49, 1, 1)
    (error,) = [event.error for event in seen if isinstance(event, ev.Failed)]
    assert isinstance(error, IntegrityError)
    assert (error.status, error.attempts, error.key, error.request_id) == (422, 2, "0007", "tx7")


async def test_a_large_object_that_is_refused_fails_as_in_one_process(tmp_path: Path, devserver: DevServer) -> None:
    """With `if_exists`: its error names what is there, and the others are stored."""
    large = LargeOptions(above=100_000, part_size=50_000)
    (files(tmp_path, 20) / "large").write_bytes(os.urandom(400_000))
    await run(devserver, tmp_path, large=large)
    (tmp_path / "more").write_bytes(b"new")
    summary, seen = await run(devserver, tmp_path, large=large, if_exists="fail")
    assert (summary.uploaded, summary.failed, summary.workers_lost) == (1, 21, 0)
    assert {type(event.error) for event in seen if isinstance(event, ev.Failed)} == {Exists}


async def test_no_more_requests_are_in_flight_than_asked_for(tmp_path: Path) -> None:
    """Also with more processes than that."""
    now = most = 0

    async def count(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            return await handler(request)
        finally:
            now -= 1

    async with faulty(count) as server:
        summary, _ = await run(server, files(tmp_path, 60), processes=4, wire=WireOptions(concurrency=2))
    assert summary.uploaded == 60 and most <= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_processes_leave_the_signals_of_a_group_to_the_driver(tmp_path: Path, number: int) -> None:
    """As a terminal, systemd and CI systems send them: to all. Nothing is lost by that."""
    met: list[int] = []

    async def signal_peer(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/0050"):
            met.append(kill_peer(request, number))
        return await handler(request)

    async with faulty(signal_peer) as server:
        summary, _ = await run(server, files(tmp_path, 200))
    assert met and met[0] > 0
    assert (summary.uploaded, summary.failed, summary.workers_lost) == (200, 0, 0)


async def test_a_pipe_is_refused(tmp_path: Path, devserver: DevServer) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError, match="is a pipe, which one process only can read"):
        await run(devserver, tmp_path / "fifo")
