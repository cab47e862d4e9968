"""The tuner against simulated stores: latency-bound, bound by a server's knee, rate-limited, slow for a while."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bulkput.policy.tune import LADDER, LimitReason, Sample, Tuning, start, tune

Store = Callable[[int, float], Sample]
"""(requests in flight, seconds since the start) -> what a sample there shows."""


def latency_bound(latency_s: float) -> Store:
    """However many are in flight, each takes the same time."""
    return lambda limit, _: Sample(rate=limit / latency_s)


def with_knee(latency_s: float, capacity: float) -> Store:
    """Stores `capacity` objects per second at most; more in flight wait in its queue (Little's law)."""

    def store(limit: int, _: float) -> Sample:
        return Sample(rate=min(limit / latency_s, capacity))

    return store


def throttling(latency_s: float, allowed: int) -> Store:
    """Refuses when more than `allowed` are in flight."""
    return lambda limit, _: Sample(rate=min(limit, allowed) / latency_s, throttled=max(0, limit - allowed))


def slow_for_a_minute(store: Store, *, begin_s: float, factor: float) -> Store:
    """Everything takes `factor` times as long in the meantime."""

    def slowed(limit: int, now_s: float) -> Sample:
        sample = store(limit, now_s)
        if not begin_s <= now_s < begin_s + 60:
            return sample
        return Sample(rate=sample.rate / factor)

    return slowed


def noisy(store: Store, share: float, seed: int) -> Store:
    """Rates are off by up to `share`."""
    chance = random.Random(seed)

    def shaken(limit: int, now_s: float) -> Sample:
        sample = store(limit, now_s)
        return Sample(rate=sample.rate * chance.uniform(1 - share, 1 + share), throttled=sample.throttled)

    return shaken


@dataclass
class Run:
    """A tuner at work, a sample each second."""

    store: Store
    state: Tuning
    now_s: float = 0.0

    def go(self, seconds: int) -> list[int]:
        """The limits that it set, one after the other."""
        limits = []
        for _ in range(seconds):
            self.state = tune(self.state, self.store(self.state.limit, self.now_s))
            self.now_s += 1
            limits.append(self.state.limit)
        return limits

    def rate(self) -> float:
        return self.store(self.state.base, self.now_s).rate


def run(store: Store, limit: int = 64, highest: int = 256) -> Run:
    return Run(store, start(limit, highest=highest))


def test_a_latency_bound_store_gets_all_that_is_allowed_within_five_samples() -> None:
    """Nothing else helps there."""
    tuner = run(latency_bound(0.05))
    assert 256 in tuner.go(5)
    assert set(tuner.go(100)) == {256}


def test_a_server_that_is_full_gets_no_more_than_it_needs() -> None:
    """Knee at 16 in flight: from 64 down to about there, and no slower."""
    tuner = run(with_knee(0.05, 320))
    tuner.go(60)
    assert 12 <= tuner.state.base <= 32
    assert tuner.rate() >= 0.9 * 320


def test_a_knee_above_the_start_is_found_too() -> None:
    """128 in flight are needed: up to it, and not much beyond."""
    tuner = run(with_knee(0.1, 1280))
    tuner.go(60)
    assert 96 <= tuner.state.base <= 192
    assert tuner.rate() >= 0.9 * 1280


def test_a_silent_rate_limit_is_not_met_with_more_requests() -> None:
    """10 objects per second whatever is in flight: a few requests are as fast as many, and wait less."""
    tuner = run(with_knee(0.02, 10))
    tuner.go(60)
    assert tuner.state.base == 8
    assert tuner.rate() >= 0.9 * 10


def test_a_store_that_asks_to_slow_down_gets_half() -> None:
    """At once, and it is not asked for more before a rest."""
    tuner = run(throttling(0.05, 20))
    assert tuner.go(2) == [32, 16]
    assert tuner.state.reason is LimitReason.THROTTLED
    assert tuner.go(8) == [16] * 8
    tried = tuner.go(200)
    assert max(tried) <= 32 and tuner.rate() >= 0.6 * 20 / 0.05


def test_a_store_that_is_slow_for_a_minute_is_used_as_before_afterwards() -> None:
    """Neither given up nor flooded meanwhile."""
    tuner = run(slow_for_a_minute(with_knee(0.05, 640), begin_s=40, factor=5))
    tuner.go(40)
    before = tuner.rate()
    meanwhile = tuner.go(60)
    assert max(meanwhile) <= 128
    tuner.go(60)
    assert tuner.rate() >= 0.9 * before


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "store", [latency_bound(0.05), with_knee(0.05, 320), with_knee(0.1, 1280), with_knee(0.3, 100)], ids=range(4)
)
def test_noise_does_not_lead_it_astray(store: Store, seed: int) -> None:
    """With rates off by up to 5 %, what is stored in the long run is within a tenth of the best fixed limit."""
    tuner = run(noisy(store, 0.05, seed))
    tuner.go(20)
    used = tuner.go(200)
    best = max(store(limit, 0).rate for limit in LADDER if 8 <= limit <= 256)
    assert sum(store(limit, 0).rate for limit in used) / len(used) >= 0.9 * best


@pytest.mark.parametrize(
    "store", [latency_bound(0.05), with_knee(0.05, 320), with_knee(0.1, 1280), with_knee(0.02, 10)], ids=range(4)
)
def test_once_settled_it_moves_by_one_step_at_most(store: Store) -> None:
    """And stands still most of the time."""
    tuner = run(store)
    tuner.go(100)
    base = tuner.state.base
    limits = tuner.go(400)
    near = {LADDER.index(limit) - LADDER.index(base) for limit in limits}
    assert near <= {-1, 0, 1}
    assert limits.count(base) > 0.8 * len(limits)


def test_a_limit_that_is_not_used_up_is_not_raised() -> None:
    """A slow disk: more slots would stay empty."""
    tuner = run(lambda limit, _: Sample(rate=50, is_full=False))
    assert set(tuner.go(50)) == {64}
    assert tuner.state.reason is LimitReason.IDLE


def test_a_store_that_fails_everything_gets_no_more() -> None:
    """Nothing stored is no rate to compare with."""
    tuner = run(lambda _limit, _now: Sample(rate=0))
    assert set(tuner.go(50)) == {64}


def test_a_store_that_fails_for_a_while_is_not_flooded() -> None:
    """In the middle of a trial, too."""
    tuner = run(lambda limit, now_s: Sample(rate=0 if 1 <= now_s < 30 else min(limit, 64) / 0.05))
    assert max(tuner.go(30)) <= 128
    tuner.go(30)
    assert 32 <= tuner.state.base <= 96


def test_the_descriptor_limit_is_never_passed() -> None:
    """Whatever would be faster."""
    tuner = run(latency_bound(0.05), highest=100)
    assert max(tuner.go(100)) == 100
    assert run(latency_bound(0.05), limit=64, highest=40).state.limit == 40
