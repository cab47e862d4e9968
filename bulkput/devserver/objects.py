"""The verbs of an object (swift/proxy/controllers/obj.py, swift/obj/server.py); `copying` has its copies."""

import mimetypes
import re

from aiohttp import web

from .call import Call, http_date
from .copying import serve_copy
from .options import SwiftConstraints
from .record import Draft, StoredObject
from .rules import Refused, bare_etag, check_put, delete_time, stored_headers
from .store import Container, ContainerStore

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


async def serve_object(call: Call, store: ContainerStore, limits: SwiftConstraints) -> web.StreamResponse:
    """Answer a request for an object. Raises Refused."""
    verb, target = call.request.method, call.target
    if verb == "COPY" or (verb == "PUT" and call.headers.get("X-Copy-From")):
        return serve_copy(call, store, limits)
    if verb == "PUT":
        # As in Swift, this check comes before the container is looked up.
        if "If-None-Match" in call.headers and call.headers["If-None-Match"].strip() not in ("*", '"*"'):
            raise Refused(400, "If-None-Match only supports *")
    elif verb not in ("GET", "HEAD", "POST", "DELETE"):
        allow = (("Allow", "COPY, DELETE, GET, HEAD, POST, PUT"),)
        raise Refused(405, "The method is not allowed for an object.", allow)
    container = store.containers.get(target.container)
    if container is None:
        raise Refused(404, "The resource could not be found.")
    match verb:
        case "PUT":
            return await _put(call, store, container, limits)
        case "POST":
            return _post(call, store, container, limits)
        case "DELETE":
            if not container.delete(target.name):
                raise Refused(404, "The resource could not be found.")
            return call.answer(204)
        case _:
            return await _get(call, container)


async def _put(call: Call, store: ContainerStore, container: Container, limits: SwiftConstraints) -> web.Response:
    headers, name = call.headers, call.target.name
    timestamp = store.now()
    check_put(headers, name, limits)
    delete_at = delete_time(headers, timestamp)
    kept = stored_headers(headers, delete_at, limits)
    if "If-None-Match" in headers and container.find(name) is not None:
        raise Refused(412, "A precondition for this request was not met.")
    draft = Draft()
    await call.read_body(draft.write, limits.max_file_size)
    etag = draft.etag
    if "ETag" in headers and bare_etag(headers["ETag"]) != etag:
        raise Refused(422, "Unable to process the contained instructions", (("Etag", etag),))
    pieces = tuple(draft.pieces)
    if not store.keep(
        container,
        StoredObject(name, draft.size, etag, _content_type(call), timestamp, kept, pieces, delete_at),
    ):
        raise Refused(404, "The resource could not be found.")
    return call.answer(
        201,
        ("Etag", etag),
        ("Last-Modified", http_date(timestamp)),
        ("Content-Type", "text/html; charset=UTF-8"),
    )


def _post(call: Call, store: ContainerStore, container: Container, limits: SwiftConstraints) -> web.Response:
    """Replaces all metadata; the Content-Type only if it is given (API reference, "Update object metadata")."""
    timestamp, name = store.now(), call.target.name
    delete_at = delete_time(call.headers, timestamp)
    kept = stored_headers(call.headers, delete_at, limits)
    old = container.find(name)
    if old is None:
        raise Refused(404, "The resource could not be found.")
    content_type = call.headers.get("Content-Type", old.content_type)
    container.enter(StoredObject(name, old.size, old.etag, content_type, timestamp, kept, old.pieces, delete_at))
    return call.answer(202)


async def _get(call: Call, container: Container) -> web.StreamResponse:
    """GET and HEAD. If the object is replaced or deleted during a GET, the old bytes are sent to the end."""
    stored = container.find(call.target.name)
    if stored is None:
        raise Refused(404, "The resource could not be found.")
    shown = _shown(stored)
    if stored.etag in map(bare_etag, re.split(r"\s*,\s*", call.headers.get("If-None-Match", ""))):
        return call.answer(304, *shown)
    span = _span(call.headers.get("Range", ""), stored.size)
    if span is None:
        raise Refused(416, "The requested range cannot be satisfied.", (("Content-Range", f"bytes */{stored.size}"),))
    start, stop = span
    status = 200 if stop - start == stored.size else 206
    if status == 206:
        shown = (*shown, ("Content-Range", f"bytes {start}-{stop - 1}/{stored.size}"))
    shown = (*shown, ("Content-Length", str(stop - start)))
    if call.request.method == "HEAD" or start == stop:
        return call.answer(status, *shown)
    response = web.StreamResponse(status=status, headers=call.head(*shown))
    await response.prepare(call.request)
    for piece in stored.read(start, stop):
        await response.write(piece)
    await response.write_eof()
    return response


def _shown(stored: StoredObject) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", stored.content_type),
        ("Etag", stored.etag),
        ("Last-Modified", http_date(stored.timestamp)),
        ("X-Timestamp", f"{stored.timestamp:016.5f}"),
        ("Accept-Ranges", "bytes"),
        *stored.headers,
    )


def _span(text: str, size: int) -> tuple[int, int] | None:
    """(start, stop) of the requested range; None if it cannot be satisfied (RFC 9110 section 14.1.2).

    Several ranges, other units and invalid text are ignored, as the RFC allows: the whole object is sent.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return 0, size
    return (start, stop) if start < stop else None


def _content_type(call: Call) -> str:
    """The client's Content-Type, else a guess. It takes the whole path, so `data:x` in a name is no URL scheme."""
    given = call.headers.get("Content-Type")
    forced = call.headers.get("X-Detect-Content-Type", "").lower() in ("true", "1", "yes", "on", "t", "y")
    if given and not forced:
        return given
    return mimetypes.guess_type(call.target.path)[0] or "application/octet-stream"
