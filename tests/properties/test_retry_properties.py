"""Bounds of every wait, whatever the options."""

from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import Denied, StoreError, Throttled, Unavailable
from bulkput.options import RetryOptions
from bulkput.policy.retry import next_delay_s

seconds = st.floats(0, 1e6)
options = st.builds(
    RetryOptions,
    retries=st.integers(0, 5000),
    base_s=seconds,
    cap_s=seconds,
    max_retry_after_s=seconds,
    total_s=seconds,
)
attempts = st.integers(1, 6000)
random = st.floats(0, 1, exclude_max=True)
errors = st.builds(
    Throttled, st.just("put"), st.just("a"), st.just("slow"), retry_after_s=st.none() | st.floats(0, float("inf"))
) | st.just(Unavailable("put", "a", "reset"))


@given(errors, attempts, seconds, options, random)
def test_a_retry_delay_stays_within_its_bounds(
    error: StoreError, attempt: int, elapsed_s: float, given_options: RetryOptions, jitter: float
) -> None:
    """The delay is at least the bounded Retry-After and at most the cap more; it is None once tries are used up."""
    delay = next_delay_s(error, attempt=attempt, elapsed_s=elapsed_s, options=given_options, random=lambda: jitter)
    if attempt > given_options.retries or (attempt > 1 and elapsed_s >= given_options.total_s):
        assert delay is None
        return
    asked = getattr(error, "retry_after_s", None) or 0.0
    floor = min(asked, given_options.max_retry_after_s)
    assert delay is not None
    assert floor <= delay <= floor + given_options.cap_s


@given(attempts, options, random)
def test_a_larger_random_number_never_shortens_the_delay(
    attempt: int, given_options: RetryOptions, jitter: float
) -> None:
    """Full jitter grows with the random number, and 0 gives a delay of 0."""
    error = Unavailable("put", "a", "reset")
    low = next_delay_s(error, attempt=attempt, elapsed_s=0, options=given_options, random=lambda: jitter / 2)
    high = next_delay_s(error, attempt=attempt, elapsed_s=0, options=given_options, random=lambda: jitter)
    none = next_delay_s(error, attempt=attempt, elapsed_s=0, options=given_options, random=lambda: 0.0)
    if low is None or high is None:
        assert low is high is none
    else:
        assert none == 0.0 <= low <= high


@given(attempts, options, random)
def test_a_permanent_error_is_never_retried(attempt: int, given_options: RetryOptions, jitter: float) -> None:
    """Denied is not retried under any options."""
    error = Denied("put", "a", "no")
    assert next_delay_s(error, attempt=attempt, elapsed_s=0, options=given_options, random=lambda: jitter) is None
