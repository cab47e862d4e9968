"""Copies: COPY with Destination, and PUT with X-Copy-From (swift/common/middleware/copy.py), within the account."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote, unquote

from aiohttp import web

from .call import Call, http_date
from .contents import SegmentLost, content_of
from .large import BadSegments, Place, refuse_segments, write_manifest
from .manifests import parse_manifest
from .options import DevServerOptions
from .record import Draft, StoredObject
from .rules import Refused, blank_object, is_true
from .store import ContainerStore


async def serve_copy(call: Call, store: ContainerStore, options: DevServerOptions) -> web.Response:
    """Answer a COPY, or a PUT with X-Copy-From. Raises Refused.

    The copy keeps what is stored with the source; the request's own headers replace it. With X-Fresh-Metadata only the
    type is kept. The copy of a large object has its bytes, or with `multipart-manifest=get` its manifest.
    """
    source, there = _places(call)
    old = store.find("/".join(source))
    if old is None or there[0] not in store.containers:
        raise Refused(404, "The resource could not be found.")
    with_manifest = call.params().get("multipart-manifest") == "get"
    headers = _headers(call, old, with_manifest=with_manifest)
    if with_manifest and old.slo is not None:
        entries = parse_manifest(old.slo.as_given(), "/".join(there), options.slo)
        try:
            new = write_manifest(store, there, headers, entries, options)
        except BadSegments as bad:
            return refuse_segments(call, bad.errors)
        etag = f'"{old.slo.etag}"'
    else:
        new = await _copy_bytes(old, store, there, headers, options)
        etag = new.etag
    return call.answer(
        201,
        ("Etag", etag),
        ("Last-Modified", http_date(new.timestamp)),
        ("X-Copied-From", quote("/".join(source))),
        ("X-Copied-From-Last-Modified", http_date(old.timestamp)),
    )


def _places(call: Call) -> tuple[Place, Place]:
    """Source and destination. Raises Refused."""
    here = call.target.container, call.target.name
    if call.request.method == "COPY":
        if not call.headers.get("Destination"):
            raise Refused(412, "Destination header required")
        return here, _place(call.headers, "Destination")
    if call.headers.get("Content-Length", "0") != "0":
        raise Refused(400, "Copy requests require a zero byte body")
    return _place(call.headers, "X-Copy-From"), here


def _place(headers: Mapping[str, str], name: str) -> Place:
    """CONTAINER/OBJECT of a header field, with or without a slash before it."""
    container, _, key = unquote(headers[name]).removeprefix("/").partition("/")
    if not (container and key):
        raise Refused(412, f"{name} header must be of the form <container name>/<object name>")
    return container, key


def _headers(call: Call, old: StoredObject, *, with_manifest: bool) -> Mapping[str, str]:
    headers = call.request.headers.copy()
    headers.setdefault("Content-Type", old.content_type)
    fresh = is_true(headers.get("X-Fresh-Metadata", ""))
    for name, value in old.headers:
        if name == "X-Object-Manifest":
            if with_manifest:
                headers[name] = value
        elif not fresh:
            headers.setdefault(name, value)
    return headers


async def _copy_bytes(
    old: StoredObject, store: ContainerStore, there: Place, headers: Mapping[str, str], options: DevServerOptions
) -> StoredObject:
    """Store the copy of a whole object. A copy with an X-Object-Manifest is a manifest, which keeps its own bytes."""
    container = store.containers[there[0]]
    is_manifest = old.slo is not None or "X-Object-Manifest" in dict(old.headers)
    if not is_manifest or "X-Object-Manifest" in headers:
        blank = blank_object(headers, old.size, there, store.now(), options.limits)
        new = replace(blank, size=old.size, etag=old.etag, pieces=old.pieces)
    else:
        content = content_of(old, store)
        blank = blank_object(headers, content.size, there, store.now(), options.limits)
        draft = await asyncio.to_thread(_join, _all_pieces(content.read(0, content.size), content.size))
        new = replace(blank, size=draft.size, etag=draft.etag, pieces=tuple(draft.pieces))
    if not store.keep(container, new):
        raise Refused(404, "The resource could not be found.")
    return new


def _all_pieces(pieces: Iterable[bytes], size: int) -> list[bytes]:
    """The bytes of a large object. Raises Refused: 409 if the first segment is lost, 499 if it is a later one."""
    kept: list[bytes] = []
    lost = False
    try:
        kept.extend(pieces)
    except SegmentLost:
        lost = True
    if lost and not kept:
        raise Refused(409, "There was a conflict when trying to complete your request.")
    if lost or sum(map(len, kept)) < size:
        raise Refused(499, "Client Disconnect: the source is incomplete")
    return kept


def _join(pieces: Iterable[bytes]) -> Draft:
    """Computes the MD5 of all pieces: for a large object too long for the event loop."""
    draft = Draft()
    for piece in pieces:
        draft.write(piece)
    return draft
