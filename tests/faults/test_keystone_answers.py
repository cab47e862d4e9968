"""Answers that are not Keystone's, or not whole, over the wire: one sentence that says what to do, and no secret."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import BulkputError, StoreGone, UsageError
from bulkput.options import RetryOptions, WireOptions
from tests.faults.raw import CREATED, Behave, raw_server, read_request

PASSWORD = "open-sesame"
ENVIRON = {"OS_USERNAME": "tester", "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "test", "OS_USER_DOMAIN_ID": "default"}
ENVIRON |= {"OS_PROJECT_DOMAIN_ID": "default"}
STORE = "http://127.0.0.1:1/v1/AUTH_p"
WITH_TOKEN = {"X-Subject-Token": "gAAAAA"}


def endpoint(url: Any = STORE) -> dict[str, Any]:
    return {"interface": "public", "region_id": "RegionOne", "url": url}


def object_store(*endpoints: Any) -> dict[str, Any]:
    return {"type": "object-store", "endpoints": list(endpoints)}


def token(*catalog: Any, **changed: Any) -> dict[str, Any]:
    times = {"issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2026-01-01T01:00:00.000000Z"}
    return {"token": {"project": {"id": "p"}, **times, "catalog": list(catalog), **changed}}


def answer(status: str, content: Any, fields: Mapping[str, str] = WITH_TOKEN) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {text}" for name, text in fields.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


GOOD = token(object_store(endpoint()))
PAGE = b"<html><title>Welcome to nginx!</title></html>"
NO_TOKEN = "without a token: OS_AUTH_URL must name Keystone"
NO_URL = "Keystone's catalog has no usable URL of object-store with interface public: set OS_STORAGE_URL"
NO_CATALOG = "Keystone gave a token without a catalog, as it does without a project: set OS_PROJECT_NAME"
NO_ENDPOINT = "it has no endpoint of it: set OS_REGION_NAME or OS_INTERFACE"
WRONG: Mapping[str, tuple[bytes, type[BulkputError], str]] = {
    "no X-Subject-Token": (answer("201 Created", GOOD, {}), UsageError, NO_TOKEN),
    "an empty X-Subject-Token": (answer("201 Created", GOOD, {"X-Subject-Token": ""}), UsageError, NO_TOKEN),
    "a token that is not ASCII": (answer("201 Created", GOOD, {"X-Subject-Token": "t\xe9"}), UsageError, NO_TOKEN),
    "no catalog": (answer("201 Created", {"token": {}}), UsageError, NO_CATALOG),
    "catalog null": (answer("201 Created", token(catalog=None)), UsageError, NO_CATALOG),
    "catalog no list": (answer("201 Created", token(catalog={"object-store": {}})), UsageError, NO_CATALOG),
    "services null": (answer("201 Created", token(None, 1, "object-store")), UsageError, NO_CATALOG),
    "endpoints null": (
        answer("201 Created", token({"type": "object-store", "endpoints": None})),
        UsageError,
        NO_ENDPOINT,
    ),
    "each endpoint null": (answer("201 Created", token(object_store(None, 1, []))), UsageError, NO_ENDPOINT),
    "URL null": (answer("201 Created", token(object_store(endpoint(None)))), UsageError, NO_URL),
    "URL with a line end": (
        answer("201 Created", token(object_store(endpoint(STORE + "\r\nA: b")))),
        UsageError,
        NO_URL,
    ),
    "URL with a space": (answer("201 Created", token(object_store(endpoint(STORE + " a")))), UsageError, NO_URL),
    "URL with a query": (answer("201 Created", token(object_store(endpoint(STORE + "?a=b")))), UsageError, NO_URL),
    "URL of another scheme": (answer("201 Created", token(object_store(endpoint("ftp://a/")))), UsageError, NO_URL),
    "page, 200": (answer("200 OK", PAGE, {}), UsageError, f"answered 200 {NO_TOKEN}"),
    "page, 201": (answer("201 Created", PAGE), UsageError, f"answered 201 {NO_TOKEN}"),
    "v2.0's answer": (answer("200 OK", {"access": {"token": {"id": "t"}}}, {}), UsageError, f"answered 200 {NO_TOKEN}"),
    "half an answer": (answer("201 Created", json.dumps(GOOD).encode()[:-40]), UsageError, NO_TOKEN),
    "a deep answer": (answer("201 Created", b'{"token":' + b"[" * 100_000), UsageError, NO_TOKEN),
    "no content": (b"HTTP/1.1 204 No Content\r\nX-Subject-Token: t\r\n\r\n", UsageError, f"answered 204 {NO_TOKEN}"),
    "300": (answer("300 Multiple Choices", {"versions": {}}, {}), UsageError, f"answered 300 {NO_TOKEN}"),
    "redirect": (
        answer("302 Found", b"", {"Location": "https://login.example/"}),
        UsageError,
        "https://login.example/",
    ),
    "not HTTP": (b"220 mail.example ESMTP\r\n", StoreGone, "the answer is not HTTP/1.1"),
    "100 and no more": (b"HTTP/1.1 100 Continue\r\n\r\n", StoreGone, "no answer in time after 2 attempts"),
    "418": (answer("418 Teapot", PASSWORD.encode(), {}), StoreGone, "418 Teapot"),
    "500 with the password": (
        answer("500 No", {"error": {"message": f"wrong: {PASSWORD}"}}),
        StoreGone,
        "500 No: wrong: ***",
    ),
}


def answering(said: bytes, heads: list[bytes]) -> Behave:
    """Gives a server that answers everything so, and notes what it was asked."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head, _body = await read_request(reader)
            heads.append(head)
            writer.write(said)

    return behave


async def prepare(keystone: str) -> None:
    wire, retry = WireOptions(timeout_s=0.3), RetryOptions(retries=1, base_s=0.001)
    environ = {**ENVIRON, "OS_AUTH_URL": f"{keystone}/v3"}
    async with connected("swift://c", wire=wire, retry=retry, environ=environ) as (store, _):
        await store.prepare()


@pytest.mark.parametrize("case", WRONG)
async def test_an_answer_that_is_no_login_is_one_sentence(case: str) -> None:
    """UsageError ends a command with exit 2, StoreGone with 3; neither quotes the password."""
    said, kind, sentence = WRONG[case]
    heads: list[bytes] = []
    async with raw_server(answering(said, heads)) as keystone:
        with pytest.raises(BulkputError) as caught:
            await prepare(keystone)
    text = str(caught.value)
    assert (type(caught.value), len(heads)) == (kind, 2 if "after 2 attempts" in text else 1), text
    assert sentence in text and PASSWORD not in text and "\n" not in text


MANY = [{"type": f"service-{n}", "endpoints": [endpoint(f"http://{n}.example/{'a' * 1000}")]} for n in range(2_000)]


@pytest.mark.parametrize(
    ("others", "times"),
    [
        (MANY, {}),
        ([None, 1, {"type": None, "endpoints": 7}, object_store(None, {"interface": "admin", "url": None})], {}),
        ([], {"issued_at": None, "expires_at": None}),
        ([], {"expires_at": "never"}),
        ([], {"expires_at": "2026-01-01T01:00:00"}),
        ([], {"expires_at": "1970-01-01T00:00:00Z"}),
        ([], {"project": None}),
    ],
    ids=["2 MB", "nulls", "no times", "no time", "no zone", "expired", "no project"],
)
async def test_an_answer_that_is_odd_elsewhere_is_a_login(others: list[Any], times: Mapping[str, Any]) -> None:
    """What is not needed need not be right: the token goes to the URL of the catalog."""
    asked: list[bytes] = []
    async with raw_server(answering(CREATED, asked)) as store:
        said = answer("201 Created", token(*others, object_store(endpoint(f"{store}/v1/AUTH_p/")), **times))
        logins: list[bytes] = []
        async with raw_server(answering(said, logins)) as keystone:
            await prepare(keystone)
    (put,) = asked
    assert put.startswith(b"PUT /v1/AUTH_p/c HTTP/1.1\r\n") and b"\r\nX-Auth-Token: gAAAAA\r\n" in put
    assert len(logins) == 1
