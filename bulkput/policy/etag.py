"""What an ETag says: the MD5 of an object's bytes, or nothing that could be compared.

Swift answers the MD5 in hex, bare or quoted. What lies between may rewrite it, as RFC 9110 (8.8.1) wants it of whoever
may compress an answer:

| rewritten to                   | by                                                                             |
|--------------------------------|--------------------------------------------------------------------------------|
| `W/"<md5>"`                    | nginx and HAProxy that compress; nginx takes a bare ETag away altogether       |
| `"<md5>-gzip"`, `"<md5>-br"`   | Apache: mod_deflate (`DeflateAlterETag AddSuffix`, its default) and mod_brotli |
| `"<md5>--gzip"`                | Jetty's GzipHandler                                                            |
| `"<md5>;gzip"`, `"<md5>";gzip` | Django's GZipMiddleware of old, and its kin                                    |

What is left without these is still the MD5 that the store took of the bytes it holds. So wherever an ETag is compared
with an MD5 that we know, equal is proof: 128 bits are not equal by accident, whichever way they came. That holds for
the answer to a PUT as for listings and HEADs. It says nothing about when: an old answer proves what was there then.
Where they differ, nothing may be concluded but that it is not proven; who wants to remove something must look closer.

Not understood, on purpose: `<hex>-3` (S3: an object sent in three parts), and all that is no MD5. The ETag of a large
object (`RemoteObject.large`) looks like an MD5 and is one of its manifest: ask for that first.
"""

import re

_CODINGS = "gzip|x-gzip|br|zstd|deflate"
_ETAG = re.compile(rf'(?:W/)?"?([0-9a-f]{{32}})(?:(?:--?|;)(?:{_CODINGS}))?"?(?:;(?:{_CODINGS}))?', re.IGNORECASE)


def md5_of(etag: str | None) -> str | None:
    """The MD5, in lower-case hex; None of an ETag that is none."""
    if etag is None:
        return None
    found = _ETAG.fullmatch(etag.strip())
    return found[1].lower() if found is not None else None
