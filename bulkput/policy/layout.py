"""The parts of which an object of a source is made, so that its copy is made of the same ones.

| the source's object        | the destination takes its parts | then the copy                                        |
|----------------------------|---------------------------------|------------------------------------------------------|
| is large (SLO, DLO)        | yes                             | is large, of the same parts, whatever its size       |
| is large                   | no (some are too small, or too  | is cut as a file is (`policy/parts.py`)              |
|                            | many), or `large.mode` is never |                                                      |
| was sent in parts (S3)     | yes                             | has the same parts, if it is above `large.above`     |
| was sent in one request    | -                               | is cut as a file is                                  |

`large.part_size`, if it is given, is stronger than all of these. Equal parts have equal MD5s: those of a manifest are
compared with those that arrived, and of the parts of S3, whose MD5s nobody shows, the ETag that they give.
"""

from collections.abc import Sequence

from bulkput.model import Limits, Segment
from bulkput.policy.etag import composite_etag, md5_of
from bulkput.record import frozen


@frozen(kw_only=True)
class Layout:
    """The sizes of the parts, in bytes and in their order. `md5s` are theirs, in hex, if all are known; `etag` is that
    of an object of S3, which the MD5s of its parts give. `is_large`: the copy is large, too, whatever its size."""

    sizes: tuple[int, ...]
    md5s: tuple[str, ...] = ()
    etag: str | None = None
    is_large: bool = False

    def fits(self, limits: Limits) -> bool:
        """Whether a store with these limits takes such parts."""
        *most, last = self.sizes
        return (
            1 < limits.max_parts >= len(self.sizes)
            and max(self.sizes) <= limits.max_object_bytes
            and min(most, default=limits.min_part_bytes) >= limits.min_part_bytes
            and last > 0
        )

    def is_of(self, md5s: Sequence[str]) -> bool:
        """Whether parts with these MD5s can be those of the object. True if nothing is known of its own."""
        if self.md5s:
            return tuple(md5s) == self.md5s
        return self.etag is None or composite_etag(md5s) == self.etag


def of_segments(segments: Sequence[Segment]) -> Layout | None:
    """The layout of a large object; None if it has no bytes."""
    whole = [segment for segment in segments if segment.bytes]
    if not whole:
        return None
    md5s = tuple(md5 for segment in whole if (md5 := md5_of(segment.md5)) is not None)
    return Layout(
        sizes=tuple(segment.bytes for segment in whole),
        md5s=md5s if len(md5s) == len(whole) else (),
        is_large=True,
    )
