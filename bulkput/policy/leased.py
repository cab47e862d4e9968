"""Decides when a run may send what a shared cap has leased to it: `policy/shared_cap.py` is the other side.

A lease is an amount over a time. It is spent evenly, as if it came drop by drop; leases follow each other and never
overlap, so that one which comes late is not spent faster. A request may be sent when all of it has come. What has come
and is not taken within 30 ms is lost: saved up and sent later, it would exceed the cap in that second.

What a run asks for next, after each lease:

| something waits for what is leased, or for a lease | it asks for                                                     |
|----------------------------------------------------|-----------------------------------------------------------------|
| no                                                 | as many as it has taken since it last asked: they will come     |
|                                                    | again. If it has taken none, it does not ask                    |
| yes                                                | as many as it has taken and those that no lease covers, or      |
|                                                    | twice its last lease if that is more: a body that is sent piece |
|                                                    | by piece never has more than one piece waiting                  |
"""

import math
from dataclasses import replace
from urllib.parse import urlsplit

from bulkput.errors import UsageError, printable
from bulkput.record import frozen

GRACE_S = 0.03
"""Seconds in which what has come may be taken: a worker's turn on the event loop, and a file's read."""


def wanted(*, is_short: bool, uncovered: float, taken: float, last: float) -> int:
    """What to ask for: see above. `last` is the amount of the last lease."""
    return math.ceil(max(uncovered + taken, 2 * last if is_short else 0, 0))


def service_url(url: str) -> str:
    """The URL of a service of shared rates, without a slash at its end. Raises UsageError if it is none."""
    parts = urlsplit(url)
    try:
        is_place = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port
        is_place = False
    if "@" in parts.netloc:  # not shown: it may hold a password
        raise UsageError("`wire.rate_shared` takes no user and no password: the token is in BULKPUT_RATE_TOKEN")
    if not is_place or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise UsageError(f"`wire.rate_shared` is a URL such as http://127.0.0.1:9321, not {printable(url)!r}")
    return url.rstrip("/")


@frozen
class _Drops:
    """A lease, from the moment on at which it is spent."""

    begin_s: float
    end_s: float
    before: float
    """What all earlier leases gave."""
    amount: float

    def come_by(self, now_s: float) -> float:
        share = (now_s - self.begin_s) / (self.end_s - self.begin_s)
        return self.before + self.amount * min(1.0, max(0.0, share))

    def when(self, position: float) -> float:
        return self.begin_s + (self.end_s - self.begin_s) * max(0.0, position - self.before) / self.amount


@frozen
class Leased:
    """What was leased of requests or bytes, and what is taken of it, both since the beginning of the run.

    `unit` is 1 for requests: one may be sent at the beginning of its time, not at the end. Of bytes it is 0.
    """

    unit: float
    given: float = 0.0
    taken: float = 0.0
    drops: tuple[_Drops, ...] = ()
    """The leases that are not over, in their order."""

    def lease(self, amount: float, for_s: float, now_s: float) -> "Leased":
        """Add a lease. It is spent after the last one, and not before now."""
        over_s = now_s - GRACE_S
        kept = tuple(each for each in self.drops if each.end_s > over_s)
        lost = replace(self, taken=max(self.taken, self._come_by(over_s)), drops=kept)
        if amount <= 0:
            return lost
        begin_s = max(now_s, self.drops[-1].end_s) if self.drops else now_s
        new = _Drops(begin_s, begin_s + for_s, self.given, amount)
        return replace(lost, given=self.given + amount, drops=(*kept, new))

    def take(self, amount: float, now_s: float) -> "Leased":
        """Take `amount`. It may be sent at `when(taken)` of the result."""
        return replace(self, taken=max(self.taken, self._come_by(now_s - GRACE_S)) + amount)

    def give_back(self, amount: float) -> "Leased":
        """Take back what was taken and not sent."""
        return replace(self, taken=self.taken - amount)

    def when(self, position: float) -> float | None:
        """When all up to `position`, a value of `taken`, may be sent; None if there is no lease for all of it yet."""
        if position > self.given:
            return None
        for each in self.drops:
            if position <= each.before + each.amount:
                return each.when(position - self.unit)
        return -math.inf

    def is_short(self, now_s: float) -> bool:
        """Whether something that is taken may not be sent yet."""
        return self.taken - self.unit > self._come_by(now_s)

    @property
    def last(self) -> float:
        """The amount of the last lease, if it is not over."""
        return self.drops[-1].amount if self.drops else 0.0

    @property
    def uncovered(self) -> float:
        """What is taken and not leased yet."""
        return max(0.0, self.taken - self.given)

    def _come_by(self, now_s: float) -> float:
        """What has come until `now_s`."""
        for each in reversed(self.drops):
            if now_s >= each.begin_s:
                return each.come_by(now_s)
        return self.drops[0].before if self.drops else self.given
