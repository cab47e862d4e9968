"""Refuses writes to a container that has had too many: imitates providers that limit each container."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .rules import Refused

WRITES = frozenset(("PUT", "POST", "DELETE", "COPY"))


@dataclass(slots=True)
class _Container:
    began: float
    left: float  # writes that it takes at once
    at: float  # when `left` was right
    recent: deque[float] = field(default_factory=deque)  # times of the writes of the last second
    busiest: int = 0
    writes: int = 0
    refused: int = 0


class Caps:
    """Each container takes `per_second` writes per second, and saves up one second of them.

    Refusals are those of Swift's ratelimit middleware: 498 with the text "Slow down".
    """

    def __init__(self, per_second: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._containers: dict[str, _Container] = {}

    def admit(self, verb: str, container: str) -> None:
        """Count a request for an object of the container. Raises Refused if it is one write too many."""
        rate = self._per_second
        if rate is None or verb not in WRITES:
            return
        now = self._clock()
        most = max(1.0, rate)
        one = self._containers.setdefault(container, _Container(began=now, left=most, at=now))
        one.writes += 1
        one.recent.append(now)
        while one.recent[0] <= now - 1:
            one.recent.popleft()
        if now - one.began >= 2:  # the second before now has nothing of the first second in it
            one.busiest = max(one.busiest, len(one.recent))
        one.left, one.at = min(most, one.left + (now - one.at) * rate), now
        if one.left < 1:
            one.refused += 1
            raise Refused(498, "Slow down")
        one.left -= 1

    def writes(self) -> dict[str, int]:
        """By container, how many writes came, refused ones among them."""
        return {name: one.writes for name, one in self._containers.items()}

    def busiest(self) -> dict[str, int]:
        """By container, the most writes that came in any one second after its first."""
        return {name: one.busiest for name, one in self._containers.items()}

    def refused(self) -> int:
        """How many writes were refused."""
        return sum(one.refused for one in self._containers.values())
