"""Every choice a caller can make, in keyword-only frozen groups. Each default has its reason below it.

Below each field: the first sentence says what it does, the rest why the default is what it is.
`scripts/options_page.py` makes docs/options.md of both.

What these options mean for the memory of a run: docs/tuning.md.
"""

from typing import Literal, get_args

from bulkput.errors import UsageError
from bulkput.large_options import LargeMode as LargeMode
from bulkput.large_options import LargeOptions as LargeOptions
from bulkput.model import Fields, GzipMode
from bulkput.option_types import check_fields
from bulkput.record import frozen
from bulkput.rule_options import Rule
from bulkput.s3_options import Checksum as Checksum
from bulkput.s3_options import S3Options as S3Options
from bulkput.share_options import ShareOptions as ShareOptions
from bulkput.wire_options import RetryOptions as RetryOptions
from bulkput.wire_options import WireOptions as WireOptions

KIB = 1024
MIB = 1024 * KIB


@frozen(kw_only=True)
class WalkOptions:
    """Which files of a directory tree are taken. Patterns are in gitignore syntax, relative to the source."""

    include: tuple[str, ...] = ()
    """Take only files that match one of these patterns. Empty by default: take all."""
    exclude: tuple[str, ...] = ()
    """Leave out files that match one of these patterns; they win over `include`. As in s5cmd."""
    min_age_s: int | None = None
    """Take only files last written this many seconds ago or longer. A file from the future counts as new."""
    max_age_s: int | None = None
    """Take only files last written this many seconds ago or less. As in rclone."""
    min_size: int | None = None
    """Take only files of this many bytes or more. Objects of files that are left out stay, as in rsync."""
    max_size: int | None = None
    """Take only files of this many bytes or fewer. The objects of larger files stay in the store."""
    one_file_system: bool = False
    """Do not enter directories on another file system than their source. As `find -xdev`. Files are not checked,
    because overlayfs gives files other device numbers than their directories."""
    follow_symlinks: bool = False
    """Follow all links. Off by default, because a tree is what lies in it: a link is followed only if it leads to a
    regular file inside the tree."""
    own_output: frozenset[tuple[int, int]] = frozenset()
    """Device and inode of each file that the run itself writes, except its journal. The run does not upload them."""
    entries_in_memory: int = 16_384
    """Sort up to this many names of one directory in memory. About 2 MiB; more are sorted on disk."""

    @property
    def leaves_out(self) -> bool:
        """Whether a walk may pass by regular files of the tree without taking them."""
        limits = (self.min_age_s, self.max_age_s, self.min_size, self.max_size)
        return bool(self.include or self.exclude or self.one_file_system or any(each is not None for each in limits))


@frozen(kw_only=True)
class FileListOptions:
    """A list of files, instead of sources that are walked."""

    path: str
    """Upload the files that this list names, one a line; `-` is stdin."""
    base: str = "."
    """Names in the list are relative to this directory. No list reaches files above it."""
    is_null: bool = False
    """Names in the list end with NUL instead of a line end, as `find -print0` and `git ls-files -z` write them. A name
    may contain a line end."""


@frozen(kw_only=True)
class NamingOptions:
    """How names on disk become object names."""

    prefix: str = ""
    """Put this before each name, as it is. The caller adds the slash."""
    is_exact: bool = False
    """`prefix` is the whole object name. For one file, sent to a destination that names an object."""
    encode: Literal["strict", "percent"] = "strict"
    """What happens to a name that is not UTF-8. strict fails it, because guessing an encoding would rename files
    silently; percent escapes it."""


@frozen(kw_only=True)
class HeaderOptions:
    """What is stored with every object."""

    content_type: str | None = None
    """The type of all objects. By default it follows from the suffix of the name, by a table of our own
    (`policy/media.py`) that is the same on every machine."""
    cache_control: str | None = None
    """The Cache-Control of all objects. By default none is sent, so that the store or its CDN decides."""
    expires_in_s: int | None = None
    """The store deletes each object this many seconds after its upload. By default it keeps them."""
    meta: Fields = ()
    """User metadata of all objects. Swift stores it as X-Object-Meta-NAME."""
    extra: Fields = ()
    """Further header fields of all objects, sent as they are."""
    mtime_format: Literal["nanoseconds", "swiftclient"] = "nanoseconds"
    """How Swift stores the time of a file. nanoseconds is exact, so that rclone finds nothing to do. swiftclient is
    microseconds, rounded as `swift upload --changed` rounds them, because that compares the field as text."""


@frozen(kw_only=True)
class BodyOptions:
    """How files are read and become request bodies."""

    buffer_size: int = MIB
    """Read files of up to this many bytes whole and hash them before they are sent. Then the store itself refuses
    damaged bytes. 1 MiB keeps 64 uploads in flight below 64 MiB, and is as much as aiohttp takes in one write."""
    chunk_size: int = 512 * KIB
    """Stream larger files in pieces of this size. Two visits to a thread per piece do not count against the millisecond
    that its MD5 takes, and four pieces fit where the buffers of a small file would."""
    readers: int = 8
    """Threads that read and hash. Enough to keep a network file system busy, few enough for one core."""
    read_timeout_s: float = 120.0
    """A read that gives nothing for this long fails its file. More than 90 s, because an NFSv4 server that was
    restarted may refuse to open files for 90 s and then gives them."""
    max_stuck: int = 16
    """Stop the run when this many reads hang at once. Each keeps a thread that nothing can end. Twice `readers`, so
    that one bad moment of all readers is not enough."""
    changing: Literal["fail", "snapshot"] = "fail"
    """What happens to a file that is written to while it is read: fail it, or send as many bytes as it had when it was
    opened (snapshot). fail stores one version of a file or nothing. snapshot is right for logs, which only grow, and
    wrong for files that are rewritten in place."""


@frozen(kw_only=True)
class GzipOptions:
    """Which files are sent compressed, and how they are stored."""

    mode: GzipMode = "never"
    """Which files are sent compressed. never by default: an object is the file, byte for byte."""
    level: int = 2
    """The gzip level, from 1 (fastest) to 9 (smallest). 2 is nine to ten times as fast as zlib's 6, for a fifth more
    bytes (`payload/deflate.py` has the table): one core reads 2 Gbit/s and sends half a gigabit."""
    store_as: Literal["encoding", "suffix"] = "encoding"
    """How a compressed file is stored: under its own name with Content-Encoding, or as a gzip file under the name with
    .gz. With encoding, HTTP clients unpack the file on the way. suffix is for `zcat`, and for servers that keep no
    Content-Encoding; it needs mode always, so that the name of a file alone decides the name of its object."""
    exclude: tuple[str, ...] = ()
    """Send files that match one of these patterns as they are, under their own names, in every mode. None by default:
    `auto` finds out by itself which files are compressed already, and `always` means all."""
    min_size: int = 1024
    """auto leaves files below this many bytes as they are. With its request head such a file fits one packet either way
    (1460 bytes on Ethernet)."""
    least_saving: float = 0.125
    """auto compresses a file only if that saves this share of its bytes. An eighth, as in Ceph's BlueStore
    (`bluestore_compression_required_ratio` is 0.875): each reader has to unpack the object and cannot ask for a range
    of it, and it carries some 120 bytes more in headers."""

    def __post_init__(self) -> None:
        """Raises UsageError: a misspelt word would store what nobody asked for."""
        check_fields(self, "gzip.")
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


SkipMode = Literal["none", "existing", "unchanged", "identical"]
"""The modes of `--skip`; `policy/skip.py` has their rules."""


@frozen(kw_only=True)
class SkipOptions:
    """What the store has already, by one listing: which files are not sent again, and which objects are removed."""

    mode: SkipMode = "none"
    """Which files are not sent because the store has them. none by default: everything is sent, without a look at the
    store. `policy/skip.py` has the rules."""
    delete_extra: bool = False
    """After the upload, remove objects below the destination that have no file. Off by default, because it deletes."""
    keep_for_s: int | None = None
    """`delete_extra` leaves an object that was stored less than this many seconds ago. None by default: then age does
    not matter."""
    expire_extra_s: int | None = None
    """In place of `delete_extra`: an object without a file expires this many seconds from now. Every object that would
    be skipped is then asked whether it expires, and sent again if it does. None by default, because it deletes."""
    check_expiry: bool = False
    """Ask for each object that would be skipped whether it has expired; a run with `expires_in_s` or `expire_extra_s`
    does it anyway. Swift lists an expired object until its expirer comes by. Off by default, because each takes a
    request."""
    max_outside: int = 100_000
    """A mirror lists up to this many objects outside the destination, because links and large objects among them may
    read extras. Ten requests' worth. Where there are more, nothing is removed, unless `max_deleted` is None."""
    max_deleted: int | None = 1_000
    """A mirror removes nothing if more objects than this would go; None removes the bound. A wrong source directory
    would otherwise empty a container. Objects that stay, or expire already, do not count."""

    def __post_init__(self) -> None:
        """Raises UsageError."""
        if self.mode not in get_args(SkipMode):
            raise UsageError(f"`skip.mode` is one of {', '.join(get_args(SkipMode))}, not {self.mode!r}")
        if self.expire_extra_s is not None and (self.delete_extra or self.keep_for_s is not None):
            raise UsageError(
                "`skip.expire_extra_s` excludes `skip.delete_extra` and `skip.keep_for_s`: it lets objects without a"
                " file expire, a time after their files have gone, and the others remove them at once or by their age"
            )
        if self.keep_for_s is not None and not self.delete_extra:
            raise UsageError("`skip.keep_for_s` needs `skip.delete_extra`: it says which objects that leaves")

    @property
    def is_mirror(self) -> bool:
        """Whether objects without a file go, at once or later."""
        return self.delete_extra or self.expire_extra_s is not None

    @property
    def mirror_option(self) -> str:
        """The option that makes this a mirror, as messages name it."""
        return "`skip.delete_extra`" if self.expire_extra_s is None else "`skip.expire_extra_s`"

    @property
    def is_wanted(self) -> bool:
        """Whether anything of this has to look at the store."""
        return self.mode != "none" or self.is_mirror


@frozen(kw_only=True)
class StopRules:
    """When a run gives up."""

    max_errors: int | None = None
    """Take no more work after this many failed files. By default one bad file never stops the others."""
    store_gone_after: int = 128
    """Stop when this many objects in a row have used up their retries by Unavailable (no answer, or 5xx). Twice the
    default concurrency, so that one bad moment of all workers is not enough."""
    in_vain_after: int = 256
    """Stop when this many requests for objects have failed for the same cause before anything has worked. As many as
    may be in flight by default (`WireOptions.max_concurrency`): one bad moment is not enough, and a first directory
    with names that the store refuses is seldom taken for all. Objects that are tried nine times use them up in a
    minute, others at once."""


@frozen(kw_only=True)
class SharedOptions:
    """The options that an upload and a verification of it share: which files are taken, how their objects are named,
    how files are read, and how the store is reached."""

    walk: WalkOptions = WalkOptions()
    files: FileListOptions | None = None
    """Upload the files that a list names, instead of sources. By default there is no list."""
    encode_names: Literal["strict", "percent"] = "strict"
    """What happens to file names that are not UTF-8. strict fails them, because guessing would rename files
    silently."""
    dir_markers: bool = False
    """Make an empty object of type application/directory for each directory below a source. Off by default: a store of
    objects has no directories."""
    gzip: GzipOptions = GzipOptions()
    body: BodyOptions = BodyOptions()
    retry: RetryOptions = RetryOptions()
    wire: WireOptions = WireOptions()
    stop: StopRules = StopRules()
    journal: str | None = None
    """Record in this file what is uploaded, so that a second run sends only the rest. By default nothing is recorded:
    without a journal nothing on disk can disagree with the store."""
    backlog: int = 256
    """Files that may wait for a worker after the scan has found them. Enough that workers never wait for the scan
    between two batches."""


IfExists = Literal["replace", "skip", "fail", "differs"]
"""The modes of `--if-exists`; `policy/if_exists.py` has their rules."""


@frozen(kw_only=True)
class UploadOptions(SharedOptions):
    """All options of `upload`."""

    fail_if_empty: bool = False
    """Fail when no file is found at all. Off by default, because a directory may well be empty."""
    share: ShareOptions | None = None
    """Take one share of the sources, so that several machines upload them together. By default a run takes all."""
    headers: HeaderOptions = HeaderOptions()
    rules: tuple[Rule, ...] = ()
    """What is stored with single files, by patterns of their names. For each field the first rule counts that matches
    the file and has the field. A rule is stronger than the option for all objects. None by default."""
    skip: SkipOptions = SkipOptions()
    large: LargeOptions = LargeOptions()
    s3: S3Options = S3Options()
    storage_policy: str | None = None
    """Swift: the storage policy of the container, if this run makes it. By default the cluster decides."""
    checksum_headers: bool = False
    """Plain HTTP: send the MD5, SHA-1 and SHA-256 of each object before its bytes (X-Checksum-Md5, ...). Artifactory
    then stores no damaged file. Off by default: most servers ignore these fields, each byte is hashed three times, and
    a file that is not held in memory is read twice."""
    last: tuple[str, ...] = ()
    """Send files that match these patterns after all others, and only if none of those has failed. Each pattern is a
    stage of its own, in this order. By default files go in the order in which they are found: where objects link to
    each other, readers may then see a page before what it links to. Patterns are in gitignore syntax."""
    if_exists: IfExists = "replace"
    """What to do with a file whose object exists. replace overwrites it. fail, skip and differs never do, also if
    another run stores it at the same moment; differs fails only if the object holds something else. replace by
    default: a second run of the same command repairs what the first one has left."""
    manifest: str | None = None
    """After everything else, put an object of this name below the destination that lists all that was published. By
    default there is none: it would be one more object, which the sources do not have."""
    dry_run: bool = False
    """Scan and decide, but send nothing. S3 is asked whether the bucket is there, since no upload makes it unasked."""
    retry_failed: bool = False
    """Send only the files that failed, as the journal has it, without a look at the whole source."""
    tag: str | None = None
    """A word that names this run, such as build-4711: each request carries it, so that operators find them in their
    logs. Swift appends it to its transaction ids, which errors show; access logs have it in the User-Agent. By default
    there is none, because only the caller knows what the run belongs to."""
    keep_tag: bool = False
    """Store `tag` as metadata (Swift: X-Object-Meta-Tag) with each object. Off by default: it is kept with what is sent
    only, and an object that is skipped has the tag of an earlier run."""
    tells_urls: bool = False
    """Tell the URL of the destination, and whether everyone may read it, by an event (`Place`) before the first object.
    Off by default: with Swift it takes a HEAD of the container."""
    stall_s: float = 60.0
    """Report what is in flight when nothing has moved for this many seconds. Less than the time limit of a request, and
    longer than any pause between two attempts that the store did not ask for."""

    @property
    def compresses(self) -> bool:
        """Whether a file may be sent compressed."""
        return self.gzip.mode != "never" or any(rule.gzip not in (None, "never") for rule in self.rules)

    @property
    def encodes(self) -> bool:
        """Whether an object may get a Content-Encoding."""
        return self.compresses and self.gzip.store_as == "encoding"
