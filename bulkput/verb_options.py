"""The options of every verb except upload, which has `UploadOptions` in `options.py`.

They have a file of their own, because making each of these classes takes a millisecond that an upload need not spend.
"""

from dataclasses import field, fields
from typing import Any, Literal

from bulkput.options import HeaderOptions, RetryOptions, S3Options, SharedOptions, StopRules, WireOptions
from bulkput.record import frozen

SignedMethod = Literal["PUT", "GET", "HEAD", "POST", "DELETE"]
SignatureDigest = Literal["sha256", "sha512", "sha1"]


@frozen(kw_only=True)
class VerifyOptions(SharedOptions):
    """All options of `verify`. With `journal`, what is not identical is struck from it, so that it is sent again."""

    is_quick: bool = False
    """Compare sizes only, and read no file. Off by default: a verification is for bytes."""

    @classmethod
    def of(cls, options: SharedOptions, *, is_quick: bool = False) -> "VerifyOptions":
        """The options that verify what an upload with `options` has sent."""
        shared: dict[str, Any] = {each.name: getattr(options, each.name) for each in fields(SharedOptions)}
        return cls(is_quick=is_quick, **shared)


@frozen(kw_only=True)
class ManifestOptions:
    """All options of `verify_manifest`."""

    retry: RetryOptions = field(default_factory=RetryOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    stop: StopRules = field(default_factory=StopRules)


@frozen(kw_only=True)
class CopyOptions:
    """All options of `copy` and `move`."""

    is_recursive: bool = False
    """Copy all objects below the source as a directory. Off by default: a prefix typed by mistake copies nothing."""
    headers: HeaderOptions = field(default_factory=HeaderOptions)
    """Replaces these headers and metadata of each object. Everything else comes along."""
    with_segments: bool = False
    """Copy or move the segments of large objects, too, to the container for segments of the destination. Off by
    default: a copy shares the segments with its source, and costs no space; a moved one reads them where they are."""
    s3: S3Options = S3Options()
    """How the destination is used if it is S3: whether its bucket is made if it is missing, and what the store checks
    those objects by whose bytes pass through this machine."""
    retry: RetryOptions = field(default_factory=RetryOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    stop: StopRules = field(default_factory=StopRules)
    dry_run: bool = False
    """Report what would be done, and change nothing."""


@frozen(kw_only=True)
class RemoveOptions:
    """All options of `remove`."""

    is_recursive: bool = False
    """Remove the object and all objects below it as a directory. Off by default: only that object."""
    with_segments: bool = False
    """Remove the segments of large objects, too. Off by default: other large objects may read the same segments, and to
    find that out, every object of the account that may read others is looked at."""
    retry: RetryOptions = field(default_factory=RetryOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    stop: StopRules = field(default_factory=StopRules)
    dry_run: bool = False
    """Report what would be removed, and remove nothing."""


@frozen(kw_only=True)
class SegmentOptions:
    """All options of `segments`."""

    reap: bool = False
    """Remove the segments that nothing reads, on S3 the uploads that were not finished. Off by default: they are only
    listed."""
    older_than_s: int = 7 * 86_400
    """Remove no segments of an upload whose youngest segment is younger, in seconds. The segments of a running upload
    have no manifest yet, so nothing reads them. A week is longer than uploads take, and than listings lag behind. On S3
    an upload stays if it was begun, or got a part, since then. 0: none stays for its age."""
    segment_container: str | None = None
    """The container that holds the segments. By default Swift's CONTAINER_segments. S3 has none."""
    search_again_s: float = 60.0
    """While segments are removed, search again for what reads them if the last search is this many seconds old. That
    asks for the listings again and looks only at what is new: a hundred requests for a million objects."""
    looked_at_once: int = 200
    """Segments whose HEADs come before one round of removals. Few, so that little time passes between the two."""
    retry: RetryOptions = field(default_factory=RetryOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    stop: StopRules = field(default_factory=StopRules)
    dry_run: bool = False
    """With `reap`: look at everything, report what would be removed, and remove nothing."""


@frozen(kw_only=True)
class ListOptions:
    """All options of `list_objects` and `list_containers`."""

    delimiter: str | None = None
    """With `/`, list one level, in which each directory comes once, as a Prefix. None lists all objects;
    `list_containers` takes no other."""
    retry: RetryOptions = field(default_factory=RetryOptions)
    wire: WireOptions = field(default_factory=WireOptions)


@frozen(kw_only=True)
class TempUrlOptions:
    """All options of `temporary_url`."""

    method: SignedMethod = "PUT"
    """The request that the URL allows. By default PUT, for uploads. PUT and GET allow HEAD as well."""
    is_object: bool = False
    """Sign for the one object that the URL names. By default for all objects below it as a directory."""
    expires_in_s: int = 3600
    """Seconds that the URL is valid. By default an hour: long enough for a job of a CI system, and short for a secret
    that ends up in a log."""
    expires_at_s: int | None = None
    """Unix time at which the URL expires, in place of `expires_in_s`."""
    ip_range: str | None = None
    """Allow requests from this address or network only, such as 192.0.2.0/24. Ceph's gateway does not know it, and then
    refuses the URL. By default from everywhere."""
    digest: SignatureDigest | None = None
    """The hash of the signature. By default the first of these that the store says it allows."""
    retry: RetryOptions = field(default_factory=RetryOptions)
    wire: WireOptions = field(default_factory=WireOptions)


@frozen(kw_only=True)
class StoreOptions:
    """All options of `open_store`."""

    headers: HeaderOptions = field(default_factory=HeaderOptions)
    """What objects will carry. A store that cannot keep it refuses at once."""
    storage_policy: str | None = None
    """Swift: the storage policy of the container, if `prepare` makes it. By default the cluster decides."""
    retry: RetryOptions = field(default_factory=RetryOptions)
    wire: WireOptions = field(default_factory=WireOptions)
