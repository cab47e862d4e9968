"""No name, flag or variable breaks a line on the wire or reaches another path; the tests read the bytes that arrive."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

import bulkput
from bulkput.cli.main import bulkput as command
from bulkput.engine.open_store import connected
from bulkput.errors import BulkputError, UsageError
from bulkput.model import ObjectHeaders
from bulkput.options import HeaderOptions, RetryOptions, UploadOptions, WireOptions
from bulkput.testing.given import whole
from tests.faults.raw import CREATED, raw_server, read_request

ONCE = RetryOptions(retries=0, first_retries=0)
OURS = {
    "host", "user-agent", "content-length", "content-type", "etag", "x-auth-token", "x-auth-user", "x-auth-key",
    "x-object-meta-mtime", "accept", "accept-encoding", "authorization", "x-given",
}  # fmt: skip
NAMES = [
    b"a\r\nX-Injected: yes", b"a\nX-Injected: yes", b"a\rX-Injected: yes", b" HTTP/1.1", b"a\x7f\x01b", b"a?b#c%0d%0a",
    b"..a", b"a;b=c", b"\\..\\x", "e\u0301\u202e\u2028".encode(), b"%2e%2e", b":@&=+$,",
]  # fmt: skip
BREAKS = ["a\r\nX-Injected: yes", "a\nX-Injected: yes", "a\rX-Injected: yes", "a\0b", "a\udcffb", "a\x0bb", "\x7f"]
TRANSPORTS = [WireOptions(), WireOptions(transport="aiohttp")]


class Recorder:
    """A server that accepts every request and records the heads."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head, _body = await read_request(reader)
            self.heads.append(head)
            host = next(line[6:] for line in head.split(b"\r\n") if line.lower().startswith(b"host: "))
            granted = b"X-Auth-Token: issued\r\nX-Storage-Url: http://%b/v1/a\r\n" % host
            etag = b'ETag: "%b"\r\n' % next(
                (line[6:] for line in head.split(b"\r\n") if line.lower().startswith(b"etag: ")), b""
            )
            is_login = head.startswith(b"GET /auth")
            answer = CREATED.replace(b"Content-Length", (granted if is_login else etag) + b"Content-Length")
            writer.write(answer.replace(b" 201 ", b" 200 ") if is_login else answer)  # not the digits of a port

    def checked(self) -> list[str]:
        """Gives the request lines. Asserts that each head is one request line and known fields, one on each line."""
        starts = []
        for head in self.heads:
            start, *fields = head[:-4].split(b"\r\n")
            assert b"\n" not in b"".join([start, *fields]) and b"\r" not in b"".join([start, *fields])
            names = [field.partition(b":")[0].decode().lower() for field in fields]
            assert set(names) <= OURS and len(names) == len(set(names)), head
            starts.append(start.decode("ascii"))
        return starts


@pytest.mark.parametrize("wire", TRANSPORTS, ids=lambda options: options.transport)
@pytest.mark.parametrize("scheme", ["swift", "http"])
async def test_a_file_name_is_percent_encoded_below_the_destination(
    tmp_path: Path, scheme: str, wire: WireOptions
) -> None:
    """Line ends, blanks, control characters, `?`, `#` and `%` stay in the path of the request line."""
    for name in NAMES:
        path = os.path.join(os.fsencode(tmp_path), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"x")
    recorder = Recorder()
    async with raw_server(recorder.behave) as url:
        environ = {"ST_AUTH": f"{url}/auth/v1.0", "ST_USER": "a:b", "ST_KEY": "key", "BULKPUT_HTTP_TOKEN": "bearer"}
        summary = await bulkput.upload(
            [tmp_path],
            f"{url}/d/" if scheme == "http" else "swift://c",
            options=UploadOptions(retry=ONCE, wire=wire),
            environ=environ,
        )
    puts = [start for start in recorder.checked() if start.startswith("PUT ") and start != "PUT /v1/a/c HTTP/1.1"]
    below = "/d/" if scheme == "http" else "/v1/a/c/"
    assert sorted(puts) == sorted(f"PUT {below}{quote(name)} HTTP/1.1" for name in NAMES)
    assert summary.uploaded == (len(NAMES) if scheme == "http" else summary.uploaded) and summary.adds_up


@pytest.mark.parametrize("wire", TRANSPORTS, ids=lambda options: options.transport)
async def test_a_header_with_a_line_break_from_a_library_caller_is_never_sent(wire: WireOptions) -> None:
    """Library callers bypass the checks of the command line, so the transport checks as well."""
    recorder = Recorder()
    async with raw_server(recorder.behave) as url:
        environ = {"ST_AUTH": f"{url}/auth/v1.0", "ST_USER": "a:b", "ST_KEY": "key"}
        async with connected("swift://c", wire=wire, retry=ONCE, environ=environ) as (store, _):
            for value in BREAKS[:4]:
                for headers in (
                    ObjectHeaders(extra=(("X-Given", value),)),
                    ObjectHeaders(extra=((value, "b"),)),
                    ObjectHeaders(meta=(("Given", value),)),
                    ObjectHeaders(meta=((value, "b"),)),
                    ObjectHeaders(content_type=value),
                    ObjectHeaders(cache_control=value),
                ):
                    with pytest.raises(BulkputError):
                        await store.put("a", whole(b"x"), headers)
            await store.prepare()
    assert recorder.checked() == ["GET /auth/v1.0 HTTP/1.1", "PUT /v1/a/c HTTP/1.1"]


@pytest.mark.parametrize("wire", TRANSPORTS, ids=lambda options: options.transport)
async def test_a_header_value_outside_latin_1_is_sent_as_utf_8(tmp_path: Path, wire: WireOptions) -> None:
    """Swift stores it so; none of its bytes is a control character."""
    (tmp_path / "a").write_text("x")
    recorder = Recorder()
    async with raw_server(recorder.behave) as url:
        headers = HeaderOptions(extra=(("X-Given", "\u65e5\u010a\u010d\u2028 \U0001f680"),))
        options = UploadOptions(retry=ONCE, wire=replace(wire, examines_http=False), headers=headers)
        await bulkput.upload([tmp_path], f"{url}/d/", options=options, environ={})
    assert recorder.checked() == ["PUT /d/a HTTP/1.1"]
    assert "X-Given: \u65e5\u010a\u010d\u2028 \U0001f680\r\n".encode() in recorder.heads[0]


@pytest.mark.parametrize(
    "destination",
    ["swift://c\r\nX-Injected: yes", "swift://c/p\r\nX-Injected: yes/", "{url}/d\r\nX-Injected: yes/", "{url}/\0/"],
    ids=range(4),
)
async def test_a_line_break_in_a_destination_is_percent_encoded_or_refused(tmp_path: Path, destination: str) -> None:
    """No request line contains a raw control character."""
    (tmp_path / "a").write_text("x")
    recorder = Recorder()
    async with raw_server(recorder.behave) as url:
        environ = {"ST_AUTH": f"{url}/auth/v1.0", "ST_USER": "a:b", "ST_KEY": "key"}
        options = UploadOptions(retry=ONCE)
        await bulkput.upload([tmp_path], destination.format(url=url), options=options, environ=environ)
    assert all("%0D%0A" in start or "%00" in start for start in recorder.checked()[-1:])


@pytest.mark.parametrize("name", ["ST_USER", "ST_KEY", "OS_AUTH_TOKEN", "BULKPUT_HTTP_TOKEN", "ST_AUTH"])
async def test_a_variable_with_a_control_character_is_refused_before_any_request(tmp_path: Path, name: str) -> None:
    """The message names the variable; control characters other than line ends are refused as well."""
    recorder = Recorder()
    async with raw_server(recorder.behave) as url:
        environ = {"ST_AUTH": f"{url}/auth/v1.0", "ST_USER": "a:b", "ST_KEY": "key"}
        if name == "OS_AUTH_TOKEN":
            environ["OS_STORAGE_URL"] = f"{url}/v1/a"
        destination = f"{url}/" if name == "BULKPUT_HTTP_TOKEN" else "swift://c"
        for value in BREAKS:
            broken = {**environ, name: url + value if name == "ST_AUTH" else value}
            with pytest.raises(UsageError, match=f"{name}|credentials for plain HTTP"):
                await bulkput.upload([tmp_path], destination, options=UploadOptions(retry=ONCE), environ=broken)
    assert recorder.checked() == []


async def test_a_storage_policy_with_a_control_character_is_never_sent(tmp_path: Path) -> None:
    """It is refused before the login."""
    (tmp_path / "a").write_text("x")
    recorder = Recorder()
    async with raw_server(recorder.behave) as url:
        environ = {"ST_AUTH": f"{url}/auth/v1.0", "ST_USER": "a:b", "ST_KEY": "key"}
        for value in BREAKS[:4]:
            options = UploadOptions(retry=ONCE, storage_policy=value)
            with pytest.raises(UsageError, match="`storage_policy`"):
                await bulkput.upload([tmp_path], "swift://c", options=options, environ=environ)
    assert recorder.checked() == []


@pytest.mark.parametrize("flag", ["--header", "--meta", "--content-type", "--cache-control"])
@pytest.mark.parametrize("value", ["a\r\nX-Injected: yes", "a\nb", "a\rb", "a\x0bb", "a\x7fb", "a\udcffb"])
def test_a_header_flag_with_a_control_character_is_a_usage_error(flag: str, value: str) -> None:
    """The name or the value contains it: one sentence before any other step."""
    for given in (value, f"X-Given: {value}", f"{value}: b"):
        if flag in ("--content-type", "--cache-control") or given != value:
            with pytest.raises(UsageError):
                command.main(["upload", ".", "swift://c", flag, given], standalone_mode=False)
