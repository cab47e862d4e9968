"""GET and HEAD of an object, large or not."""

import re
from collections.abc import Iterator
from itertools import chain

from aiohttp import web

from .call import Call, http_date
from .contents import Content, SegmentLost, content_of, manifest_of
from .ranges import parse_range, resolve
from .record import StoredObject
from .rules import Refused, bare_etag
from .store import ContainerStore

_BUFFERED = (
    4096  # bytes; eventlet, Swift's web server, holds the head back until it has this much of the body, or all of it
)


async def show_object(call: Call, store: ContainerStore, stored: StoredObject) -> web.StreamResponse:
    """Answer a GET or HEAD. If the object is replaced or deleted during a GET, the old bytes are sent to the end.

    Of a large object only the manifest stays the old one. A segment that is lost during the GET ends the connection.
    """
    params = call.params() if call.target.query else {}
    if params.get("multipart-manifest") == "get":
        content = manifest_of(stored, as_given=params.get("format") == "raw")
    else:
        content = content_of(stored, store)
    shown = _shown(stored, content)
    if bare_etag(content.etag) in map(bare_etag, re.split(r"\s*,\s*", call.headers.get("If-None-Match", ""))):
        return call.answer(304, *shown)
    if call.request.method == "HEAD":
        return call.answer(200, *shown, ("Content-Length", str(content.size)))
    status, start, stop = _span(call.headers.get("Range", ""), content.size)
    if status == 206:
        shown = (*shown, ("Content-Range", f"bytes {start}-{stop - 1}/{content.size}"))
    shown = (*shown, ("Content-Length", str(stop - start)))
    if start == stop:
        return call.answer(status, *shown)
    pieces = content.read(start, stop)
    first = _first_pieces(pieces, min(stop - start, _BUFFERED))
    response = web.StreamResponse(status=status, headers=call.head(*shown))
    await response.prepare(call.request)
    missing = stop - start
    try:
        for piece in chain(first, pieces):
            await response.write(piece)
            missing -= len(piece)
    except SegmentLost:
        pass
    if missing:
        response.force_close()  # the only way left to say that the body is incomplete
    await response.write_eof()
    return response


def _first_pieces(pieces: Iterator[bytes], enough: int) -> list[bytes]:
    """The first `enough` bytes. Raises Refused: 409 if the first segment is lost, 500 if it is a later one."""
    first: list[bytes] = []
    while enough > 0:
        try:
            first.append(next(pieces))
        except (SegmentLost, StopIteration):
            if first:
                raise Refused(500, "An error occurred") from None
            raise Refused(409, "There was a conflict when trying to complete your request.") from None
        enough -= len(first[-1])
    return first


def _span(text: str, size: int) -> tuple[int, int, int]:
    """Status, start and stop for a Range header. Raises Refused(416).

    Several ranges, other units and invalid text are ignored, as RFC 9110 allows: the whole object is sent.
    """
    unit, _, rest = text.strip().partition("=")
    wanted = parse_range(rest) if unit == "bytes" else None
    if wanted is None:
        return 200, 0, size
    span = resolve(wanted, size)
    if span is None:
        raise Refused(416, "The requested range cannot be satisfied.", (("Content-Range", f"bytes */{size}"),))
    return 206, *span


def _shown(stored: StoredObject, content: Content) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", content.content_type),
        ("Etag", content.etag),
        ("Last-Modified", http_date(stored.timestamp)),
        ("X-Timestamp", f"{stored.timestamp:016.5f}"),
        ("Accept-Ranges", "bytes"),
        *content.headers,
    )
