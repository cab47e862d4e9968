"""Takes samples of the run's throughput for `policy/tune.py`, and sets the limit that it decides on.

There is no timer: each attempt that ends checks whether the sample is complete. After a change of the limit, the tuner
first lets as many requests be answered as the old limit allowed in flight, so that no sample mixes two limits. A sample
ends after a quarter of a second if it has enough objects, and after three seconds in any case.
"""

from typing import TYPE_CHECKING, Protocol

from bulkput import events as ev
from bulkput.errors import Throttled
from bulkput.options import WireOptions
from bulkput.policy.tune import Sample, start, tune
from bulkput.stores.slots import Slots

if TYPE_CHECKING:
    from bulkput.stores.pace import Pace
    from bulkput.stores.spread.governor import Governor, HoldsBack

_SHORTEST_S, _LONGEST_S = 0.25, 3.0
"""Length of a sample."""
_ENOUGH = 100
"""Objects in a sample. If the limit is larger, a sample needs as many objects as the limit: answers come in waves."""

_MOSTLY = 0.5
"""Share of a sample in which requests waited for the user's own rate, from which on that rate is the limit."""

_MANY_REFUSED = 8
"""Refused requests in a sample that lower the limit, if they are also at least an eighth of the stored objects."""


class Resizable(Protocol):
    """`engine/pool.py:Pool`, or what stands for workers elsewhere."""

    def resize(self, workers: int, /) -> None: ...


class Tuner:
    """The limit on a run's requests in flight: fixed by the options, or tuned during the run. Events say why."""

    def __init__(
        self,
        options: WireOptions,
        *,
        operations: frozenset[str] = frozenset(("put",)),
        pace: "Pace | HoldsBack | None" = None,
        takes_refusals: bool = True,
    ) -> None:
        """`operations` are the requests whose rate the tuner raises. Of parts of large objects, which are of any size,
        it takes only refusals; it ignores all others. `pace` is that of the run: what it holds back says nothing about
        the store. `takes_refusals`: requests that the store refuses lower the limit; not if each container has a rate
        of its own, which they lower."""
        self._takes_refusals = takes_refusals
        self._operations = operations
        self._pace = pace
        self._waited_s = 0.0
        self.slots = Slots(options.start)
        self._is_fixed = options.concurrency is not None
        self._state = start(options.start, highest=options.highest)
        self._pool: Resizable | None = None
        self._emit: ev.Emit | None = None
        self._to_pass = 0
        """Answers still to come that belong to the old limit."""
        self._began_s = -1.0
        self._stored = self._refused = 0

    @property
    def workers(self) -> int:
        """1.25 x the limit: the workers beyond the limit read and hash their files while they wait for a slot."""
        return self.slots.limit + self.slots.limit // 4

    def resizes(self, pool: Resizable) -> None:
        """Resize `pool` whenever the limit changes."""
        self._pool = pool

    def report_to(self, emit: ev.Emit) -> None:
        """Emit the limit, now and whenever it changes."""
        self._emit = emit
        emit(ev.Tuned(self.slots.limit, "as asked for" if self._is_fixed else self._state.reason.value))

    def __call__(self, event: ev.Requested) -> None:
        """Take the outcome of an attempt."""
        is_refused_part = self._takes_refusals and event.operation == "part" and isinstance(event.error, Throttled)
        if self._is_fixed or (event.operation not in self._operations and not is_refused_part):
            return
        if self._began_s < 0:
            self._begin(event.started_s)  # the run's first request: no request of an older limit is in flight
        if self._to_pass > 0:
            self._to_pass -= 1
            if self._to_pass == 0:
                self._begin(event.started_s + event.elapsed_s)
        elif isinstance(event.error, Throttled) and self._takes_refusals:
            self._count_refusal()
        else:
            self._stored += event.error is None
            self._end_sample(event.started_s + event.elapsed_s - self._began_s)

    def _begin(self, now_s: float) -> None:
        self._began_s = now_s
        self._stored = self._refused = 0
        self._waited_s = self._pace.waited_s if self._pace is not None else 0.0
        self.slots.had_to_wait = False

    def _count_refusal(self) -> None:
        """Lower the limit if the store refuses many requests of one sample.

        A few refusals are normal for a run that uses up a limit per second. Their sample is dropped (`_end_sample`),
        because it contains the pause after the refusals.
        """
        self._refused += 1
        if self._refused >= max(_MANY_REFUSED, self._stored // 8):
            self._decide(Sample(rate=0.0, throttled=self._refused))

    def _end_sample(self, passed_s: float) -> None:
        """Decide if the sample, `passed_s` old, is complete."""
        if passed_s < _SHORTEST_S:
            return
        if self._refused and passed_s >= _LONGEST_S:
            self._begin(self._began_s + passed_s)
        if self._refused:
            return
        if self._stored >= max(_ENOUGH, self.slots.limit) or passed_s >= _LONGEST_S:
            is_paced = self._pace is not None and self._pace.waited_s - self._waited_s >= _MOSTLY * passed_s
            self._decide(Sample(rate=self._stored / passed_s, is_full=self.slots.had_to_wait, is_paced=is_paced))

    def _decide(self, sample: Sample) -> None:
        before = self._state
        self._state = state = tune(before, sample)
        self._to_pass = 1
        if state.limit != before.limit:
            self._to_pass = max(before.limit, 1)
            self.slots.limit = state.limit
            if self._pool is not None:
                self._pool.resize(self.workers)
            if self._emit is not None:
                self._emit(ev.Tuned(state.limit, state.reason.value))


def tuner_of(
    options: WireOptions,
    pace: "Pace | None",
    governor: "Governor | None",
    *,
    operations: frozenset[str] = frozenset(("put",)),
) -> Tuner:
    """The tuner of a run with these rates."""
    held = held_back_by(pace, governor)
    return Tuner(options, operations=operations, pace=held, takes_refusals=governor is None)


def held_back_by(pace: "Pace | None", governor: "Governor | None") -> "Pace | HoldsBack | None":
    """What keeps requests waiting for a rate; None if there is no rate."""
    if pace is None or governor is None:
        return pace or governor
    from bulkput.stores.spread.governor import Either  # noqa: PLC0415 - few runs have a governor

    return Either(pace, governor)
