"""Content types by suffix, from Python's built-in table only: the same tree gets the same types on every machine.

The system's /etc/mime.types is left alone on purpose, since it differs between machines. A compressed file is
typed as what it is (`a.tar.gz` is application/gzip): Python's table would say `application/x-tar` and expect a
Content-Encoding header, with which browsers would unpack what people meant to download packed.
"""

import mimetypes
from functools import lru_cache

DEFAULT = "application/octet-stream"
_TABLE = mimetypes.MimeTypes()
_COMPRESSED = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "br": "application/x-brotli",
    "compress": "application/x-compress",
}


def content_type(name: str) -> str:
    """The media type (RFC 6838) for an object name; `application/octet-stream` when the suffix says nothing."""
    last = name.rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    return _by_suffix(suffix.lower()) if dot and stem else DEFAULT


@lru_cache(maxsize=1024)
def _by_suffix(suffix: str) -> str:
    kind, encoding = _TABLE.guess_type(f"name.{suffix}")
    return _COMPRESSED.get(encoding, DEFAULT) if encoding else kind or DEFAULT
