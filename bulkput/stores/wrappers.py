"""What every store gets wrapped around it: Retrying(Limited(Observed(store))), stacked in `wrap`.

Retry is outermost: while it waits before another attempt it holds no slot, so a few failing objects do not keep
others from being sent. Limited is the only limit on requests in flight. Observed is innermost: it sees each
attempt as it really was, without the wait for a slot.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from random import random
from typing import Protocol, TypeVar

from bulkput import events as ev
from bulkput.doing import doing
from bulkput.errors import BulkputError, IntegrityError, Stopped, StoreError, Unsupported
from bulkput.events import Emit
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Segment, Stored
from bulkput.options import RetryOptions
from bulkput.policy.retry import next_delay_s
from bulkput.stores.base import Copies, Deletes, Describes, Itself, Manifests, Reads, Store
from bulkput.stores.slots import Slots

T = TypeVar("T")


class Brake(Protocol):
    """What stops a run; a store that is wrapped without one is never stopped."""

    def check(self) -> None:
        """Raises Stopped when the run is being stopped."""

    async def pause(self, delay_s: float) -> bool:
        """Wait so many seconds; False when the run is being stopped meanwhile: then there is no further attempt."""


class NoBrake:
    """Nothing stops it."""

    def check(self) -> None:
        pass

    async def pause(self, delay_s: float) -> bool:
        await asyncio.sleep(delay_s)
        return True


def wrap(store: Store, *, tries: "Tries", slots: Slots, emit: Emit, brake: Brake) -> Store:
    """The whole stack around a bare store."""
    return Retrying(Limited(Observed(store, emit), slots, brake), tries)


class _Wrapper(ABC):
    """Passes every operation through `_around`; a wrapper is what it does there.

    Listings pass by: they are one request at a time, and a consumer that dawdles must not hold a slot.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def limits(self) -> Limits:
        return self._store.limits

    @property
    def place(self) -> str:
        return self._store.place

    @property
    def was_made(self) -> bool:
        return self._store.was_made

    @abstractmethod
    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T: ...

    @doing("preparing the store")
    async def prepare(self) -> None:
        await self._around("prepare", "", self._store.prepare)

    async def undo_prepare(self) -> None:
        await self._around("undo_prepare", "", self._store.undo_prepare)

    @abstractmethod
    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        """On its own in each wrapper, since it is called for every object: by `_around` it would cost three times
        as many coroutines."""

    def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        return self._store.list(prefix, delimiter=delimiter, start_after=start_after)

    async def delete(self, keys: Iterable[str]) -> None:
        # Kept for every attempt: an iterator would be empty at the second.
        every = tuple(keys)
        await self._around("delete", every[0] if every else "", lambda: self._store.delete(every))

    async def stat(self, key: str) -> RemoteObject | None:
        return await self._around("stat", key, lambda: self._store.stat(key))

    async def stat_itself(self, key: str, container: str | None = None) -> RemoteObject | None:
        """The same as `stat` where no object of the wrapped store stands for others."""
        store = self._store
        if not isinstance(store, Itself):
            if container is not None:
                raise Unsupported("stat", key, f"this store does not look into {container}")
            return await self.stat(key)
        return await self._around("stat", key, lambda: store.stat_itself(key, container))

    async def segments(self, key: str, container: str | None = None) -> tuple[Segment, ...]:
        """Raises Unsupported where the wrapped store has no manifests."""
        store = self._store
        if not isinstance(store, Manifests):
            raise Unsupported("manifest", key, "this store tells no segments")
        return await self._around("manifest", key, lambda: store.segments(key, container))

    async def stat_part(self, path: str) -> RemoteObject | None:
        """Raises Unsupported where the wrapped store has no manifests."""
        store = self._store
        if not isinstance(store, Manifests):
            raise Unsupported("stat", path, "this store has no segments")
        return await self._around("stat", path, lambda: store.stat_part(path))

    @property
    def keeps_metadata(self) -> bool:
        return self._store.keeps_metadata

    async def describe(self, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
        """Raises Unsupported where the wrapped store tells no more than `stat`."""
        store = self._store
        if not isinstance(store, Describes):
            raise Unsupported("stat", key, "this store does not tell what stands beside an object")
        return await self._around("stat", key, lambda: store.describe(key))

    async def delete_many(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Raises Unsupported where the wrapped store removes one by one."""
        store = self._store
        if not isinstance(store, Deletes):
            raise Unsupported("delete", keys[0], "this store removes objects one by one")
        return await self._around("delete", keys[0], lambda: store.delete_many(keys))

    async def copy(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        """Raises Unsupported where the wrapped store copies nothing."""
        store = self._store
        if not isinstance(store, Copies):
            raise Unsupported("copy", source, "this store copies nothing by itself")
        return await self._around("copy", key, lambda: store.copy(source, container, key, headers, size))

    def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """Raises Unsupported where the wrapped store gives nothing back. Passes by like a listing."""
        if not isinstance(self._store, Reads):
            raise Unsupported("get", key, "this store gives no objects back")
        return self._store.get(key)

    @doing("asking for the store's limits")
    async def ask_limits(self) -> Limits:
        return await self._around("info", "", self._store.ask_limits)

    async def aclose(self) -> None:
        await self._store.aclose()


class Tries:
    """The one place where failed attempts are made again, as `policy/retry.py` decides."""

    def __init__(self, options: RetryOptions, emit: Emit, brake: Brake) -> None:
        self._options = options
        self._emit = emit
        self._brake = brake

    async def __call__(
        self,
        call: Callable[[], Awaitable[T]],
        *,
        is_first: bool = False,
        attempt: int = 1,
        started: float | None = None,
    ) -> T:
        """`call()` until it succeeds or gives up. `is_first`: nothing of this run has worked yet, so fewer tries.

        `attempt` and `started` (on the clock of `time.monotonic`) go on from attempts that were made before.
        """
        started = time.monotonic() if started is None else started
        while True:
            try:
                return await call()
            except StoreError as error:
                await self.wait_or_give_up(error, attempt, started, is_first=is_first)
            attempt += 1

    @doing(lambda at: f"pausing {at['delay_s']:.1f} s before attempt {at['attempt'] + 1}")
    async def wait_or_give_up(self, error: StoreError, attempt: int, started: float, *, is_first: bool = False) -> None:
        """Returns when attempt `attempt + 1` is due. Raises `error` when there is none."""
        options = self._options
        if is_first:
            options = replace(options, retries=min(options.retries, options.first_retries))
        elapsed_s = time.monotonic() - started
        error.attempts, error.elapsed_s = attempt, elapsed_s
        delay_s = next_delay_s(error, attempt=attempt, elapsed_s=elapsed_s, options=options, random=random)
        if delay_s is None:
            raise error
        self._emit(ev.Retrying(error, attempt, delay_s))
        if not await self._brake.pause(delay_s):
            raise error


class Retrying(_Wrapper):
    """Makes failed operations again. Bodies are replayed from their first byte."""

    def __init__(self, store: Store, tries: Tries) -> None:
        super().__init__(store)
        self._tries = tries

    @property
    def once(self) -> Store:
        """The same store without retries, for who makes what he does again as a whole."""
        return self._store

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        started = time.monotonic()
        try:
            return await self._store.put(key, body, headers)
        except StoreError as error:
            first = error
        try:
            await self._tries.wait_or_give_up(first, 1, started)
            return await self._tries(lambda: self._store.put(key, body, headers), attempt=2, started=started)
        except IntegrityError as error:
            if error.is_stored and error.operation == "put":  # and not of what the body was read from
                await self._remove_damaged(key, error)
            raise

    async def _remove_damaged(self, key: str, error: IntegrityError) -> None:
        """No object is better than a wrong one, which a later run might take for the right one."""
        try:
            await self._store.delete((key,))
        except (StoreError, Stopped) as why:
            error.detail += f"; the damaged object is still there: {why}"
        else:
            error.detail += "; the damaged object is removed"

    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T:
        return await self._tries(call)

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """Tried again as long as nothing has come: who has had a part of it must begin anew himself."""
        started, attempt, has_begun = time.monotonic(), 1, False
        while True:
            try:
                async with aclosing(super().get(key)) as chunks:
                    async for chunk in chunks:
                        has_begun = True
                        yield chunk
            except StoreError as error:
                if has_begun:
                    raise
                await self._tries.wait_or_give_up(error, attempt, started)
            else:
                return
            attempt += 1

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        """A listing that breaks off is resumed behind the last name it gave; each name given renews the tries."""
        started = time.monotonic()
        attempt = 1
        while True:
            try:
                async for item in self._store.list(prefix, delimiter=delimiter, start_after=start_after):
                    started, attempt, start_after = time.monotonic(), 1, item.name
                    yield item
            except StoreError as error:
                await self._tries.wait_or_give_up(error, attempt, started)
            else:
                return
            attempt += 1


class Limited(_Wrapper):
    """As many operations at once as there are slots; the others wait, first come first served.

    Raises Stopped for one whose turn comes when the run is being stopped: nothing new is sent then.
    """

    def __init__(self, store: Store, slots: Slots, brake: Brake) -> None:
        super().__init__(store)
        self._slots = slots
        self._brake = brake

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        if not self._slots.take_at_once():
            await self._slots.take()
        try:
            self._brake.check()
            return await self._store.put(key, body, headers)
        finally:
            self._slots.leave()

    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T:
        if not self._slots.take_at_once():
            await self._slots.take()
        try:
            self._brake.check()
            return await call()
        finally:
            self._slots.leave()


class Observed(_Wrapper):
    """Reports each attempt and how long it took."""

    def __init__(self, store: Store, emit: Emit) -> None:
        super().__init__(store)
        self._emit = emit

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        started_s = time.monotonic()
        try:
            stored = await self._store.put(key, body, headers)
        except BulkputError as error:
            self._emit(ev.Requested("put", key, started_s, time.monotonic() - started_s, body.size, error))
            raise
        self._emit(ev.Requested("put", key, started_s, time.monotonic() - started_s, stored.size, None))
        return stored

    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T:
        started_s = time.monotonic()
        try:
            result = await call()
        except BulkputError as error:
            self._emit(ev.Requested(operation, key, started_s, time.monotonic() - started_s, None, error))
            raise
        self._emit(ev.Requested(operation, key, started_s, time.monotonic() - started_s, None, None))
        return result
