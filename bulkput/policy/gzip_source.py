"""The metadata that a compressed object carries about the file it was made from.

The store's own size and MD5 are those of the compressed bytes, and compressing the file again may give other bytes. So
an upload that compresses stores the file's size and MD5 as metadata, and a comparison reads them here.
"""

from bulkput.model import Fields, RemoteObject
from bulkput.policy.etag import md5_of
from bulkput.record import frozen

ENCODING = "gzip"
"""The Content-Encoding of an object that is stored compressed under its file's name."""
SUFFIX_TYPE = "application/gzip"
"""The media type of an object that is a gzip file (RFC 6713)."""
MD5_FIELD = "Source-Md5"
"""User metadata, in Swift `X-Object-Meta-Source-Md5`: the file's MD5 in hex."""
SIZE_FIELD = "Source-Size"
"""User metadata, in Swift `X-Object-Meta-Source-Size`: the file's size in bytes, decimal."""

ETAG_FIELD = "Segments-Etag"
"""User metadata of a dynamic large object, in Swift `X-Object-Meta-Segments-Etag`: its ETag when it was sent."""


@frozen
class Original:
    """The file before it was compressed: `size` in bytes, `md5` in hex.

    `etag` is the ETag of the large object that was made of it (`policy/etag.py:large_etag`); None if it is not
    recorded. Without it nobody knows if a dynamic large object has lost a segment.
    """

    size: int
    md5: str
    etag: str | None = None

    def as_fields(self) -> Fields:
        """The metadata fields that record it."""
        fields = ((MD5_FIELD, self.md5), (SIZE_FIELD, str(self.size)))
        return fields if self.etag is None else (*fields, (ETAG_FIELD, self.etag))


def original_of(head: RemoteObject, *, is_suffixed: bool = False) -> Original | None:
    """The file that the object was made from, or None if it is not compressed or its metadata is incomplete.

    An object counts as compressed if its Content-Encoding is gzip, or if it is named after its file (`is_suffixed`).
    """
    if not is_suffixed and (head.encoding is None or head.encoding.strip().lower() != ENCODING):
        return None
    meta = {name.lower(): value.strip() for name, value in head.meta}
    md5 = md5_of(meta.get(MD5_FIELD.lower()))
    size = meta.get(SIZE_FIELD.lower(), "")
    if md5 is None or not (size.isascii() and size.isdigit()):
        return None
    return Original(int(size), md5, md5_of(meta.get(ETAG_FIELD.lower())))
