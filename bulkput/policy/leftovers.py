"""Decides which segments that nothing reads may be removed, and which unfinished uploads.

| the segments of a group                                                       | are     | in doubt |
|-------------------------------------------------------------------------------|---------|----------|
| are other programs', in a container that is not named as one of segments      | kept    | yes      |
| do not tell when they were stored                                             | kept    | yes      |
| have one that is younger than asked for: an upload that has no manifest  | kept    | no       |
| yet may be running                                                            |         |          |
| are anything else                                                             | removed |          |

What somebody keeps in a container of another name may be anything, so only names that bulkput gives prove that an
object there is a segment.

An unfinished upload is one in parts that was neither completed nor aborted, of a store whose parts are no objects (S3).
Nothing else reads its parts.

| an upload                                                                     | is      | in doubt |
|-------------------------------------------------------------------------------|---------|----------|
| or one of its parts does not tell when it was begun or stored                 | kept    | yes      |
| was begun, or has got a part, later than asked for: it may be running, and a  | kept    | no       |
| slow one runs for days                                                        |         |          |
| is anything else                                                              | aborted |          |
"""

from collections.abc import Callable, Collection, Sequence

from bulkput.model import RemoteObject, StoredPart, UnfinishedUpload
from bulkput.policy.references import Reference, holds_segments
from bulkput.policy.skip import moment_ns
from bulkput.record import frozen

_NS = 1_000_000_000
_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


@frozen
class UnreadGroup:
    """Segments of one upload that no object reads. `path` is CONTAINER/ and the start of their names, up to a slash.

    `youngest_ns` is when the last of them was stored, in nanoseconds since 1970; None if one of them does not tell.
    `is_ours`: bulkput has sent all of them.
    """

    path: str
    count: int
    bytes: int
    youngest_ns: int | None
    is_ours: bool

    @property
    def container(self) -> str:
        return self.path.partition("/")[0]

    @property
    def prefix(self) -> str:
        """The start of the segments' names."""
        return self.path.partition("/")[2]

    def age_s(self, now_ns: int) -> float | None:
        """How long ago the youngest segment was stored; 0 if that was in the future."""
        return age_s(self.youngest_ns, now_ns)


def age_s(then_ns: int | None, now_ns: int) -> float | None:
    """How long ago that was; 0 if it was in the future, None if it is not known when it was."""
    return None if then_ns is None else max(0, now_ns - then_ns) / _NS


@frozen
class Hold:
    """Why segments stay. `is_in_doubt`: they might have to go, but that is not proven."""

    why: str
    is_in_doubt: bool


def is_segment(row: RemoteObject, *, is_ours: bool) -> bool:
    """Whether an object with a directory in its name is a segment. Empty objects of other programs mark directories and
    uploads to Swift's S3 API that are still running; their links and large objects may be there to be read."""
    return is_ours or (row.bytes != 0 and row.large is None and row.link is None)


def why_held(group: UnreadGroup, *, now_ns: int, older_than_s: float) -> Hold | None:
    """Apply the table above. None: the group may be removed if a fresh look shows it unchanged."""
    if not group.is_ours and not holds_segments(group.container):
        why = "nothing proves that these are segments: bulkput has not sent them, and the container's name does not end"
        return Hold(f"{why} in _segments or +segments", is_in_doubt=True)
    age = group.age_s(now_ns)
    if age is None:
        return Hold("the store does not tell how old they are", is_in_doubt=True)
    if age < older_than_s:
        return Hold(f"the youngest is {age_text(age)} old, and may belong to an upload that is running", False)
    return None


def last_sign_ns(upload: UnfinishedUpload, parts: Sequence[StoredPart]) -> int | None:
    """When an unfinished upload was begun or got a part, whichever was last, in nanoseconds since 1970. None if one of
    these times is not told."""
    moments = [moment_ns(upload.begun), *(moment_ns(part.modified) for part in parts)]
    told = [moment for moment in moments if moment is not None]
    return max(told) if len(told) == len(moments) else None


def why_upload_held(age: float | None, *, older_than_s: float) -> Hold | None:
    """Apply the second table to an upload whose last sign of life is `age` seconds old. None: it may be aborted."""
    if age is None:
        return Hold("the store does not tell how old it is", is_in_doubt=True)
    if age < older_than_s:
        return Hold(f"its last sign of life is {age_text(age)} old, and it may be running", is_in_doubt=False)
    return None


GroupOf = Callable[[str], tuple[str, bool] | None]
"""See `stores/powers.py:SegmentNames.group_of`."""


def is_for_segments(path: str, group_of: GroupOf) -> bool:
    """Whether the object at `path` (CONTAINER/OBJECT) is a segment, by its names: its container's, or its own, if
    bulkput has given it."""
    container, _, name = path.partition("/")
    group = group_of(name)
    return holds_segments(container) or (group is not None and group[1])


def are_of_one_upload(paths: Collection[str], group_of: GroupOf) -> bool:
    """Whether the names of these segments say so. Otherwise a dynamic large object with a short prefix would take what
    belongs to others with it, perhaps to an upload that is running."""
    groups = {group_of(path.partition("/")[2]) for path in paths}
    return len(groups) == 1 and None not in groups


def reads_any(read: Reference, paths: frozenset[str]) -> bool:
    """Whether `read` is, or may be, among the objects `paths` (CONTAINER/OBJECT)."""
    return any(path.startswith(read.path) for path in paths) if read.is_prefix else read.path in paths


def age_text(age_s: float) -> str:
    """`90000.0` -> `25 hours`; from two of a unit on."""
    for unit_s, name in _UNITS:
        if age_s >= 2 * unit_s:
            return f"{age_s / unit_s:.0f} {name}"
    return f"{age_s:.0f} s"
