"""Requests that Swift refuses, and its error texts: checks of a request's head, without I/O.

Order and statuses are those of swift/common/constraints.py (check_metadata, check_object_creation,
check_delete_headers) and swift/proxy/controllers/obj.py (PUT).
"""

from collections.abc import Mapping

from .options import SwiftConstraints
from .record import Headers

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


def check_put(headers: Mapping[str, str], name: str, limits: SwiftConstraints) -> int | None:
    """The body's length, None for a chunked one. Raises Refused as `check_object_creation` would."""
    length = _body_length(headers)
    if length is None and headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise Refused(411, "Missing Content-Length header.")
    if length is not None and length > limits.max_file_size:
        raise Refused(413, "Your request is too large.")
    size = len(name.encode())
    if size > limits.max_object_name_length:
        raise Refused(400, f"Object name length of {size} longer than {limits.max_object_name_length}")
    if any(part.strip().startswith("swift_") for part in headers.get("Content-Type", "").split(";")[1:]):
        raise Refused(400, "Invalid Content-Type, swift_* is not a valid parameter name.")
    return length


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


def bare_etag(text: str) -> str:
    """An ETag without its quotes, in lower case (swift/common/swob.py, normalize_etag)."""
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
    return text.lower()


def _body_length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise Refused(400, "Invalid Content-Length")
    return int(text)


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
