"""What the answers of plain HTTP servers prove: the tables of `policy/plain_http.py`, line by line."""

import base64
import hashlib

import pytest

from bulkput.policy.plain_http import PathKind, is_page, path_kind_of, why_not_stored, writes_in_place

PAGE = {"Content-Type": "text/html; charset=utf-8"}
FILE = {"Content-Length": "5", "Last-Modified": "Mon, 23 Nov 2026 00:57:00 GMT", "Content-Type": "text/plain"}
INDEX = {**FILE, "Content-Type": "text/html"}
MD5 = hashlib.md5(b"hello").hexdigest()
OTHER = "0" * 32


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        (PAGE, b"<h1>Log in</h1>", True),
        ({}, b"\xef\xbb\xbf\n <!DOCTYPE HTML><title>", True),
        ({"Content-Type": "text/plain"}, b"<html>", True),
        (PAGE, b"", False),
        (PAGE, b" \r\n", False),
        ({"Content-Type": "application/json"}, b'{"uri": "<html>"}', False),
        ({}, b"OK", False),
    ],
)
def test_a_page_is_detected_by_type_or_first_bytes(headers: dict[str, str], body: bytes, expected: bool) -> None:
    """An empty body is no page."""
    assert is_page(headers, body) is expected


@pytest.mark.parametrize(
    ("put_status", "status", "headers", "why"),
    [
        (201, 200, {"Content-Length": "5"}, None),
        (201, 200, {}, None),
        (201, 200, {"Content-Length": "9", "Content-Encoding": "gzip"}, None),
        (201, 200, {"Content-Length": "5", "X-Checksum-Md5": MD5.upper()}, None),
        (201, 200, {"Content-MD5": base64.b64encode(bytes.fromhex(MD5)).decode()}, None),
        (201, 200, {"Content-MD5": "no Base64!"}, None),
        (201, 200, {"ETag": f'"{OTHER}"'}, None),
        (201, 403, {}, None),
        (204, 302, {}, None),
        (200, 200, {"Content-Length": "5"}, None),
        (200, 403, {}, "cannot be looked at (HEAD: 403)"),
        (200, 302, {}, "cannot be looked at (HEAD: 302)"),
        (201, 404, {}, "is not there"),
        (201, 410, {}, "is not there"),
        (201, 200, {"Content-Length": "6"}, "has 6 bytes, not 5"),
        (201, 200, {"X-Checksum-Md5": OTHER}, "has the MD5 " + OTHER),
        (201, 200, {"Content-MD5": base64.b64encode(bytes(16)).decode()}, "has the MD5 " + OTHER),
    ],
)
def test_the_first_object_is_stored_or_a_reason_is_given(
    put_status: int, status: int, headers: dict[str, str], why: str | None
) -> None:
    """An ETag decides nothing, even in the form of an MD5, since servers choose it freely."""
    found = why_not_stored(put_status, status, headers, size=5, md5=MD5)
    assert found == why or (found is not None and why is not None and why in found)


@pytest.mark.parametrize(
    ("status", "headers", "slash", "expected"),
    [
        (404, {}, None, PathKind.NOTHING),
        (410, {}, None, PathKind.NOTHING),
        (301, {}, None, "redirect"),
        (403, FILE, None, "does not show"),
        (500, {}, None, "does not show"),
        (200, {"X-Checksum-Sha1": "0" * 40}, None, PathKind.FILE),
        (200, {"ETag": '"{SHA1{0beec7b5}}"'}, None, PathKind.FILE),
        (200, {}, None, "no length or no time"),
        (200, {"Content-Length": "5"}, None, "no length or no time"),
        (200, {"Last-Modified": "now"}, None, "no length or no time"),
        (200, INDEX, None, "index page"),
        (200, {**INDEX, "Accept-Ranges": "none"}, None, "index page"),
        (200, {**INDEX, "Accept-Ranges": "bytes"}, None, PathKind.ASK_SLASH),
        (200, FILE, None, PathKind.ASK_SLASH),
        (200, FILE, 404, PathKind.FILE),
        (200, FILE, 410, PathKind.FILE),
        (200, FILE, 200, "with a slash is there"),
        (200, FILE, 403, "with a slash is there"),
        (200, FILE, 500, "with a slash is there"),
    ],
)
def test_only_a_proven_file_is_removed(
    status: int, headers: dict[str, str], slash: int | None, expected: PathKind | str
) -> None:
    """nginx, Apache, Artifactory and Nexus prove it; otherwise a text gives the reason."""
    found = path_kind_of(status, headers, slash_status=slash)
    assert found is expected or (isinstance(found, str) and isinstance(expected, str) and expected in found)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {"DAV": "1,2", "Server": "Cheroot/11"}, True),
        (204, {"DAV": "1, 3, extended-mkcol"}, True),
        (200, {"DAV": "1", "Server": "Apache/2.4.62 (Debian)"}, False),
        (200, {"DAV": "1,2", "Server": "Artifactory/7.90"}, False),
        (200, {"DAV": "1", "Server": "Nexus/3.70"}, False),
        (200, {"DAV": "2"}, False),
        (200, {}, False),
        (405, {"DAV": "1,2"}, False),
    ],
)
def test_webdav_servers_may_write_in_place(status: int, headers: dict[str, str], expected: bool) -> None:
    """Some are known to put only whole objects into place."""
    assert writes_in_place(status, headers) is expected
