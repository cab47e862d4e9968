"""Decides what each of several runs gets of one cap: the decisions of `bulkput rate`, without its sockets and clock.

Time is cut into slots of a tenth of a second. A run asks for what it wants to send; its lease lets it send some of
that, evenly spread over the slot. One ask gets one lease; a run that does not ask again has nothing to give back.

| when a run asks                                     | it gets                                                  |
|-----------------------------------------------------|----------------------------------------------------------|
| for nothing                                         | an empty lease, at once: it tells the cap                |
| and the slot has something left, nobody waits, and  | what the rest of the slot has of that, at once           |
| it had no lease in this slot                        |                                                          |
| else                                                | its fair share of the next slot, when that begins        |
| and has waited for a second                         | an empty lease: the service lives                        |

Shares are fair in the sense of max-min: no run gets more than it wants; runs that want more than an equal share get the
same, which is all that the others leave. Where whole requests cannot be divided equally, the run comes first that has
had such a request least often.

What is given out in a slot and not used is lost, and so is what no run asked for, up to one request: a cap of one per
minute is not lost between two asks. The slots give out the cap less a twentieth (`MARGIN`). With it no second has more
than the cap, although a timer of the service may be late by 20 ms, and a run may send 30 ms after its time.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bulkput.record import frozen

SLOT_S = 0.1
"""Seconds. A run that has ended takes no more than this from the others, and a new one gets its share after that."""
MARGIN = 1.05
LATE_S = 0.02
"""A slot that begins later than this after the last one's end is not brought forward again: it would have more."""
_ROUNDED = 1e-6
"""A whole slot is 0.09999999 s long by its two ends."""
HOLD_S = 1.0
"""Seconds after which an ask gets an empty lease."""
_FORGET_S = 10.0
"""Seconds after which a run that does not ask is not shown any more."""


@frozen
class Amounts:
    """Requests and bytes."""

    objects: int = 0
    bytes: int = 0

    def __bool__(self) -> bool:
        return self.objects > 0 or self.bytes > 0


@frozen
class Lease:
    """What a run may send within `for_s` seconds, evenly spread. None: there is no cap on these."""

    objects: int | None
    bytes: int | None
    for_s: float

    def __bool__(self) -> bool:
        return bool(self.objects or self.bytes)


def max_min(wanted: Sequence[int], budget: int) -> list[int]:
    """The fair share of each: see above. Earlier ones get what cannot be divided."""
    given = [0] * len(wanted)
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    for place, asker in enumerate(order):
        share, rest = divmod(budget, len(order) - place)
        if wanted[asker] > share:  # and so all that follow: each wants at least one more than the share
            for turn, greedy in enumerate(sorted(order[place:])):
                given[greedy] = share + (turn < rest)
            break
        given[asker] = wanted[asker]
        budget -= wanted[asker]
    return given


@frozen
class Budget:
    """What the current slot has left of a cap on requests or bytes. The first request may be sent at once."""

    per_s: float
    left: float = 1.0

    def next_slot(self) -> "Budget":
        return replace(self, left=min(self.left, 1.0) + self.per_s / MARGIN * SLOT_S)

    def rest(self, remaining_s: float) -> int:
        """What may be given out for the last `remaining_s` of the slot."""
        return math.floor(max(min(self.left, 1.0), self.left * min(1.0, remaining_s / SLOT_S)) + _ROUNDED)

    def without(self, amount: int) -> "Budget":
        return replace(self, left=self.left - amount)


@dataclass(slots=True)
class _Run:
    """What asks: a run, or one of its processes."""

    run: str
    """The run that it is, or belongs to."""
    asked_s: float
    """When it asked for the last time."""
    given_s: float = -math.inf
    """When it got its last lease that was not empty."""
    wants: Amounts | None = None
    """None: it does not wait for a lease."""
    is_sending: bool = False
    """Whether it has ever asked for something."""
    favours: int = 0
    """How often it got a request more than another one that wanted as much."""
    given: deque[tuple[float, Amounts]] = field(default_factory=deque)
    """The leases of the last second."""
    total: Amounts = field(default_factory=Amounts)


@frozen
class RunStatus:
    """A run, for people: what it wants now, what it got in the last second, and so far; all its processes together."""

    run: str
    processes: int
    """How many of them have asked for something. A driver that only hands out files asks for nothing."""
    wants: Amounts | None
    last_second: Amounts
    total: Amounts
    idle_s: float


class SharedCap:
    """One cap and the runs that share it. Times are of one clock, in seconds."""

    def __init__(self, objects_per_s: float | None, bytes_per_s: float | None) -> None:
        self.objects_per_s, self.bytes_per_s = objects_per_s, bytes_per_s
        self._objects = Budget(objects_per_s) if objects_per_s is not None else None
        self._bytes = Budget(bytes_per_s) if bytes_per_s is not None else None
        self._runs: dict[str, _Run] = {}
        self._ends_s = -math.inf
        """When the current slot ends."""
        self._began_s = -math.inf

    @property
    def next_slot_s(self) -> float | None:
        """When `begin_slot` is to be called; None if no run waits."""
        return self._ends_s if any(run.wants is not None for run in self._runs.values()) else None

    def ask(self, name: str, wants: Amounts, now_s: float, *, run_of: str | None = None) -> Lease | None:
        """The lease of a run; None if it has to wait for the next slot. `name` is one of several processes of the run
        `run_of`, if that is given: each has leases of its own."""
        run = self._runs.setdefault(name, _Run(run_of or name, now_s))
        run.asked_s, run.wants = now_s, None
        # A run that is new, or wanted little for a while, has no claim to what the others had meanwhile.
        least = min((each.favours for each in self._runs.values() if each.wants is not None), default=0)
        run.favours = max(run.favours, least - 1)
        wants = Amounts(
            wants.objects if self._objects is not None else 0, wants.bytes if self._bytes is not None else 0
        )
        if not wants:
            return self._lease(Amounts(), SLOT_S)
        run.is_sending = True
        if self.next_slot_s is None:
            if now_s >= self._ends_s:
                self._start_slot(now_s)
            if run.given_s < self._began_s and (lease := self._given(run, self._of_rest(wants, now_s), now_s)):
                return lease
        run.wants = wants
        return None

    def leave(self, name: str) -> None:
        """The run does not wait any more."""
        if (run := self._runs.get(name)) is not None:
            run.wants = None

    def begin_slot(self, now_s: float) -> dict[str, Lease]:
        """Begin the next slot, if the last one has ended. Gives the leases of those that wait no longer."""
        leases: dict[str, Lease] = {}
        if now_s < self._ends_s:
            return leases
        self._start_slot(now_s)
        waiting = [(name, run, run.wants) for name, run in self._runs.items() if run.wants is not None]
        waiting.sort(key=lambda each: (each[1].favours, each[1].given_s))
        objects = max_min([wants.objects for _, _, wants in waiting], _whole(self._objects))
        least = min((n for n, (_, _, wants) in zip(objects, waiting, strict=True) if n < wants.objects), default=None)
        sizes = max_min([wants.bytes for _, _, wants in waiting], _whole(self._bytes))
        for (name, run, _), count, size in zip(waiting, objects, sizes, strict=True):
            lease = self._given(run, Amounts(count, size), now_s)
            run.favours += least is not None and count > least
            if lease or now_s - run.asked_s >= HOLD_S:
                run.wants = None
                leases[name] = lease
        self._forget(now_s)
        return leases

    def status(self, now_s: float) -> list[RunStatus]:
        """The runs of the last seconds, by their names."""
        self._forget(now_s)
        by_run: dict[str, list[_Run]] = {}
        for each in self._runs.values():
            _drop_old(each, now_s)
            by_run.setdefault(each.run, []).append(each)
        return [_status(name, parts, now_s) for name, parts in sorted(by_run.items())]

    def _forget(self, now_s: float) -> None:
        """Forget runs that do not ask any more. One of several processes counts as long as its run does."""
        alive = {run.run for run in self._runs.values() if run.wants is not None or now_s - run.asked_s <= _FORGET_S}
        self._runs = {name: run for name, run in self._runs.items() if run.run in alive}

    def _start_slot(self, now_s: float) -> None:
        self._began_s = now_s
        start_s = self._ends_s if now_s - self._ends_s < LATE_S else now_s
        self._ends_s = start_s + SLOT_S
        self._objects = self._objects and self._objects.next_slot()
        self._bytes = self._bytes and self._bytes.next_slot()

    def _of_rest(self, wants: Amounts, now_s: float) -> Amounts:
        remaining_s = self._ends_s - now_s
        objects = self._objects.rest(remaining_s) if self._objects is not None else 0
        size = self._bytes.rest(remaining_s) if self._bytes is not None else 0
        return Amounts(min(wants.objects, objects), min(wants.bytes, size))

    def _given(self, run: _Run, amounts: Amounts, now_s: float) -> Lease:
        """Book it, and make a lease of it that ends with the slot."""
        if amounts:
            self._objects = self._objects and self._objects.without(amounts.objects)
            self._bytes = self._bytes and self._bytes.without(amounts.bytes)
            run.given_s = now_s
            run.given.append((now_s, amounts))
            run.total = Amounts(run.total.objects + amounts.objects, run.total.bytes + amounts.bytes)
            _drop_old(run, now_s)
        # The lateness of this slot is no part of its length: a lease that is shorter would be spent faster.
        is_new = now_s == self._began_s
        return self._lease(amounts, SLOT_S if is_new else max(self._ends_s - now_s, SLOT_S / 10))

    def _lease(self, amounts: Amounts, for_s: float) -> Lease:
        return Lease(
            amounts.objects if self._objects is not None else None,
            amounts.bytes if self._bytes is not None else None,
            for_s,
        )


def _whole(budget: Budget | None) -> int:
    return math.floor(budget.left) if budget is not None else 0


def _status(name: str, parts: Sequence[_Run], now_s: float) -> RunStatus:
    waiting = [part.wants for part in parts if part.wants is not None]
    return RunStatus(
        name,
        sum(part.is_sending for part in parts),
        _sum(waiting) if waiting else None,
        _sum([amounts for part in parts for _, amounts in part.given]),
        _sum([part.total for part in parts]),
        0.0 if waiting else now_s - max(part.asked_s for part in parts),
    )


def _sum(amounts: Sequence[Amounts]) -> Amounts:
    return Amounts(sum(each.objects for each in amounts), sum(each.bytes for each in amounts))


def _drop_old(run: _Run, now_s: float) -> None:
    while run.given and run.given[0][0] <= now_s - 1.0:
        run.given.popleft()
