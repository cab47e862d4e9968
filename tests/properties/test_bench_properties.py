"""The verdict of `bulkput bench`, whatever was measured."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bulkput.bench.samples import Outcome, PutSample, Trial, measure
from bulkput.bench.verdict import Diagnosis, judge

SETTING = 64
SHARES = st.floats(0, 1)


@st.composite
def sweeps(draw: st.DrawFn) -> list[Trial]:
    """Trials of some sizes at some concurrencies, the setting among them, good and bad, some of them twice."""
    ladder = sorted({SETTING, *draw(st.sets(st.sampled_from([1, 4, 16, 100, 256, 1024])))})
    sizes = draw(st.sampled_from([[None], [4096], [4096, 65_536, 1_048_576]]))
    places = [(size, c) for size in sizes for c in ladder]
    places += draw(st.lists(st.sampled_from(places), max_size=3))
    return [draw(trials(size, concurrency)) for size, concurrency in places]


def trials(size: int | None, concurrency: int) -> st.SearchStrategy[Trial]:
    puts = st.integers(0, 3000)
    return st.builds(
        Trial, size=st.just(size), concurrency=st.just(concurrency), puts=puts, bytes=puts, cpu=st.floats(0, 2),
        seconds=st.floats(0.1, 10), median_s=st.floats(0.001, 2), p99_s=st.floats(0.001, 2), cpu_wait=SHARES,
        unsent=SHARES, attempts=st.integers(3000, 4000), throttled=st.integers(0, 50), failed=st.integers(0, 3000),
    )  # fmt: skip


@given(sweeps(), st.booleans())
def test_the_recommended_concurrency_was_measured_and_reaches_95_percent_of_the_best_rate(
    measured: list[Trial], reads_disk: bool
) -> None:
    """It may be up to 5 % slower than the best for fewer requests in flight."""
    verdict = judge(measured, setting=SETTING, reads_disk=reads_disk)
    if isinstance(verdict, Diagnosis):
        assert verdict.recommended in {trial.concurrency for trial in measured}
        assert verdict.gain >= 0.95
        assert verdict.is_setting_good or verdict.recommended != SETTING
        assert verdict.gain <= 1 / 0.95 + 1e-9 or not verdict.is_setting_good


@given(sweeps(), st.booleans(), st.sampled_from([0.125, 0.5, 2.0, 1024.0]))
def test_a_uniformly_slower_store_gets_the_same_verdict(measured: list[Trial], reads_disk: bool, slower: float) -> None:
    """The verdict depends only on ratios of rates and times."""
    scaled = [
        replace(t, seconds=t.seconds * slower, median_s=t.median_s * slower, p99_s=t.p99_s * slower) for t in measured
    ]
    before = judge(measured, setting=SETTING, reads_disk=reads_disk)
    after = judge(scaled, setting=SETTING, reads_disk=reads_disk)
    if isinstance(before, Diagnosis):
        assert isinstance(after, Diagnosis)
        assert (after.limit, after.where, after.recommended) == (before.limit, before.where, before.recommended)
        assert after.gain == before.gain
    else:
        assert after == before


MOMENTS = st.floats(0, 100)
SAMPLES = st.builds(
    lambda started_s, took_s, size, outcome, cpu_s: PutSample(started_s, started_s + took_s, size, outcome, cpu_s, 0.0),
    MOMENTS, MOMENTS, st.integers(0, 10**9), st.sampled_from(Outcome), MOMENTS,
)  # fmt: skip


@given(st.lists(SAMPLES), st.integers(1, 20))
def test_measured_numbers_stay_in_their_ranges_for_any_recording(samples: list[PutSample], concurrency: int) -> None:
    """Requests that stored nothing do not count as puts."""
    measured = measure(samples, [], size=None, concurrency=concurrency)
    stored = [sample for sample in samples if sample.outcome is Outcome.STORED]
    assert 0 <= measured.puts <= max(0, len(stored) - concurrency)
    assert 0 <= measured.unsent <= 1 and measured.median_s <= measured.p99_s
    assert measured.attempts == len(samples) >= measured.throttled + measured.failed
