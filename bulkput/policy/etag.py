"""Reads the MD5 of an object's bytes from an ETag.

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

`<hex>-3` (S3: an object sent in three parts) and every other text that is no MD5 is rejected on purpose. The ETag of a
large object looks like an MD5, but is computed from its manifest: check `RemoteObject.large` first.
"""

import hashlib
import re
from collections.abc import Iterable

_CODINGS = "gzip|x-gzip|br|zstd|deflate"
_ETAG = rf'(?i)(?:W/)?"?([0-9a-f]{{32}})(?:(?:--?|;)(?:{_CODINGS}))?"?(?:;(?:{_CODINGS}))?'


def md5_of(etag: str | None) -> str | None:
    """The MD5 in lower-case hex, or None if the ETag holds none."""
    if etag is None:
        return None
    found = re.fullmatch(_ETAG, etag.strip())
    return found[1].lower() if found is not None else None


def large_etag(md5s: Iterable[str]) -> str:
    """The ETag of a large object, static or dynamic, of whole plain segments with these MD5s (hex)."""
    return hashlib.md5("".join(md5s).encode("ascii"), usedforsecurity=False).hexdigest()
