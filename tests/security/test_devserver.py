"""The devserver listens on loopback only, and no request makes it read or write a file."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from bulkput.devserver import DevServer, DevServerOptions
from tests.e2e.cli import bulkput

PATHS = [
    "/v1/AUTH_test/c/../../../outside", "/v1/AUTH_test/../../outside", "/v1/AUTH_test/c/%2e%2e/%2e%2e/outside",
    "/v1/AUTH_test/c/..%2f..%2foutside", "/v1/AUTH_test/c/%252e%252e%252foutside", "/v1/AUTH_test/c//{outside}",
    "/v1/AUTH_test/c/{outside}", "/v1/AUTH_test/%2e%2e/outside", "/v1/AUTH_test/..%2f..%2f/outside", "{outside}",
    "/../outside", "/v1/AUTH_test/c/..\\..\\outside", "/v1/AUTH_test/c/a%00/../outside", "file://{outside}",
    "http://other/v1/AUTH_test/c/../../outside", "/v1/AUTH_test/c/%c0%ae%c0%ae/outside",
]  # fmt: skip


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost.example.org", "127.0.0.1.example.org", ""])
def test_a_bind_address_outside_loopback_is_refused(host: str) -> None:
    """bulkput serve --host HOST: exit 2, and nothing listens."""
    ran = bulkput("serve", "--host", host, "--port", "0") if host == "0.0.0.0" else None
    if ran is not None:
        assert ran.exit_code == 2 and "loopback" in ran.err and "--allow-remote" in ran.err and ran.out == ""
    with pytest.raises(ValueError, match="loopback"):
        DevServerOptions(host=host)


def ask(server: DevServer, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
    """Sends a request whose target is not normalized by any client; gives status and answer."""
    token = server.tokens.log_in("test:tester", "testing")
    assert token is not None
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {token.text}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(answer.split()[1]), answer


async def test_no_request_reads_or_writes_a_file(tmp_path: Path) -> None:
    """Dots, plain or encoded once or twice, absolute paths and absolute URLs are object names or are refused."""
    outside = tmp_path / "outside"
    outside.write_text("not for the store")
    async with DevServer() as server:
        await asyncio.to_thread(ask, server, "PUT", "/v1/AUTH_test/c")
        for path in PATHS:
            target = path.format(outside=outside)
            for method, body in (("GET", b""), ("PUT", b"overwritten"), ("GET", b""), ("DELETE", b"")):
                status, answer = await asyncio.to_thread(ask, server, method, target, body)
                assert b"not for the store" not in answer and status < 500, target
    assert outside.read_text() == "not for the store"
    assert os.listdir(tmp_path) == ["outside"]
