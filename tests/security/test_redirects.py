"""A redirect is an error that names its target; the client sends nothing to that target."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import bulkput
from bulkput.engine.open_store import connected
from bulkput.errors import StoreError
from bulkput.options import RetryOptions, UploadOptions, WireOptions
from bulkput.stores.base import Store
from tests.faults.raw import CREATED, raw_server, read_request
from tests.servers.threads import tcp_server, until_closed

ONCE = RetryOptions(retries=0, first_retries=0)
TRANSPORTS = [WireOptions(), WireOptions(transport="aiohttp")]
STATUSES = [301, 307]


async def listed(store: Store) -> None:
    async for _ in store.list(""):
        pass


async def looked_at(store: Store) -> None:
    await store.stat("a")


async def deleted(store: Store) -> None:
    await store.delete(["a"])


OPERATIONS: list[tuple[str, Callable[[Store], Awaitable[None]]]] = [
    ("GET /auth/", lambda store: store.prepare()),
    ("PUT /v1/a/c ", lambda store: store.prepare()),
    ("GET /v1/a/c?", listed),
    ("HEAD /v1/a/c/a ", looked_at),
    ("DELETE /v1/a/c/a ", deleted),
]


def redirecting(which: str, status: int, to: str, seen: list[str]) -> Callable[..., Awaitable[None]]:
    """Acts as a Swift that redirects requests beginning with `which` to `to`, or to its own host if that is empty."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head = (await read_request(reader))[0].decode()
            seen.append(head)
            host = re.search(r"(?i)host: (\S+)", head)
            assert host is not None
            here = f"http://{host[1]}"
            if head.startswith(which):
                location = f"Location: {to or here}/moved"
                writer.write(f"HTTP/1.1 {status} Moved\r\n{location}\r\nContent-Length: 0\r\n\r\n".encode())
            elif head.startswith("GET /auth"):
                granted = f"X-Auth-Token: issued\r\nX-Storage-Url: {here}/v1/a"
                writer.write(f"HTTP/1.1 200 OK\r\n{granted}\r\nContent-Length: 0\r\n\r\n".encode())
            else:
                writer.write(CREATED)

    return behave


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("is_elsewhere", [True, False], ids=["elsewhere", "same-host"])
@pytest.mark.parametrize(("which", "operate"), OPERATIONS, ids=[which.strip() for which, _ in OPERATIONS])
async def test_no_store_operation_follows_a_redirect(
    which: str, operate: Callable[[Store], Awaitable[None]], is_elsewhere: bool, status: int
) -> None:
    """Login, container, listing, HEAD, DELETE: one request, an error with the new URL, no connection to its host."""
    seen: list[str] = []
    with tcp_server(until_closed) as other:
        behave = redirecting(which, status, other.url if is_elsewhere else "", seen)
        async with raw_server(behave) as url:
            environ = {"ST_AUTH": f"{url}/auth/v1.0", "ST_USER": "a:b", "ST_KEY": "key"}
            async with connected("swift://c", retry=ONCE, environ=environ) as (store, _):
                with pytest.raises(StoreError) as raised:
                    await operate(store)
        target = other.url if is_elsewhere else url
        assert f"redirect to {target}/moved: give that URL yourself" in str(raised.value)
        assert other.connections == 0
    assert sum(head.startswith(which) for head in seen) == 1
    assert not any("/moved" in head.partition("\r\n")[0] for head in seen)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("wire", TRANSPORTS, ids=lambda options: options.transport)
@pytest.mark.parametrize("is_elsewhere", [True, False], ids=["elsewhere", "same-host"])
async def test_no_upload_of_an_object_follows_a_redirect(
    tmp_path: Path, wire: WireOptions, is_elsewhere: bool, status: int
) -> None:
    """A small and a large object fail with the new URL in the error; the Bearer token reaches no other host."""
    (tmp_path / "small").write_text("x")
    (tmp_path / "large").write_bytes(os.urandom(1_200_000))
    seen: list[str] = []
    with tcp_server(until_closed) as other:
        behave = redirecting("PUT", status, other.url if is_elsewhere else "", seen)
        async with raw_server(behave) as url:
            summary = await bulkput.upload(
                [tmp_path],
                f"{url}/d/",
                options=UploadOptions(retry=ONCE, wire=wire),
                environ={"BULKPUT_HTTP_TOKEN": "bearer"},
            )
        target = other.url if is_elsewhere else url
        assert other.connections == 0
    assert (summary.exit_code, summary.failed) == (1, 2) and summary.adds_up
    assert all(f"redirect to {target}/moved: give that URL yourself" in failure.error for failure in summary.failures)
    assert sorted(head.partition(" HTTP")[0] for head in seen) == ["OPTIONS /d/", "PUT /d/large", "PUT /d/small"]
