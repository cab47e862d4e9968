"""The library in the caller's event loop, and from a script."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

import bulkput
from bulkput.devserver import DevServer
from tests.conftest import environ_of


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_cancelled_upload_leaves_no_task_and_no_thread(
    tmp_path: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """bulkput.upload, cancelled while objects are in flight, raises CancelledError."""
    for number in range(300):
        (tmp_path / f"{number:03}").write_text(str(number))

    async def main() -> None:
        async with DevServer() as server:
            begun, tasks, threads = asyncio.Event(), asyncio.all_tasks(), set(threading.enumerate())

            def watch(event: bulkput.Event) -> None:
                if isinstance(event, bulkput.events.Uploaded):
                    begun.set()

            sending = bulkput.upload(tmp_path, "swift://c", on_event=watch, environ=environ_of(server))
            running = asyncio.create_task(sending)
            await begun.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert not [task for task in asyncio.all_tasks() - tasks if task.get_name().startswith("bulkput")]
            async with asyncio.timeout(10):
                while [each for each in set(threading.enumerate()) - threads if each.name.startswith("bulkput")]:
                    await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


async def test_sync_list_objects_gives_all_names_and_may_be_left_early(devserver: DevServer) -> None:
    """bulkput.sync.list_objects: 2 001 names in their order."""
    environ = environ_of(devserver)
    names = [f"{number:04}" for number in range(2_001)]
    async with bulkput.open_store("swift://c", environ=environ) as store:
        await store.prepare()
        for name in names:
            await store.put(name, bulkput.BytesBody.of(b""), bulkput.ObjectHeaders())

    def script() -> None:
        assert [row.name for row in bulkput.sync.list_objects("swift://c", environ=environ)] == names
        assert next(bulkput.sync.list_objects("swift://c", environ=environ)).name == "0000"

    await asyncio.to_thread(script)
