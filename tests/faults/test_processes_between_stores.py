"""Processes that copy from store to store share the login of the source, too."""

import asyncio
from pathlib import Path

import bulkput
from bulkput.devserver import DevServer, ResourceKind
from bulkput.options import UploadOptions
from bulkput.scale.processes import Processes
from bulkput.scale.upload import upload_sharded
from tests.conftest import environ_of
from tests.faults.target import expiring
from tests.faults.test_run import QUICK, files

OBJECTS = 200


async def copied(server: DevServer) -> bulkput.Summary:
    return await upload_sharded(
        "swift://from/",
        "swift://to/",
        engine=Processes(2),
        options=UploadOptions(retry=QUICK),
        environ=environ_of(server),
    )


async def filled(server: DevServer, tree: Path) -> None:
    """Puts the objects there, and forgets the logins of that."""
    summary = await bulkput.upload(tree, "swift://from/", environ=environ_of(server))
    assert summary.uploaded == OBJECTS
    server.traffic.requests.clear()


async def test_there_is_one_login_for_the_source_and_one_for_the_destination(
    tmp_path: Path, devserver: DevServer
) -> None:
    await filled(devserver, await asyncio.to_thread(files, tmp_path, OBJECTS))
    summary = await copied(devserver)
    assert (summary.uploaded, summary.failed) == (OBJECTS, 0)
    assert devserver.traffic.requests["GET", ResourceKind.AUTH] == 2


async def test_a_process_logs_in_itself_when_the_login_of_the_source_expires(tmp_path: Path) -> None:
    """All objects arrive. Each of the two processes logs in at the source, and the driver at the destination."""
    async with expiring(OBJECTS + OBJECTS // 2) as server:
        await filled(server, await asyncio.to_thread(files, tmp_path, OBJECTS))
        summary = await copied(server)
        assert (summary.uploaded, summary.failed) == (OBJECTS, 0)
        assert 3 <= server.traffic.requests["GET", ResourceKind.AUTH] <= 2 + 3
