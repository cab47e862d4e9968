"""Faults during a run against a Swift store: the run recovers or stops, and its summary is true either way."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from aiohttp import ClientSession, web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, ResourceKind, parse_target
from bulkput.engine.open_store import connected
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.pipeline import Pipeline
from bulkput.engine.upload.put import Putter
from bulkput.engine.upload.sender import Sender
from bulkput.errors import Conflict, IntegrityError, SourceError
from bulkput.model import Found, SourceFile
from bulkput.options import MIB, NamingOptions, RetryOptions, StopRules, UploadOptions, WireOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.gzip_names import NOT_COMPRESSED
from bulkput.recorder import Recorder
from bulkput.sources.scan import Scan
from tests.conftest import environ_of
from tests.faults.target import expiring, faulty

QUICK = RetryOptions(retries=3, base_s=0.001)


def files(root: Path, count: int) -> Path:
    for n in range(count):
        (root / f"{n:04d}").write_text(f"content {n}")
    return root


async def run(server: DevServer, root: Path, **options: object) -> tuple[bulkput.Summary, list[ev.Event]]:
    seen: list[ev.Event] = []
    chosen = UploadOptions(**{"retry": QUICK, **options})  # type: ignore[arg-type]
    summary = await bulkput.upload(
        [root], "swift://c", options=chosen, on_event=seen.append, environ=environ_of(server)
    )
    assert summary.adds_up
    return summary, seen


def errors(seen: list[ev.Event]) -> list[BaseException]:
    return [event.error for event in seen if isinstance(event, ev.Failed)]


async def test_a_token_that_expires_under_64_workers_is_renewed_once(tmp_path: Path) -> None:
    """The 200th request revokes the token; the refused bodies are sent again with the new one."""
    async with expiring(200) as server:
        summary, _ = await run(server, files(tmp_path, 500))
        assert (summary.uploaded, summary.failed, summary.retries) == (500, 0, 0)
        assert server.traffic.requests["GET", ResourceKind.AUTH] == 2


async def test_a_403_causes_one_new_login_and_a_second_403_stops_the_run(tmp_path: Path) -> None:
    """radosgw answers 403 to an expired token, so one login is tried; a second 403 is final."""

    async def deny(_request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        return web.Response(status=403)

    async with faulty(deny) as server:
        summary, _ = await run(server, files(tmp_path, 200), wire=WireOptions(concurrency=1))
        assert summary.exit_code == 3 and summary.uploaded == 0
        assert summary.stopping is not None and "403" in summary.stopping.why
        assert server.traffic.requests["GET", ResourceKind.AUTH] == 2
        assert server.traffic.requests["PUT", ResourceKind.OBJECT] == 0, "denied before they reached the handler"
        stopped = summary.skipped_by_reason.get("run stopped before it was sent", 0)
        assert (stopped, summary.failed) == (summary.found - 1, 1)


@pytest.mark.parametrize("status", [408, 429, 498, 499, 500, 502, 503, 504, 507])
async def test_a_temporary_error_status_is_retried(tmp_path: Path, status: int) -> None:
    """The store refuses each object once, then accepts it."""
    refused: set[str] = set()

    async def once(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.raw_path in refused:
            return await handler(request)
        refused.add(request.raw_path)
        return web.Response(status=status)

    async with faulty(once) as server:
        summary, _ = await run(server, files(tmp_path, 20))
    assert (summary.uploaded, summary.failed, summary.retries, summary.exit_code) == (20, 0, 20, 0)
    assert summary.requests["PUT"] == 41


@pytest.mark.parametrize("status", [400, 405, 409, 411, 414])
async def test_a_permanent_error_status_fails_one_object_without_a_retry(tmp_path: Path, status: int) -> None:
    """Only that object fails, at its first attempt."""

    async def refuse(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        return web.Response(status=status) if request.raw_path.endswith("0007") else await handler(request)

    async with faulty(refuse) as server:
        summary, _ = await run(server, files(tmp_path, 20))
    assert (summary.uploaded, summary.failed, summary.retries, summary.exit_code) == (19, 1, 0, 1)
    assert summary.failures[0].key == "0007" and f": {status} " in summary.failures[0].error


async def test_a_container_that_vanishes_is_created_again_once(tmp_path: Path) -> None:
    """The container is deleted midway: one more container PUT, and every object is counted as uploaded."""
    puts = 0

    async def delete_midway(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal puts
        puts += 1
        if puts == 50:
            async with connected("swift://c", environ=environ_of(server)) as (store, _):
                await store.delete([item.name async for item in store.list("")])
            token = server.tokens.log_in(server.options.user, server.options.key)
            assert token is not None
            async with ClientSession() as client:
                answer = await client.delete(f"{server.storage_url}/c", headers={"X-Auth-Token": token.text})
                assert answer.status == 204
        return await handler(request)

    async with faulty(delete_midway) as server:
        summary, _ = await run(server, files(tmp_path, 200), wire=WireOptions(concurrency=1))
        assert (summary.uploaded, summary.failed, summary.retries) == (200, 0, 1)
        assert server.traffic.statuses["PUT", ResourceKind.CONTAINER, 201] == 2


@pytest.mark.parametrize(("status", "logins"), [(401, 1), (503, 4)])
async def test_a_failing_login_stops_the_run_and_is_not_repeated_by_every_worker(
    tmp_path: Path, status: int, logins: int
) -> None:
    """Many workers find the token revoked; one logs in (with retries if the error is temporary), then the run stops."""
    count = 0
    login_attempts = 0

    async def revoke(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal count, login_attempts
        kind = parse_target(request.raw_path).kind
        if kind is ResourceKind.AUTH and count:
            login_attempts += 1
            return web.Response(status=status)
        if kind is ResourceKind.OBJECT:
            count += 1
            if count == 100:
                server.tokens.revoke()
        return await handler(request)

    async with DevServer(intercept=revoke) as server:
        summary, _ = await run(server, files(tmp_path, 500))
    assert summary.exit_code == 3
    assert summary.stopping is not None and summary.stopping.why.startswith("login ")
    assert login_attempts == logins


async def test_a_stopped_run_starts_no_further_put(tmp_path: Path) -> None:
    """Workers that wait for a slot when the run is stopped do not send their file."""
    stop = Stop()
    arrived = 0
    go_on = asyncio.Event()

    async def hold(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        if arrived == 4:
            stop.interrupt()
            go_on.set()
        await go_on.wait()
        return await handler(request)

    async with faulty(hold) as server:
        options = UploadOptions(wire=WireOptions(concurrency=4))
        summary = await bulkput.upload(
            [files(tmp_path, 50)], "swift://c", options=options, stop=stop, environ=environ_of(server)
        )
    assert (summary.uploaded, arrived, summary.exit_code) == (4, 4, 130)
    assert summary.adds_up


async def test_a_full_quota_stops_the_run(tmp_path: Path) -> None:
    """Exit code 3, because every later PUT would fail as well."""

    async def full(_request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        return web.Response(status=413, text="Upload exceeds quota.")

    async with faulty(full) as server:
        summary, _ = await run(server, files(tmp_path, 200))
    assert summary.exit_code == 3 and summary.stopping is not None and "quota" in summary.stopping.why


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (201, {"ETag": "0" * 32}, IntegrityError),
        (201, {}, IntegrityError),
        (200, {}, IntegrityError),
        (204, {}, IntegrityError),
        (202, {}, Conflict),
    ],
)
async def test_an_answer_without_proof_is_a_failure(
    tmp_path: Path, status: int, headers: dict[str, str], kind: type[Exception]
) -> None:
    """A wrong ETag, no ETag, a 2xx other than 201, or 202 (the store has a newer version)."""

    async def lie(_request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        await _request.read()
        return web.Response(status=status, headers=headers)

    async with faulty(lie) as server:
        summary, seen = await run(server, files(tmp_path, 3))
    assert (summary.uploaded, summary.failed, summary.exit_code) == (0, 3, 1)
    assert {type(error) for error in errors(seen)} == {kind}


async def test_a_store_that_goes_away_stops_the_run(tmp_path: Path) -> None:
    """20 objects in a row fail after all retries: exit code 3, and every found file is accounted for."""

    async def hang_up(request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with faulty(hang_up) as server:
        retry = RetryOptions(retries=1, base_s=0.001)
        summary, _ = await run(server, files(tmp_path, 300), retry=retry, stop=StopRules(store_gone_after=20))
    assert summary.exit_code == 3 and summary.uploaded == 0
    assert summary.stopping is not None and summary.stopping.why.startswith("the store is gone: 20 objects in a row")


@pytest.mark.parametrize(("changes", "uploaded"), [(1, 1), (2, 0)])
async def test_a_file_that_changes_while_it_is_sent_is_sent_once_more(
    tmp_path: Path, changes: int, uploaded: int
) -> None:
    """Changed once: the new version is stored. Changed twice: the file fails, and no version of it is stored."""
    path = tmp_path / "growing"
    path.write_bytes(b"a" * 5_000_000)
    puts = 0

    async def append(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal puts
        puts += 1
        if puts <= changes:
            await asyncio.to_thread(path.write_bytes, b"b" * (5_000_000 + puts))
        return await handler(request)

    async with faulty(append) as server:
        summary, seen = await run(server, tmp_path)
        assert (summary.uploaded, summary.failed) == (uploaded, 1 - uploaded)
        assert summary.bytes_sent == 5_000_001 * uploaded
        if not uploaded:
            (error,) = errors(seen)
            assert isinstance(error, SourceError) and error.problem == "changed"
        listed = [item async for item in _listed(server)]
        assert listed == (["growing"] if uploaded else [])


async def _listed(server: DevServer) -> AsyncIterator[str]:
    async with connected("swift://c", environ=environ_of(server)) as (store, _):
        async for item in store.list(""):
            yield item.name


async def test_a_vanished_file_fails_alone(tmp_path: Path) -> None:
    """The file is deleted after the scan and before its turn."""
    files(tmp_path, 10)

    async def remove_last(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        (tmp_path / "0009").unlink(missing_ok=True)
        return await handler(request)

    async with faulty(remove_last) as server:
        options = {"wire": WireOptions(concurrency=1)}
        summary, seen = await run(server, tmp_path, **options)
    assert (summary.uploaded, summary.failed, summary.exit_code) == (9, 1, 1)
    (error,) = errors(seen)
    assert isinstance(error, SourceError) and error.problem == "vanished"


async def test_the_first_put_is_sent_before_the_scan_ends(tmp_path: Path) -> None:
    """The scan gives its second file only after the store has received a PUT."""
    path = os.fsencode(files(tmp_path, 1) / "0000")
    arrived = threading.Event()

    def source() -> Iterator[Found]:
        yield SourceFile(path, b"first", 9, 0)
        assert arrived.wait(20), "no PUT arrived before the end of the scan"
        yield SourceFile(path, b"second", 9, 0)

    async def note(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        arrived.set()
        return await handler(request)

    def never(*_arguments: object) -> NoReturn:
        raise AssertionError("neither large files nor pipes")

    recorder = Recorder()
    options = UploadOptions()
    async with faulty(note) as server, connected("swift://c", environ=environ_of(server)) as (store, _):
        await store.prepare()
        opener = BodyOpener(options.body, recorder)
        putter = Putter(store, opener, None, emit=recorder, large_above=MIB, open_large=never, open_pipe=never)
        stop = Stop()
        pipeline = Pipeline(
            store=store,
            sender=Sender(putter, stop),
            naming=NamingOptions(),
            gzip=NOT_COMPRESSED,
            options=options,
            tuner=Tuner(options.wire),
            emit=recorder,
            stop=stop,
        )
        await pipeline.run(Scan(source()))
        opener.close()
    assert recorder.uploaded == 2


async def test_a_run_sends_one_put_per_object_over_at_most_concurrency_connections(tmp_path: Path) -> None:
    """300 objects: 302 requests in all, over at most 16 connections and one more for login and container."""
    async with DevServer() as server:
        summary, _ = await run(server, files(tmp_path, 300), wire=WireOptions(concurrency=16))
        assert summary.requests == {"GET": 1, "PUT": 301}
        assert server.traffic.connections <= 16 + 1 and summary.connections == server.traffic.connections
        assert server.traffic.peak_in_flight <= 16


async def test_a_stopped_run_reports_each_entry_exactly_once(tmp_path: Path) -> None:
    """The run is stopped midway and reports each path once, as uploaded, skipped or failed."""
    stop = Stop()
    ends: Counter[bytes] = Counter()
    found: list[bytes] = []

    def watch(event: ev.Event) -> None:
        match event:
            case ev.Discovered(found=SourceFile() as file):
                found.append(file.path)
            case ev.Uploaded():
                ends[event.upload.source.path] += 1
                if ends.total() == 50:
                    stop.interrupt()
            case ev.Skipped():
                ends[event.skip.path] += 1
            case ev.Failed():
                ends[event.path] += 1

    async with DevServer() as server:
        summary = await bulkput.upload(
            [files(tmp_path, 1000)], "swift://c", on_event=watch, stop=stop, environ=environ_of(server)
        )
    assert summary.exit_code == 130 and summary.adds_up and 50 <= summary.uploaded < 1000
    assert ends == Counter(found)


async def test_a_stopped_run_does_not_wait_for_its_retries(tmp_path: Path) -> None:
    """An interrupt ends a pause of up to two hours before the next attempt."""
    stop = Stop()

    async def busy(_request: web.BaseRequest, _handler: Handler) -> web.StreamResponse:
        return web.Response(status=503)

    def interrupt(event: ev.Event) -> None:
        if isinstance(event, ev.Retrying):
            stop.interrupt()

    async with faulty(busy) as server:
        options = UploadOptions(retry=RetryOptions(base_s=7200, cap_s=7200))
        summary = await bulkput.upload(
            [files(tmp_path, 3)],
            "swift://c",
            options=options,
            on_event=interrupt,
            stop=stop,
            environ=environ_of(server),
        )
    assert summary.exit_code == 130 and summary.adds_up
