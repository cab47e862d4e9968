"""Decides which objects a GET reads, and whether an object is still the one that was listed.

A removal has to know both.

| the object            | a GET of it reads                                                 |
|-----------------------|-------------------------------------------------------------------|
| a link                | its target, and what the target reads                             |
| a static large one    | its segments; if a segment is no whole plain object, what that    |
|                       | one reads, too                                                    |
| a dynamic large one   | all objects below its prefix                                      |
| any other             | only itself                                                       |
"""

from collections.abc import Iterator, Sequence

from bulkput.model import RemoteObject, Segment
from bulkput.policy.skip import stored_ns
from bulkput.record import record


@record
class Reference:
    """One object, or a group of objects, that a GET of another object reads.

    `path` is CONTAINER/OBJECT. If `is_prefix`, it is the start of such paths. `may_read`: it may read others itself.
    """

    path: str
    is_prefix: bool = False
    may_read: bool = False


def may_read_others(row: RemoteObject) -> bool:
    """Whether the object of a listing's row may read other objects.

    A listing shows only the body of a dynamic large object, which is nearly always empty. If it has a body, its row
    looks like that of any other object: only a HEAD of every object would find it.
    """
    return row.link is not None or row.large is not None or not row.bytes


def references_in(itself: RemoteObject, segments: Sequence[Segment] = ()) -> Iterator[Reference]:
    """Apply the table above. `segments` are those of a static large object."""
    if itself.link is not None:
        yield Reference(itself.link, may_read=True)
    if itself.below is not None:
        yield Reference(itself.below, is_prefix=True)
    for segment in segments:
        if segment.path is not None:
            # A segment without an MD5 is a range, or a large object itself.
            yield Reference(segment.path, may_read=segment.md5 is None)


def overlaps(read: Reference, below: str) -> bool:
    """Whether `read` is, or may be, among the objects whose CONTAINER/OBJECT begins with `below`."""
    return read.path.startswith(below) or (read.is_prefix and below.startswith(read.path))


def is_as_listed(row: RemoteObject, now: RemoteObject) -> bool:
    """Whether the object `now`, from a HEAD, is the one that was listed as `row`.

    | compared | if                                                |
    |----------|---------------------------------------------------|
    | ETag     | both have one                                     |
    | size     | both have one, and `row` is no large object       |
    | time     | both have one; to the last digit that both have   |

    False if nothing can be compared, since nothing is proven then.
    """
    same = _same_bytes(row, now)
    if (is_same_time := has_same_time(row, now)) is not None:
        same.append(is_same_time)
    return bool(same) and all(same)


def has_same_time(row: RemoteObject, now: RemoteObject) -> bool | None:
    """Whether the times are the same to the last digit that both have. None if one of them has no time."""
    then_ns, now_ns = stored_ns(row), stored_ns(now)
    if then_ns is None or now_ns is None:
        return None
    return abs(then_ns - now_ns) < max(_last_digit_ns(each.last_modified or "") for each in (row, now))


def has_same_bytes(row: RemoteObject, now: RemoteObject) -> bool:
    """Whether the ETag and the size are the same: the first two rows of the table of `is_as_listed`. False if neither
    can be compared."""
    same = _same_bytes(row, now)
    return bool(same) and all(same)


def _same_bytes(row: RemoteObject, now: RemoteObject) -> list[bool]:
    same = []
    if row.hash is not None and now.hash is not None:
        same.append(row.hash.lower() == now.hash.lower())
    if row.bytes is not None and now.bytes is not None and row.large is None:
        same.append(row.bytes == now.bytes)
    return same


def _last_digit_ns(moment: str) -> int:
    """The value of the last digit of an ISO 8601 time, in nanoseconds."""
    digits = len(moment.partition(".")[2].split("+")[0].rstrip("Z"))
    return int(10 ** (9 - min(digits, 9)))


def holds_segments(container: str) -> bool:
    """Whether the container is named as one that holds the segments of large objects in other containers: as
    python-swiftclient, rclone or Swift's S3 API name it."""
    return container.endswith(("_segments", "+segments"))
