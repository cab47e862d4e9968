"""An interrupted run ends in time, whatever it waits for, and accounts for every entry that it has found."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.bench.sweep import Choices, bench
from bulkput.devserver import DevServer, Handler
from bulkput.engine.objects.copy import move
from bulkput.engine.objects.remove import remove
from bulkput.engine.stop import Stop
from bulkput.engine.verify.verify import verify
from bulkput.errors import SourceError
from bulkput.events import Change, Done
from bulkput.journal.status import status
from bulkput.model import Reason
from bulkput.options import SkipOptions, UploadOptions, WireOptions
from bulkput.verb_options import CopyOptions, RemoveOptions
from bulkput.verb_results import Changes
from tests.conftest import environ_of
from tests.faults.raw import raw_server, read_request
from tests.faults.test_run import files

WIRE = WireOptions(concurrency=4, timeout_s=0.25)  # so that an interrupted run has 0.2 s


class Silence:
    """A devserver that leaves requests unanswered if they have this method and `part` in their path."""

    def __init__(self, method: str, part: str, *, after: int = 0) -> None:
        """The first `after` requests of the kind are answered."""
        self._method, self._part, self._after = method, part, after
        self.met = asyncio.Event()
        self._over = asyncio.Event()

    @asynccontextmanager
    async def server(self) -> AsyncIterator[DevServer]:
        async with DevServer(intercept=self._answer) as server:
            try:
                yield server
            finally:
                self._over.set()

    async def _answer(self, request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method == self._method and self._part in request.raw_path:
            self._after -= 1
            if self._after < 0:
                self.met.set()
                await self._over.wait()
        return await handler(request)

    async def interrupted(self, run: Callable[[Stop], Coroutine[None, None, Changes]]) -> Changes:
        """Starts `run`, interrupts it once it waits for such an answer, and gives its result."""
        stop = Stop()
        running = asyncio.create_task(run(stop))
        await self.met.wait()
        stop.interrupt()
        async with asyncio.timeout(10):  # far below the 90 s that one request may take
            return await running


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
@pytest.mark.parametrize(
    ("method", "part"), [("GET", "/auth/"), ("PUT", "AUTH_test/c"), ("PUT", "/c/00"), ("GET", "format=json")]
)
async def test_an_interrupted_upload_to_a_silent_store_reports_each_entry_once(
    tmp_path: Path, method: str, part: str, transport: str
) -> None:
    """Login, container, object or listing is unanswered: the rest is skipped, the journal whole, the exit code 130."""
    silence, stop, seen = Silence(method, part, after=2 if part == "/c/00" else 0), Stop(), list[ev.Event]()
    (tmp_path / "tree").mkdir()
    files(tmp_path / "tree", 100)
    (tmp_path / "tree" / "large").write_bytes(bytes(3_000_000))
    options = UploadOptions(
        wire=WireOptions(concurrency=4, timeout_s=0.25, transport=transport),  # type: ignore[arg-type]
        skip=SkipOptions(mode="existing" if "json" in part else "none"),
        journal=str(tmp_path / "journal"),
        backlog=8,
    )
    async with silence.server() as server:
        running = asyncio.create_task(
            bulkput.upload(
                [tmp_path / "tree"],
                "swift://c",
                options=options,
                on_event=seen.append,
                stop=stop,
                environ=environ_of(server),
            )
        )
        await silence.met.wait()
        stop.interrupt()
        async with asyncio.timeout(10):
            summary = await running
    assert summary.exit_code == 130 and summary.adds_up and summary.failed == 0
    ends = Counter(path for event in seen if (path := _reported(event)) is not None)
    found = Counter(_path(event.found) for event in seen if isinstance(event, ev.Discovered))
    assert ends == found and set(found.values()) <= {1}
    skips = [event.skip.reason for event in seen if isinstance(event, ev.Skipped)]
    assert set(skips) <= {Reason.STOPPED} and summary.uploaded == (2 if part == "/c/00" else 0)
    last = (await asyncio.to_thread(status, os.fsencode(tmp_path / "journal"))).last
    assert last is None or last.ending == "interrupted"


def _reported(event: ev.Event) -> bytes | None:
    match event:
        case ev.Uploaded(upload=upload):
            return upload.source.path
        case ev.Skipped(skip=skip):
            return skip.path
        case ev.Failed(path=path):
            return path
    return None


def _path(found: object) -> bytes:
    assert not isinstance(found, SourceError)
    path = getattr(found, "path", None)
    assert isinstance(path, bytes)
    return path


async def test_an_interrupted_mv_on_a_silent_store_reports_its_copies(tmp_path: Path) -> None:
    """mv -r, then Ctrl-C, while no removal is answered: each copy is reported, and no source is called removed."""
    silence, told = Silence("DELETE", "/c/a/"), list[Change]()
    files(tmp_path, 10)
    async with silence.server() as server:
        environ = environ_of(server)
        await bulkput.upload([tmp_path], "swift://c/a", environ=environ)
        changes = await silence.interrupted(
            lambda stop: move(
                "swift://c/a/",
                "swift://c/b/",
                options=CopyOptions(is_recursive=True, wire=WIRE),
                on_event=lambda event: told.append(event) if isinstance(event, Change) else None,
                stop=stop,
                environ=environ,
            )
        )
    assert changes.exit_code == 130 and changes.failed == changes.done == 0
    assert 1 <= changes.uncertain <= changes.kept
    assert changes.kept == len(told) == len({change.name for change in told}) >= 1
    assert {change.done for change in told} == {Done.KEPT}


async def test_an_interrupted_rm_on_a_silent_store_ends(tmp_path: Path) -> None:
    """rm -r, then Ctrl-C, while the store does not answer: no object is called removed."""
    silence = Silence("DELETE", "/c/")
    files(tmp_path, 10)
    async with silence.server() as server:
        environ = environ_of(server)
        await bulkput.upload([tmp_path], "swift://c", environ=environ)
        changes = await silence.interrupted(
            lambda stop: remove(
                "swift://c", options=RemoveOptions(is_recursive=True, wire=WIRE), stop=stop, environ=environ
            )
        )
    assert changes.exit_code == 130 and changes.done == 0 and changes.uncertain == 4  # requests in flight


class SilentBulkDelete(Silence):
    """A devserver with a bulk-delete that removes the first object and never answers."""

    def __init__(self) -> None:
        super().__init__("POST", "bulk-delete")

    async def _answer(self, request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.raw_path == "/info":
            return web.json_response({"swift": {"version": "x"}, "bulk_delete": {"max_deletes_per_request": 1_000}})
        if request.method == self._method and self._part in request.raw_path:
            first, _, _ = (await request.read()).partition(b"\n")
            container, _, name = first.decode().partition("/")
            self._store.containers[container].delete(name)
        return await super()._answer(request, handler)

    @asynccontextmanager
    async def server(self) -> AsyncIterator[DevServer]:
        async with super().server() as server:
            self._store = server.store
            yield server


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("rm", "-r", "--yes", "swift://c/a"), "0 removed, up to 10 more may be removed (the store has not answered)"),
        (
            ("mv", "-r", "swift://c/a", "swift://c/b"),
            "0 moved, 10 copied and not removed, up to 10 of them may be removed (the store has not answered)",
        ),
    ],
)
async def test_an_interrupted_removal_says_how_many_objects_may_be_removed(
    tmp_path: Path, command: tuple[str, ...], says: str
) -> None:
    """bulkput rm -r and mv -r, then Ctrl-C, while a bulk-delete is unanswered that has removed an object."""
    silence = SilentBulkDelete()
    files(tmp_path, 10)
    async with silence.server() as server:
        environ = environ_of(server)
        await bulkput.upload([tmp_path], "swift://c/a", environ=environ)
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bulkput", *command, "--json", "--timeout", "1"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environ},
        )
        await silence.met.wait()
        run.send_signal(signal.SIGTERM)
        out, err = await run.communicate()
        left = [name for name in server.store.containers["c"].objects if name.startswith("a/")]
    assert run.returncode == 130 and len(left) == 9
    assert says in err.decode()
    numbers = json.loads(out.splitlines()[-1])
    assert (numbers["done"], numbers["uncertain"]) == (0, 10)


async def test_an_interrupted_mirror_says_how_many_extras_may_be_removed(tmp_path: Path) -> None:
    """upload --delete-extra, then Ctrl-C, while the bulk-delete of five extras is unanswered."""
    silence, stop, seen = SilentBulkDelete(), Stop(), list[ev.Event]()
    files(tmp_path, 10)
    options = UploadOptions(skip=SkipOptions(delete_extra=True), wire=WireOptions(concurrency=4, timeout_s=2.0))
    async with silence.server() as server:
        environ = environ_of(server)
        await bulkput.upload([tmp_path], "swift://c", environ=environ)
        for path in sorted(tmp_path.iterdir())[5:]:
            path.unlink()
        running = asyncio.create_task(
            bulkput.upload([tmp_path], "swift://c", options=options, on_event=seen.append, stop=stop, environ=environ)
        )
        await silence.met.wait()
        stop.interrupt()
        summary = await running
    assert (summary.exit_code, summary.removed, summary.kept) == (130, 0, 5)
    kept = [event for event in seen if isinstance(event, ev.Kept)]
    assert kept == [ev.Kept(5, "the run was stopped; up to 5 of them may be removed")]


async def test_an_interrupted_verify_on_a_silent_store_ends(tmp_path: Path) -> None:
    """verify, then Ctrl-C, while the listing is not answered."""
    silence, stop = Silence("GET", "format=json"), Stop()
    files(tmp_path, 10)
    async with silence.server() as server:
        running = asyncio.create_task(
            verify([tmp_path], "swift://c", options=UploadOptions(wire=WIRE), stop=stop, environ=environ_of(server))
        )
        await silence.met.wait()
        stop.interrupt()
        async with asyncio.timeout(10):
            comparison = await running
    assert comparison.exit_code == 130


async def test_an_interrupted_bench_deletes_objects_without_an_answer(tmp_path: Path) -> None:
    """bench over plain HTTP, then Ctrl-C, while the server stores objects but does not answer: none remains."""
    stop, met, stored = Stop(), asyncio.Event(), set[bytes]()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        while True:
            head, _ = await read_request(reader)
            method, path, _ = head.split(b" ", 2)
            if method == b"PUT":
                stored.add(path)
                met.set()
                await asyncio.Event().wait()
            stored.discard(path)  # a DELETE; before that comes a PROPFIND, which this server does not know
            status = b"204 No Content" if method == b"DELETE" else b"405 Method Not Allowed"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(behave) as url:
        options = UploadOptions(wire=WIRE)
        choices = Choices(url=f"{url}/", options=options, most=4, sizes=(4096,), seconds=3, environ={})
        running = asyncio.create_task(bench(choices, directory=str(tmp_path), tell=lambda *_: None, stop=stop))
        await met.wait()
        stop.interrupt()
        async with asyncio.timeout(30):
            report = await running
        assert report.is_interrupted and not report.remaining and not stored


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_an_upload_to_a_server_that_never_answers(tmp_path: Path, number: int) -> None:
    """bulkput upload --timeout 1 DIR http://SILENT/, then one signal: exit 130, with a summary that adds up."""
    files(tmp_path, 300)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        command = [sys.executable, "-m", "bulkput", "upload", "--timeout", "1", "--summary", "-", tmp_path, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)  # the first request is in flight
                run.send_signal(number)
                out, err = run.communicate(timeout=30)
    assert run.returncode == 130 and "Traceback" not in err
    summary = json.loads(out)
    assert summary["found"] == summary["skipped"] > 0 and summary["failed"] == 0
    assert summary["stopped"] == "interrupted"
