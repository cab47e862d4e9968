"""Objects copied or moved, by the store itself where it can.

    listing ──bounded queue──> workers: copy, proven by its ETag ──> change ──(move)──> batches ──> bulk-delete

A move is a copy that was proven, then a removal: whatever happens in between, each object is there once at least, and
the same command goes on with what is left. Where the store has no copy of its own (plain HTTP, two kinds of stores),
the bytes pass through here.
"""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from bulkput import events as ev
from bulkput.engine.changes import Change, Changes, ChangeTally, Done, OnChange
from bulkput.engine.pool import pool
from bulkput.engine.remove import MOST, Remover
from bulkput.engine.run import open_store
from bulkput.engine.stop import Stop
from bulkput.errors import BulkputError, IntegrityError, NotFound, Stopped, StoreError, Unsupported
from bulkput.model import Fields, ObjectHeaders, RemoteObject
from bulkput.options import HeaderOptions, RetryOptions, StopRules, WireOptions
from bulkput.policy.original import is_md5
from bulkput.policy.places import Rename, rename_of
from bulkput.policy.retry import GiveUp
from bulkput.stores.base import Copies, Destination, Reads, Store

_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
"""MD5 of nothing."""


async def copy(
    source: str,
    destination: str,
    *,
    is_recursive: bool = False,
    is_move: bool = False,
    is_dry: bool = False,
    headers: HeaderOptions | None = None,
    wire: WireOptions | None = None,
    retry: RetryOptions | None = None,
    on_change: OnChange | None = None,
    on_event: ev.Emit | None = None,
    on_passing: Callable[[], None] | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Changes:
    """Copy the object `source`, or recursively what lies below it, to `destination`; both are URLs.

    Type, metadata and the other fields of each object come along; what `headers` has replaces them. The container of
    the destination is made if it is not there. `on_passing` is told when the bytes pass through here.

    Raises UsageError: a wrong URL, missing credentials, a copy onto itself. Raises NotFound where there is no source.
    """
    stop, wire, emit = stop or Stop(), wire or WireOptions(), on_event or _ignore
    stop.report_to(emit)
    there, here = Destination.parse(source), Destination.parse(destination)
    is_same = (there.scheme, there.root) == (here.scheme, here.root)
    rename = rename_of(there.prefix, here.prefix, is_recursive=is_recursive, is_same_container=is_same)
    tally = ChangeTally(on_change or _ignore, stop, GiveUp(StopRules()))
    started = time.monotonic()
    requests: Counter[str] = Counter()
    opened = partial(open_store, wire=wire, retry=retry, emit=emit, brake=stop, environ=environ)
    async with opened(source) as (old, counted), opened(destination) as (new, count):
        copier = _Copier(
            old,
            new,
            container=there.root if there.scheme == here.scheme else None,
            rename=rename,
            headers=_replacing(headers or HeaderOptions()),
            on_passing=on_passing or _nothing,
        )
        mover = Remover(old, tally, moved_to=copier.name) if is_move else None
        try:
            await _Run(copier, mover, tally, is_dry=is_dry).run(rename, wire.start)
        except Stopped:
            pass
        except (NotFound, Unsupported):
            raise
        except StoreError as error:
            stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        requests.update(counted.requests)
        requests.update(count.requests)
    return tally.changes(requests, time.monotonic() - started, is_dry=is_dry)


class _Copier:
    """Copies one object after the other from `old` to `new`."""

    def __init__(
        self,
        old: Store,
        new: Store,
        *,
        container: str | None,
        rename: Rename,
        headers: ObjectHeaders,
        on_passing: Callable[[], None],
    ) -> None:
        """`container` is that of `old`, as `new` knows it; None where the two are different kinds of stores."""
        self.old = old
        self.new = new
        self._container = container
        self._rename = rename
        self._headers = headers
        self._on_passing = on_passing
        if container is None:
            on_passing()

    def name(self, row: RemoteObject) -> str:
        """The one that it gets."""
        return self._rename.of(row.name)

    async def copy(self, row: RemoteObject) -> None:
        """Returns when the copy is proven. Raises StoreError, SourceError, Stopped."""
        if self._container is not None:
            try:
                await self._by_the_store(self._container, row)
            except Unsupported:
                if self._container is not None:
                    self._container = None
                    self._on_passing()
            else:
                return
        await self._through_here(row)

    async def _by_the_store(self, container: str, row: RemoteObject) -> None:
        if not isinstance(self.new, Copies):
            raise Unsupported("copy", row.name, "this store copies nothing by itself")
        stored = await self.new.copy(container, row.name, self.name(row), self._headers)
        if stored.etag == (row.hash or "").lower():
            return
        if stored.etag == _NOTHING and row.bytes:
            raise Unsupported("copy", row.name, "the store took the copy for an empty object")
        # Of a manifest the listing has the MD5 of its text; and a source may have been written to since.
        head = await self.old.stat(row.name)
        expected = head.hash if head is not None else None
        if expected is None or stored.etag != expected.lower():
            raise IntegrityError("copy", stored.key, expected=expected, actual=stored.etag, status=201)

    async def _through_here(self, row: RemoteObject) -> None:
        head = await self.old.stat(row.name)
        if head is None:
            raise NotFound("copy", row.name, "it was listed, and is gone")
        headers = replace(
            self._headers,
            content_type=self._headers.content_type or head.content_type,
            encoding=head.encoding,
            meta=_overlaid(head.meta, self._headers.meta),
        )
        await self.new.put(self.name(row), _Remote(self.old, head), headers)


class _Run:
    """What is listed, copied by workers; where it is a move, the sources removed behind that."""

    def __init__(self, copier: _Copier, mover: Remover | None, tally: ChangeTally, *, is_dry: bool) -> None:
        self._copier = copier
        self._mover = mover
        self._tally = tally
        self._is_dry = is_dry
        self._copied: list[RemoteObject] = []
        """Of a move: what can be removed."""
        self._batch = 1

    async def run(self, rename: Rename, workers: int) -> None:
        """Raises NotFound: there is nothing to copy. Raises StoreError: of the listing, of the new container."""
        if not self._is_dry:
            await self._copier.new.prepare()
        if self._mover is not None:
            self._batch = min(MOST, (await self._copier.old.ask_limits()).max_deletes)
        found = 0
        async with (
            pool(self._take, workers=workers, backlog=workers) as copiers,
            aclosing(self._rows(rename)) as rows,
        ):
            async for row in rows:
                if self._tally.stop.is_pulled:
                    break
                found += 1
                await copiers.submit(row)
        if self._mover is not None and self._copied:
            await self._mover.remove(tuple(self._copied))
        if not found and not self._tally.stop.is_pulled:
            raise NotFound("copy", rename.old, "there is nothing of that name")

    async def _rows(self, rename: Rename) -> AsyncGenerator[RemoteObject, None]:
        if not rename.is_recursive:
            if (row := await self._copier.old.stat(rename.old)) is not None:
                yield row
            return
        async with aclosing(self._copier.old.list(rename.old)) as listing:
            async for item in listing:
                if isinstance(item, RemoteObject):
                    yield item

    async def _take(self, row: RemoteObject) -> None:
        tally, to = self._tally, self._copier.name(row)
        if self._is_dry:
            tally.add(Change(Done.WOULD, row.name, to, row.bytes))
            return
        try:
            tally.stop.check()
            await self._copier.copy(row)
        except Stopped:
            return
        except BulkputError as error:
            tally.fail(Change(Done.FAILED, row.name, to, row.bytes, error), error)
            return
        if self._mover is None:
            tally.add(Change(Done.COPIED, row.name, to, row.bytes))
            return
        self._copied.append(row)
        if len(self._copied) >= self._batch:
            batch, self._copied = tuple(self._copied), []
            await self._mover.remove(batch)


class _Remote:
    """An object of a store as a body."""

    data = None

    def __init__(self, store: Store, head: RemoteObject) -> None:
        self._store = store
        self._key = head.name
        self.size = head.bytes
        self.length_hint = head.bytes or 0
        self.md5 = head.hash if head.large is None and is_md5(head.hash) else None

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises StoreError."""
        if not isinstance(self._store, Reads):
            raise Unsupported("get", self._key, "this store gives no objects back")
        return self._store.get(self._key)


def _replacing(headers: HeaderOptions) -> ObjectHeaders:
    """What is given for all objects."""
    return ObjectHeaders(
        content_type=headers.content_type,
        cache_control=headers.cache_control,
        expires_in_s=headers.expires_in_s,
        meta=headers.meta,
        extra=headers.extra,
    )


def _overlaid(fields: Fields, given: Fields) -> Fields:
    names = {name.lower() for name, _ in given}
    return (*(field for field in fields if field[0].lower() not in names), *given)


def _nothing() -> None:
    """Nobody wants to know."""


def _ignore(_told: object) -> None:
    """For those who do not want to know."""
