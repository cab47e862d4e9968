"""Removes extra objects: objects without a file. They are noted during the run and removed after all files are sent.

    listing ──extras, and objects that stay and may read others──> notes on disk ──end of the run──>
    HEAD of each that stays ──> extras that they read are spared ──> HEAD of each other extra ──> bulk-delete

An extra is kept if a link or large object that stays in this container reads it, or if it was written to since it was
listed. If the mirror is incomplete or anything is in doubt, nothing is removed. With `skip.keep_for_s`, young extras
stay as if they had a file. With `skip.expire_extra_s`, extras are not removed but expire (`expirer.py`).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from bulkput import events as ev
from bulkput.engine.compare.evidence import may_hold_readers, references_of
from bulkput.engine.objects.changes import ChangeTally
from bulkput.engine.objects.remove import Remover
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.engine.upload.expirer import Batches, Expirer
from bulkput.errors import Stopped, StoreError, UsageError, printable
from bulkput.events import Change, Done
from bulkput.model import RemoteObject, SourceFile
from bulkput.options import UploadOptions
from bulkput.policy.extras import Stay, age_s_of, stay_of, why_kept
from bulkput.policy.references import holds_segments, is_as_listed, may_read_others
from bulkput.policy.retry import FailurePolicy
from bulkput.policy.scope import Scope
from bulkput.sources.extras import Extras
from bulkput.sources.paths import is_at_or_below
from bulkput.stores.base import Destination, Store
from bulkput.stores.clock import StoreClock

T = TypeVar("T")
_BATCH = 1_000
"""Rows and names that wait in memory before they are written to disk."""
_LOOKED_AT_ONCE = 200
"""Extras whose HEADs come before one round of removals. Few, so that little time passes between HEAD and removal."""


def check_mirror(roots: list[bytes], target: Destination, options: UploadOptions, scope: Scope) -> None:
    """Blocking. Raises UsageError if a mirror would remove objects that it should not, now or later."""
    mirror = options.skip.mirror_option
    if options.journal is not None:
        raise UsageError(
            f"{mirror} and `journal` exclude each other: what the journal knows is not looked at. Leave out `journal`:"
            " `skip.mode='unchanged'` skips what the store has already"
        )
    if holds_segments(target.root):
        raise UsageError(
            f"container {printable(target.root)} holds segments of large objects in other containers, by its name:"
            f" {mirror} would damage those objects; `bulkput.remove` removes segments on purpose"
        )
    if not scope.is_whole:
        raise UsageError(f"{mirror} needs a directory as source: objects beside a single file belong to others")
    for root in filter(os.path.isdir, roots):
        with os.scandir(root) as entries:
            if next(entries, None) is None:
                raise UsageError(
                    f"source {printable(root)} is empty: {mirror} would remove all that it once held;"
                    " `bulkput.remove` does that on purpose"
                )


class Mirror:
    """Notes the objects without files, decides if they may be removed, and removes them. Close it at the end."""

    def __init__(
        self,
        store: Store,
        options: UploadOptions,
        stop: Stop,
        roots: list[bytes],
        *,
        emit: ev.Emit,
        room: Callable[[], Awaitable[None]],
        container: str,
        prefix: str,
    ) -> None:
        """The names of all objects of the destination begin with `prefix`. Raises UsageError if extras are to expire
        and the store has no expiry."""
        self._store = store
        self._container = container
        self._prefix = prefix
        self._options = options
        self._stop = stop
        self._emit = emit
        self._clock = StoreClock(store, container)
        self._expirer: Expirer | None = None
        if (life_s := options.skip.expire_extra_s) is not None:
            if store.powers.expire is None:
                raise UsageError("`skip.expire_extra_s` does not work here: the objects of this store do not expire")
            self._expirer = Expirer(store, options, stop, emit, clock=self._clock, life_s=life_s)
        self._unseen = list(roots)
        """Sources in which the scan has found no file yet."""
        self._doubt: str | None = None
        self._extras = Extras(container)
        self._writing = asyncio.Lock()
        self._rows: list[RemoteObject] = []
        self._readers: list[str] = []
        self._links: list[tuple[str, str]] = []
        self._count = 0
        self._room = room
        """Awaited before each batch of extras: the receiver of the events may have fallen behind."""

    def note_file(self, file: SourceFile) -> None:
        """Note a file that the scan has found."""
        if self._unseen and not file.is_directory:
            path = file.path
            self._unseen = [root for root in self._unseen if not is_at_or_below(path, root)]

    def keep_all(self, why: str) -> None:
        """Keep all extra objects, for the reason `why`. The first reason stands."""
        self._doubt = self._doubt or why

    async def note_extra(self, row: RemoteObject) -> None:
        """Note an object without a file. Raises UsageError if TMPDIR is full, and Stopped."""
        if await self._stays(row):
            await self.note_kept(row)
            return
        self._count += 1
        self._rows.append(row)
        await self._write_some()

    async def note_kept(self, row: RemoteObject) -> None:
        """Note an object that stays: extras that it reads must not be removed. Raises UsageError if TMPDIR is full."""
        if may_read_others(row):
            self._readers.append(f"{self._container}/{row.name}")
            await self._write_some()

    async def note_link(self, name: str, target: str) -> None:
        """Note a link of this run: the extra `target` (CONTAINER/OBJECT) to which it leads must not be removed, and
        nothing that the target reads. Raises UsageError if TMPDIR is full."""
        self._links.append((target, name))
        await self._write_some()

    async def _stays(self, row: RemoteObject) -> bool:
        """Whether the extra stays because of its age. Then an event says so. Raises Stopped."""
        # If all are kept for another reason, their age does not matter: it is not asked for again after an error.
        if (keep_for_s := self._options.skip.keep_for_s) is None or self._doubt is not None:
            return False
        try:
            now_ns = await self._clock.now_ns()
        except StoreError as error:
            self.keep_all(f"the age of objects cannot be told by the store's clock: {error}")
            return False
        stay = stay_of(row, keep_for_s, now_ns)
        if stay is Stay.NO:
            return False
        await self._room()
        if stay is Stay.YOUNG:
            self._emit(ev.KeptYoung(row.name, row.bytes, age_s_of(row, now_ns) or 0.0))
        else:
            self._emit(ev.Kept(1, f"the store does not tell how old {printable(row.name)} is", row.name))
        return True

    async def remove(self, failed: int) -> None:
        """Remove the extras that may be removed, or let them expire, and emit Kept with a reason for the others.
        `failed`: failed files."""
        if not self._count:
            return
        if self._unseen:  # the source's disk may be gone
            self.keep_all(f"source {printable(self._unseen[0])} has no file")
        await self._write()
        # If all are kept anyway, the HEADs are saved. Spared extras do not count against `skip.max_deleted`.
        if self._why_kept(failed, 0) is None:
            await self._look_through()
        if self._expirer is not None and self._why_kept(failed, 0) is None:
            await self._settle(self._expirer)
        rest = await self._on_disk(lambda: self._extras.count(is_spared=False))
        why_not = self._why_kept(failed, rest)
        if why_not is not None:
            if self._options.dry_run:
                await self._tell_all()  # a dry run shows the extras, although they would be kept
            if self._count:
                self._emit(ev.Kept(self._count, why_not))
            return
        async for batch in self._batches(_BATCH, is_spared=True):
            for row, by in batch:
                self._emit(ev.Kept(1, f"{printable(row.name)} is read through {printable(by)}, which stays", row.name))
        how = self._expirer or _Removal(self._store, self._options, self._stop, self._emit)
        await how.run(self._batches(_LOOKED_AT_ONCE), rest)

    def _why_kept(self, failed: int, extras: int) -> str | None:
        most, is_stopped = self._options.skip.max_deleted, self._stop.is_pulled
        return why_kept(extras, most, doubt=self._doubt, failed=failed, is_stopped=is_stopped)

    async def _look_through(self) -> None:
        """Spare each extra that an object which stays reads, directly or through other links and manifests."""
        if not may_hold_readers(self._store):
            return
        try:
            await self._on_disk(self._extras.spare_targets)
            await self._note_rest_of_container()
            workers = self._options.wire.start
            while readers := await self._on_disk(lambda: self._extras.readers(_BATCH)):
                async with pool(self._look, workers=workers, backlog=workers) as lookers:
                    for path in readers:
                        await lookers.submit(path)
        except Stopped:
            pass  # `remove` emits why all are kept
        except StoreError as error:
            self.keep_all(f"what is read through other objects cannot be seen: {error}")

    async def _note_rest_of_container(self) -> None:
        """Note links and large objects of the container outside the destination. Raises StoreError."""
        seen, most = 0, self._options.skip.max_outside
        # A listing has a start but no end. So the first one is left where the destination begins, and the second starts
        # after the destination's last name.
        for start_after in (None, self._prefix + "\U0010ffff") if self._prefix else ():
            async with aclosing(self._store.list("", start_after=start_after)) as listing:
                async for row in listing:
                    is_inside = row.name.startswith(self._prefix)
                    if is_inside and start_after is None:
                        break
                    if is_inside or not isinstance(row, RemoteObject):
                        continue
                    seen += 1
                    if seen > most:
                        if self._options.skip.max_deleted is not None:
                            self.keep_all(
                                f"more than {most} objects lie beside the destination, and links or large"
                                " objects among them may read these: `skip.max_deleted=None` removes them all the same"
                            )
                        # With `max_deleted=None` extras are removed now; the objects seen so far spare theirs.
                        await self._write()
                        return
                    await self.note_kept(row)
        await self._write()

    async def _look(self, path: str) -> None:
        """Spare what one object that stays reads. Raises StoreError, Stopped."""
        if reads := await references_of(self._store, path, self._container):
            own = self._container + "/"
            await self._on_disk(lambda: self._extras.spare(reads, path.removeprefix(own)))

    async def _settle(self, expirer: Expirer) -> None:
        """Forget the extras that expire already: they count no more, and nothing is done to them."""
        try:
            async for batch in self._batches(_LOOKED_AT_ONCE):
                settled = await expirer.settled([row for row, _ in batch])
                await self._on_disk(partial(self._extras.forget, settled))
                self._count -= len(settled)
        except Stopped:
            pass  # `remove` emits why all are kept
        except StoreError as error:
            self.keep_all(f"whether objects expire already cannot be seen: {error}")

    async def _tell_all(self) -> None:
        try:
            async for batch in self._batches(_BATCH):
                if self._expirer is not None:
                    await self._expirer.tell([row for row, _ in batch])
                    continue
                for row, _ in batch:
                    self._emit(ev.Removed(row.name, row.bytes, is_dry=True))
        except Stopped:
            pass
        except StoreError as error:  # of the store's clock
            self._stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))

    async def _batches(self, size: int, *, is_spared: bool = False) -> Batches:
        batches = self._extras.batches(size, is_spared=is_spared)
        while (batch := await self._on_disk(lambda: next(batches, None))) is not None:
            await self._room()
            yield batch

    async def _write_some(self) -> None:
        if len(self._rows) + len(self._readers) + len(self._links) >= _BATCH:
            await self._write()

    async def _write(self) -> None:
        rows, self._rows = self._rows, []
        readers, self._readers = self._readers, []
        links, self._links = self._links, []
        if rows or readers or links:
            await self._on_disk(lambda: self._extras.add(rows, readers, links))

    async def _on_disk(self, call: Callable[[], T]) -> T:
        async with self._writing:
            return await asyncio.to_thread(call)

    def close(self) -> None:
        self._extras.close()


class _Removal:
    """Removes extras that are unchanged since they were listed."""

    def __init__(self, store: Store, options: UploadOptions, stop: Stop, emit: ev.Emit) -> None:
        self._store = store
        self._options = options
        self._stop = stop
        self._emit = emit
        self._tally = ChangeTally(self._told, stop, FailurePolicy(options.stop))
        self._set_aside = 0
        """Extras that are gone already, or kept because they changed."""

    async def run(self, batches: Batches, count: int) -> None:
        """`batches` hold `count` extras."""
        options, tally = self._options, self._tally
        remover = Remover(self._store, tally, workers=options.wire.start, is_dry=options.dry_run)
        try:
            await remover.prepare()
            async with (
                pool(remover.remove, workers=options.wire.start, backlog=1) as removers,
                aclosing(batches),
            ):
                async for batch in batches:
                    rows = tuple(row for row, _ in batch)
                    proven = rows if options.dry_run else tuple(await self._proven(remover, rows))
                    for start in range(0, len(proven), remover.batch):
                        await removers.submit(proven[start : start + remover.batch])
        except Stopped:
            pass
        except StoreError as error:
            self._stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        finally:  # also after a stop: extras that were not reached are kept
            self._say_what_is_left(count)

    def _say_what_is_left(self, count: int) -> None:
        tally = self._tally
        if (left := count - tally.done - tally.failed - self._set_aside) > 0:
            doubt = f"; up to {tally.uncertain} of them may be removed" if tally.uncertain else ""
            self._emit(ev.Kept(left, "the run was stopped" + doubt))

    async def _proven(self, remover: Remover, rows: tuple[RemoteObject, ...]) -> list[RemoteObject]:
        """The rows that a HEAD now shows unchanged. Emits Kept for those that changed."""
        proven = []
        for row, now in await remover.looked_at(rows):
            if now is not None and is_as_listed(row, now):
                proven.append(row)
                continue
            self._set_aside += 1
            if now is not None:
                self._emit(ev.Kept(1, f"{printable(row.name)} was overwritten after it was listed", row.name))
        return proven

    def _told(self, change: Change) -> None:
        if change.done is Done.FAILED:
            self._emit(ev.Kept(1, str(change.error), change.name))
        else:
            self._emit(ev.Removed(change.name, change.size, change.done is Done.WOULD))
