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
BAD = SourceError(b"a", "vanished", "gone")


def delay(error: StoreError, *, attempt: int = 1, elapsed_s: float = 0.0, jitter: float = 1.0) -> float | None:
    return next_delay_s(error, attempt=attempt, elapsed_s=elapsed_s, options=OPTIONS, random=lambda: jitter)


@pytest.mark.parametrize(("attempt", "bound"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 16.0)])
def test_the_bound_doubles_with_each_attempt(attempt: int, bound: float) -> None:
    """base x 2^n, jitter between 0 and it."""
    assert delay(GONE, attempt=attempt) == bound
    assert delay(GONE, attempt=attempt, jitter=0.5) == bound / 2
    assert delay(GONE, attempt=attempt, jitter=0.0) == 0.0


def test_the_bound_is_capped() -> None:
    """From some attempt on all waits have the same bound."""
    options = RetryOptions(retries=50, cap_s=30.0)
    assert next_delay_s(GONE, attempt=6, elapsed_s=0.0, options=options, random=lambda: 1.0) == 30.0
    assert next_delay_s(GONE, attempt=50, elapsed_s=0.0, options=options, random=lambda: 1.0) == 30.0


@pytest.mark.parametrize(
    ("attempt", "elapsed_s", "goes_on"),
    [(5, 299.9, True), (6, 0.0, False), (2, 300.0, False), (2, 299.9, True), (1, 300.0, True), (1, 1e6, True)],
)
def test_tries_and_time_are_limited(attempt: int, elapsed_s: float, goes_on: bool) -> None:
    """Five retries after the first attempt, within 300 s; the second attempt is made however long the first one
    took."""
    assert (delay(GONE, attempt=attempt, elapsed_s=elapsed_s) is not None) is goes_on


def test_no_retries_means_one_attempt() -> None:
    """--retries 0."""
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
def test_the_error_says_whether_it_is_retried(error: StoreError, is_retried: bool) -> None:
    """Nobody matches on types."""
    assert (delay(error) is not None) is is_retried


@pytest.mark.parametrize(
    ("retry_after_s", "jitter", "expected"),
    [(3.0, 0.0, 3.0), (2.0, 1.0, 2.5), (60.0, 1.0, 61.0), (86400, 0.0, 120)],
)
def test_retry_after_is_a_floor_up_to_its_own_bound(retry_after_s: float, jitter: float, expected: float) -> None:
    """A quarter of it comes on top at most, and no more than the first pause; a day is cut to two minutes."""
    assert delay(Throttled("put", "a", "slow", retry_after_s=retry_after_s), jitter=jitter) == expected


def test_throttled_without_a_time_waits_like_any_other() -> None:
    """The exponential form."""
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
def test_a_run_stops_when_going_on_is_pointless(
    outcomes: list[BulkputError | str], stops_at: int | None, cause: StopCause | None
) -> None:
    """Denied or full: at once. Unreachable three times in a row: the store is gone. Bad files stop nothing."""
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
def test_max_errors_counts_every_failure(
    max_errors: int | None, outcomes: list[BulkputError | str], stops_at: int | None
) -> None:
    """Also those with successes between them."""
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
def test_a_run_in_which_nothing_ever_works_stops(outcomes: list[BulkputError | str], stops_at: int | None) -> None:
    """As soon as four requests in a row failed for one cause. One success ends the rule; the sources do not count, nor
    what was never asked of the store."""
    assert first_order(FailurePolicy(StopRules(in_vain_after=4)), outcomes) == (stops_at, stops_at and StopCause.STORE)


def test_the_reason_names_the_cause_and_what_to_do() -> None:
    """One sentence, with the last error in it."""
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
def test_a_cause_is_what_does_not_differ_from_object_to_object(
    one: StoreError, other: StoreError, is_same: bool
) -> None:
    """Keys, numbers and MD5s do."""
    assert (cause_of(one) == cause_of(other)) is is_same


@pytest.mark.parametrize(
    ("error", "is_login", "has_worked", "retries"),
    [
        (GONE, False, True, 5),
        (GONE, False, False, 5),
        (GONE, True, True, 3),
        (damaged("a"), False, True, 5),
        (damaged("a"), False, False, 3),
    ],
)
def test_while_nothing_has_worked_some_failures_have_fewer_tries(
    error: StoreError, is_login: bool, has_worked: bool, retries: int
) -> None:
    """Not a store that cannot be reached: a balancer that restarts costs no object."""
    assert retries_of(error, OPTIONS, is_login=is_login, has_worked=has_worked) == retries
    assert retries_of(error, RetryOptions(retries=1), is_login=is_login, has_worked=has_worked) == 1


def test_the_store_being_denied_outranks_the_count_of_errors() -> None:
    """The exit code says 3, not 1."""
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
