"""What some stores can do and others cannot: `Store.powers`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bulkput.errors import UnprovenPut
from bulkput.model import ObjectHeaders, RemoteObject, Segment, Stored

Get = Callable[[str], AsyncGenerator[bytes, None]]


class StatItself(Protocol):
    async def __call__(self, key: str, container: str | None = None) -> RemoteObject | None: ...


class Segments(Protocol):
    async def __call__(self, key: str, container: str | None = None) -> tuple[Segment, ...]: ...


class Copy(Protocol):
    async def __call__(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored: ...


@dataclass(frozen=True, slots=True)
class Settled:
    """What a second look at a PUT found: the receipt, if the object is proven to be what was sent, else what has
    become of it, in words."""

    stored: Stored | None
    words: str = ""


class Settle(Protocol):
    async def __call__(self, key: str, puts: Sequence[UnprovenPut], *, within_s: float) -> Settled: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Powers:
    """One field for each power; None: the store lacks it. Powers raise StoreError, as all operations of a store do.

    A store that has a power may still raise Unsupported when it is used: some powers depend on the server.
    """

    stat_itself: StatItself | None = None
    """Where one object can stand for others: the row of the link and not of its target, of the manifest and not of what
    it composes; None when there is none. ETag and times are those of the listing. `container` is another one of the
    account."""
    segments: Segments | None = None
    """The segments of a static large object, in their order. Raises NotFound, and StoreError for an object that is
    composed of no segments."""
    stat_part: Callable[[str], Awaitable[RemoteObject | None]] | None = None
    """The row of the segment CONTAINER/OBJECT as it is now, or None when it is gone. A store has this if it has
    `segments`."""
    settle: Settle | None = None
    """Finds out by a fresh HEAD what a PUT has left whose answer did not prove it, as `policy/proof.py` has it. Removes
    the object if it is proven to be damaged and made by one of these PUTs, the first of which began `within_s` seconds
    ago. If it raises StoreError, nothing is removed."""
    get: Get | None = None
    """An object's bytes as they come, as they are stored. Raises NotFound, and IntegrityError at the end where they are
    not those of its ETag."""
    get_once: Get | None = None
    """The same without further attempts, for callers that retry the whole operation. A store has this if it has
    `get`."""
    describe: Callable[[str], Awaitable[tuple[RemoteObject, ObjectHeaders] | None]] | None = None
    """The object's row, and what `put` has to be given to have the same beside it; None when there is none."""
    delete_many: Callable[[tuple[str, ...]], Awaitable[tuple[str, ...]]] | None = None
    """Removes many objects by one request, `Limits.max_deletes` of them. Returns those that may still be there, to be
    removed one by one. Raises Unsupported where it turns out that there is no such request."""
    make_directory: Callable[[str], Awaitable[Stored]] | None = None
    """Where directories exist without objects in them, and no object stands for them: makes this one and those above
    it; one that is there is no error. Raises NotFound where the store makes none."""
    check_removable: Callable[[str], Awaitable[None]] | None = None
    """Raises the StoreError that `delete` would raise because this is no object, or may be none."""
    copy: Copy | None = None
    """Copies the object `source`, of `size` bytes, to `key` in `container` of the same account, without its bytes
    passing by here. What `headers` has replaces what the object has, the rest comes along; manifests and links are
    copied as such. Raises NotFound when the source or the container is not there; Unsupported."""
