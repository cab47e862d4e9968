"""Uploads by executors that others have made: `OnExecutor`."""

import asyncio
import os
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from aiohttp import web
from executorlib import SingleNodeExecutor

from bulkput.devserver import DevServer, Handler, ResourceKind
from bulkput.errors import UsageError
from bulkput.events import StopCause
from bulkput.options import UploadOptions
from bulkput.results import Summary
from bulkput.scale import worker
from bulkput.scale.any_executor import OnExecutor
from bulkput.scale.upload import upload_sharded
from tests.conftest import environ_of
from tests.faults.peer import kill_peer
from tests.faults.target import expiring, faulty
from tests.faults.test_run import QUICK, files

pytestmark = pytest.mark.timeout(180)


async def run(executor: Executor, server: DevServer, root: Path, lanes: int = 2) -> Summary:
    summary = await upload_sharded(
        root,
        "swift://c",
        engine=OnExecutor(executor, lanes=lanes),
        options=UploadOptions(retry=QUICK),
        environ=environ_of(server),
    )
    assert summary.adds_up
    return summary


async def test_executorlib_sends_the_files(tmp_path: Path, devserver: DevServer) -> None:
    """An executor of batch systems; here its processes are on this machine."""
    with SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
        summary = await run(executor, devserver, files(tmp_path, 500))
    assert (summary.uploaded, summary.failed) == (500, 0)
    assert devserver.traffic.requests["GET", ResourceKind.AUTH] == 1
    assert devserver.traffic.requests["PUT", ResourceKind.OBJECT] == 500


async def test_the_executors_of_the_standard_library_send_the_files(
    executor: Executor, tmp_path: Path, devserver: DevServer
) -> None:
    """Each call is complete in itself."""
    summary = await run(executor, devserver, files(tmp_path, 500))
    assert (summary.uploaded, summary.failed) == (500, 0)
    assert devserver.traffic.requests["PUT", ResourceKind.OBJECT] == 500


async def test_an_expired_token_is_renewed_by_the_driver(executor: Executor, tmp_path: Path) -> None:
    """A process whose token is refused gives its files back, and gets them again with another."""
    async with expiring(200) as server:
        summary = await run(executor, server, files(tmp_path, 500))
        assert (summary.uploaded, summary.failed) == (500, 0)
        assert server.traffic.requests["GET", ResourceKind.AUTH] == 2


async def test_a_broken_executor_ends_the_run_with_3(tmp_path: Path) -> None:
    """ProcessPoolExecutor starts no other process in place of one that died."""

    async def kill(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/0042"):
            kill_peer(request)
            raise web.HTTPServiceUnavailable
        return await handler(request)

    async with faulty(kill) as server:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
            summary = await run(executor, server, files(tmp_path, 500))
    assert summary.exit_code == 3 and summary.stopping is not None
    assert summary.stopping.cause is StopCause.WORKERS


async def test_the_end_of_a_run_ends_its_part_in_threads(tmp_path: Path, devserver: DevServer) -> None:
    """No connection is left."""
    with ThreadPoolExecutor(2) as executor:
        await run(executor, devserver, files(tmp_path, 100))
    assert not worker._runs


async def test_a_process_whose_driver_is_gone_closes_its_part_of_the_run(
    tmp_path: Path, devserver: DevServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps no connection, and nothing of the driver's environment."""
    monkeypatch.setattr(worker, "_GONE_S", 0.3)

    async def nothing(_engine: OnExecutor, _run: str) -> None:
        pass

    monkeypatch.setattr(OnExecutor, "aclose", nothing)
    with ThreadPoolExecutor(2) as executor:
        await run(executor, devserver, files(tmp_path, 100))
    for thread in threading.enumerate():
        if thread.name == "bulkput-shard":
            await asyncio.to_thread(thread.join, 30)
    assert not worker._runs


async def test_a_source_that_a_process_does_not_see_is_a_mistake(tmp_path: Path, devserver: DevServer) -> None:
    """The source is in the directory of this process: /proc/self/cwd is another one there."""
    (tmp_path / "tree").mkdir()
    files(tmp_path / "tree", 3)
    here = Path.cwd()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        await asyncio.wrap_future(executor.submit(os.getpid))  # it has started, in the directory of the tests
        os.chdir(tmp_path)
        try:
            with pytest.raises(UsageError, match=r"a worker does not see /proc/self/cwd/tree: mount the sources there"):
                await run(executor, devserver, Path("/proc/self/cwd/tree"))
        finally:
            os.chdir(here)
    assert devserver.traffic.requests["PUT", ResourceKind.OBJECT] == 0


def test_lanes_are_one_at_least() -> None:
    """UsageError."""
    with ThreadPoolExecutor(1) as executor, pytest.raises(UsageError, match="one lane at least, and not 0"):
        OnExecutor(executor, lanes=0)
