"""Requests that Swift refuses, and its error texts: checks of a request's head, without I/O.

Order and statuses are those of swift/common/constraints.py (check_metadata, check_object_creation,
check_delete_headers) and swift/proxy/controllers/obj.py (PUT).
"""

import mimetypes
from collections.abc import Mapping

from .options import SwiftConstraints
from .record import Headers, StoredObject

STORED_HEADERS = (
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Cache-Control",
    "Expires",
    "X-Delete-At",
    "X-Object-Manifest",
    "X-Robots-Tag",
)
"""Headers that an object server stores besides X-Object-Meta-* (swift/obj/server.py, allowed_headers)."""


class Refused(Exception):
    """Ends the request with this status and this text."""

    def __init__(self, status: int, text: str, headers: Headers = ()) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = headers


def blank_object(
    headers: Mapping[str, str], length: int | None, place: tuple[str, str], timestamp: float, limits: SwiftConstraints
) -> StoredObject:
    """The object CONTAINER, NAME that a PUT with this head makes, still without its bytes. Raises Refused.

    `length` is that of its body, None if it is not known.
    """
    _check_put(headers, length, place[1], limits)
    delete_at = delete_time(headers, timestamp)
    kept = stored_headers(headers, delete_at, limits)
    return StoredObject(place[1], 0, "", content_type_of(headers, place), timestamp, kept, (), delete_at)


def _check_put(headers: Mapping[str, str], length: int | None, name: str, limits: SwiftConstraints) -> None:
    """Raises Refused as `check_object_creation` would."""
    _check_manifest(headers.get("X-Object-Manifest"))
    if length is not None and length > limits.max_file_size:
        raise Refused(413, "Your request is too large.")
    size = len(name.encode())
    if size > limits.max_object_name_length:
        raise Refused(400, f"Object name length of {size} longer than {limits.max_object_name_length}")
    if any(part.strip().startswith("swift_") for part in headers.get("Content-Type", "").split(";")[1:]):
        raise Refused(400, "Invalid Content-Type, swift_* is not a valid parameter name.")


def check_container_name(name: str, limits: SwiftConstraints) -> None:
    """Raises Refused for a name that is too long; a slash cannot be in it."""
    size = len(name.encode())
    if size > limits.max_container_name_length:
        raise Refused(400, f"Container name length of {size} longer than {limits.max_container_name_length}")


def stored_headers(headers: Mapping[str, str], delete_at: int | None, limits: SwiftConstraints) -> Headers:
    """The headers of a PUT or POST that are stored with the object. Raises Refused for metadata beyond the limits."""
    meta = user_metadata(headers, "X-Object-Meta-", limits)
    plain = [(key, headers[key]) for key in STORED_HEADERS if key in headers and key != "X-Delete-At"]
    for _, value in plain:
        _check_text(value)
    if delete_at is not None:
        plain.append(("X-Delete-At", str(delete_at)))
    return (*plain, *((key, value) for key, value in meta if value))


def user_metadata(headers: Mapping[str, str], prefix: str, limits: SwiftConstraints) -> Headers:
    """The headers that start with `prefix`, within the limits. Lengths are bytes. Raises Refused."""
    lowered = prefix.lower()
    found: list[tuple[str, str]] = []
    overall = 0
    for key, value in headers.items():
        if len(value) > limits.max_header_size:
            raise Refused(400, f"Header value too long: {key[: limits.max_meta_name_length]}")
        if not key.lower().startswith(lowered):
            continue
        name = key[len(prefix) :]
        _check_text(value)
        size = len(value.encode())
        overall += len(name) + size
        found.append((prefix + name.replace("_", "-").title(), value))
        if not name:
            raise Refused(400, "Metadata name cannot be empty")
        if len(name) > limits.max_meta_name_length:
            raise Refused(400, f"Metadata name too long: {key}")
        if size > limits.max_meta_value_length:
            raise Refused(400, f"Metadata value longer than {limits.max_meta_value_length}: {key}")
        if len(found) > limits.max_meta_count:
            raise Refused(400, f"Too many metadata items; max {limits.max_meta_count}")
        if overall > limits.max_meta_overall_size:
            raise Refused(400, f"Total metadata too large; max {limits.max_meta_overall_size}")
    return tuple(found)


def delete_time(headers: Mapping[str, str], now: float) -> int | None:
    """When the object expires, in whole seconds since the epoch; X-Delete-After wins over X-Delete-At."""
    after, at = headers.get("X-Delete-After"), headers.get("X-Delete-At")
    if after is not None:
        moment = int(now + _integer("X-Delete-After", after))
        given = "X-Delete-After"
    elif at is not None:
        moment = _integer("X-Delete-At", at)
        given = "X-Delete-At"
    else:
        return None
    if moment <= now:
        raise Refused(400, f"{given} in past")
    return moment


def check_if_none_match(headers: Mapping[str, str]) -> None:
    """Raises Refused for a PUT with an If-None-Match other than `*`."""
    if "If-None-Match" in headers and headers["If-None-Match"].strip() not in ("*", '"*"'):
        raise Refused(400, "If-None-Match only supports *")


def content_type_of(headers: Mapping[str, str], place: tuple[str, str]) -> str:
    """The client's Content-Type, else a guess. It takes a whole path, so `data:x` in a name is no URL scheme."""
    given = headers.get("Content-Type")
    if given and not is_true(headers.get("X-Detect-Content-Type", "")):
        return given
    return mimetypes.guess_type("/" + "/".join(place))[0] or "application/octet-stream"


def unquoted_etag(text: str) -> str:
    """An ETag without its quotes (swift/common/swob.py, normalize_etag)."""
    return text[1:-1] if len(text) > 1 and text.startswith('"') and text.endswith('"') else text


def bare_etag(text: str) -> str:
    """An ETag without its quotes, in lower case."""
    return unquoted_etag(text).lower()


def is_true(text: str) -> bool:
    """Whether a header or a parameter says yes (swift/common/utils/config.py, config_true_value)."""
    return text.lower() in ("true", "1", "yes", "on", "t", "y")


def body_length(headers: Mapping[str, str]) -> int | None:
    """The body's length, None for a chunked one. Raises Refused(411) if it is neither."""
    text = headers.get("Content-Length")
    if text is None:
        if headers.get("Transfer-Encoding", "").lower() != "chunked":
            raise Refused(411, "Missing Content-Length header.")
        return None
    if not (text.isascii() and text.isdigit()):
        raise Refused(400, "Invalid Content-Length")
    return int(text)


def _check_manifest(value: str | None) -> None:
    """Raises Refused for an X-Object-Manifest that names no prefix (swift/common/middleware/dlo.py)."""
    if value is None:
        return
    container, _, prefix = value.partition("/")
    if not (container and prefix) or prefix.startswith("/") or "?" in value or "&" in value:
        raise Refused(400, "X-Object-Manifest must be in the format container/prefix")


def _integer(header: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused(400, f"Non-integer {header}") from None


def _check_text(value: str) -> None:
    """Raises Refused if `value` is not UTF-8: aiohttp passes such bytes as surrogates, which cannot be sent back."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused(400, "Metadata must be valid UTF-8") from None
