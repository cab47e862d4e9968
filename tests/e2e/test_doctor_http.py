"""`bulkput doctor http(s)://...`: certificates, proxies, and plain HTTP servers, healthy and broken."""

import asyncio
import re
import socket
import ssl
import threading
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from bulkput.doctor.finding import Finding, Findings
from bulkput.doctor.hosts import Hosts
from bulkput.doctor.network import way_to
from bulkput.doctor.probe import SIZE
from bulkput.options import WireOptions
from tests.e2e.cli import bulkput
from tests.e2e.doctor_lines import ON_THE_WAY, PROBE, bad, commands, steps, told
from tests.servers.certificates import Authority, Certificate, make_authority
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.threads import read_head, tcp_server
from tests.servers.wsgidav import WsgiDav

AT_PLAIN_HTTP = [
    *ON_THE_WAY, "container", "put", "get", "list", "copy", "large", "latency", "latency", "bulk-delete", "delete",
]  # fmt: skip


def asked(connection: socket.socket) -> str:
    """The method of one request, which is read with its body."""
    head = read_head(connection)
    length = re.search(rb"(?i)content-length: (\d+)", head)
    left = int(length[1]) if length is not None else 0
    while left and (piece := connection.recv(left)):
        left -= len(piece)
    return head.split()[0].decode()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


@pytest.mark.nginx
def test_plain_http_passes_the_steps_that_it_has(nginx: NginxDav) -> None:
    """bulkput doctor http://.../: no listing, no copy, no large objects"""
    (nginx.root / "doctor").mkdir()
    ran = bulkput("doctor", f"{nginx.url}/doctor/")
    assert ran.exit_code == 0, ran.out
    assert [step for _, step in steps(ran)] == AT_PLAIN_HTTP
    assert not list((nginx.root / "doctor").iterdir())


def test_webdav_passes_the_steps_that_it_has(webdav: WsgiDav) -> None:
    """bulkput doctor http://.../: WsgiDAV writes in place, so the probe is moved into its place"""
    (webdav.root / "doctor").mkdir()
    ran = bulkput("doctor", f"{webdav.url}/doctor/")
    assert ran.exit_code == 0, ran.out
    assert [step for _, step in steps(ran)] == AT_PLAIN_HTTP
    assert not list((webdav.root / "doctor").iterdir())


@pytest.mark.nginx
def test_a_directory_that_is_not_there_is_not_made(nginx: NginxDav) -> None:
    """bulkput doctor http://.../not-there/: exit 1, and no step writes"""
    ran = bulkput("doctor", f"{nginx.url}/not-there/")
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "container")]), ran.out
    assert "there is no such directory" in ran.out and "put" not in [step for _, step in steps(ran)]
    assert not (nginx.root / "not-there").exists()


@pytest.mark.nginx
def test_a_probe_that_cannot_be_removed_is_named() -> None:
    """bulkput doctor http://.../ where DELETE is refused: exit 1, the name, and the command that removes it"""
    with nginx_dav(methods="PUT") as server:
        ran = bulkput("doctor", f"{server.url}/")
        (left,) = server.root.iterdir()
    assert (ran.exit_code, bad(ran)) == (1, [("warn", "delete"), ("warn", "clean-up")]), ran.out
    assert PROBE.fullmatch(left.name) and f"could not be removed: {left.name}" in told(ran, "clean-up")
    assert f"bulkput rm {server.url}/{left.name}" in commands(ran)


@pytest.mark.parametrize(
    ("endless", "says"),
    [
        (b"1\r\nx\r\n", "get [^ ]+: only [0-9]+ bytes in 0.5 s"),
        (b"10000\r\n" + b"x" * 0x10000 + b"\r\n", "more than 4096 bytes came back"),
    ],
)
def test_a_body_without_an_end_is_given_up(endless: bytes, says: str) -> None:
    """bulkput doctor, while a GET is answered drop by drop, or with more than was sent: the next steps are made"""

    def serve(connection: socket.socket) -> None:
        with suppress(OSError):
            while method := asked(connection):
                if method != "GET":
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (SIZE * (method == "HEAD")))
                    continue
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while not may_end.wait(0.05 if len(endless) < SIZE else 0):
                    connection.sendall(endless)

    may_end = threading.Event()
    with tcp_server(serve) as server:
        ran = bulkput("doctor", "--timeout", "0.5", f"{server.url}/")
        may_end.set()
    assert re.search(says, told(ran, "get")), ran.out
    assert ("ok", "put") in steps(ran) and {"delete", "clean-up"} <= {step for _, step in steps(ran)}, ran.out


def test_a_login_page_is_told() -> None:
    """bulkput doctor of a server that answers 200 to everything: exit 3, and what to check"""

    def serve(connection: socket.socket) -> None:
        with suppress(OSError):
            while asked(connection):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with tcp_server(serve) as server:
        ran = bulkput("doctor", f"{server.url}/")
    assert (ran.exit_code, bad(ran)[0]) == (3, ("fail", "put")), ran.out
    assert "is this a login page or a proxy?" in told(ran, "put")
    assert "something else than a store answers there" in told(ran, "put")


def test_a_port_of_another_service_fails_at_the_clock() -> None:
    """bulkput doctor http://...:22/: the greeting of an SSH server is no HTTP"""

    def ssh(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        connection.recv(65_536)

    with tcp_server(ssh) as server:
        ran = bulkput("doctor", f"{server.url}/")
    assert (ran.exit_code, steps(ran)[-1]) == (3, ("fail", "clock")), ran.out
    assert "no HTTP answer" in told(ran, "clock")


@pytest.mark.nginx
@pytest.mark.parametrize(
    ("problem", "says", "advises"),
    [
        ("expired", r"the certificate expired on \d{4}-\d\d-\d\d, 24 h ago", "renew it"),
        ("expires soon", r"valid until \d{4}-\d\d-\d\d \(2 days\)", "renew it"),
        ("another name", "the certificate is for other.example, not for 127.0.0.1", "write one of these names"),
        ("self-signed", r"the certificate is self-signed \(to be thrown away\)", "set OS_CACERT"),
        ("no issuer", "sends only its own certificate, and its issuer .to be thrown away. is not trusted", "OS_CACERT"),
    ],
)
def test_each_problem_of_a_certificate_is_told_apart(
    authority: Authority, problem: str, says: str, advises: str
) -> None:
    """bulkput doctor https://.../: exit 3, or 1 if it only expires soon"""
    shown = authority.issue("127.0.0.1", days={"expired": -1, "expires soon": 3}.get(problem, 90))
    trusted = {"OS_CACERT": str(authority.file)}
    match problem:
        case "another name":
            shown = authority.issue("other.example", days=90)
        case "self-signed":
            shown, trusted = Certificate(authority.file, authority.directory / "authority.key", authority.file), {}
        case "no issuer":
            trusted = {}
    with nginx_dav(certificate=shown) as server:
        ran = bulkput("doctor", f"{server.url}/", environ=trusted)
    assert ran.exit_code == (1 if problem == "expires soon" else 3), ran.out
    assert re.search(says, told(ran, "tls")) and advises in told(ran, "tls"), ran.out
    assert any(command.startswith("openssl s_client -connect 127.0.0.1:") for command in commands(ran))


@pytest.fixture
def certificates(authority: Authority) -> tuple[Certificate, Certificate]:
    """One that is valid, and one that has expired."""
    return authority.issue("localhost", days=90), authority.issue("localhost", days=-1)


async def test_the_certificate_of_each_address_is_looked_at(certificates: tuple[Certificate, Certificate]) -> None:
    """A name that stands for two servers, of which one has missed its renewal"""
    port, found = 0, list[Finding]()
    async with AsyncExitStack() as servers:
        for address, certificate in zip(("127.0.0.1", "127.0.0.2"), certificates, strict=True):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.file, certificate.key)
            server = await asyncio.start_server(lambda _reader, writer: writer.close(), address, port, ssl=context)
            port = (await servers.enter_async_context(server)).sockets[0].getsockname()[1]
        url, wire = f"https://localhost:{port}/", WireOptions(ca_file=str(certificates[0].authority))
        await Hosts(wire, Findings(found.append), {})._shake_hands(way_to(url, {}), url, ["127.0.0.1", "127.0.0.2"])
    assert [(each.verdict, each.cause) for each in found] == [("fail", "expired")]
    assert found[0].text.startswith("localhost (127.0.0.2): the certificate expired on ")


@pytest.mark.nginx
def test_a_trusted_certificate_passes_and_an_unchecked_one_is_a_warning(authority: Authority) -> None:
    """bulkput doctor https://.../, with OS_CACERT: exit 0; with --insecure instead: exit 1"""
    with nginx_dav(certificate=authority.issue("127.0.0.1", days=90)) as server:
        ran = bulkput("doctor", f"{server.url}/", environ={"OS_CACERT": str(authority.file)})
        lax = bulkput("doctor", f"{server.url}/", "--insecure")
        plain = bulkput("doctor", f"{server.url}/".replace("https:", "http:"))
        assert not list(server.root.iterdir())
    assert ran.exit_code == 0 and "TLSv1.3, valid until" in told(ran, "tls"), ran.out
    assert (lax.exit_code, bad(lax)) == (1, [("warn", "tls")]), lax.out
    assert "without --insecure it is" in told(lax, "tls") and "--insecure" in commands(lax)[-1]
    assert (plain.exit_code, "this port speaks TLS" in told(plain, "clock")) == (3, True), plain.out


@pytest.mark.nginx
def test_https_to_a_port_without_tls_is_told(nginx: NginxDav) -> None:
    """bulkput doctor https://... of a plain HTTP server: exit 3"""
    ran = bulkput("doctor", f"{nginx.url}/".replace("http:", "https:"))
    assert (ran.exit_code, steps(ran)[-1]) == (3, ("fail", "tls")), ran.out
    assert "does not speak TLS" in told(ran, "tls") and "write http://" in told(ran, "tls")


@pytest.mark.nginx
def test_lines_have_no_colours_outside_of_a_terminal(nginx: NginxDav) -> None:
    """bulkput doctor | cat; FORCE_COLOR gives colours, and NO_COLOR takes them away again"""
    url = f"{nginx.url}/"
    assert "\x1b[" not in bulkput("doctor", "--read-only", url).out
    assert "\x1b[" in bulkput("doctor", "--read-only", url, environ={"FORCE_COLOR": "1"}).out
    assert "\x1b[" not in bulkput("doctor", "--read-only", url, environ={"FORCE_COLOR": "1", "NO_COLOR": "1"}).out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["swift://"], "names no container"),
        (["swift://c"], "no credentials for swift://"),
        (["gopher://c"], "no store for gopher:// is installed"),
        (["http://127.0.0.1:1/", "--timeout", "0"], "0.1<=x<=86400"),
        ([], "Missing argument 'URL'"),
    ],
)
def test_wrong_arguments_are_answered_with_one_sentence(arguments: list[str], sentence: str) -> None:
    """bulkput doctor with wrong arguments: exit code 2"""
    ran = bulkput("doctor", *arguments)
    assert (ran.exit_code, ran.out) == (2, "")
    assert sentence in ran.err and "Traceback" not in ran.err


def tunnel(client: socket.socket) -> None:
    """Behaves like a proxy that connects to any port of this machine."""
    place = read_head(client).split()[1].decode()
    with socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2]))) as server:
        client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        back = threading.Thread(target=pump, args=(server, client))
        back.start()
        pump(client, server)
        back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.nginx
def test_through_a_proxy_the_certificate_is_looked_at_all_the_same(authority: Authority) -> None:
    """HTTPS_PROXY: name and connection are the proxy's, TLS is the server's; the password of the proxy is not shown"""
    variables = {"OS_CACERT": str(authority.file)}
    with nginx_dav(certificate=authority.issue("127.0.0.1", days=90)) as server, tcp_server(tunnel) as proxy:
        variables["https_proxy"] = proxy.url.replace("http://", "http://me:not-shown@")
        ran = bulkput("doctor", f"{server.url}/", environ=variables)
        variables["NO_PROXY"] = "127.0.0.1"
        direct = bulkput("doctor", f"{server.url}/", environ=variables)
    assert ran.exit_code == 0, ran.out
    assert [step for _, step in steps(ran)] == ["descriptors", "proxy", *AT_PLAIN_HTTP[1:]]
    assert f"requests to 127.0.0.1 pass through {proxy.url} (https_proxy)" in told(ran, "proxy")
    assert "localhost" in told(ran, "connect") and "TLSv1.3, valid until" in told(ran, "tls")
    assert "not-shown" not in ran.out
    assert ("ok", "proxy") not in steps(direct) and direct.exit_code == 0


def test_a_proxy_that_refuses_is_told() -> None:
    """HTTPS_PROXY: its 407 at CONNECT, with the variable to mend"""

    def refuse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")

    with tcp_server(refuse) as proxy:
        ran = bulkput("doctor", "https://store.example/", environ={"https_proxy": proxy.url})
    assert (ran.exit_code, steps(ran)[-1]) == (3, ("fail", "tls")), ran.out
    assert "wants a user and a password (407): write https_proxy as" in told(ran, "tls")
