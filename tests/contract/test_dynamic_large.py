"""Dynamic large objects: the devserver answers what a real Swift answers."""

import hashlib
import time

import pytest

from tests.contract.test_static_large import BIG, RANGES, slo_etag
from tests.contract.wire import Account, Answer
from tests.servers.swift import RealSwift


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class DynamicLargeObjects:
    """The same tests for both servers."""

    @pytest.fixture
    def stored(self, account: Account) -> str:
        """The object `o`, whose own bytes are `own`, of the segments `hello` and `world`; gives its ETag."""
        parts = [account.segment(name, content) for name, content in (("x/2", b"world"), ("x/1", b"hello"))]
        account.segment("y", b"another prefix")
        put = self.put(account, "o", "x/", b"own", Content_Type="a/b")
        assert (put.status, put["Etag"]) == (201, md5(b"own"))
        return slo_etag(parts[1]["etag"], parts[0]["etag"])

    def put(self, account: Account, name: str, prefix: str, content: bytes = b"", **headers: str) -> Answer:
        manifest = f"{account.s}/{prefix}"
        return account.ask("PUT", f"/{account.c}/{name}", content, X_Object_Manifest=manifest, **headers)

    def test_the_objects_below_a_prefix_are_one_object(self, account: Account, stored: str) -> None:
        """In the order of their names. The ETag is quoted, and the MD5 of their ETags."""
        for method, body in (("GET", b"helloworld"), ("HEAD", b"")):
            got = account.ask(method, f"/{account.c}/o")
            assert (got.status, got.body, got["Content-Length"], got["Etag"]) == (200, body, "10", stored)
            assert (got["X-Object-Manifest"], got["Content-Type"]) == (f"{account.s}/x/", "a/b")

    def test_later_segments_belong_to_it_too(self, account: Account, stored: str) -> None:
        """The list is read with each request, and nothing but names counts."""
        account.segment("x/3", b"!")
        account.segment("x/1", b"HELLO, ")
        got = account.get("o")
        assert (got.body, got["Content-Length"], got["Etag"] != stored) == (b"HELLO, world!", "13", True)

    def test_the_object_itself_can_be_read(self, account: Account, stored: str) -> None:
        """multipart-manifest=get gives its own bytes; listings have only these."""
        got = account.get("o", "?multipart-manifest=get")
        assert (got.body, got["Etag"], got["X-Object-Manifest"]) == (b"own", md5(b"own"), f"{account.s}/x/")
        (row,) = account.rows(account.c)
        assert (row["bytes"], row["hash"], "slo_etag" in row) == (3, md5(b"own"), False)

    @pytest.mark.parametrize(("span", "status", "body"), RANGES)
    def test_a_range_crosses_segments(
        self, account: Account, stored: str, span: str, status: int, body: bytes | None
    ) -> None:
        """As of a plain object."""
        got = account.get("o", Range=span)
        assert (got.status, got.body if body is not None else None) == (status, body)
        assert (got["Content-Range"] is None) == (status == 200)

    def test_if_none_match_compares_the_etag_of_the_whole(self, account: Account, stored: str) -> None:
        """That of the object itself is another."""
        assert account.get("o", If_None_Match=stored).status == 304
        assert account.get("o", If_None_Match=md5(b"own")).status == 200

    def test_the_prefix_is_quoted(self, account: Account) -> None:
        """So it may have any character."""
        account.segment("a%20b%3F", b"found")
        assert self.put(account, "o", "a%20b%3F").status == 201
        assert account.get("o").body == b"found"

    def test_without_segments_it_is_empty(self, account: Account) -> None:
        """Without their container it is 404."""
        self.put(account, "o", "none/", b"own")
        got = account.get("o")
        assert (got.status, got.body, got["Etag"]) == (200, b"", f'"{md5(b"")}"')
        account.ask("PUT", f"/{account.c}/p", X_Object_Manifest="no-container/x")
        assert [account.ask(method, f"/{account.c}/p").status for method in ("GET", "HEAD")] == [404, 404]

    @pytest.mark.parametrize("value", ["x", "x/", "/x", "a/b?c", "a/b&c", "a//b", ""])
    def test_a_manifest_without_container_and_prefix_is_400(self, account: Account, value: str) -> None:
        """The PUT is refused."""
        assert account.ask("PUT", f"/{account.c}/o", X_Object_Manifest=value).status == 400
        assert account.names(account.c) == []

    def test_a_post_without_the_header_ends_it(self, account: Account, stored: str) -> None:
        """As all metadata is replaced; with the header it stays."""
        account.ask("POST", f"/{account.c}/o", X_Object_Manifest=f"{account.s}/y")
        assert account.get("o").body == b"another prefix"
        account.ask("POST", f"/{account.c}/o", X_Object_Meta_A="1")
        assert account.get("o").body == b"own"

    def test_a_delete_keeps_the_segments(self, account: Account, stored: str) -> None:
        """Also with multipart-manifest=delete, which is for static ones."""
        got = account.ask("DELETE", f"/{account.c}/o?multipart-manifest=delete", Accept="application/json")
        assert got.json["Errors"] == [[f"/{account.c}/o", "Not an SLO manifest"]]
        assert account.ask("DELETE", f"/{account.c}/o").status == 204
        assert (account.names(account.c), account.names(account.s)) == ([], ["x/1", "x/2", "y"])

    def test_a_copy_is_a_plain_object_or_another_manifest(self, account: Account, stored: str) -> None:
        """The latter with multipart-manifest=get, and with fresh metadata too."""
        copied = account.ask("COPY", f"/{account.c}/o", Destination=f"{account.c}/plain")
        got = account.get("plain")
        assert (copied["Etag"], got["Etag"]) == (md5(b"helloworld"),) * 2
        assert (got.body, got["X-Object-Manifest"], got["Content-Type"]) == (b"helloworld", None, "a/b")
        for fresh in ("no", "yes"):
            path = f"/{account.c}/new?multipart-manifest=get"
            copied = account.ask("PUT", path, X_Copy_From=f"{account.c}/o", X_Fresh_Metadata=fresh)
            got = account.get("new")
            assert (copied.status, copied["Etag"], got.body) == (201, md5(b"own"), b"helloworld")
            assert got["X-Object-Manifest"] == f"{account.s}/x/"
            assert account.get("new", "?multipart-manifest=get").body == b"own"

    def test_a_large_object_is_no_segment_of_another(self, account: Account, stored: str) -> None:
        """A static one accepts it, and then cannot be read; a dynamic one has the bytes of its manifest."""
        etag = account.put("s", [{"path": f"/{account.c}/o", "size_bytes": 10, "etag": stored.strip('"')}])["Etag"]
        assert (etag, account.get("s").status) == (slo_etag(stored.strip('"')), 409)
        one = account.segment("z/1", b"hello")
        inner = account.ask("PUT", f"/{account.s}/z/2?multipart-manifest=put", f'[{{"path": "{one["path"]}"}}]')
        assert inner.status == 201
        self.put(account, "d", "z/")
        assert account.get("d").body == b'hello[{"na'
        rows = [row for row in account.rows(account.s) if row["name"].startswith("z/")]
        inner_etag = str(rows[1]["slo_etag"]).strip('"')
        assert account.get("d")["Etag"] == slo_etag(rows[0]["hash"], f"{rows[1]['hash']}; slo_etag={inner_etag}")

    def test_an_expired_segment_is_lost(self, account: Account) -> None:
        """It is listed until the expirer deletes it: 409 if it is the first, else the connection ends early."""
        for name, content, headers in (("e/1", BIG, {}), ("e/2", b"2", {"X_Delete_After": "1"}), ("e/3", b"3", {})):
            assert account.ask("PUT", f"/{account.s}/{name}", content, **headers).status == 201
        self.put(account, "first", "e/2")
        self.put(account, "later", "e/")
        while account.ask("HEAD", f"/{account.s}/e/2").status == 200:
            time.sleep(0.05)
        assert account.get("first").status == 409
        got = account.get("later")
        assert (got.status, got["Content-Length"], got.body == BIG, got.complete) == (200, "70002", True, False)


class TestDevServer(DynamicLargeObjects):
    @pytest.fixture
    def account(self, server: RealSwift) -> Account:
        return Account(server)


@pytest.mark.swift
class TestSwift(DynamicLargeObjects):
    @pytest.fixture
    def account(self, swift: RealSwift) -> Account:
        return Account(swift)
