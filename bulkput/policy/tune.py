"""How many requests to have in flight: climbs while more of them store more objects, and comes down when they do not.

Steps go along a ladder (1 2 3 4 6 8 12 16 ... each a third to a half more than the one before). At any time there is a
base, a limit that is trusted with the rate that was seen there, and perhaps a trial of another limit.

| there is                | and the sample says                              | then                                    |
|-------------------------|--------------------------------------------------|-----------------------------------------|
| anything                | the store throttled (429, 498, 503) an eighth    | half the limit, and rest there          |
| no trial, rest          | anything                                         | the base's rate follows; rest a step    |
| no trial                | nothing waits for a slot, or nothing is stored   | rest: more slots would stay empty       |
| no trial                | the last trial, one of more, was in vain         | try fewer                               |
| no trial                | otherwise                                        | try more                                |
| a trial of more         | at least a third of the gain that is possible    | the new base; try still more, faster    |
| a trial of more         | less                                             | back; what was added only makes waiting |
| a trial of fewer        | the same rate but for 4 %                        | the new base; try still fewer, faster   |
| a trial of fewer        | less                                             | back; rest                              |

Rests grow longer while nothing changes, so that once settled the limit stands still most of the time and moves by
one step of the ladder at most. Rates are objects per second, not bytes: many small files are what is hard.

After azcopy's tuner (its `concurrencyTuner.go` returns a limit and a reason), which only goes up; going down again is
what stores with a silent rate limit need: Swift's ratelimit middleware holds requests back for up to 60 s without a
word, so that more requests in flight are just more that wait.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_GAIN = 1 / 3
"""Of the gain that would be possible if requests took no longer: below that, most of what is added waits."""
_SAME = 0.96
"""Of the base's rate: what a smaller limit has to reach. A sample of some hundred objects is no more exact."""
_FIRST_REST, _LONGEST_REST = 4, 32
_LOWEST = 8
"""Fewer are not tried unasked: one slow request among so few would be an eighth of all that goes on."""


class LimitReason(StrEnum):
    """Why the limit is what it is."""

    START = "where it begins"
    THROTTLED = "the store asks to slow down"
    TRY_MORE = "trying whether more in flight store more"
    TRY_FEWER = "requests wait for each other: trying with fewer"
    FASTER = "more in flight store more"
    NO_FASTER = "more in flight only wait longer"
    AS_FAST = "as fast with fewer in flight"
    SLOWER = "slower with fewer in flight"
    SETTLED = "neither more nor fewer store more"
    IDLE = "there is not enough to do for more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A stretch of the run at one limit: objects stored per second, how many were refused by a throttling store, and
    whether any request waited for a slot. How long a request takes is `limit / rate` then (Little's law)."""

    rate: float
    throttled: int = 0
    is_full: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What the tuner knows. `limit` is what is to be in flight now; `reason` is why."""

    limit: int
    reason: LimitReason = LimitReason.START
    base: int
    """The limit that is trusted; differs from `limit` during a trial."""
    base_rate: float = 0.0
    rest: int = 0
    """Samples to pass before the next trial."""
    next_rest: int = _FIRST_REST
    stride: int = 1
    """Steps of the ladder at once: more after a success."""
    tried_more: bool = False
    """The last trial that failed was one of more."""
    highest: int = LADDER[-1]


def start(limit: int, *, highest: int) -> Tuning:
    """Begin at `limit`; never go beyond `highest`. The first steps are long ones."""
    limit = min(limit, highest)
    return Tuning(limit=limit, base=limit, highest=highest, stride=2)


def tune(state: Tuning, sample: Sample) -> Tuning:
    """The next state: its `limit` holds until the next sample, which has to be taken under it from begin to end."""
    if sample.throttled:
        half = max(1, state.limit // 2)
        return replace(
            state, limit=half, base=half, base_rate=0.0, reason=LimitReason.THROTTLED,
            rest=state.next_rest, next_rest=_longer(state), stride=1, tried_more=True,
        )  # fmt: skip
    if state.limit > state.base:
        return _after_more(state, sample)
    if state.limit < state.base:
        return _after_fewer(state, sample)
    return _without_trial(state, sample)


def _without_trial(state: Tuning, sample: Sample) -> Tuning:
    rate = 0.7 * state.base_rate + 0.3 * sample.rate if state.base_rate else sample.rate
    state = replace(state, base_rate=rate)
    if state.rest:
        return replace(state, rest=state.rest - 1)
    if state.tried_more:
        fewer = _step(state, -state.stride)
        if fewer < state.limit:
            return replace(state, limit=fewer, reason=LimitReason.TRY_FEWER)
    if not sample.is_full or not sample.rate:
        return replace(state, reason=LimitReason.IDLE, rest=1)
    more = _step(state, state.stride)
    if more == state.limit:
        return _resting(state, LimitReason.SETTLED)
    return replace(state, limit=more, reason=LimitReason.TRY_MORE)


def _after_more(state: Tuning, sample: Sample) -> Tuning:
    possible = state.limit / state.base - 1
    if sample.rate > 0 and sample.rate >= state.base_rate * (1 + _GAIN * possible):
        return replace(
            state, base=state.limit, base_rate=sample.rate, reason=LimitReason.FASTER,
            stride=2, tried_more=False, next_rest=_FIRST_REST,
        )  # fmt: skip
    back = replace(state, limit=state.base, tried_more=True)
    if state.stride > 1:  # perhaps a shorter step
        return replace(back, stride=1, reason=LimitReason.NO_FASTER, rest=1)
    return _resting(back, LimitReason.NO_FASTER)


def _after_fewer(state: Tuning, sample: Sample) -> Tuning:
    if sample.rate > 0 and sample.rate >= state.base_rate * _SAME:
        # The rate to reach stays the old base's, or many small losses would add up.
        return replace(state, base=state.limit, reason=LimitReason.AS_FAST, stride=2, next_rest=_FIRST_REST)
    back = replace(state, limit=state.base)
    if state.stride > 1:
        return replace(back, stride=1, reason=LimitReason.SLOWER, rest=1)
    return _resting(replace(back, tried_more=False), LimitReason.SLOWER)


def _resting(state: Tuning, reason: LimitReason) -> Tuning:
    return replace(state, reason=reason, rest=state.next_rest, next_rest=_longer(state), stride=1)


def _longer(state: Tuning) -> int:
    return min(2 * state.next_rest, _LONGEST_REST)


def _step(state: Tuning, steps: int) -> int:
    """So many steps along the ladder from the limit, within its bounds."""
    if steps > 0:
        above = [rung for rung in LADDER if rung > state.limit]
        return min(above[min(steps, len(above)) - 1], state.highest) if above else state.limit
    below = [rung for rung in LADDER if _LOWEST <= rung < state.limit]
    return below[max(len(below) + steps, 0)] if below else state.limit
