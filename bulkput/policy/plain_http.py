"""Decides what the answers of a plain HTTP server prove. Such servers give no MD5, so other signs have to do.

Did the PUT store the object?

| the answer to the PUT                                 | then                                                       |
|-------------------------------------------------------|------------------------------------------------------------|
| 201, 204                                              | yes: nginx, Apache, Artifactory and Nexus answer so        |
| 200 without a page                                    | yes                                                        |
| 200 with a page (HTML)                                | no: the page of a login, a proxy or a balancer             |
| anything else                                         | no                                                         |

One HEAD checks the first object of a run, even after a yes:

| the HEAD                                              | then                                                       |
|-------------------------------------------------------|------------------------------------------------------------|
| 404, 410                                              | not stored                                                 |
| 200 with another length, or another MD5               | not stored: it is another object                           |
| 200                                                   | stored                                                     |
| anything else (no right to read, a redirect to a CDN) | stored if the PUT gave 201 or 204, not stored if 200       |

Is the name a file, so that a DELETE removes nothing else? For servers without PROPFIND; the first line that fits:

| HEAD of the name                                      | then                                                       |
|-------------------------------------------------------|------------------------------------------------------------|
| 404, 410                                              | nothing                                                    |
| 3xx                                                   | in doubt: the usual answer for a directory                 |
| any other status except 200                           | in doubt                                                   |
| 200 with a repository's checksum of a file            | a file (Artifactory, Nexus)                                |
| 200 without Content-Length or Last-Modified           | in doubt: generated pages have none                        |
| 200, HTML, without `Accept-Ranges: bytes`             | in doubt: a directory's index                              |
| 200, and a HEAD of the name with a slash: 404, 410    | a file                                                     |
| 200, and that HEAD: anything else                     | in doubt: a directory has both names                       |
"""

import base64
import binascii
from collections.abc import Mapping
from enum import Enum

STORED = (200, 201, 204)
"""Answers to a PUT that may mean success: the first table."""
_GONE = (404, 410)
_PAGE_TYPES = ("text/html", "application/xhtml+xml")
_PAGE_STARTS = (b"<!doctype html", b"<html")
_CHECKSUMS = ("X-Checksum-Sha1", "X-Checksum-Md5", "X-Checksum-Sha256")
"""Headers that Artifactory sends for a file, and not for a folder."""
_NEXUS_ETAG = '"{SHA1{'
"""The start of the ETag that Nexus sends for a file."""


def is_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body of an answer is an HTML page: by its Content-Type, or by its first bytes."""
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower()
    return bool(body.strip()) and (_is_html(headers) or start.startswith(_PAGE_STARTS))


def why_not_stored(
    put_status: int, status: int, headers: Mapping[str, str], *, size: int, md5: str | None
) -> str | None:
    """Apply the second table. None means that the object is stored.

    `status` and `headers` are those of the HEAD. `size` is in bytes; `md5` is in hex, or None if it is not known.
    """
    if status in _GONE:
        return "the object is not there"
    if status != 200:
        return f"the object cannot be looked at (HEAD: {status})" if put_status == 200 else None
    # A server that compresses its answers sends the length of the compressed bytes.
    length = headers.get("Content-Length", "")
    if "Content-Encoding" not in headers and length.isascii() and length.isdigit() and int(length) != size:
        return f"the object has {length} bytes, not {size}"
    found = headers.get("X-Checksum-Md5") or _hex(headers.get("Content-MD5"))
    if md5 is not None and found is not None and found.lower() != md5:
        return f"the object has the MD5 {found}, not {md5}"
    return None


def refuses_to_replace(status: int, said: str) -> bool:
    """Whether a repository refuses a PUT because a file of that name is there, by the words that it uses.

    | repository   | its answer                                                              |
    |--------------|-------------------------------------------------------------------------|
    | Artifactory  | 403 Not enough permissions to overwrite artifact (needs DELETE)         |
    | Nexus 2, 3   | 400 Repository does not allow updating artifacts, updating assets       |
    | others       | 409 that says that it exists already                                    |
    """
    words = {400: ("does not allow updating", "cannot be updated"), 403: ("overwrite",), 409: ("already exists",)}
    return any(each in said.lower() for each in words.get(status, ()))


class PathKind(Enum):
    """What a name stands for, or what `path_kind_of` needs next."""

    FILE = "a file"
    NOTHING = "nothing is there"
    ASK_SLASH = "the same name with a slash has to be looked at"


def path_kind_of(status: int, headers: Mapping[str, str], *, slash_status: int | None = None) -> PathKind | str:
    """Apply the third table. A text means doubt, and is the reason.

    `slash_status` is the status of the HEAD with the slash, or None if it was not sent yet.
    """
    if status in _GONE:
        return PathKind.NOTHING
    if 300 <= status < 400:
        return f"it may be a directory: its HEAD is answered with a redirect ({status})"
    if status != 200:
        return f"the server does not show what it is (HEAD: {status})"
    if any(name in headers for name in _CHECKSUMS) or headers.get("ETag", "").startswith(_NEXUS_ETAG):
        return PathKind.FILE
    if "Content-Length" not in headers or "Last-Modified" not in headers:
        return "it may be a directory: its HEAD has no length or no time"
    if _is_html(headers) and headers.get("Accept-Ranges", "").lower() != "bytes":
        return "it may be a directory's index page"
    if slash_status is None:
        return PathKind.ASK_SLASH
    if slash_status in _GONE:
        return PathKind.FILE
    return f"it may be a directory: its name with a slash is there, too (HEAD: {slash_status})"


def writes_in_place(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a PUT that breaks off may leave half an object, judged by the server's answer to OPTIONS.

    A WebDAV server (RFC 4918, 10.1) may write in place, as WsgiDAV does; it has MOVE, too. The servers named below do
    not: Apache's mod_dav_fs (2.4) renames a complete file, Artifactory and Nexus use databases. nginx renames as well,
    and does not answer OPTIONS.
    """
    classes = {one.strip() for one in headers.get("DAV", "").split(",")}
    server = headers.get("Server", "").lower()
    return status < 300 and "1" in classes and not server.startswith(("apache", "artifactory", "nexus"))


def _is_html(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGE_TYPES


def _hex(value: str | None) -> str | None:
    """The MD5 in hex from Base64, as Content-MD5 has it (RFC 1864). None if `value` is no MD5."""
    try:
        digest = base64.b64decode(value or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == 16 else None
