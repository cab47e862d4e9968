"""Decides where small files are read: on the event loop while reads are quick, in threads while they are slow.

A file in the page cache is read in some 20 us, and handing it to a thread costs more than ten times that in CPU. A file
on a cold disk or a slow network takes milliseconds, in which the event loop stands still. The average duration of reads
on the loop decides. Durations in threads say little, since threads wait for the interpreter lock. So from time to time
one file is read on the loop again to measure it, and less often each time that it took long. A read from a network file
system may never return and would block the loop for ever, so its files are read in threads from the first one on.
"""

import math

LOOP_MAX_SIZE = 64 * 1024
"""Bytes. Larger files are always read in threads: reading and hashing one would block the loop for over 100 us."""
_SLOW_S = 0.001
"""If the average read takes longer, a thread is cheaper: all other work waits while the loop reads."""
_QUICK_S = 0.0005
"""If a read takes less, the loop is cheaper. Half of _SLOW_S, so that the choice does not swing."""
_WEIGHT = 1 / 16
"""Weight of the latest read in the average."""
_SETTLED = 64
"""Number of reads after which the average is reliable."""
_FIRST_DISTANCE, _LONGEST_DISTANCE = 128, 8192
"""Number of files read in threads before one is tried on the loop. It doubles each time that the loop was slow."""


class ReadPlacement:
    """Keeps the average and decides. Not thread-safe: only the event loop may use it."""

    __slots__ = ("_distance", "_reads", "_to_pass", "average_s", "is_on_loop")

    def __init__(self, *, may_hold_loop: bool = True) -> None:
        """`may_hold_loop` is False if a read may never return. Then no file is read on the loop."""
        self.average_s = 0.0
        self.is_on_loop = may_hold_loop
        self._distance = _FIRST_DISTANCE
        self._to_pass = 0.0 if may_hold_loop else math.inf
        self._reads = 0

    def takes(self, size: int) -> bool:
        """Whether to read the next file, of `size` bytes, on the loop."""
        if size > LOOP_MAX_SIZE:
            return False
        if self.is_on_loop:
            return True
        self._to_pass -= 1
        return self._to_pass <= 0

    def took(self, elapsed_s: float) -> bool:
        """Record a read on the loop. True if this changes where files are read, and once when the average settles."""
        self._reads += 1
        self.average_s += (elapsed_s - self.average_s) * _WEIGHT
        if self.is_on_loop:
            if self.average_s > _SLOW_S:
                self.is_on_loop = False
                self._to_pass = self._distance
                return True
            return self._reads == _SETTLED
        if elapsed_s < _QUICK_S:
            self.average_s = elapsed_s
            self.is_on_loop = True
            self._distance = _FIRST_DISTANCE
            return True
        self._distance = min(2 * self._distance, _LONGEST_DISTANCE)
        self._to_pass = self._distance
        return False
