"""How long a process keeps its part of a run, and that each call has an answer: `scale/worker.py`."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from aiohttp import web

from bulkput.devserver import DevServer, Handler, ResourceKind, parse_target
from bulkput.options import UploadOptions, WireOptions
from bulkput.scale import worker
from bulkput.scale.needs import Needs
from bulkput.scale.task import Call
from bulkput.scale.upload import upload_sharded
from tests.conftest import environ_of
from tests.faults.test_run import QUICK, files

A = TypeVar("A")
R = TypeVar("R")


class OneThread:
    """A thread of this process as a process of a run: its tests see what a worker does."""

    is_always_the_same = True

    def __init__(self, lane: int) -> None:
        self.name = f"thread {lane + 1}"
        self.executor = ThreadPoolExecutor(1)

    def submit(self, function: Callable[[A], R], argument: A) -> "Future[R]":
        return self.executor.submit(function, argument)

    def kill(self) -> None:
        """Threads end by themselves."""


class Threads:
    """An engine of such threads."""

    is_elsewhere = False
    packages = frozenset(("concurrent",))

    def __init__(self, lanes: int, *, ends: bool = True) -> None:
        self.lanes = lanes
        self._ends = ends
        self._threads: list[OneThread] = []

    def begin(self, destination: str) -> None:
        """There is nothing to start."""

    async def ready(self, needs: Needs, warn: Callable[[str], None]) -> None:
        """They have what this process has."""

    async def process(self, lane: int) -> OneThread:
        self._threads.append(OneThread(lane))
        return self._threads[-1]

    async def aclose(self, run: str) -> None:
        for each in self._threads if self._ends else ():
            await asyncio.wrap_future(each.submit(worker.end, run))
            each.executor.shutdown(wait=False)


async def test_a_login_that_takes_long_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver calls no process meanwhile, and is not gone: each keeps its files and its connections."""
    monkeypatch.setattr(worker, "_GONE_S", 1.0)
    workers: set[threading.Thread] = set()
    logins = puts = 0

    async def meet(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal logins, puts
        match request.method, parse_target(request.raw_path).kind:
            case "GET", ResourceKind.AUTH:
                logins += 1
                if logins == 2:
                    await asyncio.sleep(3.0)
            case "PUT", ResourceKind.OBJECT:
                puts += 1
                if puts == 20:
                    server.tokens.revoke()
                workers.update(each for each in threading.enumerate() if each.name == "bulkput-shard")
        return await handler(request)

    async with DevServer(intercept=meet) as server:
        summary = await upload_sharded(
            files(tmp_path, 100),
            "swift://c",
            engine=Threads(2),
            options=UploadOptions(retry=QUICK, wire=WireOptions(concurrency=4)),
            environ=environ_of(server),
        )
    assert (summary.uploaded, summary.failed, summary.workers_lost, logins) == (100, 0, 0, 2)
    assert len(workers) == 2


@pytest.fixture
async def left(tmp_path: Path, devserver: DevServer) -> AsyncIterator[tuple[str, worker.Worker]]:
    """The part of a run whose driver has not ended it, and its name."""
    await upload_sharded(files(tmp_path, 10), "swift://c", engine=Threads(1, ends=False), environ=environ_of(devserver))
    (name,) = worker._runs
    made = worker._runs[name]
    yield name, made
    worker.end(name.rpartition("-")[0])
    await asyncio.to_thread(made._thread.join, 30)


async def test_a_call_that_comes_when_all_has_ended_is_answered(left: tuple[str, worker.Worker]) -> None:
    """The driver sets the process up again."""
    name, made = left
    worker.end(name.rpartition("-")[0])
    await asyncio.to_thread(made._thread.join, 30)
    assert (await asyncio.to_thread(made.exchange, Call(run=name))).is_unknown
    assert worker.exchange(Call(run=name)).is_unknown


async def test_calls_while_all_ends_are_answered(left: tuple[str, worker.Worker]) -> None:
    """Whenever they come."""
    name, made = left
    calls = [asyncio.to_thread(made.exchange, Call(run=name)) for _ in range(8)]
    ending = asyncio.to_thread(worker.end, name.rpartition("-")[0])
    await asyncio.wait_for(asyncio.gather(*calls[:4], ending, *calls[4:]), 30)


async def test_a_call_that_cannot_be_understood_is_answered_with_the_bug(left: tuple[str, worker.Worker]) -> None:
    """The driver raises it; nobody waits for ever."""
    reply = await asyncio.to_thread(worker.exchange, Call(run=left[0], files=[(1, "two")]))
    assert reply.bug is not None and "ValueError" in reply.bug
