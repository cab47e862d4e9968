"""Where small files are read: on the event loop while that is quick, in threads when it is not.

A file in the page cache is read in some 20 us, and a visit to a thread costs more than ten times that in CPU; a file
on a cold disk or a slow network takes milliseconds, in which the event loop would stand still. The average of what
reads have taken decides. In threads their time says little, since threads wait for the interpreter lock; so now and
then one file is read on the loop again to see how long it takes, and more seldom each time that it took long. On a
network file system a read may take for ever, and the loop with it: there, it is threads from the first file on.
"""

import math

LOOP_MAX_SIZE = 64 * 1024
"""Larger files are read in threads always: reading and hashing one would hold the loop for over 100 us."""
_SLOW_S = 0.001
"""An average read above this is worse than the visit to a thread, also for what waits meanwhile."""
_QUICK_S = 0.0005
"""Below this it is not; half, so that the choice does not swing."""
_WEIGHT = 1 / 16
_SETTLED = 64
"""Reads after which the average says something."""
_FIRST_DISTANCE, _LONGEST_DISTANCE = 128, 8192
"""Files in threads until the next one on the loop."""


class ReadPlacement:
    """Keeps the average. Not thread-safe: for the event loop only."""

    __slots__ = ("_distance", "_reads", "_to_pass", "average_s", "is_on_loop")

    def __init__(self, *, may_hold_loop: bool = True) -> None:
        """`may_hold_loop` is False where a read might never come back: then no file is ever tried on the loop."""
        self.average_s = 0.0
        self.is_on_loop = may_hold_loop
        self._distance = _FIRST_DISTANCE
        self._to_pass = 0.0 if may_hold_loop else math.inf
        self._reads = 0

    def takes(self, size: int) -> bool:
        """Is the next file, of `size` bytes, to be read on the loop?"""
        if size > LOOP_MAX_SIZE:
            return False
        if self.is_on_loop:
            return True
        self._to_pass -= 1
        return self._to_pass <= 0

    def took(self, elapsed_s: float) -> bool:
        """A read on the loop took so long. True when that changes where files are read, and once it is settled."""
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
