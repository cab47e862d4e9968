"""Reads from an ETag the MD5 of an object's bytes, or of the MD5s of its parts.

Swift answers the MD5 in hex, bare or quoted. A proxy or middleware that may compress answers rewrites the ETag, as
RFC 9110 (8.8.1) demands:

| rewritten to                   | by                                                                             |
|--------------------------------|--------------------------------------------------------------------------------|
| `W/"<md5>"`                    | nginx and HAProxy that compress; nginx takes a bare ETag away altogether       |
| `"<md5>-gzip"`, `"<md5>-br"`   | Apache: mod_deflate (`DeflateAlterETag AddSuffix`, its default) and mod_brotli |
| `"<md5>--gzip"`                | Jetty's GzipHandler                                                            |
| `"<md5>;gzip"`, `"<md5>";gzip` | old versions of Django's GZipMiddleware, and code derived from it              |

Without these additions, the ETag is still the MD5 that the store computed of the bytes it holds. So an ETag that equals
an MD5 of ours proves the bytes, in the answer to a PUT, in a listing and in a HEAD: 128 bits are not equal by accident.
It does not prove the time: an old answer proves what the store held then. An ETag that differs proves nothing, so a
caller that wants to remove the object must look closer.

S3 gives an object that was sent in parts an ETag of its own, which tells the number of parts:

| the object was sent                            | its ETag                                                            |
|------------------------------------------------|---------------------------------------------------------------------|
| in one request                                 | `md5(bytes)`                                                        |
| in N parts                                     | `md5(md5(part 1) || md5(part 2) || ...)-N`, of the binary MD5s      |
| in N parts, to a store of large objects        | `md5` of the MD5s in hex, without an N: `large_etag`                |

So `<hex>-3` is no MD5, as every other text that is none. A file has that ETag too if it is cut as the object was
(`policy/part_sizes.py`). The ETag of a large object looks like an MD5, but is computed from its manifest: check
`RemoteObject.large` first.
"""

import hashlib
import re
from collections.abc import Iterable

_CODINGS = "gzip|x-gzip|br|zstd|deflate"
_CODED = rf'(?:(?:--?|;)(?:{_CODINGS}))?"?(?:;(?:{_CODINGS}))?'
_ETAG = rf'(?i)(?:W/)?"?([0-9a-f]{{32}}){_CODED}'
_COMPOSITE = rf'(?i)(?:W/)?"?([0-9a-f]{{32}}-([1-9][0-9]{{0,4}})){_CODED}'


def md5_of(etag: str | None) -> str | None:
    """The MD5 in lower-case hex, or None if the ETag holds none."""
    if etag is None:
        return None
    found = re.fullmatch(_ETAG, etag.strip())
    return found[1].lower() if found is not None else None


def composite_of(etag: str | None) -> str | None:
    """`<hex>-N` in lower case, the ETag of an object that was sent in N parts; None if it is none."""
    found = re.fullmatch(_COMPOSITE, etag.strip()) if etag is not None else None
    return found[1].lower() if found is not None else None


def parts_in(etag: str | None) -> int | None:
    """The N of `<hex>-N`; None for any other ETag."""
    found = re.fullmatch(_COMPOSITE, etag.strip()) if etag is not None else None
    return int(found[2]) if found is not None else None


def composite_etag(md5s: Iterable[str]) -> str:
    """The ETag of an object that was sent in parts with these MD5s (hex), as `composite_of` gives it."""
    binary = [bytes.fromhex(md5) for md5 in md5s]
    return f"{hashlib.md5(b''.join(binary), usedforsecurity=False).hexdigest()}-{len(binary)}"


def large_etag(md5s: Iterable[str]) -> str:
    """The ETag of a large object, static or dynamic, of whole plain segments with these MD5s (hex)."""
    return hashlib.md5("".join(md5s).encode("ascii"), usedforsecurity=False).hexdigest()
