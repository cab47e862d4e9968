"""Runs the server: in the event loop of a test, or as a process."""

import asyncio
import contextlib
import mimetypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from .app import App, Intercept
from .caps import Caps
from .options import DevServerOptions
from .store import ContainerStore
from .tokens import Tokens
from .traffic import Traffic

_GRACE = 5.0  # seconds for requests in flight when the server ends
_LINGER = 60.0  # seconds an unwanted body is read and dropped after an early answer: Swift's client_timeout


class DevServer:
    """`async with DevServer(options) as server:` listens until the block ends.

    `intercept` wraps the handler, see `app`. Entering raises OSError if the address is taken.
    """

    def __init__(self, options: DevServerOptions | None = None, *, intercept: Intercept | None = None) -> None:
        self.options = options or DevServerOptions()
        self.port = self.options.port
        self._intercept = intercept
        self._exits = contextlib.AsyncExitStack()
        self._app: App | None = None

    async def __aenter__(self) -> Self:
        options = self.options
        async with contextlib.AsyncExitStack() as exits:
            # The first guess of a type reads /etc/mime.types, which would block the loop in a request.
            await asyncio.to_thread(mimetypes.init)
            app = App(options, ContainerStore())
            runner = web.ServerRunner(_listener(app, self._intercept), shutdown_timeout=_GRACE)
            await runner.setup()
            exits.push_async_callback(runner.cleanup)
            # "localhost" may be two addresses, and port 0 would give each a port of its own.
            host = "127.0.0.1" if options.host == "localhost" else options.host
            await web.TCPSite(runner, host, options.port, backlog=1024).start()
            self.port = runner.addresses[0][1]
            app.local_host = self._authority
            self._app = app
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    def __repr__(self) -> str:
        return f"<DevServer {self.auth_url} user={self.options.user}>"

    @property
    def auth_url(self) -> str:
        """Where to log in: ST_AUTH."""
        return f"http://{self._authority}/auth/v1.0"

    @property
    def storage_url(self) -> str:
        """The account's URL, as in the answer to a login."""
        return f"http://{self._authority}/v1/{self.options.account}"

    @property
    def traffic(self) -> Traffic:
        """Counts of the requests so far."""
        return self._running.traffic

    @property
    def tokens(self) -> Tokens:
        """The token in force; `revoke()` it to see a client log in again."""
        return self._running.tokens

    @property
    def caps(self) -> Caps:
        """What each container was sent, if `container_rate` is set."""
        return self._running.caps

    @property
    def store(self) -> ContainerStore:
        """The stored containers and objects, for tests."""
        return self._running.store

    @property
    def _running(self) -> App:
        if self._app is None:
            raise RuntimeError("the server was not started: use `async with`")
        return self._app

    @property
    def _authority(self) -> str:
        host = "127.0.0.1" if self.options.host == "localhost" else self.options.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class _CountingServer(web.Server):
    """aiohttp's low-level server, counting the connections it accepts."""

    traffic: Traffic

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self.traffic.connections += 1
        super().connection_made(handler, transport)


def _listener(app: App, intercept: Intercept | None) -> _CountingServer:
    server = _CountingServer(
        app.handle if intercept is None else lambda request: intercept(request, app.handle),
        access_log=None,
        auto_decompress=False,  # Content-Encoding is the object's: store the bytes as sent
        lingering_time=_LINGER,
        keepalive_timeout=75.0,
        read_bufsize=1 << 18,
    )
    server.traffic = app.traffic
    return server


async def serve(
    options: DevServerOptions, *, ready: Callable[[DevServer], None], until_stdin_closes: bool = False
) -> None:
    """Run a server until SIGINT or SIGTERM, or `until_stdin_closes`; call `ready` once it listens.

    Returns normally after a signal; on Windows Ctrl-C raises KeyboardInterrupt instead. While it runs, it replaces the
    handlers of both signals.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    handled: list[signal.Signals] = []
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: see the docstring
                loop.add_signal_handler(number, stop.set)
                handled.append(number)
        async with DevServer(options) as server:
            if until_stdin_closes:
                _watch_stdin(loop, stop)
            ready(server)
            await stop.wait()
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` when stdin ends, because the parent that holds its other end has ended or was killed.

    A daemon thread reads it: that works for pipes, terminals and /dev/null alike, and does not delay the exit.
    """
    descriptor = sys.stdin.fileno()

    def watch() -> None:
        while os.read(descriptor, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="devserver-stdin", daemon=True).start()
