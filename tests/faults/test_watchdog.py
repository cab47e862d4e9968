"""A run in which nothing moves reports what it waits for: a request, a retry, a read, the scan or the event loop."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.activity import current
from bulkput.devserver import DevServer, Handler, ResourceKind, parse_target
from bulkput.engine.stop import Stop
from bulkput.engine.upload.watchdog import Watchdog
from bulkput.model import Found, SourceFile
from bulkput.options import BodyOptions, RetryOptions, SkipOptions, UploadOptions, WireOptions
from bulkput.recorder import Recorder
from bulkput.sources.scan import Scan
from tests.conftest import environ_of
from tests.faults.raw import CREATED, raw_server, read_request

STALL_S = 0.1
PATIENCE_S = 20.0


class Watch:
    """Records events. Lets the run go on when a `Stalled` event has a row whose text contains `tells`."""

    def __init__(self, tells: str, stop: Stop | None = None, *, of: str = "") -> None:
        """`of` is the beginning of the key of the row; empty matches any key."""
        self._tells = tells
        self._of = of
        self._stop = stop
        self.go_on = asyncio.Event()
        self.row: ev.InFlight | None = None
        self.seen: list[ev.Event] = []

    def __call__(self, event: ev.Event) -> None:
        self.seen.append(event)
        if isinstance(event, ev.Stalled) and self.row is None:
            told = (row for row in event.in_flight if self._tells in row.what and row.key.startswith(self._of))
            self.row = next(told, None)
            if self.row is not None:
                self.go_on.set()
                if self._stop is not None:
                    self._stop.interrupt()


def stalling(**options: object) -> UploadOptions:
    return UploadOptions(stall_s=STALL_S, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
async def test_a_server_that_never_answers_is_reported_with_the_file_and_its_connection(
    tmp_path: Path, transport: str
) -> None:
    """The report leaves out request headers, which may hold a password."""
    (tmp_path / "a.txt").write_bytes(b"abc")
    watch = Watch("waiting for the answer")

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        await read_request(reader)
        await watch.go_on.wait()
        writer.write(CREATED)
        await writer.drain()

    async with asyncio.timeout(PATIENCE_S), raw_server(never) as url:
        options = stalling(wire=WireOptions(transport=transport))  # type: ignore[arg-type]
        environ = {"BULKPUT_HTTP_TOKEN": "s3cret"}
        summary = await bulkput.upload([tmp_path], url, options=options, on_event=watch, environ=environ)
    assert summary.uploaded == 1 and watch.row is not None
    assert "s3cret" not in repr(watch.seen)
    row = watch.row
    assert (row.path, row.key, row.attempt) == (os.fsencode(tmp_path / "a.txt"), "a.txt", 1)
    assert row.age_s >= STALL_S
    if transport == "wire":
        assert row.connection is not None and row.connection.endswith(url.removeprefix("http://"))


async def test_a_server_that_reads_no_body_is_reported_as_stalled(tmp_path: Path) -> None:
    """The client is sending the file, and the server reads none of it."""
    (tmp_path / "large").write_bytes(bytes(8_000_000))
    watch = Watch("sending")

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        await watch.go_on.wait()
        await read_request(reader)
        writer.write(CREATED)
        await writer.drain()

    async with asyncio.timeout(PATIENCE_S), raw_server(deaf, receive_buffer=4096) as url:
        options = stalling(wire=WireOptions(examines_http=False))
        summary = await bulkput.upload([tmp_path], url, options=options, on_event=watch)
    assert summary.uploaded == 1 and watch.row is not None and watch.row.key == "large"


async def test_a_pause_before_a_retry_is_reported_with_the_attempt(tmp_path: Path) -> None:
    """The first attempt failed. The second is up to two hours away, so the test interrupts the run."""
    (tmp_path / "a").write_bytes(b"abc")
    stop = Stop()
    watch = Watch("before attempt 2", stop)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with asyncio.timeout(PATIENCE_S), raw_server(refuse) as url:
        options = stalling(retry=RetryOptions(base_s=7200, cap_s=7200))
        summary = await bulkput.upload([tmp_path], url, options=options, on_event=watch, stop=stop)
    assert summary.exit_code == 130 and watch.row is not None
    assert watch.row.what.startswith("pausing ") and watch.row.attempt == 1


async def test_a_stalled_second_attempt_is_reported_as_attempt_2(tmp_path: Path) -> None:
    """The server refuses the first attempt and does not answer the second."""
    (tmp_path / "a").write_bytes(b"abc")
    watch = Watch("waiting for the answer")

    async def refuse_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await read_request(reader)
        await watch.go_on.wait()
        writer.write(CREATED)
        await writer.drain()

    async with asyncio.timeout(PATIENCE_S), raw_server(refuse_once) as url:
        options = stalling(retry=RetryOptions(base_s=0.01), wire=WireOptions(examines_http=False))
        summary = await bulkput.upload([tmp_path], url, options=options, on_event=watch)
    assert summary.uploaded == 1 and watch.row is not None
    assert (watch.row.what, watch.row.attempt, watch.row.key) == ("waiting for the answer", 2, "a")


async def test_two_runs_in_one_process_each_report_only_their_own_files(tmp_path: Path) -> None:
    """Both runs share an event loop and a server."""
    watches = {name: Watch("waiting for the answer") for name in ("one", "two")}
    for name in watches:
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_bytes(b"abc")

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        await read_request(reader)
        for watch in watches.values():
            await watch.go_on.wait()
        writer.write(CREATED)
        await writer.drain()

    async with asyncio.timeout(PATIENCE_S), raw_server(slow) as url:
        options = stalling(wire=WireOptions(examines_http=False))
        async with asyncio.TaskGroup() as tasks:
            for name, watch in watches.items():
                tasks.create_task(bulkput.upload([tmp_path / name], url, options=options, on_event=watch))
    for name, watch in watches.items():
        stalls = [event for event in watch.seen if isinstance(event, ev.Stalled)]
        assert {row.key for stalled in stalls for row in stalled.in_flight} == {f"{name}.txt"}


async def test_a_file_that_waits_for_a_request_slot_is_reported(tmp_path: Path) -> None:
    """Four requests may be in flight; a fifth worker has already read its file."""
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"abc")
    watch = Watch("waiting for its turn")

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        while True:
            await read_request(reader)
            await watch.go_on.wait()
            writer.write(CREATED)
            await writer.drain()

    async with asyncio.timeout(PATIENCE_S), raw_server(slow) as url:
        options = stalling(wire=WireOptions(concurrency=4))
        summary = await bulkput.upload([tmp_path], url, options=options, on_event=watch)
    assert summary.uploaded == 5 and watch.row is not None and watch.row.connection is None
    (stalled,) = (event for event in watch.seen if isinstance(event, ev.Stalled) and watch.row in event.in_flight)
    assert len(stalled.in_flight) == 5
    ages = [row.age_s for row in stalled.in_flight]
    assert ages == sorted(ages, reverse=True)


@pytest.mark.parametrize(
    ("kind", "tells"), [(ResourceKind.AUTH, "logging in: "), (ResourceKind.CONTAINER, "preparing the store: ")]
)
async def test_a_hanging_login_or_container_request_is_reported(tmp_path: Path, kind: ResourceKind, tells: str) -> None:
    """The row has no path and no key, because neither request belongs to a file."""
    (tmp_path / "a").write_bytes(b"abc")
    watch = Watch(tells)

    async def hold(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if parse_target(request.raw_path).kind is kind:
            await watch.go_on.wait()
        return await handler(request)

    async with asyncio.timeout(PATIENCE_S), DevServer(intercept=hold) as server:
        summary = await bulkput.upload(
            [tmp_path], "swift://c", options=stalling(), on_event=watch, environ=environ_of(server)
        )
    assert summary.uploaded == 1 and watch.row is not None
    assert watch.row.what.endswith("waiting for the answer")
    assert (watch.row.path, watch.row.key) == (b"", "")


async def test_a_hanging_removal_is_reported(tmp_path: Path) -> None:
    """--delete-extra: the row has no path and no key, because a removal belongs to no file."""
    (tmp_path / "a").write_bytes(b"abc")
    watch = Watch("waiting for the answer")
    removals = 0

    async def hold(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        nonlocal removals
        if request.method == "DELETE":
            removals += 1
            await watch.go_on.wait()
        return await handler(request)

    async with asyncio.timeout(PATIENCE_S), DevServer(intercept=hold) as server:
        environ = environ_of(server)
        await bulkput.upload([tmp_path], "swift://c", environ=environ)
        (tmp_path / "a").rename(tmp_path / "b")
        options = stalling(skip=SkipOptions(delete_extra=True))
        summary = await bulkput.upload([tmp_path], "swift://c", options=options, on_event=watch, environ=environ)
    assert removals == 1 and summary.removed == 1
    assert watch.row is not None and (watch.row.path, watch.row.key) == (b"", "")


async def test_a_run_with_progress_is_not_reported_as_stalled(tmp_path: Path) -> None:
    """A run that sends its files emits neither `Stalled` nor `Moving`."""
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"abc")
    seen: list[ev.Event] = []
    async with DevServer() as server:
        await bulkput.upload([tmp_path], "swift://c", on_event=seen.append, environ=environ_of(server))
    assert not [event for event in seen if isinstance(event, ev.Stalled | ev.Moving)]


async def test_a_hanging_scan_is_reported_with_the_directory_that_it_reads() -> None:
    """A `Moving` event follows when the scan goes on."""
    told, moved, go_on = asyncio.Event(), asyncio.Event(), threading.Event()
    stalls: list[ev.Stalled] = []

    def read(path: bytes) -> Iterator[Found]:
        current().in_hand = path
        yield SourceFile(path, b"first", 0, 0)
        go_on.wait(PATIENCE_S)
        yield SourceFile(path, b"second", 0, 0)

    def emit(event: ev.Event) -> None:
        match event:
            case ev.Stalled():
                stalls.append(event)
                told.set()
            case ev.Moving():
                moved.set()

    recorder = Recorder()
    scan = Scan(read(b"/data/dead"))
    watchdog = Watchdog(recorder, emit, stall_s=STALL_S, scanned=scan.at, in_flight=set())
    async with asyncio.timeout(PATIENCE_S):
        with watchdog:
            async for found in scan:
                assert isinstance(found, SourceFile)
                recorder(ev.Discovered(found))
                if found.name == b"first":
                    released = asyncio.create_task(told.wait())
                    released.add_done_callback(lambda _: go_on.set())
            await moved.wait()
    assert stalls[0].scanning == b"/data/dead" and not stalls[0].in_flight


async def test_a_blocked_event_loop_is_reported_from_another_thread(tmp_path: Path) -> None:
    """The event names the line that blocks the loop; here it is in the caller's own `on_event`."""
    (tmp_path / "a").write_bytes(b"abc")
    loop_at: list[str] = []
    threads: set[int] = set()

    def stand_still(event: ev.Event) -> None:
        if isinstance(event, ev.Stalled) and event.loop_at:
            threads.add(threading.get_ident())
            loop_at.extend(event.loop_at)
        elif isinstance(event, ev.Discovered):
            while not loop_at:
                os.sched_yield()

    async with DevServer() as server:
        summary = await bulkput.upload(
            [tmp_path], "swift://c", options=stalling(), on_event=stand_still, environ=environ_of(server)
        )
    assert summary.uploaded == 1
    assert threads and threading.get_ident() not in threads
    assert loop_at[-1].startswith("test_watchdog.py:") and loop_at[-1].endswith(" stand_still")


async def test_a_blocked_event_loop_is_reported_with_the_requests_in_flight(tmp_path: Path) -> None:
    """Another thread reads the requests in flight while the loop is blocked."""
    (tmp_path / "a").write_bytes(b"abc")
    watch = Watch("waiting for the answer")
    thread = 0

    def on_event(event: ev.Event) -> None:
        nonlocal thread
        watch(event)
        if isinstance(event, ev.Stalled) and event.loop_at:
            thread = threading.get_ident()

    async def stand_still(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        await read_request(reader)
        while not thread:
            os.sched_yield()
        writer.write(CREATED)
        await writer.drain()

    async with asyncio.timeout(PATIENCE_S), raw_server(stand_still) as url:
        options = stalling(wire=WireOptions(examines_http=False))
        summary = await bulkput.upload([tmp_path], url, options=options, on_event=on_event)
    assert summary.uploaded == 1 and thread != threading.get_ident()
    assert watch.row is not None and (watch.row.key, watch.row.attempt) == ("a", 1)
    assert watch.row.connection is not None and watch.row.connection.endswith(url.removeprefix("http://"))


async def test_a_hanging_read_is_reported_and_fails_only_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of three files is on a dead server: it fails at its read timeout, and the other two are stored."""
    for name in ("a", "dead", "z"):
        (tmp_path / name).write_bytes(bytes(100_000))
    go_on = threading.Event()
    hang_at(b"dead", go_on, monkeypatch)
    watch = Watch("reading", of="dead")  # on a busy machine the other files may stall for a moment, too
    options = stalling(body=BodyOptions(read_timeout_s=1.0))
    async with asyncio.timeout(PATIENCE_S), DevServer() as server:
        summary = await bulkput.upload(
            [tmp_path], "swift://c", options=options, on_event=watch, environ=environ_of(server)
        )
    go_on.set()
    assert (summary.uploaded, summary.failed, summary.exit_code) == (2, 1, 1)
    assert "unreadable: the file system gave nothing for 1 s" in summary.failures[0].error
    assert watch.row is not None and watch.row.key == "dead"


async def test_a_hanging_read_of_a_streamed_file_fails_only_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client breaks the request off, so the store keeps no part of the object."""
    (tmp_path / "a").write_bytes(bytes(100))
    (tmp_path / "dead").write_bytes(bytes(100_000))
    go_on = threading.Event()
    hang_when_opened(b"dead", go_on, monkeypatch)
    watch = Watch("reading", of="dead")
    options = stalling(body=BodyOptions(read_timeout_s=1.0, buffer_size=1000, chunk_size=1000))
    async with asyncio.timeout(PATIENCE_S), DevServer() as server:
        summary = await bulkput.upload(
            [tmp_path], "swift://c", options=options, on_event=watch, environ=environ_of(server)
        )
    go_on.set()
    assert watch.row is not None and watch.row.what == "sending: reading" and watch.row.connection is not None
    assert (summary.uploaded, summary.failed, summary.exit_code) == (1, 1, 1)
    assert "unreadable: the file system gave nothing for 1 s" in summary.failures[0].error


async def test_a_file_system_that_hangs_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run stops with exit code 3 when `max_stuck` reads hang, and it accounts for every queued file."""
    for number in range(30):
        (tmp_path / f"dead{number}").write_bytes(bytes(100_000))
    go_on = threading.Event()
    hang_at(b"dead", go_on, monkeypatch)
    options = UploadOptions(body=BodyOptions(readers=2, max_stuck=4, read_timeout_s=0.2))
    async with asyncio.timeout(PATIENCE_S), DevServer() as server:
        summary = await bulkput.upload([tmp_path], "swift://c", options=options, environ=environ_of(server))
    go_on.set()
    assert summary.exit_code == 3 and summary.adds_up
    assert summary.stopping is not None and "to 4 reads at once: it hangs" in summary.stopping.why
    assert summary.failed >= 4 and summary.uploaded == 0


def hang_at(name: bytes, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `os.read` of files whose name contains `name` block until `go_on` is set."""
    read = os.read

    def hanging(fd: int, size: int) -> bytes:
        if name in os.path.basename(os.readlink(b"/proc/self/fd/%d" % fd)):
            go_on.wait(PATIENCE_S)
        return read(fd, size)

    monkeypatch.setattr(os, "read", hanging)


def hang_when_opened(name: bytes, go_on: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the second `os.open` of a path with `name`, which opens it to be streamed, block until `go_on` is set."""
    opened, opens = os.open, 0

    def hanging(path: bytes, flags: int, *arguments: int, **more: int) -> int:
        nonlocal opens
        if isinstance(path, bytes) and name in path:
            opens += 1
            if opens > 1:
                go_on.wait(PATIENCE_S)
        return opened(path, flags, *arguments, **more)

    monkeypatch.setattr(os, "open", hanging)
