"""Optional operations of stores, which only some stores have: `Store.powers`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from bulkput.errors import UnprovenPut
from bulkput.model import (
    Body,
    Container,
    LargeUpload,
    ObjectHeaders,
    RemoteObject,
    Segment,
    Stored,
    StoredPart,
    UnfinishedUpload,
)
from bulkput.options import WireOptions
from bulkput.record import frozen

if TYPE_CHECKING:
    from bulkput.payload.in_memory import BytesBody
    from bulkput.payload.reading import Fetch, Read
    from bulkput.policy.temp_url import Wish
    from bulkput.stores.base import Configured, Store

Get = Callable[[str], AsyncGenerator[bytes, None]]


class StatItself(Protocol):
    async def __call__(self, key: str, container: str | None = None) -> RemoteObject | None: ...


class Segments(Protocol):
    async def __call__(self, key: str, container: str | None = None) -> tuple[Segment, ...]: ...


class Copy(Protocol):
    async def __call__(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored: ...


class Refusal(Enum):
    """What a store refuses if `ObjectHeaders.only_new` is set."""

    ALWAYS = "of two requests at once it refuses one"
    AT_REST = "it refuses if the object is there when the request begins; two requests at once may both be accepted"
    NEVER = "it may overwrite"


@frozen
class Settled:
    """The result of a second look at a PUT: the receipt if the object is proven to be what was sent; else None, and
    `words` say what happened to the object."""

    stored: Stored | None
    words: str = ""


class Link(Protocol):
    async def __call__(self, key: str, target: str, headers: ObjectHeaders) -> Stored: ...


class Expire(Protocol):
    async def __call__(self, key: str, at_s: int, listed: RemoteObject) -> int: ...


class Settle(Protocol):
    async def __call__(self, key: str, puts: Sequence[UnprovenPut], *, within_s: float) -> Settled: ...


SendPart = Callable[[LargeUpload, int, Body], Awaitable[StoredPart]]


@frozen(kw_only=True)
class Remains:
    """What a process knows, without a request, of the unfinished uploads of a key: see `Unfinished`."""

    upload: UnfinishedUpload | None
    """What the upload is in the store; None if it is not begun there, or was completed or aborted."""
    is_ours: bool
    """This process has begun it, and nobody else is known to work on it."""
    is_resumable: bool
    """A later process can go on with it."""
    others: tuple[UnfinishedUpload, ...]
    """Those of the same key that `list_parts` has met, and those that this process has begun in vain. They may be gone
    by now."""


@frozen(kw_only=True)
class LargeObjects:
    """Sends an object in parts: `begin`, then `send_part` for each, in any order and many at once, then `complete`.

    Until it is complete, readers see what was there before. An upload that is neither completed nor aborted leaves its
    parts in the store, for a later run with the same version.
    """

    begin: Callable[[str, str, ObjectHeaders], Awaitable[LargeUpload]]
    """`begin(key, version, headers)` prepares the sending of an object. `version` names the bytes that will be sent:
    the same key and version give the parts of an earlier upload again, and another version none of them. `headers` are
    those of the object, but for what is known only when all its bytes are read. If they have an expiry, its parts live
    longer than that; if not, they have none."""
    list_parts: Callable[[LargeUpload], Awaitable[tuple[StoredPart, ...]]]
    """The parts that the store has, in the order of their numbers. What proves that their bytes are right is the
    caller's affair."""
    send_part: SendPart
    """`send_part(upload, number, body)` stores one part, proven by its MD5, in one request. It replaces a part of the
    same number."""
    complete: Callable[[LargeUpload, Sequence[StoredPart], ObjectHeaders], Awaitable[Stored]]
    """`complete(upload, parts, headers)` makes the object of all its parts, in their order. Returns only if the store
    has checked each part's MD5 and size, and proven the whole. Raises PartsRefused if parts have to be sent again."""
    abort: Callable[[LargeUpload], Awaitable[None]]
    """Removes all parts of the upload."""
    fixes_headers: bool = False
    """The object gets the headers that `begin` gets. If `complete` gets others, the store has to copy the object onto
    itself: callers find out before they begin what they can know."""
    abort_spares_object: bool = False
    """No object loses bytes by an abort, even if the store has composed it of these parts and the answer was lost."""
    open: Callable[[LargeUpload], Awaitable[None]] | None = None
    """Begins the upload in the store, unless it is there: then `remains` names it. None: `begin` does. Callers need not
    use it, since `send_part` does the same."""
    remains: Callable[[LargeUpload], Remains] | None = None
    """None if parts are objects of their own (Swift), whose names say whose they are."""


@frozen
class Unfinished:
    """Uploads in parts that were neither completed nor aborted, of a store whose parts are no objects (S3).

    `list` yields those of keys that begin with a prefix, in any order. Raises NotFound if there is no such container.
    `parts` gives the parts of one as they are now, with their times (`StoredPart.modified`), and None if it is not
    there any more, because it was completed or aborted since. `abort` removes it with its parts: False if it is not
    there any more. If a first attempt's answer was lost, that may have been by this call. `url` is what the verb
    `segments` takes to find the uploads of a key; None if the store does not know it.
    """

    list: Callable[[str], AsyncGenerator[UnfinishedUpload, None]]
    parts: Callable[[UnfinishedUpload], Awaitable[tuple[StoredPart, ...] | None]]
    abort: Callable[[UnfinishedUpload], Awaitable[bool]]
    url: Callable[[str], str] | None = None


class Compose(Protocol):
    async def __call__(
        self, key: str, segments: Sequence[Segment], headers: ObjectHeaders, *, below: str | None = None
    ) -> Stored: ...


class RenameSegment(Protocol):
    def __call__(self, name: str, old: str, new: str, *, max_bytes: int) -> str: ...


@frozen
class Composing:
    """How a store makes large objects of segments that it holds.

    `container` is where it keeps the segments of the objects of its own container. `rename` gives the name there of a
    segment `name` of the object `old`, if the object `new` gets a copy of it; a name as long as `max_bytes` is cut.

    `prepare` makes that container, if it is missing, with the policy of the store's own, and readable for the same
    people.

    `compose` stores a large object of whole plain segments: a static one, or with `below` (CONTAINER/PREFIX) a dynamic
    one. Its receipt proves the manifest of a static one. Only some stores compare the segments with it: prove them
    beforehand. Raises NotFound if the container does not exist, StoreError with a segment that the store refuses.
    """

    container: str
    rename: RenameSegment
    compose: Compose
    prepare: Callable[[], Awaitable[None]]


@frozen(kw_only=True)
class Space:
    """What an account or a container holds, and the most that it may hold. None: not told, or no quota."""

    objects: int | None = None
    bytes: int | None = None
    most_objects: int | None = None
    most_bytes: int | None = None


@frozen
class ContainerFacts:
    """What a look at a container shows.

    `keeps_versions`: it keeps old versions of its objects, or has kept some, and no listing shows them. `now_ns` is the
    server's clock, in nanoseconds since 1970; None if it did not tell. `archives`: what is overwritten or deleted now
    stays somewhere as an old version. `leaves_marks`: what is deleted now leaves a mark in its place, which no listing
    shows. `region` is where it is; empty if it is where the settings say. `policy` is its storage policy. `readers` and
    `writers` are its access lists; empty if it has none, or if the store does not show them to this user.
    """

    keeps_versions: bool
    now_ns: int | None
    archives: bool = False
    leaves_marks: bool = False
    region: str = ""
    policy: str | None = None
    readers: str = ""
    writers: str = ""
    space: Space = Space()


@frozen
class ContainerPage:
    """Some containers of an account. `next` asks for the page after this one; None if this is the last."""

    rows: tuple[Container, ...]
    next: str | None


@frozen(kw_only=True)
class LoggedIn:
    """The outcome of a login, without the token."""

    storage_url: str
    lives_s: float | None
    """Seconds that the token lives, counted from the login; None if the server did not say."""
    cannot_renew: str | None
    """Why no further token can be had; None if a login gives one."""


class Checked(Enum):
    """What a store does with a checksum that comes with an object."""

    YES = "checks"
    IGNORED = "ignores"
    REFUSED = "refuses"


@frozen(kw_only=True)
class Access:
    """The way to a store, for a look at each step of it. Each call sends one request. No wrapper is around them: a step
    that fails once is what such a look is for."""

    url: str
    """Where the first request goes: to the login, or to the store itself."""
    user: str
    """Who asks, for messages; empty if no credentials are known."""
    wire: WireOptions | None = None
    """The connections' options, if they are not only the caller's: clouds.yaml may name certificates."""
    log_in: Callable[[], Awaitable[LoggedIn]] | None = None
    """None: each request carries its credentials itself."""
    info: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
    """What the store says about itself (Swift's `/info`); empty if it says nothing."""
    look: Callable[[], Awaitable[ContainerFacts]] | None = None
    """Looks at the store's own container or directory. Raises NotFound if it is not there."""
    checks: "Callable[[str, BytesBody, ObjectHeaders], Awaitable[Mapping[str, Checked]]] | None" = None
    """Puts the object of that name with right and wrong checksums of each kind (`s3.checksum`), and says what the store
    does with each. Kinds whose libraries are not installed are left out."""
    look_at_account: Callable[[str | None], Awaitable[Mapping[str, Space]]] | None = None
    """The account, and its share of the storage policy of that name, each under a name for people."""


@frozen
class Urls:
    """Where people and programs read objects: `base` gives the URL of the container or directory, by a login if need
    be. It ends with a slash, the percent-encoded name of an object follows it, and it has no secret. `is_public` asks
    whether everyone may read objects there; False if the store does not know. Both raise StoreError."""

    base: Callable[[], Awaitable[str]]
    is_public: Callable[[], Awaitable[bool]]


@frozen
class SegmentNames:
    """How a store names the segments of large objects, if they are objects of their own in another container.

    `container` holds the segments of the store's own container. `group_of` gives the start of the names of all segments
    that belong together, up to a slash, and whether the name is one of bulkput's; None for a name that no segment has.
    `keys_of` gives every name that the large object of a group may have. If bulkput has cut that name, because it was
    too long, `cut_key` gives its beginning, and None otherwise.
    """

    container: str
    group_of: Callable[[str], tuple[str, bool] | None]
    keys_of: Callable[[str], tuple[str, ...]]
    cut_key: Callable[[str], str | None]


@frozen(kw_only=True)
class Powers:
    """One field for each power; None or False: the store lacks it. Powers raise StoreError, as all operations do.

    A store that has a power may still raise Unsupported when it is used: some powers depend on the server.
    """

    checks_md5: bool = True
    """The store proves an object by its MD5. If it does not, small files are not hashed before they are sent."""
    shows_md5: bool = True
    """What the store shows of objects may have their MD5s. If not, a run that compares contents by what it shows is
    refused: it would find none the same."""
    needs_length: bool = False
    """The store takes no body of unknown length: a stream is held in memory as long as it fits one part, and sent in
    parts if it does not."""
    storage_classes: bool = False
    """The store keeps each object in the storage class of `ObjectHeaders.storage_class`. If it has none, a rule with a
    storage class is refused before the run."""
    stat_itself: StatItself | None = None
    """The row of a link or manifest itself, not of the link's target or the composed object; None if it does not exist.
    ETag and times are those of the listing. `container` names another container of the account."""
    segments: Segments | None = None
    """The segments of a static large object, in their order. Raises NotFound, and StoreError for an object that is
    composed of no segments."""
    segments_below: Callable[[str], Awaitable[tuple[Segment, ...]]] | None = None
    """The objects whose names begin with CONTAINER/PREFIX, in the order in which a GET of a dynamic large object with
    that prefix reads them. A store with `segments` has this too. Raises StoreError if they are more than any store
    adds up for a HEAD."""
    stat_part: Callable[[str], Awaitable[RemoteObject | None]] | None = None
    """The present row of the segment CONTAINER/OBJECT, or None if it does not exist. A store with `segments` has this
    too."""
    settle: Settle | None = None
    """Checks by a fresh HEAD the object of a PUT whose answer did not prove it (rules: `policy/proof.py`). Removes the
    object if it is proven to be damaged and made by one of `puts`, the first of which began `within_s` seconds ago. If
    it raises StoreError, nothing is removed."""
    expire: Expire | None = None
    """Lets the object `key`, which was listed as `listed`, expire at `at_s`, in seconds since 1970. Nothing else of it
    changes, except its time. An object that expires already is left alone. A link or a manifest expires itself, and not
    what it reads. Returns when the object expires. Raises NotFound if it is gone, and Conflict if it is not the one
    that was listed: then it does not expire by this. May be called again after an answer that was lost."""
    get: Get | None = None
    """Yields an object's bytes as they are stored. Raises NotFound, and IntegrityError at the end if the bytes do not
    have the MD5 of the ETag."""
    get_once: Get | None = None
    """The same without further attempts, for callers that retry the whole operation. A store has this if it has
    `get`."""
    fetch: "Fetch | None" = None
    """The object with its headers, and with its bytes if they are few (`payload/reading.py`)."""
    read: "Read | None" = None
    """`get_once` of one version, or of a span of bytes. A store has this if it has `fetch`."""
    link: Link | None = None
    """Stores a link to CONTAINER/OBJECT of the same account, which need not be there. Raises Unsupported if the server
    has no links."""
    describe: Callable[[str], Awaitable[tuple[RemoteObject, ObjectHeaders] | None]] | None = None
    """The object's row, and the headers that make `put` store the same metadata; None if it does not exist."""
    delete_many: Callable[[tuple[str, ...]], Awaitable[tuple[str, ...]]] | None = None
    """Removes up to `Limits.max_deletes` objects by one request. Returns the keys that may still exist, to be removed
    one by one. Raises Unsupported if the server does not know the request."""
    make_directory: Callable[[str], Awaitable[Stored]] | None = None
    """Makes a directory and its parents, on stores that have directories without marker objects. An existing directory
    is no error. Raises NotFound if the server makes no directories."""
    check_removable: Callable[[str], Awaitable[None]] | None = None
    """Raises the StoreError that `delete` would raise if the key may be a directory."""
    copy: Copy | None = None
    """Copies the object `source`, of `size` bytes, to `key` in `container` of the same account, on the server. Fields
    of `headers` replace the object's own; other fields are kept. `headers.meta` is merged name by name: a given name
    replaces the object's value, its other names stay. Manifests and links are copied as such. Raises
    NotFound if the source or the container does not exist, Unsupported if the server has no copy request."""
    rehearse: Callable[[], Awaitable[None]] | None = None
    """Does of `prepare` what changes nothing, for a dry run. Raises what that would raise, and warns of what it would
    make. None: what is missing is made, so there is nothing to say of it."""
    refuses_existing: Callable[[], Awaitable[Refusal]] | None = None
    """When the store refuses to overwrite an object, if `ObjectHeaders.only_new` is set. None: it ignores that field,
    and no run may ask for it."""
    large: LargeObjects | None = None
    """Objects that are sent in parts. A store that has this sets `Limits.max_parts`."""
    beside: "Callable[[str], Store] | None" = None
    """The store of another container of the account, with the same login. It need not be closed."""
    composing: Composing | None = None
    """None also if segments are no objects. A store that has it has `beside`, too."""
    containers: Callable[[str], Awaitable[ContainerPage]] | None = None
    """A page of the account's containers, each of which is on one page only: the first page for `""`, and that after
    another for its `next`."""
    look_at_container: Callable[[str], Awaitable[ContainerFacts]] | None = None
    """Raises NotFound if there is no container of that name."""
    segment_names: SegmentNames | None = None
    """None also if segments are no objects (S3): see `unfinished`."""
    unfinished: Unfinished | None = None
    """None if the parts of large objects are objects themselves (Swift): see `segment_names`."""
    part_sizes: Callable[[str], Awaitable[tuple[int, ...] | None]] | None = None
    """The sizes of the parts that the object was sent in, in bytes and in their order; None if the store does not tell.
    For objects whose ETag is made of those of their parts (`policy/etag.py`)."""
    found_place: Callable[[], Awaitable[str]] | None = None
    """The store's `place` as a journal keeps it, by a login if need be: the same for every way to log in to the
    account. None: `place` is."""
    access: Access | None = None
    """None: the store does not say how it is reached."""
    urls: Urls | None = None
    """None: objects have no URLs of their own."""
    hand_over: "Callable[[Configured | None], Awaitable[Configured]] | None" = None
    """What another process opens the same store with, without a login of its own. It has secrets, and is to be kept in
    memory. Given what the store has refused to that process, another one, by a new login if need be. Raises what a
    login raises, and Denied if a new one would not help. None: another process opens the store as this one does."""
    left_out: Callable[[], str | None] | None = None
    """Why a listing that has ended lacks objects which a reader would expect; None if none does. The store answers for
    all its listings so far. None in place of the function: a listing that ends has all objects."""
    temporary_url: "Callable[[str, Wish], Awaitable[str]] | None" = None
    """Makes a temporary URL for the object of the given name, or for all objects whose names begin with it. The URL is
    proven by a request, if it can be. Raises UsageError if the store has no key to sign it with, or refuses it."""
