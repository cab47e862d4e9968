"""Servers in threads on blocking sockets of the standard library, independent of any event loop."""

import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.faults.raw import CREATED
from tests.servers.certificates import Certificate

Behave = Callable[[socket.socket], None]


@dataclass(slots=True)
class Seen:
    """What a server has seen: `connections` were accepted; `resumed` has an entry for each completed handshake."""

    url: str
    connections: int = 0
    resumed: list[bool | None] = field(default_factory=list)


@contextmanager
def tls_server(
    certificate: Certificate,
    behave: Behave,
    *,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    demands_client: bool = False,
) -> Iterator[Seen]:
    """Runs a TLS server: `behave` serves each connection in its own thread; then it closes without close_notify.

    With `demands_client` it refuses clients without a certificate of the same authority, by an alert of TLS. The
    receive buffer is small, so unread bytes stay in the client.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    context.minimum_version = context.maximum_version = version
    if demands_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate.authority)

    def serve(accepted: socket.socket) -> None:
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as connection:
            try:
                connection.do_handshake()
            except ssl.SSLError:
                until_closed(connection)  # with a request unread, closing would take the alert back (by a RST)
                raise
            seen.resumed.append(connection.session_reused)
            behave(connection)

    with tcp_server(serve) as seen:
        seen.url = seen.url.replace("http://", "https://")
        yield seen


@contextmanager
def tcp_server(behave: Behave) -> Iterator[Seen]:
    """Runs the same server without TLS. The end of the block shuts down connections that are still served."""
    accepted: list[socket.socket] = []
    serving: list[threading.Thread] = []

    def serve(connection: socket.socket, kept: socket.socket) -> None:
        with kept, connection, suppress(OSError):
            behave(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                seen.connections += 1
                accepted.append(connection.dup())
                serving.append(threading.Thread(target=serve, args=(connection, accepted[-1])))
                serving[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        seen = Seen(f"http://localhost:{listener.getsockname()[1]}")
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield seen
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for connection in accepted:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in serving:
                thread.join()


def read_head(connection: socket.socket) -> bytes:
    """Reads the head of one request and no byte after it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := connection.recv(1)):
            raise ConnectionError
        head += byte
    return head


def read_request(connection: socket.socket) -> bytes:
    """Reads one request with Content-Length; gives its body."""
    length = re.search(rb"(?i)content-length: (\d+)", read_head(connection))
    body = b""
    while length is not None and len(body) < int(length[1]):
        if not (piece := connection.recv(65_536)):
            raise ConnectionError
        body += piece
    return body


def store(connection: socket.socket) -> None:
    """Behaves like a correct server."""
    while True:
        read_request(connection)
        connection.sendall(CREATED)


def until_closed(connection: socket.socket) -> None:
    """Waits for the end of the connection without reading."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    poll.poll()
