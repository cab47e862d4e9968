"""The rates that the user asked for: requests wait here for their turn. `policy/pace.py` decides when that is.

New requests pass one at a time, in their order, through one gate for both rates. Pieces of bodies that are being sent
do not queue at the gate, since their connections are in use: a piece waits for at most one new request and one piece of
each other body.

A rate that other runs share (`stores/shared_rate.py`) is waited for last: what it leases has to be used at once.

A run without a rate imports nothing of this.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from bulkput.activity import doing
from bulkput.errors import Stopped, StoreError
from bulkput.events import Emit
from bulkput.model import Body, LargeUpload, ObjectHeaders, Pacing, RemoteObject, Stored, StoredPart
from bulkput.options import WireOptions
from bulkput.policy.pace import Bucket, bytes_bucket, piece_size, requests_bucket
from bulkput.stores.base import Store
from bulkput.stores.powers import Expire, Get, SendPart
from bulkput.stores.tries import Brake
from bulkput.stores.wrapper import Wrapper
from bulkput.transport.pacing import body_waits, paying_again

if TYPE_CHECKING:
    from bulkput.stores.shared_rate import Queued, SharedRate

T = TypeVar("T")
_WAITING = "waiting for the rate that was asked for"
_SHARED = "waiting for the shared rate"


class Pace:
    """The buckets of a run. All stores of the run share it."""

    def __init__(
        self,
        wire: WireOptions,
        brake: Brake,
        *,
        shared: "SharedRate | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`shared` is the rate that this run shares with others, if there is one."""
        self.objects_per_s, self.bytes_per_s = wire.objects_per_s, wire.bytes_per_s
        self._requests = requests_bucket(wire.objects_per_s) if wire.objects_per_s is not None else None
        self._bytes = bytes_bucket(wire.bytes_per_s) if wire.bytes_per_s is not None else None
        self._shared = shared
        self._brake = brake
        self._clock = clock
        self._gate = asyncio.Lock()
        self._waiting = 0
        self._since_s = 0.0
        self._waited_s = 0.0
        self._began_s: float | None = None
        self._paid_until_s = 0.0
        """When the next request could be sent: the time of the last one is part of the time that they took."""
        self._passed_requests = self._passed_bytes = 0

    @property
    def shared_run(self) -> str | None:
        """By which name the service of a shared rate knows the run; None if its rate is its own."""
        return self._shared.run if self._shared is not None else None

    @property
    def is_waiting(self) -> bool:
        """Whether something waits for a rate now, as the user wants it. Any thread may ask. A shared rate whose service
        does not answer is not meant: the run stands still, and the watchdog has to tell."""
        return self._waiting > 0 and not (self._shared is not None and self._shared.is_lost)

    @property
    def waited_s(self) -> float:
        """Seconds so far in which at least one request or piece waited."""
        return self._waited_s + (self._clock() - self._since_s if self._waiting else 0.0)

    def so_far(self) -> Pacing:
        """The rates, and what they have let pass so far."""
        over_s = max(self._clock(), self._paid_until_s) - self._began_s if self._began_s is not None else 0.0
        passed = (self._passed_requests, self._passed_bytes)
        is_shared = self._shared is not None
        return Pacing(self.objects_per_s, self.bytes_per_s, *passed, over_s, self.waited_s, is_shared)

    @asynccontextmanager
    async def opened(self, emit: Emit, *, user_agent: str, token: str | None) -> AsyncIterator[None]:
        """Within the block, keep the rates. Raises RateGone if the one that is shared cannot be had."""
        if self._shared is None:
            yield
            return
        async with self._shared.opened(emit, user_agent=user_agent, token=token):
            self.objects_per_s = _lower(self.objects_per_s, self._shared.objects_per_s)
            self.bytes_per_s = _lower(self.bytes_per_s, self._shared.bytes_per_s)
            yield

    async def admit(self, *, requests: int = 1, size: int = 0) -> None:
        """Return when a request for `requests` objects with `size` bytes in memory may be sent. Raises Stopped."""
        if self._shared is None:
            async with self._gate:
                self._brake.check()
                await self._pass(requests, size)
            return
        queued = self._shared.queue(requests, size)
        try:
            # The watchdog tells of this wait if the service is away; of that for another rate it does not.
            with doing(_SHARED):
                async with self._gate:
                    self._brake.check()
                    await self._pass(requests, size, queued)
        finally:
            queued.leave()

    async def admit_piece(self, size: int) -> float:
        """Return when the next `size` bytes of a body may be sent: the seconds that this took. Raises Stopped."""
        began_s = self._clock()
        await self._pass(0, size)
        return self._clock() - began_s

    def charge(self, *, requests: int = 1, size: int = 0) -> None:
        """Pay for a request for `requests` objects with `size` bytes in memory that was sent again at once: those that
        follow wait."""
        now_s = self._clock()
        self._requests, due_s = _taken(self._requests, requests, now_s)
        self._bytes, _ = _taken(self._bytes, size, now_s)
        if self._shared is not None:
            self._shared.reserve(requests, size)
        self._count(requests, size, due_s)

    async def _pass(self, requests: int, size: int, queued: "Queued | None" = None) -> None:
        now_s = self._clock()
        if self._began_s is None:
            self._began_s = now_s
        self._requests, requests_due_s = _taken(self._requests, requests, now_s)
        self._bytes, bytes_due_s = _taken(self._bytes, size, now_s)
        try:
            await self._wait(max(requests_due_s, bytes_due_s) - now_s)
            if self._shared is not None:
                if queued is not None:
                    queued.leave()
                await self._wait_for_share(self._shared, requests, size)
        except BaseException:  # stopped or cancelled: nothing is sent
            self._requests = self._requests and self._requests.give_back(requests)
            self._bytes = self._bytes and self._bytes.give_back(size)
            raise
        self._count(requests, size, self._clock())

    def _count(self, requests: int, size: int, passed_s: float) -> None:
        self._passed_requests += requests
        self._passed_bytes += size
        if requests and self.objects_per_s is not None:
            self._paid_until_s = passed_s + 1 / self.objects_per_s

    async def _wait(self, delay_s: float) -> None:
        if delay_s <= 0:
            return
        with self._waits(delay_s), doing(_WAITING):
            goes_on = await self._brake.pause(delay_s)
        if not goes_on:
            raise Stopped

    async def _wait_for_share(self, shared: "SharedRate", requests: int, size: int) -> None:
        turn = shared.reserve(requests, size)
        try:
            while (delay_s := shared.wait_s(turn)) > 0:
                with self._waits(delay_s), doing(_SHARED), doing(shared.waits_for):
                    await shared.wait(delay_s)
        except BaseException:  # stopped or cancelled: nothing is sent
            shared.give_back(requests, size)
            raise

    @contextmanager
    def _waits(self, delay_s: float) -> Iterator[None]:
        """Something waits within the block, for `delay_s` as far as is known."""
        began_s = self._clock()
        if not self._waiting:
            self._since_s = began_s
        self._waiting += 1
        body_waits(delay_s)
        try:
            yield
        finally:
            ended_s = self._clock()
            body_waits(ended_s - began_s - delay_s)  # a timer comes late, and a stop early
            if self._waiting == 1:
                self._waited_s += ended_s - self._since_s
            self._waiting -= 1


def _lower(own: float | None, shared: float | None) -> float | None:
    return min((each for each in (own, shared) if each is not None), default=None)


def _taken(bucket: Bucket | None, amount: int, now_s: float) -> tuple[Bucket | None, float]:
    """The bucket without `amount`, and when that may be sent."""
    if bucket is None or not amount:
        return bucket, now_s
    taken = bucket.take(amount, now_s)
    return taken, taken.due_s


class PacedBody:
    """A streamed body whose pieces wait for the rate of bytes. Each attempt pays for its own bytes."""

    data = None

    def __init__(self, body: Body, pace: Pace, bytes_per_s: float) -> None:
        self.size, self.length_hint, self.md5 = body.size, body.length_hint, body.md5
        self._body = body
        self._pace = pace
        self._piece = piece_size(bytes_per_s)
        self.waited_s = 0.0
        """Seconds that pieces have waited."""

    @property
    def unpaid(self) -> Body:
        """See `payload/digest.py:PaidFor`: what is only hashed costs nothing."""
        return self._body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Raises Stopped when the run is being stopped and a piece would have to wait; else like the body."""
        piece = self._piece
        async with aclosing(self._body.chunks()) as chunks:
            async for chunk in chunks:
                for start in range(0, len(chunk), piece):
                    part = chunk[start : start + piece]
                    self.waited_s += await self._pace.admit_piece(len(part))
                    yield part


_UNPACED = frozenset(("prepare", "undo_prepare", "info", "settle", "abort"))
"""A run makes few of the first three. The others complete what was begun, in bounded time."""
_EXPIRY_REQUESTS = 3
"""Two looks at the object, and what is between them."""
_LOGINS = frozenset(("GET", "POST"))
"""Methods of logins, which an operation may have to make: they do not pay."""


class PacedStore(Wrapper):
    """Keeps the rates that the user asked for. Each request costs one object, a removal of several costs as many.

    A body in memory is paid for before its request, since it leaves in one write. Other bodies are paid for piece by
    piece while they are sent, and keep their slot meanwhile: their connection is in use. A request that has paid may
    still wait for a slot, if the store is slower than the rate; after such a stall the waiting workers, a quarter of
    the limit, may start together.
    """

    def __init__(self, store: Store, pace: Pace) -> None:
        super().__init__(store)
        self._pace = pace
        get, get_once, delete_many = store.powers.get, store.powers.get_once, store.powers.delete_many
        expire = store.powers.expire
        self.powers = replace(
            self.powers,
            get=self._read(get, pays_bytes=True) if get is not None else None,
            get_once=self._read(get_once, pays_bytes=False) if get_once is not None else None,
            delete_many=self._counted(delete_many) if delete_many is not None else None,
            expire=self._expiring(expire) if expire is not None else None,
        )

    def _around_another(self, store: Store) -> Store:
        return PacedStore(store, self._pace)

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        return await self._sent(body, lambda paced: self._store.put(key, paced, headers))

    def _sending(self, send_part: SendPart) -> SendPart:
        async def sent(upload: LargeUpload, number: int, body: Body) -> StoredPart:
            return await self._sent(body, lambda paced: send_part(upload, number, paced))

        return sent

    async def _sent(self, body: Body, send: Callable[[Body], Awaitable[T]]) -> T:
        """Call `send` with the body, which is paid for."""
        pace, bytes_per_s = self._pace, self._pace.bytes_per_s
        size = len(body.data) if body.data is not None else 0
        await pace.admit(size=size)
        paced = PacedBody(body, pace, bytes_per_s) if body.data is None and bytes_per_s is not None else None
        try:
            with paying_again(lambda method: pace.charge(size=size) if method == "PUT" else None):
                return await send(paced or body)
        except StoreError as error:
            error.paced_s = paced.waited_s if paced is not None else 0.0
            raise

    async def delete(self, keys: Iterable[str]) -> None:
        every = tuple(keys)
        await self._pace.admit(requests=len(every))
        with paying_again(self._again):
            await self._store.delete(every)

    def _counted(
        self, delete_many: Callable[[tuple[str, ...]], Awaitable[tuple[str, ...]]]
    ) -> Callable[[tuple[str, ...]], Awaitable[tuple[str, ...]]]:
        async def counted(keys: tuple[str, ...]) -> tuple[str, ...]:
            await self._pace.admit(requests=len(keys))
            with paying_again(lambda method: self._pace.charge(requests=len(keys)) if method == "POST" else None):
                return await delete_many(keys)

        return counted

    def _expiring(self, expire: Expire) -> Expire:
        async def expiring(key: str, at_s: int, listed: RemoteObject) -> int:
            await self._pace.admit(requests=_EXPIRY_REQUESTS)
            with paying_again(lambda method: self._pace.charge() if method != "GET" else None):
                return await expire(key, at_s, listed)

        return expiring

    def _read(self, get: Get, *, pays_bytes: bool) -> Get:
        """`get_once` feeds a PUT, which pays for the bytes; others read an object back."""

        async def read(key: str) -> AsyncGenerator[bytes, None]:
            await self._pace.admit()
            async with aclosing(get(key)) as chunks:
                async for chunk in chunks:
                    if pays_bytes:
                        await self._pace.admit_piece(len(chunk))
                    yield chunk

        return read

    async def _around(self, operation: str, key: str, call: Callable[[], Awaitable[T]]) -> T:
        if operation in _UNPACED:
            return await call()
        await self._pace.admit()
        with paying_again(self._again):
            return await call()

    def _again(self, method: str) -> None:
        if method not in _LOGINS:
            self._pace.charge()
