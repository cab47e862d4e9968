"""Uploads in the caller's event loop: events as an iterator, cancellation, two at once; and `bulkput.sync`."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler
from tests.conftest import environ_of

PATIENCE_S = 20.0


def tree(directory: Path, count: int) -> Path:
    for number in range(count):
        (directory / f"{number:05}").write_text(str(number))
    return directory


async def test_the_iterator_gives_every_event_once_and_then_the_result(tmp_path: Path, devserver: DevServer) -> None:
    """A recorder that receives the iterated events ends with the same summary as the result."""
    recorder = bulkput.Recorder()
    arguments = (bulkput.upload, tree(tmp_path, 20), "swift://c")
    async with bulkput.stream(*arguments, environ=environ_of(devserver)) as run:
        async for event in run:
            recorder(event)
    assert recorder.summary() == run.result
    assert (run.result.uploaded, run.result.exit_code) == (20, 0)
    assert run.result.requests["PUT"] == 21


async def test_a_slow_consumer_holds_the_upload_back_and_loses_no_event(tmp_path: Path, devserver: DevServer) -> None:
    """3 000 files: the scan pauses while the test takes no events; in the end it gets an event for each file."""
    tree(tmp_path, 3_000)
    recorder = bulkput.Recorder()
    async with bulkput.stream(
        bulkput.upload, tmp_path, "swift://c", recorder=recorder, environ=environ_of(devserver)
    ) as run:
        before = -1
        while before != recorder.done or not recorder.done:  # until nothing moves
            before = recorder.done
            await asyncio.sleep(0.3)
        assert 0 < recorder.found < 3_000 and not recorder.is_scan_done
        kinds = [type(event) async for event in run]
    assert kinds.count(ev.Uploaded) == run.result.uploaded == 3_000


async def test_a_slow_consumer_holds_the_removals_of_a_mirror_back(tmp_path: Path, devserver: DevServer) -> None:
    """2 500 extra objects: most stay while the test takes no events; in the end all are removed."""
    environ = environ_of(devserver)
    for name in ("kept", "extra"):
        (tmp_path / name).mkdir()
    await bulkput.upload([tree(tmp_path / "extra", 2_500)], "swift://c", environ=environ)
    (tmp_path / "kept" / "x").write_text("x")
    recorder = bulkput.Recorder()
    options = bulkput.UploadOptions(skip=bulkput.SkipOptions(delete_extra=True, max_deleted=None))
    async with bulkput.stream(
        bulkput.upload, tmp_path / "kept", "swift://c", options=options, recorder=recorder, environ=environ
    ) as run:
        before = -1
        while before != recorder.removed or not recorder.removed:  # until nothing moves
            before = recorder.removed
            await asyncio.sleep(0.3)
        assert 0 < recorder.removed < 2_500
        kinds = [type(event) async for event in run]
    assert kinds.count(ev.Removed) == run.result.removed == 2_500


class Held:
    """A receiver that has room for one finding until `opened`."""

    def __init__(self) -> None:
        self.findings = 0
        self.is_awaited = asyncio.Event()
        self.opened = asyncio.Event()

    def __call__(self, event: ev.Event, /) -> None:
        self.findings += isinstance(event, bulkput.Finding)

    async def room(self) -> None:
        if self.findings:
            self.is_awaited.set()
            await self.opened.wait()


async def test_a_slow_consumer_holds_a_verification_back_after_its_scan_has_ended(
    tmp_path: Path, devserver: DevServer
) -> None:
    """One file and 1 500 objects without files: the listing pauses at the first of them until there is room again."""
    environ = environ_of(devserver)
    for name in ("all", "one"):
        (tmp_path / name).mkdir()
    await bulkput.upload(tree(tmp_path / "all", 1_500), "swift://c", environ=environ)
    held = Held()
    verifying = asyncio.create_task(
        bulkput.verify(tree(tmp_path / "one", 1), "swift://c", on_event=held, environ=environ)
    )
    waiting = asyncio.create_task(held.is_awaited.wait())
    await asyncio.wait((verifying, waiting), return_when=asyncio.FIRST_COMPLETED)
    assert (waiting.done(), held.findings) == (True, 1)
    held.opened.set()
    assert (await verifying).extra == held.findings == 1_499


async def test_leaving_the_block_early_cancels_the_upload(tmp_path: Path) -> None:
    """No task and no thread of the upload is left, although its request was not answered."""
    met = asyncio.Event()

    async def silent(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/00000"):
            met.set()
            await asyncio.sleep(PATIENCE_S)
        return await handler(request)

    before = {thread.ident for thread in threading.enumerate()}
    async with DevServer(intercept=silent) as server:
        tasks = asyncio.all_tasks()
        async with bulkput.stream(bulkput.upload, tree(tmp_path, 1), "swift://c", environ=environ_of(server)) as run:
            await asyncio.wait_for(met.wait(), PATIENCE_S)
        with pytest.raises(RuntimeError, match="block was left before its last event"):
            run.result  # noqa: B018
        with pytest.raises(RuntimeError, match="block was left before its last event"):
            [event async for event in run]
        assert {task.get_name() for task in asyncio.all_tasks() - tasks if "bulkput" in task.get_name()} == set()
    waiting = {"bulkput-scan", "bulkput-watchdog"}
    assert not [each for each in threading.enumerate() if each.ident not in before and each.name in waiting]


async def test_an_error_of_the_verb_is_raised_by_the_iteration(devserver: DevServer) -> None:
    """The iteration raises it after the last event; `result` raises it again."""
    async with bulkput.stream(bulkput.upload, "/not/there", "swift://c", environ=environ_of(devserver)) as run:
        with pytest.raises(bulkput.UsageError, match="No such file"):
            [event async for event in run]
    with pytest.raises(bulkput.UsageError):
        run.result  # noqa: B018


async def test_a_stream_refuses_an_on_event_and_gives_no_result_before_its_end() -> None:
    """The stream itself receives the events."""
    with pytest.raises(TypeError, match="on_event"):
        bulkput.stream(bulkput.remove, "swift://c/x", on_event=print)
    with pytest.raises(RuntimeError, match="no result"):
        bulkput.stream(bulkput.remove, "swift://c/x").result  # noqa: B018


async def test_verify_copy_and_remove_stream_their_findings_and_changes(tmp_path: Path, devserver: DevServer) -> None:
    """verify, copy and remove."""
    environ = environ_of(devserver)
    await bulkput.upload(tree(tmp_path, 3), "swift://c", environ=environ)
    (tmp_path / "00001").write_text("another")
    async with bulkput.stream(bulkput.verify, tmp_path, "swift://c", environ=environ) as verifying:
        findings = [event.name async for event in verifying if isinstance(event, bulkput.Finding)]
    assert (findings, verifying.result.different) == (["00001"], 1)
    options = bulkput.CopyOptions(is_recursive=True)
    async with bulkput.stream(bulkput.copy, "swift://c", "swift://d", options=options, environ=environ) as copying:
        copied = {event.name async for event in copying if isinstance(event, bulkput.Change)}
    assert copied == {"00000", "00001", "00002"} and copying.result.exit_code == 0
    removed = await bulkput.remove("swift://d", options=bulkput.RemoveOptions(is_recursive=True), environ=environ)
    assert removed.done == 3


async def test_two_uploads_in_one_event_loop_count_separately(tmp_path: Path, devserver: DevServer) -> None:
    """Each summary counts only its own files."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    environ = environ_of(devserver)
    one, other = await asyncio.gather(
        bulkput.upload(tree(tmp_path / "a", 30), "swift://c/a", environ=environ),
        bulkput.upload(tree(tmp_path / "b", 40), "swift://c/b", environ=environ),
    )
    assert (one.uploaded, other.uploaded) == (30, 40)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_upload_works_in_asyncio_and_uvloop_event_loops(
    tmp_path: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """One event loop is the standard library's, the other uvloop's."""

    async def main() -> bulkput.Summary:
        async with DevServer() as server:
            return await bulkput.upload(tree(tmp_path, 5), "swift://c", environ=environ_of(server))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(main()).uploaded == 5


async def test_bulkput_sync_runs_every_verb_without_an_event_loop(tmp_path: Path, devserver: DevServer) -> None:
    """It runs in a thread without a loop, and raises RuntimeError inside a running one."""
    environ = environ_of(devserver)
    tree(tmp_path, 3)

    def script() -> None:
        assert bulkput.sync.upload(tmp_path, "swift://c", environ=environ).uploaded == 3
        assert bulkput.sync.verify(tmp_path, "swift://c", environ=environ).is_identical
        assert bulkput.sync.copy("swift://c/00000", "swift://c/x", environ=environ).done == 1
        assert bulkput.sync.move("swift://c/x", "swift://c/y", environ=environ).done == 1
        listed = [item.name for item in bulkput.sync.list_objects("swift://c", environ=environ)]
        assert listed == ["00000", "00001", "00002", "y"]
        assert bulkput.sync.remove("swift://c/y", environ=environ).done == 1

    await asyncio.to_thread(script)
    with pytest.raises(RuntimeError, match="running event loop"):
        bulkput.sync.upload(tmp_path, "swift://c", environ=environ)
