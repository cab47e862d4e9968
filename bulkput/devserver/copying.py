"""Copies: COPY with Destination, and PUT with X-Copy-From (swift/common/middleware/copy.py), within the account."""

from collections.abc import Mapping
from urllib.parse import quote, unquote

from aiohttp import web

from .call import Call, http_date
from .options import SwiftConstraints
from .record import StoredObject
from .rules import Refused, check_put, delete_time, stored_headers
from .store import ContainerStore

Place = tuple[str, str]
"""A container and an object name."""


def serve_copy(call: Call, store: ContainerStore, limits: SwiftConstraints) -> web.Response:
    """Answer a COPY, or a PUT with X-Copy-From. Raises Refused.

    The copy keeps what is stored with the source; the request's own headers replace it. With X-Fresh-Metadata only the
    type is kept.
    """
    here = call.target.container, call.target.name
    if call.request.method == "COPY":
        if not call.headers.get("Destination"):
            raise Refused(412, "Destination header required")
        source, there = here, _place(call.headers, "Destination")
    else:
        if call.headers.get("Content-Length", "0") != "0":
            raise Refused(400, "Copy requests require a zero byte body")
        source, there = _place(call.headers, "X-Copy-From"), here
    container = store.containers.get(source[0])
    old = container.find(source[1]) if container is not None else None
    target = store.containers.get(there[0])
    if old is None or target is None:
        raise Refused(404, "The resource could not be found.")
    headers = call.request.headers.copy()
    headers["Content-Length"] = "0"
    headers.setdefault("Content-Type", old.content_type)
    if headers.get("X-Fresh-Metadata", "").lower() not in ("true", "1", "yes", "on", "t", "y"):
        for name, value in old.headers:
            headers.setdefault(name, value)
    check_put(headers, there[1], limits)
    timestamp = store.now()
    delete_at = delete_time(headers, timestamp)
    kept = stored_headers(headers, delete_at, limits)
    copied = StoredObject(there[1], old.size, old.etag, headers["Content-Type"], timestamp, kept, old.pieces, delete_at)
    store.keep(target, copied)
    return call.answer(
        201,
        ("Etag", old.etag),
        ("Last-Modified", http_date(timestamp)),
        ("X-Copied-From", quote("/".join(source))),
        ("X-Copied-From-Last-Modified", http_date(old.timestamp)),
    )


def _place(headers: Mapping[str, str], name: str) -> Place:
    """CONTAINER/OBJECT of a header field, with or without a slash before it."""
    container, _, key = unquote(headers[name]).removeprefix("/").partition("/")
    if not (container and key):
        raise Refused(412, f"{name} header must be of the form <container name>/<object name>")
    return container, key
