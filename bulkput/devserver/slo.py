"""A static large object: its segments, its ETag, and the two JSON forms of its manifest.

The stored form is what `?multipart-manifest=get` shows; the given form is what a client PUTs, and reads back with
`format=raw` (swift/common/middleware/slo.py, convert_segment_listing).
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

JsonObject = dict[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class ObjectSegment:
    """A stored object, or its bytes from `span[0]` to before `span[1]`; `name` is /CONTAINER/OBJECT.

    `size` and the bare `etag` are those of the whole object when the manifest was stored. With `is_slo` it is a large
    object itself.
    """

    name: str
    size: int
    etag: str
    content_type: str
    last_modified: str
    span: tuple[int, int] | None = None
    is_slo: bool = False

    @property
    def first(self) -> int:
        """The first byte of the object that belongs to the segment."""
        return self.span[0] if self.span else 0

    @property
    def length(self) -> int:
        """Bytes of the segment."""
        return self.span[1] - self.span[0] if self.span else self.size

    @property
    def etag_part(self) -> str:
        """The text that the segment adds to what the large object's ETag is the MD5 of."""
        return f"{self.etag}:{_text(self.span)};" if self.span else self.etag

    def as_stored(self) -> JsonObject:
        """The segment in the stored form."""
        row: JsonObject = {"name": self.name, "bytes": self.size, "hash": self.etag}
        row |= {"content_type": self.content_type, "last_modified": self.last_modified}
        if self.span:
            row["range"] = _text(self.span)
        if self.is_slo:
            row["sub_slo"] = True
        return row

    def as_given(self) -> JsonObject:
        """The segment in the given form."""
        row: JsonObject = {"path": self.name, "size_bytes": self.size, "etag": self.etag}
        return {**row, "range": _text(self.span)} if self.span else row


@dataclass(frozen=True, slots=True)
class DataSegment:
    """Bytes that the manifest itself contains."""

    data: bytes

    @property
    def length(self) -> int:
        """Bytes of the segment."""
        return len(self.data)

    @property
    def etag_part(self) -> str:
        """The MD5 of the bytes."""
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    def as_stored(self) -> JsonObject:
        """The segment in both forms."""
        return {"data": base64.b64encode(self.data).decode()}

    as_given = as_stored


Segment = ObjectSegment | DataSegment


@dataclass(frozen=True, slots=True)
class StaticLargeObject:
    """Segments in order, the bytes of all, and the bare ETag."""

    segments: tuple[Segment, ...]
    size: int
    etag: str

    def as_stored(self) -> bytes:
        """The manifest in the stored form. The object server stores these bytes, and their MD5 is X-Manifest-Etag."""
        return json.dumps([segment.as_stored() for segment in self.segments]).encode()

    def as_given(self) -> bytes:
        """The manifest in the given form."""
        return json.dumps([segment.as_given() for segment in self.segments], sort_keys=True).encode()


def join_segments(segments: Sequence[Segment]) -> StaticLargeObject:
    """The large object of these segments."""
    text = "".join(segment.etag_part for segment in segments)
    etag = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return StaticLargeObject(tuple(segments), sum(segment.length for segment in segments), etag)


def _text(span: tuple[int, int]) -> str:
    return f"{span[0]}-{span[1] - 1}"
