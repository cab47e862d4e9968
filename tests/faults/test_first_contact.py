"""How long a run waits for a server that has not answered yet: seconds before its objects, all retries for them."""

import asyncio
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest

import bulkput
from bulkput import events as ev
from bulkput.errors import Denied, Unavailable
from bulkput.options import RetryOptions, StopRules, UploadOptions, WireOptions
from bulkput.stores.status import error_from_transport
from bulkput.transport.base import Answer, TransportError
from bulkput.transport.route import open_transport
from tests.servers.faultprocess import ProxyProcess
from tests.servers.nginx import NginxDav
from tests.servers.s3 import RealS3
from tests.servers.threads import tcp_server

pytestmark = pytest.mark.rgw
FEW = RetryOptions(retries=40, first_retries=1, base_s=0.05, cap_s=0.2)
"""With the few retries of a first contact no run below would end well."""


def make_files(at: Path, count: int) -> Path:
    at.mkdir()
    for number in range(count):
        (at / str(number)).write_bytes(b"x" * 6000)
    return at


def through(proxy: ProxyProcess, server: RealS3) -> dict[str, str]:
    return {**server.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}


async def test_a_server_that_answered_once_gets_all_retries(rgw_s3: RealS3, tmp_path: Path) -> None:
    """Its proxy gets SIGKILL midway, and is back on its port after four requests have failed: nothing is lost."""
    tree, bucket = make_files(tmp_path / "tree", 300), rgw_s3.make_bucket()
    uploaded = failed = 0
    restarts: list[asyncio.Task[None]] = []

    def watch(event: ev.Event) -> None:
        nonlocal uploaded, failed
        match event:
            case ev.Uploaded():
                uploaded += 1
                if uploaded == 100:
                    restarts.append(asyncio.create_task(asyncio.to_thread(proxy.kill)))
            case ev.Retrying():
                failed += 1
                if event.attempt == 4 and len(restarts) == 1:
                    restarts.append(asyncio.create_task(asyncio.to_thread(proxy.start)))

    with await asyncio.to_thread(ProxyProcess, *rgw_s3.address) as proxy:
        options = UploadOptions(retry=FEW, wire=WireOptions(concurrency=16))
        summary = await bulkput.upload(
            tree, f"s3://{bucket}", options=options, on_event=watch, environ=through(proxy, rgw_s3)
        )
        await asyncio.gather(*restarts)
    assert len(restarts) == 2 and failed >= 4
    assert (summary.uploaded, summary.failed, summary.exit_code) == (300, 0, 0)


@pytest.mark.parametrize(("first_retries", "exit_code"), [(2, 3), (40, 0)])
async def test_a_server_that_starts_after_the_run_gets_as_many_as_are_asked_for(
    rgw_s3: RealS3, tmp_path: Path, first_retries: int, exit_code: int
) -> None:
    """`retry.first_retries`, --first-retries: it starts when four requests have failed."""
    tree, bucket = make_files(tmp_path / "tree", 20), rgw_s3.make_bucket()
    retry = RetryOptions(retries=40, first_retries=first_retries, base_s=0.05, cap_s=0.2)
    attempts: list[int] = []
    starts: list[asyncio.Task[None]] = []

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.Retrying):
            attempts.append(event.attempt)
            if event.attempt == 4:
                starts.append(asyncio.create_task(asyncio.to_thread(proxy.start)))

    proxy = await asyncio.to_thread(ProxyProcess, *rgw_s3.address)
    try:
        summary = await bulkput.upload(
            tree, f"s3://{bucket}", options=UploadOptions(retry=retry), on_event=watch, environ=through(proxy, rgw_s3)
        )
        await asyncio.gather(*starts)
    finally:
        await asyncio.to_thread(proxy.__exit__)
    assert summary.exit_code == exit_code
    if exit_code:
        assert attempts == [1, 2]
        assert "connection refused" in str(summary.stopping)
        assert "after 3 attempts" in str(summary.stopping)
    else:
        assert (summary.uploaded, len(starts)) == (20, 1)


async def test_a_server_that_is_back_in_time_is_always_met(rgw_s3: RealS3, tmp_path: Path) -> None:
    """With the pauses of a user, however short chance makes them: it is back 2.5 s after the first request."""
    tree, bucket = make_files(tmp_path / "tree", 20), rgw_s3.make_bucket()
    starts: list[asyncio.Task[None]] = []
    pauses: list[float] = []

    async def back() -> None:
        await asyncio.sleep(2.5)
        await asyncio.to_thread(proxy.start)

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.Retrying):
            pauses.append(event.delay_s)
            if not starts:
                starts.append(asyncio.create_task(back()))

    proxy = await asyncio.to_thread(ProxyProcess, *rgw_s3.address)
    try:
        summary = await bulkput.upload(tree, f"s3://{bucket}", on_event=watch, environ=through(proxy, rgw_s3))
        await asyncio.gather(*starts)
    finally:
        await asyncio.to_thread(proxy.__exit__)
    assert (summary.uploaded, summary.failed, len(starts)) == (20, 0, 1)
    assert all(pause >= bound / 2 for pause, bound in zip(pauses, (1, 2, 4), strict=False))


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
async def test_a_server_of_plain_http_that_starts_after_the_run_loses_no_object(
    nginx: NginxDav, tmp_path: Path, transport: Literal["wire", "aiohttp"]
) -> None:
    """No request comes before the objects there. It starts when more have failed than a first contact may."""
    tree = make_files(tmp_path / "tree", 200)
    retry = RetryOptions(retries=40, first_retries=1, base_s=0.05, cap_s=0.2)
    options = UploadOptions(retry=retry, wire=WireOptions(transport=transport), stop=StopRules(in_vain_after=9999))
    starts: list[asyncio.Task[None]] = []

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.Retrying) and event.attempt == 4 and not starts:
            starts.append(asyncio.create_task(asyncio.to_thread(proxy.start)))

    address = urlsplit(nginx.url)
    proxy = await asyncio.to_thread(ProxyProcess, address.hostname or "", address.port or 80)
    try:
        url = f"http://127.0.0.1:{proxy.port}/late/"
        summary = await bulkput.upload(tree, url, options=options, on_event=watch, environ={})
        await asyncio.gather(*starts)
    finally:
        await asyncio.to_thread(proxy.__exit__)
    assert (summary.uploaded, summary.failed, summary.exit_code, len(starts)) == (200, 0, 0, 1)


@pytest.mark.parametrize(
    ("transport", "mistake"),
    [
        ("wire", "no such host"),
        ("wire", "no TLS there"),
        ("wire", "TLS there"),
        ("aiohttp", "no such host"),
        ("aiohttp", "no TLS there"),
    ],
)
async def test_what_no_restart_causes_has_few_retries(
    tmp_path: Path, transport: Literal["wire", "aiohttp"], mistake: str
) -> None:
    """Also for objects. Only our own client tells an alert of TLS from other answers that are not HTTP."""
    tree = make_files(tmp_path / "tree", 1)
    alert, clear = b"\x15\x03\x01\x00\x02\x02\x46", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    answer = alert if mistake == "TLS there" else clear

    def behave(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    attempts: list[int] = []

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.Retrying):
            attempts.append(event.attempt)

    with tcp_server(behave) as seen:
        url = {
            "no such host": "http://no-such-host.invalid/",
            "no TLS there": seen.url.replace("http://", "https://") + "/",
            "TLS there": seen.url + "/",
        }[mistake]
        retry = RetryOptions(retries=9, first_retries=2, base_s=0.01)
        options = UploadOptions(retry=retry, wire=WireOptions(transport=transport, examines_http=False))
        summary = await bulkput.upload(tree, url, options=options, on_event=watch, environ={})
    assert (summary.uploaded, summary.failed) == (0, 1)
    assert attempts == [1, 2]


@pytest.mark.parametrize("transport", ["wire", "aiohttp"])
async def test_the_first_answer_of_a_server_ends_the_first_contact(transport: str) -> None:
    """For requests, and for downloads, which go by aiohttp in any case; another port is another server."""
    empty, alert = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46"
    answers = {b"/b": empty, b"/d": alert}

    def behave(connection: socket.socket) -> None:
        connection.sendall(answers.get(connection.recv(65_536).split()[1], b""))

    options = WireOptions(transport="wire" if transport == "wire" else "aiohttp", connect_timeout_s=2)
    with tcp_server(behave) as seen:
        opened = open_transport(options, user_agent="test")
        try:
            first = await failure(opened.request("GET", f"{seen.url}/a", {}))
            assert first.is_first_contact
            assert (await opened.request("GET", f"{seen.url}/b", {})).status == 200
            assert not (await failure(opened.request("GET", f"{seen.url}/c", {}))).is_first_contact
            told = await failure(opened.request("GET", f"{seen.url}/d", {}))
            assert ("write https:// in its URL" in str(told)) == (transport == "wire")
            other = await failure(opened.request("GET", "http://127.0.0.1:1/", {}))
            assert other.is_first_contact
        finally:
            await opened.aclose()
    assert error_from_transport("put", "a", first).__class__ is Unavailable
    assert isinstance(error_from_transport("put", "a", TransportError("no", is_permanent=True)), Denied)


async def failure(request: Awaitable[Answer]) -> TransportError:
    with pytest.raises(TransportError) as raised:
        await request
    return raised.value
