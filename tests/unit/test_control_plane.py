"""Logging in and making the container: every answer a server may give, by aioresponses.

aioresponses answers in aiohttp's place, so these requests take that transport; `tests/contract/test_transports.py`
proves that the lean one understands answers alike.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from bulkput.engine.open_store import connected
from bulkput.errors import (
    BulkputError,
    Denied,
    QuotaExceeded,
    StoreError,
    StoreGone,
    Throttled,
    Unavailable,
    UsageError,
)
from bulkput.model import Limits, RemoteObject
from bulkput.options import RetryOptions, WireOptions
from bulkput.stores.swift.wire_format import info_urls, large, page

AUTH = "http://auth.example/auth/v1.0"
STORAGE = "http://store.example/v1/AUTH_test"
ENVIRON = {"ST_AUTH": AUTH, "ST_USER": "test:tester", "ST_KEY": "sesame"}
TOKEN = {"X-Auth-Token": "tk1", "X-Storage-Url": STORAGE}
ONCE = RetryOptions(retries=0)
AIOHTTP = WireOptions(transport="aiohttp")


class _Writer:
    """What aiohttp 3.14 wants of a response that was never on a wire (aioresponses, issue 289)."""

    output_size = 0


class _Response(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{"stream_writer": _Writer(), **more})


@pytest.fixture
def wire() -> Iterator[aioresponses]:
    with aioresponses() as mocked:
        yield mocked


def answer(wire: aioresponses, method: str, url: str, status: int, **more: Any) -> None:
    wire.add(url, method, status=status, response_class=_Response, **more)


async def prepare(environ: Mapping[str, str] = ENVIRON, *, policy: str | None = None) -> None:
    async with connected("swift://c", wire=AIOHTTP, retry=ONCE, storage_policy=policy, environ=environ) as (store, _):
        await store.prepare()


@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("made", [201, 202])
async def test_prepare_logs_in_once_and_puts_the_container(wire: aioresponses, status: int, made: int) -> None:
    """201 means created, and 202 means that the container exists."""
    answer(wire, "GET", AUTH, status, headers=TOKEN)
    answer(wire, "PUT", f"{STORAGE}/c", made)
    await prepare()
    login = wire.requests[("GET", URL(AUTH))][0].kwargs["headers"]
    put = wire.requests[("PUT", URL(f"{STORAGE}/c"))][0].kwargs["headers"]
    assert (login["X-Auth-User"], login["X-Auth-Key"]) == ("test:tester", "sesame")
    assert put["X-Auth-Token"] == "tk1" and "X-Auth-Key" not in put


async def test_x_storage_token_is_preferred_to_x_auth_token(wire: aioresponses) -> None:
    """Servers may send both; swiftclient has the same preference."""
    answer(wire, "GET", AUTH, 200, headers={**TOKEN, "X-Storage-Token": "tk2"})
    answer(wire, "PUT", f"{STORAGE}/c", 201)
    await prepare()
    assert wire.requests[("PUT", URL(f"{STORAGE}/c"))][0].kwargs["headers"]["X-Auth-Token"] == "tk2"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Denied),
        (403, Denied),
        (404, UsageError),
        (429, StoreGone),
        (500, StoreGone),
        (503, StoreGone),
        (301, StoreGone),
        (409, StoreGone),
        (418, StoreGone),
        (200, UsageError),
    ],
)
async def test_each_login_failure_has_its_own_error(wire: aioresponses, status: int, kind: type[BulkputError]) -> None:
    """A 200 without a token means a wrong URL; no text contains the key."""
    answer(wire, "GET", AUTH, status)
    with pytest.raises(kind) as raised:
        await prepare()
    assert type(raised.value) is kind
    assert AUTH in str(raised.value) and "sesame" not in repr(raised.value) + str(raised.value)


async def test_an_account_at_no_usable_url_is_a_usage_error(wire: aioresponses) -> None:
    """Names that are appended behind a query would be a part of that."""
    answer(wire, "GET", AUTH, 200, headers={**TOKEN, "X-Storage-Url": f"{STORAGE}?x"})
    with pytest.raises(UsageError, match="names no usable URL of the account: set OS_STORAGE_URL to it"):
        await prepare()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, "", StoreError),
        (413, "Upload exceeds quota.", QuotaExceeded),
        (498, "Slow down", Throttled),
        (500, "", Unavailable),
        (507, "", Unavailable),
    ],
)
async def test_a_container_that_cannot_be_created_is_an_error(
    wire: aioresponses, status: int, body: str, kind: type[BulkputError]
) -> None:
    """The error names the operation and the container."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    answer(wire, "PUT", f"{STORAGE}/c", status, body=body)
    with pytest.raises(kind) as raised:
        await prepare()
    assert str(raised.value).startswith("make container c: ")


async def test_a_container_whose_name_the_store_does_not_take_is_a_usage_error(wire: aioresponses) -> None:
    """Stores differ in what they take; the reason is the store's."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    answer(wire, "PUT", f"{STORAGE}/c", 400, body="InvalidBucketName")
    with pytest.raises(UsageError, match="takes no container of the name 'c': Bad Request: InvalidBucketName"):
        await prepare()


async def test_a_container_that_may_not_be_created_does_not_fail_prepare(wire: aioresponses) -> None:
    """ACLs may allow objects but no containers; the login is repeated once."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN, repeat=True)
    answer(wire, "PUT", f"{STORAGE}/c", 403, repeat=True)
    await prepare()
    assert len(wire.requests[("GET", URL(AUTH))]) == 2
    assert len(wire.requests[("PUT", URL(f"{STORAGE}/c"))]) == 2


async def test_a_new_token_that_is_not_accepted_fails_prepare(wire: aioresponses) -> None:
    """A 401 is about the token, not about the container: no object would fare better."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN, repeat=True)
    answer(wire, "PUT", f"{STORAGE}/c", 401, repeat=True)
    with pytest.raises(Denied, match="make container c: 401 the store refuses even a new token"):
        await prepare()
    assert len(wire.requests[("GET", URL(AUTH))]) == 2


async def test_an_unknown_policy_error_lists_the_policies_of_the_cluster(wire: aioresponses) -> None:
    """They come from the cluster's /info."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    answer(wire, "PUT", f"{STORAGE}/c", 400, body="Invalid X-Storage-Policy 'gold'")
    info = {"swift": {"policies": [{"name": "standard", "default": True}, {"name": "ec"}]}}
    answer(wire, "GET", "http://store.example/info", 200, payload=info)
    with pytest.raises(UsageError, match="no storage policy 'gold'; choose from: standard, ec"):
        await prepare(policy="gold")


async def test_a_policy_other_than_that_of_the_container_is_a_usage_error(wire: aioresponses) -> None:
    """The store answers 409, since a container keeps its first policy."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    answer(wire, "PUT", f"{STORAGE}/c", 409)
    answer(wire, "HEAD", f"{STORAGE}/c", 204, headers={"X-Storage-Policy": "silver"})
    with pytest.raises(UsageError, match="exists with another storage policy than 'gold'"):
        await prepare(policy="gold")


async def test_a_given_token_needs_no_login(wire: aioresponses) -> None:
    """With OS_STORAGE_URL and OS_AUTH_TOKEN, the first request is the PUT of the container."""
    answer(wire, "PUT", f"{STORAGE}/c", 201)
    await prepare({"OS_STORAGE_URL": STORAGE + "/", "OS_AUTH_TOKEN": "given"})
    assert wire.requests[("PUT", URL(f"{STORAGE}/c"))][0].kwargs["headers"]["X-Auth-Token"] == "given"
    assert len(wire.requests) == 1


async def test_a_given_storage_url_replaces_that_of_the_login(wire: aioresponses) -> None:
    """Some clusters answer with an address that the client cannot reach."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    answer(wire, "PUT", "https://public.example/v1/AUTH_test/c", 201)
    await prepare({**ENVIRON, "OS_STORAGE_URL": "https://public.example/v1/AUTH_test"})
    assert ("PUT", URL("https://public.example/v1/AUTH_test/c")) in wire.requests


GIB5 = Limits().max_object_bytes
SLO = {"max_manifest_size": 8 * 1024 * 1024}
SWIFT = {"version": "2.38.1"}


@pytest.mark.parametrize(
    ("status", "payload", "expected"),
    [
        (200, {"slo": SLO, "swift": {"max_object_name_length": 512, "max_file_size": 99}}, Limits(512, 99, 1, 1000)),
        (200, {"slo": SLO, "swift": {"max_object_name_size": 512}, "bulk_delete": {}}, Limits(512, GIB5, 1000, 1000)),
        (200, {"slo": {"max_manifest_segments": 9}, "swift": SWIFT}, Limits(max_parts=9_999)),  # Ceph's
        (
            200,
            {"slo": SLO, "bulk_delete": {"max_deletes_per_request": 50}, "swift": SWIFT},
            Limits(1024, GIB5, 50, 1000),
        ),
        (
            200,
            {"slo": {**SLO, "max_manifest_segments": 20, "min_segment_size": 7}, "swift": SWIFT},
            Limits(1024, GIB5, 1, 20, 7),
        ),
        (
            200,
            {"slo": {**SLO, "max_manifest_segments": 9_999}, "swift": SWIFT},
            Limits(1024, GIB5, 1, 1024),
        ),  # their manifest would not fit
        (200, {"swift": SWIFT}, Limits(max_parts=9_999)),  # a store without static large objects
        (404, {}, Limits(max_parts=1000)),
        (401, {}, Limits(max_parts=1000)),
    ],
)
async def test_limits_come_from_info_or_are_the_defaults(
    wire: aioresponses, status: int, payload: dict[str, Any], expected: Limits
) -> None:
    """/info may be hidden; it is requested once."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    answer(wire, "GET", "http://store.example/info", status, payload=payload)
    async with connected("swift://c", wire=AIOHTTP, retry=ONCE, environ=ENVIRON) as (store, _):
        assert await store.ask_limits() == expected
        assert await store.ask_limits() == expected


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("/v1/AUTH_a", ["/info", "/swift/info"]),
        ("/v1.0/AUTH_a", ["/info", "/swift/info"]),
        ("/swift/v1/AUTH_a", ["/swift/info", "/info"]),
        ("/swift/v1", ["/swift/info", "/info"]),
        ("/object/swift/v1/v1", ["/object/swift/info", "/info", "/swift/info"]),
        ("/v1/proxy/swift/v1/AUTH_a/", ["/v1/proxy/swift/info", "/info", "/swift/info"]),
        ("/v1beta/AUTH_a", ["/info", "/swift/info"]),
        ("", ["/info", "/swift/info"]),
    ],
)
def test_info_is_looked_for_beside_the_api_and_where_swift_and_ceph_have_it(path: str, places: list[str]) -> None:
    """Swift's API begins at the root of its host, that of Ceph's gateway does not, and a proxy may hide either."""
    assert info_urls(f"https://store.example:8443{path}") == tuple(f"https://store.example:8443{at}" for at in places)


PAGE = "<html>Welcome</html>"


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ((404, PAGE), (200, '{"swift": {"max_file_size": 9}}'), 9),
        ((200, PAGE), (200, '{"swift": {"max_file_size": 9}}'), 9),
        ((200, '{"status": "ok"}'), (200, '{"swift": {"max_file_size": 9}}'), 9),
        ((200, '{"swift": {"max_file_size": 8}}'), (500, ""), 8),
        ((403, ""), (404, ""), GIB5),
    ],
)
async def test_info_is_what_has_a_section_of_swift(
    wire: aioresponses, first: tuple[int, str], second: tuple[int, str], found: int
) -> None:
    """A page or another API at that place is passed over; without any `/info`, Swift's defaults hold."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    for place, (status, body) in (("/info", first), ("/swift/info", second)):
        answer(wire, "GET", f"http://store.example{place}", status, body=body)
    async with connected("swift://c", wire=AIOHTTP, retry=ONCE, environ=ENVIRON) as (store, _):
        assert (await store.ask_limits()).max_object_bytes == found


def test_a_static_large_object_is_recognised_in_the_listing_and_the_head_of_ceph() -> None:
    """It lists the size of the manifest beside the MD5 of nothing, and has only a metadata field in the HEAD."""
    nothing = hashlib.md5(b"").hexdigest()
    rows = [
        {"name": "a", "bytes": size, "hash": nothing, "last_modified": "2026-01-02T03:04:05.678Z"} for size in (0, 9)
    ]
    assert [row.large for row in page(rows) if isinstance(row, RemoteObject)] == [None, "static"]
    assert [row.last_modified for row in page(rows) if isinstance(row, RemoteObject)] == ["2026-01-02T03:04:05.678"] * 2
    assert large({"X-Object-Meta-Static-Large-Object": "True"}) == "static"


async def test_a_listing_continues_after_a_short_page_and_ends_with_an_empty_one(wire: aioresponses) -> None:
    """Some clones give short pages in the middle of a listing."""
    pages = [
        [{"name": "a", "bytes": 1, "hash": "h"}, {"subdir": "b/"}],
        [{"name": "c", "bytes": 2, "hash": "h"}],
        [],
    ]
    markers: list[str | None] = []

    def page(url: URL, **_: Any) -> CallbackResult:
        markers.append(url.query.get("marker"))
        return CallbackResult(payload=pages[len(markers) - 1], response_class=_Response)

    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    for marker in ("", "&marker=b%2F", "&marker=c"):
        wire.get(URL(f"{STORAGE}/c?format=json&prefix={marker}", encoded=True), callback=page)
    async with connected("swift://c", wire=AIOHTTP, retry=ONCE, environ=ENVIRON) as (store, _):
        assert [item.name async for item in store.list("")] == ["a", "b/", "c"]
    assert markers == [None, "b/", "c"]


@pytest.mark.parametrize("body", ["", "not json", "[{"])
async def test_a_listing_that_is_not_json_is_a_store_error(wire: aioresponses, body: str) -> None:
    """And no traceback of the parser."""
    answer(wire, "GET", AUTH, 200, headers=TOKEN)
    answer(wire, "GET", f"{STORAGE}/c?format=json&prefix=", 200, body=body)
    async with connected("swift://c", wire=AIOHTTP, retry=ONCE, environ=ENVIRON) as (store, _):
        with pytest.raises(StoreError, match="not a JSON listing"):
            _ = [item async for item in store.list("")]
