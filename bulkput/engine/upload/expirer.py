"""Lets extras expire, in place of their removal.

extras ──HEAD──> settled: expire already, or are gone
       └───────> others ──the store's power `expire`, which looks again before and after──> expire, or stay

An extra that expires already keeps its end: the time counts from the run that first found no file for it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bulkput import events as ev
from bulkput.engine.compare.evidence import itself_of
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.errors import Conflict, NotFound, Stopped, StoreError, Unsupported
from bulkput.model import RemoteObject
from bulkput.options import UploadOptions
from bulkput.policy.references import is_as_listed
from bulkput.policy.retry import FailurePolicy
from bulkput.stores.base import Store
from bulkput.stores.clock import StoreClock

Batches = AsyncGenerator[list[tuple[RemoteObject, str]], None]


class Expirer:
    """Lets objects expire a fixed time from now, each only if it is unchanged since it was listed."""

    def __init__(
        self, store: Store, options: UploadOptions, stop: Stop, emit: ev.Emit, *, clock: StoreClock, life_s: int
    ) -> None:
        self._store = store
        self._workers = options.wire.start
        self._is_dry = options.dry_run
        self._stop = stop
        self._emit = emit
        self._clock = clock
        self._life_s = life_s
        self._failure_policy = FailurePolicy(options.stop)
        self._settled = 0
        """Extras that expire, are gone, or stay and were named."""
        self._uncertain = 0

    async def end_s(self) -> int:
        """When an object expires that is told so now, in seconds since 1970. Raises StoreError, Stopped."""
        return await self._clock.now_s() + self._life_s

    async def settled(self, rows: list[RemoteObject]) -> list[str]:
        """The names of those to which nothing has to be done: they expire already, of which an event tells, or are
        gone. Raises StoreError, Stopped."""
        gone: list[str] = []
        expiring: list[ev.Expiring] = []

        async def look(row: RemoteObject) -> None:
            now = await itself_of(self._store, row.name)
            if now is None:
                gone.append(row.name)
            elif now.expires_at is not None and is_as_listed(row, now):
                expiring.append(ev.Expiring(row.name, row.bytes, now.expires_at, self._is_dry, is_new=False))

        async with pool(look, workers=self._workers, backlog=self._workers) as lookers:
            for row in rows:
                await lookers.submit(row)
        for event in expiring:  # not before: if a look fails, all of them are told as kept
            self._emit(event)
        return [*gone, *(event.key for event in expiring)]

    async def tell(self, rows: list[RemoteObject]) -> None:
        """For a dry run: emit what would be done to each. Raises StoreError, Stopped."""
        at_s = await self.end_s()
        for row in rows:
            self._emit(ev.Expiring(row.name, row.bytes, at_s, is_dry=True))

    async def run(self, batches: Batches, count: int) -> None:
        """Let the extras expire. `batches` hold `count` of them. Emits Expiring or Kept for each that is not gone."""
        try:
            async with (
                pool(self._expire, workers=self._workers, backlog=self._workers) as expirers,
                aclosing(batches),
            ):
                async for batch in batches:
                    self._stop.check()
                    if self._is_dry:
                        await self.tell([row for row, _ in batch])
                        self._settled += len(batch)
                        continue
                    for row, _ in batch:
                        await expirers.submit(row)
        except Stopped:
            pass
        except StoreError as error:  # of the store's clock
            self._stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        finally:  # also after a stop: extras that were not reached are kept
            if (left := count - self._settled) > 0:
                doubt = f"; up to {self._uncertain} of them may expire" if self._uncertain else ""
                self._emit(ev.Kept(left, "the run was stopped" + doubt))

    async def _expire(self, row: RemoteObject) -> None:
        try:
            self._stop.check()
            at_s = await self.end_s()
            ends_s = await self._asked(row, at_s)
        except Stopped:
            return
        except asyncio.CancelledError:  # an interrupted run is out of time
            self._uncertain += 1
            raise
        except NotFound:
            self._settled += 1
        except StoreError as error:
            self._keep(row, error)
        else:
            self._settled += 1
            self._failure_policy.succeeded()
            self._emit(ev.Expiring(row.name, row.bytes, ends_s, is_dry=False, is_new=ends_s == at_s))

    async def _asked(self, row: RemoteObject, at_s: int) -> int:
        expire = self._store.powers.expire
        if expire is None:
            raise Unsupported("expire", row.name, "the objects of this store do not expire")
        return await expire(row.name, at_s, row)

    def _keep(self, row: RemoteObject, error: StoreError) -> None:
        self._settled += 1
        self._emit(ev.Kept(1, str(error), row.name))
        # An object that somebody else has changed is no failure of the store.
        if not isinstance(error, Conflict) and (order := self._failure_policy.failed(error)) is not None:
            self._stop.pull(order)
