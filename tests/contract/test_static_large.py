"""Static large objects: the devserver answers what a real Swift answers."""

import hashlib
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.wire import Account
from tests.servers.swift import RealSwift

BIG = b"b" * 70_000  # far beyond what a web server keeps back before it sends the head
RANGES = [
    ("bytes=3-6", 206, b"lowo"), ("bytes=5-", 206, b"world"), ("bytes=-2", 206, b"ld"),
    ("bytes=0-99", 206, b"helloworld"), ("bytes=-99", 206, b"helloworld"), ("bytes=10-", 416, None),
    ("bytes=6-5", 200, b"helloworld"), ("bytes=-", 200, b"helloworld"), ("lines=1-2", 200, b"helloworld"),
]  # fmt: skip
INVALID: list[tuple[object, str]] = [
    ("{", "Manifest must be valid JSON."),
    ({}, "Manifest must be a list."),
    (["x"], "Index 0: not a JSON object"),
    ([{"path": "/a/b", "b": 1, "a": 2}], 'Index 0: extraneous keys "a", "b"'),
    ([{"path": 5}], 'Index 0: "path" must be a string'),
    ([{"path": "/a/"}], "Index 0: path does not refer to an object. Path must be of the form /container/object."),
    ([{"path": "/a/b", "etag": 5}], 'Index 0: "etag" must be a string or null (if provided)'),
    ([{"path": "/a/b", "size_bytes": "x"}], "Index 0: invalid size_bytes"),
    ([{"path": "/a/b", "size_bytes": 0}] * 2, "Index 0: too small; each segment must be at least 1 byte."),
    ([{"path": "/a/b", "range": "5-2"}], "Index 0: invalid range"),
    ([{"path": "/a/b", "range": 7}], "Index 0: invalid range"),
    ([{"path": "/a/b", "range": "1-2,3-4"}], "Index 0: multiple ranges (only one allowed)"),
    ([{"path": "/a/b", "range": "9-", "size_bytes": 5}], "Index 0: unsatisfiable range"),
    ([{"data": "!!"}, {"path": "/a/b"}], "Index 0: data must be valid base64"),
    ([{"data": "a"}, {"path": "/a/b"}], "Index 0: data must be valid base64"),
    ([{"data": ""}, {"path": "/a/b"}], "Index 0: too small; each segment must be at least 1 byte."),
    ([{"data": "aGk=", "path": "/a/b"}, {"path": "/a/b"}], 'Index 0: extraneous keys "path"'),
    ([{"data": "aGk="}], "Inline data segments require at least one object-backed segment."),
    ([{"path": 5}, {"data": "!!"}], 'Index 0: "path" must be a string\nIndex 1: data must be valid base64'),
]


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def slo_etag(*parts: str) -> str:
    return f'"{md5("".join(parts).encode())}"'


class StaticLargeObjects:
    """The same tests for both servers."""

    @pytest.fixture
    def hello(self, account: Account) -> list[dict[str, Any]]:
        """The entries of two segments, `hello` and `world`."""
        return [account.segment("1", b"hello"), account.segment("2", b"world")]

    # --- PUT

    def test_a_manifest_makes_one_object_of_its_segments(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """PUT, HEAD and GET: the ETag is quoted, and the MD5 of the segments' MD5s."""
        etag = slo_etag(hello[0]["etag"], hello[1]["etag"])
        put = account.put("big.txt", hello, X_Object_Meta_A="1")
        assert (put.status, put["Etag"], put.body) == (201, etag, b"")
        assert str(put["Last-Modified"]).endswith(" GMT")
        for method, body in (("GET", b"helloworld"), ("HEAD", b"")):
            got = account.ask(method, f"/{account.c}/big.txt")
            assert (got.status, got.body, got["Content-Length"], got["Etag"]) == (200, body, "10", etag)
            assert (got["X-Static-Large-Object"], got["Content-Type"], got["X-Object-Meta-A"]) == (
                "True",
                "text/plain",
                "1",
            )
            assert got["X-Manifest-Etag"] == md5(account.get("big.txt", "?multipart-manifest=get").body)

    def test_what_is_not_given_of_a_segment_is_not_compared(self, account: Account) -> None:
        """Of path, ETag and size only the path is needed. The size may be text, the path may lack its slash."""
        account.segment("1", b"hello")
        for entry in (
            {"path": f"/{account.s}/1"},
            {"path": f"{account.s}/1", "etag": None, "size_bytes": "5"},
            {"path": f"//{account.s}/1", "size_bytes": None, "range": None},
        ):
            assert account.put("o", [entry]).status == 201
            assert account.get("o").body == b"hello"
            assert account.get("o", "?multipart-manifest=get").json[0]["name"] == f"/{account.s}/1"

    def test_ranges_and_inline_data_are_segments_too(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """A range is noted as first and last byte, unless it is the whole object."""
        parts = [
            {**hello[0], "range": "1-2"},
            {**hello[0], "range": "0-"},
            {**hello[1], "range": "-2"},
            {"data": "aGk==="},
        ]
        put = account.put("o", parts)
        one, two = hello[0]["etag"], hello[1]["etag"]
        assert (put.status, put["Etag"]) == (201, slo_etag(f"{one}:1-2;", one, f"{two}:3-4;", md5(b"hi")))
        assert account.get("o").body == b"elhelloldhi"
        assert account.get("o", Range="bytes=1-8").body == b"lhellold"
        rows = account.get("o", "?multipart-manifest=get").json
        assert [row.get("range") for row in rows] == ["1-2", None, "3-4", None]
        assert rows[3] == {"data": "aGk="}
        raw = account.get("o", "?multipart-manifest=get&format=raw").json
        assert raw == [{**hello[0], "range": "1-2"}, hello[0], {**hello[1], "range": "3-4"}, {"data": "aGk="}]

    def test_a_segment_may_be_a_large_object_itself(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """The whole of it, or a range of its bytes."""
        account.put("a", hello)
        entry = {"path": f"/{account.c}/a"}
        assert account.put("o", [entry, {**entry, "range": "3-6"}]).status == 201
        assert account.get("o").body == b"helloworldlowo"
        assert account.get("o", Range="bytes=8-11").body == b"ldlo"
        (whole, part) = account.get("o", "?multipart-manifest=get").json
        assert (whole["bytes"], whole["sub_slo"], part["range"], part["sub_slo"]) == (10, True, "3-6", True)
        assert f'"{whole["hash"]}"' == slo_etag(hello[0]["etag"], hello[1]["etag"])

    @pytest.mark.parametrize(("entries", "text"), INVALID)
    def test_an_invalid_manifest_is_400(self, account: Account, entries: object, text: str) -> None:
        """Every entry's first fault is told, in plain text, also with a heartbeat."""
        for query in ("", "&heartbeat=on"):
            got = account.put("o", entries, query, Accept="application/json")
            assert (got.status, got.body.decode()) == (400, text + "\n")
        assert account.names(account.c) == []

    def test_a_manifest_that_names_itself_is_400(self, account: Account) -> None:
        """With or without the slash before the container."""
        for slash in ("/", ""):
            got = account.put("o%20o", [{"path": f"{slash}{account.c}/o o"}])
            assert (got.status, got.body) == (400, b"Index 0: manifest must not include itself as a segment\n")

    def test_a_manifest_without_entries_is_an_empty_object(self, account: Account) -> None:
        """And so is one whose last and only segment is empty."""
        account.segment("0", b"")
        for entries, etag in (([], slo_etag("")), ([{"path": f"/{account.s}/0"}], slo_etag(md5(b"")))):
            assert account.put("o", entries)["Etag"] == etag
            got = account.get("o")
            assert (got.status, got.body, got["Content-Length"], got["Etag"]) == (200, b"", "0", etag)

    def bad(self, account: Account) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
        """Entries that are all wrong, and the errors they make."""
        one, empty = account.segment("1", b"hello"), account.segment("0", b"")
        accented = account.segment(quote("é 1"), b"xyz")
        accented["path"] = f"/{account.s}/é 1"
        path, etag = one["path"], one["etag"]
        entries = [
            {"path": f"/{account.s}/none"}, {"path": "/no-container/a b"}, {"path": f"/{account.s}/a\0"},
            {**accented, "etag": etag}, {"path": empty["path"]}, {"path": path, "etag": "x", "size_bytes": 7},
            {"path": path, "etag": etag.upper()}, {"path": path, "etag": f'"{etag}"'}, {"path": path, "range": "9-"},
        ]  # fmt: skip
        errors = [
            (f"/{account.s}/none", "404 Not Found"), ("/no-container/a%20b", "404 Not Found"),
            (f"/{account.s}/a%00", "412 Precondition Failed"), (f"/{account.s}/%C3%A9%201", "Etag Mismatch"),
            (empty["path"], "Too small; each segment must be at least 1 byte."), (path, "Size Mismatch"),
            (path, "Etag Mismatch"), (path, "Etag Mismatch"), (path, "Etag Mismatch"), (path, "Unsatisfiable Range"),
        ]  # fmt: skip
        return entries, errors

    def test_segments_that_are_not_as_stated_are_400(self, account: Account) -> None:
        """All of them are told, as JSON or as text, and nothing is stored."""
        entries, errors = self.bad(account)
        got = account.put("o", entries, Accept="application/json")
        assert (got.status, got["Content-Type"], list(got.json)) == (400, "application/json", ["Errors"])
        assert sorted(map(tuple, got.json["Errors"])) == sorted(errors)
        for accept in ({}, {"Accept": "image/png"}, {"Accept": "bad"}):
            got = account.put("o", entries, **accept)
            first, *lines = got.body.decode().splitlines()
            assert (got.status, got["Content-Type"], first) == (400, "text/plain", "Errors:")
            assert sorted(lines) == sorted(", ".join(error) for error in errors)
        assert account.names(account.c) == []

    def test_the_etag_of_the_request_is_that_of_the_large_object(
        self, account: Account, hello: list[dict[str, Any]]
    ) -> None:
        """Bare or quoted; another one is 422, and so is one in upper case."""
        etag = slo_etag(hello[0]["etag"], hello[1]["etag"])
        answers = [account.put("o", hello, ETag=given).status for given in (etag.upper(), "0" * 32)]
        assert (answers, account.names(account.c)) == ([422, 422], [])
        assert [account.put("o", hello, ETag=given).status for given in (etag, etag.strip('"'))] == [201, 201]

    def test_the_rules_of_a_plain_put_hold_too(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """Its container, its name, its metadata and If-None-Match; the manifest is looked at before."""
        assert account.ask("PUT", "/no-container/o?multipart-manifest=put", "{").status == 400
        assert account.ask("PUT", "/no-container/o?multipart-manifest=put", "[]").status == 404
        assert account.put("n" * 1025, hello).status == 400
        assert account.put("o", hello, X_Object_Meta_A="x" * 257).status == 400
        assert account.put("o", hello, If_None_Match="x").status == 400
        assert [account.put("o", hello, If_None_Match="*").status for _ in range(2)] == [201, 412]

    def test_a_manifest_beyond_the_limits_is_413(self, account: Account) -> None:
        """In entries that name objects, and in bytes."""
        assert account.info()["slo"]["max_manifest_segments"] == 1000
        account.segment("1", b"hello")
        entry = {"path": f"/{account.s}/1"}
        many = account.put("o", [entry] * 1001)
        assert (many.status, many.body) == (413, b"Number of object-backed segments must be <= 1000")
        assert account.put("o", [entry] * 1000 + [{"data": "aGk="}]).status == 201
        long = account.put("o", " " * account.info()["slo"]["max_manifest_size"] + "[]")
        assert (long.status, long.body) == (413, b"Manifest File > 8388608 bytes")

    def test_the_header_of_a_large_object_is_reserved(self, account: Account) -> None:
        """It is 400 on every request that changes an object."""
        for method in ("PUT", "POST", "DELETE"):
            assert account.ask(method, f"/{account.c}/o", "", X_Static_Large_Object="true").status == 400

    # --- PUT with a heartbeat

    def test_a_heartbeat_answers_202_and_then_the_result(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """A space at once, and at the end the report: JSON or text."""
        etag = slo_etag(hello[0]["etag"], hello[1]["etag"])
        got = account.put("o", hello, "&heartbeat=on", Accept="application/json")
        assert (got.status, got["Content-Type"], got.body[:6]) == (202, "application/json", b" \r\n\r\n{")
        moment = account.get("o")["Last-Modified"]
        report = {
            "Response Status": "201 Created",
            "Etag": etag,
            "Last Modified": moment,
            "Response Body": "",
            "Errors": [],
        }
        assert (got.json, list(got.json)) == (report, list(report))
        text = account.put("o", hello, "&heartbeat=on")
        moment = account.get("o")["Last-Modified"]
        lines = f"Etag: {etag}\nLast Modified: {moment}\nResponse Body: \nResponse Status: 201 Created\nErrors:\n"
        assert (text.status, text["Content-Type"], text.body.decode()) == (202, "text/plain", " \r\n\r\n" + lines)

    @pytest.mark.parametrize(
        ("accept", "kind"),
        [
            ("*/*", "text/plain"), ("application/*", "application/json"), ("image/png", "text/plain"),
            ("bad", "text/plain"),
            ("text/plain;q=0.3, application/json", "application/json"), ("application/json;q=0.5, */*", "text/plain"),
            ("application/json; charset=utf-8, text/*", "application/json"),
        ],
    )  # fmt: skip
    def test_the_form_of_a_report_is_negotiated(self, account: Account, accept: str, kind: str) -> None:
        """By the quality of what is accepted; text if nothing fits."""
        assert account.put("o", [], "&heartbeat=on", Accept=accept)["Content-Type"] == kind

    def test_a_failure_after_a_heartbeat_is_in_the_report(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """The status is 202 all the same."""
        entries, errors = self.bad(account)
        got = account.put("o", entries, "&heartbeat=on", Accept="application/json")
        report = got.json
        assert (got.status, report["Response Status"]) == (202, "400 Bad Request")
        assert report["Response Body"].startswith("Bad Request\nThe server could not comply with the request")
        assert sorted(map(tuple, report["Errors"])) == sorted(errors)
        got = account.put("o", hello, "&heartbeat=on", Accept="application/json", ETag="0" * 32)
        body = "Unprocessable Entity\nUnable to process the contained instructions"
        assert got.json == {"Response Status": "422 Unprocessable Entity", "Response Body": body, "Errors": []}
        got = account.ask("PUT", "/none/o?multipart-manifest=put&heartbeat=1", "[]", Accept="application/json")
        assert (got.status, got.json["Response Status"]) == (202, "404 Not Found")
        assert "The resource could not be found." in got.json["Response Body"]
        assert account.names(account.c) == []

    # --- GET and HEAD

    @pytest.mark.parametrize(("span", "status", "body"), [*RANGES, ("bytes=-0", 416, None)])
    def test_a_range_crosses_segments(
        self, account: Account, hello: list[dict[str, Any]], span: str, status: int, body: bytes | None
    ) -> None:
        """As of a plain object, which is asked too. HEAD ignores it."""
        account.put("large", hello)
        account.ask("PUT", f"/{account.c}/plain", b"helloworld")
        for name in ("large", "plain"):
            got = account.get(name, Range=span)
            assert (got.status, got.body if body is not None else None) == (status, body), name
            assert (got["Content-Range"] is None) == (status == 200)
            head = account.ask("HEAD", f"/{account.c}/{name}", Range=span)
            assert (head.status, head["Content-Length"], head["Content-Range"]) == (200, "10", None)
        assert account.get("large", Range=span)["Content-Range"] == account.get("plain", Range=span)["Content-Range"]

    def test_if_none_match_compares_the_etag_of_the_whole(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """304, also when a segment is gone."""
        etag = str(account.put("o", hello)["Etag"])
        account.ask("DELETE", f"/{account.s}/1")
        assert account.get("o", If_None_Match=etag).status == 304
        assert (
            account.get("o", If_None_Match=str(account.ask("HEAD", f"/{account.c}/o")["X-Manifest-Etag"])).status == 409
        )

    def test_the_manifest_can_be_read(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """As it is stored; with format=raw as it was given. A plain object is given as it is."""
        account.put("o", hello, X_Object_Meta_A="1", Content_Type="a/b")
        got = account.get("o", "?multipart-manifest=get")
        assert (got.status, got["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert (got["Etag"], got["X-Static-Large-Object"]) == (md5(got.body), "True")
        assert (got["X-Object-Meta-A"], got["X-Manifest-Etag"]) == ("1", None)
        for row, entry in zip(got.json, hello, strict=True):
            assert list(row) == ["name", "bytes", "hash", "content_type", "last_modified"]
            assert (row["name"], row["bytes"], row["hash"]) == (entry["path"], 5, entry["etag"])
            assert (row["content_type"], row["last_modified"][-7:]) == ("text/plain", ".000000")
        head = account.ask("HEAD", f"/{account.c}/o?multipart-manifest=get")
        assert (head["Content-Length"], head["Etag"]) == (str(len(got.body)), got["Etag"])
        assert account.get("o", "?multipart-manifest=get", Range="bytes=0-4").body == got.body[:5]
        raw = account.get("o", "?multipart-manifest=get&format=raw")
        assert (raw.json, raw["Content-Type"], raw["Etag"]) == (hello, "a/b", md5(raw.body))
        for query in ("?multipart-manifest=get", "?multipart-manifest=get&format=raw"):
            assert account.ask("GET", f"/{account.s}/1{query}").body == b"hello"

    def test_a_listing_has_both_etags_and_all_bytes(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """The container's total counts the manifest only."""
        etag = account.put("o", hello)["Etag"]
        manifest = account.get("o", "?multipart-manifest=get").body
        (row,) = account.rows(account.c)
        assert (row["bytes"], row["hash"], row["slo_etag"]) == (10, md5(manifest), etag)
        assert row["content_type"] == "application/octet-stream"
        head = account.ask("HEAD", f"/{account.c}")
        assert (head["X-Container-Bytes-Used"], head["X-Container-Object-Count"]) == (str(len(manifest)), "1")

    def test_a_post_keeps_a_large_object_large(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """It replaces the metadata; a given type replaces the old one."""
        account.put("o", hello, X_Object_Meta_A="1", Content_Type="a/b")
        assert account.ask("POST", f"/{account.c}/o", X_Object_Meta_B="2").status == 202
        got = account.get("o")
        assert (got.body, got["X-Static-Large-Object"], got["Content-Type"]) == (b"helloworld", "True", "a/b")
        assert (got["X-Object-Meta-A"], got["X-Object-Meta-B"]) == (None, "2")
        account.ask("POST", f"/{account.c}/o", Content_Type="c/d")
        (row,) = account.rows(account.c)
        assert (row["content_type"], row["bytes"], "slo_etag" in row) == ("c/d", 10, True)

    @pytest.mark.parametrize("change", ["DELETE", "PUT"])
    def test_a_get_whose_first_segment_is_lost_is_409(
        self, account: Account, hello: list[dict[str, Any]], change: str
    ) -> None:
        """It is gone or replaced. What counts is the first segment of the range; HEAD does not look."""
        account.put("o", hello)
        account.ask(change, f"/{account.s}/1", b"other" if change == "PUT" else None)
        assert account.get("o").status == 409
        assert account.get("o", Range="bytes=4-5").status == 409
        assert account.get("o", Range="bytes=5-").body == b"world"
        assert account.ask("HEAD", f"/{account.c}/o").status == 200

    @pytest.mark.parametrize("change", ["DELETE", "PUT"])
    def test_a_get_whose_later_segment_is_lost_breaks_off(self, account: Account, change: str) -> None:
        """The segments before it arrive, and the connection ends early. If they are few bytes, it is 500 instead."""
        for name, first in (("big", BIG), ("small", b"few")):
            assert (
                account.put(name, [account.segment(f"{name}1", first), account.segment(f"{name}2", b"2")]).status == 201
            )
            account.ask(change, f"/{account.s}/{name}2", b"x" if change == "PUT" else None)
        got = account.get("big")
        assert (got.status, got["Content-Length"], got.body == BIG, got.complete) == (200, "70001", True, False)
        assert account.get("small").status == 500
        assert account.get("small", Range="bytes=0-2").body == b"few"

    def test_a_lost_large_segment_is_409_or_breaks_off(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """It became a plain object, or one of its own segments is lost."""
        account.put("a", hello)
        assert account.put("o", [{"path": f"/{account.c}/a"}]).status == 201
        account.ask("PUT", f"/{account.s}/1", b"HELLO")
        assert account.get("o").status == 409
        account.ask("PUT", f"/{account.c}/a", b"helloworld")
        assert account.get("o").status == 409

    def test_large_objects_may_contain_each_other_ten_deep(self, account: Account) -> None:
        """A deeper one is stored, and cannot be read."""
        entry = account.segment("1", b"x")
        for depth in range(11):
            assert account.put(str(depth), [entry]).status == 201
            entry = {"path": f"/{account.c}/{depth}"}
        assert (account.get("9").body, account.get("10").status) == (b"x", 409)

    # --- DELETE

    def test_a_plain_delete_keeps_the_segments(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """It removes the manifest; replacing it keeps them too."""
        account.put("o", hello)
        assert account.ask("PUT", f"/{account.c}/o", b"plain").status == 201
        assert (account.get("o").body, account.get("o")["X-Static-Large-Object"]) == (b"plain", None)
        account.put("o", hello)
        assert account.ask("DELETE", f"/{account.c}/o").status == 204
        assert (account.names(account.c), account.names(account.s)) == ([], ["1", "2"])

    def test_a_delete_with_segments_reports_what_it_deleted(
        self, account: Account, hello: list[dict[str, Any]]
    ) -> None:
        """Once more, there is nothing; the status is 200 each time."""
        account.put("o", [*hello, hello[0]])
        report = {
            "Response Status": "200 OK",
            "Response Body": "",
            "Number Deleted": 3,
            "Number Not Found": 1,
            "Errors": [],
        }
        got = account.ask("DELETE", f"/{account.c}/o?multipart-manifest=delete", Accept="application/json")
        assert (got.status, got["Content-Type"], got.json, list(got.json)) == (
            200,
            "application/json",
            report,
            list(report),
        )
        assert (account.names(account.c), account.names(account.s)) == ([], [])
        got = account.ask("DELETE", f"/{account.c}/o?multipart-manifest=delete")
        text = b"Number Deleted: 0\nNumber Not Found: 1\nResponse Body: \nResponse Status: 200 OK\nErrors:\n"
        assert (got.status, got["Content-Type"], got.body) == (200, "text/plain", text)

    def test_a_delete_reaches_the_segments_of_large_segments(
        self, account: Account, hello: list[dict[str, Any]]
    ) -> None:
        """The inner manifest goes too; inline data is no object."""
        account.put("a", hello)
        account.put("o", [{"path": f"/{account.c}/a"}, {"data": "aGk="}, account.segment("3", b"3")])
        got = account.ask("DELETE", f"/{account.c}/o?multipart-manifest=delete", Accept="application/json")
        assert (got.json["Number Deleted"], got.json["Number Not Found"]) == (5, 0)
        assert (account.names(account.c), account.names(account.s)) == ([], [])

    def test_a_delete_with_segments_of_a_plain_object_is_an_error(self, account: Account) -> None:
        """Nothing is deleted. Without an acceptable form that is in the report too."""
        account.ask("PUT", f"/{account.c}/a%20b", b"plain")
        path = f"/{account.c}/a%20b?multipart-manifest=delete"
        got = account.ask("DELETE", path, Accept="application/json")
        assert (got.status, got.json["Response Status"]) == (200, "400 Bad Request")
        assert got.json["Errors"] == [[f"/{account.c}/a%20b", "Not an SLO manifest"]]
        got = account.ask("DELETE", path, Accept="image/png")
        assert (got.status, b"Response Status: 406 Not Acceptable" in got.body) == (200, True)
        got = account.ask("DELETE", "/no-container/o?multipart-manifest=delete", Accept="application/json")
        assert (got.status, got.json["Number Not Found"]) == (200, 1)
        assert account.names(account.c) == ["a b"]

    # --- COPY

    def test_a_copy_of_a_large_object_is_a_plain_one(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """Its ETag is the MD5 of the bytes."""
        account.put("o", hello, X_Object_Meta_A="1", Content_Type="a/b")
        copied = account.ask("COPY", f"/{account.c}/o", Destination=f"{account.c}/new")
        assert (copied.status, copied["Etag"], copied["X-Copied-From"]) == (201, md5(b"helloworld"), f"{account.c}/o")
        got = account.get("new")
        assert (got.body, got["Etag"], got["X-Static-Large-Object"]) == (b"helloworld", md5(b"helloworld"), None)
        assert (got["X-Object-Meta-A"], got["Content-Type"], got["X-Manifest-Etag"]) == ("1", "a/b", None)
        assert "slo_etag" not in account.rows(account.c)[0]

    @pytest.mark.parametrize("method", ["COPY", "PUT"])
    def test_a_copy_with_the_manifest_is_a_large_object(
        self, account: Account, hello: list[dict[str, Any]], method: str
    ) -> None:
        """It has the same segments and the same ETag."""
        etag = account.put("o", hello, X_Object_Meta_A="1", Content_Type="a/b")["Etag"]
        if method == "COPY":
            copied = account.ask("COPY", f"/{account.c}/o?multipart-manifest=get", Destination=f"{account.c}/new")
        else:
            copied = account.ask("PUT", f"/{account.c}/new?multipart-manifest=get", X_Copy_From=f"{account.c}/o")
        assert (copied.status, copied["Etag"]) == (201, etag)
        got = account.get("new")
        assert (got.body, got["Etag"], got["X-Static-Large-Object"]) == (b"helloworld", etag, "True")
        assert (got["X-Object-Meta-A"], got["Content-Type"]) == ("1", "a/b")
        assert account.get("new", "?multipart-manifest=get&format=raw").json == hello

    def test_a_copy_without_all_segments_is_refused(self, account: Account, hello: list[dict[str, Any]]) -> None:
        """With 499 or 409 as a GET breaks off or is refused; of the manifest with 400."""
        account.put("o", hello)
        place = {"Destination": f"{account.c}/new"}
        for name, status in (("2", 499), ("1", 409)):
            account.ask("PUT", f"/{account.s}/{name}", b"other!")
            assert account.ask("COPY", f"/{account.c}/o", **place).status == status
        got = account.ask("COPY", f"/{account.c}/o?multipart-manifest=get", Accept="application/json", **place)
        problems = [[f"/{account.s}/{name}", f"{what} Mismatch"] for name in "12" for what in ("Etag", "Size")]
        assert (got.status, sorted(got.json["Errors"])) == (400, problems)
        assert account.names(account.c) == ["o"]

    def test_info_has_the_limits(self, account: Account) -> None:
        """Clients read their limits there."""
        slo = account.info()["slo"]
        del slo["allow_async_delete"]
        limits = {"max_manifest_segments": 1000, "max_manifest_size": 8_388_608}
        assert slo == {**limits, "min_segment_size": 1, "yield_frequency": 10}


class TestDevServer(StaticLargeObjects):
    @pytest.fixture
    def account(self, server: RealSwift) -> Account:
        return Account(server)

    @pytest.mark.parametrize("entry", [5, None, {"etag": "x"}, {"path": "/a/\ud800"}])
    def test_an_entry_that_real_swift_stumbles_over_is_400(self, account: Account, entry: object) -> None:
        """Swift 2.38 answers 500."""
        assert account.put("o", [entry]).status == 400


@pytest.mark.swift
class TestSwift(StaticLargeObjects):
    @pytest.fixture
    def account(self, swift: RealSwift) -> Account:
        return Account(swift)
