"""Feeds `policy/tune.py` with what the run shows, and does what it says.

There is no timer: each answered request looks whether a sample is complete. A sample begins when as many requests
have been answered as were in flight when the limit changed, so that none of it belongs to the limit before; it ends
after a quarter of a second and enough objects to tell a difference, or after three seconds all the same.
"""

from typing import Any

from bulkput import events as ev
from bulkput.engine.pool import Pool
from bulkput.errors import Throttled
from bulkput.options import WireOptions
from bulkput.policy.tune import Sample, start, tune
from bulkput.stores.slots import Slots

_SHORTEST_S, _LONGEST_S = 0.25, 3.0
_ENOUGH = 100
"""Objects in a sample; for a larger limit as many as that, since answers come in waves."""

_MANY_REFUSED = 8
"""Refused requests of a sample that count as a wish of the store, if they are an eighth of the answers as well."""


class Tuner:
    """The limit on a run's requests in flight: as asked for, or moved while the run goes on, and an event says why."""

    def __init__(self, options: WireOptions, *, operations: frozenset[str] = frozenset(("put",))) -> None:
        """`operations` are the requests that the limit is to make fast; others say nothing about it."""
        self._operations = operations
        self.slots = Slots(options.start)
        self._is_fixed = options.concurrency is not None
        self._state = start(options.start, highest=options.highest)
        self._pool: Pool[Any] | None = None
        self._emit: ev.Emit | None = None
        self._to_pass = 0
        """Answers that still belong to the limit before."""
        self._began_s = -1.0
        self._stored = self._refused = 0

    @property
    def workers(self) -> int:
        """A few more than requests in flight: while one waits for its slot, its file is read and hashed."""
        return self.slots.limit + self.slots.limit // 4

    def resizes(self, pool: Pool[Any]) -> None:
        """Have `pool` follow the limit."""
        self._pool = pool

    def report_to(self, emit: ev.Emit) -> None:
        """Tell the limit, now and whenever it changes."""
        self._emit = emit
        emit(ev.Tuned(self.slots.limit, "as asked for" if self._is_fixed else self._state.reason.value))

    def __call__(self, event: ev.Event) -> None:
        """See an event of the run; only requests matter."""
        if self._is_fixed or not isinstance(event, ev.Requested) or event.operation not in self._operations:
            return
        if self._began_s < 0:
            self._begin(event.started_s)  # of the run: nothing was in flight before
        if self._to_pass > 0:
            self._to_pass -= 1
            if self._to_pass == 0:
                self._begin(event.started_s + event.elapsed_s)
        elif isinstance(event.error, Throttled):
            self._refuse()
        else:
            self._stored += event.error is None
            self._look(event.started_s + event.elapsed_s - self._began_s)

    def _begin(self, now_s: float) -> None:
        self._began_s = now_s
        self._stored = self._refused = 0
        self.slots.had_to_wait = False

    def _refuse(self) -> None:
        """Many refusals in one sample ask for fewer requests in flight. A few are what it costs to use up a limit per
        second; their sample says nothing about the rate, since the pause after them is part of it."""
        self._refused += 1
        if self._refused >= max(_MANY_REFUSED, self._stored // 8):
            self._decide(Sample(rate=0.0, throttled=self._refused))

    def _look(self, passed_s: float) -> None:
        if passed_s < _SHORTEST_S:
            return
        if self._refused and passed_s >= _LONGEST_S:
            self._begin(self._began_s + passed_s)
        if self._refused:
            return
        if self._stored >= max(_ENOUGH, self.slots.limit) or passed_s >= _LONGEST_S:
            self._decide(Sample(rate=self._stored / passed_s, is_full=self.slots.had_to_wait))

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
