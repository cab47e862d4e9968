"""What happens during a run, one typed event each. The engine emits them; a recorder folds, views draw."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from bulkput.errors import BulkputError, StoreError, name_text
from bulkput.model import Compression, Entry, Skip, Stored, Upload
from bulkput.record import record


@record
class Discovered:
    """A source yielded an entry: the file, or what stands in its place. Counted before it is decided."""

    found: Entry


@dataclass(frozen=True, slots=True)
class Known:
    """So many files, of so many bytes, were found and are not sent: an earlier run has uploaded them."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class ScanDone:
    """The sources are exhausted (or the run stopped looking): from now on the total is known."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """So many bytes of a large file have been handed over, in the present attempt; reading them took `read_s`."""

    path: bytes
    sent: int
    read_s: float = 0.0


@record
class Uploaded:
    """The store holds the object, proven. `bytes_read` came from disk, `stored.size` went over the wire.

    `mtime_ns` is that of the version that was sent, which may be a newer one than was found. `upload` is as it was
    sent: a compressed object may have another name. `compression` is None where nobody asked for any.
    """

    upload: Upload
    stored: Stored
    bytes_read: int
    mtime_ns: int
    elapsed_s: float
    compression: Compression | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry was not sent, for the reason given."""

    skip: Skip


@dataclass(frozen=True, slots=True)
class Failed:
    """An entry is not in the store, for good. `key` is None where there is no object name for it."""

    path: bytes
    key: str | None
    error: BulkputError


@dataclass(frozen=True, slots=True)
class Removed:
    """An object that no file is for, of `size` bytes, is removed; in a dry run, it would be."""

    key: str
    size: int | None
    is_dry: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """So many objects that no file is for are not removed, though that was asked for. `key`: the one, where `why` is
    about one."""

    count: int
    why: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class EmptyDirectory:
    """A directory holds nothing at all, and a store of objects keeps nothing of it."""

    path: bytes


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that is no failure, and probably not what was meant. `why` is a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class NothingFound:
    """There was no file to send in `where`; `is_failure` where that was asked for."""

    where: str
    is_failure: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file was written to while it was read, and its first `size` bytes are taken, as many as it had when it was
    opened."""

    path: bytes
    size: int


@dataclass(frozen=True, slots=True)
class SegmentsLeft:
    """The object `key` was a large one and is overwritten; what it was composed of is not removed.

    `paths` are its segments, as CONTAINER/OBJECT; of a dynamic one `below` is what their paths begin with. Neither:
    they could not be asked for.
    """

    key: str
    paths: tuple[str, ...] = ()
    below: str | None = None


@record
class Requested:
    """One attempt at one operation ended. `operation` is prepare, put, delete, stat, copy, manifest, info or
    undo_prepare.

    `started_s` is on the clock of `time.monotonic`; `size` is the body's in bytes, where it has one that is known.
    """

    operation: str
    key: str
    started_s: float
    elapsed_s: float
    size: int | None
    error: BulkputError | None


@dataclass(frozen=True, slots=True)
class Retrying:
    """An attempt failed and is made again after `delay_s`; `attempt` counts from 1."""

    error: StoreError
    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class ReadingChosen:
    """From now on small files are read on the event loop, or in threads; `average_s` is what a read takes.

    `may_hang` is the file system that is the reason, where it is: then no read was measured.
    """

    is_on_loop: bool
    average_s: float
    may_hang: str | None = None


@dataclass(frozen=True, slots=True)
class Tuned:
    """So many requests may be in flight from now on. `why` is for people."""

    limit: int
    why: str


class StopCause(StrEnum):
    """What makes a run stop before its end."""

    INTERRUPTED = "interrupted"
    """A person or the system asked for it: exit code 130."""
    STORE = "store"
    """Denied, quota, gone: exit code 3."""
    SOURCE = "source"
    """A file system hangs: exit code 3."""
    JOURNAL = "journal"
    """What is done cannot be written down any more: exit code 3."""
    ERRORS = "errors"
    """As many failures as the caller allows: exit code 1."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The run takes no more work: what is in flight ends, the rest is reported as skipped."""

    why: str
    cause: StopCause


@dataclass(frozen=True, slots=True)
class InFlight:
    """What a worker has in hand, and what that waits for since `age_s`, tries before this one included.

    `path` and `key` are empty for what belongs to no object; `connection` names both its ends, while there is one.
    """

    path: bytes
    key: str
    what: str
    attempt: int
    connection: str | None
    age_s: float


@dataclass(frozen=True, slots=True)
class Stalled:
    """Nothing has been found, done, retried or moved for `idle_s`: what is in flight, the oldest first.

    `scanning` is the path that the scan has in hand, while it waits for that and not for the workers. `loop_at` is
    where the event loop itself stands, innermost last, when it does: this event then comes from another thread.
    """

    idle_s: float
    in_flight: tuple[InFlight, ...]
    scanning: bytes | None = None
    loop_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moving:
    """It moves again; it had stood for `idle_s`."""

    idle_s: float


class Verdict(StrEnum):
    """How a file and its object compare. The value is the event's name in JSON."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    MISSING = "missing"
    """Not in the store."""
    EXTRA = "extra"
    """Only in the store."""
    NOT_COMPARABLE = "not_comparable"
    """In the store, but nothing proves its bytes."""
    UNREADABLE = "unreadable"
    """The file could not be read, or changed while it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verification has found a name that is not identical. Sizes in bytes, MD5 in hex.

    `name` is the object's, `path` the file's. `md5` is None if the file was not read; `remote_hash` is the ETag as the
    store has it.
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
        """One line of `--json` on the command line."""
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
    """A move copied it, and its source is still there, because the run was stopped in between."""
    REMOVED = "removed"
    GONE = "gone"
    """It was listed, but does not exist: an expired object stays listed for a while. There is nothing to do."""
    FAILED = "failed"
    WOULD = "would"
    """A dry run: a real one would do it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A copy, move or removal is through with one object. `name` is the one it had, `to` the one it got.

    `size` in bytes, if the listing tells it.
    """

    done: Done
    name: str
    to: str | None = None
    size: int | None = None
    error: BulkputError | None = None

    def as_json(self) -> dict[str, Any]:
        """One line of `--json` on the command line."""
        row = {"event": self.done.value, "name": self.name, "to": self.to, "bytes": self.size}
        return row if self.error is None else row | {"error": str(self.error)}


@dataclass(frozen=True, slots=True)
class Relaying:
    """No store can copy between the two places, so the bytes pass through this machine. Emitted once a run."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end, always emitted. `requests` are counted on the wire by method, resends included."""

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
    """A receiver of events that may fall behind: the engine awaits `room` before it takes further files or objects."""

    def __call__(self, event: Event, /) -> None: ...

    async def room(self) -> None:
        """Returns when the receiver has caught up."""


async def room_of(emit: Emit | None) -> None:
    """Wait for `emit` if it is paced."""
    if isinstance(emit, PacedEmit):
        await emit.room()
