"""How `temporary_url` decides: by what a store shows of its keys, and by what its `/info` says."""

import asyncio
import json
import re
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

import bulkput
from bulkput import events as ev
from bulkput.errors import BulkputError, StoreError, UsageError
from tests.faults.raw import raw_server, read_request

OPTIONS = bulkput.TempUrlOptions(retry=bulkput.RetryOptions(retries=0, first_retries=0))
SWIFT = {"methods": ["GET", "HEAD", "PUT"], "allowed_digests": ["sha1", "sha256", "sha512"]}


@dataclass(slots=True)
class Store:
    """A Swift that shows these keys. `proof` is its answer to a HEAD with a temporary URL."""

    tempurl: Mapping[str, Any] | None = field(default_factory=lambda: dict(SWIFT))
    container: Mapping[str, str] = field(default_factory=dict)
    account: Mapping[str, str] = field(default_factory=lambda: {"X-Account-Meta-Temp-Url-Key": "the account's"})
    statuses: Mapping[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            head, _body = await read_request(reader)
            method, path = head.decode().split(" ")[:2]
            what = {"/info": "info", "/v1/A": "account", "/v1/A/c": "container"}.get(path, "object")
            self.asked.append(f"{method} {what}")
            fields = {"container": self.container, "account": self.account}.get(what, {})
            info = {} if self.tempurl is None else {"tempurl": self.tempurl}
            body = json.dumps({"swift": {"version": "2.38"}, **info}) if what == "info" else ""
            lines = [f"HTTP/1.1 {self.statuses.get(what, 404 if what == 'object' else 200)} Answered"]
            lines += [f"{name}: {value}" for name, value in fields.items()]
            writer.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode())

    @asynccontextmanager
    async def environ(self, **more: str) -> AsyncIterator[dict[str, str]]:
        async with raw_server(self.behave) as url:
            yield {"OS_STORAGE_URL": f"{url}/v1/A", "OS_AUTH_TOKEN": "token", **more}

    async def makes(self, options: bulkput.TempUrlOptions = OPTIONS, **more: str) -> str:
        async with self.environ(**more) as environ:
            return await bulkput.temporary_url("swift://c/p", options=options, environ=environ)

    async def refuses(self, options: bulkput.TempUrlOptions = OPTIONS, **more: str) -> str:
        with pytest.raises(UsageError) as caught:
            await self.makes(options, **more)
        return str(caught.value)


def digest_of(url: str) -> str:
    found = re.search(r"temp_url_sig=(?:(sha512):)?([\w-]+)&", url)
    assert found is not None
    return found[1] or {40: "sha1", 64: "sha256"}[len(found[2])]


@pytest.mark.parametrize(
    ("tempurl", "digest"),
    [
        (SWIFT, "sha256"),
        ({**SWIFT, "allowed_digests": ["sha1", "sha512"]}, "sha512"),
        ({**SWIFT, "allowed_digests": ["sha1"]}, "sha1"),
        ({"methods": ["PUT"]}, "sha1"),
        ({"allowed_digests": "all"}, "sha1"),
        (None, "sha256"),
        ({}, "sha256"),
    ],
)
async def test_the_best_digest_that_the_store_allows_is_taken(tempurl: Mapping[str, Any] | None, digest: str) -> None:
    """Stores that do not say know SHA-1 only; if `/info` has nothing about temporary URLs, the HEAD decides."""
    store = Store(tempurl=tempurl)
    assert digest_of(await store.makes()) == digest
    assert store.asked == ["HEAD container", "HEAD account", "GET info", "HEAD object"]


async def test_sha_1_is_taken_with_a_warning_unless_it_was_asked_for() -> None:
    """It is the weakest of them."""
    for digest, expected in ((None, 1), ("sha1", 0)):
        store, seen = Store(tempurl={"methods": ["PUT"]}), list[ev.Event]()
        options = bulkput.TempUrlOptions(digest=digest, retry=OPTIONS.retry)  # type: ignore[arg-type]
        async with store.environ() as environ:
            await bulkput.temporary_url("swift://c/p", options=options, environ=environ, on_event=seen.append)
        assert sum("SHA-1 only" in event.why for event in seen if isinstance(event, ev.Warned)) == expected


@pytest.mark.parametrize(
    ("store", "options", "says"),
    [
        (
            Store(),
            bulkput.TempUrlOptions(method="DELETE"),
            "`method`: the store takes temporary URLs for GET, HEAD, PUT only",
        ),
        (
            Store(tempurl={"allowed_digests": ["sha1"]}),
            bulkput.TempUrlOptions(digest="sha256"),
            "`digest`: the store takes signatures by sha1 only",
        ),
        (
            Store(tempurl={"allowed_digests": ["blake2"]}),
            OPTIONS,
            "`digest`: the store takes signatures by blake2 only",
        ),
        (Store(account={}), OPTIONS, "neither the account nor the container has a key"),
        (Store(statuses={"account": 403}), OPTIONS, "neither the account nor the container has a key"),
        (Store(statuses={"container": 404}), OPTIONS, "there is no container c"),
        (Store(statuses={"object": 401}), OPTIONS, "(401): the key of the account does not sign for this container"),
        (Store(statuses={"object": 403}, tempurl=None), OPTIONS, "(403): its /info has no tempurl"),
        (
            Store(statuses={"object": 403}, account={}, container={"X-Container-Meta-Temp-Url-Key": "its"}),
            OPTIONS,
            "(403): Ceph's gateway takes the account's key only",
        ),
    ],
    ids=range(9),
)
async def test_what_the_store_does_not_allow_is_a_usage_error(
    store: Store, options: bulkput.TempUrlOptions, says: str
) -> None:
    """Nothing is made, and nothing is changed in the store."""
    assert says in await store.refuses(options)
    assert all(line.startswith(("HEAD ", "GET ")) for line in store.asked)


@pytest.mark.parametrize(
    ("account", "container", "given", "equal_to"),
    [
        ({"X-Account-Meta-Temp-Url-Key": "1", "X-Account-Meta-Temp-Url-Key-2": "2"}, {}, "", "1"),
        ({"X-Account-Meta-Temp-Url-Key-2": "2"}, {"X-Container-Meta-Temp-Url-Key": "3"}, "", "2"),
        ({}, {"X-Container-Meta-Temp-Url-Key-2": "4", "X-Container-Meta-Temp-Url-Key": "3"}, "", "3"),
        ({"X-Account-Meta-Temp-Url-Key": "1"}, {"X-Container-Meta-Temp-Url-Key": "3"}, "5", "5"),
        ({"x-account-meta-temp-url-key": "schlüssel"}, {}, "", "schlüssel"),
    ],
)
async def test_the_key_is_that_of_the_environment_the_account_or_the_container(
    account: Mapping[str, str], container: Mapping[str, str], given: str, equal_to: str
) -> None:
    """In this order. The same key signs the same URL."""
    at = bulkput.TempUrlOptions(expires_at_s=4_000_000_000, retry=OPTIONS.retry)
    store = Store(account=account, container=container)
    async with store.environ(BULKPUT_TEMPURL_KEY=given) as environ:
        found = await bulkput.temporary_url("swift://c/p", options=at, environ=environ)
        place = f"{environ['OS_STORAGE_URL']}/c/p"
        expected = await bulkput.temporary_url(place, options=at, environ={"BULKPUT_TEMPURL_KEY": equal_to})
    assert found == expected
    assert ("HEAD account" in store.asked) == (not given)


@pytest.mark.parametrize(
    "options",
    [
        bulkput.TempUrlOptions(ip_range="192.0.2.1"),
        bulkput.TempUrlOptions(method="DELETE"),
        bulkput.TempUrlOptions(method="POST"),
    ],
    ids=["range", "delete", "post"],
)
async def test_a_url_that_a_head_cannot_prove_is_not_tried(options: bulkput.TempUrlOptions) -> None:
    """It is for other addresses, or for a method that does not allow HEAD everywhere."""
    store = Store(tempurl={**SWIFT, "methods": ["PUT", "DELETE", "POST"]}, statuses={"object": 401})
    assert "temp_url_sig=" in await store.makes(options)
    assert "HEAD object" not in store.asked


@pytest.mark.parametrize(
    ("url", "options", "says"),
    [
        ("swift://c", bulkput.TempUrlOptions(is_object=True), "names no object"),
        ("swift://c///", bulkput.TempUrlOptions(is_object=True), "names no object"),
        ("swift://c/p", bulkput.TempUrlOptions(ip_range="10.0.0.1/8"), "has host bits set"),
        ("swift://c/p", bulkput.TempUrlOptions(ip_range="everywhere"), "write an address, or a network"),
        ("swift://c/p", bulkput.TempUrlOptions(expires_at_s=1), "would have expired already"),
        ("swift://c/p", bulkput.TempUrlOptions(expires_at_s=-1), "is 0 or more"),
        ("swift://c/p", bulkput.TempUrlOptions(expires_in_s=10**15), "after the year 9999"),
        ("https://h/v1/a/c/p", OPTIONS, "BULKPUT_TEMPURL_KEY, which is not set"),
        ("https://h/v1/a/c/p?x", OPTIONS, "has a query already"),
        ("c/p", OPTIONS, "write swift://"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_a_usage_error_before_any_request(
    url: str, options: bulkput.TempUrlOptions, says: str
) -> None:
    """There is no store at all."""
    with pytest.raises(UsageError, match=re.escape(says)):
        await bulkput.temporary_url(url, options=options, environ={})


async def test_a_store_that_fails_is_a_store_error() -> None:
    """500 to the HEAD of the container, or of the account."""
    for what in ("container", "account"):
        with pytest.raises(StoreError, match=rf"stat the {what}: 500"):
            await Store(statuses={what: 500}).makes()


@pytest.mark.parametrize(
    "store",
    [
        Store(statuses={"object": 401}),
        Store(tempurl={"methods": ["GET"]}),
        Store(statuses={"account": 500}),
        Store(statuses={"info": 401, "object": 403}),
    ],
    ids=["refused", "no such method", "trouble", "no info"],
)
async def test_no_error_shows_a_key_of_the_store(store: Store) -> None:
    """Nor do the local variables in its traceback."""
    fields = {"Temp-Url-Key": "geheim-1", "Temp-Url-Key-2": "geheim-2"}
    store.account = {f"X-Account-Meta-{name}": key for name, key in fields.items()}
    store.container = {f"X-Container-Meta-{name}": key for name, key in fields.items()}
    async with store.environ() as environ:
        with pytest.raises(BulkputError) as caught:
            await bulkput.temporary_url("swift://c/p", options=OPTIONS, environ=environ)
    assert caught.value.__traceback__ is not None
    error = caught.value.with_traceback(caught.value.__traceback__.tb_next)  # without this function
    lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    assert "geheim" not in "".join(lines)
