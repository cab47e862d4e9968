"""The typed events of a run. The engine emits them, a recorder folds them into numbers, views draw them.

Sizes are in bytes, times in seconds.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from bulkput.errors import BulkputError, StoreError, name_text
from bulkput.model import Compression, Entry, Pacing, Skip, Stored, Upload
from bulkput.record import frozen, record


@record
class Discovered:
    """A source yielded an entry: a file, a Skip or an error. Emitted before the entry is decided."""

    found: Entry


@frozen
class Known:
    """`count` files of `size` bytes in all were found and are not sent, because an earlier run uploaded them."""

    count: int
    size: int


@frozen
class ScanDone:
    """The sources are exhausted, or the run stopped reading them. From now on the total is known."""


@frozen
class Streaming:
    """The present attempt has sent `sent` bytes of a large file. Reading took `read_s` so far."""

    path: bytes
    sent: int
    read_s: float = 0.0


@record
class Uploaded:
    """The store holds the object, and its answer proved it. `bytes_read` bytes came from disk, `stored.size` were sent.

    `mtime_ns` belongs to the version that was sent, which may be newer than the version that was found. `upload` has
    the headers that were sent, gzip's included. `compression` is None if gzip is off, and for a directory.
    """

    upload: Upload
    stored: Stored
    bytes_read: int
    mtime_ns: int
    elapsed_s: float
    compression: Compression | None = None


@frozen
class Skipped:
    """An entry was not sent, for the reason in `skip`."""

    skip: Skip


@frozen
class Failed:
    """An entry failed, and is not tried again in this run. `key` is None if the entry has no object name."""

    path: bytes
    key: str | None
    error: BulkputError


@frozen
class Removed:
    """A mirror removed an object that has no file. In a dry run (`is_dry`), it would have."""

    key: str
    size: int | None
    is_dry: bool


@frozen
class Kept:
    """A mirror did not remove `count` objects that have no file. `key` is the object's name if `why` is about one."""

    count: int
    why: str
    key: str | None = None


@frozen
class EmptyDirectory:
    """A directory is empty, so it leaves no object in the store."""

    path: bytes


@frozen
class Warned:
    """Something is no failure, but probably not what the user meant. `why` is a sentence."""

    why: str


@frozen
class NothingFound:
    """The sources (`where`) have no file to send. `is_failure` is True if `fail_if_empty` is set."""

    where: str
    is_failure: bool


@frozen
class Snapshot:
    """A file was written to while it was read. The object has its first `size` bytes: the length it had when it was
    opened."""

    path: bytes
    size: int


@frozen
class SegmentsLeft:
    """The large object `key` was overwritten. Its segments are not removed.

    `paths` are the segments of a static one, as CONTAINER/OBJECT. `below` is the CONTAINER/PREFIX of a dynamic one's
    segments. If both are empty, the store did not tell the segments.
    """

    key: str
    paths: tuple[str, ...] = ()
    below: str | None = None


@record
class Requested:
    """One attempt at one operation ended. `operation` is prepare, put, delete, stat, copy, manifest, settle, info or
    undo_prepare.

    `started_s` is a time of `time.monotonic`. `size` is the length of the body, or None if there is no body or its
    length is unknown.
    """

    operation: str
    key: str
    started_s: float
    elapsed_s: float
    size: int | None
    error: BulkputError | None


@frozen
class Retrying:
    """Attempt number `attempt`, counted from 1, failed. The next one follows after `delay_s`, unless the run is
    stopped meanwhile."""

    error: StoreError
    attempt: int
    delay_s: float


@frozen
class ReadingChosen:
    """From now on small files are read on the event loop (`is_on_loop`) or in threads. A read takes `average_s`.

    `may_hang` is the type of a file system that may hang, if that is the reason for threads; no read was measured then.
    """

    is_on_loop: bool
    average_s: float
    may_hang: str | None = None


@frozen
class Tuned:
    """From now on up to `limit` requests may be in flight. `why` is a text for users."""

    limit: int
    why: str


@record
class Paced:
    """The rates that were asked for, and what they have let pass. Told when such a run begins, and when it ends."""

    pacing: Pacing


class StopCause(StrEnum):
    """Why a run stops before its end."""

    INTERRUPTED = "interrupted"
    """Ctrl-C, a signal or the caller: exit code 130."""
    STORE = "store"
    """The store denies access, is full or is gone: exit code 3."""
    SOURCE = "source"
    """A file system hangs: exit code 3."""
    JOURNAL = "journal"
    """The journal cannot be written: exit code 3."""
    ERRORS = "errors"
    """`stop.max_errors` entries failed: exit code 1."""


@frozen
class Stopping:
    """The run takes no more work. Requests in flight may end; the rest is reported as skipped."""

    why: str
    cause: StopCause


@frozen
class InFlight:
    """One item that a worker handles, and what it waits for (`what`). The worker took it `age_s` ago, earlier attempts
    included.

    `path` and `key` are empty if the item belongs to no object. `connection` names both ends of its connection, or is
    None if it has none.
    """

    path: bytes
    key: str
    what: str
    attempt: int
    connection: str | None
    age_s: float


@frozen
class Stalled:
    """Nothing was found, done, retried or moved for `idle_s`. `in_flight` is sorted by age, the oldest first.

    `scanning` is the path that the scan works on, or None if the scan is done or waits for the workers. `loop_at` is
    the stack of the event loop's thread, innermost frame last, if the loop is blocked; this event then comes from
    another thread.
    """

    idle_s: float
    in_flight: tuple[InFlight, ...]
    scanning: bytes | None = None
    loop_at: tuple[str, ...] = ()


@frozen
class Moving:
    """The run makes progress again after a stall of `idle_s`."""

    idle_s: float


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
    ETag in the store's form.
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
class Finished:
    """The last event of an upload. `requests` are counted on the wire by method, resends included."""

    elapsed_s: float
    requests: Mapping[str, int]
    connections: int


Event = (
    Discovered
    | Known
    | ScanDone
    | Streaming
    | Uploaded
    | Skipped
    | Failed
    | Removed
    | Kept
    | EmptyDirectory
    | Warned
    | NothingFound
    | Snapshot
    | SegmentsLeft
    | Requested
    | Retrying
    | ReadingChosen
    | Tuned
    | Paced
    | Stalled
    | Moving
    | Stopping
    | Finding
    | Change
    | Relaying
    | Finished
)
Emit = Callable[[Event], None]


@runtime_checkable
class PacedEmit(Protocol):
    """A receiver of events with back-pressure: the engine awaits `room` before it takes more files or objects."""

    def __call__(self, event: Event, /) -> None: ...

    async def room(self) -> None:
        """Returns as soon as the receiver can take more events."""


def room_of(emit: Emit | None) -> Callable[[], Awaitable[None]]:
    """How to wait for room in `emit`: its own `room` if it is a PacedEmit, else no wait.

    Ask once for a run: isinstance with a Protocol takes 8 us or more, and verbs wait for room before each object.
    """
    return emit.room if isinstance(emit, PacedEmit) else _always_room


async def _always_room() -> None:
    """There is always room."""
