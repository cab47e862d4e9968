"""Several containers of one account as one Store: `policy/spread.py` says which of them has an object.

    key ──hash──> container ──> that container's Store
    listings of all containers ──merge──> one, in bytewise order

The containers share login, connections and what is known of the cluster. Each one's store is made when it is needed.

Outside of this file the containers have one name, the pattern: where an object names another (a link its target, a
manifest its segments), a path into the right container of the pattern is given as PATTERN/OBJECT. So those who compare
paths with the destination, such as a mirror before it removes anything, compare what they always do.
"""

import heapq
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bulkput.errors import NotFound, StoreError, UnprovenPut, UsageError, printable
from bulkput.model import (
    Body,
    LargeUpload,
    Limits,
    ObjectHeaders,
    Prefix,
    RemoteObject,
    Segment,
    Stored,
    StoredPart,
)
from bulkput.policy.spread import Spread, container_of
from bulkput.stores.base import Destination, Store, StoreContext, StoreFactory
from bulkput.stores.powers import ContainerFacts, LargeObjects, Powers, Settled
from bulkput.stores.spread.each import each
from bulkput.stores.spread.facts import as_one

if TYPE_CHECKING:
    from bulkput.payload.reading import Fetched, Span
    from bulkput.policy.temp_url import Wish

T = TypeVar("T")
_ROWS = 40_000
"""Rows of all containers' pages together: some 20 MB."""
_FEWEST, _MOST = 100, 1_000
"""Rows of a page: so many at least that a million objects are not a request for every few, and no more than every
cluster allows (a `limit` above `container_listing_limit` is refused). rclone asks for as many."""


class SpreadStore:
    """Objects of several containers, all of which `prepare` makes if they are not there."""

    def __init__(
        self, first: Store, beside: Callable[[str], Store], spread: Spread, pattern: str, warn: Callable[[str], None]
    ) -> None:
        """`first` is the container at index 0, and `beside` opens the others. `warn` gets a sentence about objects that
        are in another container than their names say."""
        self._stores: dict[str, Store] = {spread.name(0): first}
        self._first = first
        self._beside = beside
        self._spread = spread
        self._pattern = pattern
        self._warn = warn
        self._misplaced = self._missing = ""
        """What the warnings say of objects and containers that listings have left out; empty if there are none."""
        self._prepared: set[str] = set()
        """Containers that a `prepare` which has failed need not make again."""
        self.limits = first.limits
        self.keeps_metadata = first.keeps_metadata

    def __repr__(self) -> str:
        return f"SpreadStore({self._pattern!r})"

    @property
    def place(self) -> str:
        return self._first.place

    @property
    def was_made(self) -> bool:
        """Whether any of the containers was made: what a journal says is stored there may be gone."""
        return any(store.was_made for store in self._stores.values())

    @property
    def powers(self) -> Powers:
        """Those of one container, by the object's name. There are none for what has one container by its nature: URLs
        that begin alike (`urls`), and copies of segments into the container of their object (`composing`)."""
        has = self._first.powers
        return replace(
            has,
            stat_itself=self._stat_itself if has.stat_itself else None,
            segments=self._segments if has.segments else None,
            segments_below=self._segments_below if has.segments_below else None,
            stat_part=self._stat_part if has.stat_part else None,
            settle=self._settle if has.settle else None,
            expire=self._expire if has.expire else None,
            get=self._get if has.get else None,
            get_once=self._get_once if has.get_once else None,
            fetch=self._fetch if has.fetch else None,
            read=self._read if has.read else None,
            link=self._link if has.link else None,
            describe=self._describe if has.describe else None,
            delete_many=self._delete_many if has.delete_many else None,
            make_directory=None,
            check_removable=None,
            copy=self._copy if has.copy else None,
            rehearse=None,
            large=self._large(has.large) if has.large else None,
            beside=self._beside_of if has.beside else None,
            composing=None,
            look_at_container=self._look_at_container if has.look_at_container else None,
            segment_names=has.segment_names and replace(has.segment_names, container=f"{self._pattern}_segments"),
            unfinished=None,
            part_sizes=None,
            access=has.access and replace(has.access, look=partial(self._look_at_container, self._pattern)),
            urls=None,
            left_out=lambda: self._missing or self._misplaced or None,
            temporary_url=self._temporary_url if has.temporary_url else None,
        )

    def _of(self, key: str) -> Store:
        """The store of the container that has the object `key`."""
        return self._named(self._spread.container_of(key))

    def _named(self, container: str) -> Store:
        if (store := self._stores.get(container)) is None:
            store = self._stores[container] = self._beside(container)
        return store

    def _beside_of(self, container: str) -> Store:
        return self if container == self._pattern else self._beside(container)

    # All containers.

    async def prepare(self) -> None:
        """Make all containers, by a request each."""

        async def prepare(container: str) -> None:
            await self._named(container).prepare()
            self._prepared.add(container)

        await each(prepare, [name for name in self._spread.names if name not in self._prepared])
        self._prepared.clear()  # whoever calls again means all of them

    async def undo_prepare(self) -> None:
        """Remove the containers that `prepare` has made and that are empty."""
        await each(lambda store: store.undo_prepare(), [store for store in self._stores.values() if store.was_made])

    async def ask_limits(self) -> Limits:
        return await self._first.ask_limits()

    async def aclose(self) -> None:
        for store in self._stores.values():
            await store.aclose()

    async def _look_at_container(self, container: str) -> ContainerFacts:
        look = _power(self._first.powers.look_at_container)
        if container != self._pattern:
            return await look(container)
        return as_one(await each(look, self._spread.names))

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        """Merge the listings of all containers. At any time one page of each is in memory.

        An object in another container than its name says is left out, with a warning: a GET would not find it, and a
        removal would remove another. A container that is not there counts as empty, with a warning. `left_out` tells
        of both. Raises NotFound if none is there.
        """
        async with AsyncExitStack() as exits:
            rows = [
                await exits.enter_async_context(
                    aclosing(self._rows(name, prefix, delimiter=delimiter, start_after=start_after))
                )
                for name in self._spread.names
            ]
            heads = await each(_next_or_missing, rows)
            self._note_missing([at for at, head in enumerate(heads) if isinstance(head, NotFound)])
            waiting = [
                (_order(head), at, head) for at, head in enumerate(heads) if isinstance(head, RemoteObject | Prefix)
            ]
            heapq.heapify(waiting)
            directory = ""
            while waiting:
                _, at, head = waiting[0]
                if not isinstance(head, Prefix) or head.name != directory:
                    yield head
                if isinstance(head, Prefix):
                    directory = head.name
                following = await anext(rows[at], None)
                if following is None:
                    heapq.heappop(waiting)
                else:
                    heapq.heapreplace(waiting, (_order(following), at, following))

    def _note_missing(self, missing: Sequence[int]) -> None:
        """Raises NotFound if all are missing."""
        if len(missing) == self._spread.count:
            raise NotFound("list", self._pattern, "none of the containers exists", status=404)
        if missing and not self._missing:
            self._missing = (
                f"{len(missing)} of the {self._spread.count} containers {printable(self._pattern)} do not exist, the"
                f" first is {printable(self._spread.name(missing[0]))}"
            )
            self._warn(f"{self._missing}: they count as empty")

    async def _rows(
        self, container: str, prefix: str, *, delimiter: str | None, start_after: str | None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        """The objects of one container that belong there."""
        rows = self._named(container).list(prefix, delimiter=delimiter, start_after=start_after)
        async with aclosing(rows):
            async for row in rows:
                if isinstance(row, Prefix):
                    yield row
                elif (right := self._spread.container_of(row.name)) == container:
                    yield self._outward(row)
                elif not self._misplaced:
                    self._misplaced = (
                        f"{printable(container)} has the object {printable(row.name)}, which belongs into"
                        f" {printable(right)}"
                    )
                    self._warn(
                        f"{self._misplaced}: such objects were stored with other containers, or not by bulkput;"
                        " they are left alone"
                    )

    # One object, in its own container.

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        return await self._of(key).put(key, body, headers)

    async def delete(self, keys: Iterable[str]) -> None:
        for container, some in _by_container(self._spread, keys).items():
            await self._named(container).delete(some)

    async def stat(self, key: str) -> RemoteObject | None:
        return self._seen(await self._of(key).stat(key))

    async def _delete_many(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        left: list[str] = []
        for container, some in _by_container(self._spread, keys).items():
            left += await _power(self._named(container).powers.delete_many)(tuple(some))
        return tuple(left)

    async def _stat_itself(self, key: str, container: str | None = None) -> RemoteObject | None:
        if container in (None, self._pattern):
            return self._seen(await _power(self._of(key).powers.stat_itself)(key))
        return self._seen(await _power(self._first.powers.stat_itself)(key, container))

    async def _segments(self, key: str, container: str | None = None) -> tuple[Segment, ...]:
        if container in (None, self._pattern):
            found = await _power(self._of(key).powers.segments)(key)
        else:
            found = await _power(self._first.powers.segments)(key, container)
        return tuple(replace(segment, path=self._virtual(segment.path)) for segment in found)

    async def _segments_below(self, path: str) -> tuple[Segment, ...]:
        if path.partition("/")[0] == self._pattern:
            why = "its segments are among the objects that are spread over containers, which bulkput does not compose"
            raise StoreError("list", path, why)
        found = await _power(self._first.powers.segments_below)(path)
        return tuple(replace(segment, path=self._virtual(segment.path)) for segment in found)

    async def _stat_part(self, path: str) -> RemoteObject | None:
        container, _, key = path.partition("/")
        if container == self._pattern:
            path = f"{self._spread.container_of(key)}/{key}"
        return self._seen(await _power(self._first.powers.stat_part)(path))

    async def _settle(self, key: str, puts: Sequence[UnprovenPut], *, within_s: float) -> Settled:
        return await _power(self._of(key).powers.settle)(key, puts, within_s=within_s)

    async def _expire(self, key: str, at_s: int, listed: RemoteObject) -> int:
        return await _power(self._of(key).powers.expire)(key, at_s, listed)

    def _get(self, key: str) -> AsyncGenerator[bytes, None]:
        return _power(self._of(key).powers.get)(key)

    def _get_once(self, key: str) -> AsyncGenerator[bytes, None]:
        return _power(self._of(key).powers.get_once)(key)

    async def _fetch(self, key: str, most: int) -> "Fetched | None":
        found = await _power(self._of(key).powers.fetch)(key, most)
        return None if found is None else replace(found, row=self._outward(found.row))

    def _read(self, key: str, *, version: str | None = None, span: "Span | None" = None) -> AsyncGenerator[bytes, None]:
        return _power(self._of(key).powers.read)(key, version=version, span=span)

    async def _link(self, key: str, target: str, headers: ObjectHeaders) -> Stored:
        container, _, to = target.partition("/")
        if container == self._pattern:
            target = f"{self._spread.container_of(to)}/{to}"
        return await _power(self._of(key).powers.link)(key, target, headers)

    async def _describe(self, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
        found = await _power(self._of(key).powers.describe)(key)
        return None if found is None else (self._outward(found[0]), found[1])

    async def _copy(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        copy = _power(self._of(source).powers.copy)
        return await copy(source, container_of(container, key), key, headers, size)

    async def _temporary_url(self, name: str, wish: "Wish") -> str:
        if not wish.is_object:
            raise UsageError("a temporary URL is for objects of one container: name one, or one object by `is_object`")
        return await _power(self._of(name).powers.temporary_url)(name, wish)

    def _large(self, has: LargeObjects) -> LargeObjects:
        def of(key: str) -> LargeObjects:
            return _power(self._of(key).powers.large)

        async def begin(key: str, version: str, headers: ObjectHeaders) -> LargeUpload:
            return await of(key).begin(key, version, headers)

        async def list_parts(upload: LargeUpload) -> tuple[StoredPart, ...]:
            return await of(upload.key).list_parts(upload)

        async def send_part(upload: LargeUpload, number: int, body: Body) -> StoredPart:
            return await of(upload.key).send_part(upload, number, body)

        async def complete(upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
            return await of(upload.key).complete(upload, parts, headers)

        async def abort(upload: LargeUpload) -> None:
            await of(upload.key).abort(upload)

        return replace(
            has, begin=begin, list_parts=list_parts, send_part=send_part, complete=complete, abort=abort,
            open=None, remains=None,
        )  # fmt: skip

    # Names of containers.

    def _seen(self, row: RemoteObject | None) -> RemoteObject | None:
        return None if row is None else self._outward(row)

    def _outward(self, row: RemoteObject) -> RemoteObject:
        """The row, with the pattern in place of the container in what it names."""
        if row.link is None and row.below is None:
            return row
        below = row.below
        if below is not None and self._spread.holds(below.partition("/")[0]):
            below = f"{self._pattern}/{below.partition('/')[2]}"
        return replace(row, link=self._virtual(row.link), below=below)

    def _virtual(self, path: str | None) -> str | None:
        """PATTERN/OBJECT for a path to an object in the container where it belongs; else the path."""
        container, _, key = (path or "").partition("/")
        is_ours = self._spread.holds(container) and self._spread.container_of(key) == container
        return f"{self._pattern}/{key}" if is_ours else path


def open_spread(destination: Destination, spread: Spread, context: StoreContext, factory: StoreFactory) -> SpreadStore:
    """Raises UsageError if the containers cannot be opened side by side."""
    rows = min(max(_FEWEST, _ROWS // spread.count), _MOST)
    context = replace(context, page_rows=rows)
    factory(replace(destination, root=spread.name(spread.count - 1)), context)  # the longest name: it may be too long
    first = factory(replace(destination, root=spread.name(0)), context)
    return SpreadStore(first, _power(first.powers.beside), spread, destination.root, context.warn)


def _power(power: T | None) -> T:
    """The power of one container, all of which have those of the first."""
    if power is None:
        raise AssertionError("the containers of one account have the same powers")
    return power


def _by_container(spread: Spread, keys: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key in keys:
        grouped.setdefault(spread.container_of(key), []).append(key)
    return grouped


async def _next_or_missing(
    rows: AsyncGenerator[RemoteObject | Prefix, None],
) -> RemoteObject | Prefix | NotFound | None:
    """The first row; None if there is none; the NotFound of a container that does not exist."""
    try:
        return await anext(rows, None)
    except NotFound as error:
        return error


def _order(row: RemoteObject | Prefix) -> bytes:
    return row.name.encode("utf-8", "surrogatepass")
