"""When to try again, and when a whole run gives up. Both are functions of values; Retrying and the engine act."""

from collections.abc import Callable

from bulkput.errors import BulkputError, SourceError, StoreError, Throttled, Unavailable
from bulkput.events import StopCause, Stopping
from bulkput.options import RetryOptions, StopRules


def next_delay_s(
    error: StoreError,
    *,
    attempt: int,
    elapsed_s: float,
    options: RetryOptions,
    random: Callable[[], float],
) -> float | None:
    """Seconds to wait before attempt `attempt + 1`; None: give up. `attempt` counts from 1, `random()` is in [0, 1).

    Full jitter (the AWS architecture blog's form: any point between 0 and the exponential bound) spreads workers
    that failed together. Retry-After is a floor: the store said so; jitter comes on top, so that they do not all
    come back in the same instant.
    """
    if not error.is_retryable or attempt > options.retries or elapsed_s >= options.total_s:
        return None
    jitter = random() * min(options.cap_s, options.base_s * 2.0 ** min(attempt - 1, 60))
    if isinstance(error, Throttled) and error.retry_after_s is not None:
        return min(error.retry_after_s, options.max_retry_after_s) + jitter
    return jitter


class GiveUp:
    """Folds the outcomes of a run; says to stop it, as soon as that is clear."""

    def __init__(self, rules: StopRules) -> None:
        self._rules = rules
        self._failed = 0
        self._unreachable_in_a_row = 0

    def succeeded(self) -> None:
        self._unreachable_in_a_row = 0

    def failed(self, error: BulkputError) -> Stopping | None:
        """The order to stop, with its reason as one sentence; None while going on makes sense."""
        self._failed += 1
        self._unreachable_in_a_row = self._unreachable_in_a_row + 1 if isinstance(error, Unavailable) else 0
        if error.stops_run:
            return Stopping(str(error), StopCause.SOURCE if isinstance(error, SourceError) else StopCause.STORE)
        if self._unreachable_in_a_row >= self._rules.store_gone_after:
            why = f"the store is gone: {self._unreachable_in_a_row} objects in a row failed, the last: {error}"
            return Stopping(why, StopCause.STORE)
        if self._rules.max_errors is not None and self._failed >= self._rules.max_errors:
            return Stopping(f"{self._failed} failed, --max-errors {self._rules.max_errors}", StopCause.ERRORS)
        return None
