"""What `bulkput bench` makes of recorded requests: the numbers of a trial, the limit, the recommendation."""

import pytest
from click.testing import CliRunner

from bulkput.bench.samples import FileWait, Outcome, PutSample, Trial, measure, percentile
from bulkput.bench.sweep import concurrencies
from bulkput.bench.verdict import Diagnosis, Limit, Undecided, judge
from bulkput.cli.bench import bench
from bulkput.options import KIB, MIB


def trial(concurrency: int, rate: float, *, size: int | None = 4 * KIB, **different: object) -> Trial:
    """3 seconds at that rate; the latency follows by Little's law."""
    puts = round(3 * rate)
    facts = {
        "size": size, "concurrency": concurrency, "puts": puts, "bytes": puts * (size or 20_000), "seconds": 3.0,
        "median_s": concurrency / rate, "p99_s": 2 * concurrency / rate, "cpu": 0.1, "cpu_wait": 0.0, "unsent": 0.05,
        "attempts": puts + concurrency, "throttled": 0, "failed": 0,
    }  # fmt: skip
    return Trial(**{**facts, **different})  # type: ignore[arg-type]


def sweep(*rates: float, **different: object) -> list[Trial]:
    """4, 16, 64 and 256 in flight."""
    return [trial(c, rate, **different) for c, rate in zip((4, 16, 64, 256), rates, strict=True)]  # type: ignore[arg-type]


def decided(trials: list[Trial], *, setting: int = 64, reads_disk: bool = False) -> Diagnosis:
    verdict = judge(trials, setting=setting, reads_disk=reads_disk)
    assert isinstance(verdict, Diagnosis)
    return verdict


FLAT = (800, 1000, 1000, 1000)


@pytest.mark.parametrize(
    ("trials", "setting", "reads_disk", "limit"),
    [
        pytest.param(sweep(40, 160, 640, 2500), 4, False, Limit.LATENCY, id="far away"),
        pytest.param(sweep(40, 160, 640, 2500), 64, False, Limit.LATENCY, id="far away at the default"),
        pytest.param(sweep(40, 160, 640, 2500), 256, False, Limit.LATENCY, id="grew to the end of the ladder"),
        pytest.param(sweep(40, 160, 640, 700), 256, False, Limit.STORE, id="grew no more at the end"),
        pytest.param(sweep(500, 900, 1000, 1190), 64, False, Limit.STORE, id="a gain below a fifth is none"),
        pytest.param(sweep(*FLAT), 64, False, Limit.STORE, id="flat"),
        pytest.param(sweep(800, 1000, 900, 500), 64, False, Limit.STORE, id="more is slower"),
        pytest.param(sweep(*FLAT, cpu=0.85), 64, False, Limit.CLIENT_CPU, id="a busy client"),
        pytest.param(sweep(*FLAT, cpu=1.6), 64, False, Limit.CLIENT_CPU, id="a client with threads"),
        pytest.param(sweep(*FLAT, cpu=0.6, cpu_wait=0.35), 64, False, Limit.CLIENT_CPU, id="a busy client that waits"),
        pytest.param(sweep(*FLAT, cpu=0.2, cpu_wait=0.5), 64, False, Limit.STORE, id="an idle client that waits"),
        pytest.param(sweep(*FLAT, cpu=0.1, cpu_wait=0.89), 64, False, Limit.STORE, id="servers take the processors"),
        pytest.param(sweep(40, 160, 640, 2500, cpu=0.9), 4, False, Limit.LATENCY, id="latency comes before the client"),
        pytest.param(sweep(*FLAT, size=None, unsent=0.8), 64, True, Limit.DISK, id="nothing to send"),
        pytest.param(sweep(40, 160, 200, 200, size=None, unsent=0.8), 4, True, Limit.DISK, id="a slow disk, far away"),
        pytest.param(sweep(*FLAT, unsent=0.8), 64, False, Limit.STORE, id="generated files are on no slow disk"),
        pytest.param(sweep(*FLAT, size=None, unsent=0.8, failed=900), 64, True, Limit.STORE, id="pauses of retries"),
        pytest.param(sweep(*FLAT, size=None, unsent=0.8, cpu=0.9), 64, True, Limit.CLIENT_CPU, id="hashing"),
        pytest.param(sweep(40, 160, 640, 2500, throttled=90), 64, False, Limit.STORE, id="slow down"),
        pytest.param(sweep(40, 160, 640, 2500, throttled=1), 4, False, Limit.LATENCY, id="one refusal is none"),
    ],
)
def test_the_limit_follows_its_truth_table(trials: list[Trial], setting: int, reads_disk: bool, limit: Limit) -> None:
    """The docstring of `bench/verdict.py` has the truth table."""
    verdict = decided(trials, setting=setting, reads_disk=reads_disk)
    assert verdict.limit is limit, verdict.evidence


@pytest.mark.parametrize(
    ("trials", "setting", "recommended", "gain"),
    [
        (sweep(40, 160, 640, 2500), 4, 256, 62.5),
        (sweep(800, 960, 1000, 990), 64, 16, 0.96),
        (sweep(800, 900, 1000, 990), 64, 64, 1.0),
        (sweep(1000, 900, 800, 300), 256, 4, 3.333),
        # relative to the best at each size, so that small objects do not outvote large ones
        (sweep(500, 1000, 1000, 1000) + sweep(5, 10, 20, 20, size=MIB), 16, 64, 1.333),
        # of two trials the better one
        ([*sweep(1000, 1000, 500, 1000), trial(64, 1000)], 64, 4, 1.0),
    ],
)
def test_the_smallest_concurrency_that_is_as_fast_is_recommended(
    trials: list[Trial], setting: int, recommended: int, gain: float
) -> None:
    """It reaches at least 95 % of the best rate, as a mean over all sizes."""
    verdict = decided(trials, setting=setting)
    assert (verdict.recommended, round(verdict.gain, 3)) == (recommended, gain)


@pytest.mark.parametrize(
    ("trials", "reads_disk", "limit"),
    [
        pytest.param(sweep(500, 900, 1000, 1190), False, Limit.STORE, id="a gain below a fifth"),
        pytest.param(sweep(500, 900, 1000, 1190, cpu=0.9), False, Limit.CLIENT_CPU, id="a busy client"),
        pytest.param(sweep(40, 160, 640, 2500, throttled=90), False, Limit.STORE, id="slow down"),
        pytest.param(sweep(40, 160, 640, 2500, size=None, unsent=0.8), True, Limit.DISK, id="a slow disk"),
    ],
)
def test_more_in_flight_is_recommended_only_if_latency_is_the_limit(
    trials: list[Trial], reads_disk: bool, limit: Limit
) -> None:
    """Else the command would contradict the sentence before it."""
    verdict = decided(trials, reads_disk=reads_disk)
    assert (verdict.limit, verdict.recommended, verdict.is_setting_good) == (limit, 64, True)


def test_a_trial_with_too_few_puts_decides_nothing() -> None:
    """At the setting, it gives no verdict but its number; at any other concurrency, it is ignored."""
    few = trial(64, 5, puts=15)
    undecided = judge([*sweep(1, 2, 3, 100)[:2], few], setting=64, reads_disk=False)
    assert undecided == Undecided(
        "too few puts to judge with 64 in flight: 15 in the measured time; measure for longer, or with more files"
    )
    verdict = decided([*sweep(800, 1000, 1000, 1000)[:3], trial(256, 9000, puts=100)])
    assert (verdict.limit, verdict.recommended) == (Limit.STORE, 16)
    alone = judge([trial(64, 1000), *(trial(c, 9000, puts=1) for c in (4, 16, 256))], setting=64, reads_disk=False)
    assert isinstance(alone, Undecided) and "compare" in alone.why


@pytest.mark.parametrize(
    ("sizes", "where"),
    [
        ({64 * KIB: 1600, MIB: 100}, "the store, or the bandwidth of the way there"),
        ({4 * KIB: 100, MIB: 50}, "the store"),
        ({MIB: 100}, "the store, or the bandwidth of the way there"),
        ({4 * KIB: 100}, "the store"),
    ],
)
def test_equal_byte_rates_at_every_size_point_to_the_network(sizes: dict[int, float], where: str) -> None:
    """A network limits bytes per second, a store limits objects per second."""
    trials = [trial(c, rate, size=size) for size, rate in sizes.items() for c in (4, 16, 64, 256)]
    assert decided(trials).where == where


def test_the_evidence_has_the_numbers_of_the_trials() -> None:
    """Each finding is one sentence."""
    assert decided(sweep(40, 160, 640, 2500), setting=4).evidence == (
        "one put takes 100 ms, so 4 in flight are 40 objects/s; 256 in flight are 2500 objects/s, at 102 ms each"
    )
    assert decided(sweep(800, 1000, 1000, 1000)).evidence == (
        "64 in flight are 1000 objects/s of 4.0 KiB, at 64 ms each, and 256 in flight are 1000 at 256 ms: more in"
        " flight only makes each request slower (bulkput uses 10% of a core)"
    )
    assert decided(sweep(800, 1000, 1000, 1000, cpu=0.9)).evidence == (
        "bulkput uses 90% of a core; 1000 objects/s of 4.0 KiB at 900 us of processor time each,"
        " and more in flight changes that little"
    )


def test_the_trials_include_a_concurrency_above_the_setting() -> None:
    """The limit is the number of descriptors that the system allows."""
    assert concurrencies(64, 10_000) == [4, 16, 64, 256]
    assert concurrencies(10, 10_000) == [4, 10, 16, 64, 256]
    assert concurrencies(256, 10_000) == [4, 16, 64, 256, 1024]
    assert concurrencies(300, 1000) == [4, 16, 64, 256, 300]
    assert concurrencies(64, 64) == [4, 16, 64]


def waves(slots: int, *, latency_s: float, until_s: float) -> list[PutSample]:
    """A store that answers everything in flight at once, every `latency_s`."""
    return [
        PutSample(n * latency_s, (n + 1) * latency_s, 1000, Outcome.STORED, 0.25 * (n + 1) * latency_s, 0.0)
        for n in range(int(until_s / latency_s))
        for _ in range(slots)
    ]


@pytest.mark.parametrize("until_s", [1.0, 1.05, 1.09])
def test_a_rate_does_not_depend_on_the_end_of_its_window(until_s: float) -> None:
    """Little's law holds in the window, even if answers come in waves."""
    measured = measure(waves(8, latency_s=0.1, until_s=until_s), [], size=1000, concurrency=8)
    assert measured.rate == pytest.approx(8 / 0.1)
    assert (measured.median_s, measured.cpu) == (pytest.approx(0.1), pytest.approx(0.25))
    assert measured.unsent == pytest.approx(0)


def test_idle_slots_are_measured() -> None:
    """Gaps between requests count, and so do waits for the pieces of a large file within a request."""
    gaps = [PutSample(n / 10, n / 10 + 0.02, 1, Outcome.STORED, 0.0, 0.0) for n in range(50)]
    assert measure(gaps, [], size=None, concurrency=1).unsent == pytest.approx(0.8, abs=0.02)
    streamed = waves(1, latency_s=0.1, until_s=5.0)
    file_waits = [FileWait(sample.ended_s - 0.01, 0.06) for sample in streamed]
    assert measure(streamed, file_waits, size=None, concurrency=1).unsent == pytest.approx(0.6, abs=0.02)


def test_refused_requests_are_counted_apart_from_stored_ones() -> None:
    """They add neither to the rate nor to the latency."""
    refused = [PutSample(n / 10, n / 10 + 0.05, 1, Outcome.THROTTLED, 0.0, 0.0) for n in range(50)]
    measured = measure([*waves(2, latency_s=0.1, until_s=5.0), *refused], [], size=1, concurrency=2)
    assert (measured.throttled, measured.failed, measured.attempts) == (50, 0, 150)
    assert measured.rate == pytest.approx(20)


@pytest.mark.parametrize(
    "samples", [[], waves(8, latency_s=0.1, until_s=0.1)[:7], waves(8, latency_s=0.1, until_s=0.1)]
)
def test_a_recording_shorter_than_one_round_has_no_rate(samples: list[PutSample]) -> None:
    """Not even one round of answers."""
    measured = measure(samples, [], size=1, concurrency=8)
    assert (measured.rate, measured.puts, measured.is_enough) == (0.0, 0, False)


def test_a_percentile_is_a_measured_value() -> None:
    """Percentiles use the nearest rank."""
    assert [percentile([1, 2, 3, 4], share) for share in (0.5, 0.99, 1.0)] == [2, 4, 4]
    assert percentile([7.0], 0.5) == 7.0
    assert percentile([], 0.5) == 0.0


@pytest.mark.parametrize("sizes", ["4X", "", "4K,,1M", "-1", "1.5M"])
def test_an_invalid_size_is_refused_in_one_sentence(sizes: str) -> None:
    """The command is `bulkput bench --sizes SIZES`."""
    done = CliRunner().invoke(bench, ["--to", "swift://c", "--sizes", sizes])
    assert done.exit_code == 2
    assert "is not a size: write whole bytes, or 64K, 32M, 1G" in done.output
