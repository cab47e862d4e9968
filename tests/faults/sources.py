"""Uploads of a tree that changes during the run, and what the store holds afterwards."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

import bulkput
from bulkput import events as ev
from bulkput.devserver import DevServer, Handler, ResourceKind, parse_target
from bulkput.errors import SourceError
from bulkput.options import UploadOptions, WireOptions
from tests.conftest import environ_of

ONE = WireOptions(concurrency=1)


@asynccontextmanager
async def calling_before(name: str, act: Callable[[], None], ready: asyncio.Event) -> AsyncIterator[DevServer]:
    """Runs a devserver that holds each PUT of `name` until `ready` is set, calls `act`, and then reads the body."""

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        target = parse_target(request.raw_path)
        if request.method == "PUT" and target.kind is ResourceKind.OBJECT and target.name == name:
            await ready.wait()
            await asyncio.to_thread(act)
        return await handler(request)

    async with DevServer(intercept=intercept) as server:
        yield server


async def upload(
    server: DevServer,
    tree: Path,
    options: UploadOptions,
    ready: asyncio.Event | None = None,
    when: type[ev.Event] = ev.ScanDone,
) -> tuple[bulkput.Summary, dict[str, str]]:
    """Uploads `tree`; gives the summary and each failure's problem by file name. A `when` event sets `ready`."""
    failed: dict[str, str] = {}

    def watch(event: ev.Event) -> None:
        if isinstance(event, when) and ready is not None:
            ready.set()
        if isinstance(event, ev.Failed):
            problem = f"{event.error.problem}: {event.error.detail}" if isinstance(event.error, SourceError) else ""
            failed[os.path.basename(os.fsdecode(event.path))] = problem or str(event.error)

    summary = await bulkput.upload([tree], "swift://c", options=options, on_event=watch, environ=environ_of(server))
    assert summary.adds_up and summary.failed == len(failed)
    assert summary.exit_code == (1 if failed else 0)
    return summary, failed


def stored(server: DevServer) -> dict[str, bytes]:
    """Gives the stored bytes, by object name."""
    return {name: b"".join(stored.pieces) for name, stored in server.store.containers["c"].objects.items()}
