"""Lists uploads in parts that were neither completed nor aborted, and removes them if that is asked for.

For stores whose parts are no objects (S3): nothing else can read them.

    list of unfinished uploads ──> several at once: their parts, with their times ──> old enough ──> abort

The parts of an upload are asked for just before it is aborted, so that one that has gone on stays. A part that is sent
in the milliseconds between is lost, and its upload fails: the store has no lock.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress

from bulkput import events as ev
from bulkput.engine.objects.changes import ChangeTally
from bulkput.engine.pool import pool
from bulkput.errors import Stopped, StoreError
from bulkput.events import Change, Done
from bulkput.model import Pacing, UnfinishedUpload
from bulkput.policy.leftovers import age_s, last_sign_ns, why_upload_held
from bulkput.policy.naming import joined_prefix
from bulkput.stores.base import Destination, Store
from bulkput.stores.clock import StoreClock
from bulkput.stores.powers import Unfinished
from bulkput.verb_options import SegmentOptions
from bulkput.verb_results import UnreadSegments


class UnfinishedLook:
    """One look at the unfinished uploads of a container."""

    def __init__(
        self,
        store: Store,
        power: Unfinished,
        target: Destination,
        options: SegmentOptions,
        changes: ChangeTally,
        *,
        emit: ev.Emit,
        room: Callable[[], Awaitable[None]],
    ) -> None:
        """`room` is awaited before each upload."""
        self._store = store
        self._power = power
        self._target = target
        self._options = options
        self._changes = changes
        self._stop = changes.stop
        self._emit = emit
        self._room = room
        self._now_ns = 0
        self._found = self._parts = self._bytes = self._young = self._in_doubt = 0
        self._is_complete = False

    async def run(self) -> None:
        """Raises StoreError if listing fails, NotFound if there is no such container; Stopped."""
        # Of two clocks the slower one: if this machine's were days fast, a running upload would look old enough.
        self._now_ns = min(await StoreClock(self._store, self._target.root).now_ns(), time.time_ns())
        prefix, workers = self._target.prefix, self._options.wire.start
        below = joined_prefix(prefix)
        async with (
            pool(self._look, workers=workers, backlog=workers) as lookers,
            aclosing(self._power.list(prefix)) as uploads,
        ):
            async for upload in uploads:
                if self._stop.is_pulled:
                    return
                if upload.key == prefix or upload.key.startswith(below):
                    await self._room()
                    await lookers.submit(upload)
        self._is_complete = True

    async def _look(self, upload: UnfinishedUpload) -> None:
        path = f"{self._target.root}/{upload.key}"
        size = None
        with suppress(Stopped):  # others that are being removed may end
            try:
                self._stop.check()
                parts = await self._power.parts(upload)
                if parts is None:  # completed or aborted since it was listed
                    return
                size = sum(part.size for part in parts)
                age = age_s(last_sign_ns(upload, parts), self._now_ns)
                self._found, self._parts, self._bytes = self._found + 1, self._parts + len(parts), self._bytes + size
                self._changes.failure_policy.succeeded()
                self._emit(ev.UnfinishedFound(path, upload.id, len(parts), size, age))
                if self._options.reap:
                    await self._remove(upload, path, size, age)
            except StoreError as error:
                self._changes.fail(Change(Done.FAILED, path, None, size, error), error)

    async def _remove(self, upload: UnfinishedUpload, path: str, size: int, age: float | None) -> None:
        if (hold := why_upload_held(age, older_than_s=self._options.older_than_s)) is not None:
            self._in_doubt += hold.is_in_doubt
            self._young += not hold.is_in_doubt
            self._emit(ev.UnfinishedKept(path, upload.id, hold.why, hold.is_in_doubt))
        elif self._options.dry_run:
            self._changes.add(Change(Done.WOULD, path, None, size))
        else:
            self._stop.check()
            try:
                is_removed = await self._power.abort(upload)
            except asyncio.CancelledError:  # an interrupted run is out of time
                self._changes.uncertain += 1
                raise
            self._changes.add(Change(Done.REMOVED if is_removed else Done.GONE, path, None, size))

    async def aclose(self) -> None: ...

    def result(self, requests: Mapping[str, int], elapsed_s: float, pacing: Pacing | None) -> UnreadSegments:
        """The numbers so far."""
        changes = self._changes
        return UnreadSegments(
            groups=self._found,
            found=self._found,
            bytes=self._bytes,
            read=0,
            removed=changes.done,
            removed_bytes=changes.bytes,
            gone=changes.gone,
            young=self._young,
            in_doubt=self._in_doubt,
            failed=changes.failed,
            uncertain=changes.uncertain,
            is_proven=self._is_complete,
            is_dry=self._options.dry_run,
            requests=requests,
            elapsed_s=elapsed_s,
            failures=tuple(changes.failures),
            stopping=self._stop.order,
            pacing=pacing,
            parts=self._parts,
        )
