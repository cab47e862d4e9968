"""Decides when a request, or a piece of a body, may be sent if the user asked for a rate: a token bucket as values.

A bucket begins with what `first` says; while nothing is sent, it fills up to its burst. What is taken is paid from that
first, then from the rate: `due_s` is the time at which everything that was taken is paid for, so whoever took last may
send at that time and not before. Later takers cannot push it back, so nobody starves. An amount larger than the burst
waits until the rate has paid for all of it: if it were sent at once and paid for afterwards, a large object would
exceed the rate.

aiolimiter, the well-kept library for this, is not used. Its burst is a whole period (max_rate), it refuses amounts
larger than that (a body of 1 MiB at 100K/s), its clock is the event loop's, and `Stop` cannot end its waits.
"""

import math
from dataclasses import replace

from bulkput.record import frozen

_BURST_S = 0.1
"""Seconds of its rate that an idle bucket saves up. Enough that a worker which comes late by a read or by a turn of the
event loop loses nothing; so little that no second has more than a tenth above the rate."""
_PIECES_PER_S = 256
"""Pieces per second that streamed bodies are cut into. As many bodies as may be in flight by default (256) then get one
each second, so no server waits for bytes until its own time-out (60 s in Swift and nginx)."""
_SMALLEST_PIECE = 1024


@frozen
class Bucket:
    """A rate, and how much of it is spent. Amounts are requests or bytes, times those of one clock."""

    per_s: float
    burst: float
    first: float = 0.0
    due_s: float = -math.inf

    def take(self, amount: float, now_s: float) -> "Bucket":
        """Spend `amount`. It may be sent at the `due_s` of the result."""
        saved = self.first if self.due_s == -math.inf else self.burst
        paid_s = max(self.due_s, now_s - saved / self.per_s)
        return replace(self, due_s=paid_s + amount / self.per_s)

    def give_back(self, amount: float) -> "Bucket":
        """Take back `amount` that was taken and not sent. Who has taken since keeps the time that it was told."""
        return replace(self, due_s=self.due_s - amount / self.per_s)


def requests_bucket(per_s: float) -> Bucket:
    """For requests: the first may be sent at once, however low the rate is."""
    return Bucket(per_s, max(1.0, per_s * _BURST_S), first=1.0)


def bytes_bucket(per_s: float) -> Bucket:
    """For the bytes of bodies."""
    return Bucket(per_s, per_s * _BURST_S)


def piece_size(bytes_per_s: float) -> int:
    """Bytes of a streamed body that are paid for at a time."""
    return max(_SMALLEST_PIECE, int(bytes_per_s / _PIECES_PER_S))
