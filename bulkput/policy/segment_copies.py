"""Decides under which names the segments of a large object are copied with it, or why they are not.

| the large object                                             | then                                             |
|--------------------------------------------------------------|--------------------------------------------------|
| has a segment that is a range, large itself, a link, or      | refused: a manifest of copies would not be the   |
| bytes inside the manifest                                    | same                                             |
| has two segments that would get one name                     | refused                                          |
| has a segment whose new name is too long                     | refused                                          |
| is dynamic, and its prefix does not end in `/`               | refused: what lies beside the copies could       |
|                                                              | become a segment                                 |
| is dynamic, and its segments have no common prefix then      | refused                                          |
| is any other                                                 | each segment is copied once                      |
"""

from collections.abc import Callable, Sequence

from bulkput.model import Segment
from bulkput.record import frozen


@frozen
class SegmentCopy:
    """A segment, and the name of its copy in the container for the copies."""

    segment: Segment
    name: str

    @property
    def source(self) -> tuple[str, str]:
        """Container and name of the segment."""
        container, _, name = (self.segment.path or "").partition("/")
        return container, name


@frozen
class SegmentPlan:
    """The copies, in the order of the segments; one that the object reads twice is in it twice. `below` is the prefix
    of their names if the object is dynamic, else None."""

    copies: tuple[SegmentCopy, ...]
    below: str | None = None


def planned(
    segments: Sequence[Segment], *, below: str | None, rename: Callable[[str], str], max_name_bytes: int
) -> SegmentPlan | str:
    """Apply the table above: a plan, or why there is none. `below` is the CONTAINER/PREFIX of a dynamic large object.
    `rename` gives the new name of a segment."""
    if any(segment.md5 is None or segment.path is None for segment in segments):
        return "not all of its segments are whole plain objects"
    copies = tuple(SegmentCopy(each, rename((each.path or "").partition("/")[2])) for each in segments)
    if len({copy.name for copy in copies}) < len({copy.segment.path for copy in copies}):
        return "two of its segments would get the same name"
    longest = max((len(copy.name.encode()) for copy in copies), default=0)
    if longest > max_name_bytes:
        return f"a segment's name would have {longest} bytes, and the store takes {max_name_bytes}"
    if below is None:
        return SegmentPlan(copies)
    prefix = below.partition("/")[2]
    new = _common(copies, prefix)
    if new is None:
        return "its segments would not lie below one prefix, as those of a dynamic large object must"
    if not new.endswith("/"):
        return "its prefix does not end in a slash: what lies beside the copies could become a segment of it"
    return SegmentPlan(copies, new)


def _common(copies: Sequence[SegmentCopy], prefix: str) -> str | None:
    """The prefix that takes the place of `prefix` in all new names; None if there is none."""
    tails = [copy.source[1].removeprefix(prefix) for copy in copies]
    new = {
        copy.name[: len(copy.name) - len(tail)] if copy.name.endswith(tail) else None
        for copy, tail in zip(copies, tails, strict=True)
    }
    return new.pop() if len(new) == 1 else None
