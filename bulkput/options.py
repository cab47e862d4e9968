"""Every choice a caller can make, in keyword-only frozen groups. Each default has its reason beside it.

Memory of an upload, at most, whatever the number and size of the files:

    workers x max(2 x buffer_size, 4 x chunk_size)  +  backlog x about 1 KiB  +  about 60 MiB for Python itself

with workers = 1.25 x concurrency; twice the buffer, since the kernel may take a body only in part. Compressing makes it

    workers x max(3 x buffer_size, 6 x chunk_size)  +  ...

for what was read ahead, is compressed, was compressed and is being sent. With the defaults and without compression at
most 80 x 2 MiB + 60 MiB = 220 MiB at the start and 320 x 2 MiB + 60 MiB = 700 MiB at the highest concurrency that
the tuner may choose, when every file is just under the buffer size; small files need far less.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal

from bulkput.errors import UsageError
from bulkput.model import Fields

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkOptions:
    """What of a directory tree is taken. Patterns are in gitignore syntax, relative to the source."""

    include: tuple[str, ...] = ()
    """Only files that match one of these; none means all."""
    exclude: tuple[str, ...] = ()
    """Nothing that matches one of these; wins over `include`, as in s5cmd."""
    min_age_s: int | None = None
    """Only files whose mtime is at least this long ago; a file from the future is as new as can be. As in rclone."""
    max_age_s: int | None = None
    """Only files whose mtime is at most this long ago."""
    min_size: int | None = None
    """Only files of at least so many bytes. What these four leave out has its object left alone, as with rsync."""
    max_size: int | None = None
    """Only files of at most so many bytes."""
    one_file_system: bool = False
    """True: no directory is entered that is on another file system than its source, as `find -xdev` has it. (Files are
    not looked at: overlayfs shows other device numbers for files than for their directories.)"""
    follow_symlinks: bool = False
    """False: a tree is what is in it. A link inside the tree to a regular file inside the tree is taken."""
    own_output: frozenset[tuple[int, int]] = frozenset()
    """Device and inode of the files that the run itself writes, besides its journal: they are no sources."""
    entries_in_memory: int = 16_384
    """Names of one directory held in memory to sort them (about 2 MiB); more are sorted on disk."""

    @property
    def leaves_out(self) -> bool:
        """Whether a walk may pass by regular files of the tree without taking them."""
        limits = (self.min_age_s, self.max_age_s, self.min_size, self.max_size)
        return bool(self.include or self.exclude or self.one_file_system or any(each is not None for each in limits))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileListOptions:
    """Sources that a list names, in place of directories that are walked."""

    path: str
    """The list: one name a line. `-` is stdin."""
    base: str = "."
    """The directory that names in the list are relative to, and below which all of them have to be."""
    is_null: bool = False
    """Names end in NUL and not in a line end: what `find -print0` and `git ls-files -z` write, since a name may have a
    line end in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamingOptions:
    """How names on disk become object names."""

    prefix: str = ""
    """Put before each name, as it is: a joining slash is the caller's."""
    is_exact: bool = False
    """`prefix` is the whole object name: one file, sent to a destination that names an object."""
    encode: Literal["strict", "percent"] = "strict"
    """strict: a name that is not UTF-8 fails, since guessing an encoding would rename files silently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderOptions:
    """What is stored beside every object."""

    content_type: str | None = None
    """None: by the name's suffix, from a table of our own, the same on every machine (`policy/media.py`)."""
    cache_control: str | None = None
    expires_in_s: int | None = None
    """The store deletes the object this long after its upload; None keeps it."""
    meta: Fields = ()
    extra: Fields = ()
    mtime_format: Literal["nanoseconds", "swiftclient"] = "nanoseconds"
    """How Swift is told the file's time. nanoseconds: exact, so that rclone finds nothing to do. swiftclient:
    microseconds, rounded as `swift upload --changed` rounds them, since that compares texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyOptions:
    """How files become bodies."""

    buffer_size: int = MIB
    """Files up to this are read whole and hashed first, so that the store itself refuses damaged bytes.
    1 MiB keeps 64 uploads in flight under 64 MiB and is as much as aiohttp takes in one write."""
    chunk_size: int = 512 * KIB
    """Larger files stream in pieces of this size: large enough that the visits to threads for each do not count
    against a millisecond of MD5, small enough that four of them fit where a small file's buffers would."""
    readers: int = 8
    """Threads that read and hash: enough to keep a network file system busy, few enough for one core."""
    read_timeout_s: float = 120.0
    """A file system that gives nothing for so long hangs, and the file fails. Above 90 s, because an NFSv4 server that
    was restarted may refuse to open files for so long, and then gives them."""
    max_stuck: int = 16
    """So many reads that hang at once stop the run: each keeps a thread that nothing can end. Twice `readers`, so that
    one bad moment of all is not enough."""
    changing: Literal["fail", "snapshot"] = "fail"
    """A file that is written to while it is read. fail: what is stored is one version of a file or nothing. snapshot:
    the first bytes, as many as there were when it was opened; right for logs, which only grow, and for nothing that is
    rewritten in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GzipOptions:
    """Which files are sent compressed, and how they are stored then."""

    mode: Literal["auto", "always", "never"] = "never"
    """never: an object is the file, byte for byte, unless asked otherwise."""
    level: int = 2
    """1 (fastest) to 9 (smallest), see `payload/deflate.py`. 2 is nine to ten times as fast as zlib's 6, for a
    fifth more bytes: one core reads 2 Gbit/s and sends half a gigabit."""
    store_as: Literal["encoding", "suffix"] = "encoding"
    """encoding: under the file's name, with Content-Encoding, so that HTTP clients unpack it on the way. suffix: as a
    gzip file, under the name with .gz; only with mode always, so that a file's name alone decides the object's name."""
    exclude: tuple[str, ...] = ()
    """Files that match one of these are sent as they are and keep their names, in every mode: what is compressed
    already, say. Patterns as in `WalkOptions`. None by default: `auto` finds out by itself, and `always` means it."""
    min_size: int = 1024
    """auto leaves smaller files as they are: with its request head such a file fits one packet (1460 bytes on Ethernet)
    either way."""
    least_saving: float = 0.125
    """The share of a file's bytes that auto wants to save. An eighth, as Ceph's BlueStore wants it
    (`bluestore_compression_required_ratio` is 0.875): who reads the object unpacks it each time, cannot ask for a
    range of it, and it carries some 120 bytes more in headers."""

    def __post_init__(self) -> None:
        """Raises UsageError: a misspelt word would store what nobody asked for."""
        if self.mode not in ("auto", "always", "never") or self.store_as not in ("encoding", "suffix"):
            raise UsageError("gzip: mode is auto, always or never, and store_as is encoding or suffix")
        if not isinstance(self.level, int) or not 1 <= self.level <= 9:
            raise UsageError(f"the gzip level is a number from 1 (fastest) to 9 (smallest), not {self.level!r}")
        if self.min_size < 0 or not 0 <= self.least_saving < 1:
            raise UsageError("gzip: min_size is 0 or more, and least_saving a share from 0 to below 1")
        if self.mode == "auto" and self.store_as == "suffix":
            raise UsageError(
                "`gzip.store_as='suffix'` wants `gzip.mode='always'`: with auto, a file's content would decide its"
                " object's name; files that `gzip.exclude` matches keep their names and are not compressed"
            )

    @property
    def adds_suffix(self) -> bool:
        """Whether objects get .gz behind the names of their files, but for those in `exclude`."""
        return self.mode == "always" and self.store_as == "suffix"

    @property
    def encodes(self) -> bool:
        """Whether an object may get a Content-Encoding."""
        return self.mode != "never" and self.store_as == "encoding"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipOptions:
    """What is in the store already, by one listing of it: what is not sent again, and what is removed."""

    mode: Literal["none", "existing", "unchanged", "identical"] = "none"
    """none: what is asked for is sent, without a look at what is there. See `policy/skip.py`."""
    delete_extra: bool = False
    """In the end, remove what is below the destination and has no file."""
    check_expiry: bool = False
    """Look at each object that would be skipped: one that has expired is listed until the store comes by. A request for
    each, so only where it is asked for; a run whose own objects expire does it by itself."""
    max_outside: int = 100_000
    """Objects of the container outside the destination that delete_extra lists: links and large objects among them may
    read extras. Ten requests' worth; where there are more, nothing is removed, unless `max_deleted` is None."""
    max_deleted: int | None = 1_000
    """Where more has no file, nothing is removed: a wrong directory would empty a container. None: no such bound."""

    def __post_init__(self) -> None:
        """Raises UsageError."""
        if self.mode not in ("none", "existing", "unchanged", "identical"):
            raise UsageError("skip: the mode is none, existing, unchanged or identical")

    @property
    def is_wanted(self) -> bool:
        """Whether anything of this has to look at the store."""
        return self.mode != "none" or self.delete_extra


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryOptions:
    """When and how often a failed request is made again. Full jitter: delay = random(0, min(cap, base x 2^n))."""

    retries: int = 8
    """Tries after the first, per object. With base 1 s and cap 30 s they last a minute on average (random, so seldom
    under twenty seconds), which outlasts the restart of a proxy."""
    first_retries: int = 3
    """The same while nothing has worked, for the first login of a run (a wrong address is likelier than a restart) and
    for objects whose answers do not prove their bytes (a proxy is likelier than chance)."""
    base_s: float = 1.0
    cap_s: float = 30.0
    """No single wait is longer, except where the store itself names a time."""
    max_retry_after_s: float = 120.0
    """A longer Retry-After is cut to this: a wrong clock on a server must not stop a run for a day."""
    total_s: float = 300.0
    """No third attempt for one object, or further one, once its attempts and the pauses between them have taken so
    long; waits for a slot do not count. A second attempt is always made: a large file may take longer than this by
    itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOptions:
    """Connections and deadlines."""

    transport: Literal["wire", "aiohttp"] = "wire"
    """wire: our own for object PUTs, at a fraction of the CPU; aiohttp: that library for everything."""
    concurrency: int | None = None
    """Requests in flight, hence connections. None: found while the run goes on, as `policy/tune.py` says."""
    first_concurrency: int = 64
    """Where that begins. Small objects are bound by latency: 64 hides 270 ms down to 4 ms per object; peers'
    defaults of 4 (rclone) and 10 (aws, swiftclient) are what their users complain about."""
    max_concurrency: int = 256
    """How far it may go: the memory of a run depends on it (see above). Ask for more by number where it pays."""
    timeout_s: float = 90.0
    """A request without a body may take this long. Above 60 s, because Swift's ratelimit middleware may hold
    a request silently for up to 60 s before it answers."""
    min_rate: int = 64 * KIB
    """Bytes/s: each body adds size / min_rate to its request's deadline, so that nothing ever hangs."""
    connect_timeout_s: float = 15.0
    idle_timeout_s: float = 30.0
    """Kept connections are closed after this long without use: below Swift's 60 s and most balancers' limits,
    so that it is us who close them."""
    expect_above: int = 16 * MIB
    """`Expect: 100-continue` only for bodies larger than this: there its round trip is under a percent of the
    transfer, and a refusal saves sending it. For small bodies it would double the latency."""
    examines_http: bool = True
    """Two requests a run to a plain HTTP server: OPTIONS tells whether a PUT that breaks off may leave half an object,
    HEAD whether the first object is there. False: the server is known to put whole objects into place, and no proxy
    stands before it."""
    verify_tls: bool = True
    ca_file: str | None = None
    """None: the system's authorities."""

    @property
    def start(self) -> int:
        """Requests in flight when a run begins."""
        return self.concurrency if self.concurrency is not None else min(self.first_concurrency, self.max_concurrency)

    @property
    def highest(self) -> int:
        """Requests in flight at most."""
        return self.concurrency if self.concurrency is not None else self.max_concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRules:
    """When a run gives up as a whole."""

    max_errors: int | None = None
    """Failed entries after which no more work is taken; None: one bad file never stops the others."""
    store_gone_after: int = 128
    """So many objects in a row, each out of retries against an unreachable store: the store is gone.
    Twice the default concurrency, so that one bad moment of all workers is not enough."""
    in_vain_after: int = 256
    """So many requests for objects, all failed for the same cause before anything has worked: the run stops. As many as
    may be in flight by default (`WireOptions.max_concurrency`), so that one bad moment is not enough, and so that a
    first directory whose names the store refuses is seldom taken for all. Objects that are tried nine times use them
    up in a minute, others at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedOptions:
    """The options that an upload and a verification of it share: which files are taken, how their objects are named,
    how files are read, and how the store is reached."""

    walk: WalkOptions = WalkOptions()
    files: FileListOptions | None = None
    """A list that names the files, in place of the sources; None: the sources are walked."""
    encode_names: Literal["strict", "percent"] = "strict"
    dir_markers: bool = False
    """An empty object of the type application/directory for each directory below a source."""
    gzip: GzipOptions = GzipOptions()
    body: BodyOptions = BodyOptions()
    retry: RetryOptions = RetryOptions()
    wire: WireOptions = WireOptions()
    stop: StopRules = StopRules()
    journal: str | None = None
    """The file of the journal: what is done, so that a second run sends only the rest; None: no journal."""
    backlog: int = 256
    """Decided files that wait for a worker: enough that the workers never wait for the scan between two batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOptions(SharedOptions):
    """All options of `upload`."""

    fail_if_empty: bool = False
    """No file found at all is a failure. False: it is a warning, since a directory may well be empty."""
    headers: HeaderOptions = HeaderOptions()
    skip: SkipOptions = SkipOptions()
    storage_policy: str | None = None
    """Swift: the policy of the container, if this run creates it; None leaves it to the cluster."""
    dry_run: bool = False
    """Scan and decide, send nothing at all."""
    retry_failed: bool = False
    """Look only at the files that the journal has as failed, and not at the whole source."""
    stall_s: float = 60.0
    """If nothing moves for so long, an event tells what is in flight: before the first request runs out of its time,
    and after any pause between two tries that is not a store's own wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions(SharedOptions):
    """All options of `verify`. With `journal`, what is not identical is struck from it, so that it is sent again."""

    is_quick: bool = False
    """Compare sizes only, and read no file. False: the bytes are compared, which is what a verification is for."""

    @classmethod
    def of(cls, options: SharedOptions, *, is_quick: bool = False) -> "VerifyOptions":
        """The options that verify what an upload with `options` has sent."""
        shared: dict[str, Any] = {field.name: getattr(options, field.name) for field in fields(SharedOptions)}
        return cls(is_quick=is_quick, **shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOptions:
    """All options of `copy` and `move`."""

    is_recursive: bool = False
    """All objects below the source as a directory. False: the one object of that name, so that a prefix typed by
    mistake copies nothing."""
    headers: HeaderOptions = HeaderOptions()
    """What is given here replaces what the object has; everything else comes along."""
    retry: RetryOptions = RetryOptions()
    wire: WireOptions = WireOptions()
    stop: StopRules = StopRules()
    dry_run: bool = False
    """List what would be done, and change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveOptions:
    """All options of `remove`."""

    is_recursive: bool = False
    """The object and all objects below it as a directory. False: that object only."""
    retry: RetryOptions = RetryOptions()
    wire: WireOptions = WireOptions()
    stop: StopRules = StopRules()
    dry_run: bool = False
    """List what would be removed, and remove nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """All options of `list_objects`."""

    delimiter: str | None = None
    """`/` lists one level, in which each directory comes once, as a Prefix. None: all objects, at any depth."""
    retry: RetryOptions = RetryOptions()
    wire: WireOptions = WireOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """All options of `open_store`."""

    headers: HeaderOptions = HeaderOptions()
    """What objects will carry, so that a store that cannot keep it refuses at once."""
    storage_policy: str | None = None
    """Swift: the policy of the container, if `prepare` creates it; None leaves it to the cluster."""
    retry: RetryOptions = RetryOptions()
    wire: WireOptions = WireOptions()
