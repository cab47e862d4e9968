"""Looks at every object of an account that may read others, and notes which segments they read.

    containers ──listing of each──> links, large and empty objects ──HEAD or manifest of each──> what they read

All containers are looked at, since a manifest names segments in any container, and a copy of a manifest in another
container reads the same segments. That makes the search complete without following chains: the links and manifests in
the middle of a chain are objects of the account as well.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Concatenate, ParamSpec, TypeVar

from bulkput.engine.compare.evidence import references_of
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.errors import StoreError, Unsupported, printable
from bulkput.model import RemoteObject
from bulkput.policy.references import may_read_others
from bulkput.sources.segment_notes import SegmentNotes
from bulkput.stores.base import Store

P = ParamSpec("P")
T = TypeVar("T")
_BATCH = 1_000
"""Rows that wait in memory before they are written to disk."""
_MOST_TOLD = 20
"""Objects that cannot be looked at, and are told. If all of an account are, a line for each helps nobody."""


class NotesOnDisk:
    """The notes, for use on the event loop: one call at a time, in a thread."""

    def __init__(self) -> None:
        self._notes: SegmentNotes | None = None
        self._turn = asyncio.Lock()

    async def __call__(self, method: Callable[Concatenate[SegmentNotes, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the notes. Raises UsageError if TMPDIR is full."""
        async with self._turn:
            if self._notes is None:
                self._notes = await asyncio.to_thread(SegmentNotes)
            return await asyncio.to_thread(method, self._notes, *args, **kwargs)

    async def aclose(self) -> None:
        if self._notes is not None:
            await self(SegmentNotes.close)


class ReaderScan:
    """Finds what is read in the account of a store. `run` may be called again: it looks only at what is new since."""

    def __init__(
        self,
        store: Store,
        own: str,
        notes: NotesOnDisk,
        stop: Stop,
        *,
        workers: int,
        warn: Callable[[str], None],
        tell: Callable[[], None],
    ) -> None:
        """`own` is the container of `store`. `warn` gets a sentence for each object that cannot be looked at,
        up to a number. `tell` is called now and then, when there is more that was looked at."""
        self._store = store
        self._own = own
        self._notes = notes
        self._stop = stop
        self._workers = workers
        self._warn = warn
        self._tell = tell
        self.containers = self.objects = self.looked_at = 0
        """What the present run has listed, and looked at."""
        self._rows: list[tuple[str, RemoteObject]] = []
        self._is_over = False
        self._told = 0
        self.doubt: str | None = None
        """Why it is not known what is read; None: everything was looked at."""

    async def run(self) -> None:
        """Look at all objects that may read others. Raises Stopped, and UsageError if TMPDIR is full."""
        self.containers = self.objects = self.looked_at = 0
        try:
            await self._note_account()
        except StoreError as error:
            self._give_up("the containers of the account cannot be listed", error)
        await self._write()
        while not self._is_over and (paths := await self._notes(SegmentNotes.readers, _BATCH)):
            async with pool(self._look, workers=self._workers, backlog=self._workers) as lookers:
                for path in paths:
                    await lookers.submit(path)

    async def _note_account(self) -> None:
        containers, at = self._store.powers.containers, ""
        if containers is None:
            raise Unsupported("list", self._own, "this store does not list containers")
        while not self._is_over:
            page = await containers(at)
            for row in page.rows:
                self._stop.check()
                try:
                    await self._note_container(row.name)
                except StoreError as error:
                    self._give_up(f"container {printable(row.name)} cannot be looked at", error)
                self.containers += 1
                self._tell()
            if page.next is None:
                return
            at = page.next

    async def _note_container(self, name: str) -> None:
        """Note the links and large objects of a container, and what may be one. Raises StoreError, Stopped."""
        look, beside = self._store.powers.look_at_container, self._store.powers.beside
        if look is None or beside is None:
            raise Unsupported("list", name, "this store does not look into other containers")
        if (await look(name)).keeps_versions:
            self._doubt(f"container {printable(name)} keeps old versions of its objects, which cannot be looked at")
        async with aclosing(beside(name).list("")) as rows:
            async for row in rows:
                self._stop.check()
                self.objects += 1
                if self.objects % _BATCH == 0:
                    self._tell()
                if isinstance(row, RemoteObject) and may_read_others(row):
                    self._rows.append((f"{name}/{row.name}", row))
                    if len(self._rows) >= _BATCH:
                        await self._write()

    async def _write(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            await self._notes(SegmentNotes.add_readers, rows)

    async def _look(self, path: str) -> None:
        self._stop.check()
        if self._is_over:
            return
        try:
            reads = await references_of(self._store, path, self._own)
        except StoreError as error:
            self._give_up(f"what {printable(path)} reads cannot be seen", error)
            return
        if reads:
            await self._notes(SegmentNotes.note_reads, reads, path)
        self.looked_at += 1
        self._tell()

    def _give_up(self, what: str, error: StoreError) -> None:
        """Go on, to find out what else is read; but not if the store itself seems to fail."""
        self._doubt(f"{what}: {error}")
        self._is_over = self._is_over or error.is_retryable

    def _doubt(self, why: str) -> None:
        self.doubt = self.doubt or why
        self._told += 1
        if self._told <= _MOST_TOLD:
            self._warn(why)
