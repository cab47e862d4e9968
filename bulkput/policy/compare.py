"""Decides without I/O whether an object holds the bytes of a file.

`judge` looks at the evidence. It gives a verdict, or names the evidence that it needs next; the caller fetches that and
asks again. Cheap evidence comes first: the listing's row, the file's MD5, one HEAD of the object, its manifest or the
sizes of its parts, one HEAD for each segment.

Before a HEAD, the listing's row decides. The first line that fits:

| the row                                           | then                                                        |
|---------------------------------------------------|-------------------------------------------------------------|
| belongs to a gzip file named after the file       | HEAD                                                        |
| has another size                                  | HEAD: compressed, a large object, a link, or different      |
| is a link                                         | HEAD: its target may be missing                             |
| has the size 0, as the file has                   | HEAD: a link or a dynamic large object may be listed so     |
| has the file's size, and `is_quick`               | identical                                                   |
| is large, or its ETag is no MD5                   | HEAD                                                        |
| has the file's MD5                                | identical                                                   |
| has another MD5                                   | HEAD: it may be the MD5 of a manifest                       |

Then the HEAD decides. The first line that fits:

| the object                                        | then                                                        |
|---------------------------------------------------|-------------------------------------------------------------|
| is gone                                           | missing                                                     |
| has a source that is an object of another store   | as below from "does not report its size": both are compared |
|                                                   | as they are stored                                          |
| is gzip, with its source's size and MD5           | identical if both are the file's (`is_quick`: the size); a  |
|                                                   | large object must be whole, too (the lines below), and a    |
|                                                   | dynamic one must have the ETag that it was sent with: not   |
|                                                   | comparable if that is not recorded                          |
| is a gzip file named after the file, without them | not comparable                                              |
| has another Content-Encoding, or lacks them       | identical if it has the file's size, and MD5 or parts       |
|                                                   | (`is_quick`: the size), else not comparable                 |
| does not report its size                          | not comparable                                              |
| has another size                                  | different                                                   |
| has the file's size, and `is_quick`               | identical                                                   |
| is large; the store does not show its segments    | not comparable                                              |
| is large; a segment is no whole plain object      | not comparable                                              |
| is large; its segments have another size          | different                                                   |
| is large; a segment is gone, or differs from the  | different: a GET of it breaks off, or gives other bytes     |
| manifest (static) or the listing (dynamic)        |                                                             |
| is large                                          | identical if each segment has the MD5 of the file's range   |
| has the ETag of N parts; the store tells their    | identical if the file has that ETag, cut into such parts    |
| sizes                                             |                                                             |
| has the ETag of N parts                           | identical if the file has that ETag, cut into one of the    |
|                                                   | guesses of `policy/part_sizes.py`, else not comparable      |
| has an ETag that is no MD5                        | not comparable                                              |
| is plain                                          | identical if its MD5 is the file's                          |

The segments of a dynamic large object are the objects below its prefix: a GET reads those that the listing has. They
prove what it gives now, as a GET itself would. They do not prove what the object was made of: one that has lost its
last segment reads as a shorter object. A file has another size then, but a compressed object does not show it.

If the condition after "identical if" does not hold, the verdict is different, unless the line names another one.
"""

from collections.abc import Sequence
from enum import Enum

from bulkput.events import Verdict
from bulkput.model import RemoteObject, Segment
from bulkput.policy.etag import composite_of, large_etag, md5_of, parts_in
from bulkput.policy.gzip_source import Original, original_of
from bulkput.policy.part_sizes import Layouts
from bulkput.record import frozen, record


class Need(Enum):
    """The evidence that `judge` needs next."""

    HEAD = "a HEAD of the object"
    MD5 = "the file's MD5"
    SEGMENTS = "the segments that the manifest names (static), or those below the prefix (dynamic)"
    PARTS = "a HEAD of each segment"
    PIECES = "the MD5 of each range of the file that a segment stands for"
    LAYOUTS = "the sizes of the parts in which the object was sent, as far as the store tells them"
    COMPOSITE = "the ETag that the file has in the next of the layouts"


@record
class Evidence:
    """What is known of a file and of its object so far. None means: not known yet.

    `size` and `md5` are the file's; `row` is the listing's, or that of a HEAD if nothing is listed; `head`
    is that of a HEAD. If `is_suffixed`, the object is a
    gzip file named after the file. `parts` are the objects that now exist under the names of `segments`; an item is
    None if there is none. `pieces` are MD5s (hex) of the file's ranges, one for each segment, of its length.
    `composites` are the ETags that the file has, cut into the first of the `layouts`, the second, and so on: the
    likeliest layout is looked at first, since each is a reading of the file.
    """

    size: int
    row: RemoteObject
    md5: str | None = None
    head: RemoteObject | None = None
    is_gone: bool = False
    segments: tuple[Segment, ...] | None = None
    parts: tuple[RemoteObject | None, ...] | None = None
    pieces: tuple[str, ...] | None = None
    is_suffixed: bool = False
    is_hidden: bool = False
    """The store was asked for the segments, and does not show them."""
    layouts: Layouts | None = None
    composites: tuple[str, ...] = ()
    own_composite: str | None = None
    """The ETag of its parts that the "file" has as an object of another store."""
    own_sizes: tuple[int, ...] = ()
    """The sizes of the parts that it has there, if it is large or was sent in parts."""
    is_copy: bool = False
    """The "file" is an object of another store, and its bytes are compared as they are stored, compressed or not."""


@frozen
class Judgement:
    """A verdict, with the reason in a few words. An identical object has no reason."""

    verdict: Verdict
    why: str = ""


_IDENTICAL = Judgement(Verdict.IDENTICAL)


def judge(evidence: Evidence, *, is_quick: bool = False) -> Judgement | Need:
    """Apply the tables above. `is_quick` compares sizes only."""
    if evidence.is_gone:
        return Judgement(Verdict.MISSING, "it was listed, but does not exist any more")
    if evidence.head is None:
        return Need.HEAD if evidence.is_suffixed else _by_row(evidence, evidence.row, is_quick=is_quick)
    if evidence.is_copy:
        return _by_head(evidence, evidence.head, is_quick=is_quick)
    if (original := original_of(evidence.head, is_suffixed=evidence.is_suffixed)) is not None:
        return _by_original(evidence, evidence.head, original, is_quick=is_quick)
    if evidence.is_suffixed:
        return Judgement(Verdict.NOT_COMPARABLE, "a .gz without its source's MD5")
    if evidence.head.encoding is not None:
        return _encoded(evidence, evidence.head, is_quick=is_quick)
    return _by_head(evidence, evidence.head, is_quick=is_quick)


def _by_row(evidence: Evidence, row: RemoteObject, *, is_quick: bool) -> Judgement | Need:
    if row.bytes != evidence.size or row.link is not None:
        return Need.HEAD
    if is_quick and evidence.size:
        return _IDENTICAL
    if evidence.size == 0 or row.large is not None or md5_of(row.hash) is None:
        return Need.HEAD
    if evidence.md5 is None:
        return Need.MD5
    return _IDENTICAL if _is_same(evidence.md5, row.hash) else Need.HEAD


def _by_original(evidence: Evidence, head: RemoteObject, original: Original, *, is_quick: bool) -> Judgement | Need:
    if original.size != evidence.size:
        why = f"{_size_text(evidence.size)} here, compressed in the store from {_size_text(original.size)}"
        return Judgement(Verdict.DIFFERENT, why)
    if is_quick:
        return _IDENTICAL
    if evidence.md5 is None:
        return Need.MD5
    if evidence.md5 != original.md5:
        return Judgement(Verdict.DIFFERENT, "compressed from another MD5")
    if head.large is None:
        return _IDENTICAL
    # The MD5 in the metadata says nothing about the segments, which may be lost since.
    if head.large == "dynamic" and original.etag is None:
        return Judgement(Verdict.NOT_COMPARABLE, "a compressed dynamic large object: it may have lost segments")
    if (unproven := _why_not_whole(evidence, head)) is not None:
        return unproven
    etag = large_etag(segment.md5 or "" for segment in evidence.segments or ())
    if original.etag not in (None, etag):
        return Judgement(Verdict.DIFFERENT, "its segments are not those that were sent")
    return _IDENTICAL


def _encoded(evidence: Evidence, head: RemoteObject, *, is_quick: bool) -> Judgement | Need:
    """The source file was compressed already, or another program compressed it and did not record its MD5."""
    if head.bytes == evidence.size:
        if is_quick:
            return _IDENTICAL
        if head.large is None and md5_of(head.hash) is not None:
            if evidence.md5 is None:
                return Need.MD5
            if _is_same(evidence.md5, head.hash):
                return _IDENTICAL
        if head.large is None and parts_in(head.hash) is not None:
            by_parts = _by_parts(evidence, head)
            if isinstance(by_parts, Need) or by_parts.verdict is Verdict.IDENTICAL:
                return by_parts
    return Judgement(Verdict.NOT_COMPARABLE, f"stored with Content-Encoding {head.encoding}, without its source's MD5")


def _by_head(evidence: Evidence, head: RemoteObject, *, is_quick: bool) -> Judgement | Need:
    if head.bytes is None:
        return Judgement(Verdict.NOT_COMPARABLE, "the store does not report its size")
    if head.bytes != evidence.size:
        return Judgement(Verdict.DIFFERENT, f"{_size_text(evidence.size)} here, {head.bytes} in the store")
    if is_quick:
        return _IDENTICAL
    if head.large is not None:
        return _by_segments(evidence, head)
    if parts_in(head.hash) is not None:
        return _by_parts(evidence, head)
    if md5_of(head.hash) is None:
        return Judgement(Verdict.NOT_COMPARABLE, f"of the same size, but its ETag {head.hash or '(none)'} is no MD5")
    if evidence.md5 is None:
        return Need.MD5
    return _IDENTICAL if _is_same(evidence.md5, head.hash) else Judgement(Verdict.DIFFERENT, "another MD5")


def _by_parts(evidence: Evidence, head: RemoteObject) -> Judgement | Need:
    """The object has the ETag of parts, and the file's size."""
    layouts, count, etag = evidence.layouts, parts_in(head.hash), composite_of(head.hash)
    if etag is not None and etag == evidence.own_composite:
        return _IDENTICAL
    if layouts is None:
        return Need.LAYOUTS
    if etag in evidence.composites:
        return _IDENTICAL
    if len(evidence.composites) < len(layouts.each):
        return Need.COMPOSITE
    if layouts.are_certain:
        return Judgement(Verdict.DIFFERENT, f"another MD5 in its {count} parts")
    sent = "1 part" if count == 1 else f"{count} parts"
    return Judgement(Verdict.NOT_COMPARABLE, f"of the same size, but sent in {sent} of unknown sizes")


def _by_segments(evidence: Evidence, head: RemoteObject) -> Judgement | Need:
    segments, pieces = evidence.segments, evidence.pieces
    if segments is None:
        return _HIDDEN if evidence.is_hidden else Need.SEGMENTS
    total = sum(segment.bytes for segment in segments)
    if total != evidence.size and _are_plain(segments):
        return Judgement(Verdict.DIFFERENT, f"{_size_text(evidence.size)} here, {total} in the object's segments")
    if (why := _why_not_whole(evidence, head)) is not None:
        return why
    if pieces is None:
        return Need.PIECES
    for number, (segment, piece) in enumerate(zip(segments, pieces, strict=True), 1):
        if not _is_same(piece, segment.md5):
            return Judgement(Verdict.DIFFERENT, f"another MD5 in segment {number} of {len(segments)}")
    return _IDENTICAL


def _why_not_whole(evidence: Evidence, head: RemoteObject) -> Judgement | Need | None:
    """None if every segment is a plain object that exists with the size and MD5 that the manifest or listing has."""
    segments, parts = evidence.segments, evidence.parts
    if segments is None:
        return _HIDDEN if evidence.is_hidden else Need.SEGMENTS
    if not _are_plain(segments):
        return _not_plain(head)
    if parts is None:
        return Need.PARTS
    source = "manifest" if head.large == "static" else "listing"
    for number, (segment, part) in enumerate(zip(segments, parts, strict=True), 1):
        if part is None:
            return Judgement(Verdict.DIFFERENT, f"segment {number} of {len(segments)} is gone: {segment.path}")
        # A GET of a static large object follows a link, as the HEAD has done; one of a dynamic one may skip it.
        if part.large is not None or (part.link is not None and head.large == "dynamic"):
            return _not_plain(head)
        if part.bytes != segment.bytes or not _is_same((segment.md5 or "").lower(), part.hash):
            why = f"segment {number} of {len(segments)} is not what the {source} has: {segment.path}"
            return Judgement(Verdict.DIFFERENT, why)
    return None


_HIDDEN = Judgement(Verdict.NOT_COMPARABLE, "a large object whose segments the store does not show")


def _not_plain(head: RemoteObject) -> Judgement:
    return Judgement(Verdict.NOT_COMPARABLE, f"a {head.large} large object with segments that are not whole objects")


def _are_plain(segments: Sequence[Segment]) -> bool:
    return all(md5_of(segment.md5) is not None for segment in segments)


def _is_same(md5: str, etag: str | None) -> bool:
    return md5 == md5_of(etag)


def _size_text(size: int) -> str:
    return f"{size} byte" if size == 1 else f"{size} bytes"
