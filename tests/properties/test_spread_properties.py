"""Every object name belongs to exactly one container, and they are even."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.container_rate import Learned, container_bucket, rate_at, steps_of
from bulkput.policy.spread import Spread, index_of, spread_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
RANGES = st.tuples(st.integers(0, 300), st.integers(0, 300), st.sampled_from([1, 3, 4]))
"""The first number, how many follow, and the digits: those of a range that bash would write."""


@given(NAMES, RANGES, st.text("ab-1", max_size=3), st.text("ab-1", max_size=3))
def test_each_name_belongs_to_one_container_of_the_range(
    name: str, of: tuple[int, int, int], before: str, after: str
) -> None:
    """Written and read back, the range is the same."""
    first, more, width = of
    spread = Spread(before, first, first + more, width, after)
    container = spread.container_of(name)
    assert spread.names.count(container) == 1
    assert spread.holds(container)
    assert len(set(spread.names)) == spread.count
    written = spread_of(f"{before}{{{first:0{width}d}..{first + more:0{width}d}}}{after}")
    assert written is not None
    assert written.names == spread.names


@given(st.text("ab-1", max_size=5), RANGES)
def test_a_container_is_held_if_and_only_if_it_is_one_of_the_names(container: str, of: tuple[int, int, int]) -> None:
    """Without making all names."""
    spread = Spread("a", of[0], of[0] + of[1], of[2], "b")
    assert spread.holds(container) == (container in spread.names)
    assert spread.holds(f"a{container}b") == (f"a{container}b" in spread.names)


@given(st.integers(1, 64), st.text("abc/", max_size=10))
def test_names_are_spread_evenly_below_any_prefix(count: int, prefix: str) -> None:
    """Within six standard deviations of a fair die."""
    tries = 3_000
    found = Counter(index_of(f"{prefix}{number:06d}", count) for number in range(tries))
    share = 1 / count
    allowed = 6 * (tries * share * (1 - share)) ** 0.5
    assert all(abs(found[index] - tries * share) <= allowed + 1 for index in range(count))


@given(st.floats(0.1, 2_000), st.lists(st.floats(0, 0.5), min_size=1, max_size=300))
def test_no_second_has_more_requests_than_the_rate(rate: float, pauses: list[float]) -> None:
    """However requests come; one request is always allowed."""
    bucket, now_s, sent = container_bucket(rate), 0.0, []
    for pause_s in pauses:
        now_s += pause_s
        bucket = bucket.take(1, now_s)
        now_s = max(now_s, bucket.due_s)
        sent.append(now_s)
    for start_s in sent:
        assert sum(start_s <= at_s < start_s + 1 for at_s in sent) <= max(1, rate + 1e-6)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0.1, 1_000)), max_size=5), st.integers(0, 20_000))
def test_a_rate_that_the_cluster_shows_lies_between_those_of_its_table(
    rows: list[tuple[int, float]], objects: int
) -> None:
    """None below the first row, and for a container without objects."""
    steps = steps_of([list(row) for row in rows])
    rate = rate_at(steps, objects)
    if not steps or objects < steps[0][0] or not objects:
        assert rate is None
    else:
        assert rate is not None
        assert min(step[1] for step in steps) <= rate + 1e-9
        assert rate <= max(step[1] for step in steps) + 1e-9


@given(st.lists(st.floats(0, 3), min_size=1, max_size=30), st.floats(0, 500))
def test_refusals_lower_a_rate_and_never_to_nothing(pauses: list[float], taken: float) -> None:
    """A run ends, however often a container refuses."""
    learned, now_s = Learned(), 0.0
    for pause_s in pauses:
        now_s += pause_s
        learned = learned.later(now_s)
        before = learned.rate
        learned = learned.refused(now_s=now_s, rate=before, taken=taken)
        assert learned.rate is not None
        assert learned.rate >= 0.2
        assert before is None or learned.rate <= max(before, 0.2)
