"""Decides how many requests may be in flight: more while that stores more objects per second, fewer when it does not.

The limit moves along a ladder (1 2 3 4 6 8 12 16 ...; from 2 on, each step is a third to a half more). At any time
there is a base, a limit whose rate is known, and perhaps a trial of another limit. The first line that fits:

| there is                | and the sample says                              | then                                    |
|-------------------------|--------------------------------------------------|-----------------------------------------|
| anything                | the store throttled many requests                | half the limit, then rest               |
| anything                | the user's own rate held requests back           | this limit is the base: it reaches the  |
|                         |                                                  | rate, so more or fewer prove nothing    |
| no trial, but a rest    | anything                                         | update the base's rate; the rest ends   |
|                         |                                                  | after its number of samples             |
| no trial                | the last trial that failed was one of more       | try fewer                               |
| no trial                | no request waited for a slot, or none was stored | rest: more slots would stay empty       |
| no trial                | otherwise                                        | try more; rest if there is no more      |
| a trial of more         | at least a third of the possible gain            | new base; try more still, in long steps |
| a trial of more         | less                                             | back: the added requests only wait      |
| a trial of fewer        | at least 96 % of the base's rate                 | new base; try fewer, in long steps      |
| a trial of fewer        | less                                             | back                                    |

If a long step failed, a trial of a short one follows after one sample; if a short one failed, the limit rests. Rests
grow longer while nothing changes, so a settled limit stands still most of the time and moves by at most one step. Rates
are objects per second, not bytes, because many small files are the hard case.

The source is azcopy's tuner (its `concurrencyTuner.go` returns a limit and a reason), which only goes up. Going down
helps with stores that limit rates silently: Swift's ratelimit middleware holds requests back for up to 60 s without an
answer, so more requests in flight only wait.
"""

from dataclasses import replace
from enum import StrEnum

from bulkput.record import frozen

LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_GAIN = 1 / 3
"""Share of the gain that would be possible if requests took no longer. Below it, most of the added requests wait."""
_SAME = 0.96
"""Share of the base's rate that a smaller limit must reach. A sample of some hundred objects is no more exact."""
_FIRST_REST, _LONGEST_REST = 4, 32
"""Samples without a trial. Each rest is twice the last one, until a trial succeeds."""
_LOWEST = 8
"""No trial of fewer goes below this: one slow request among fewer would be more than an eighth of all. Only throttling
by the store lowers the limit further."""


class LimitReason(StrEnum):
    """Why the limit has its value. The text is shown to users."""

    START = "the initial limit"
    THROTTLED = "the store asks to slow down"
    TRY_MORE = "trying whether more in flight store more"
    TRY_FEWER = "requests wait for each other: trying with fewer"
    FASTER = "more in flight store more"
    NO_FASTER = "more in flight only wait longer"
    AS_FAST = "as fast with fewer in flight"
    SLOWER = "slower with fewer in flight"
    SETTLED = "neither more nor fewer store more"
    IDLE = "there is too little work for more"
    PACED = "the rate that was asked for is reached"


@frozen(kw_only=True)
class Sample:
    """A stretch of the run at one limit.

    `rate` is objects stored per second, `throttled` the number of requests that the store refused, 0 if they were too
    few to matter. `is_full`: a request had to wait for a slot. A request then takes `limit / rate` s (Little's law).
    `is_paced`: for most of the time requests waited for the rate that the user asked for.
    """

    rate: float
    throttled: int = 0
    is_full: bool = True
    is_paced: bool = False


@frozen(kw_only=True)
class Tuning:
    """The state of the tuner. `limit` is the number of requests that may be in flight now, `reason` says why."""

    limit: int
    reason: LimitReason = LimitReason.START
    base: int
    """The limit whose rate is known. It differs from `limit` during a trial."""
    base_rate: float = 0.0
    """Objects per second at the base; 0 until it is measured."""
    rest: int = 0
    """Samples left before the next trial."""
    next_rest: int = _FIRST_REST
    """Length of the next rest, in samples."""
    stride: int = 1
    """Steps of the ladder in one trial: two at the start and after a success, else one."""
    tried_more: bool = False
    """Whether the last trial that failed was one of more."""
    highest: int = LADDER[-1]


def start(limit: int, *, highest: int) -> Tuning:
    """Begin at `limit`, and never exceed `highest`. The first trials take long steps."""
    limit = min(limit, highest)
    return Tuning(limit=limit, base=limit, highest=highest, stride=2)


def tune(state: Tuning, sample: Sample) -> Tuning:
    """The next state. Its `limit` holds until the next sample, all of which must be taken under that limit."""
    if sample.throttled:
        half = max(1, state.limit // 2)
        return replace(
            state, limit=half, base=half, base_rate=0.0, reason=LimitReason.THROTTLED,
            rest=state.next_rest, next_rest=_longer(state), stride=1, tried_more=True,
        )  # fmt: skip
    if sample.is_paced:
        return replace(
            state, base=state.limit, base_rate=sample.rate, reason=LimitReason.PACED,
            rest=1, next_rest=_FIRST_REST, stride=1, tried_more=False,
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
    if state.stride > 1:  # no long rest: a short step may do better
        return replace(back, stride=1, reason=LimitReason.NO_FASTER, rest=1)
    return _resting(back, LimitReason.NO_FASTER)


def _after_fewer(state: Tuning, sample: Sample) -> Tuning:
    if sample.rate > 0 and sample.rate >= state.base_rate * _SAME:
        # `base_rate` stays that of the old base: otherwise many small losses would add up.
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
    """The limit `steps` up the ladder, or down if negative, within its bounds."""
    if steps > 0:
        above = [rung for rung in LADDER if rung > state.limit]
        return min(above[min(steps, len(above)) - 1], state.highest) if above else state.limit
    below = [rung for rung in LADDER if _LOWEST <= rung < state.limit]
    return below[max(len(below) + steps, 0)] if below else state.limit
