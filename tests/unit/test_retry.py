"""When to try again, and when a run gives up."""

import pytest

from bulkput.errors import (
    BulkputError,
    Conflict,
    Denied,
    IntegrityError,
    NotFound,
    QuotaExceeded,
    SourceError,
    StoreError,
    Throttled,
    TooLarge,
    Unavailable,
)
from bulkput.events import StopCause
from bulkput.options import RetryOptions, StopRules
from bulkput.policy.retry import FailurePolicy, cause_of, next_delay_s, retries_of

OPTIONS = RetryOptions(retries=5, base_s=1.0, cap_s=30.0, max_retry_after_s=120.0, total_s=300.0)
GONE = Unavailable("put", "a", "reset")
NEVER_THERE = Unavailable("put", "a", "connection refused")
NEVER_THERE.is_first_contact = True
NO_SUCH_HOST = Unavailable("put", "a", "cannot resolve host name")
NO_SUCH_HOST.is_first_contact = NO_SUCH_HOST.is_misdirected = True
LOST_HOST = Unavailable("put", "a", "cannot resolve host name")
LOST_HOST.is_misdirected = True
BAD = SourceError(b"a", "vanished", "gone")


def delay(error: StoreError, *, attempt: int = 1, elapsed_s: float = 0.0, jitter: float = 1.0) -> float | None:
    return next_delay_s(error, attempt=attempt, elapsed_s=elapsed_s, options=OPTIONS, random=lambda: jitter)


@pytest.mark.parametrize(("attempt", "bound"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 16.0)])
def test_the_retry_bound_doubles_with_each_attempt(attempt: int, bound: float) -> None:
    """The delay is random between 0 and base x 2^n."""
    assert delay(GONE, attempt=attempt) == bound
    assert delay(GONE, attempt=attempt, jitter=0.5) == bound / 2
    assert delay(GONE, attempt=attempt, jitter=0.0) == 0.0


def test_the_retry_bound_is_capped() -> None:
    """From some attempt on, all delays have the same bound."""
    options = RetryOptions(retries=50, cap_s=30.0)
    assert next_delay_s(GONE, attempt=6, elapsed_s=0.0, options=options, random=lambda: 1.0) == 30.0
    assert next_delay_s(GONE, attempt=50, elapsed_s=0.0, options=options, random=lambda: 1.0) == 30.0


@pytest.mark.parametrize(
    ("attempt", "elapsed_s", "goes_on"),
    [(5, 299.9, True), (6, 0.0, False), (2, 300.0, False), (2, 299.9, True), (1, 300.0, True), (1, 1e6, True)],
)
def test_retries_are_limited_by_number_and_time(attempt: int, elapsed_s: float, goes_on: bool) -> None:
    """There are five retries within 300 s; the second attempt is made after any time."""
    assert (delay(GONE, attempt=attempt, elapsed_s=elapsed_s) is not None) is goes_on


def test_zero_retries_allow_one_attempt() -> None:
    """The flag is `--retries 0`."""
    assert next_delay_s(GONE, attempt=1, elapsed_s=0.0, options=RetryOptions(retries=0), random=lambda: 0.5) is None


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [
        (GONE, True),
        (Throttled("put", "a", "slow"), True),
        (IntegrityError("put", "a", expected="x", actual="y"), True),
        (NotFound("put", "a", "no"), False),
        (TooLarge("put", "a", "no"), False),
        (Denied("put", "a", "no"), False),
        (QuotaExceeded("put", "a", "no"), False),
        (StoreError("put", "a", "no"), False),
    ],
)
def test_only_a_retryable_error_is_retried(error: StoreError, is_retried: bool) -> None:
    """The flag of the error decides."""
    assert (delay(error) is not None) is is_retried


@pytest.mark.parametrize(
    ("retry_after_s", "jitter", "expected"),
    [(3.0, 0.0, 3.0), (2.0, 1.0, 2.5), (60.0, 1.0, 61.0), (86400, 0.0, 120)],
)
def test_retry_after_is_a_minimum_up_to_its_bound(retry_after_s: float, jitter: float, expected: float) -> None:
    """Up to a quarter of it is added, but no more than the first pause; a day is cut to two minutes."""
    assert delay(Throttled("put", "a", "slow", retry_after_s=retry_after_s), jitter=jitter) == expected


def test_throttled_without_retry_after_has_the_normal_delay() -> None:
    """The delay has the exponential form."""
    assert delay(Throttled("put", "a", "slow"), attempt=3) == 4.0


@pytest.mark.parametrize(
    ("outcomes", "stops_at", "cause"),
    [
        ([BAD] * 9, None, None),
        ([GONE, GONE], None, None),
        ([GONE, GONE, GONE], 3, StopCause.STORE),
        ([GONE, GONE, "ok", GONE, GONE], None, None),
        ([GONE, GONE, BAD, GONE, GONE], None, None),
        ([GONE, GONE, "ok", GONE, GONE, GONE], 6, StopCause.STORE),
        ([Denied("put", "a", "no")], 1, StopCause.STORE),
        (["ok", QuotaExceeded("put", "a", "full")], 2, StopCause.STORE),
        ([BAD, BAD, NotFound("put", "a", "no")], None, None),
    ],
)
def test_a_run_stops_on_a_store_wide_error(
    outcomes: list[BulkputError | str], stops_at: int | None, cause: StopCause | None
) -> None:
    """Denied or a full quota stops at once, three unreachable requests in a row later; bad files never do."""
    failure_policy = FailurePolicy(StopRules(store_gone_after=3))
    assert first_order(failure_policy, outcomes) == (stops_at, cause)


@pytest.mark.parametrize(
    ("max_errors", "outcomes", "stops_at"),
    [
        (None, [BAD] * 5, None),
        (1, ["ok", BAD], 2),
        (2, [BAD, "ok", BAD], 3),
        (3, [BAD, "ok", BAD], None),
    ],
)
def test_max_errors_counts_all_failures(
    max_errors: int | None, outcomes: list[BulkputError | str], stops_at: int | None
) -> None:
    """Successes between them do not matter."""
    failure_policy = FailurePolicy(StopRules(max_errors=max_errors))
    assert first_order(failure_policy, outcomes) == (stops_at, stops_at and StopCause.ERRORS)


def refused(key: str, *, attempts: int = 1) -> StoreError:
    error = Conflict("put", key, f"no parent of {key} (tx{key}0)", status=409)
    error.attempts = attempts
    return error


def damaged(key: str) -> StoreError:
    return IntegrityError("put", key, expected=key * 32, actual=key, status=201)


@pytest.mark.parametrize(
    ("outcomes", "stops_at"),
    [
        ([refused("a"), refused("b"), refused("c"), refused("d")], 4),
        ([refused("a", attempts=3), refused("b", attempts=3)], 2),
        ([damaged("a"), damaged("b"), damaged("c"), damaged("d")], 4),
        ([refused("a"), BAD, refused("b"), BAD, refused("c"), refused("d")], 6),
        ([refused("a"), TooLarge("put", "b", "its name is too long"), refused("c"), refused("d"), refused("e")], 5),
        ([BAD] * 9, None),
        ([TooLarge("put", "b", "its name is too long")] * 9, None),
        (["ok", *[refused("a")] * 9], None),
        ([refused("a"), refused("b"), refused("c"), "ok", *[refused("d")] * 9], None),
        ([refused("a"), refused("b"), NotFound("put", "c", "no", status=404), refused("d"), refused("e")], None),
        ([StoreError("put", "a", "no", status=status) for status in range(400, 409)], None),
    ],
)
def test_a_run_stops_if_its_first_requests_fail_for_one_cause(
    outcomes: list[BulkputError | str], stops_at: int | None
) -> None:
    """Four failures suffice; a success ends the rule, and failures of the source do not count."""
    assert first_order(FailurePolicy(StopRules(in_vain_after=4)), outcomes) == (stops_at, stops_at and StopCause.STORE)


def test_a_stop_reason_names_the_cause_and_the_remedy() -> None:
    """It is one sentence with the last error."""
    order = FailurePolicy(StopRules(in_vain_after=1)).failed(refused("a"))
    assert order is not None
    assert order.why == (
        "nothing has worked: the first object failed: put a: 409 no parent of a (txa0):"
        " check the destination and any proxy on the way"
    )
    failure_policy = FailurePolicy(StopRules(in_vain_after=2))
    failure_policy.failed(refused("a"))
    order = failure_policy.failed(refused("b"))
    assert order is not None and "the first 2 objects failed for the same cause, the last: put b: 409" in order.why


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (refused("a"), refused("b"), True),
        (damaged("a"), damaged("b"), True),
        (Unavailable("put", "a b", "no way to /c/a%20b"), Unavailable("put", "d", "no way to /c/d"), True),
        (Unavailable("put", "a", "reset"), Unavailable("put", "b", "refused"), False),
        (Unavailable("put", "a", "no", status=503), Unavailable("put", "b", "no", status=500), False),
        (damaged("a"), IntegrityError("put", "b", expected="x", actual=None, status=200), False),
    ],
)
def test_causes_ignore_keys_numbers_and_digests(one: StoreError, other: StoreError, is_same: bool) -> None:
    """Such parts differ between objects."""
    assert (cause_of(one) == cause_of(other)) is is_same


@pytest.mark.parametrize(
    ("error", "what", "has_worked", "retries"),
    [
        (GONE, "other", True, 5),
        (GONE, "other", False, 5),
        (GONE, "transfer", False, 5),
        (NEVER_THERE, "other", False, 3),
        (NEVER_THERE, "other", True, 3),
        (NEVER_THERE, "transfer", False, 5),
        (NEVER_THERE, "transfer", True, 5),
        (NO_SUCH_HOST, "other", False, 3),
        (NO_SUCH_HOST, "transfer", False, 3),
        (LOST_HOST, "other", False, 5),
        (LOST_HOST, "transfer", False, 5),
        (GONE, "login", True, 5),
        (GONE, "login", False, 3),
        (damaged("a"), "transfer", True, 5),
        (damaged("a"), "transfer", False, 3),
    ],
)
def test_some_failures_have_fewer_retries_before_the_first_success(
    error: StoreError, what: str, has_worked: bool, retries: int
) -> None:
    """The table of `retries_of`: a transfer keeps all retries, since its server may be restarting."""
    is_login, is_transfer = what == "login", what == "transfer"
    for options, few in ((OPTIONS, retries), (RetryOptions(retries=1), 1), (RetryOptions(retries=0), 0)):
        found = retries_of(error, options, is_login=is_login, is_transfer=is_transfer, has_worked=has_worked)
        assert found == few


def test_the_pauses_of_a_first_contact_last_for_seconds_at_least() -> None:
    """Three retries would else end at once by chance."""
    assert sum(delay(NEVER_THERE, attempt=attempt, jitter=0.0) or 0.0 for attempt in (1, 2, 3)) == 3.5
    assert sum(delay(NEVER_THERE, attempt=attempt, jitter=1.0) or 0.0 for attempt in (1, 2, 3)) == 7.0


def test_a_denied_request_outranks_max_errors() -> None:
    """The exit code is 3, not 1."""
    order = FailurePolicy(StopRules(max_errors=1)).failed(Denied("put", "a", "no", status=403))
    assert order is not None
    assert (order.cause, order.why) == (StopCause.STORE, "put a: 403 no")


def first_order(
    failure_policy: FailurePolicy, outcomes: list[BulkputError | str]
) -> tuple[int | None, StopCause | None]:
    for number, outcome in enumerate(outcomes, 1):
        if isinstance(outcome, str):
            failure_policy.succeeded()
        elif (order := failure_policy.failed(outcome)) is not None:
            return number, order.cause
    return None, None
