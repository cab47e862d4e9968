"""The events of the verbs other than upload: of a verification, a copy, a move, a removal, a look at what uploads have
left. `events.py` has all.

Sizes are in bytes, times in seconds.
"""

from enum import StrEnum
from typing import Any

from bulkput.errors import BulkputError, name_text
from bulkput.record import frozen


@frozen
class SegmentsFound:
    """Segments of one upload that nothing reads. `path` is CONTAINER/ and the start of their names, up to a slash.

    `size` is that of all of them, `age_s` the age of the youngest; None if the store does not tell when they were
    stored. `is_ours`: bulkput has sent them.
    """

    path: str
    count: int
    size: int
    age_s: float | None
    is_ours: bool

    def as_json(self) -> dict[str, Any]:
        """One line of the command line's JSON output."""
        age_s = None if self.age_s is None else round(self.age_s)
        row: dict[str, Any] = {"event": "segments", "path": self.path, "segments": self.count, "bytes": self.size}
        return row | {"age_s": age_s, "ours": self.is_ours}


@frozen
class SegmentsKept:
    """`count` segments were not removed, for the reason `why`. `is_in_doubt`: it is not proven that they have to stay.

    `path` is that of a SegmentsFound, or CONTAINER/OBJECT for one segment; empty if all of them stay.
    """

    path: str
    count: int
    why: str
    is_in_doubt: bool

    def as_json(self) -> dict[str, Any]:
        """One line of the command line's JSON output."""
        row: dict[str, Any] = {"event": "segments_kept", "path": self.path, "segments": self.count, "why": self.why}
        return row | {"in_doubt": self.is_in_doubt}


@frozen
class UnfinishedFound:
    """An upload in parts that was neither completed nor aborted, on a store whose parts are no objects (S3).

    `path` is CONTAINER/OBJECT, `id` the store's name for the upload, `size` that of all its `parts`, `age_s` the time
    since it was begun or got a part; None if the store does not tell.
    """

    path: str
    id: str
    parts: int
    size: int
    age_s: float | None

    def as_json(self) -> dict[str, Any]:
        """One line of the command line's JSON output."""
        age_s = None if self.age_s is None else round(self.age_s)
        row: dict[str, Any] = {"event": "unfinished_upload", "path": self.path, "id": self.id, "parts": self.parts}
        return row | {"bytes": self.size, "age_s": age_s}


@frozen
class UnfinishedKept:
    """The unfinished upload `id` of the object `path` was not removed, for the reason `why`. `is_in_doubt`: it is not
    proven that it has to stay."""

    path: str
    id: str
    why: str
    is_in_doubt: bool

    def as_json(self) -> dict[str, Any]:
        """One line of the command line's JSON output."""
        row: dict[str, Any] = {"event": "unfinished_upload_kept", "path": self.path, "id": self.id, "why": self.why}
        return row | {"in_doubt": self.is_in_doubt}


class Verdict(StrEnum):
    """The result of comparing a file with its object. The value is the event's name in JSON."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    MISSING = "missing"
    """Not in the store."""
    EXTRA = "extra"
    """Only in the store."""
    NOT_COMPARABLE = "not_comparable"
    """In the store, but nothing proves that its bytes are the file's."""
    UNREADABLE = "unreadable"
    """The file could not be read, or changed while it was read."""


@frozen(kw_only=True)
class Finding:
    """A verification found a name that is not identical on both sides. MD5 is in hex.

    `name` is the object's name, `path` the file's path. `md5` is None if the file was not read. `remote_hash` is the
    ETag in the store's form. If a manifest takes the place of the files, `size` and `md5` are those that it has, and
    there is no path.
    """

    verdict: Verdict
    name: str | None = None
    path: bytes | None = None
    why: str = ""
    size: int | None = None
    remote_size: int | None = None
    md5: str | None = None
    remote_hash: str | None = None

    def as_json(self) -> dict[str, Any]:
        """One line of the command line's JSON output."""
        return {
            "event": self.verdict.value,
            "name": self.name,
            "path": None if self.path is None else name_text(self.path),
            "why": self.why or None,
            "size": self.size,
            "remote_size": self.remote_size,
            "md5": self.md5,
            "remote_hash": self.remote_hash,
        }


class Done(StrEnum):
    """The outcome of one object of a copy, move or removal. The value is the event's name in JSON."""

    COPIED = "copied"
    MOVED = "moved"
    KEPT = "kept"
    """A move copied the object, and stopped before it removed the source."""
    REMOVED = "removed"
    GONE = "gone"
    """The listing has the object, but it does not exist. An expired object stays listed for a while."""
    FAILED = "failed"
    WOULD = "would"
    """Not done, because this is a dry run."""


@frozen
class Change:
    """A copy, move or removal finished one object. `name` is its name before, `to` its name after.

    `size` is None if the listing does not have it.
    """

    done: Done
    name: str
    to: str | None = None
    size: int | None = None
    error: BulkputError | None = None

    def as_json(self) -> dict[str, Any]:
        """One line of the command line's JSON output."""
        row = {"event": self.done.value, "name": self.name, "to": self.to, "bytes": self.size}
        return row if self.error is None else row | {"error": str(self.error)}


@frozen
class Relaying:
    """Neither store can copy between source and destination, so the bytes pass through this machine. Emitted once."""


@frozen
class Looking:
    """A search for what reads segments goes on: `segments` of the container are found. Since it has begun, `containers`
    of the account were listed with `objects` in them, and of those that may read others `looked_at` were looked at.

    Emitted now and then, each time with all numbers so far.
    """

    segments: int
    containers: int
    objects: int
    looked_at: int
