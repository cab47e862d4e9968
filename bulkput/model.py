"""The nouns: SourceFile -> Decision (Upload | Skip, with a Reason) -> Body -> Stored, and what a store lists.

Names are bytes on disk and UTF-8 text in the store; `policy/naming.py` is the only bridge between the two.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from bulkput.errors import SourceError, TooLarge
from bulkput.record import record

Fields = tuple[tuple[str, str], ...]
"""Header fields or metadata: pairs of name and value."""


@record
class SourceFile:
    """A regular file that was found. `name` is relative to its source, parts joined by `/`.

    `target` is what is opened where `path` is a link: what was checked, not what the link says by then. `is_directory`:
    it stands for a directory of this name, is empty and is never opened. `listed` is what the store has under its name,
    where that was looked up.
    """

    path: bytes
    name: bytes
    size: int
    mtime_ns: int
    target: bytes | None = None
    is_directory: bool = False
    listed: "Listed | None" = None


class Reason(StrEnum):
    """Why a found entry is not sent. The value is what people read."""

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
    KNOWN = "uploaded before, says the journal"
    GONE = "failed before, and is no longer there"
    OWN_OUTPUT = "the run's own output"
    EXISTING = "already in the store"
    UNCHANGED = "not changed since it was stored"
    IDENTICAL = "identical in the store"


LEFT_OUT = frozenset((Reason.TOO_NEW, Reason.TOO_OLD, Reason.TOO_SMALL, Reason.TOO_LARGE, Reason.OTHER_FILE_SYSTEM))
"""A file is there, and the run was told to leave it alone: so it must leave its object alone as well."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Decided not to send `name` (relative to its source, bytes)."""

    path: bytes
    name: bytes
    reason: Reason
    key: str | None = None
    size: int | None = None


@record
class ObjectHeaders:
    """What is stored beside the bytes. Every store renders it into its own header names.

    `meta` is user metadata without the store's prefix, `extra` goes out as it is, `expires_in_s` counts from
    the moment of the upload, `encoding` is the Content-Encoding.
    """

    content_type: str | None = None
    encoding: str | None = None
    mtime_ns: int | None = None
    cache_control: str | None = None
    expires_in_s: int | None = None
    meta: Fields = ()
    extra: Fields = ()


@record
class Upload:
    """Decided to send `source` as the object `key`."""

    source: SourceFile
    key: str
    headers: ObjectHeaders


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """So many files, of so many bytes, that an earlier run has uploaded: Skips as KNOWN, by the thousand."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class EmptyDirectoryFound:
    """A directory in which there is nothing at all, and of which nothing will be stored. No entry: only counted."""

    path: bytes


Entry = SourceFile | Skip | SourceError
"""A file, an entry that is not sent and why, or one that could not be read."""
Found = Entry | KnownFiles | EmptyDirectoryFound
"""What a source yields."""

Decision = Upload | Skip | SourceError | TooLarge


class Body(Protocol):
    """Bytes for the wire. Whatever may be retried can be replayed: each `chunks()` starts again at byte 0."""

    @property
    def size(self) -> int | None:
        """Length in bytes; None when it is not known before the end."""

    @property
    def length_hint(self) -> int:
        """About its length in bytes, where `size` does not tell it; deadlines go by it."""

    @property
    def md5(self) -> str | None:
        """MD5 in hex, when it is known before the first byte leaves."""

    @property
    def data(self) -> bytes | None:
        """The whole body, when it is small enough to be held: the fast path."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body piece by piece; closing it closes what it reads.

        Raises SourceError when the source changed or cannot be read.
        """


class Why(StrEnum):
    """Why a file is sent compressed, or is not. The value is what people read."""

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


@dataclass(frozen=True, slots=True)
class Compression:
    """Whether a file is sent compressed, and why."""

    is_compressed: bool
    why: Why


@record
class Stored:
    """The store's receipt for one object. `etag` is None where the store gives none that proves bytes."""

    key: str
    size: int
    etag: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """A row of a listing, or what the store tells of one object.

    `bytes` is None where it does not tell the size (Swift: a dynamic large object of very many segments); `hash` is
    the ETag as listed, `last_modified` ISO 8601 in UTC. A `large` object is composed of others: a static one by a
    manifest, a dynamic one by a prefix. A listing knows no dynamic ones, no `encoding` (Content-Encoding) and no
    `meta` (whose names are without the store's prefix), and not when an object expires.

    `link` is the CONTAINER/OBJECT that a link leads to: a listing has it, and the object itself. `below` is the
    CONTAINER/PREFIX of a dynamic large object's segments. `expires_at`: seconds since 1970.
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
    """The object of a file's name. Without a row nobody has looked yet: the store itself is to be asked. `is_suffixed`:
    it is called after the file, and is a gzip file."""

    row: RemoteObject | None
    is_suffixed: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a static large object, in its manifest's words; `md5` is None where that is no whole plain object
    (a range of one, a large object itself, bytes in the manifest). `path`: CONTAINER/OBJECT, where it is one."""

    bytes: int
    md5: str | None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Prefix:
    """A virtual directory in a listing with a delimiter; `name` ends in the delimiter."""

    name: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a store takes, in bytes. Swift's defaults; `/info` tells a cluster's own."""

    max_name_bytes: int = 1024
    max_object_bytes: int = 5 * 1024**3 + 2
    max_deletes: int = 1
    """Objects that one request can remove."""
