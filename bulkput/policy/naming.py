"""Turns a path on disk into an object name, injectively: two different files never get the same name.

strict   The name's bytes, read as UTF-8. A name that is not UTF-8 is an error.
percent  As strict, but `%` becomes `%25`, and each byte that is not part of valid UTF-8 becomes `%XX`. Since every `%`
         is escaped, this can be undone: `urllib.parse.unquote_to_bytes` gives the bytes back.
"""

import re
from typing import Literal
from urllib.parse import urlsplit

from bulkput.errors import SourceError

SUFFIX = ".gz"
"""The suffix of an object that is a gzip file."""


def object_name(name: bytes, *, prefix: str, encode: Literal["strict", "percent"]) -> str:
    """The object name of the file `name` (relative, parts joined by `/`), below `prefix`.

    Raises SourceError if `encode` is strict and `name` is not UTF-8.
    """
    if encode == "percent":
        return prefix + _escape(name)
    try:
        return prefix + name.decode("utf-8")
    except UnicodeDecodeError:
        raise SourceError(
            name, "name", "its name is not UTF-8; `encode_names='percent'` uploads it under an escaped name"
        ) from None


def _escape(name: bytes) -> str:
    text = name.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)


def joined_prefix(prefix: str) -> str:
    """The prefix for a directory's contents: `prefix` with a `/` at its end, or nothing if `prefix` is empty."""
    return prefix if not prefix or prefix.endswith("/") else prefix + "/"


def common_prefix(first: str, last: str) -> str:
    """What both begin with. Of names in order, all names between the two begin with it, too."""
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


def meant_by(url: str) -> str | None:
    """The URL that was probably meant, if its name were read like a path. None if that is the URL itself.

    Also None for an http URL: a path with such parts is refused elsewhere.

    | URL                    | meant          |
    |------------------------|----------------|
    | `swift://c//x`         | `swift://c/x`  |
    | `swift://c/x//`        | `swift://c/x/` |
    | `swift://c/./x`        | `swift://c/x`  |
    | `swift://c/../x`       | `swift://c/x`  |
    | `swift://c/x/..`       | `swift://c/`   |
    | `swift://c/x`, `.../x/`| -              |
    """
    scheme, _, rest = url.partition("://")
    root, _, name = rest.partition("/")
    *directories, last = name.split("/")
    if scheme.lower() in ("http", "https") or not (_ODD & {*directories} or {last} & {".", ".."}):
        return None
    kept: list[str] = []
    for part in (*directories, last):
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    end = "/" if kept and last in _ODD else ""
    return f"{scheme}://{root}/{'/'.join(kept)}{end}"


_ODD = {"", ".", ".."}


def without_query(url: str) -> str:
    """The URL for a message: what follows the `?` of an http URL may be a signature, and is left out."""
    address, question_mark, query = url.partition("?")
    may_sign = url.partition(":")[0].lower() in ("http", "https") or "temp_url_sig" in query or is_presigned(query)
    return f"{address}?..." if question_mark and may_sign else url


def is_presigned(query: str) -> bool:
    """Whether the query is that of a presigned URL of S3 (both versions of its signature) or of Google's."""
    names = {pair.partition("=")[0].lower() for pair in query.split("&")}
    return bool(names & {"x-amz-signature", "x-goog-signature"}) or {"awsaccesskeyid", "signature"} <= names


def is_http_url(url: str) -> bool:
    """Whether `url` is absolute, http or https, has a host and a valid port (or none), and no control characters."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is no number, an address without its bracket
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and url.isprintable()


def is_base_url(url: str) -> bool:
    """Whether paths can be appended to `url`: behind a query or a fragment they would be a part of that."""
    return is_http_url(url) and "?" not in url and "#" not in url


def is_url(root: bytes) -> bool:
    """Whether a source is a URL, and no path."""
    return re.match(rb"[A-Za-z][A-Za-z0-9+.-]*://", root) is not None
