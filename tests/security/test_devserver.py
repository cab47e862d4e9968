"""The local store: for this machine only, and nothing outside its directory, whatever it is asked or finds there."""

import asyncio
import json
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
def test_a_bind_that_others_could_reach_takes_a_flag(host: str) -> None:
    """bulkput serve --host HOST: exit 2, nothing listens."""
    ran = bulkput("serve", "--host", host, "--port", "0") if host == "0.0.0.0" else None
    if ran is not None:
        assert ran.exit_code == 2 and "loopback" in ran.err and ran.out == ""
    with pytest.raises(ValueError, match="loopback"):
        DevServerOptions(host=host)


def ask(server: DevServer, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
    """A request with its target as it is: no client's idea of a path in between."""
    token = server.tokens.log_in("test:tester", "testing")
    assert token is not None
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {token.text}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(answer.split()[1]), answer


async def test_no_request_reads_or_writes_outside_the_directory(tmp_path: Path) -> None:
    """Dots, encoded or not, once or twice, absolute paths, other forms of a target."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.write_text("not for the store")
    async with DevServer(DevServerOptions(directory=str(root))) as server:
        await asyncio.to_thread(ask, server, "PUT", "/v1/AUTH_test/c")
        for path in PATHS:
            target = path.format(outside=outside)
            for method, body in (("GET", b""), ("PUT", b"overwritten"), ("GET", b""), ("DELETE", b"")):
                status, answer = await asyncio.to_thread(ask, server, method, target, body)
                assert b"not for the store" not in answer and status < 500, target
    assert outside.read_text() == "not for the store"
    assert sorted(os.listdir(tmp_path)) == ["outside", "root"]


async def stocked(root: Path) -> Path:
    """A directory with one object; the path of its record."""
    async with DevServer(DevServerOptions(directory=str(root))) as server:
        await asyncio.to_thread(ask, server, "PUT", "/v1/AUTH_test/c")
        assert (await asyncio.to_thread(ask, server, "PUT", "/v1/AUTH_test/c/o", b"stored"))[0] == 201
    (record,) = (path for path in root.rglob("*.json") if len(path.name) > 60)
    return record


@pytest.mark.parametrize("how", ["record", "data", "folder", "container"])
async def test_a_link_in_the_directory_is_not_served(tmp_path: Path, how: str) -> None:
    """A data file, its folder or its container that leads elsewhere; a record that names a file elsewhere."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    record = await stocked(root)
    row = json.loads(record.read_text())
    data = record.with_name(row["data"])
    moved = {"data": data, "folder": record.parent, "container": record.parent.parent, "record": data}[how]
    moved.rename(outside)
    if how == "record":
        record.write_text(json.dumps({**row, "data": os.path.relpath(outside, record.parent)}))
    else:
        moved.symlink_to(outside)
    async with DevServer(DevServerOptions(directory=str(root))) as server:
        status, answer = await asyncio.to_thread(ask, server, "GET", "/v1/AUTH_test/c/o")
    assert status == 404 and b"stored" not in answer
    assert outside.exists()


async def test_a_data_file_that_becomes_a_link_is_not_served(tmp_path: Path) -> None:
    """While the server runs: an error, not the other file's bytes."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.write_text("secret")
    record = await stocked(root)
    async with DevServer(DevServerOptions(directory=str(root))) as server:
        data = record.with_name(json.loads(record.read_text())["data"])
        data.unlink()
        data.symlink_to(outside)
        status, answer = await asyncio.to_thread(ask, server, "GET", "/v1/AUTH_test/c/o")
    assert status == 503 and b"secret" not in answer


@pytest.mark.parametrize("name", ["drafts", "containers", "bulkput-devserver.json"])
async def test_a_part_of_the_directory_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is removed or written where it leads."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    await stocked(root)
    (root / name).rename(outside)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    (root / name).symlink_to(outside)
    with pytest.raises(ValueError, match="is a link"):
        async with DevServer(DevServerOptions(directory=str(root))):
            pass
    assert sorted({path.name for path in tmp_path.rglob("*")} | {"outside"}) == sorted({*before, name})


async def test_a_new_directory_is_its_owner_s_only(tmp_path: Path) -> None:
    """What is tried out is not for others to read."""
    await stocked(tmp_path / "root")
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o700
