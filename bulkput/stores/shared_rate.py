"""A run's side of a shared rate: it asks the service (`bulkput/rates/`) for leases, and says when to send a request.

One task of the run asks, ahead of the requests: with the answer to one ask it makes the next, as long as requests are
sent or wait. `policy/leased.py` decides what it asks for and how leases are spent; `stores/pace.py` waits here.

If the service does not answer, the run sends nothing more than it was leased, which is some tenths of a second's worth.
It asks on, says so once, and goes on when there is an answer.
"""

import asyncio
import json
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from bulkput.errors import RateGone, Stopped
from bulkput.events import Emit, Warned
from bulkput.options import WireOptions
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.leased import Leased, service_url, wanted
from bulkput.policy.shared_cap import Lease
from bulkput.record import frozen
from bulkput.stores.tries import Brake
from bulkput.transport.base import Transport, TransportError
from bulkput.transport.route import open_transport

VARIABLE = "BULKPUT_RATE_TOKEN"
_PATIENCE_S = 5.0
"""Seconds for an answer, which takes one at most."""
_FIRST_PAUSES_S = (0.25, 0.5, 1.0, 2.0)
"""Before the run begins: a service that was started beside it needs a moment. A wrong address is told soon."""
_FIRST_S = 4.0
"""Seconds for all of that: what takes the connection and says nothing is no service either."""
_START_IT = "start it there, or correct the URL"
_NAME_IT = "name the URL that the service has printed"
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0)
_QUIET_S = 1.0
"""A service that is away for less is not mentioned."""
_STEP_S = 1.0
"""The longest wait at a time. The deadline of a body that waits is put off by each."""
_FOREVER_S = 1e7


@frozen
class Turn:
    """What a request has reserved: where it ends in the order of all requests and of all bytes."""

    requests: float
    size: float


class Queued:
    """A request that waits for those before it, and has reserved nothing. `leave` when it has, or gives up."""

    __slots__ = ("_rate", "_requests", "_size")

    def __init__(self, rate: "SharedRate", requests: int, size: int) -> None:
        self._rate, self._requests, self._size = rate, requests, size
        rate.queued_requests += requests
        rate.queued_bytes += size

    def leave(self) -> None:
        self._rate.queued_requests -= self._requests
        self._rate.queued_bytes -= self._size
        self._requests = self._size = 0


class SharedRate:
    """Leases of one service. All stores of a run share it."""

    def __init__(
        self,
        wire: WireOptions,
        url: str,
        brake: Brake,
        *,
        run: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`run` is the name of the run that this process sends a part of. Raises UsageError if `url` is none."""
        self._url = service_url(url)
        self._wire = replace(wire, timeout_s=_PATIENCE_S, connect_timeout_s=_PATIENCE_S, transport="wire")
        self._brake = brake
        self._clock = clock
        name = f"{_host()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.run = run or name
        """By which the service knows the run."""
        self._who = {"run": name} if run is None else {"run": run, "process": name}
        self._requests: Leased | None = Leased(unit=1)
        self._bytes: Leased | None = Leased(unit=0)
        """None: the service has no cap on these."""
        self.queued_requests = self.queued_bytes = 0
        self._taken_requests = self._taken_bytes = 0
        """Since the last ask."""
        self.objects_per_s: float | None = None
        self.bytes_per_s: float | None = None
        """The caps of the service, known once it is open."""
        self._is_open = self._is_stopped = False
        self._changed, self._needed = asyncio.Event(), asyncio.Event()
        self._lost_s: float | None = None
        self._bug: BaseException | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the service does not answer. Any thread may ask."""
        return self._lost_s is not None

    @property
    def waits_for(self) -> str:
        """What a request waits for, in words."""
        return f"{self._url} does not answer" if self.is_lost else "the next lease"

    @asynccontextmanager
    async def opened(self, emit: Emit, *, user_agent: str, token: str | None) -> AsyncIterator[None]:
        """Ask for leases within the block; if it is open already, the outer block does. Raises RateGone if there is no
        service of shared rates at the URL."""
        if self._is_open:
            yield
            return
        async with aclosing(open_transport(self._wire, user_agent=user_agent)) as transport:
            service = _Service(transport, self._url, self._who, token)
            await self._begin(service)
            self._is_open = True
            tasks = [
                asyncio.create_task(self._ask(service, emit), name="bulkput-shared-rate"),
                asyncio.create_task(self._watch_brake(), name="bulkput-shared-rate-stop"),
            ]
            for task in tasks:
                task.add_done_callback(self._note_bug)
            try:
                yield
            finally:
                self._is_open = False
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    def queue(self, requests: int, size: int) -> Queued:
        """Count a request that will be reserved when those before it have gone."""
        self._needed.set()
        return Queued(self, requests, size)

    def reserve(self, requests: int, size: int) -> Turn:
        """Take what a request needs, behind all that others took. It may be sent when `wait_s` is 0."""
        now_s = self._clock()
        self._requests = self._requests and self._requests.take(requests, now_s)
        self._bytes = self._bytes and self._bytes.take(size, now_s)
        self._taken_requests += requests
        self._taken_bytes += size
        self._needed.set()
        return Turn(
            self._requests.taken if self._requests is not None and requests else 0.0,
            self._bytes.taken if self._bytes is not None and size else 0.0,
        )

    def give_back(self, requests: int, size: int) -> None:
        """Take back what was reserved and not sent."""
        self._requests = self._requests and self._requests.give_back(requests)
        self._bytes = self._bytes and self._bytes.give_back(size)
        self._taken_requests -= requests
        self._taken_bytes -= size

    def wait_s(self, turn: Turn) -> float:
        """How long to wait before the next look, at most a second. 0: it may be sent."""
        now_s, due_s = self._clock(), 0.0
        for leased, position in ((self._requests, turn.requests), (self._bytes, turn.size)):
            if leased is None or not position:
                continue
            if (when_s := leased.when(position)) is None:
                return _STEP_S
            due_s = max(due_s, when_s)
        return min(max(0.0, due_s - now_s), _STEP_S)

    async def wait(self, delay_s: float) -> None:
        """Wait for `delay_s`, or for the next lease if that comes first. Raises Stopped if the run is being stopped."""
        if not self._is_stopped and self._bug is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._changed.wait()
        if self._bug is not None:
            raise self._bug
        if self._is_stopped:
            raise Stopped

    async def _begin(self, service: "_Service") -> None:
        """Learn the caps. If the run is being stopped meanwhile, it returns without: nothing will be sent."""
        learning = asyncio.create_task(self._learn(service), name="bulkput-shared-rate-caps")
        limit = asyncio.create_task(self._brake.pause(_FIRST_S), name="bulkput-shared-rate-limit")
        try:
            await asyncio.wait((learning, limit), return_when=asyncio.FIRST_COMPLETED)
            if learning.done():
                learning.result()
            elif limit.result():
                text = f"the service of the shared rate does not answer at {self._url} within {_FIRST_S:.0f} s"
                raise RateGone(f"`wire.rate_shared`: {text}: {_START_IT}")
        finally:
            learning.cancel()
            limit.cancel()
            await asyncio.wait((learning, limit))

    async def _learn(self, service: "_Service") -> None:
        for pause_s in (*_FIRST_PAUSES_S, None):
            try:
                _, cap = await service.ask(0, 0)
            except _NoLeaseError as error:
                if pause_s is None or not error.may_pass:
                    raise RateGone(f"`wire.rate_shared`: {error}; {error.advice}") from None
                await asyncio.sleep(pause_s)
            else:
                self.objects_per_s, self.bytes_per_s = cap
                self._requests = self._requests if cap[0] is not None else None
                self._bytes = self._bytes if cap[1] is not None else None
                return

    async def _ask(self, service: "_Service", emit: Emit) -> None:
        failures, is_told = 0, False
        while True:
            requests, size = self._next()
            if not requests and not size:
                self._needed.clear()
                await self._needed.wait()
                continue
            try:
                lease, _ = await service.ask(requests, size)
            except _NoLeaseError as error:
                if self._lost_s is None:
                    self._lost_s = self._clock()
                    self._wake()  # they note what they wait for
                if not is_told and self._clock() - self._lost_s >= _QUIET_S:
                    is_told = True
                    emit(Warned(f"{error}: requests wait until the shared rate is there again"))
                # What was to be sent is asked for again.
                await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1
                continue
            if is_told and self._lost_s is not None:
                away_s = self._clock() - self._lost_s
                emit(Warned(f"the shared rate at {self._url} is there again, after {away_s:.0f} s"))
            failures, is_told, self._lost_s = 0, False, None
            self._add(lease)

    def _next(self) -> tuple[int, int]:
        """What to ask for: requests and bytes."""
        now_s = self._clock()
        requests = _wanted(self._requests, self.queued_requests, self._taken_requests, now_s)
        size = _wanted(self._bytes, self.queued_bytes, self._taken_bytes, now_s)
        self._taken_requests = self._taken_bytes = 0
        return requests, size

    def _add(self, lease: Lease) -> None:
        now_s = self._clock()
        # A service that was started again may have another cap: None then lets all pass, as it says.
        self._requests = _more(self._requests, lease.objects, lease.for_s, now_s, unit=1)
        self._bytes = _more(self._bytes, lease.bytes, lease.for_s, now_s, unit=0)
        self._wake()

    def _wake(self) -> None:
        """Let all that wait look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _watch_brake(self) -> None:
        while await self._brake.pause(_FOREVER_S):
            pass
        self._is_stopped = True
        self._wake()

    def _note_bug(self, task: asyncio.Task[None]) -> None:
        """A task that ends by an error of ours leaves nobody to ask: those that wait raise it."""
        if not task.cancelled() and (bug := task.exception()) is not None:
            self._bug = bug
            self._wake()


def _wanted(leased: Leased | None, queued: int, taken: int, now_s: float) -> int:
    if leased is None:
        return 0
    is_short = queued > 0 or leased.is_short(now_s)
    return wanted(is_short=is_short, uncovered=leased.uncovered + queued, taken=taken, last=leased.last)


def _more(leased: Leased | None, amount: int | None, for_s: float, now_s: float, *, unit: float) -> Leased | None:
    if amount is None:
        return None
    return (leased or Leased(unit=unit)).lease(amount, for_s, now_s)


def _host() -> str:
    """This machine's name, as far as the service takes it."""
    name = "".join(
        each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in socket.gethostname()
    )
    return name[:60] or "host"


class _NoLeaseError(Exception):
    """No lease came; the text says why. `may_pass`: the service may be restarting. `advice` is what the user can do."""

    def __init__(self, text: str, *, may_pass: bool, advice: str) -> None:
        super().__init__(text)
        self.may_pass = may_pass
        self.advice = advice


class _Service:
    """The service at a URL."""

    def __init__(self, transport: Transport, url: str, who: Mapping[str, str], token: str | None) -> None:
        self._transport = transport
        self._url = url
        self._who = who
        self._token = token

    async def ask(self, requests: int, size: int) -> tuple[Lease, tuple[float | None, float | None]]:
        """A lease, and the caps of the service. Raises _NoLeaseError."""
        body = BytesBody.of(json.dumps({**self._who, "objects": requests, "bytes": size}).encode())
        fields = {"Content-Type": "application/json"}
        if self._token is not None:
            fields["Authorization"] = f"Bearer {self._token}"
        try:
            answer = await self._transport.request("POST", f"{self._url}/lease", fields, body)
        except TransportError as error:
            text = f"the service of the shared rate does not answer at {self._url}: {error}"
            raise _NoLeaseError(text, may_pass=not error.is_permanent, advice=_START_IT) from None
        if answer.status == 401:
            wants = f"refuses the token of {VARIABLE}" if self._token is not None else "wants a token"
            text = f"the service of the shared rate at {self._url} {wants}"
            raise _NoLeaseError(text, may_pass=False, advice=f"set {VARIABLE} to the word that the service was given")
        if answer.status != 200 or (found := _parsed(answer.body)) is None:
            text = f"what answers at {self._url} is no service of shared rates (status {answer.status})"
            raise _NoLeaseError(text, may_pass=answer.status >= 500, advice=_NAME_IT)
        return found


def _parsed(body: bytes) -> tuple[Lease, tuple[float | None, float | None]] | None:
    """None if it is no lease."""
    try:
        told = json.loads(body)
        cap = told["cap"]
        lease = Lease(_whole(told["objects"]), _whole(told["bytes"]), float(told["for_s"]))
        caps = _number(cap["objects_per_s"]), _number(cap["bytes_per_s"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (lease, caps) if 0 < lease.for_s <= 60 else None


def _whole(value: Any) -> int | None:
    if value is not None and (not isinstance(value, int) or value < 0):
        raise ValueError
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if not 0 < float(value) < float("inf"):
        raise ValueError
    return float(value)
