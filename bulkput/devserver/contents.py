"""What a GET of an object gives: the bytes stored, the segments of a large object, or its manifest.

Segments are looked up when their turn comes, as in Swift (swift/common/request_helpers.py, SegmentedIterable).
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from .listing import ListQuery
from .record import Headers, StoredObject
from .rules import Refused
from .slo import DataSegment, ObjectSegment, Segment
from .store import Container, ContainerStore

_DEEPEST = 10  # manifests within manifests (swift/common/middleware/slo.py, max_slo_recursion_depth)


class SegmentLost(Exception):
    """A segment is gone, or is no longer the object it was when the manifest was stored."""


@dataclass(frozen=True, slots=True)
class Content:
    """`size` bytes, the ETag as it is sent, and the headers that go with them.

    `read(start, stop)` gives the bytes from `start` to before `stop`. It raises SegmentLost, or gives fewer.
    """

    etag: str
    size: int
    content_type: str
    headers: Headers
    read: Callable[[int, int], Iterator[bytes]]


def content_of(stored: StoredObject, store: ContainerStore) -> Content:
    """What a client gets. Raises Refused(404) if a dynamic large object's container of segments is missing."""
    if stored.slo is not None:
        slo = stored.slo
        extra = (*stored.headers, ("X-Static-Large-Object", "True"), ("X-Manifest-Etag", stored.etag))
        return Content(f'"{slo.etag}"', slo.size, stored.content_type, extra, partial(_read_slo, store, slo.segments))
    manifest = dict(stored.headers).get("X-Object-Manifest")
    if manifest is None:
        return Content(stored.etag, stored.size, stored.content_type, stored.headers, stored.read)
    container, _, prefix = unquote(manifest).partition("/")
    return _dynamic(stored, store.containers.get(container), prefix)


def manifest_of(stored: StoredObject, *, as_given: bool) -> Content:
    """The manifest itself. Of an object that is no static large object, the object as it is stored."""
    if stored.slo is None:
        return Content(stored.etag, stored.size, stored.content_type, stored.headers, stored.read)
    headers = (*stored.headers, ("X-Static-Large-Object", "True"))
    if not as_given:
        return Content(stored.etag, stored.size, "application/json; charset=utf-8", headers, stored.read)
    body = stored.slo.as_given()
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Content(etag, len(body), stored.content_type, headers, lambda start, stop: iter([body[start:stop]]))


def _read_slo(
    store: ContainerStore, segments: tuple[Segment, ...], start: int, stop: int, depth: int = 1
) -> Iterator[bytes]:
    offset = 0
    for segment in segments:
        low, high = max(start - offset, 0), min(stop - offset, segment.length)
        if low < high:
            if isinstance(segment, DataSegment):
                yield segment.data[low:high]
            else:
                yield from _read_segment(store, segment, (segment.first + low, segment.first + high), depth)
        offset += segment.length
        if offset >= stop:
            return


def _read_segment(store: ContainerStore, segment: ObjectSegment, span: tuple[int, int], depth: int) -> Iterator[bytes]:
    stored = store.find(segment.name)
    if stored is None:
        raise SegmentLost(segment.name)
    if segment.is_slo:
        # The ETag of a manifest is not compared again, only those of the objects in it.
        if stored.slo is None or depth >= _DEEPEST:
            raise SegmentLost(segment.name)
        yield from _read_slo(store, stored.slo.segments, *span, depth + 1)
    elif (stored.etag, stored.size) != (segment.etag, segment.size):
        raise SegmentLost(segment.name)
    else:
        yield from stored.read(*span)


def _dynamic(stored: StoredObject, container: Container | None, prefix: str) -> Content:
    if container is None:
        raise Refused(404, "The resource could not be found.")
    names = [row.name for row in container.page(ListQuery(limit=len(container.objects), prefix=prefix))]
    rows = [(found.name, found.listed_size, found.listed_hash) for found in map(container.objects.__getitem__, names)]
    etag = hashlib.md5("".join(row[2] for row in rows).encode(), usedforsecurity=False).hexdigest()
    size = sum(row[1] for row in rows)
    read = partial(_read_dynamic, container, [row[:2] for row in rows])
    return Content(f'"{etag}"', size, stored.content_type, stored.headers, read)


def _read_dynamic(container: Container, rows: list[tuple[str, int]], start: int, stop: int) -> Iterator[bytes]:
    """Only names and sizes count here: a segment that was replaced since the listing is read as it is now."""
    offset = 0
    for name, size in rows:
        low, high = max(start - offset, 0), min(stop - offset, size)
        if low < high:
            found = container.find(name)
            if found is None:
                raise SegmentLost(name)
            yield from found.read(low, high)
        offset += size
        if offset >= stop:
            return
