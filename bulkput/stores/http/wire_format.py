"""What the header fields of a plain HTTP server say of an object."""

from collections.abc import Mapping

from bulkput.model import ObjectHeaders, RemoteObject

_KEPT = ("Content-Disposition", "Content-Language", "Expires")
"""Header fields that describe an object and that have no field of their own in `ObjectHeaders`."""


def row_of(key: str, headers: Mapping[str, str]) -> RemoteObject:
    length = headers.get("Content-Length", "")
    return RemoteObject(
        name=key,
        bytes=int(length) if length.isascii() and length.isdigit() else None,
        hash=headers.get("X-Checksum-Md5"),  # Artifactory computes it from the bytes
        content_type=headers.get("Content-Type"),
        last_modified=_moment(headers.get("Last-Modified")),
        encoding=headers.get("Content-Encoding"),
    )


def _moment(text: str | None) -> str | None:
    """An HTTP date as ISO 8601; None if it does not parse."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 4 ms, for runs that compare

    try:
        return parsedate_to_datetime(text).isoformat() if text else None
    except (ValueError, OverflowError):
        return None


def kept(headers: Mapping[str, str]) -> ObjectHeaders:
    return ObjectHeaders(
        content_type=headers.get("Content-Type"),
        encoding=headers.get("Content-Encoding"),
        cache_control=headers.get("Cache-Control"),
        extra=tuple((name, value) for name in _KEPT if (value := headers.get(name)) is not None),
    )
