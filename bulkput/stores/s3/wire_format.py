"""S3's formats: header fields of a PUT, the answer to a HEAD, pages of a listing, lists of names to delete."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus
from xml.sax.saxutils import escape

from bulkput.errors import StoreError, Unavailable, UnprovenPut
from bulkput.model import Fields, ObjectHeaders, Prefix, RemoteObject
from bulkput.policy.etag import md5_of
from bulkput.policy.headers import overlaid
from bulkput.policy.proof import FreshHead
from bulkput.record import record

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

META = "x-amz-meta-"
MTIME = "x-amz-meta-mtime"
"""The time of a file as rclone has it: seconds with nine decimal places."""
_KEPT = (
    "Content-Disposition",
    "Content-Language",
    "Expires",
    "x-amz-website-redirect-location",
)
"""Fields that S3 keeps with an object and that `ObjectHeaders` has no field for."""
_SHOWN = frozenset(
    ("content-type", "content-encoding", "cache-control", "x-amz-storage-class", *(name.lower() for name in _KEPT))
)
"""Those that a HEAD shows, beside metadata."""
_ENCRYPTION = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id")
_USUAL_CLASSES = ("STANDARD", "EXPRESS_ONEZONE", "OUTPOSTS")
"""Storage classes that objects have by themselves, because of their bucket."""
_ENCODED = re.compile(r"=\?(?i:utf-8)\?(?i:[bq])\?")
"""RFC 2047: how S3 shows metadata that is not ASCII."""
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML 1.0 cannot have, not even escaped."""


def render(headers: ObjectHeaders, mtime: Callable[[int], str]) -> dict[str, str]:
    """The headers under S3's names."""
    rendered = {META + name.lower(): _signable(value) for name, value in headers.meta}
    if headers.mtime_ns is not None:
        rendered[MTIME] = mtime(headers.mtime_ns)
    if headers.content_type:
        rendered["Content-Type"] = headers.content_type
    if headers.encoding:
        rendered["Content-Encoding"] = headers.encoding
    if headers.cache_control:
        rendered["Cache-Control"] = headers.cache_control
    if headers.storage_class:
        rendered["x-amz-storage-class"] = headers.storage_class
    if headers.only_new:
        rendered["If-None-Match"] = "*"
    return overlaid(rendered, headers.extra)


def _signable(value: str) -> str:
    """The value of a metadata field, encoded by RFC 2047 if it is not ASCII: S3 decodes it, and encodes it for its
    readers again (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html). Other stores keep it as it
    is sent; of raw UTF-8, readers that take header fields for Latin-1 make other letters (boto3, aws).

    Also encoded are tabs, which servers sign in different ways, and white space at the ends, which HTTP drops."""
    if value.isascii() and value == value.strip() and not any(each.isspace() and each != " " for each in value):
        return value
    return f"=?UTF-8?B?{b64encode(value.encode()).decode()}?="


def query_of(**parameters: str) -> str:
    """A query as signatures want it: names in order, everything but letters, digits and -._~ escaped. An underscore in
    a name stands for a hyphen."""
    pairs = sorted((name.replace("_", "-"), value) for name, value in parameters.items())
    return "&".join(f"{name}={quote(value, safe='~')}" for name, value in pairs)


def etag_of(headers: Mapping[str, str]) -> str | None:
    etag = headers.get("ETag")
    return etag.strip('"') if etag else None


def length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def described(key: str, headers: Mapping[str, str], *, is_opaque: bool = False) -> RemoteObject:
    """The object of a HEAD's answer. Its ETag is left out if the store has encrypted the object so that it is no MD5,
    though it looks like one, and if `is_opaque`: the ETags of this bucket are none."""
    return RemoteObject(
        name=key,
        bytes=length(headers),
        hash=etag_of(headers) if not (is_opaque or has_opaque_etag(headers)) else None,
        content_type=headers.get("Content-Type"),
        last_modified=_moment(headers.get("Last-Modified")),
        encoding=_encoding(headers),
        meta=meta_of(headers),
    )


def has_opaque_etag(headers: Mapping[str, str]) -> bool:
    """Whether the ETag is no MD5: with keys of KMS or of the customer.
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html)"""
    kind = headers.get("x-amz-server-side-encryption", "")
    return kind.startswith("aws:kms") or "x-amz-server-side-encryption-customer-algorithm" in headers


def unproven_put(headers: Mapping[str, str], md5: str, size: int) -> UnprovenPut:
    """The record of a PUT whose answer does not have the MD5 that was sent. It has no time of the object."""
    return UnprovenPut(md5=md5, size=size, etag=md5_of(headers.get("ETag")), modified=headers.get("Last-Modified"))


def fresh_head(headers: Mapping[str, str], *, is_opaque: bool = False) -> FreshHead:
    """The answer to a HEAD, for `policy/proof.py`. `is_opaque` as in `described`."""
    return FreshHead(
        md5=md5_of(headers.get("ETag")) if not (is_opaque or has_opaque_etag(headers)) else None,
        size=length(headers),
        modified=headers.get("Last-Modified"),
        age_s=_age_s(headers),
        is_cached=headers.get("Age", "0").strip() != "0",
    )


def _age_s(headers: Mapping[str, str]) -> float | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 4 ms, for objects that arrived damaged

    try:
        now, then = (parsedate_to_datetime(headers[name]).timestamp() for name in ("Date", "Last-Modified"))
    except (KeyError, ValueError, OverflowError):
        return None
    return now - then


def meta_of(headers: Mapping[str, str]) -> Fields:
    found = [(name[len(META) :].lower(), value) for name, value in headers.items() if name.lower().startswith(META)]
    return tuple((name, _decoded(value)) for name, value in found)


def kept(headers: Mapping[str, str]) -> ObjectHeaders:
    """The headers for a PUT that stores what a HEAD has shown."""
    storage_class = headers.get("x-amz-storage-class")
    return ObjectHeaders(
        content_type=headers.get("Content-Type"),
        encoding=_encoding(headers),
        cache_control=headers.get("Cache-Control"),
        meta=meta_of(headers),
        extra=tuple((name, value) for name in _KEPT if (value := headers.get(name)) is not None),
        storage_class=None if storage_class in _USUAL_CLASSES else storage_class,
    )


def own_encryption(headers: Mapping[str, str]) -> Fields:
    """The fields that encrypt a copy as the object of a HEAD is, if it is by a key of KMS. AES256 is what every object
    has, unless its bucket says otherwise: it is left to that."""
    if not headers.get(_ENCRYPTION[0], "").startswith("aws:kms"):
        return ()
    return tuple((name, value) for name in _ENCRYPTION if (value := headers.get(name)) is not None)


def has_fields(head: Mapping[str, str], wanted: Mapping[str, str], *, exactly: bool = False) -> bool:
    """Whether the object of a HEAD has these fields, as far as a HEAD shows them; `exactly`: and no others."""
    meta, own = dict(meta_of(head)), kept(head)
    shown = {name.lower(): value for name, value in render(own, str).items()}
    for name, value in wanted.items():
        small = name.lower()
        is_meta = small.startswith(META)
        found = meta.get(small.removeprefix(META)) if is_meta else shown.get(small)
        if found != (_decoded(value) if is_meta else value) and (small in _SHOWN or is_meta):
            return False
    others = shown.keys() - {name.lower() for name in wanted} - {"content-type"}  # which it has in any case
    return not exactly or not (others or head.get("x-amz-tagging-count"))


def _encoding(headers: Mapping[str, str]) -> str | None:
    """Content-Encoding, without the `aws-chunked` that some stores keep of an upload with trailing checksums."""
    given = headers.get("Content-Encoding", "")
    words = [word for part in given.split(",") if (word := part.strip()) and word != "aws-chunked"]
    return ",".join(words) or None


def _decoded(value: str) -> str:
    if _ENCODED.match(value) is None:
        return value
    from email.errors import HeaderParseError  # noqa: PLC0415 - few objects have such metadata
    from email.header import decode_header, make_header  # noqa: PLC0415 - few objects have such metadata

    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value


def _moment(text: str | None) -> str | None:
    """ISO 8601 from the date of an HTTP field."""
    if not text:
        return None
    try:
        moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment.replace(tzinfo=None).isoformat()


@record
class Page:
    """A page of a listing: its rows in order, and where the next page begins; None at the end."""

    rows: list[RemoteObject | Prefix]
    token: str | None


def parsed(body: bytes, operation: str, key: str) -> "Element":
    """The root of an XML answer, without namespaces. Raises StoreError."""
    from xml.etree import ElementTree  # noqa: PLC0415 - 5 ms, which a plain upload does not have to pay

    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - the store's own answer; expat bounds entities
    except ElementTree.ParseError:
        raise StoreError(
            operation, key, "the answer is not XML of S3: is there something else at this address?"
        ) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def page(body: bytes, operation: str, key: str) -> Page:
    """A page of ListObjectsV2 with `encoding-type=url`. Objects and prefixes come in lists of their own: this merges
    them in the order of their names' bytes. Raises StoreError; Unavailable if it breaks off."""
    root = parsed(body, operation, key)
    if root.tag != "ListBucketResult":
        raise StoreError(operation, key, "the answer is not a listing of S3")
    is_encoded = root.findtext("EncodingType") == "url"

    def name_of(element: "Element", tag: str) -> str:
        name = element.findtext(tag) or ""
        try:
            return unquote_plus(name, errors="strict") if is_encoded else name
        except UnicodeDecodeError:
            raise StoreError(operation, key, f"the name {name} is not UTF-8") from None

    rows: list[RemoteObject | Prefix] = []
    for item in root.iter("Contents"):
        size = item.findtext("Size") or ""
        rows.append(
            RemoteObject(
                name_of(item, "Key"),
                int(size) if size.isdigit() else None,
                (item.findtext("ETag") or "").strip('"') or None,
                None,
                (item.findtext("LastModified") or "").removesuffix("Z") or None,
            )
        )
    prefixes = [Prefix(name_of(item, "Prefix")) for item in root.iter("CommonPrefixes")]
    if prefixes:
        rows = sorted([*rows, *prefixes], key=lambda row: row.name.encode())
    token = root.findtext("NextContinuationToken") or None
    match root.findtext("IsTruncated"):
        case "true" if token is None:
            raise Unavailable(operation, key, "the listing breaks off: it does not say where it goes on")
        case "false":
            token = None
        case None if token is None:
            raise Unavailable(operation, key, "the listing does not say whether it is complete")
    return Page(rows, token)


def can_be_named(key: str) -> bool:
    """Whether XML can have the name."""
    return _NOT_XML.search(key) is None


def delete_request(keys: Iterable[str]) -> bytes:
    """The body of DeleteObjects, which answers only with what it has not deleted."""
    entities = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
    names = "".join(f"<Object><Key>{escape(key, entities)}</Key></Object>" for key in keys)
    return f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>{names}</Delete>'.encode()


def left_of(body: bytes, operation: str, key: str) -> tuple[tuple[str, str], ...]:
    """What DeleteObjects has not deleted: the names, and the codes that say why. Raises StoreError."""
    root = parsed(body, operation, key)
    if root.tag != "DeleteResult":
        raise StoreError(operation, key, "the answer is not that of DeleteObjects")
    return tuple((item.findtext("Key") or "", item.findtext("Code") or "") for item in root.iter("Error"))


def is_owners(acl: bytes) -> bool:
    """Whether an ACL grants something to the object's owner alone. Raises StoreError. False for one in the form of
    another protocol: GCS has such."""
    root = parsed(acl, "stat", "acl")
    owner = root.findtext("Owner/ID") if root.tag == "AccessControlPolicy" else None
    return bool(owner) and all(each.findtext("Grantee/ID") == owner for each in root.iter("Grant"))


def complete_request(parts: Iterable[tuple[int, str, str]]) -> bytes:
    """The body of CompleteMultipartUpload, of parts in their order: number, ETag and checksum (as NAME=VALUE, may be
    empty). That of 10 000 parts has less than the MiB that Ceph's gateway takes, if they have no checksums."""
    rows = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{escape(etag)}"</ETag>{_checksum(sum_)}</Part>'
        for number, etag, sum_ in parts
    )
    name = "CompleteMultipartUpload"
    return f'<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}</{name}>'.encode()


def _checksum(named: str) -> str:
    name, _, value = named.partition("=")
    tag = "Checksum" + name.removeprefix("x-amz-checksum-").upper()
    return f"<{tag}>{escape(value)}</{tag}>" if name else ""
