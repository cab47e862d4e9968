"""When a run without progress is reported as stalled."""

from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.stall import StallBegan, StallEnded, StallTimer


def reports(looks: list[tuple[float, int]], stall_s: float = 60.0) -> list[StallBegan | StallEnded | None]:
    timer = StallTimer(stall_s, 0.0, (0,))
    return [timer.look(now_s, (counter,)) for now_s, counter in looks]


def test_a_stall_is_reported_at_doubling_intervals() -> None:
    """The reports come at the first look after 60, 120, 240 and 480 s."""
    looks = [(float(now), 0) for now in range(0, 500, 5)]
    assert [found for found in reports(looks) if found] == [
        StallBegan(60.0),
        StallBegan(120.0),
        StallBegan(240.0),
        StallBegan(480.0),
    ]


def test_the_end_of_a_stall_is_reported_once() -> None:
    """The next stall is timed from its own beginning."""
    assert reports([(59, 0), (60, 0), (70, 0), (75, 1), (80, 2), (139, 2), (140, 2)]) == [
        None, StallBegan(60.0), None, StallEnded(75.0), None, None, StallBegan(60.0),
    ]  # fmt: skip


def test_any_change_of_a_counter_restarts_the_stall_timer() -> None:
    """A counter that goes back counts too: an attempt began anew."""
    assert reports([(50, 1), (100, 2), (150, 1), (200, 3)]) == [None] * 4


def test_a_late_look_reports_a_stall_once() -> None:
    """A machine that slept gets one report, not one for each interval that passed."""
    assert reports([(1000, 0), (1005, 0), (1920, 0)]) == [StallBegan(1000.0), None, StallBegan(1920.0)]


@given(st.lists(st.tuples(st.floats(0.1, 100), st.integers(0, 1)), max_size=60))
def test_the_end_of_a_stall_is_reported_only_after_its_beginning(steps: list[tuple[float, int]]) -> None:
    """A `StallEnded` comes only directly after a `StallBegan`."""
    now_s, looks = 0.0, []
    for step_s, counter in steps:
        now_s += step_s
        looks.append((now_s, counter))
    was_told = False
    for found in filter(None, reports(looks, stall_s=30.0)):
        assert isinstance(found, StallBegan) or was_told
        was_told = isinstance(found, StallBegan)


def test_a_wait_for_the_rate_of_the_user_is_no_stall() -> None:
    """However long it takes; the stall is timed from the last look at such a wait."""
    timer = StallTimer(60.0, 0.0, (0,))
    assert [timer.look(float(now_s), (0,), is_paced=True) for now_s in range(5, 1_000, 5)] == [None] * 199
    assert timer.look(1_050.0, (0,)) is None
    assert timer.look(1_055.0, (0,)) == StallBegan(60.0)
