"""TLS, with both transports on both event loops, against nginx and against servers that misbehave."""

import asyncio
import hashlib
import os
import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bulkput.engine.open_store import connected
from bulkput.errors import Denied, Unavailable
from bulkput.options import RetryOptions, WireOptions
from bulkput.stores.base import Store
from bulkput.testing.given import HEADERS, ONCE, Pieces, whole
from bulkput.transport.base import WireCount
from bulkput.transport.wire import WireTransport
from tests.e2e.cli import bulkput
from tests.faults.raw import CREATED
from tests.servers.certificates import Authority, Certificate, make_authority
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.threads import Behave, read_head, read_request, store, tcp_server, tls_server, until_closed

Run = Callable[[Coroutine[Any, Any, None]], None]
StoreAt = Callable[..., AbstractAsyncContextManager[tuple[Store, WireCount]]]
MIB = 1024 * 1024
WIRE = WireOptions(transport="wire")
EAGER = RetryOptions(retries=3, base_s=0)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Both event loops: their TLS layers share no code."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture(params=["wire", "aiohttp"])
def options(request: pytest.FixtureRequest, certificate: Certificate) -> WireOptions:
    """Both transports; they trust the authority of the server's certificate."""
    return WireOptions(
        transport=request.param, ca_file=str(certificate.authority), expect_above=1024 * MIB, examines_http=False
    )


@pytest.fixture
def store_at(options: WireOptions) -> StoreAt:
    """The plain HTTP store below a URL."""

    def opened(
        url: str, *, retry: RetryOptions = ONCE, **wire: Any
    ) -> AbstractAsyncContextManager[tuple[Store, WireCount]]:
        return connected(f"{url}/", wire=replace(options, **wire), retry=retry, environ={})

    return opened


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    """A certificate that is valid for the test servers."""
    return authority.issue("localhost", "127.0.0.1")


@pytest.fixture(scope="session")
def tls_nginx(certificate: Certificate) -> Iterator[NginxDav]:
    with nginx_dav(certificate=certificate) as server:
        yield server


@pytest.mark.nginx
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_bodies_sent_over_tls_are_stored_unchanged(run: Run, store_at: StoreAt, tls_nginx: NginxDav, host: str) -> None:
    """Empty, small, streamed, of unknown size, and 20 MiB: the files on nginx's disk have the same bytes."""
    pieces = tuple(os.urandom(256 * 1024) for _ in range(80))
    bodies = {
        "empty": whole(b""),
        "small": whole(b"x" * 20_000),
        "in one piece": whole(b"".join(pieces[:4])),
        "of unknown size": Pieces(pieces[:5], knows_size=False),
        "large": Pieces(pieces),
    }

    async def main() -> None:
        async with store_at(tls_nginx.url.replace("127.0.0.1", host)) as (store, count):
            for name, body in bodies.items():
                await store.put(name, body, HEADERS)
            assert (count.connections, count.requests.total()) == (1, len(bodies))

    run(main())
    for name, body in bodies.items():
        stored = (tls_nginx.root / name).read_bytes()
        assert hashlib.md5(stored).digest() == hashlib.md5(b"".join(body.pieces)).digest(), name
        (tls_nginx.root / name).unlink()


@pytest.mark.parametrize(
    ("problem", "says"),
    [("unknown authority", "unable to get local issuer"), ("another host", "ostname mismatch"), ("old", "has expired")],
)
def test_an_untrusted_certificate_is_denied_without_a_retry(
    run: Run, store_at: StoreAt, authority: Authority, tmp_path: Path, problem: str, says: str
) -> None:
    """The error names the host after one connection although retries are left; `verify_tls=False` accepts it."""
    match problem:
        case "unknown authority":
            shown = make_authority(tmp_path).issue("localhost")
        case "another host":
            shown = authority.issue("other.example")
        case _:
            shown = authority.issue("localhost", days=-1)

    async def main() -> None:
        with tls_server(shown, store) as seen:
            async with store_at(seen.url, retry=EAGER) as (strict, _):
                with pytest.raises(Denied, match=f"TLS certificate of localhost not accepted.*{says}"):
                    await strict.put("x", whole(b"x"), HEADERS)
            assert seen.connections == 1
            async with store_at(seen.url, ca_file=None, verify_tls=False) as (lax, _):
                await lax.put("x", whole(b"x"), HEADERS)

    run(main())


def open_with_aiohttp(request: pytest.FixtureRequest, options: WireOptions, why: str, *, strict: bool = True) -> None:
    """Expects the test to fail with aiohttp only. With `strict`, a pass is an error, so that the mark gets removed."""
    if options.transport == "aiohttp":
        request.applymarker(pytest.mark.xfail(reason=why, strict=strict))


def test_a_plain_http_server_behind_an_https_url_gets_one_sentence(
    run: Run, store_at: StoreAt, options: WireOptions, request: pytest.FixtureRequest
) -> None:
    """The error contains neither OpenSSL's message nor a wrong errno."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        with tcp_server(behave) as seen:
            async with store_at(seen.url.replace("http://", "https://")) as (store, _):
                with pytest.raises(
                    Unavailable, match=r"cannot connect to localhost:\d+: the server does not speak TLS"
                ):
                    await store.put("x", whole(b"x"), HEADERS)

    run(main())


def test_a_server_that_closes_during_the_handshake_gets_one_sentence(
    run: Run, store_at: StoreAt, options: WireOptions, request: pytest.FixtureRequest
) -> None:
    """The error gives a reason, although the event loop names none."""

    def ends(connection: socket.socket) -> None:
        connection.recv(65_536)

    async def main() -> None:
        with tcp_server(ends) as seen:
            async with store_at(seen.url.replace("http://", "https://")) as (store, _):
                with pytest.raises(Unavailable, match=r"cannot connect to localhost:\d+: \w+"):
                    await store.put("x", whole(b"x"), HEADERS)

    run(main())


def test_a_handshake_that_hangs_ends_at_the_connect_timeout(run: Run, certificate: Certificate) -> None:
    """It does not take the timeout of a whole request."""
    wire = replace(WIRE, ca_file=str(certificate.authority), connect_timeout_s=0.3)

    async def main() -> None:
        with tcp_server(until_closed) as seen:
            url = seen.url.replace("http://localhost", "https://127.0.0.1")
            async with connected(f"{url}/", wire=wire, retry=ONCE, environ={}) as (store, _):
                with pytest.raises(Unavailable, match=r"cannot connect to 127.0.0.1:\d+: no answer in time"):
                    await store.put("x", whole(b"x"), HEADERS)

    run(main())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_later_connections_resume_the_tls_session_of_the_first(
    run: Run, certificate: Certificate, version: ssl.TLSVersion
) -> None:
    """The server observes it; without resumption each connection costs a full handshake with certificates."""

    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CREATED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async def main() -> None:
        wire = replace(WIRE, ca_file=str(certificate.authority), examines_http=False)
        with tls_server(certificate, once, version=version) as seen:
            async with connected(f"{seen.url}/", wire=wire, retry=ONCE, environ={}) as (store, _):
                for n in range(3):
                    await store.put(f"{n}", whole(b"x"), HEADERS)
        assert seen.resumed == [False, True, True]

    run(main())


@dataclass(slots=True)
class Counted:
    """A body that counts how many of its pieces were read."""

    pieces: tuple[bytes, ...]
    asked: int = 0
    data: bytes | None = None
    md5: str | None = None

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def length_hint(self) -> int:
        return self.size

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self.pieces:
            self.asked += 1
            yield piece


def test_a_slow_server_holds_the_reading_of_a_body_back(run: Run, store_at: StoreAt, certificate: Certificate) -> None:
    """At most 8 MiB are read ahead (the kernel buffers up to 4 MiB), and all bytes arrive."""
    body = Counted(tuple(os.urandom(256 * 1024) for _ in range(80)))
    may_read = threading.Event()
    arrived: list[bytes] = []

    def slow(connection: socket.socket) -> None:
        read_head(connection)
        may_read.wait(10)
        left = body.size
        while left and (piece := connection.recv(MIB)):
            arrived.append(piece)
            left -= len(piece)
        connection.sendall(CREATED)

    async def main() -> None:
        with tls_server(certificate, slow) as seen:
            async with store_at(seen.url) as (store, _):
                putting = asyncio.create_task(store.put("large", body, HEADERS))
                asked = -1
                while asked < body.asked or not asked:
                    asked = body.asked
                    await asyncio.sleep(0.1)
                may_read.set()
                await putting
        assert asked * len(body.pieces[0]) <= 8 * MIB

    run(main())
    assert hashlib.md5(b"".join(arrived)).digest() == hashlib.md5(b"".join(body.pieces)).digest()


IN_PIECES = Pieces(tuple(bytes([n]) * (256 * 1024) for n in range(64)))
AT_ONCE = whole(bytes(12 * MIB))


@pytest.mark.parametrize("body", [IN_PIECES, AT_ONCE], ids=["in pieces", "at once"])
@pytest.mark.parametrize("then", [until_closed, lambda _: None], ids=["and waits", "and closes"])
def test_a_201_before_the_end_of_a_body_over_tls_is_a_failure(
    run: Run,
    store_at: StoreAt,
    options: WireOptions,
    certificate: Certificate,
    body: Pieces,
    then: Behave,
    request: pytest.FixtureRequest,
) -> None:
    """Bytes that have left the TLS layer but not the process are unsent, and so are those lost with the connection."""
    if body is AT_ONCE:
        why = "its count of bytes written is the TLS layer's, which has passed them on to the socket's transport"
        open_with_aiohttp(request, options, why, strict=False)

    def behave(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(CREATED)
        then(connection)

    async def main() -> None:
        with tls_server(certificate, behave) as seen:
            async with store_at(seen.url) as (store, _):
                with pytest.raises(Unavailable):
                    await store.put("large", body, HEADERS)

    run(main())


def test_a_missing_close_notify_after_a_complete_answer_is_no_error(
    run: Run, store_at: StoreAt, certificate: Certificate
) -> None:
    """Many servers close in this way; Content-Length shows that the answer is complete."""

    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CREATED)

    async def main() -> None:
        with tls_server(certificate, once) as seen:
            async with store_at(seen.url) as (store, _):
                for n in range(3):
                    await store.put(f"{n}", whole(b"x"), HEADERS)
        assert seen.connections == 3

    run(main())


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_a_connection_that_ends_in_the_middle_of_an_answer_is_an_error(
    run: Run, store_at: StoreAt, certificate: Certificate, says_goodbye: bool
) -> None:
    """The server closes with close_notify or without."""

    def half(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nhalf")
        if says_goodbye and isinstance(connection, ssl.SSLSocket):
            connection.unwrap()

    async def main() -> None:
        with tls_server(certificate, half) as seen:
            async with store_at(seen.url) as (store, _):
                with pytest.raises(Unavailable):
                    await store.put("x", whole(b"x"), HEADERS)

    run(main())


@pytest.mark.nginx
def test_tls_errors_of_the_command_are_one_line(
    tls_nginx: NginxDav, nginx: NginxDav, certificate: Certificate, tmp_path: Path
) -> None:
    """bulkput upload: OS_CACERT is trusted; an unknown authority or a server without TLS is one sentence."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"content")
    trusting = {"OS_CACERT": str(certificate.authority)}
    put = ("upload", "-q", "--retries", "0", tmp_path / "tree")
    assert bulkput(*put, f"{tls_nginx.url}/command/", environ=trusting).exit_code == 0
    assert (tls_nginx.root / "command" / "file").read_bytes() == b"content"
    for url, environ, exit_code, says in (
        (tls_nginx.url, {}, 3, "TLS certificate of 127.0.0.1 not accepted"),
        (nginx.url.replace("http:", "https:"), trusting, 1, "does not speak TLS"),
    ):
        ran = bulkput(*put, f"{url}/command/", environ=environ)
        assert ran.exit_code == exit_code and says in ran.err and "Traceback" not in ran.err


def test_a_client_prefers_the_address_that_completes_the_tls_handshake(run: Run, certificate: Certificate) -> None:
    """The other address accepts connections but never answers: it is tried once, for its share of the time."""
    options = replace(WIRE, ca_file=str(certificate.authority), connect_timeout_s=2.0)
    served: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        served.append(read_request(connection))
        connection.sendall(CREATED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async def two_addresses(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def put(url: str) -> None:
        async with aclosing(WireTransport(options, user_agent="test", resolve=two_addresses)) as transport:
            for _ in range(4):
                answer = await transport.request("PUT", f"{url}/x", {}, whole(b"x"))
                assert answer.status == 201

    with tls_server(certificate, behave) as seen, socket.socket() as mute:
        mute.bind(("127.0.0.2", int(seen.url.rpartition(":")[2])))
        mute.listen(8)
        run(put(seen.url))
        mute.setblocking(False)
        mute.accept()[0].close()
        with pytest.raises(BlockingIOError):  # no second connection came
            mute.accept()
    assert served == [b"x"] * 4
