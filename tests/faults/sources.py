"""Uploading a tree that changes meanwhile, and looking at what became of it."""

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
    """A devserver that, whenever a PUT of `name` arrives, waits for `ready` and then has `act` called."""

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
    """The run's numbers, and what is said of each failure, by the last part of its path; `ready` is set at `when`."""
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
    """What the store holds, by name."""
    return {name: b"".join(stored.pieces) for name, stored in server.store.containers["c"].objects.items()}
