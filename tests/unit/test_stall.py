"""When a run that stands still is told of."""

from hypothesis import given
from hypothesis import strategies as st

from bulkput.policy.stall import StallBegan, StallEnded, StallTimer


def told(looks: list[tuple[float, int]], stall_s: float = 60.0) -> list[StallBegan | StallEnded | None]:
    patience = StallTimer(stall_s, 0.0, (0,))
    return [patience.look(now_s, (counter,)) for now_s, counter in looks]


def test_a_stall_is_told_at_doubling_distances() -> None:
    """After 60, 120, 240 and 480 s, at the first look that sees it."""
    looks = [(float(now), 0) for now in range(0, 500, 5)]
    assert [found for found in told(looks) if found] == [
        StallBegan(60.0),
        StallBegan(120.0),
        StallBegan(240.0),
        StallBegan(480.0),
    ]


def test_a_stall_that_ends_is_told_once() -> None:
    """And then the next one from its own beginning."""
    assert told([(59, 0), (60, 0), (70, 0), (75, 1), (80, 2), (139, 2), (140, 2)]) == [
        None, StallBegan(60.0), None, StallEnded(75.0), None, None, StallBegan(60.0),
    ]  # fmt: skip


def test_what_moves_now_and_then_is_no_stall() -> None:
    """Any change counts, also a counter that goes back: an attempt that begins anew."""
    assert told([(50, 1), (100, 2), (150, 1), (200, 3)]) == [None] * 4


def test_a_look_that_comes_late_tells_once() -> None:
    """A machine that slept: not once for each distance that has passed."""
    assert told([(1000, 0), (1005, 0), (1920, 0)]) == [StallBegan(1000.0), None, StallBegan(1920.0)]


@given(st.lists(st.tuples(st.floats(0.1, 100), st.integers(0, 1)), max_size=60))
def test_it_is_said_to_move_again_exactly_when_it_was_said_to_stand(steps: list[tuple[float, int]]) -> None:
    """Stalls come first; each is followed by at most one `StallEnded`."""
    now_s, looks = 0.0, []
    for step_s, counter in steps:
        now_s += step_s
        looks.append((now_s, counter))
    was_told = False
    for found in filter(None, told(looks, stall_s=30.0)):
        assert isinstance(found, StallBegan) or was_told
        was_told = isinstance(found, StallBegan)
