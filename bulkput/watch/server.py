"""Serves the page, its stream of numbers, and the metrics, from a thread and an event loop of its own.

The run's event loop does none of this work, and the page answers even if that one hangs.

| path | answer |
|---|---|
| `/` and what it loads | the page |
| `/events` | the numbers, then again after each look, as server-sent events; ends with the run |
| `/numbers.json` | the numbers, once |
| `/metrics` | the numbers for Prometheus |

Only GET, only for a Host that names this machine (`address.py`), no cookie, no secret. A reader that does not read is
dropped.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import web

from bulkput.transport.listening import Address, listening
from bulkput.watch.address import is_ours
from bulkput.watch.metrics import CONTENT_TYPE, metrics
from bulkput.watch.numbers import Numbers
from bulkput.watch.page import POLICY, Asset, assets

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_READERS = 32
"""Streams of numbers at the same time. Each costs a connection, and a message a second."""
_UNREAD_S = 10.0
"""A reader that has taken nothing for this long is dropped."""
_BUFFER = 64 * 1024
"""Bytes that the system keeps for a reader: by default it takes megabytes, and hides for minutes that nobody reads."""
_LAST_S = 2.0
"""How long the end of a run waits for readers to take its last numbers."""
_RETRY_MS = 5_000
"""When a browser that has lost the connection comes again."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "bulkput",
}


class StatusServer:
    """Listens as soon as it is made, and answers within its `with` block."""

    def __init__(self, numbers: Numbers, address: Address) -> None:
        """Raises UsageError if it cannot listen there."""
        self._numbers = numbers
        self.address = address
        self._names = () if address.is_loopback else (address.host,)
        if address.is_everywhere:
            self._names = (socket.gethostname(),)
        self._assets = assets()
        self._socket = listening(address)
        self.url = address.url(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run, name="bulkput-status-page", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked: asyncio.Event
        self._closed: asyncio.Event
        self._readers: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> "StatusServer":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *error: object) -> None:
        """Readers get the last numbers: call `Numbers.end` before."""
        self._call(self._closed.set)
        self._thread.join()

    def close(self) -> None:
        """Stop listening, if the block was never entered."""
        self._socket.close()

    @property
    def readers(self) -> int:
        """Streams of numbers that are open."""
        return len(self._readers)

    def publish(self) -> None:
        """The numbers have changed; any thread may call it."""
        self._call(self._tell_readers)

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended by an error
                self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve())
        finally:
            self._ready.set()
            self._socket.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._looked, self._closed = asyncio.Event(), asyncio.Event()
        app = web.Application(middlewares=[self._guarded])
        app.on_response_prepare.append(_add_headers)
        for path, asset in self._assets.items():
            app.router.add_get(path, partial(_asset, asset), allow_head=False)
        app.router.add_get("/events", self._events, allow_head=False)
        app.router.add_get("/numbers.json", self._numbers_json, allow_head=False)
        app.router.add_get("/metrics", self._metrics, allow_head=False)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket).start()
            self._ready.set()
            await self._closed.wait()
            self._tell_readers()
            if self._readers:
                await asyncio.wait(self._readers, timeout=_LAST_S)
        finally:
            await runner.cleanup()

    def _tell_readers(self) -> None:
        self._looked.set()
        self._looked = asyncio.Event()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_ours(request.headers.get("Host"), self._names):
            raise web.HTTPForbidden(text="This page is served under the address that its run has printed, only.\n")
        return await handler(request)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is None or len(self._readers) >= MOST_READERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_READERS} readers are the most that this page has.\n")
        self._readers.add(task)
        try:
            return await self._stream(request)
        finally:
            self._readers.discard(task)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        seen: tuple[int, int] | None = None
        is_last = False
        while not is_last:
            looked, is_last = self._looked, self._numbers.ended is not None
            numbers = self._numbers.as_json(since=seen)
            seen = tuple(numbers["history"]["seen"])
            message = f"retry: {_RETRY_MS}\ndata: {json.dumps(numbers)}\n\n".encode()
            try:
                async with asyncio.timeout(_UNREAD_S):
                    await response.write(message)
            except (TimeoutError, ConnectionError):  # nobody reads, or the reader has gone
                if request.transport is not None:
                    request.transport.abort()
                return response
            if not is_last:
                await looked.wait()
        return response

    async def _numbers_json(self, _request: web.Request) -> web.Response:
        return web.json_response(self._numbers.as_json())

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=metrics(self._numbers), headers={"Content-Type": CONTENT_TYPE})


async def _asset(asset: Asset, _request: web.Request) -> web.Response:
    return web.Response(body=asset.content, content_type=asset.content_type, charset="utf-8")


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
