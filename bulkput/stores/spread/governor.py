"""The rate of each container: what was asked for, what the cluster says, and what refusals teach.

`policy/container_rate.py` decides. A container that is slow, or refuses, holds back its own requests only. What would
wait for long is not given to a worker at all (`engine/upload/turns.py`): so a slow container does not take the workers
of the others.

A run without such rates imports nothing of this.
"""

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import Protocol

from bulkput.activity import doing
from bulkput.errors import Stopped, printable
from bulkput.policy.container_rate import Learned, RateSteps, container_bucket, rate_at
from bulkput.policy.pace import Bucket
from bulkput.stores.tries import Brake

_WAITING = "waiting for the rate of its container"
_LONGEST_PAUSE_S = 120.0
"""The longest Retry-After that a container is left alone for, as in `RetryOptions.max_retry_after_s`."""
_TOLD = 3
"""Containers that are told by name when they refuse. They are mostly alike, and may be thousands."""


class HoldsBack(Protocol):
    """What keeps requests waiting for a rate (`stores/pace.py:Pace` too)."""

    @property
    def is_waiting(self) -> bool: ...

    @property
    def waited_s(self) -> float: ...


class Either:
    """Several that hold back, as one."""

    def __init__(self, *parts: HoldsBack) -> None:
        self._parts = parts

    @property
    def is_waiting(self) -> bool:
        return any(part.is_waiting for part in self._parts)

    @property
    def waited_s(self) -> float:
        return max(part.waited_s for part in self._parts)


class Ticket:
    """An item in a worker's hands that will send a request to a container. It counts there until that request takes
    its turn, or the item is done with."""

    __slots__ = ("_container", "_done", "_lane")

    def __init__(self, lane: "_Lane", container: str, done: Callable[[str], None]) -> None:
        self._lane: _Lane | None = lane
        self._container = container
        self._done = done
        lane.handed += 1

    def use(self) -> bool:
        """The request takes its turn now. False if the ticket was used before, as it is for a retry."""
        if (lane := self._lane) is None:
            return False
        self._lane = None
        lane.handed -= 1
        return True

    def leave(self) -> None:
        """The item is done with. If no request has taken its turn, the next item may have it."""
        if self.use():
            self._done(self._container)


ticket: ContextVar[Ticket | None] = ContextVar("bulkput.ticket", default=None)
"""That of the item which this task handles."""


class _Lane:
    """What is known of one container."""

    __slots__ = ("bucket", "handed", "learned", "objects", "rate", "second", "steps", "taken", "taken_before")

    def __init__(self) -> None:
        self.rate: float | None = None
        self.bucket: Bucket | None = None
        self.learned = Learned()
        self.steps: RateSteps = ()
        self.objects = 0
        """Objects that the container holds, as far as a rate depends on it."""
        self.handed = 0
        """Items that workers have, and whose requests have not taken their turn."""
        self.second = 0
        self.taken = self.taken_before = 0
        """Requests in the present second, and in the one before."""

    def adapt(self, asked: float | None, now_s: float, share: float) -> None:
        """Give the bucket the present rate, of which this process has a `share`."""
        known = [share * rate for rate in (asked, rate_at(self.steps, self.objects)) if rate is not None]
        if self.learned.rate is not None:
            self.learned = self.learned.later(now_s)
            if known and self.learned.rate is not None and self.learned.rate >= min(known):
                self.learned = Learned()
        rate = min((*known, *([self.learned.rate] if self.learned.rate is not None else ())), default=None)
        if rate == self.rate:
            return
        self.rate = rate
        if rate is None:
            self.bucket = None
            return
        new = container_bucket(rate)
        old = self.bucket
        self.bucket = new if old is None else replace(new, due_s=old.due_s)

    def count(self, requests: int, now_s: float) -> None:
        second = int(now_s)
        if second != self.second:
            self.taken_before = self.taken if second == self.second + 1 else 0
            self.second, self.taken = second, 0
        self.taken += requests
        self.objects += requests

    def in_last_second(self, now_s: float) -> float:
        """Requests in the second before now, as if those of each whole second were spread evenly over it."""
        if int(now_s) - self.second > 1:
            return 0.0
        if int(now_s) != self.second:
            return self.taken * (1 - now_s % 1)
        return self.taken + self.taken_before * (1 - now_s % 1)


class Governor:
    """The rates of a run's containers. All stores of the run share it."""

    def __init__(self, asked: float | None, brake: Brake, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`asked` is the rate of each container that the user asked for."""
        self.asked = asked
        self.share = 1.0
        """What this process has of each rate, if several send to the same containers."""
        self.has_turns = False
        """Whether items wait for their turn before workers get them: then `note_idle` says when that holds the run
        back."""
        self.tell: Callable[[str], None] = _ignore
        """Takes a sentence about containers that refuse."""
        self._brake = brake
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        self._refusing: set[str] = set()
        self._waiting = 0
        self._is_idle = False
        self._since_s = 0.0
        self._waited_s = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether something waits for a container's rate now. Any thread may ask."""
        return self._is_idle or self._waiting > 0

    @property
    def waited_s(self) -> float:
        """Seconds so far in which the rates held the run back."""
        return self._waited_s + (self._clock() - self._since_s if self._is_idle else 0.0)

    @property
    def containers(self) -> Mapping[str, float | None]:
        """The present rates of the containers that requests were sent to; None: no limit is known."""
        return {name: lane.rate for name, lane in self._lanes.items()}

    def know(self, steps: RateSteps, objects: Mapping[str, int]) -> None:
        """The cluster limits containers by `steps`, and the containers hold so many objects."""
        for container, count in objects.items():
            lane = self._lane(container)
            lane.steps, lane.objects = steps, count

    def due_s(self, container: str, now_s: float) -> float:
        """When the next item for the container may be sent, behind those that workers have already, as of now."""
        lane = self._lane(container)
        lane.adapt(self.asked, now_s, self.share)
        return now_s if lane.bucket is None else lane.bucket.take(lane.handed + 1, now_s).due_s

    def now_s(self) -> float:
        return self._clock()

    def ticket(self, container: str, done: Callable[[str], None]) -> Ticket:
        """For an item that a worker gets now. `done` is called when the ticket is left."""
        return Ticket(self._lane(container), container, done)

    def note_idle(self, *, is_idle: bool) -> None:
        """Whether workers have nothing to do because no container's turn has come."""
        if is_idle != self._is_idle:
            now_s = self._clock()
            if self._is_idle:
                self._waited_s += now_s - self._since_s
            self._since_s = now_s
            self._is_idle = is_idle

    async def admit(self, *requests: tuple[str, int]) -> None:
        """Return when so many requests may be sent to each of these containers. Raises Stopped."""
        if (mine := ticket.get()) is not None:
            mine.use()
        now_s = due_s = self._clock()
        lanes = [(self._lane(container), count) for container, count in requests]
        for lane, count in lanes:
            lane.adapt(self.asked, now_s, self.share)
            if lane.bucket is not None:
                lane.bucket = lane.bucket.take(count, now_s)
                due_s = max(due_s, lane.bucket.due_s)
        if due_s > now_s:
            await self._wait(lanes, due_s - now_s)
            now_s = self._clock()
        for lane, count in lanes:
            lane.count(count, now_s)

    def charge(self, container: str, requests: int = 1) -> None:
        """Pay for requests that were sent again at once."""
        lane, now_s = self._lane(container), self._clock()
        if lane.bucket is not None:
            lane.bucket = lane.bucket.take(requests, now_s)
        lane.count(requests, now_s)

    def refused(self, container: str, retry_after_s: float | None) -> None:
        """The container has refused a request. Send it fewer, and none before `retry_after_s` seconds have passed."""
        lane, now_s = self._lane(container), self._clock()
        before = lane.learned
        taken = max(0.0, lane.in_last_second(now_s) - 1)
        lane.learned = before.refused(now_s=now_s, rate=lane.rate, taken=taken)
        lane.adapt(self.asked, now_s, self.share)
        if lane.bucket is not None and retry_after_s is not None:
            free_s = now_s + min(retry_after_s, _LONGEST_PAUSE_S)
            lane.bucket = replace(lane.bucket, due_s=max(lane.bucket.due_s, free_s))
        if container not in self._refusing:
            self._refusing.add(container)
            self._say(container, lane.rate)

    def _say(self, container: str, rate: float | None) -> None:
        count = len(self._refusing)
        if count <= _TOLD:
            shown = f"{rate:.0f}/s" if rate is not None and rate >= 10 else f"{rate:.1f}/s"
            self.tell(
                f"container {printable(container)} refuses requests: it gets {shown} from now on, and more or less as"
                " it answers; `wire.container_objects_per_s` sets the rate of each container"
            )
        elif count == _TOLD + 1:
            self.tell("further containers refuse requests, too: each gets a rate of its own")

    def _lane(self, container: str) -> _Lane:
        if (lane := self._lanes.get(container)) is None:
            lane = self._lanes[container] = _Lane()
        return lane

    async def _wait(self, lanes: list[tuple[_Lane, int]], delay_s: float) -> None:
        if not self.has_turns:
            self.note_idle(is_idle=True)
        self._waiting += 1
        goes_on = False
        try:
            with doing(_WAITING):
                goes_on = await self._brake.pause(delay_s)
        finally:
            for lane, count in () if goes_on else lanes:  # stopped or cancelled: nothing is sent
                lane.bucket = lane.bucket and lane.bucket.give_back(count)
            self._waiting -= 1
            if not self.has_turns and not self._waiting:
                self.note_idle(is_idle=False)
        if not goes_on:
            raise Stopped


def _ignore(_why: str) -> None:
    """For callers that show no warnings."""
