"""What is read through what, and whether an object is still what was listed: what a removal has to know first.

| the object itself     | what a GET of it reads                                            |
|-----------------------|-------------------------------------------------------------------|
| a link                | its target, and what that reads                                   |
| a static large one    | its segments; of those that are no whole plain objects, what they |
|                       | read as well                                                      |
| a dynamic large one   | all that lies below its prefix                                    |
| any other             | itself only                                                       |
"""

from collections.abc import Iterator, Sequence

from bulkput.model import RemoteObject, Segment
from bulkput.policy.skip import stored_ns
from bulkput.record import record


@record
class Reference:
    """Something that is read: `path` is CONTAINER/OBJECT, or with `is_prefix` what such paths begin with. `may_read`:
    it may read others itself."""

    path: str
    is_prefix: bool = False
    may_read: bool = False


def may_read_others(row: RemoteObject) -> bool:
    """Whether a row of a listing may stand for an object that reads others.

    A dynamic large object is listed as what its own body is, and that is nearly always empty. One with a body of its
    own looks like any other object: only a HEAD of every object would find it.
    """
    return row.link is not None or row.large is not None or not row.bytes


def references_in(itself: RemoteObject, segments: Sequence[Segment] = ()) -> Iterator[Reference]:
    """The table above; `segments` are those of a static large object."""
    if itself.link is not None:
        yield Reference(itself.link, may_read=True)
    if itself.below is not None:
        yield Reference(itself.below, is_prefix=True)
    for segment in segments:
        if segment.path is not None:
            # Without an MD5 it is a range, or a large object itself.
            yield Reference(segment.path, may_read=segment.md5 is None)


def overlaps(read: Reference, below: str) -> bool:
    """Whether what is read lies, or may lie, among the objects whose CONTAINER/OBJECT begins with `below`."""
    return read.path.startswith(below) or (read.is_prefix and below.startswith(read.path))


def is_as_listed(row: RemoteObject, now: RemoteObject) -> bool:
    """Whether the object itself, `now`, is the one that was listed as `row`.

    | compared | where                                             |
    |----------|---------------------------------------------------|
    | ETag     | both tell one                                     |
    | size     | both tell one, but for a large object's manifest  |
    | time     | both tell one, to the last digit that is listed   |

    Nothing that can be compared: it is not proven.
    """
    same = []
    if row.hash is not None and now.hash is not None:
        same.append(row.hash.lower() == now.hash.lower())
    if row.bytes is not None and now.bytes is not None and row.large is None:
        same.append(row.bytes == now.bytes)
    then_ns, now_ns = stored_ns(row), stored_ns(now)
    if then_ns is not None and now_ns is not None:
        same.append(abs(then_ns - now_ns) < _last_digit_ns(row.last_modified or ""))
    return bool(same) and all(same)


def _last_digit_ns(moment: str) -> int:
    """What one step of the last digit of an ISO 8601 time is worth."""
    digits = len(moment.partition(".")[2].split("+")[0].rstrip("Z"))
    return int(10 ** (9 - min(digits, 9)))


def holds_segments(container: str) -> bool:
    """Whether its name says that its objects are parts of large objects in other containers: the names of
    python-swiftclient and rclone, and those of Swift's S3 API."""
    return container.endswith(("_segments", "+segments"))
