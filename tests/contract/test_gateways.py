"""The table of docs/rgw.md that says where Ceph's gateway differs from Swift: each cell is what the server does."""

import hashlib
import http.client
import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.contract.tables import CONTRACT, CONTRACT_PAGE, PAGE, contract, table_below
from tests.contract.wire import Account
from tests.servers.rgw import RealRgw
from tests.servers.swift import RealSwift

HEADING = "## Where it differs from Swift"
HELLO, WORLD = b"hello", b"world"


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def info(account: Account) -> str:
    root = "/".join(account.url.split("/", 3)[:3])
    return next(f"`{path}`" for path in ("/info", "/swift/info") if account.at(root + path).status == 200)


def token_life(account: Account) -> str:
    return "yes" if account.login["X-Auth-Token-Expires"] else "no"


def wrong_token(account: Account) -> str:
    return status(account.ask("HEAD", "", X_Auth_Token=str(account.login["X-Auth-Token"])[:-2] + "00"))


def status(answer: object) -> str:
    return str(getattr(answer, "status"))  # noqa: B009


def container_of_a_byte(account: Account) -> str:
    return status(account.ask("PUT", "/x"))


def container_of_256_bytes(account: Account) -> str:
    return status(account.ask("PUT", "/" + "x" * 256))


def container_with_acl(account: Account) -> str:
    assert account.ask("POST", f"/{account.c}", X_Container_Read=".r:*").status == 204
    return status(account.ask("PUT", f"/{account.c}"))


def long_page(account: Account) -> str:
    return status(account.ask("GET", f"/{account.c}?format=json&limit=10001"))


def time_zone(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO)
    return "`Z`" if account.rows(account.c)[0]["last_modified"].endswith("Z") else "none"


def name_not_utf_8(account: Account) -> str:
    return status(account.ask("PUT", f"/{account.c}/%ff", HELLO))


def name_of_1025_bytes(account: Account) -> str:
    return status(account.ask("PUT", f"/{account.c}/" + "x" * 1025, HELLO))


def long_metadata_name(account: Account) -> str:
    return status(account.ask("PUT", f"/{account.c}/o", HELLO, **{"X-Object-Meta-" + "n" * 128: "v"}))


def long_metadata_value(account: Account) -> str:
    return status(account.ask("PUT", f"/{account.c}/o", HELLO, X_Object_Meta_A="v" * 8000))


def much_metadata(account: Account) -> str:
    return status(account.ask("PUT", f"/{account.c}/o", HELLO, **{f"X-Object-Meta-{n}": "v" for n in range(91)}))


def long_header(account: Account) -> str:
    return status(account.ask("PUT", f"/{account.c}/o", HELLO, **{f"X-Object-Meta-{n}": "v" * 250 for n in range(80)}))


def if_none_match(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO)
    return status(account.ask("PUT", f"/{account.c}/o", WORLD, If_None_Match="*"))


def copied_expiry(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO, X_Delete_After="1000")
    account.ask("COPY", f"/{account.c}/o", Destination=f"{account.c}/copy")
    return "yes" if account.ask("HEAD", f"/{account.c}/copy")["X-Delete-At"] else "no"


def posted_expiry(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO, X_Delete_After="1000")
    account.ask("POST", f"/{account.c}/o", X_Object_Meta_A="1")
    return "yes" if account.ask("HEAD", f"/{account.c}/o")["X-Delete-At"] else "no"


def expiry_taken_back(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO, X_Delete_After="1000")
    account.ask("POST", f"/{account.c}/o", X_Remove_Delete_At="1")
    return "no" if account.ask("HEAD", f"/{account.c}/o")["X-Delete-At"] else "yes"


def posted_type(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO, Content_Type="text/x-a")
    account.ask("POST", f"/{account.c}/o", X_Object_Meta_A="1")
    return "yes" if account.ask("HEAD", f"/{account.c}/o")["Content-Type"] == "text/x-a" else "no"


def posted_encoding(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO, Content_Encoding="gzip")
    account.ask("POST", f"/{account.c}/o", X_Object_Meta_A="1")
    return "yes" if account.ask("HEAD", f"/{account.c}/o")["Content-Encoding"] == "gzip" else "no"


def expired_row(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO, X_Delete_After="1")
    while account.ask("HEAD", f"/{account.c}/o").status != 404:
        time.sleep(0.1)
    return "yes" if account.names(account.c) == ["o"] else "no"


def posted_link(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO)
    account.ask("PUT", f"/{account.c}/link", X_Symlink_Target=f"{account.c}/o")
    said = account.ask("POST", f"/{account.c}/link", X_Delete_After="1000").status
    taken = account.ask("HEAD", f"/{account.c}/link?symlink=get")["X-Delete-At"]
    return f"{said}, and it expires" if taken else str(said)


def link(account: Account) -> str:
    account.ask("PUT", f"/{account.c}/o", HELLO)
    account.ask("PUT", f"/{account.c}/link", X_Symlink_Target=f"{account.c}/o")
    return "a link" if account.get("link").body == HELLO else "an empty object"


def two_segments(account: Account) -> list[dict[str, object]]:
    return [account.segment("1", HELLO), account.segment("2", WORLD)]


def manifest_of_wrong_md5(account: Account) -> str:
    wrong = [{**account.segment("1", HELLO), "etag": md5(WORLD)}]
    return status(account.put("o", wrong))


def manifest_of_1001_segments(account: Account) -> str:
    return status(account.put("o", [account.segment("1", HELLO)] * 1001))


def manifest_with_etag(account: Account) -> str:
    etag = md5((md5(HELLO) + md5(WORLD)).encode())
    return status(account.put("o", two_segments(account), ETag=etag))


def manifest_shown(account: Account) -> str:
    account.put("o", two_segments(account))
    return "yes" if account.get("o", "?multipart-manifest=get").body else "no"


def manifest_listed(account: Account) -> str:
    account.put("o", two_segments(account))
    (row,) = account.rows(account.c)
    size = {10: "its own"}.get(row["bytes"], "the manifest's")
    return f"{size}, {'with' if 'slo_etag' in row else 'without'} `slo_etag`"


def posted_manifest(account: Account) -> str:
    account.put("o", two_segments(account))
    (before,) = account.rows(account.c)
    account.ask("POST", f"/{account.c}/o", X_Object_Meta_A="1")
    (after,) = account.rows(account.c)
    assert account.get("o").body == HELLO + WORLD
    return "yes" if before["bytes"] == after["bytes"] else "no"


def range_of_a_segment(account: Account) -> str:
    account.put("o", [{**account.segment("1", HELLO), "range": "0-1"}])
    return "yes" if account.get("o").body == b"he" else "no"


def lost_segment(account: Account) -> str:
    """RGW keeps the connection, and lets the client wait."""
    account.put("o", two_segments(account))
    account.ask("DELETE", f"/{account.s}/2")
    account.timeout_s = 2
    try:
        got = account.get("o")
    except TimeoutError:
        return "hangs"
    return "fails" if got.status != 200 or not got.complete else "succeeds"


def bulk_delete(account: Account, count: int) -> dict[str, object]:
    names = "".join(f"{quote(account.c)}/{n}\n" for n in range(count))
    said = account.ask("POST", "?bulk-delete", names, Content_Type="text/plain", Accept="application/json")
    found = json.loads(said.body)
    assert isinstance(found, dict)
    return found


def bulk_delete_of_1100(account: Account) -> str:
    return str(bulk_delete(account, 1100)["Number Not Found"])


def bulk_delete_of_10001(account: Account) -> str:
    return str(bulk_delete(account, 10_001)["Response Status"])[:3]


PROBES: dict[str, Callable[[Account], str]] = {
    "`/info` is at": info,
    "a login says how long its token lives": token_life,
    "a token that is not valid": wrong_token,
    "a container's name of 1 byte": container_of_a_byte,
    "a container's name of 256 bytes": container_of_256_bytes,
    "PUT of a container that is there and has an ACL": container_with_acl,
    "a page of a listing with `limit=10001`": long_page,
    "the zone of times in listings": time_zone,
    "a name that is not UTF-8": name_not_utf_8,
    "a name of 1025 bytes": name_of_1025_bytes,
    "a metadata name of 128 bytes": long_metadata_name,
    "a metadata value of 8000 bytes": long_metadata_value,
    "91 metadata fields": much_metadata,
    "20 000 bytes of header fields": long_header,
    "`If-None-Match: *` where there is an object": if_none_match,
    "a copy expires as its source does": copied_expiry,
    "a POST without `X-Delete-At` leaves the expiry": posted_expiry,
    "`X-Remove-Delete-At` in a POST ends the expiry": expiry_taken_back,
    "a POST leaves the type": posted_type,
    "a POST without `Content-Encoding` leaves that": posted_encoding,
    "an expired object is still listed": expired_row,
    "`X-Symlink-Target` makes": link,
    "a POST with an expiry to a link": posted_link,
    "a manifest with the MD5 of other bytes": manifest_of_wrong_md5,
    "a manifest of 1001 segments": manifest_of_1001_segments,
    "a manifest with the right `ETag` field": manifest_with_etag,
    "the manifest can be read": manifest_shown,
    "a static large object is listed with the size": manifest_listed,
    "a POST leaves the listed size of a static large object": posted_manifest,
    "ranges of segments are respected": range_of_a_segment,
    "a GET when the second of two segments is lost": lost_segment,
    "a bulk-delete of 1100 names looks at": bulk_delete_of_1100,
    "a bulk-delete of 10 001 names": bulk_delete_of_10001,
}


def test_the_tables_have_a_row_for_each_probe_and_for_each_test_of_the_suite() -> None:
    """docs/rgw.md. tests/contract/conftest.py compares the cells of the second one"""
    assert list(table_below(HEADING)) == list(PROBES)
    assert list(table_below(CONTRACT, CONTRACT_PAGE)) == contract()


@pytest.mark.parametrize("fact", PROBES)
@pytest.mark.parametrize(
    ("column", "name"),
    [
        pytest.param("Swift", "swift", marks=pytest.mark.swift),
        pytest.param("Ceph RGW", "rgw", marks=pytest.mark.rgw),
    ],
)
def test_the_server_does_what_the_table_says(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, column: str, name: str, fact: str
) -> None:
    """docs/rgw.md"""
    server = request.getfixturevalue(name)
    assert isinstance(server, RealSwift)
    if isinstance(server, RealRgw):
        # One account has a thousand containers at most. (`rgw_user_max_buckets`)
        server = server.add_account(f"g{time.time_ns():x}", "secret")
    monkeypatch.setattr(http.client, "_MAXHEADERS", 1000)
    assert PROBES[fact](Account(server)) == table_below(HEADING)[fact][column], PAGE
