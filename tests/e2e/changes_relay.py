"""An HTTP relay in front of a real Swift: a test sees each request and can change or answer it.

bulkput ──> Relay: meddle(asked, pass_on) ──> Swift
"""

from __future__ import annotations

import http.client
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

_OF_A_CONNECTION = ("transfer-encoding", "connection", "keep-alive", "content-length")


@dataclass(slots=True)
class Asked:
    """A request; its header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Said:
    """An answer; status 0 closes the connection without an answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


PassOn = Callable[[Asked], Said]
Meddle = Callable[[Asked, PassOn], Said]


@dataclass(slots=True)
class Relay:
    """The login URL of the relay, and the requests that it received."""

    auth_url: str
    asked: list[Asked] = field(default_factory=list)

    def count(self, method: str) -> int:
        return sum(asked.method == method for asked in self.asked)


@contextmanager
def relay(auth_url: str, meddle: Meddle) -> Iterator[Relay]:
    """Runs a relay in front of the Swift at `auth_url`. Logins return the account's URL with the requested host."""
    parts = urlsplit(auth_url)

    class Handler(_Handler):
        server_address = (parts.hostname or "", parts.port or 80)

    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Relay(parts._replace(netloc=f"127.0.0.1:{server.server_address[1]}").geturl())
    Handler.meddle = staticmethod(meddle)
    Handler.seen = made.asked
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that close their connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server_address: ClassVar[tuple[str, int]]
    meddle: ClassVar[Meddle]
    seen: ClassVar[list[Asked]]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fields = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, fields, body)
        self.seen.append(asked)
        said = type(self).meddle(asked, self._pass_on)
        if not said.status:
            self.close_connection = True
            return
        self.send_response_only(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_COPY = answer  # noqa: N815 - as the library has it

    def _pass_on(self, asked: Asked) -> Said:
        connection = http.client.HTTPConnection(*self.server_address, timeout=30)
        try:
            connection.request(asked.method, asked.path, asked.body or None, asked.headers)
            answer = connection.getresponse()
            is_head = asked.method == "HEAD"
            kept = {n: v for n, v in answer.getheaders() if is_head or n.lower() not in _OF_A_CONNECTION}
            return Said(answer.status, answer.read(), kept)
        finally:
            connection.close()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""
