"""Decides how many requests per second a container gets, from what the store says and from what it refuses.

Swift's ratelimit middleware limits the PUTs, POSTs and DELETEs of the objects of each container. `GET /info` shows the
limits, if the cluster has any: pairs of a number of objects and a rate. The rate for a number between two pairs lies on
the line between them; beyond the last pair its rate holds, below the first there is no limit (interpret_conf_limits and
get_maxrate in swift/common/middleware/ratelimit.py). Providers that limit in other ways refuse with 429, 498 or 503.

| the store                                            | the rate of that container                              |
|------------------------------------------------------|---------------------------------------------------------|
| refuses, and no rate is known                        | nine tenths of what it has taken in the last second     |
| refuses, a second or more after the rate last fell   | seven eighths of the rate                               |
| refuses before that                                  | stays: these requests were sent before it fell          |
| has refused nothing for five seconds                 | a hundredth more for each further second, until the     |
|                                                      | rate that was asked for, or is known, is reached again  |

A rate falls fast and rises slowly, as in TCP: a refused request costs a whole body, and a rate that is a little low
costs little.

Providers count by the second. So a container's bucket saves up little, and fills that much more slowly: whatever was
saved, no second has more requests than the rate. A rate up to 25/s saves up nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from bulkput.policy.pace import Bucket
from bulkput.record import frozen

RateSteps = tuple[tuple[int, float], ...]
"""Numbers of objects with requests per second, in the order of the numbers."""
_OF_TAKEN, _OF_RATE = 0.9, 0.875
_DEAF_S = 1.0
"""Seconds after a fall in which further refusals are those of requests that were on their way."""
_BURST_S = 0.04
"""Seconds of its rate that a container's bucket saves up: 40 ms, by which a worker may come late by a read or a turn of
the event loop."""
_USED = 0.96
"""Share of a rate that is used: requests take different times to the store, so those of one second may arrive in less.
A request that is refused costs more than this."""
_QUIET_S = 5.0
_STEP = 0.01
"""Share of the rate that is added per second."""
LOWEST = 0.2
"""Requests per second below which no rate falls: one in five seconds, so that a run ends."""


def rate_at(steps: RateSteps, objects: int) -> float | None:
    """What Swift allows a container with so many objects; None: no limit."""
    below = [step for step in steps if step[0] <= objects]
    if not below or not objects:
        return None
    size, rate = below[-1]
    if len(below) == len(steps):
        return rate
    next_size, next_rate = steps[len(below)]
    return rate + (objects - size) * (next_rate - rate) / (next_size - size)


def steps_of(found: object) -> RateSteps:
    """`container_ratelimits` of `/info`, without what makes no sense."""
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    steps = [
        (each[0], float(each[1]))
        for each in found
        if isinstance(each, Sequence)
        and len(each) == 2
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in each)
        and isinstance(each[0], int)
        and each[1] > 0
    ]
    return tuple(sorted(dict(steps).items()))


def container_bucket(per_s: float) -> Bucket:
    """For the requests to one container that takes `per_s`. Of 2.5 per second it lets pass 2: else some seconds would
    have 3."""
    per_s = float(max(math.floor(per_s), min(per_s, 1.0)))
    burst = max(1.0, per_s * _BURST_S)
    return Bucket((per_s - (burst - 1)) * _USED, burst, first=1.0)


@frozen(kw_only=True)
class Learned:
    """What refusals have taught about a container: `rate` in requests per second, None until the first. Times are
    those of one clock."""

    rate: float | None = None
    fell_s: float = 0.0
    """When the rate last fell."""
    raised_s: float = 0.0
    """Up to when it has been raised since."""

    def refused(self, *, now_s: float, rate: float | None, taken: float) -> "Learned":
        """After a refusal. `rate` is the container's rate now, `taken` what it took in the last second."""
        if rate is None:
            return Learned(rate=max(LOWEST, taken * _OF_TAKEN), fell_s=now_s, raised_s=now_s + _QUIET_S)
        if self.rate is not None and now_s - self.fell_s < _DEAF_S:
            return self
        return Learned(rate=max(LOWEST, rate * _OF_RATE), fell_s=now_s, raised_s=now_s + _QUIET_S)

    def later(self, now_s: float) -> "Learned":
        """The same, some time later: the rate may have risen."""
        seconds = now_s - self.raised_s
        if self.rate is None or seconds <= 0:
            return self
        return replace(self, rate=self.rate * (1 + _STEP) ** seconds, raised_s=now_s)
