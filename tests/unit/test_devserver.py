"""The local store on the wire: what it answers is what Swift answers."""

import asyncio
import hashlib
import io
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from bulkput.devserver import (
    DevServer,
    DevServerOptions,
    Handler,
    Latency,
    ResourceKind,
    SwiftConstraints,
    parse_target,
)

LOGIN = {"X-Auth-User": "test:tester", "X-Auth-Key": "testing"}


@dataclass
class Answer:
    status: int
    headers: "aiohttp.typedefs.CIMultiDictProxy[str]"
    body: bytes


class Swift:
    """A client of a few lines: paths go out as given."""

    def __init__(self, server: DevServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session
        self.token = ""

    async def ask(self, verb: str, url: str, *, data: object = None, **headers: str) -> Answer:
        sent = {"X-Auth-Token": self.token, **{key.replace("_", "-"): value for key, value in headers.items()}}
        target = URL(f"http://127.0.0.1:{self.server.port}{url}", encoded=True)
        async with self.session.request(
            verb, target, data=data, headers=sent, skip_auto_headers=["Content-Type"]
        ) as got:
            return Answer(got.status, got.headers, await got.read())

    async def on(self, verb: str, path: str = "", *, data: object = None, **headers: str) -> Answer:
        return await self.ask(verb, "/v1/AUTH_test" + path, data=data, **headers)


@pytest.fixture
def options() -> DevServerOptions:
    return DevServerOptions()


@pytest.fixture
async def swift(options: DevServerOptions) -> AsyncIterator[Swift]:
    async with DevServer(options) as server, aiohttp.ClientSession() as session:
        swift = Swift(server, session)
        swift.token = (await swift.ask("GET", "/auth/v1.0", **LOGIN)).headers["X-Auth-Token"]
        assert (await swift.on("PUT", "/c")).status == 201
        server.traffic.clear()
        yield swift


async def raw(server: DevServer, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send bytes as they are, read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(pause)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


# --- login


async def test_a_login_gives_token_storage_url_and_expiry(swift: Swift) -> None:
    """These are the headers that v1 clients read."""
    got = await swift.ask("GET", "/auth/v1.0", **LOGIN)
    assert got.status == 200
    assert got.headers["X-Storage-Url"] == swift.server.storage_url
    assert got.headers["X-Storage-Token"] == got.headers["X-Auth-Token"]
    assert 86_000 < int(got.headers["X-Auth-Token-Expires"]) <= 86_400


async def test_a_login_repeats_the_token_while_it_is_valid(swift: Swift) -> None:
    """TempAuth also gives the same token until it expires."""
    assert (await swift.ask("GET", "/auth/v1.0", **LOGIN)).headers["X-Auth-Token"] == swift.token


@pytest.mark.parametrize("key", ["wrong", "", "schlüssel"])
async def test_a_wrong_key_is_401(swift: Swift, key: str) -> None:
    """The answer has the realm header that RFC 9110, section 11.6.1, requires."""
    got = await swift.ask("GET", "/auth/v1.0", X_Auth_User="test:tester", X_Auth_Key=key)
    assert (got.status, "X-Auth-Token" in got.headers) == (401, False)
    assert got.headers["Www-Authenticate"].startswith("Swift realm=")


async def test_a_login_by_another_verb_than_get_is_405(swift: Swift) -> None:
    """Any other verb is 405."""
    assert (await swift.ask("POST", "/auth/v1.0", **LOGIN)).status == 405


async def test_every_request_without_a_valid_token_is_401(swift: Swift) -> None:
    """Tokens are missing, unknown or revoked, on every kind of resource."""
    for token in ("", "AUTH_tkunknown", swift.token):
        swift.server.tokens.revoke()
        swift.token = token
        for path in ("", "/c", "/c/o"):
            assert (await swift.on("GET", path)).status == 401


async def test_an_expired_token_is_401_until_a_new_login() -> None:
    """The life of a token is an option, so that a test can be short."""
    async with DevServer(DevServerOptions(token_life=0.05)) as server, aiohttp.ClientSession() as session:
        swift = Swift(server, session)
        first = swift.token = (await swift.ask("GET", "/auth/v1.0", **LOGIN)).headers["X-Auth-Token"]
        await asyncio.sleep(0.06)
        assert (await swift.on("GET")).status == 401
        swift.token = (await swift.ask("GET", "/auth/v1.0", **LOGIN)).headers["X-Auth-Token"]
        assert (swift.token != first, (await swift.on("GET")).status) == (True, 204)


async def test_another_account_is_403(swift: Swift) -> None:
    """A token is valid only for its own account."""
    assert (await swift.ask("GET", "/v1/AUTH_other")).status == 403


# --- service and account


async def test_info_has_the_limits_and_lists_one_middleware(swift: Swift) -> None:
    """It needs no token."""
    swift.token = ""
    got = json.loads((await swift.ask("GET", "/info")).body)
    assert set(got) == {"swift", "slo"}
    assert (got["slo"]["min_segment_size"], got["slo"]["allow_async_delete"]) == (1, False)
    assert got["swift"]["max_object_name_length"] == 1024
    assert got["swift"]["container_listing_limit"] == 10_000
    assert got["swift"]["max_file_size"] == 5_368_709_122


async def test_healthcheck_answers_ok(swift: Swift) -> None:
    """Scripts use it to wait for the server."""
    got = await swift.ask("GET", "/healthcheck")
    assert (got.status, got.body) == (200, b"OK")


async def test_the_account_lists_its_containers_and_totals(swift: Swift) -> None:
    """The list comes as text and as JSON; HEAD gives the totals."""
    await swift.on("PUT", "/b")
    await swift.on("PUT", "/c/o", data=b"12345")
    head = await swift.on("HEAD")
    assert (head.status, head.headers["X-Account-Container-Count"]) == (204, "2")
    assert (head.headers["X-Account-Object-Count"], head.headers["X-Account-Bytes-Used"]) == ("1", "5")
    assert (await swift.on("GET")).body == b"b\nc\n"
    rows = json.loads((await swift.on("GET", "?format=json&marker=b")).body)
    assert [(row["name"], row["count"], row["bytes"]) for row in rows] == [("c", 1, 5)]


async def test_every_answer_has_its_own_transaction_id(swift: Swift) -> None:
    """This includes errors; the client's suffix is at the end of the id."""
    seen = set()
    for verb, path in (("GET", ""), ("PUT", "/c/o"), ("GET", "/none/o"), ("PATCH", "/c"), ("GET", "/%ff")):
        got = await swift.on(verb, path, X_Trans_Id_Extra="run 7")
        assert got.headers["X-Trans-Id"].startswith("tx")
        assert got.headers["X-Trans-Id"].endswith("-run%207")
        seen.add(got.headers["X-Trans-Id"])
    assert len(seen) == 5


@pytest.mark.parametrize(("path", "status"), [("/v1", 404), ("/v2/AUTH_test", 404), ("/", 404), ("/v1//c/o", 404)])
async def test_an_invalid_resource_path_is_refused(swift: Swift, path: str, status: int) -> None:
    """The connection stays open."""
    assert (await swift.ask("GET", path)).status == status


# --- containers


async def test_creating_a_container_is_201_and_repeating_it_202(swift: Swift) -> None:
    """201, then 202 for as long as it is there."""
    assert [(await swift.on("PUT", "/new")).status for _ in range(3)] == [201, 202, 202]


async def test_only_an_empty_container_can_be_deleted(swift: Swift) -> None:
    """DELETE is 409 with objects, 204 without, then 404; a new container of that name is empty."""
    await swift.on("PUT", "/c/o", data=b"x")
    assert (await swift.on("DELETE", "/c")).status == 409
    await swift.on("DELETE", "/c/o")
    assert (await swift.on("DELETE", "/c")).status == 204
    for verb in ("DELETE", "GET", "HEAD", "POST"):
        assert (await swift.on(verb, "/c")).status == 404
    assert (await swift.on("PUT", "/c")).status == 201
    assert (await swift.on("GET", "/c")).status == 204


async def test_posted_container_metadata_is_merged(swift: Swift) -> None:
    """POST adds to the metadata of the PUT, and an empty value removes a field."""
    await swift.on("PUT", "/c", X_Container_Meta_A="1", X_Container_Meta_B="2")
    assert (await swift.on("POST", "/c", X_Container_Meta_A="", X_Container_Read=".r:*")).status == 204
    headers = (await swift.on("HEAD", "/c")).headers
    assert ("X-Container-Meta-A" in headers, headers["X-Container-Meta-B"]) == (False, "2")
    assert headers["X-Container-Read"] == ".r:*"


async def test_a_container_name_has_256_bytes_at_most(swift: Swift) -> None:
    """The limit counts bytes, not characters."""
    assert (await swift.on("PUT", "/" + "n" * 256)).status == 201
    assert (await swift.on("PUT", "/" + quote("é") * 129)).status == 400


async def test_an_empty_listing_is_204_as_text_and_200_as_json(swift: Swift) -> None:
    """This is the behaviour of Swift's listing_formats middleware."""
    text, rows = await swift.on("GET", "/c"), await swift.on("GET", "/c?format=json")
    assert (text.status, text.body) == (204, b"")
    assert (rows.status, rows.body) == (200, b"[]")
    assert (await swift.on("HEAD", "/c")).status == 204
    assert (await swift.on("GET", "/c?format=xml")).status == 406


async def test_a_json_row_has_name_hash_bytes_type_and_time(swift: Swift) -> None:
    """With these five fields, a client verifies an upload without a HEAD."""
    await swift.on("PUT", "/c/a.txt", data=b"abc")
    (row,) = json.loads((await swift.on("GET", "/c", Accept="application/json")).body)
    assert row.pop("last_modified")[:4] == time.strftime("%Y", time.gmtime())
    assert row == {
        "name": "a.txt",
        "hash": hashlib.md5(b"abc").hexdigest(),
        "bytes": 3,
        "content_type": "text/plain",
    }


async def test_a_listing_is_paged_by_marker_and_grouped_by_delimiter(swift: Swift) -> None:
    """The query values are decoded: `%2F`, `+` and UTF-8."""
    for name in ("a", "d/1", "d/2", "e f", "é"):
        await swift.on("PUT", "/c/" + quote(name), data=b"")
    assert (await swift.on("GET", "/c?limit=2&marker=a")).body == b"d/1\nd/2\n"
    rows = json.loads((await swift.on("GET", "/c?format=json&delimiter=%2F&marker=a")).body)
    assert [row.get("name", row.get("subdir")) for row in rows] == ["d/", "e f", "é"]
    assert (await swift.on("GET", "/c?marker=e+f")).body == "é\n".encode()
    assert (await swift.on("GET", "/c?prefix=%C3%A9")).body == "é\n".encode()
    assert (await swift.on("GET", "/c?reverse=true&limit=1")).body == "é\n".encode()
    assert (await swift.on("GET", "/c?path=d")).body == b"d/1\nd/2\n"
    assert (await swift.on("GET", "/c?prefix=%ff")).status == 400


async def test_a_listing_limit_above_that_of_the_server_is_412(swift: Swift) -> None:
    """A lowered limit would make the client take a short page for the last."""
    assert (await swift.on("GET", "/c?limit=10000")).status == 204
    got = await swift.on("GET", "/c?limit=10001")
    assert (got.status, got.body) == (412, b"Maximum limit is 10000")


# --- objects


async def test_a_put_stores_the_body_and_answers_its_md5(swift: Swift) -> None:
    """Bodies have a length or are chunked, from none to several megabytes."""
    for size in (0, 1, 70_000, 3_000_001):
        data = bytes(range(256)) * (size // 256 + 1)
        data = data[:size]
        md5 = hashlib.md5(data).hexdigest()
        for body in (io.BytesIO(data), _chunks(data)):
            put = await swift.on("PUT", "/c/o", data=body, Content_Type="x/y", ETag=f'"{md5.upper()}"')
            assert (put.status, put.headers["Etag"]) == (201, md5)
            assert put.headers["Last-Modified"].endswith(" GMT")
            got = await swift.on("GET", "/c/o")
            assert (got.status, got.body == data, got.headers["Etag"]) == (200, True, md5)
            head = await swift.on("HEAD", "/c/o")
            assert (head.status, head.headers["Content-Length"]) == (200, str(size))
            assert head.headers["Content-Type"] == "x/y"


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 50_000):
        yield data[start : start + 50_000]


async def test_a_wrong_etag_is_422_and_stores_nothing(swift: Swift) -> None:
    """An older object of that name stays unchanged."""
    await swift.on("PUT", "/c/o", data=b"old")
    assert (await swift.on("PUT", "/c/o", data=b"new", ETag="0" * 32)).status == 422
    assert (await swift.on("PUT", "/c/p", data=b"new", ETag="0" * 32)).status == 422
    assert (await swift.on("GET", "/c/o")).body == b"old"
    assert (await swift.on("GET", "/c")).body == b"o\n"


async def test_every_object_request_to_a_missing_container_is_404(swift: Swift) -> None:
    """No request creates the container."""
    for verb in ("PUT", "GET", "HEAD", "POST", "DELETE"):
        assert (await swift.on(verb, "/none/o")).status == 404
    assert (await swift.on("GET")).body == b"c\n"


async def test_a_put_without_a_length_is_411(swift: Swift) -> None:
    """The request has neither Content-Length nor chunks (RFC 9110, section 15.5.12)."""
    head = f"PUT /v1/AUTH_test/c/o HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {swift.token}\r\n\r\n"
    assert (await raw(swift.server, head.encode())).startswith(b"HTTP/1.1 411 ")


async def test_if_none_match_star_is_412_for_an_existing_object(swift: Swift) -> None:
    """This includes empty objects; any other value is 400."""
    assert (await swift.on("PUT", "/c/o", data=b"", If_None_Match="*")).status == 201
    assert (await swift.on("PUT", "/c/o", data=b"x", If_None_Match="*")).status == 412
    assert (await swift.on("PUT", "/c/o", data=b"x", If_None_Match="abc")).status == 400
    assert (await swift.on("GET", "/c/o")).body == b""


async def test_the_content_type_is_guessed_from_the_name(swift: Swift) -> None:
    """It is guessed if none is given, or if X-Detect-Content-Type asks for it."""
    for name, sent, expected in (
        ("a.html", {}, "text/html"),
        ("a", {}, "application/octet-stream"),
        ("a.html", {"Content_Type": "x/y", "X_Detect_Content_Type": "true"}, "text/html"),
        ("data:x.png", {}, "image/png"),
    ):
        await swift.on("PUT", "/c/" + name, data=b"x", **sent)
        assert (await swift.on("HEAD", "/c/" + name)).headers["Content-Type"] == expected


async def test_metadata_and_stored_headers_come_back(swift: Swift) -> None:
    """A gzip body stays as it was sent, and other headers are dropped."""
    await swift.on(
        "PUT", "/c/o", data=b"not gzip at all", Content_Encoding="gzip", X_Object_Meta_Mtime="1.5", X_Other="no"
    )
    reader_is_raw = {"Accept-Encoding": "identity"}
    head = (await swift.on("HEAD", "/c/o", **reader_is_raw)).headers
    assert (head["Content-Encoding"], head["X-Object-Meta-Mtime"]) == ("gzip", "1.5")
    assert (head["Content-Length"], "X-Other" in head) == ("15", False)


async def test_put_and_post_replace_all_metadata(swift: Swift) -> None:
    """POST keeps the bytes, the ETag and, unless a new one is given, the Content-Type."""
    await swift.on("PUT", "/c/o", data=b"x", Content_Type="x/y", X_Object_Meta_A="1")
    assert (await swift.on("POST", "/c/o", X_Object_Meta_B="2")).status == 202
    got = await swift.on("GET", "/c/o")
    assert (got.body, got.headers["Content-Type"]) == (b"x", "x/y")
    assert ("X-Object-Meta-A" in got.headers, got.headers["X-Object-Meta-B"]) == (False, "2")
    await swift.on("PUT", "/c/o", data=b"y")
    assert "X-Object-Meta-B" not in (await swift.on("HEAD", "/c/o")).headers
    assert (await swift.on("POST", "/c/none")).status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Object-Meta-" + "k" * 129: "v"},
        {"X-Object-Meta-K": "v" * 257},
        {"X-Object-Meta-": "v"},
        {f"X-Object-Meta-{n}": "v" for n in range(91)},
        {f"X-Object-Meta-{n}": "v" * 256 for n in range(17)},
        {"X-Delete-At": "1"},
        {"X-Delete-At": "soon"},
        {"X-Delete-After": "-1"},
        {"Content-Type": "text/plain; swift_bytes=1"},
    ],
)
async def test_headers_beyond_the_limits_are_400(swift: Swift, headers: dict[str, str]) -> None:
    """Nothing is stored."""
    assert (await swift.on("PUT", "/c/o", data=b"x", **headers)).status == 400
    assert (await swift.on("GET", "/c")).status == 204


async def test_an_expired_object_is_404(swift: Swift) -> None:
    """It may stay in listings until it is deleted or replaced."""
    assert (await swift.on("PUT", "/c/o", data=b"x", X_Delete_After="1")).status == 201
    assert int((await swift.on("HEAD", "/c/o")).headers["X-Delete-At"]) <= time.time() + 1
    await asyncio.sleep(1.05)
    for verb in ("GET", "HEAD", "POST", "DELETE"):
        assert (await swift.on(verb, "/c/o")).status == 404
    assert (await swift.on("PUT", "/c/o", data=b"x", If_None_Match="*")).status == 201


async def test_deleting_an_object_is_204_and_repeating_it_404(swift: Swift) -> None:
    """A deleted object is neither in the listing nor in the totals."""
    await swift.on("PUT", "/c/o", data=b"x")
    assert [(await swift.on("DELETE", "/c/o")).status for _ in range(2)] == [204, 404]
    head = await swift.on("HEAD", "/c")
    assert (head.headers["X-Container-Object-Count"], head.headers["X-Container-Bytes-Used"]) == ("0", "0")


@pytest.mark.parametrize(
    ("span", "status", "body"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=0-99", 206, b"0123456789"),
        ("bytes=-0", 416, None),
        ("bytes=10-", 416, None),
        ("bytes=1-2,4-5", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
async def test_a_single_range_is_served(swift: Swift, span: str, status: int, body: bytes | None) -> None:
    """Several ranges are ignored, as RFC 9110, section 14, allows."""
    await swift.on("PUT", "/c/o", data=b"0123456789")
    got = await swift.on("GET", "/c/o", Range=span)
    assert got.status == status
    assert body is None or got.body == body
    head = await swift.on("HEAD", "/c/o", Range=span)
    assert (head.status, head.headers["Content-Length"]) == (200, "10")


async def test_a_get_with_a_matching_if_none_match_is_304(swift: Swift) -> None:
    """The ETag may be quoted or bare."""
    etag = (await swift.on("PUT", "/c/o", data=b"x")).headers["Etag"]
    assert (await swift.on("GET", "/c/o", If_None_Match=f'"{etag}"')).status == 304
    assert (await swift.on("GET", "/c/o", If_None_Match="other")).status == 200


@pytest.mark.parametrize("verb", ["COPY", "PUT"])
@pytest.mark.parametrize("fresh", ["false", "true"])
async def test_a_copy_keeps_what_is_stored_unless_the_request_replaces_it(swift: Swift, verb: str, fresh: str) -> None:
    """By COPY and by X-Copy-From. X-Fresh-Metadata keeps the type only."""
    kept = {"Content_Type": "a/b", "Content_Disposition": "inline", "X_Object_Meta_A": "1", "X_Object_Meta_B": "2"}
    await swift.on("PUT", "/c/o%20o", data=b"bytes", **kept)
    there = {"COPY": {"Destination": "/c/new"}, "PUT": {"X_Copy_From": "c/o%20o"}}[verb]
    replaced = {"X_Object_Meta_b": "3", "X_Fresh_Metadata": fresh}
    got = await swift.on(verb, "/c/o%20o" if verb == "COPY" else "/c/new", **there, **replaced)
    assert (got.status, got.headers["X-Copied-From"]) == (201, "c/o%20o")
    copied = await swift.on("GET", "/c/new")
    assert (copied.body, copied.headers["Etag"]) == (b"bytes", got.headers["Etag"])
    assert (copied.headers["Content-Type"], copied.headers["X-Object-Meta-B"]) == ("a/b", "3")
    others = copied.headers.get("X-Object-Meta-A"), copied.headers.get("Content-Disposition")
    assert others == ((None, None) if fresh == "true" else ("1", "inline"))


@pytest.mark.parametrize(
    ("verb", "path", "headers", "status"),
    [
        ("COPY", "/c/o", {}, 412),
        ("COPY", "/c/o", {"Destination": "c"}, 412),
        ("COPY", "/c/o", {"Destination": "absent/o"}, 404),
        ("COPY", "/c/absent", {"Destination": "c/new"}, 404),
        ("COPY", "/absent/o", {"Destination": "c/new"}, 404),
        ("COPY", "/c/o", {"Destination": "c/" + "n" * 1025}, 400),
        ("PUT", "/c/new", {"X_Copy_From": "o"}, 412),
        ("PUT", "/c/new", {"X_Copy_From": "c/absent"}, 404),
    ],
)
async def test_an_impossible_copy_is_refused_and_makes_nothing(
    swift: Swift, verb: str, path: str, headers: dict[str, str], status: int
) -> None:
    """With the statuses of Swift's copy middleware."""
    await swift.on("PUT", "/c/o", data=b"x")
    assert (await swift.on(verb, path, **headers)).status == status
    assert (await swift.on("GET", "/c")).body == b"o\n"


async def test_a_copy_by_put_with_a_body_is_400(swift: Swift) -> None:
    """The body would be lost."""
    await swift.on("PUT", "/c/o", data=b"x")
    assert (await swift.on("PUT", "/c/new", data=b"y", X_Copy_From="c/o")).status == 400


# --- names


NAMES = [
    "a/../b", "a//b", "./x", "../../etc/passwd", "/", "//", "dir/", ".", "..", "a;b=c", "a+b", "a b", "a\nb", "a%2Fb",
    "%", "%25", "a?b", "a#b", "ünï/\U0001f600", "\x7f\x01", "a\\b", "é" * 512,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_an_object_name_is_kept_verbatim(swift: Swift, name: str) -> None:
    """The path is decoded once and never normalised."""
    path = "/c/" + quote(name, safe="/")
    assert (await swift.on("PUT", path, data=name.encode())).status == 201
    assert (await swift.on("GET", path)).body == name.encode()
    (row,) = json.loads((await swift.on("GET", "/c?format=json")).body)
    assert row["name"] == name


@pytest.mark.parametrize(("path", "status"), [("/c/%ff", 412), ("/c/a%00b", 412), ("/c/" + "n" * 1025, 400)])
async def test_an_invalid_object_name_is_refused(swift: Swift, path: str, status: int) -> None:
    """A name with a NUL or invalid UTF-8 is 412; one over 1024 bytes is 400."""
    assert (await swift.on("PUT", path, data=b"x")).status == status


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_quoted_name_is_parsed_back(name: str) -> None:
    """This holds for all names without NUL, with quoted or plain slashes."""
    for safe in ("/", ""):
        target = parse_target("/v1/AUTH_test/c/" + quote(name, safe=safe) + "?q=1")
        assert (target.kind, target.container, target.name, target.query) == (ResourceKind.OBJECT, "c", name, "q=1")


# --- bodies that are refused, cut short, or announced


class TestLimits:
    """With limits a test can reach."""

    @pytest.fixture
    def options(self) -> DevServerOptions:
        return DevServerOptions(limits=SwiftConstraints(max_file_size=1000, max_object_name_length=10))

    async def test_a_body_above_the_size_limit_is_413(self, swift: Swift) -> None:
        """A body with a length is refused at once, a chunked one when it reaches the limit."""
        assert (await swift.on("PUT", "/c/o", data=b"x" * 1000)).status == 201
        assert (await swift.on("PUT", "/c/p", data=b"x" * 1001)).status == 413
        assert (await swift.on("PUT", "/c/p", data=_chunks(b"x" * 1001))).status == 413
        assert (await swift.on("GET", "/c")).body == b"o\n"

    async def test_info_has_the_configured_limits(self, swift: Swift) -> None:
        """Clients read their limits there."""
        assert json.loads((await swift.ask("GET", "/info")).body)["swift"]["max_file_size"] == 1000


async def test_an_incomplete_body_stores_nothing(swift: Swift) -> None:
    """The body has a length or chunks and ends early or late; the request is counted as 499."""
    head = f"PUT /v1/AUTH_test/c/o HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {swift.token}\r\n"
    for rest in (
        b"Content-Length: 10\r\n\r\n12345",
        b"Content-Length: 3000000\r\n\r\n" + b"x" * 2_500_000,
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", swift.server.port)
        writer.write(head.encode() + rest)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(5):
        while swift.server.traffic.statuses["PUT", ResourceKind.OBJECT, 499] < 3:
            await asyncio.sleep(0.01)
    assert (await swift.on("GET", "/c")).status == 204


async def test_malformed_chunks_store_nothing(swift: Swift) -> None:
    """A malformed chunk is not taken for the end of the body."""
    head = f"PUT /v1/AUTH_test/c/o HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {swift.token}\r\n"
    await raw(swift.server, head.encode() + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n", pause=0.02)
    assert (await swift.on("GET", "/c")).status == 204


async def test_a_connection_stays_usable_after_an_early_answer(swift: Swift) -> None:
    """The server reads and drops the rest of the refused body."""
    token = f"Host: x\r\nX-Auth-Token: {swift.token}\r\n"
    refused = f"PUT /v1/AUTH_test/none/o HTTP/1.1\r\n{token}Content-Length: 300000\r\n\r\n".encode() + b"GET " * 75_000
    fine = f"PUT /v1/AUTH_test/c/o HTTP/1.1\r\n{token}Connection: close\r\nContent-Length: 2\r\n\r\nok".encode()
    answers = await raw(swift.server, refused, fine)
    assert answers.startswith(b"HTTP/1.1 404 ")
    assert answers.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 201 " in answers


async def test_a_100_continue_is_sent_only_after_the_checks(swift: Swift) -> None:
    """A refused request gets its final answer instead, and the connection closes."""
    for path, expected in (("/none/o", b"HTTP/1.1 404 "), ("/c/o", b"HTTP/1.1 100 Continue\r\n\r\n")):
        reader, writer = await asyncio.open_connection("127.0.0.1", swift.server.port)
        head = f"PUT /v1/AUTH_test{path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {swift.token}\r\n"
        writer.write(head.encode() + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(25), 5)
        assert answer.startswith(expected)
        if b"100" in expected:
            writer.write(b"ok")
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201 ")
        else:
            assert b"Connection: close" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()


async def test_the_later_put_wins_even_if_it_ends_first(swift: Swift) -> None:
    """Swift orders writes by the time at which they arrived."""
    head = f"PUT /v1/AUTH_test/c/o HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {swift.token}\r\n"
    slow = asyncio.create_task(raw(swift.server, head.encode() + b"Content-Length: 4\r\n\r\nsl", b"ow", pause=0.1))
    await asyncio.sleep(0.05)
    await swift.on("PUT", "/c/o", data=b"quick")
    assert (await slow).startswith(b"HTTP/1.1 201 ")
    assert (await swift.on("GET", "/c/o")).body == b"quick"


async def test_concurrent_puts_of_one_object_leave_exactly_one(swift: Swift) -> None:
    """The object is whole, has its own ETag and is listed once."""
    bodies = [bytes([number]) * 100_000 for number in range(16)]
    answers = await asyncio.gather(*(swift.on("PUT", "/c/o", data=body) for body in bodies))
    assert {answer.status for answer in answers} == {201}
    got = await swift.on("GET", "/c/o")
    assert got.body in bodies
    assert got.headers["Etag"] == hashlib.md5(got.body).hexdigest()
    assert (await swift.on("HEAD", "/c")).headers["X-Container-Bytes-Used"] == "100000"


# --- what tests and the demo need


async def test_the_latency_of_each_verb_is_applied() -> None:
    """Only object requests wait; an object is stored while its PUT still waits."""
    async with (
        DevServer(DevServerOptions(latency=Latency(put=0.2))) as server,
        aiohttp.ClientSession() as session,
    ):
        swift = Swift(server, session)
        start = time.monotonic()
        swift.token = (await swift.ask("GET", "/auth/v1.0", **LOGIN)).headers["X-Auth-Token"]
        await swift.on("PUT", "/c")
        assert time.monotonic() - start < 0.2
        puts = [asyncio.create_task(swift.on("PUT", f"/c/{n}", data=b"x")) for n in range(10)]
        await asyncio.sleep(0.1)
        assert (await swift.on("HEAD", "/c/9")).status == 200
        await asyncio.gather(*puts)
        assert 0.2 <= time.monotonic() - start < 1.0
        assert server.traffic.peak_in_flight >= 10


async def test_the_server_counts_requests_connections_and_bytes(swift: Swift) -> None:
    """Requests are counted by verb, kind and status."""
    traffic = swift.server.traffic
    for number in range(5):
        await swift.on("PUT", f"/c/{number}", data=b"abc")
    await swift.on("GET", "/c")
    assert traffic.requests == {("PUT", ResourceKind.OBJECT): 5, ("GET", ResourceKind.CONTAINER): 1}
    assert traffic.statuses["PUT", ResourceKind.OBJECT, 201] == 5
    assert (traffic.bytes_received, traffic.in_flight, traffic.peak_in_flight) == (15, 0, 1)
    await raw(swift.server, b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert traffic.connections == 1


async def test_an_intercepting_layer_can_answer_or_change_answers() -> None:
    """It answers itself, or changes what was answered."""

    async def layer(request: aiohttp.web.BaseRequest, handler: Handler) -> aiohttp.web.StreamResponse:
        if request.headers.get("X-Fault") == "slow down":
            return aiohttp.web.Response(status=503)
        response = await handler(request)
        response.headers["X-Seen"] = "yes"
        return response

    async with DevServer(intercept=layer) as server, aiohttp.ClientSession() as session:
        swift = Swift(server, session)
        assert (await swift.ask("GET", "/healthcheck", X_Fault="slow down")).status == 503
        assert (await swift.ask("GET", "/healthcheck")).headers["X-Seen"] == "yes"
        assert sum(server.traffic.requests.values()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_bind_address_beyond_loopback_is_refused(host: str) -> None:
    """`allow_remote` permits it."""
    with pytest.raises(ValueError, match="loopback"):
        DevServerOptions(host=host)
    assert DevServerOptions(host=host, allow_remote=True).host == host


def test_the_key_is_in_no_repr() -> None:
    """Options are printed in tracebacks and logs."""
    assert "verysecret" not in repr(DevServerOptions(key="verysecret"))
