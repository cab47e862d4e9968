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


def test_a_latency_bound_store_gets_the_highest_limit_within_five_samples() -> None:
    """Only more requests in flight make such a store faster."""
    tuner = run(latency_bound(0.05))
    assert 256 in tuner.go(5)
    assert set(tuner.go(100)) == {256}


def test_a_saturated_server_gets_about_the_concurrency_that_it_needs() -> None:
    """Its knee is at 16 in flight; the limit falls from 64 without loss of speed."""
    tuner = run(with_knee(0.05, 320))
    tuner.go(60)
    assert 12 <= tuner.state.base <= 32
    assert tuner.rate() >= 0.9 * 320


def test_a_knee_above_the_start_is_found() -> None:
    """The store needs 128 requests in flight."""
    tuner = run(with_knee(0.1, 1280))
    tuner.go(60)
    assert 96 <= tuner.state.base <= 192
    assert tuner.rate() >= 0.9 * 1280


def test_a_silent_rate_limit_lowers_the_concurrency() -> None:
    """At 10 objects per second, few requests are as fast as many."""
    tuner = run(with_knee(0.02, 10))
    tuner.go(60)
    assert tuner.state.base == 8
    assert tuner.rate() >= 0.9 * 10


def test_a_throttling_store_gets_half_the_concurrency() -> None:
    """The limit falls at once and rises only after a rest."""
    tuner = run(throttling(0.05, 20))
    assert tuner.go(2) == [32, 16]
    assert tuner.state.reason is LimitReason.THROTTLED
    assert tuner.go(8) == [16] * 8
    tried = tuner.go(200)
    assert max(tried) <= 32 and tuner.rate() >= 0.6 * 20 / 0.05


def test_a_store_that_was_slow_for_a_minute_gets_its_limit_back() -> None:
    """The limit stays within bounds in the slow minute."""
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
def test_noise_costs_at_most_a_tenth_of_the_rate(store: Store, seed: int) -> None:
    """Rates are off by up to 5 %; the best fixed limit is the reference."""
    tuner = run(noisy(store, 0.05, seed))
    tuner.go(20)
    used = tuner.go(200)
    best = max(store(limit, 0).rate for limit in LADDER if 8 <= limit <= 256)
    assert sum(store(limit, 0).rate for limit in used) / len(used) >= 0.9 * best


@pytest.mark.parametrize(
    "store", [latency_bound(0.05), with_knee(0.05, 320), with_knee(0.1, 1280), with_knee(0.02, 10)], ids=range(4)
)
def test_a_settled_limit_moves_by_one_step_at_most(store: Store) -> None:
    """It stays unchanged most of the time."""
    tuner = run(store)
    tuner.go(100)
    base = tuner.state.base
    limits = tuner.go(400)
    near = {LADDER.index(limit) - LADDER.index(base) for limit in limits}
    assert near <= {-1, 0, 1}
    assert limits.count(base) > 0.8 * len(limits)


def test_an_unused_limit_is_not_raised() -> None:
    """The disk is slow, so further slots would stay empty."""
    tuner = run(lambda limit, _: Sample(rate=50, is_full=False))
    assert set(tuner.go(50)) == {64}
    assert tuner.state.reason is LimitReason.IDLE


def test_a_store_that_fails_every_request_keeps_its_limit() -> None:
    """Without stored objects there is no rate to compare."""
    tuner = run(lambda _limit, _now: Sample(rate=0))
    assert set(tuner.go(50)) == {64}


def test_a_store_that_fails_for_a_while_gets_a_bounded_limit() -> None:
    """The failures begin in the middle of a trial."""
    tuner = run(lambda limit, now_s: Sample(rate=0 if 1 <= now_s < 30 else min(limit, 64) / 0.05))
    assert max(tuner.go(30)) <= 128
    tuner.go(30)
    assert 32 <= tuner.state.base <= 96


def test_the_descriptor_limit_is_never_exceeded() -> None:
    """This holds even if more requests would be faster."""
    tuner = run(latency_bound(0.05), highest=100)
    assert max(tuner.go(100)) == 100
    assert run(latency_bound(0.05), limit=64, highest=40).state.limit == 40


def paced(store: Store, per_s: float) -> Store:
    """The user's own rate lies before the store: requests wait for it outside of the slots, if the store is faster."""

    def slowed(limit: int, now_s: float) -> Sample:
        sample = store(limit, now_s)
        if sample.rate <= per_s:
            return sample
        return Sample(rate=per_s, is_full=False, is_paced=True)

    return slowed


@pytest.mark.parametrize("per_s", [5, 50, 500, 1_250])
@pytest.mark.parametrize(
    "store", [latency_bound(0.05), with_knee(0.05, 320), with_knee(0.1, 1280), with_knee(0.02, 10)], ids=range(4)
)
def test_a_rate_of_the_user_settles_the_limit(store: Store, per_s: float) -> None:
    """The rate is no limit of the store: the concurrency neither climbs nor swings, and the rate is used."""
    tuner = run(paced(store, per_s))
    tuner.go(60)
    limits = tuner.go(400)
    if tuner.state.reason is LimitReason.PACED:
        assert len(set(limits)) == 1
    near = {LADDER.index(limit) - LADDER.index(tuner.state.base) for limit in limits}
    assert near <= {-1, 0, 1}
    best = max(store(limit, 0).rate for limit in LADDER if 8 <= limit <= 256)
    assert tuner.rate() >= 0.9 * min(per_s, best)


def test_a_limit_that_reaches_the_rate_of_the_user_is_not_raised() -> None:
    """The store needs 64 in flight for it, and could do more with more."""
    tuner = run(paced(latency_bound(0.05), 1_200))
    assert set(tuner.go(400)) == {64}
    assert tuner.state.reason is LimitReason.PACED


def test_streams_that_share_a_bandwidth_keep_their_number() -> None:
    """Large files: slots are full because their bodies wait, and files end so seldom that samples tell little."""
    chance = random.Random(1)
    tuner = run(lambda _limit, _now: Sample(rate=chance.choice((0, 0.3, 1)), is_full=True, is_paced=True))
    assert set(tuner.go(400)) == {64}


def test_a_store_that_throttles_below_the_rate_of_the_user_is_obeyed() -> None:
    """What the store asks for comes first."""
    tuner = run(lambda _limit, _now: Sample(rate=10, throttled=20, is_paced=True))
    assert tuner.go(3) == [32, 16, 8]


def test_the_tuner_goes_on_where_the_rate_of_the_user_is_no_longer_the_limit() -> None:
    """At first small files, then files that keep the store busy."""
    tuner = run(lambda limit, now_s: Sample(rate=50, is_paced=True) if now_s < 100 else Sample(rate=limit / 0.05))
    assert set(tuner.go(100)) == {64}
    assert 256 in tuner.go(20)
