"""Decides what the answers of a plain HTTP server prove. Such servers give no MD5, so other signs have to do.

Did the PUT store the object?

| the answer to the PUT                                 | then                                                       |
|-------------------------------------------------------|------------------------------------------------------------|
| 201, 204                                              | yes: nginx, Apache, Artifactory and Nexus answer so        |
| 200 without a page                                    | yes                                                        |
| 200 with a page (HTML)                                | no: the page of a login, a proxy or a balancer             |
| anything else                                         | no                                                         |

Have the bytes arrived damaged? With `checksum_headers`, our checksums go before them:

| the answer to the PUT                                 | then                                                       |
|-------------------------------------------------------|------------------------------------------------------------|
| 400, 409 about a checksum that does not fit           | yes, and nothing is stored (Artifactory: 409)              |
| the same to a file `NAME.sha1`, `.md5`, ...           | no: what it says is not the checksum of NAME               |
| success, with other `checksums` in its JSON           | yes, and they are stored: Artifactory may be told to trust |
|                                                       | its own checksums, and then compares none                  |
| any other                                             | not known                                                  |

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
import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

STORED = (200, 201, 204)
"""Answers to a PUT that may mean success: the first table."""
_GONE = (404, 410)
_PAGE_TYPES = ("text/html", "application/xhtml+xml")
_PAGE_STARTS = (b"<!doctype html", b"<html")
_CHECKSUMS = ("X-Checksum-Sha1", "X-Checksum-Md5", "X-Checksum-Sha256")
"""Headers that Artifactory sends for a file, and not for a folder."""
_TAKEN = {400: ("does not allow updating", "cannot be updated"), 403: ("overwrite",), 409: ("already exists",)}
"""What repositories say, in small letters, if they let nobody replace a file: see `refuses_to_replace`."""
_SUM = r"checksum|digest|\bhash|\bmd5\b|\bsha-?(?:1|2|256|512)\b"
_UNEQUAL = (
    r"mismatch|differ|checksum error|rejected|wrong|incorrect|invalid|corrupt|but actual|expected"
    r"|(?:not|n't) (?:match|equal|correspond|agree|the same|valid|correct)"
)
_CHECKSUM_FILES = (".md5", ".sha1", ".sha256", ".sha512")
"""Artifactory compares what such a file says with the file that it is named after, and refuses it by a 409."""
_NEXUS_ETAG = '"{SHA1{'
"""The start of the ETag that Nexus sends for a file."""


def is_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body of an answer is an HTML page: by its Content-Type, or by its first bytes."""
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower()
    return bool(body.strip()) and (_is_html(headers) or start.startswith(_PAGE_STARTS))


def why_not_stored(
    put_status: int, status: int, headers: Mapping[str, str], *, size: int, md5: str | None
) -> str | None:
    """Apply the third table. None means that the object is stored.

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


class Checksums(NamedTuple):
    """The checksums of an object's bytes, in hex."""

    md5: str
    sha1: str
    sha256: str

    def as_fields(self) -> dict[str, str]:
        """The header fields that Artifactory compares with what arrives.

        Not `X-Checksum-Deploy`: with it, Artifactory takes the bytes of another file that has these checksums.
        """
        return {"X-Checksum-Md5": self.md5, "X-Checksum-Sha1": self.sha1, "X-Checksum-Sha256": self.sha256}


def refuses_checksum(status: int, said: str, key: str) -> bool:
    """Whether a repository refuses a PUT because the bytes do not have their checksum, by the words that it uses.

    | repository   | its answer                                                                              |
    |--------------|-----------------------------------------------------------------------------------------|
    | Artifactory  | 409 Checksum policy '...: CLIENT' rejected the artifact '...'. Checksums info: ...      |
    | others       | 400, 409 that says of a checksum or digest that it does not match, is wrong, ...        |

    Words in the object's name do not count. False for a file that says the checksum of another.
    """
    return not key.lower().endswith(_CHECKSUM_FILES) and is_about_checksum(status, said, key)


def is_about_checksum(status: int, said: str, key: str) -> bool:
    """`refuses_checksum`, for any file."""
    if status not in (400, 409):
        return False
    said = _without_name(said, key)
    return not _is_taken(status, said) and bool(re.search(_SUM, said)) and bool(re.search(_UNEQUAL, said))


def stored_otherwise(answer: bytes, sent: Checksums, key: str) -> str | None:
    """Apply the second table to a success: the reason why other bytes are stored; None if nothing says so."""
    if key.lower().endswith(_CHECKSUM_FILES):  # the answer may describe the file that it is named after
        return None
    if not answer.lstrip().startswith(b"{") or b'"checksums"' not in answer:
        return None
    import json  # noqa: PLC0415 - 2 ms, for repositories that tell

    try:
        told = json.loads(answer)["checksums"]
    except (ValueError, KeyError, RecursionError):
        return None
    if not isinstance(told, Mapping):
        return None
    for name, expected in sent._asdict().items():
        if isinstance(found := told.get(name), str) and found.lower() != expected:
            return f"the server has stored bytes with the {name.upper()} {found}, not {expected}"
    return None


def refuses_to_replace(status: int, said: str, key: str = "") -> bool:
    """Whether a repository refuses a PUT because a file of that name is there, by the words that it uses. Words in the
    object's name do not count.

    | repository   | its answer                                                              |
    |--------------|-------------------------------------------------------------------------|
    | Artifactory  | 403 Not enough permissions to overwrite artifact (needs DELETE)         |
    | Nexus 2, 3   | 400 Repository does not allow updating artifacts, updating assets       |
    | others       | 409 that says that it exists already                                    |
    """
    return _is_taken(status, _without_name(said, key))


def _is_taken(status: int, said: str) -> bool:
    return any(each in said for each in _TAKEN.get(status, ()))


def _without_name(said: str, key: str) -> str:
    """The text in small letters, without the object's name where it stands as one: behind a quote or a separator."""
    said, key = said.lower(), key.lower()
    if said.endswith("..."):  # `stores/reason.py` has cut it, perhaps in the middle of the name
        said = said[:-3]
        begins = (at for at in range(1, len(said)) if said[at - 1] in "'\"`/:" and key.startswith(said[at:]))
        said = said[: next(begins, len(said))]
    for name in filter(None, (key, key.rpartition("/")[2])):
        said = re.sub(rf"(?<=['\"`/:]){re.escape(name)}(?!\w)", " ", said)
    return said


class PathKind(Enum):
    """What a name stands for, or what `path_kind_of` needs next."""

    FILE = "a file"
    NOTHING = "nothing is there"
    ASK_SLASH = "the same name with a slash has to be looked at"


def path_kind_of(status: int, headers: Mapping[str, str], *, slash_status: int | None = None) -> PathKind | str:
    """Apply the fourth table. A text means doubt, and is the reason.

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
