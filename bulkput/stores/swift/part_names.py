"""Names of the segments that bulkput sends: KEY/bulkput/VERSION/NUMBER in the container CONTAINER_segments.

VERSION says which bytes of which file the parts are (`policy/parts.py`), so that a later run finds them again and never
mixes two versions. The word `bulkput` tells our segments from those of other programs.
"""

import hashlib
import re

from bulkput.record import frozen

_OURS = re.compile(r"(?P<group>.+/bulkput/(?P<version>[a-z0-9.-]+)/)(?P<number>[0-9]{8})", re.DOTALL)
_CUT = re.compile(r"(?P<key>.+)~[0-9a-f]{32}/bulkput/[a-z0-9.-]+/", re.DOTALL)
_TAIL = 9
"""Bytes of a number and the slash before it."""


@frozen
class PartName:
    """The name of a segment of ours, taken apart: `group` is the prefix that all parts of one upload share."""

    group: str
    version: str
    number: int


def group_name(key: str, version: str, *, max_bytes: int) -> str:
    """The prefix of the names of all parts of one upload of the object `key`.

    A key that leaves too little room is cut, and a digest of all of it takes the place of its end.
    """
    tail = f"/bulkput/{version}/"
    room = max_bytes - len(tail.encode()) - _TAIL
    name = key.encode()
    if len(name) > room:
        digest = hashlib.sha256(name).hexdigest()[:32]
        key = name[: room - len(digest) - 1].decode(errors="ignore") + "~" + digest
    return key + tail


def part_name(group: str, number: int) -> str:
    """The name of part `number`, counted from 1. Names sort as their numbers do, which dynamic large objects need."""
    return f"{group}{number:08d}"


def renamed(name: str, old: str, new: str, *, max_bytes: int) -> str:
    """The name of the copy of a segment `name` of the object `old`, for the object `new`. A segment of another program
    keeps what follows the object's name, or else its whole name, below the new one."""
    if (ours := parse(name)) is not None:
        return part_name(group_name(new, ours.version, max_bytes=max_bytes), ours.number)
    return new + (name[len(old) :] if name.startswith(old + "/") else "/" + name)


def parse(name: str) -> PartName | None:
    """The name of a segment taken apart; None if bulkput has not sent it."""
    found = _OURS.fullmatch(name)
    return PartName(found["group"], found["version"], int(found["number"])) if found is not None else None


def group_of(name: str) -> tuple[str, bool] | None:
    """See `SegmentNames.group_of`. Other programs put all segments of an object into one directory: python-swiftclient
    into KEY/MTIME/SIZE/SEGMENT_SIZE, Swift's S3 API into KEY/UPLOAD."""
    if (ours := parse(name)) is not None:
        return ours.group, True
    directory, slash, _ = name.rpartition("/")
    return (directory + slash, False) if directory else None


def keys_of(group: str) -> tuple[str, ...]:
    """See `SegmentNames.keys_of`: the names of all directories above the segments, since any of them may be the key."""
    return tuple(group[:at] for at in range(1, len(group)) if group[at] == "/")


def cut_key(group: str) -> str | None:
    """See `SegmentNames.cut_key`."""
    found = _CUT.fullmatch(group)
    return found["key"] if found is not None else None
