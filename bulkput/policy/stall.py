"""Decides whether a run is stalled, from its counters at regular intervals."""

from bulkput.record import frozen


@frozen
class StallBegan:
    """Nothing has moved for `idle_s`, and it is time to report that."""

    idle_s: float


@frozen
class StallEnded:
    """The run makes progress again. The stall, which was reported, lasted `idle_s`."""

    idle_s: float


class StallTimer:
    """Compares the counters with those of the last look. Reports a stall after `stall_s`, then after 2, 4, 8, ... times
    that. Times are in seconds, on one clock."""

    def __init__(self, stall_s: float, now_s: float, counters: tuple[int, ...]) -> None:
        self._stall_s = stall_s
        self._counters = counters
        self._moved_s = now_s
        self._next_s = stall_s

    def look(
        self, now_s: float, counters: tuple[int, ...], *, is_paced: bool = False
    ) -> StallBegan | StallEnded | None:
        """Compare the counters; any change is a move. Returns what to report, or None.

        `is_paced`: a request waits for the rate that the user asked for. Then the run does as it was told, however long
        that takes: this counts as a move.
        """
        idle_s = now_s - self._moved_s
        if counters != self._counters or is_paced:
            was_told = self._next_s > self._stall_s
            self._counters, self._moved_s, self._next_s = counters, now_s, self._stall_s
            return StallEnded(idle_s) if was_told else None
        if idle_s < self._next_s:
            return None
        while self._next_s <= idle_s:
            self._next_s *= 2
        return StallBegan(idle_s)
