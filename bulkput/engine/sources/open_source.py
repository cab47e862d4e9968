"""Opens the source of an upload that is no path: a URL whose objects are read."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import field, replace
from functools import partial

from bulkput import events as ev
from bulkput.engine.open_store import Handed, connected
from bulkput.errors import StoreError, UsageError
from bulkput.model import RemoteObject
from bulkput.options import SharedOptions, WireOptions
from bulkput.payload.reading import Fetched, Span
from bulkput.policy.etag import composite_of, parts_in
from bulkput.policy.layout import Layout, of_segments
from bulkput.policy.naming import without_query
from bulkput.policy.source_variables import PREFIX, source_variables
from bulkput.record import frozen
from bulkput.sources.base import ObjectSource, SourceContext, installed_source
from bulkput.stores.base import Configured, Destination, Store
from bulkput.stores.built_in import MODULES
from bulkput.stores.reading import reads_of
from bulkput.stores.slots import Slots
from bulkput.stores.tries import Brake, Tries
from bulkput.transport.base import WireCount

Opened = Callable[..., AbstractAsyncContextManager[tuple[Store, WireCount]]]
"""`connected`, with all but slots and login."""

_SHARE = 1.25
"""GETs in flight for each request in flight of the destination: as many as an upload has workers."""


@frozen
class Origin:
    """An open source, the URL that names it, and the count of its requests."""

    url: Destination
    source: ObjectSource
    count: WireCount
    left_out: Callable[[], str | None] | None = None
    """See `Powers.left_out`."""
    hand_over: Callable[[Configured | None], Awaitable[Configured]] | None = field(default=None, repr=False)
    """See `Powers.hand_over`."""

    def path_of(self, key: str) -> bytes:
        """The URL of an object, in messages and in a journal."""
        return str(replace(self.url, prefix=key)).encode()


@asynccontextmanager
async def opened_source(
    url: str,
    *,
    destination: str,
    options: SharedOptions,
    emit: ev.Emit,
    brake: Brake,
    environ: Mapping[str, str] | None,
    told: Configured | None = None,
) -> AsyncIterator[Origin]:
    """Open the source of an upload to `destination`; sends no request. Its requests have slots of their own, and no
    rate: those that are asked for are the destination's. `told` is the login of another process; if the store refuses
    it, this process logs in itself.

    Raises UsageError for a wrong URL, missing credentials, and a store that cannot be read.
    """
    given = os.environ if environ is None else environ
    retry = options.retry
    environ, wire = _own_login(given, options.wire)
    where = Destination.parse(url)
    if where.scheme not in MODULES and (make := await installed_source(where.scheme)) is not None:
        context = SourceContext(
            url=url,
            root=where.root,
            prefix=where.prefix,
            environ=environ,
            wire=wire,
        )
        async with aclosing(make(context)) as made:
            yield Origin(where, RetriedSource(made, Tries(retry, emit, brake)), WireCount())
        return
    opened = partial(
        connected,
        url,
        wire=replace(wire, objects_per_s=None, bytes_per_s=None, rate_shared=None),
        retry=retry,
        read_for=destination,
        emit=emit,
        brake=brake,
        environ=environ,
    )
    handed = Handed(told, _logging_in(opened)) if told is not None else None
    async with AsyncExitStack() as stack:
        slots = Slots(round(wire.highest * _SHARE))
        try:
            store, count = await stack.enter_async_context(opened(slots=slots, handed=handed))
        except UsageError as error:
            if environ is given:
                raise
            raise UsageError(f"the source's own login, by the variables {PREFIX}...: {error}") from error
        yield Origin(where, StoreSource(store, url), count, store.powers.left_out, store.powers.hand_over)


def _logging_in(opened: Opened) -> Callable[[Configured], Awaitable[Configured]]:
    """Makes a login in place of one that is refused."""

    async def logged_in(_refused: Configured) -> Configured:
        async with opened() as (store, _):
            if (hand_over := store.powers.hand_over) is None:
                raise AssertionError("a login was handed over by a store of the same kind")
            return await hand_over(None)

    return logged_in


def _own_login(environ: Mapping[str, str], wire: WireOptions) -> tuple[Mapping[str, str], WireOptions]:
    """The variables of the source, and its certificates, if it has a login of its own."""
    own = source_variables(environ)
    if own is environ:
        return environ, wire
    found = {name: own.get(f"OS_{name}") or None for name in ("CACERT", "CERT", "KEY")}
    return own, replace(wire, ca_file=found["CACERT"], cert_file=found["CERT"], key_file=found["KEY"])


class StoreSource:
    """A store as a source."""

    def __init__(self, store: Store, url: str) -> None:
        """Raises UsageError if the store cannot be read."""
        reads = reads_of(store)
        if reads is None:
            raise UsageError(f"{without_query(url)} cannot be read: this kind of store only takes uploads")
        self._store = store
        self._fetch, self._read = reads

    async def place(self) -> str:
        found_place = self._store.powers.found_place
        return await found_place() if found_place is not None else self._store.place

    async def list(self, prefix: str) -> AsyncGenerator[RemoteObject, None]:
        async with aclosing(self._store.list(prefix)) as rows:
            async for row in rows:
                if isinstance(row, RemoteObject):
                    yield row

    async def fetch(self, key: str, most: int) -> Fetched | None:
        return await self._fetch(key, most)

    def read(self, key: str, *, version: str | None = None, span: Span | None = None) -> AsyncGenerator[bytes, None]:
        return self._read(key, version=version, span=span)

    async def layout(self, row: RemoteObject) -> Layout | None:
        """The segments of a large object, or the parts that an object of S3 was sent in."""
        powers, below = self._store.powers, row.below
        if row.large == "static" and powers.segments is not None:
            try:
                return of_segments(await powers.segments(row.name))
            except StoreError as error:
                if error.operation == "manifest" and error.status == 200:  # Ceph's gateway 16 shows none
                    return None
                raise
        if row.large == "dynamic" and powers.segments_below is not None and below is not None:
            return of_segments(await powers.segments_below(below))
        etag, part_sizes = composite_of(row.hash), powers.part_sizes
        if row.large is not None or etag is None or part_sizes is None:
            return None
        sizes = (row.bytes or 0,) if parts_in(row.hash) == 1 else await part_sizes(row.name)
        return Layout(sizes=sizes, etag=etag) if sizes and sum(sizes) == row.bytes else None

    async def aclose(self) -> None:
        """Does nothing: `opened_source` closes the store."""


class RetriedSource:
    """A source of another package: `fetch` and `layout` are called again if they fail. What is streamed is read again
    by the PUT that it feeds."""

    def __init__(self, source: ObjectSource, tries: Tries) -> None:
        self._source = source
        self._tries = tries
        self.place = source.place
        self.list = source.list
        self.read = source.read

    async def fetch(self, key: str, most: int) -> Fetched | None:
        return await self._tries(lambda: self._source.fetch(key, most))

    async def layout(self, row: RemoteObject) -> Layout | None:
        return await self._tries(lambda: self._source.layout(row))

    async def aclose(self) -> None:
        """Does nothing: `opened_source` closes the source."""
