"""An HTTP relay in front of a real server, in the test's own event loop: it sees each request, and may answer itself.

    client ──> Relay: intercept(request, pass_on) ──> server

`faultproxy.py` breaks connections and bytes; this one knows requests, for faults that are answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from yarl import URL

from bulkput.devserver import Intercept

_OF_A_CONNECTION = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "expect"))


@dataclass(slots=True)
class Relay:
    """The address of the relay, and the requests that it received, as `METHOD PATH`."""

    url: str
    asked: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Is set when the block ends: a request that is to get no answer waits for it."""

    def count(self, start: str) -> int:
        """The number of requests that begin so."""
        return sum(each.startswith(start) for each in self.asked)


def _request(*parts: Any) -> web.BaseRequest:
    """A request that may have a long body: a part of a large object."""
    return web.BaseRequest(*parts, asyncio.get_running_loop(), client_max_size=1024**3)


@asynccontextmanager
async def relay(to: str, intercept: Intercept | None = None, *, rows: int | None = None) -> AsyncIterator[Relay]:
    """Runs a relay in front of the server at a URL, whose path does not count. With `rows`, pages of listings have so
    many."""
    parts = urlsplit(to)

    async def pass_on(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        fields = [(name, text) for name, text in request.headers.items() if name.lower() not in _OF_A_CONNECTION]
        more = f"&limit={rows}" if rows is not None and "format=json" in request.raw_path else ""
        url = URL(f"{parts.scheme}://{parts.netloc}{request.raw_path}{more}", encoded=True)
        async with client.request(
            request.method, url, headers=fields, data=BytesIO(body) if body else None, allow_redirects=False
        ) as answer:
            content = await answer.read()
            given = [(name, text) for name, text in answer.headers.items() if name.lower() not in _OF_A_CONNECTION]
            length = [("Content-Length", answer.headers["Content-Length"])] if request.method == "HEAD" else []
            return web.Response(status=answer.status, reason=answer.reason, headers=[*given, *length], body=content)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()  # also if nobody passes it on
        made.asked.append(f"{request.method} {request.raw_path}")
        return await (intercept(request, pass_on) if intercept is not None else pass_on(request))

    runner = web.ServerRunner(
        web.Server(handle, access_log=None, auto_decompress=False, handler_cancellation=True, request_factory=_request),
        shutdown_timeout=1,
    )
    await runner.setup()
    async with ClientSession(
        connector=TCPConnector(limit=0),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        timeout=ClientTimeout(total=30),
        skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
    ) as client:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        made = Relay(f"http://127.0.0.1:{runner.addresses[0][1]}")
        try:
            yield made
        finally:
            made.over.set()
            await runner.cleanup()
