"""PUT of a static large object (swift/common/middleware/slo.py, handle_multipart_put)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from urllib.parse import quote

from aiohttp import web

from .accounts import iso_time
from .call import Call, http_date
from .contents import content_of
from .manifests import Entry, differences, parse_manifest
from .options import DevServerOptions, SloConstraints
from .ranges import resolve
from .record import Draft, StoredObject
from .reports import Errors, Heartbeat, render, status_line, upload_form
from .rules import (
    Refused,
    bare_etag,
    blank_object,
    body_length,
    check_if_none_match,
    is_true,
    unquoted_etag,
)
from .slo import DataSegment, ObjectSegment, Segment, join_segments
from .store import ContainerStore

Place = tuple[str, str]
"""A container and an object name."""


class BadSegments(Exception):
    """Segments that are missing, or are not as the manifest says."""

    def __init__(self, errors: Errors) -> None:
        super().__init__(errors)
        self.errors = errors


async def put_manifest(call: Call, store: ContainerStore, options: DevServerOptions) -> web.StreamResponse:
    """`PUT ?multipart-manifest=put`. Raises Refused.

    With `heartbeat=on` the answer is 202, and its body says later whether the segments and the object were accepted.
    """
    place = call.target.container, call.target.name
    entries = parse_manifest(await _read(call, options.slo), "/".join(place), options.slo)
    form = upload_form(call.headers.get("Accept", ""))
    heartbeat = is_true(call.params().get("heartbeat", ""))
    fields: dict[str, str | int] = {}
    errors: Errors = ()
    try:
        stored = write_manifest(store, place, call.headers, entries, options)
    except BadSegments as bad:
        if not heartbeat:
            return refuse_segments(call, bad.errors)
        text = "The server could not comply with the request since it is either malformed or otherwise incorrect."
        fields = {"Response Status": status_line(400), "Response Body": f"Bad Request\n{text}"}
        errors = bad.errors
    except Refused as refused:
        if not heartbeat:
            raise
        line = status_line(refused.status)
        fields = {"Response Status": line, "Response Body": f"{line[4:]}\n{refused.text}"}
    else:
        etag, moment = content_of(stored, store).etag, http_date(stored.timestamp)
        if not heartbeat:
            html = ("Content-Type", "text/html; charset=UTF-8")
            return call.answer(201, ("Etag", etag), ("Last-Modified", moment), html)
        fields = {"Response Status": status_line(201), "Etag": etag, "Last Modified": moment, "Response Body": ""}
    response = Heartbeat(call, form, render(form, fields, errors), options.slo.yield_frequency)
    await response.start(call)
    return response


def write_manifest(
    store: ContainerStore, place: Place, headers: Mapping[str, str], entries: Sequence[Entry], options: DevServerOptions
) -> StoredObject:
    """Compare the segments with their objects, then store the large object. Raises BadSegments and Refused."""
    slo = join_segments(_find_segments(entries, store))
    draft = Draft()
    draft.write(slo.as_stored())
    if headers.get("ETag") and unquoted_etag(headers["ETag"]) != slo.etag:
        raise Refused(422, "Unable to process the contained instructions")
    check_if_none_match(headers)
    container = store.containers.get(place[0])
    if container is None:
        raise Refused(404, "The resource could not be found.")
    blank = blank_object(headers, draft.size, place, store.now(), options.limits)
    if "If-None-Match" in headers and container.find(place[1]) is not None:
        raise Refused(412, "A precondition for this request was not met.")
    stored = replace(blank, size=draft.size, etag=draft.etag, pieces=tuple(draft.pieces), slo=slo)
    store.keep(container, stored)
    return stored


def refuse_segments(call: Call, errors: Errors) -> web.Response:
    """The answer without a heartbeat: 400, and what is wrong with which segment."""
    form = upload_form(call.headers.get("Accept", ""))
    return call.answer(400, ("Content-Type", form), body=render(form, {}, errors))


async def _read(call: Call, limits: SloConstraints) -> bytes:
    """The manifest's bytes. Raises Refused: 411, 413, 499."""
    too_large = f"Manifest File > {limits.max_manifest_size} bytes"
    if (body_length(call.headers) or 0) > limits.max_manifest_size:
        raise Refused(413, too_large)
    body = bytearray()
    await call.read_body(body.extend, limits.max_manifest_size, too_large)
    return bytes(body)


def _find_segments(entries: Sequence[Entry], store: ContainerStore) -> list[Segment]:
    """The segments of a manifest, as they are in the store. Raises BadSegments."""
    segments: list[Segment] = []
    errors: list[tuple[str, str]] = []
    for index, entry in enumerate(entries):
        if isinstance(entry, DataSegment):
            segments.append(entry)
            continue
        found = _look_up(entry.path, store)
        if isinstance(found, str):
            errors.append((quote(entry.path), found))
            continue
        problems = differences(entry, found, may_be_empty=index == len(entries) - 1)
        errors += [(quote(entry.path), problem) for problem in problems]
        span = resolve(entry.span, found.size) if entry.span else None
        segments.append(found if span in (None, (0, found.size)) else replace(found, span=span))
    if errors:
        raise BadSegments(errors)
    return segments


def _look_up(path: str, store: ContainerStore) -> ObjectSegment | str:
    """The object as a segment, or the status that a HEAD of it would have."""
    if "\0" in path:
        return status_line(412)
    name = "/" + path.lstrip("/")
    try:
        stored = store.find(name)
        content = None if stored is None else content_of(stored, store)
    except Refused:  # a dynamic large object whose segments' container is missing
        content = None
    if stored is None or content is None:
        return status_line(404)
    return ObjectSegment(
        name=name,
        size=content.size,
        etag=bare_etag(content.etag),
        content_type=content.content_type.partition(";")[0],
        last_modified=iso_time(ceil(stored.timestamp)),
        is_slo=stored.slo is not None,
    )
