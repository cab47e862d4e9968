"""Decides when a failed request is tried again, and when a whole run gives up.

Both are functions of values: `RetryingStore` sleeps and retries, the engine stops the run.
"""

import re
from collections.abc import Callable
from urllib.parse import quote

from bulkput.errors import BulkputError, Exists, IntegrityError, SourceError, StoreError, Throttled, Unavailable
from bulkput.events import StopCause, Stopping
from bulkput.options import RetryOptions, StopRules

_SPREAD = 0.25
"""Largest share of a Retry-After that is added to it at random."""


def next_delay_s(
    error: StoreError,
    *,
    attempt: int,
    elapsed_s: float,
    options: RetryOptions,
    random: Callable[[], float],
    retries: int | None = None,
) -> float | None:
    """Seconds to wait before attempt `attempt + 1`, or None to give up.

    `attempt` counts from 1. `random()` is in [0, 1).

    `elapsed_s` is the time of all attempts and pauses so far. It never forbids the second attempt, however long the
    first one took. `retries` replaces `options.retries` if it is given.

    A server that has answered nothing yet gets equal jitter, at least half of the bound, unless no restart helps
    (`is_misdirected`). Without that, few retries might end at once by chance: three of them wait for 3.5 s at least,
    which a restart may take.

    Full jitter (AWS architecture blog: any time between 0 and the exponential bound) spreads workers that failed
    together. A Retry-After is a lower bound, because the store asked for it. At most a quarter of it is added, and at
    most `base_s`, however often the object was refused. That is enough to spread programs that were refused together,
    and little enough to use what the store accepts per second.
    """
    if not error.is_retryable or attempt > (options.retries if retries is None else retries):
        return None
    # A large file may take longer than `total_s` by itself: its second attempt is always made.
    if attempt > 1 and elapsed_s >= options.total_s:
        return None
    if isinstance(error, Throttled) and error.retry_after_s is not None:
        floor_s = min(error.retry_after_s, options.max_retry_after_s)
        return floor_s + random() * min(options.cap_s, options.base_s, _SPREAD * floor_s)
    share = random()
    if isinstance(error, Unavailable) and error.is_first_contact and not error.is_misdirected:
        share = 0.5 + share / 2
    return share * min(options.cap_s, options.base_s * 2.0 ** min(attempt - 1, 60))


def retries_of(
    error: StoreError,
    options: RetryOptions,
    *,
    is_login: bool = False,
    is_transfer: bool = False,
    has_worked: bool = True,
) -> int:
    """How often an operation that failed by `error` is retried. `is_transfer`: it sends an object or a part of one.

    | what failed                                                | retries         | why                              |
    |------------------------------------------------------------|-----------------|----------------------------------|
    | of a server that has answered nothing yet:                 |                 |                                  |
    | - a host's name that does not exist, TLS to a port without | `first_retries` | no restart causes that           |
    |   it, or the reverse (`is_misdirected`)                    |                 |                                  |
    | - a transfer: no server listens, or none answers           | `retries`       | a server that is just restarting |
    |                                                            |                 | costs no object                  |
    | - what comes before transfers: a look at the bucket, a     | `first_retries` | the address is wrong, more often |
    |   listing                                                  |                 | than a server is restarting      |
    | the first login of a run (`is_login`), nothing has worked  | `first_retries` | the same                         |
    | an answer that proves no bytes, nothing has worked         | `first_retries` | a proxy is likelier than chance  |
    | all else                                                   | `retries`       | a server that is restarting      |
    |                                                            |                 | costs no object                  |
    """
    is_few = not has_worked and (is_login or isinstance(error, IntegrityError))
    if isinstance(error, Unavailable) and error.is_first_contact:
        is_few = is_few or error.is_misdirected or not is_transfer
    return min(options.retries, options.first_retries) if is_few else options.retries


Cause = tuple[type[StoreError], int | None, str]


def cause_of(error: StoreError) -> Cause:
    """What failures of different objects have in common: the kind, the status, and the text without key, numbers, MD5s
    and transaction IDs. The text of an IntegrityError does not count."""
    if isinstance(error, IntegrityError):
        return type(error), error.status, ""
    words = error.detail
    for name in (error.key, quote(error.key, errors="replace")):
        words = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "", words) if name else words
    return type(error), error.status, re.sub(_VARIABLE, "", words)


_VARIABLE = r"\b[0-9a-f]{8,}\b|\btx\w+|[0-9]+"


class FailurePolicy:
    """Counts the outcomes of a run's objects, and decides when the run has to stop."""

    def __init__(self, rules: StopRules) -> None:
        self._rules = rules
        self._failed = 0
        self._unreachable_in_a_row = 0
        self._has_worked = False
        self._cause: Cause | None = None
        self._alike = 0
        """Objects in a row that failed for `_cause` while nothing has worked."""
        self._in_vain = 0
        """Requests that were sent for these objects."""

    def succeeded(self) -> None:
        self._has_worked = True
        self._unreachable_in_a_row = 0

    def failed(self, error: BulkputError) -> Stopping | None:
        """Record a failure. Returns the order to stop, with its reason as one sentence, or None to go on."""
        self._failed += 1
        if isinstance(error, Exists):  # the store works: it refuses what it was asked to refuse
            self.succeeded()
        self._unreachable_in_a_row = self._unreachable_in_a_row + 1 if isinstance(error, Unavailable) else 0
        if error.stops_run:
            return Stopping(str(error), StopCause.SOURCE if isinstance(error, SourceError) else StopCause.STORE)
        if self._unreachable_in_a_row >= self._rules.store_gone_after:
            why = f"the store is gone: {self._unreachable_in_a_row} objects in a row failed, the last: {error}"
            return Stopping(why, StopCause.STORE)
        if isinstance(error, StoreError) and (vain := self._nothing_works(error)) is not None:
            return Stopping(vain, StopCause.STORE)
        if self._rules.max_errors is not None and self._failed >= self._rules.max_errors:
            return Stopping(f"{self._failed} failed, `stop.max_errors={self._rules.max_errors}`", StopCause.ERRORS)
        return None

    def _nothing_works(self, error: StoreError) -> str | None:
        """The reason to stop if all requests so far failed for one cause, else None."""
        # Without an answer and without a network error no request was sent: the name was too long, for example.
        if self._has_worked or (error.status is None and not isinstance(error, Unavailable)):
            return None
        cause = cause_of(error)
        if cause != self._cause:
            self._cause, self._alike, self._in_vain = cause, 0, 0
        self._alike += 1
        self._in_vain += error.attempts
        if self._in_vain < self._rules.in_vain_after:
            return None
        first = "first object failed"
        if self._alike > 1:
            first = f"first {self._alike} objects failed for the same cause, the last"
        return f"nothing has worked: the {first}: {error}: check the destination and any proxy on the way"
