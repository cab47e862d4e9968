"""Bounds of every wait, whatever the options."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import Denied, StoreError, Throttled, Unavailable
from bulkput.options import RetryOptions
from bulkput.policy.retry import next_delay_s, retries_of

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


def first_contact(*, is_misdirected: bool = False) -> Unavailable:
    error = Unavailable("put", "a", "connection refused")
    error.is_first_contact, error.is_misdirected = True, is_misdirected
    return error


@given(attempts, options, random)
def test_a_pause_of_a_first_contact_is_at_least_half_of_its_bound(
    attempt: int, given_options: RetryOptions, jitter: float
) -> None:
    """And never longer than the longest pause after another failure. Where no restart helps, it may be shorter."""
    lost = first_contact(is_misdirected=True)
    assert not next_delay_s(lost, attempt=attempt, elapsed_s=0, options=given_options, random=lambda: 0.0)
    low, found = (
        next_delay_s(
            first_contact(), attempt=attempt, elapsed_s=0, options=given_options, random=lambda part=part: part
        )
        for part in (0.0, jitter)
    )
    other = Unavailable("put", "a", "reset")
    longest = next_delay_s(other, attempt=attempt, elapsed_s=0, options=given_options, random=lambda: 1.0)
    if low is None or found is None or longest is None:
        assert low is found is longest is None
    else:
        assert longest / 2 == low <= found <= longest


@given(options, st.integers(0, 5000), st.booleans(), st.booleans(), st.booleans())
def test_no_failure_has_more_retries_than_were_asked_for(
    given_options: RetryOptions, first_retries: int, is_misdirected: bool, is_transfer: bool, has_worked: bool
) -> None:
    """A transfer never has fewer than what comes before transfers."""
    chosen = replace(given_options, first_retries=first_retries)
    error = first_contact(is_misdirected=is_misdirected)
    found, least = (retries_of(error, chosen, is_transfer=kind, has_worked=has_worked) for kind in (is_transfer, False))
    assert min(chosen.retries, first_retries) == least <= found <= chosen.retries
    assert found == (chosen.retries if is_transfer and not is_misdirected else least)


@given(attempts, options, random)
def test_a_permanent_error_is_never_retried(attempt: int, given_options: RetryOptions, jitter: float) -> None:
    """Denied is not retried under any options."""
    error = Denied("put", "a", "no")
    assert next_delay_s(error, attempt=attempt, elapsed_s=0, options=given_options, random=lambda: jitter) is None
