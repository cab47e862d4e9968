"""What an object that is stored compressed says of the file it was made from.

The store's own size and MD5 are those of the compressed bytes, and compressing again need not give the same bytes.
So whoever compresses writes down beside them what was compressed, and whoever compares reads it here.
"""

from dataclasses import dataclass

from bulkput.model import Fields, RemoteObject
from bulkput.policy.etag import md5_of

ENCODING = "gzip"
"""The Content-Encoding of an object that is stored compressed under its file's name."""
SUFFIX_TYPE = "application/gzip"
"""The media type of an object that is a gzip file (RFC 6713)."""
MD5_FIELD = "Source-Md5"
"""User metadata, in Swift `X-Object-Meta-Source-Md5`: the file's MD5 in hex."""
SIZE_FIELD = "Source-Size"
"""User metadata, in Swift `X-Object-Meta-Source-Size`: the file's size in bytes, decimal."""


@dataclass(frozen=True, slots=True)
class Original:
    """The file before it was compressed: `size` in bytes, `md5` in hex."""

    size: int
    md5: str

    def as_fields(self) -> Fields:
        """The metadata that says so."""
        return ((MD5_FIELD, self.md5), (SIZE_FIELD, str(self.size)))


def original_of(head: RemoteObject, *, is_suffixed: bool = False) -> Original | None:
    """What `head` says it was made from; None where it is not compressed, or does not say it completely.

    Compressed is what has the Content-Encoding, or is called after its file (`is_suffixed`), whatever else it carries.
    """
    if not is_suffixed and (head.encoding is None or head.encoding.strip().lower() != ENCODING):
        return None
    meta = {name.lower(): value.strip() for name, value in head.meta}
    md5 = md5_of(meta.get(MD5_FIELD.lower()))
    size = meta.get(SIZE_FIELD.lower(), "")
    if md5 is None or not (size.isascii() and size.isdigit()):
        return None
    return Original(int(size), md5)
