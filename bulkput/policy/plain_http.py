"""What the answers of a plain HTTP server prove. Such servers give no MD5, so other signs have to do.

Was an object stored?

| the PUT was answered                                  | then                                                       |
|-------------------------------------------------------|------------------------------------------------------------|
| 201, 204                                              | yes: what nginx, Apache, Artifactory and Nexus say         |
| 200 without a page                                    | yes                                                        |
| 200 with a page (HTML)                                | no: of a login, a proxy or a balancer                      |
| anything else                                         | no                                                         |

The first object of a run is looked at by one HEAD all the same:

| the HEAD                                              | then                                                       |
|-------------------------------------------------------|------------------------------------------------------------|
| 404, 410                                              | it is not there                                            |
| 200 with another length, or another MD5               | it is something else                                       |
| 200                                                   | it is there                                                |
| anything else (no right to read, a redirect to a CDN) | a 201 or 204 is believed, a 200 is not                     |

Is it a file, so that a DELETE takes nothing but it? For servers that know no PROPFIND, the first line that fits:

| HEAD of the name                                      | then                                                       |
|-------------------------------------------------------|------------------------------------------------------------|
| 404, 410                                              | nothing is there                                           |
| 3xx                                                   | in doubt: directories answer so                            |
| anything else but 200                                 | in doubt                                                   |
| 200 with a repository's checksum of a file            | a file (Artifactory, Nexus)                                |
| 200 without Content-Length or Last-Modified           | in doubt: pages that are made answer so                    |
| 200, HTML, without `Accept-Ranges: bytes`             | in doubt: a directory's index                              |
| 200, and HEAD of the name with a slash: 404, 410      | a file                                                     |
| 200, and that answers anything else                   | in doubt: a directory has both names                       |
"""

import base64
import binascii
from collections.abc import Mapping
from enum import Enum

STORED = (200, 201, 204)
_GONE = (404, 410)
_PAGE_TYPES = ("text/html", "application/xhtml+xml")
_PAGE_STARTS = (b"<!doctype html", b"<html")
_CHECKSUMS = ("X-Checksum-Sha1", "X-Checksum-Md5", "X-Checksum-Sha256")
"""Of a file, in Artifactory; a folder has none."""
_NEXUS_ETAG = '"{SHA1{'


def is_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer's body is made for a browser."""
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower()
    return bool(body.strip()) and (_is_html(headers) or start.startswith(_PAGE_STARTS))


def why_not_stored(
    put_status: int, status: int, headers: Mapping[str, str], *, size: int, md5: str | None
) -> str | None:
    """The second table; None: it is there. `status` and `headers` are the HEAD's, `md5` is in hex where known."""
    if status in _GONE:
        return "the object is not there"
    if status != 200:
        return f"the object cannot be looked at (HEAD: {status})" if put_status == 200 else None
    length = headers.get("Content-Length", "")
    if "Content-Encoding" not in headers and length.isascii() and length.isdigit() and int(length) != size:
        return f"the object has {length} bytes, not {size}"
    found = headers.get("X-Checksum-Md5") or _hex(headers.get("Content-MD5"))
    if md5 is not None and found is not None and found.lower() != md5:
        return f"the object has the MD5 {found}, not {md5}"
    return None


class PathKind(Enum):
    """What is known of a name."""

    FILE = "a file"
    NOTHING = "nothing is there"
    ASK_SLASH = "the same name with a slash has to be looked at"


def path_kind_of(status: int, headers: Mapping[str, str], *, slash_status: int | None = None) -> PathKind | str:
    """The third table; a text says why it is in doubt. `slash_status` is that of the HEAD with the slash."""
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
    """Whether a PUT that breaks off may leave half an object, by the server's answer to OPTIONS.

    A WebDAV server (RFC 4918, 10.1) may write in place, as WsgiDAV does, and has MOVE. Those named here put a whole
    object into its place: Apache's mod_dav_fs (2.4) by a rename, Artifactory and Nexus by their databases. nginx does
    so too, and does not answer OPTIONS at all.
    """
    classes = {one.strip() for one in headers.get("DAV", "").split(",")}
    server = headers.get("Server", "").lower()
    return status < 300 and "1" in classes and not server.startswith(("apache", "artifactory", "nexus"))


def _is_html(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGE_TYPES


def _hex(value: str | None) -> str | None:
    """Of Base64, as Content-MD5 has it (RFC 1864); None of what is none."""
    try:
        digest = base64.b64decode(value or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == 16 else None
