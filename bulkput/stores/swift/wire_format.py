"""Swift's formats: header fields of a PUT, rows of a listing, the answer to a HEAD, manifests, /info."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from bulkput.errors import UnprovenPut
from bulkput.model import Fields, Limits, ObjectHeaders, Prefix, RemoteObject, Segment
from bulkput.options import LargeMode
from bulkput.policy.etag import md5_of
from bulkput.policy.headers import overlaid
from bulkput.policy.mtime import mtime_text
from bulkput.policy.proof import FreshHead

META = "X-Object-Meta-"
SEGMENTS = "_segments"
"""Behind a container's name, that of the container of its segments, as python-swiftclient and rclone have it."""
_MD5_OF_NOTHING = hashlib.md5(usedforsecurity=False).hexdigest()
"""Ceph's gateway lists a static large object with its manifest's size and this MD5; no other object has both."""
_API = re.compile(r"(?P<before>.*?)/v1(\.0)?(/[^/]*)?/?")
"""The path of a storage URL: `/v1/ACCOUNT`, or without the account where the token says whose it is."""
_DELETES = 1000
"""A tenth of what Swift takes by default."""
_SEGMENTS, _MANIFEST_BYTES = 1000, 8 * 1024 * 1024
"""Swift's defaults for static large objects."""
_ROW_BYTES = 8 * 1024
"""Bytes of a row of a manifest at most: a name of 1024 bytes in a container of 256, each byte of it escaped as JSON."""
_DYNAMIC_SEGMENTS = 9_999
"""No store limits the segments of a dynamic large object. With 10 000, the HEAD of one has no size and no ETag in Swift
(container_listing_limit), and nothing would prove it."""


def render(headers: ObjectHeaders, *, mtime: Callable[[int], str] = mtime_text) -> dict[str, str]:
    """The headers under Swift's names. `mtime` makes the text of the modification time."""
    rendered = {META + name: value for name, value in headers.meta}
    if headers.mtime_ns is not None:
        rendered["X-Object-Meta-Mtime"] = mtime(headers.mtime_ns)
    if headers.content_type:
        rendered["Content-Type"] = headers.content_type
    if headers.encoding:
        rendered["Content-Encoding"] = headers.encoding
    if headers.cache_control:
        rendered["Cache-Control"] = headers.cache_control
    if headers.expires_in_s is not None:
        rendered["X-Delete-After"] = str(headers.expires_in_s)
    if headers.only_new:
        rendered["If-None-Match"] = "*"
    return overlaid(rendered, headers.extra)


def from_json(body: bytes) -> Any:
    """Raises ValueError and RecursionError."""
    import json  # noqa: PLC0415 - 2 ms, which a plain upload does not have to pay

    return json.loads(body)


def info_urls(storage_url: str) -> tuple[str, ...]:
    """Where `/info` may be, the likeliest place first.

    Swift has it at the root of its host (https://docs.openstack.org/api-ref/object-store/, "Discoverability"), Ceph's
    gateway beside the API, which is at `/swift/v1` by default: `/swift/info`. A proxy may hide a part of that path, or
    pass on only the API below another one.
    """
    parts = urlsplit(storage_url)
    root, api = f"{parts.scheme}://{parts.netloc}", _API.fullmatch(parts.path)
    beside = api["before"] if api is not None else ""
    return tuple(dict.fromkeys(f"{root}{path}/info" for path in (beside, "", "/swift")))


def limits(info: Mapping[str, Any], large: LargeMode = "auto") -> Limits:
    """What `/info` says; Swift's defaults replace missing or invalid values. `large` says how large objects are
    composed, which decides of how many parts."""
    swift, slo, default = section(info, "swift"), section(info, "slo"), Limits()
    is_static = large == "slo" or (large == "auto" and has_slo(info))
    most = min(
        positive(slo.get("max_manifest_segments"), _SEGMENTS),
        positive(slo.get("max_manifest_size"), _MANIFEST_BYTES) // _ROW_BYTES,
    )
    length = swift.get("max_object_name_length", swift.get("max_object_name_size"))  # the second is Ceph's
    deletes = section(info, "bulk_delete")
    return Limits(
        max_name_bytes=positive(length, default.max_name_bytes),
        max_object_bytes=positive(swift.get("max_file_size"), default.max_object_bytes),
        # Ceph takes bulk-deletes without naming a limit.
        max_deletes=positive(deletes.get("max_deletes_per_request"), _DELETES if "bulk_delete" in info else 1),
        max_parts=1 if large == "never" else max(2, most) if is_static else _DYNAMIC_SEGMENTS,
        min_part_bytes=positive(slo.get("min_segment_size"), 1) if is_static else 1,
        container_rates=_container_rates(section(info, "ratelimit")),
    )


def _container_rates(found: Mapping[str, Any]) -> tuple[tuple[int, float], ...]:
    """From the section of the ratelimit middleware, which few clusters have."""
    if not found:
        return ()
    from bulkput.policy.container_rate import steps_of  # noqa: PLC0415 - see above

    return steps_of(found.get("container_ratelimits"))


def has_slo(info: Mapping[str, Any]) -> bool:
    """Whether the store has static large objects that it checks. One that shows no `/info` is taken to have them.

    Ceph's gateway has some, and names no `max_manifest_size`: it takes any MD5 in a manifest for true, lists the object
    with the manifest's size, which makes rclone see another file, and (version 16) does not show the manifest. There
    dynamic large objects are better: their segments can be listed and compared.
    """
    return "max_manifest_size" in section(info, "slo") or not info


def forgets_expiry(info: Mapping[str, Any]) -> bool:
    """Whether a copy does not expire unless it is told to: so it is with Ceph's gateway, whose `/info` has a name of
    its own for a limit (see `limits`)."""
    return "max_object_name_size" in section(info, "swift")


def section(info: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = info.get(name)
    return found if isinstance(found, dict) else {}


def positive(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and value > 0 else otherwise


def page(rows: object) -> list[RemoteObject | Prefix]:
    """The items of a listing page. Raises ValueError, TypeError or KeyError if `rows` is no such page."""
    if not isinstance(rows, list):
        raise TypeError("no list")
    return [_listed(row) for row in rows]


def _listed(row: Mapping[str, Any]) -> RemoteObject | Prefix:
    if "subdir" in row:
        return Prefix(_name(row["subdir"]))
    size, texts = row["bytes"], (row.get("hash"), row.get("content_type"), row.get("last_modified"))
    if not isinstance(size, int) or size < 0 or not all(text is None or isinstance(text, str) for text in texts):
        raise TypeError("no row")
    etag, content_type, moment = texts
    is_cephs_static = bool(size) and etag == _MD5_OF_NOTHING
    link = row.get("symlink_path")  # /v1/ACCOUNT/CONTAINER/OBJECT, quoted
    return RemoteObject(
        _name(row["name"]),
        size if not is_cephs_static else None,  # it is that of the manifest
        etag,
        content_type,
        moment.removesuffix("Z") if moment else moment,  # Ceph's gateway names the zone, Swift does not
        "static" if "slo_etag" in row or is_cephs_static else None,
        link=unquote(link.split("/", 3)[-1]) if link is not None else None,
    )


def _name(value: Any) -> str:
    """The name. Raises TypeError if it is no text or empty, ValueError if it is not UTF-8."""
    if not isinstance(value, str) or not value:
        raise TypeError("no name")
    value.encode()
    return value


def length(headers: Mapping[str, str]) -> int | None:
    """Content-Length, or None if it is missing or no number."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def described(key: str, headers: Mapping[str, str]) -> RemoteObject:
    """The object of a HEAD's answer. For a large object, Content-Length is that of all segments, and the ETag is no MD5
    of the bytes."""
    etag = headers.get("ETag")
    return RemoteObject(
        name=key,
        bytes=length(headers),
        hash=etag.strip('"') if etag else None,
        content_type=headers.get("Content-Type"),
        last_modified=_stored(headers),
        large=large(headers),
        encoding=headers.get("Content-Encoding"),
        meta=tuple(
            (name[len(META) :], value) for name, value in headers.items() if name.lower().startswith(META.lower())
        ),
        link=_path(headers.get("X-Symlink-Target")) or _located(headers.get("Content-Location")),
        below=_path(headers.get("X-Object-Manifest")),
        expires_at=_seconds(headers.get("X-Delete-At")),
    )


def _path(quoted: str | None) -> str | None:
    return unquote(quoted).removeprefix("/") if quoted is not None else None


def _located(quoted: str | None) -> str | None:
    """CONTAINER/OBJECT from /v1/ACCOUNT/CONTAINER/OBJECT: the target of a link that a HEAD has followed."""
    return unquote(quoted.split("/", 3)[-1]) if quoted is not None and quoted.count("/") > 3 else None


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


_KEPT = ("Content-Disposition", "Content-Language", "Expires", "X-Robots-Tag", "X-Delete-At")
"""Fields that Swift stores besides metadata (allowed_headers of the object server) and that `ObjectHeaders` has no
field for."""


def kept(headers: Mapping[str, str], meta: Fields) -> ObjectHeaders:
    """The headers for a PUT that stores what a HEAD has shown."""
    return ObjectHeaders(
        content_type=headers.get("Content-Type"),
        encoding=headers.get("Content-Encoding"),
        cache_control=headers.get("Cache-Control"),
        meta=meta,
        extra=tuple((name, value) for name in _KEPT if (value := headers.get(name)) is not None),
    )


def unproven_put(headers: Mapping[str, str], md5: str, size: int) -> UnprovenPut:
    """The record of a PUT whose 201 does not have the MD5 that was sent."""
    return UnprovenPut(md5=md5, size=size, etag=md5_of(headers.get("ETag")), modified=headers.get("Last-Modified"))


def fresh_head(headers: Mapping[str, str]) -> FreshHead:
    """The answer to a HEAD with `symlink=get`, for `policy/proof.py`."""
    is_link = "X-Symlink-Target" in headers or "Content-Location" in headers
    return FreshHead(
        md5=md5_of(headers.get("ETag")),
        size=length(headers),
        modified=headers.get("Last-Modified"),
        age_s=_age_s(headers),
        is_plain=large(headers) is None and not is_link,
        is_cached=headers.get("Age", "0").strip() != "0",
    )


def _age_s(headers: Mapping[str, str]) -> float | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 4 ms, for objects that arrived damaged

    try:
        return parsedate_to_datetime(headers["Date"]).timestamp() - float(headers["X-Timestamp"])
    except (KeyError, ValueError, OverflowError):
        return None


def _stored(headers: Mapping[str, str]) -> str | None:
    """The time in the format of a listing, from X-Timestamp, because Last-Modified is rounded up to a second."""
    try:
        moment = datetime.fromtimestamp(float(headers["X-Timestamp"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")


def large(headers: Mapping[str, str]) -> Literal["static", "dynamic"] | None:
    """Ceph's gateway has only the metadata field in its answer to a HEAD of the manifest itself."""
    if any(headers.get(name, "").lower() == "true" for name in ("X-Static-Large-Object", f"{META}Static-Large-Object")):
        return "static"
    return "dynamic" if "X-Object-Manifest" in headers else None


def segment(row: Mapping[str, Any]) -> Segment:
    """A segment from a row of a manifest. `range`, `sub_slo` and `data` mark rows that are no whole plain object."""
    if "data" in row:
        return Segment(row.get("bytes", 0), None)
    path = row["name"].removeprefix("/")
    if "range" in row or row.get("sub_slo"):
        return Segment(row.get("bytes", 0), None, path)
    return Segment(row["bytes"], row["hash"], path)
