"""Optional operations of stores, which only some stores have: `Store.powers`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Protocol

from bulkput.errors import UnprovenPut
from bulkput.model import ObjectHeaders, RemoteObject, Segment, Stored
from bulkput.record import frozen

Get = Callable[[str], AsyncGenerator[bytes, None]]


class StatItself(Protocol):
    async def __call__(self, key: str, container: str | None = None) -> RemoteObject | None: ...


class Segments(Protocol):
    async def __call__(self, key: str, container: str | None = None) -> tuple[Segment, ...]: ...


class Copy(Protocol):
    async def __call__(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored: ...


@frozen
class Settled:
    """The result of a second look at a PUT: the receipt if the object is proven to be what was sent; else None, and
    `words` say what happened to the object."""

    stored: Stored | None
    words: str = ""


class Settle(Protocol):
    async def __call__(self, key: str, puts: Sequence[UnprovenPut], *, within_s: float) -> Settled: ...


@frozen(kw_only=True)
class Powers:
    """One field for each power; None or False: the store lacks it. Powers raise StoreError, as all operations do.

    A store that has a power may still raise Unsupported when it is used: some powers depend on the server.
    """

    checks_md5: bool = True
    """The store proves an object by its MD5. If it does not, small files are not hashed before they are sent."""
    stat_itself: StatItself | None = None
    """The row of a link or manifest itself, not of the link's target or the composed object; None if it does not exist.
    ETag and times are those of the listing. `container` names another container of the account."""
    segments: Segments | None = None
    """The segments of a static large object, in their order. Raises NotFound, and StoreError for an object that is
    composed of no segments."""
    stat_part: Callable[[str], Awaitable[RemoteObject | None]] | None = None
    """The present row of the segment CONTAINER/OBJECT, or None if it does not exist. A store with `segments` has this
    too."""
    settle: Settle | None = None
    """Checks by a fresh HEAD the object of a PUT whose answer did not prove it (rules: `policy/proof.py`). Removes the
    object if it is proven to be damaged and made by one of `puts`, the first of which began `within_s` seconds ago. If
    it raises StoreError, nothing is removed."""
    get: Get | None = None
    """Yields an object's bytes as they are stored. Raises NotFound, and IntegrityError at the end if the bytes do not
    have the MD5 of the ETag."""
    get_once: Get | None = None
    """The same without further attempts, for callers that retry the whole operation. A store has this if it has
    `get`."""
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
