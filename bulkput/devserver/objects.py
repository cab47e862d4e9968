"""The verbs of an object (swift/proxy/controllers/obj.py, swift/obj/server.py).

`reading` has GET and HEAD, `copying` copies, `large` the PUT of a static large object, `deleting` its DELETE.
"""

from dataclasses import replace

from aiohttp import web

from .call import Call, http_date
from .copying import serve_copy
from .deleting import delete_with_segments
from .large import put_manifest
from .options import DevServerOptions, SwiftConstraints
from .reading import show_object
from .record import Draft
from .rules import Refused, bare_etag, blank_object, body_length, check_if_none_match, delete_time, stored_headers
from .store import Container, ContainerStore

_RESERVED = (
    "X-Static-Large-Object is a reserved header. "
    "To create a static large object add query param multipart-manifest=put."
)


async def serve_object(call: Call, store: ContainerStore, options: DevServerOptions) -> web.StreamResponse:
    """Answer a request for an object. Raises Refused."""
    verb = call.request.method
    if verb == "COPY" or (verb == "PUT" and call.headers.get("X-Copy-From")):
        return await serve_copy(call, store, options)
    match verb, call.params().get("multipart-manifest") if call.target.query else None:
        case "PUT", "put":
            return await put_manifest(call, store, options)
        case "DELETE", "delete":
            return delete_with_segments(call, store, options.slo)
        case (("PUT" | "POST" | "DELETE"), _) if "X-Static-Large-Object" in call.headers:
            raise Refused(400, _RESERVED)
        case _:
            return await _serve_plain(call, store, options.limits)


async def _serve_plain(call: Call, store: ContainerStore, limits: SwiftConstraints) -> web.StreamResponse:
    verb, target = call.request.method, call.target
    if verb == "PUT":
        check_if_none_match(call.headers)  # as in Swift, before the container is looked up
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
            stored = container.find(target.name)
            if stored is None:
                raise Refused(404, "The resource could not be found.")
            return await show_object(call, store, stored)


async def _put(call: Call, store: ContainerStore, container: Container, limits: SwiftConstraints) -> web.Response:
    headers, name = call.headers, call.target.name
    blank = blank_object(headers, body_length(headers), (call.target.container, name), store.now(), limits)
    if "If-None-Match" in headers and container.find(name) is not None:
        raise Refused(412, "A precondition for this request was not met.")
    draft = Draft()
    await call.read_body(draft.write, limits.max_file_size)
    etag = draft.etag
    if "ETag" in headers and bare_etag(headers["ETag"]) != etag:
        raise Refused(422, "Unable to process the contained instructions", (("Etag", etag),))
    if not store.keep(container, replace(blank, size=draft.size, etag=etag, pieces=tuple(draft.pieces))):
        raise Refused(404, "The resource could not be found.")
    return call.answer(
        201,
        ("Etag", etag),
        ("Last-Modified", http_date(blank.timestamp)),
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
    new = replace(old, content_type=content_type, timestamp=timestamp, headers=kept, delete_at=delete_at)
    container.enter(new)
    return call.answer(202)
