"""The rate of a container: what the cluster shows, and what refusals teach."""

import pytest

from bulkput.policy.container_rate import Learned, rate_at, steps_of
from bulkput.stores.swift.wire_format import limits

STEPS = ((100, 100.0), (200, 50.0), (500, 20.0))
"""The example of Swift's documentation of its ratelimit middleware."""


@pytest.mark.parametrize(
    ("objects", "rate"),
    [(0, None), (99, None), (100, 100.0), (150, 75.0), (200, 50.0), (350, 35.0), (500, 20.0), (1_000, 20.0)],
)
def test_the_rate_is_what_swift_computes(objects: int, rate: float | None) -> None:
    """The first four are in its documentation."""
    assert rate_at(STEPS, objects) == rate


def test_swift_never_limits_an_empty_container() -> None:
    """Even if the limit begins at 0."""
    assert rate_at(((0, 5.0),), 0) is None
    assert rate_at(((0, 5.0),), 1) == 5.0


@pytest.mark.parametrize(
    "found", [None, 5, "100", [], [[1]], [["a", 1]], [[1, "a"]], [[1, 0]], [[1, -5]], [[True, 5]], [1, 2], {}]
)
def test_what_makes_no_sense_is_no_limit(found: object) -> None:
    """A refusal will teach it."""
    assert steps_of(found) == ()


def test_the_limits_of_info_are_read() -> None:
    """As swift/common/middleware/ratelimit.py registers them."""
    info = {"swift": {"version": "2"}, "ratelimit": {"account_ratelimit": 0.0, "container_ratelimits": [[1, 50.0]]}}
    assert limits(info).container_rates == ((1, 50.0),)
    assert limits({}).container_rates == ()


def test_the_first_refusal_takes_what_was_accepted() -> None:
    """A tenth less."""
    assert Learned().refused(now_s=10.0, rate=None, taken=100.0).rate == 90.0


def test_refusals_of_one_second_count_once() -> None:
    """They were sent before the rate fell."""
    learned = Learned().refused(now_s=10.0, rate=None, taken=100.0)
    assert learned.refused(now_s=10.9, rate=learned.rate, taken=50.0) == learned
    assert learned.refused(now_s=11.0, rate=learned.rate, taken=50.0).rate == 90.0 * 0.875


def test_a_rate_rises_slowly_after_five_quiet_seconds() -> None:
    """By a hundredth for each further second."""
    learned = Learned().refused(now_s=10.0, rate=None, taken=100.0)
    assert learned.later(15.0).rate == 90.0
    assert learned.later(16.0).rate == pytest.approx(90.9)
    assert learned.later(16.0).later(17.0).rate == pytest.approx(learned.later(17.0).rate)
