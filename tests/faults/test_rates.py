"""Whole runs with a rate: retries pay, waits are no stall, a stop ends them, and the rate is not the store's limit."""

import asyncio
import os
from pathlib import Path

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, ResourceKind, parse_target
from bulkput.engine.stop import Stop
from bulkput.engine.upload.watchdog import Watchdog
from bulkput.options import SkipOptions, UploadOptions, WireOptions
from bulkput.recorder import Recorder
from tests.conftest import environ_of
from tests.faults.target import faulty
from tests.faults.test_run import QUICK, files, run

HIGH = 1e9
"""A rate that delays nothing: it only counts."""


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
async def test_retries_pay_for_their_requests_and_their_bytes(tmp_path: Path, transport: str) -> None:
    """The first PUT of each object is refused: of twenty small files and a streamed one."""
    puts: list[str] = []

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "PUT" and parse_target(request.raw_path).kind is ResourceKind.OBJECT:
            puts.append(request.raw_path)
            if puts.count(request.raw_path) == 1:
                async for _ in request.content.iter_any():
                    pass
                return web.Response(status=503)
        return await handler(request)

    content = os.urandom(3_000_000)
    (tmp_path / "large").write_bytes(content)
    wire = WireOptions(objects_per_s=HIGH, bytes_per_s=HIGH, transport=transport)  # type: ignore[arg-type]
    async with faulty(refuse) as server:
        summary, _ = await run(server, files(tmp_path, 20), wire=wire)
        assert (summary.uploaded, summary.failed, summary.retries) == (21, 0, 21)
        async with bulkput.open_store("swift://c", environ=environ_of(server)) as store:
            assert store.powers.get is not None
            assert b"".join([piece async for piece in store.powers.get("large")]) == content
    assert summary.pacing is not None
    assert summary.pacing.requests == summary.requests["PUT"] - 1 == 42, "the container's PUT does not count"
    assert summary.pacing.sent == 2 * summary.bytes_sent


async def test_a_put_that_is_sent_again_with_a_new_token_pays_again(tmp_path: Path) -> None:
    """One worker; the first PUT of the third object is refused by 401."""
    puts: list[str] = []

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == "PUT" and parse_target(request.raw_path).kind is ResourceKind.OBJECT:
            puts.append(request.raw_path)
            if len(puts) == 3:
                return web.Response(status=401)
        return await handler(request)

    async with faulty(refuse) as server:
        summary, _ = await run(server, files(tmp_path, 5), wire=WireOptions(concurrency=1, objects_per_s=HIGH))
    assert (summary.uploaded, summary.retries, len(puts)) == (5, 0, 6)
    assert summary.pacing is not None and summary.pacing.requests == 6


async def test_heads_and_removals_of_a_mirror_pay_too(tmp_path: Path, devserver: DevServer) -> None:
    """Listings, logins and the container do not."""
    await run(devserver, files(tmp_path, 6))
    for n in range(3):
        (tmp_path / f"{n:04d}").unlink()
    skip = SkipOptions(mode="identical", delete_extra=True)
    summary, seen = await run(devserver, tmp_path, skip=skip, wire=WireOptions(objects_per_s=HIGH))
    assert (summary.removed, summary.uploaded) == (3, 0) and summary.pacing is not None
    requested = [event.operation for event in seen if isinstance(event, ev.Requested)]
    assert summary.pacing.requests == requested.count("stat") + 3
    assert summary.as_json()["rates"]["objects_per_s"]["asked"] == HIGH


async def test_a_run_that_waits_for_its_rate_is_not_reported_as_stalled() -> None:
    """The watchdog looks twenty times, each time later than a stall."""
    seen: list[ev.Event] = []
    enough, loop, looks = asyncio.Event(), asyncio.get_running_loop(), 0

    def is_paced() -> bool:
        nonlocal looks
        looks += 1
        if looks == 20:
            loop.call_soon_threadsafe(enough.set)
        return True

    watchdog = Watchdog(
        Recorder(), seen.append, stall_s=0.001, scanned=lambda: None, in_flight=set(), is_paced=is_paced
    )
    async with asyncio.timeout(20):
        with watchdog:
            await enough.wait()
    assert seen == []


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
@pytest.mark.parametrize("size", [1, 3_000_000], ids=["waiting for its request", "waiting for its pieces"])
async def test_an_interrupted_run_does_not_wait_for_its_rate(
    tmp_path: Path, devserver: DevServer, transport: str, size: int
) -> None:
    """An hour for each object or each piece; each file is reported as skipped."""
    for n in range(5):
        (tmp_path / f"{n}").write_bytes(bytes(size))
    stop = Stop()

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.ScanDone):
            asyncio.get_running_loop().call_soon(stop.interrupt)

    rate = {"objects_per_s": 1e-4} if size == 1 else {"bytes_per_s": 0.3}
    options = UploadOptions(retry=QUICK, wire=WireOptions(transport=transport, **rate))  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        summary = await bulkput.upload(
            tmp_path, "swift://c", options=options, on_event=watch, stop=stop, environ=environ_of(devserver)
        )
    assert summary.adds_up and summary.exit_code == 130 and summary.failed == 0
    assert summary.skipped_by_reason == {"run stopped before it was sent": 5 - summary.uploaded}
