"""Certificates of the client: servers that demand one get it, and a certificate that cannot be used is one sentence."""

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import Denied, StoreError, UsageError
from bulkput.options import WireOptions
from bulkput.testing.given import HEADERS, ONCE, whole
from tests.e2e.cli import bulkput
from tests.servers.certificates import Authority, Certificate, make_authority
from tests.servers.nginx import NginxDav, nginx_dav
from tests.servers.threads import store, tls_server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Certificate:
    """A certificate that the servers of these tests accept."""
    return authority.issue("client.example")


@pytest.fixture(scope="module")
def strict_nginx(certificate: Certificate) -> Iterator[NginxDav]:
    """nginx that demands a certificate."""
    with nginx_dav(certificate=certificate, demands_client=True) as server:
        yield server


@pytest.fixture(params=["wire", "aiohttp"])
def options(request: pytest.FixtureRequest, certificate: Certificate) -> WireOptions:
    """Both transports, without a certificate of their own."""
    return WireOptions(transport=request.param, ca_file=str(certificate.authority), examines_http=False)


def showing(options: WireOptions, client: Certificate) -> WireOptions:
    return replace(options, cert_file=str(client.file), key_file=str(client.key))


async def put(url: str, key: str, wire: WireOptions) -> None:
    async with connected(f"{url}/", wire=wire, retry=ONCE, environ={}) as (store, _):
        await store.put(key, whole(b"content"), HEADERS)


def curl(server: NginxDav, key: str, *arguments: str | Path) -> str:
    """The status that curl gets for a PUT."""
    command = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "-d", "content", *arguments)
    return subprocess.run([*command, f"{server.url}/{key}"], check=True, capture_output=True, text=True).stdout


@pytest.mark.nginx
async def test_a_server_that_demands_a_certificate_gets_it(
    options: WireOptions, strict_nginx: NginxDav, client: Certificate
) -> None:
    """Without one nginx answers 400 and stores nothing. curl gets the same two answers."""
    trusting = ("--cacert", client.authority)
    judged = f"{options.transport}-curl"
    assert curl(strict_nginx, judged, *trusting) == "400"
    assert curl(strict_nginx, judged, *trusting, "--cert", client.file, "--key", client.key) == "201"
    with pytest.raises(StoreError, match=r"400 .*[Nn]o required SSL certificate was sent"):
        await put(strict_nginx.url, options.transport, options)
    assert not (strict_nginx.root / options.transport).exists()
    await put(strict_nginx.url, options.transport, showing(options, client))
    assert (strict_nginx.root / options.transport).read_bytes() == b"content"


@pytest.mark.nginx
async def test_certificate_and_key_may_be_in_one_file(
    options: WireOptions, strict_nginx: NginxDav, client: Certificate, tmp_path: Path
) -> None:
    """Then only `cert_file` is set."""
    both = tmp_path / "both.pem"
    both.write_bytes(client.file.read_bytes() + client.key.read_bytes())
    await put(strict_nginx.url, f"{options.transport}-both", replace(options, cert_file=str(both)))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_refused_certificate_is_denied_without_a_retry(
    certificate: Certificate, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """The certificate is of an authority that the server does not know. In TLS 1.3 the alert comes instead of an
    answer."""
    stranger = make_authority(tmp_path).issue("client.example")
    wire = showing(WireOptions(ca_file=str(certificate.authority), examines_http=False), stranger)
    with tls_server(certificate, store, version=version, demands_client=True) as seen:
        with pytest.raises(Denied, match="does not accept the client certificate of OS_CERT: unknown ca"):
            await put(seen.url, "x", wire)
        assert seen.connections == 1


async def test_a_demanded_certificate_that_is_missing_is_named(certificate: Certificate) -> None:
    """A server that ends the connection by an alert of TLS 1.3."""
    wire = WireOptions(ca_file=str(certificate.authority), examines_http=False)
    with (
        tls_server(certificate, store, demands_client=True) as seen,
        pytest.raises(Denied, match="the server wants a client certificate: name one by OS_CERT"),
    ):
        await put(seen.url, "x", wire)


async def test_a_key_with_a_passphrase_is_refused(options: WireOptions, client: Certificate, tmp_path: Path) -> None:
    """Nothing asks for the passphrase on the terminal."""
    locked = tmp_path / "locked.pem"
    protect = ("openssl", "pkey", "-in", client.key, "-aes256", "-passout", "pass:open sesame", "-out", locked)
    subprocess.run(protect, check=True, capture_output=True)
    wire = replace(options, cert_file=str(client.file), key_file=str(locked))
    with pytest.raises(UsageError, match=f"^the key in {locked} has a passphrase"):
        await put("https://localhost:1", "x", wire)


async def test_a_certificate_that_cannot_be_used_is_one_sentence(
    options: WireOptions, client: Certificate, authority: Authority, tmp_path: Path
) -> None:
    """The key of another certificate; no PEM; no such file."""
    other = authority.issue("other.example")
    (tmp_path / "junk").write_text("junk")
    for cert, key, says in (
        (client.file, other.key, f"the key in {other.key} is not that of the client certificate in {client.file}"),
        (tmp_path / "junk", client.key, f"no client certificate and key .PEM. in {tmp_path / 'junk'} and {client.key}"),
        (client.file, None, f"no client certificate and key .PEM. in {client.file} and {client.file}"),
        (tmp_path / "none", client.key, f"cannot read the client certificate {tmp_path / 'none'} and key"),
    ):
        wire = replace(options, cert_file=str(cert), key_file=str(key) if key else None)
        with pytest.raises(UsageError, match=f"^{says}"):
            await put("https://localhost:1", "x", wire)


@pytest.mark.nginx
def test_the_command_takes_certificate_and_key_from_the_environment(
    strict_nginx: NginxDav, client: Certificate, tmp_path: Path
) -> None:
    """OS_CERT and OS_KEY, beside OS_CACERT. OS_KEY alone counts for nothing, as for `openstack`."""
    (tmp_path / "file").write_bytes(b"content")
    put = ("upload", "-q", "--retries", "0", tmp_path / "file", f"{strict_nginx.url}/command/")
    variables = {"OS_CACERT": str(client.authority), "OS_CERT": str(client.file), "OS_KEY": str(client.key)}
    ran = bulkput(*put, environ=variables)
    assert ran.exit_code == 0, ran.err
    assert (strict_nginx.root / "command" / "file").read_bytes() == b"content"
    ran = bulkput(*put, environ=variables | {"OS_CERT": ""})
    assert ran.exit_code == 1 and "400" in ran.err and "Traceback" not in ran.err
    ran = bulkput(*put, environ=variables | {"OS_KEY": str(tmp_path / "none")})
    assert ran.exit_code == 2 and ran.err.startswith("bulkput: cannot read the client certificate")


def test_both_event_loops_show_the_certificate(certificate: Certificate, client: Certificate) -> None:
    """asyncio's own loop has another TLS layer than uvloop, which tests run on by default or not."""
    wire = showing(WireOptions(ca_file=str(certificate.authority), examines_http=False), client)
    uvloop = pytest.importorskip("uvloop")
    for factory in (asyncio.new_event_loop, uvloop.new_event_loop):
        with tls_server(certificate, store, demands_client=True) as seen:
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(put(seen.url, "x", wire))
            assert seen.connections == 1
