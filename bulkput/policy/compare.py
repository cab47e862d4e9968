"""Whether an object holds what a file holds, decided without I/O from what is known so far.

`judge` looks at the evidence and gives a verdict or names what has to be learnt first; whoever asks learns it and asks
again. The cheapest evidence comes first: the listing's row, the file's MD5, one HEAD of that object, its manifest, a
HEAD of each of its segments.

The listing's row (no HEAD yet):

| the row                                          | then                                                        |
|--------------------------------------------------|-------------------------------------------------------------|
| other size                                       | HEAD: compressed, composed of others, a link, or different  |
| a link                                           | HEAD: it may lead nowhere                                   |
| same size 0                                      | HEAD: a link, or the head of a large object, looks the same |
| same size, `is_quick`                            | identical                                                   |
| same size, large or an ETag that is no MD5       | HEAD                                                        |
| same size, its MD5 is the file's                 | identical                                                   |
| same size, another MD5                           | HEAD: the MD5 of a manifest, say                            |
| a gzip file called after the file                | HEAD, before all of these                                   |

The HEAD, the first line that fits:

| the object                                       | then                                                        |
|--------------------------------------------------|-------------------------------------------------------------|
| is gone                                          | missing                                                     |
| gzip, with the source's MD5 and size             | identical, if both are the file's (`is_quick`: the size),   |
|                                                  | and a static large object is whole (the lines below)        |
| a gzip file called after the file, without these | not comparable                                              |
| another Content-Encoding, or without these       | identical if it holds the file's bytes, else not comparable |
| does not tell its size                           | not comparable                                              |
| other size                                       | different                                                   |
| same size, `is_quick`                            | identical                                                   |
| static large, with segments that are no whole    | not comparable                                              |
| plain objects                                    |                                                             |
| static large, a segment is gone, or is not what  | different: nobody can read all of it (a GET breaks off)     |
| the manifest has                                 |                                                             |
| static large                                     | identical, if each segment has the MD5 of the file's range  |
| dynamic large; an ETag that is no MD5            | not comparable                                              |
| plain                                            | identical, if its MD5 is the file's                         |

Where a line says "identical if", it is different otherwise, unless the line says something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bulkput.events import Verdict
from bulkput.model import RemoteObject, Segment
from bulkput.policy.etag import md5_of
from bulkput.policy.gzip_source import Original, original_of
from bulkput.record import record


class Need(Enum):
    """What `judge` has to know before it can say more."""

    HEAD = "what only the object itself tells"
    MD5 = "the file's MD5"
    SEGMENTS = "the manifest's segments"
    PARTS = "what each of the segments is now"
    PIECES = "the MD5 of each of the file's ranges that the segments stand for"


@record
class Evidence:
    """A file and an object of its name, or called after it with .gz (`is_suffixed`). `parts` are what stands now where
    the `segments` were, None where nothing does; `pieces` are MD5s of the file's ranges, as long as the segments."""

    size: int
    row: RemoteObject
    md5: str | None = None
    head: RemoteObject | None = None
    is_gone: bool = False
    segments: tuple[Segment, ...] | None = None
    parts: tuple[RemoteObject | None, ...] | None = None
    pieces: tuple[str, ...] | None = None
    is_suffixed: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and why in a few words; identical needs none."""

    verdict: Verdict
    why: str = ""


_IDENTICAL = Judgement(Verdict.IDENTICAL)


def judge(evidence: Evidence, *, is_quick: bool = False) -> Judgement | Need:
    """The tables above. `is_quick` compares sizes only."""
    if evidence.is_gone:
        return Judgement(Verdict.MISSING, "it was listed, and is gone")
    if evidence.head is None:
        return Need.HEAD if evidence.is_suffixed else _by_row(evidence, evidence.row, is_quick=is_quick)
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
    match head.large:
        case "static":
            return _why_not_whole(evidence) or _IDENTICAL
        case "dynamic":
            return Judgement(
                Verdict.NOT_COMPARABLE, "a dynamic large object: nothing proves that its segments are there"
            )
    return _IDENTICAL


def _encoded(evidence: Evidence, head: RemoteObject, *, is_quick: bool) -> Judgement | Need:
    """Sent compressed as it was, or compressed on the way by a program that did not say of what."""
    if head.bytes == evidence.size:
        if is_quick:
            return _IDENTICAL
        if head.large is None and md5_of(head.hash) is not None:
            if evidence.md5 is None:
                return Need.MD5
            if _is_same(evidence.md5, head.hash):
                return _IDENTICAL
    return Judgement(Verdict.NOT_COMPARABLE, f"stored with Content-Encoding {head.encoding}, without its source's MD5")


def _by_head(evidence: Evidence, head: RemoteObject, *, is_quick: bool) -> Judgement | Need:
    if head.bytes is None:
        return Judgement(Verdict.NOT_COMPARABLE, "the store does not tell its size")
    if head.bytes != evidence.size:
        return Judgement(Verdict.DIFFERENT, f"{_size_text(evidence.size)} here, {head.bytes} in the store")
    if is_quick:
        return _IDENTICAL
    match head.large:
        case "static":
            return _by_segments(evidence)
        case "dynamic":
            return Judgement(Verdict.NOT_COMPARABLE, "a dynamic large object of the same size: no MD5 proves its bytes")
    if md5_of(head.hash) is None:
        return Judgement(Verdict.NOT_COMPARABLE, f"of the same size, its ETag {head.hash or '(none)'} is no MD5")
    if evidence.md5 is None:
        return Need.MD5
    return _IDENTICAL if _is_same(evidence.md5, head.hash) else Judgement(Verdict.DIFFERENT, "another MD5")


def _by_segments(evidence: Evidence) -> Judgement | Need:
    segments, pieces = evidence.segments, evidence.pieces
    if segments is None:
        return Need.SEGMENTS
    total = sum(segment.bytes for segment in segments)
    if total != evidence.size and _are_plain(segments):
        return Judgement(Verdict.DIFFERENT, f"{_size_text(evidence.size)} here, {total} in the store's segments")
    if (why := _why_not_whole(evidence)) is not None:
        return why
    if pieces is None:
        return Need.PIECES
    for number, (segment, piece) in enumerate(zip(segments, pieces, strict=True), 1):
        if not _is_same(piece, segment.md5):
            return Judgement(Verdict.DIFFERENT, f"another MD5 in segment {number} of {len(segments)}")
    return _IDENTICAL


def _why_not_whole(evidence: Evidence) -> Judgement | Need | None:
    """None: all that the manifest names is there, and is what the manifest says."""
    segments, parts = evidence.segments, evidence.parts
    if segments is None:
        return Need.SEGMENTS
    if not _are_plain(segments):
        return Judgement(Verdict.NOT_COMPARABLE, "a static large object with segments that are not whole objects")
    if parts is None:
        return Need.PARTS
    for number, (segment, part) in enumerate(zip(segments, parts, strict=True), 1):
        if part is None:
            return Judgement(Verdict.DIFFERENT, f"segment {number} of {len(segments)} is gone: {segment.path}")
        if part.bytes != segment.bytes or not _is_same((segment.md5 or "").lower(), part.hash):
            why = f"segment {number} of {len(segments)} is not what the manifest has: {segment.path}"
            return Judgement(Verdict.DIFFERENT, why)
    return None


def _are_plain(segments: Sequence[Segment]) -> bool:
    return all(md5_of(segment.md5) is not None for segment in segments)


def _is_same(md5: str, etag: str | None) -> bool:
    return md5 == md5_of(etag)


def _size_text(size: int) -> str:
    return f"{size} byte" if size == 1 else f"{size} bytes"
