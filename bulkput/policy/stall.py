"""Whether a run stands still, by looks at its counters now and then."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StallBegan:
    """It is time to say that nothing has moved for so long."""

    idle_s: float


@dataclass(frozen=True, slots=True)
class StallEnded:
    """What was said to stand moves again, after so long."""

    idle_s: float


class StallTimer:
    """Keeps what the last looks saw. A stall is told after `stall_s`, and again after twice that, four times, ..."""

    def __init__(self, stall_s: float, now_s: float, counters: tuple[int, ...]) -> None:
        self._stall_s = stall_s
        self._counters = counters
        self._moved_s = now_s
        self._next_s = stall_s

    def look(self, now_s: float, counters: tuple[int, ...]) -> StallBegan | StallEnded | None:
        """Any change of any counter is a move."""
        idle_s = now_s - self._moved_s
        if counters != self._counters:
            was_told = self._next_s > self._stall_s
            self._counters, self._moved_s, self._next_s = counters, now_s, self._stall_s
            return StallEnded(idle_s) if was_told else None
        if idle_s < self._next_s:
            return None
        while self._next_s <= idle_s:
            self._next_s *= 2
        return StallBegan(idle_s)
