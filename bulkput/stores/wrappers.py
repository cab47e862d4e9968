"""The wrappers around every store: RetryingStore(LimitedStore(ObservedStore(store))), stacked in `wrap`.

RetryingStore is outermost: a request that waits before a retry holds its worker, but no slot, so the slot serves
another object. If the user asked for a rate, a PacedStore stands between RetryingStore and LimitedStore: a request that
waits for its rate holds no slot either, and each retry pays again. The same for a GovernedStore (`spread/`), if each
container has a rate. LimitedStore is the only limit on requests in
flight. ObservedStore is innermost: it times each attempt without the wait for a slot. Only a login is made, and
retried, inside a slot: the request that needs its token waits.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from bulkput import events as ev
from bulkput.activity import doing
from bulkput.errors import BulkputError, IntegrityError, SourceError, Stopped, StoreError
from bulkput.events import Emit
from bulkput.model import Body, LargeUpload, ObjectHeaders, Prefix, RemoteObject, Stored, StoredPart
from bulkput.stores.base import Store
from bulkput.stores.powers import Get, LargeObjects, SendPart, Settle
from bulkput.stores.slots import Slots
from bulkput.stores.tries import Brake, Tries
from bulkput.stores.wrapper import Wrapper

if TYPE_CHECKING:
    from bulkput.stores.pace import Pace
    from bulkput.stores.spread.governed import Governed

P = ParamSpec("P")
T = TypeVar("T")

_ENDING = frozenset(("settle", "abort"))
"""These complete what was begun, also while the run is being stopped."""
_SETTLE_S = 30.0
"""Seconds for the second look at a PUT, in addition to reading the object back: a HEAD and a DELETE, with retries."""


def wrap(
    store: Store,
    *,
    tries: Tries,
    slots: Slots,
    emit: Emit,
    brake: Brake,
    pace: "Pace | None" = None,
    governed: "Governed | None" = None,
) -> Store:
    """Wrap `store` in all wrappers; in PacedStore only if there is a pace to keep, and in GovernedStore only if its
    containers have rates (`governed` puts it around a store)."""
    limited: Store = LimitedStore(ObservedStore(store, emit), slots, brake)
    if pace is not None:
        from bulkput.stores.pace import PacedStore  # noqa: PLC0415 - only a run with a rate pays for it

        limited = PacedStore(limited, pace)
    if governed is not None:
        limited = governed(limited)
    return RetryingStore(limited, tries)


class RetryingStore(Wrapper):
    """Retries failed operations. Bodies are replayed from their first byte."""

    def __init__(self, store: Store, tries: Tries) -> None:
        super().__init__(store)
        self._tries = tries
        if store.powers.get is not None:
            self.powers = replace(self.powers, get=self._retried(store.powers.get))

    def _around_another(self, store: Store) -> Store:
        return RetryingStore(store, self._tries)

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        # The first attempt is made without `Tries`: nearly always it is the only one, and this saves a coroutine.
        try:
            stored = await self._store.put(key, body, headers)
        except StoreError as error:
            first = error
        else:
            self._tries.has_worked = True
            return stored
        stored = await self._put_again(key, body, headers, first)
        self._tries.has_worked = True
        return stored

    async def _put_again(self, key: str, body: Body, headers: ObjectHeaders, first: StoreError) -> Stored:
        """Retry a PUT whose first attempt failed. If the last attempt fails too, and any attempt may have left a
        damaged object, the stored object is checked before the error is raised."""
        began_s = time.monotonic() - (first.took_s or 0.0)
        left: list[IntegrityError] = []

        def note(error: StoreError) -> None:
            if isinstance(error, IntegrityError) and error.unproven_put is not None:
                left.append(error)

        async def once() -> Stored:
            try:
                return await self._store.put(key, body, headers)
            except StoreError as error:
                note(error)
                raise

        note(first)
        try:
            spent_s = await self._tries.wait_or_give_up(first, 1, first.own_s or 0.0, is_transfer=True)
            return await self._tries(once, is_transfer=True, attempt=2, spent_s=spent_s)
        except (StoreError, SourceError, Stopped) as error:
            settle = self._store.powers.settle
            if not left or settle is None:
                raise
            ended = error
        return await self._settled(settle, key, ended, left, began_s)

    async def _settled(
        self,
        settle: Settle,
        key: str,
        ended: StoreError | SourceError | Stopped,
        left: list[IntegrityError],
        began_s: float,
    ) -> Stored:
        """Check the stored object. Returns the receipt if the object is what was sent and the source could be read.

        Else raises `ended` with the object's fate in its detail. After a stop it raises the last unproven attempt's
        error instead, since the object is no longer what it was before the run. The check also runs while the run is
        being stopped, in bounded time: reading the object back is assumed to take as long as sending it.
        """
        puts = [error.unproven_put for error in left if error.unproven_put is not None]
        patience_s = _SETTLE_S + max(error.own_s or 0.0 for error in left)
        try:
            async with asyncio.timeout(patience_s):
                with doing("looking at what an attempt has left in the store"):
                    found = await self._tries.unbraked()(lambda: settle(key, puts, within_s=time.monotonic() - began_s))
        except TimeoutError:
            words = f"a damaged object may be there: looking at it took more than {patience_s:.0f} s"
        except StoreError as error:
            words = f"a damaged object may be there: {error}"
        else:
            if found.stored is not None and not isinstance(ended, SourceError):
                return found.stored
            words = found.words or "the version that was read first is stored"
        failed = left[-1] if isinstance(ended, Stopped) else ended
        failed.detail += f"; {words}"
        raise failed

    def _sending(self, send_part: SendPart) -> SendPart:
        async def sent(upload: LargeUpload, number: int, body: Body) -> StoredPart:
            part = await self._tries(lambda: send_part(upload, number, body), is_transfer=True)
            self._tries.has_worked = True
            return part

        return sent

    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T:
        return await self._tries(call)

    def _retried(self, get: Get) -> Get:
        """`get`, retried only until its first chunk: a caller that already has a part must begin again itself."""

        async def retried(key: str) -> AsyncGenerator[bytes, None]:
            attempt, spent_s, has_begun = 1, 0.0, False
            while True:
                began_s = time.monotonic()
                try:
                    async with aclosing(get(key)) as chunks:
                        async for chunk in chunks:
                            has_begun = True
                            yield chunk
                except StoreError as error:
                    if has_begun:
                        raise
                    spent_s = await self._tries.wait_or_give_up(error, attempt, spent_s + time.monotonic() - began_s)
                else:
                    return
                attempt += 1

        return retried

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        """A listing that fails is resumed after the last name that it yielded; each name resets the retries."""
        attempt, spent_s = 1, 0.0
        while True:
            began_s = time.monotonic()
            try:
                async for item in self._store.list(prefix, delimiter=delimiter, start_after=start_after):
                    yield item
                    # After the yield: the consumer's own time is not the listing's.
                    began_s, attempt, spent_s, start_after = time.monotonic(), 1, 0.0, item.name
            except StoreError as error:
                spent_s = await self._tries.wait_or_give_up(error, attempt, spent_s + time.monotonic() - began_s)
            else:
                return
            attempt += 1


class LimitedStore(Wrapper):
    """Runs as many operations at once as there are slots; the others wait, first come first served.

    Raises Stopped if an operation gets its slot while the run is being stopped: nothing new is sent then. The same if
    it fails for a login while the run is being stopped: one operation has reported that, or the stop has ended it.
    """

    def __init__(self, store: Store, slots: Slots, brake: Brake) -> None:
        super().__init__(store)
        self._slots = slots
        self._brake = brake

    def _around_another(self, store: Store) -> Store:
        return LimitedStore(store, self._slots, self._brake)

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        return await self._around("put", key, lambda: self._store.put(key, body, headers))

    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T:
        if not self._slots.take_at_once():
            await self._slots.take()
        try:
            if operation not in _ENDING:
                self._brake.check()
            return await call()
        except StoreError as error:
            if error.is_of_login:
                self._brake.check()
            raise
        finally:
            self._slots.leave()


class ObservedStore(Wrapper):
    """Reports each attempt and how long it took."""

    def __init__(self, store: Store, emit: Emit) -> None:
        super().__init__(store)
        self._emit = emit

    def _around_another(self, store: Store) -> Store:
        return ObservedStore(store, self._emit)

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        started_s = time.monotonic()
        try:
            stored = await self._store.put(key, body, headers)
        except BulkputError as error:
            self._failed("put", key, started_s, body.size, error)
            raise
        took_s = time.monotonic() - started_s
        self._emit(ev.Requested("put", key, started_s, took_s, stored.size, None))
        return replace(stored, took_s=took_s) if headers.only_new else stored

    def _large(self, has: LargeObjects) -> LargeObjects:
        async def complete(upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
            started_s = time.monotonic()
            stored = await self._timed("complete", upload.key, None, lambda: has.complete(upload, parts, headers))
            return replace(stored, took_s=time.monotonic() - started_s) if headers.only_new else stored

        return replace(super()._large(has), complete=complete)

    def _sending(self, send_part: SendPart) -> SendPart:
        async def observed(upload: LargeUpload, number: int, body: Body) -> StoredPart:
            return await self._timed("part", upload.key, body.size, lambda: send_part(upload, number, body))

        return observed

    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T:
        return await self._timed(operation, key, None, call)

    async def _timed(self, operation: str, key: str, size: int | None, call: Callable[[], Awaitable[T]]) -> T:
        started_s = time.monotonic()
        try:
            result = await call()
        except BulkputError as error:
            self._failed(operation, key, started_s, size, error)
            raise
        self._emit(ev.Requested(operation, key, started_s, time.monotonic() - started_s, size, None))
        return result

    def _failed(self, operation: str, key: str, started_s: float, size: int | None, error: BulkputError) -> None:
        took_s = time.monotonic() - started_s
        if isinstance(error, StoreError):
            error.took_s = took_s
        self._emit(ev.Requested(operation, key, started_s, took_s, size, error))
