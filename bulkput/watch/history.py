"""What a run did over time, in bounded memory.

A look once a second gives a `Span`: what was done since the look before. When the history is full, neighbours become
one span, so it has half as many, each twice as long. Counts and seconds are added and nothing is dropped: the sums of
all spans are the totals of the run at any time.

| run | one span (with MOST_SPANS = 600, one look a second) |
|---|---|
| up to 10 minutes | 1 s |
| up to 20 minutes | 2 s |
| up to 40 minutes | 4 s |
| a day | 256 s |
"""

from bulkput.record import frozen

MOST_SPANS = 600
"""More than a chart has pixels on a phone, and two for each on a wide one; as JSON they take some 30 KB."""

_SHORTEST_S = 0.5
"""A shorter span, as at the end of a run, is added to the one before it: its rate would be noise."""


@frozen
class Span:
    """What happened within `seconds`. `in_flight` is how many items were at work, on average."""

    seconds: float
    uploaded: int = 0
    done: int = 0
    moved: int = 0
    """Bytes. Below zero if a large file was tried again: its attempt takes back what it had counted."""
    retries: int = 0
    failed: int = 0
    in_flight: float = 0.0

    def __add__(self, other: "Span") -> "Span":
        """One span for both, which follow each other."""
        seconds = self.seconds + other.seconds
        weighed = self.in_flight * self.seconds + other.in_flight * other.seconds
        return Span(
            seconds,
            self.uploaded + other.uploaded,
            self.done + other.done,
            self.moved + other.moved,
            self.retries + other.retries,
            self.failed + other.failed,
            weighed / seconds if seconds else 0.0,
        )


class History:
    """Spans of a run, oldest first. The last one is open: it grows until it has as many looks as the others."""

    def __init__(self, most: int = MOST_SPANS) -> None:
        """`most` is even, and 2 at least."""
        self._most = most
        self._looks = 1
        self._in_last = 0
        self.spans: list[Span] = []
        self.halvings = 0
        """How often neighbours became one."""

    def add(self, span: Span) -> None:
        """Note what happened since the last look."""
        if self.spans and span.seconds < _SHORTEST_S:
            self.spans[-1] += span
            return
        if 0 < self._in_last < self._looks:
            self.spans[-1] += span
            self._in_last += 1
            return
        if len(self.spans) == self._most:
            self.spans = [self.spans[at] + self.spans[at + 1] for at in range(0, self._most, 2)]
            self._looks *= 2
            self.halvings += 1
        self.spans.append(span)
        self._in_last = 1

    @property
    def seen(self) -> tuple[int, int]:
        """What a reader has that has all spans; see `first_new`."""
        return len(self.spans), self.halvings

    def first_new(self, seen: tuple[int, int] | None) -> int:
        """The number of the first span that is new to a reader with `seen`, or has grown; None has seen nothing."""
        if seen is None or seen[1] != self.halvings:
            return 0
        return max(seen[0] - 1, 0)

    def columns(self, since: int = 0) -> list[list[float]]:
        """The spans from number `since` on, as one list for each field, in the order of `Span`."""
        rows = [
            (round(s.seconds, 3), s.uploaded, s.done, s.moved, s.retries, s.failed, round(s.in_flight, 1))
            for s in self.spans[since:]
        ]
        return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(7)]
