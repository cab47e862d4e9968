"""The typed events of a run. The engine emits them, a recorder folds them into numbers, views draw them.

Sizes are in bytes, times in seconds.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from urllib.parse import quote

from bulkput.errors import BulkputError, StoreError, printable
from bulkput.mirror_events import Expiring as Expiring
from bulkput.mirror_events import Kept as Kept
from bulkput.mirror_events import KeptYoung as KeptYoung
from bulkput.mirror_events import Removed as Removed
from bulkput.model import Compression, Entry, LargeUpload, Pacing, Skip, Stored, StoredPart, Upload
from bulkput.record import frozen, record
from bulkput.source_events import EmptyDirectory as EmptyDirectory
from bulkput.source_events import NothingFound as NothingFound
from bulkput.source_events import OtherShards as OtherShards
from bulkput.source_events import Snapshot as Snapshot
from bulkput.verb_events import Change as Change
from bulkput.verb_events import Done as Done
from bulkput.verb_events import Finding as Finding
from bulkput.verb_events import Looking as Looking
from bulkput.verb_events import Relaying as Relaying
from bulkput.verb_events import SegmentsFound as SegmentsFound
from bulkput.verb_events import SegmentsKept as SegmentsKept
from bulkput.verb_events import UnfinishedFound as UnfinishedFound
from bulkput.verb_events import UnfinishedKept as UnfinishedKept
from bulkput.verb_events import Verdict as Verdict
from bulkput.worker_events import WorkerLost as WorkerLost
from bulkput.worker_events import WorkerSent as WorkerSent


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
class Place:
    """Objects of this run are below `url`, which ends with a slash and has no secret. `is_public`: everyone may read
    them there. Told once, before the first object, if `tells_urls` is set and the store knows its URL."""

    url: str
    is_public: bool

    def url_of(self, key: str) -> str:
        return self.url + quote(key)

    def as_json(self) -> dict[str, Any]:
        return {"event": "place", "url": self.url, "is_public": self.is_public}


@frozen
class Streaming:
    """Of a large file `sent` bytes are sent: by the present attempt, or in all its parts. Reading took `read_s` so far.

    `size` is how many there are; None if that is not known."""

    path: bytes
    sent: int
    read_s: float = 0.0
    size: int | None = None


@record
class Uploaded:
    """The store holds the object, and its answer proved it. `bytes_read` bytes came from disk, `stored.size` were sent.

    `mtime_ns` belongs to the version that was sent, which may be newer than the version that was found. `upload` has
    the headers that were sent, gzip's included. `compression` is None if gzip is off, and for a directory. A large
    object was sent in `parts`, and the store had `found_bytes` of them already; `parts` is 0 for a plain object.
    """

    upload: Upload
    stored: Stored
    bytes_read: int
    mtime_ns: int
    elapsed_s: float
    compression: Compression | None = None
    parts: int = 0
    found_bytes: int = 0


@record
class PartStored:
    """The store holds a part of the large object that is made of the file `path`, and its MD5 is proven. If not
    `is_new`, an earlier run has sent it; that is told when the object is complete. `state` tells the file's state from
    others with the same size and mtime; it is empty if nothing does."""

    path: bytes
    state: str
    upload: LargeUpload
    part: StoredPart
    is_new: bool


@record
class UploadBegun:
    """The store has begun an upload in parts of the file `path`, as the object `key`; `id` is the store's name for it.
    Only of stores whose parts are no objects (S3)."""

    path: bytes
    key: str
    id: str


@frozen
class PartsLeft:
    """`count` parts of the large object `key`, of `size` bytes in all, stay in the store, and nothing reads them.

    If `is_resumed`, the object could not be completed, and the next run sends only the other parts. Else no run will
    use them: they are of a pipe, or of another version of the file. `below` is where they are: in Swift the
    CONTAINER/PREFIX of their names, in S3 the URL that the verb `segments` takes.

    `uploads` is how many uploads have them. In S3 one may have none. If `is_strange`, nothing proves that these uploads
    are of no use: this run has met them under the name of its object, and has not used them. An earlier run has left
    them, or another program is sending them.
    """

    key: str
    count: int
    size: int
    below: str
    is_resumed: bool
    uploads: int = 1
    is_strange: bool = False


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

    @property
    def what(self) -> str:
        """The error as a sentence. That of a login does not name the file, and `Stopping` tells it once for all."""
        error = self.error
        if not isinstance(error, StoreError) or error.operation != "login":
            return str(error)
        return f"{printable(self.path)}: {'not sent: the login failed' if error.stops_run else error}"


@frozen
class Warned:
    """Something is no failure, but probably not what the user meant. `why` is a sentence."""

    why: str


@frozen
class SegmentsLeft:
    """The large object `key` was overwritten or removed. Its segments are not removed.

    `paths` are the segments of a static one, as CONTAINER/OBJECT. `below` is the CONTAINER/PREFIX of a dynamic one's
    segments. If both are empty, the store did not tell the segments. `why` is set if they were to be removed, and
    stay: then `paths` are those that stay, and `key` is empty if they belong to several objects.
    """

    key: str
    paths: tuple[str, ...] = ()
    below: str | None = None
    why: str = ""


@record
class Requested:
    """One attempt at one operation ended. `operation` is prepare, put, delete, stat, copy, manifest, settle, expire,
    info, list (of an account's containers), undo_prepare; or, for a large object, begin, list parts, part, complete or
    abort.

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

    @property
    def line(self) -> str:
        return f"retrying in {self.delay_s:.1f} s: {self.error}"


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
    WORKERS = "workers"
    """The processes that send the files cannot work, or end again and again: exit code 3."""
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
    | Place
    | Streaming
    | Uploaded
    | PartStored
    | PartsLeft
    | UploadBegun
    | Skipped
    | Failed
    | Removed
    | Kept
    | KeptYoung
    | Expiring
    | EmptyDirectory
    | Warned
    | NothingFound
    | Snapshot
    | OtherShards
    | SegmentsLeft
    | SegmentsFound
    | SegmentsKept
    | UnfinishedFound
    | UnfinishedKept
    | Requested
    | Retrying
    | ReadingChosen
    | Tuned
    | Paced
    | Stalled
    | Moving
    | WorkerLost
    | WorkerSent
    | Stopping
    | Finding
    | Change
    | Relaying
    | Looking
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
