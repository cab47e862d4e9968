"""The records that the layers pass on: SourceFile -> Decision (Upload | Skip, with a Reason) -> Body -> Stored, and
the rows of a listing.

A name is bytes on disk and UTF-8 text in the store. Only `policy/naming.py` turns one into the other.
"""

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Literal, Protocol

from bulkput.errors import SourceError, TooLarge
from bulkput.record import frozen, record

Fields = tuple[tuple[str, str], ...]
"""Header fields or metadata, as pairs of name and value."""


@record
class SourceFile:
    """A regular file that a source yielded. `name` is relative to its source, with parts joined by `/`.

    `path` is a symbolic link if `target` is set: `target` is the path that was checked and that is opened, even if the
    link is changed afterwards. If `is_directory`, the entry stands for the directory of this name: it is empty and is
    never opened. If `is_pipe`, it is read once, to its end; size and mtime say nothing. `listed` is the object that a
    listing shows for this file, or None if the worker need not look at it. `remote` is the row of an object of another
    store that is the source; its URL is the `path`.
    """

    path: bytes
    name: bytes
    size: int
    mtime_ns: int
    target: bytes | None = None
    is_directory: bool = False
    listed: "Listed | None" = None
    is_pipe: bool = False
    remote: "RemoteObject | None" = None


class Reason(StrEnum):
    """Why a found entry is not sent. The value is the text that users read; the name, in small letters, is the `reason`
    of `--json`. Sets of reasons: `LEFT_OUT` below, `_NO_FILE` in `recorder.py`, `_PRESENT_BUT_NO_FILE` in
    `engine/compare/keys.py`."""

    EXCLUDED = "excluded by a filter"
    TOO_NEW = "newer than `walk.min_age_s`"
    TOO_OLD = "older than `walk.max_age_s`"
    TOO_SMALL = "smaller than `walk.min_size`"
    TOO_LARGE = "larger than `walk.max_size`"
    OTHER_FILE_SYSTEM = "on another file system"
    LINK_OUTSIDE = "link leaves the source tree"
    LINK_TO_DIRECTORY = "link to a directory"
    LINK_LOOP = "link loops back to a directory above it"
    LINK_DANGLING = "link leads nowhere"
    NOT_A_FILE = "not a regular file"
    LISTED_DIRECTORY = "a directory in the list: only the files that the list names are taken"
    DRY_RUN = "dry run"
    STOPPED = "run stopped before it was sent"
    HELD_BACK = "held back by `last`: what comes before it has failed"
    KNOWN = "uploaded before, says the journal"
    GONE = "failed before, and is no longer there"
    OWN_OUTPUT = "the run's own output"
    EXISTING = "already in the store"
    UNCHANGED = "not changed since it was stored"
    IDENTICAL = "identical in the store"


LEFT_OUT = frozenset((Reason.TOO_NEW, Reason.TOO_OLD, Reason.TOO_SMALL, Reason.TOO_LARGE, Reason.OTHER_FILE_SYSTEM))
"""Reasons for which a run leaves an existing file out. A mirror keeps the objects of such files."""

IN_PLACE = frozenset((Reason.EXISTING, Reason.UNCHANGED, Reason.IDENTICAL))
"""Reasons that say that the store has the object already."""


@frozen
class Skip:
    """The decision not to send the file `name`, which is relative to its source, in bytes. `parts` are the number and
    the size of the parts in which a dry run would send it. `planned` is what a dry run with rules would send. `there`
    is the object for which it is not sent."""

    path: bytes
    name: bytes
    reason: Reason
    key: str | None = None
    size: int | None = None
    parts: tuple[int, int] | None = None
    planned: "Upload | None" = None
    there: "RemoteObject | None" = None


@record
class ObjectHeaders:
    """The headers and metadata of one object. Each store translates them into its own header names.

    `meta` is user metadata without the store's prefix. `extra` is sent unchanged. `expires_in_s` counts from the moment
    of the upload. `encoding` is the Content-Encoding. Only a store with `powers.storage_classes` gets a
    `storage_class`. If `only_new`, nothing is overwritten: the store raises Exists, if its `Powers.refuses_existing`
    says so.
    """

    content_type: str | None = None
    encoding: str | None = None
    mtime_ns: int | None = None
    cache_control: str | None = None
    expires_in_s: int | None = None
    meta: Fields = ()
    extra: Fields = ()
    storage_class: str | None = None
    only_new: bool = False


GzipMode = Literal["auto", "always", "never"]
"""Which files are sent compressed: those that become smaller, all, or none."""


@frozen
class Ruling:
    """What the rules of a run mean for a file, besides its headers.

    `gzip` is the file's mode, whether a rule or an option gives it. `given` has each field that a rule gives, by its
    name in a rules file (`metadata.NAME` for each metadata), with the number of the rule.
    """

    gzip: GzipMode
    given: tuple[tuple[str, int], ...]


@record
class Upload:
    """The decision to send the file `source` as the object `key`. `ruling` is None if the run has no rules."""

    source: SourceFile
    key: str
    headers: ObjectHeaders
    ruling: Ruling | None = None


@frozen
class KnownFiles:
    """`count` files of `size` bytes in all that an earlier run uploaded: thousands of Skips (KNOWN) in one record."""

    count: int
    size: int


@frozen
class EmptyDirectoryFound:
    """An empty directory, which leaves no object in the store. It is counted, but is no Entry."""

    path: bytes


Entry = SourceFile | Skip | SourceError
"""A file, an entry that is not sent (with the reason), or one that could not be read."""
Found = Entry | KnownFiles | EmptyDirectoryFound
"""Everything that a source may yield."""

Decision = Upload | Skip | SourceError | TooLarge


class Body(Protocol):
    """The bytes of one request. A retry can send them again: each call of `chunks()` starts at byte 0."""

    @property
    def size(self) -> int | None:
        """Length in bytes, or None if it is only known at the end."""

    @property
    def length_hint(self) -> int:
        """Estimated length in bytes. Deadlines use it if `size` is None."""

    @property
    def md5(self) -> str | None:
        """MD5 in hex, or None if it is not known before the first byte is sent."""

    @property
    def data(self) -> bytes | None:
        """The whole body if it is held in memory (the fast path for small bodies), else None."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yields the body in pieces. Closing the generator closes the file that it reads.

        Raises SourceError if the source changed or cannot be read.
        """


class Why(StrEnum):
    """Why a file is, or is not, sent compressed. The value is the text that users read."""

    EXCLUDED = "excluded from compression"
    ASKED = "asked for"
    EMPTY = "empty"
    SMALL = "too small to matter"
    NAME = "already compressed, by its name"
    MAGIC = "already compressed, by its first bytes"
    SAVES = "saves enough"
    SAVES_LITTLE = "would save too little"
    SAMPLE_SAVES = "a sample of it saves enough"
    SAMPLE_SAVES_LITTLE = "a sample of it would save too little"
    NOT_ASKED = "not asked for"


@frozen
class Compression:
    """Whether a file is sent compressed, and why."""

    is_compressed: bool
    why: Why


@record
class Stored:
    """The store's receipt for one object. `etag` is None if the store answers no ETag that proves the bytes. `took_s`:
    the seconds of the request that was answered, if it had the condition `ObjectHeaders.only_new`. `copied`: the ETag
    of the source of a copy, if the store itself has made the copy under the condition that the source has it."""

    key: str
    size: int
    etag: str | None
    request_id: str | None
    took_s: float | None = None
    copied: str | None = None


@record
class LargeUpload:
    """The sending of one large object, in parts. `id` is what the store knows it by: in Swift the CONTAINER/PREFIX of
    its segments. `headers` are those that the object will have, as far as they are known when it is begun: its parts
    live as long."""

    key: str
    id: str
    headers: ObjectHeaders = ObjectHeaders()

    def __str__(self) -> str:
        return self.key


@record
class StoredPart:
    """One part of a large object in the store. Parts are numbered from 1; `md5` is in hex. `modified` is when it was
    stored, in ISO 8601 and UTC: `Unfinished.parts` tells it, and others need not."""

    number: int
    size: int
    md5: str
    modified: str | None = None


@record
class UnfinishedUpload:
    """An upload in parts that was neither completed nor aborted. `id` is the store's name for it, `begun` the time at
    which it was begun, in ISO 8601 and UTC."""

    key: str
    id: str
    begun: str


@frozen
class RemoteObject:
    """One object, as a row of a listing or as a HEAD shows it.

    `bytes` is None if the store does not report the size (Swift: a dynamic large object of very many segments; Ceph's
    gateway: a static large object, in a listing). `hash`
    is the ETag as listed. `last_modified` is ISO 8601 in UTC. `large` says how a large object names its segments: a
    static one by a manifest, a dynamic one by a prefix. `meta` has names without the store's prefix.

    `link` is the CONTAINER/OBJECT that a symbolic link points to. `below` is the CONTAINER/PREFIX of a dynamic large
    object's segments. `expires_at` is in seconds since 1970.

    A listing has `link`, but no `encoding` (Content-Encoding), `meta` or `expires_at`, and it shows a dynamic large
    object as a plain one.
    """

    name: str
    bytes: int | None
    hash: str | None
    content_type: str | None
    last_modified: str | None
    large: Literal["static", "dynamic"] | None = None
    encoding: str | None = None
    meta: Fields = ()
    link: str | None = None
    below: str | None = None
    expires_at: int | None = None


@record
class Listed:
    """The object of a file, as far as the listing shows it. If `row` is None, the listing cannot tell, and the worker
    asks the store. If `is_suffixed`, the object is a gzip file named after the file (`a.txt.gz`)."""

    row: RemoteObject | None
    is_suffixed: bool = False


@frozen
class Segment:
    """One segment of a large object: as its manifest describes it (static), or as the listing of its prefix does
    (dynamic).

    `md5` is None if the segment is no whole plain object: a range of one, a large object itself, a link, or bytes
    inside the manifest. `path` is CONTAINER/OBJECT, or None if the segment is no object.
    """

    bytes: int
    md5: str | None
    path: str | None = None


@frozen
class Prefix:
    """A virtual directory in a listing with a delimiter. `name` ends in the delimiter."""

    name: str


@frozen
class Container:
    """A container or bucket, as the listing of its account shows it. None: the store does not tell.

    `last_modified` is as that of an object: Swift's last PUT of the container; in S3 mostly the time when it was made.
    """

    name: str
    objects: int | None = None
    bytes: int | None = None
    last_modified: str | None = None


@frozen
class Limits:
    """What a store accepts; sizes in bytes. The defaults are Swift's; a cluster's `/info` has its own."""

    max_name_bytes: int = 1024
    max_object_bytes: int = 5 * 1024**3 + 2
    """Of one request: of a whole object, or of one part of a large one."""
    max_deletes: int = 1
    """Number of objects that one request can remove."""
    max_parts: int = 1
    """Number of parts of one large object. 1: the store takes no large objects."""
    min_part_bytes: int = 1
    """Of every part of a large object except its last."""
    container_rates: tuple[tuple[int, float], ...] = ()
    """How many objects per second a container takes that holds so many (`policy/container_rate.py`); empty: not told,
    or no limit."""

    @property
    def max_total_bytes(self) -> int:
        """The size of the largest object that the store can hold, in however many parts."""
        return self.max_parts * self.max_object_bytes


@record
class Pacing:
    """The rates that the user asked for, and what they let pass: `requests` and `sent` bytes in `over_s` seconds,
    retries included.

    `objects_per_s` and `bytes_per_s` were asked for; None: no limit. In `waited_s` of the seconds at least one request
    waited for a rate. `is_shared`: other runs share one of the rates, so this run may have got only a part of it.
    """

    objects_per_s: float | None
    bytes_per_s: float | None
    requests: int
    sent: int
    over_s: float
    waited_s: float
    is_shared: bool = False

    @property
    def reached_objects_per_s(self) -> float:
        return self.requests / self.over_s if self.over_s > 0 else 0.0

    @property
    def reached_bytes_per_s(self) -> float:
        return self.sent / self.over_s if self.over_s > 0 else 0.0

    @property
    def waited_share(self) -> float:
        """Share of the time in which a rate held requests back: near 1, the rate was the limit of the run."""
        return self.waited_s / self.over_s if self.over_s > 0 else 0.0
