"""The history of a watched run: nothing is lost when it is thinned, and a reader that follows it has the same."""

from hypothesis import given
from hypothesis import strategies as st

from bulkput.watch.history import History, Span

counts = st.integers(0, 10**6)
spans = st.builds(
    Span, st.floats(0.5, 5), counts, counts, st.integers(-(10**9), 10**9), counts, counts, st.floats(0, 300)
)
short = st.builds(Span, st.floats(0, 0.49), counts, counts, counts, counts, counts, st.floats(0, 300))
COUNTS = ("uploaded", "done", "moved", "retries", "failed")


@given(st.lists(spans | short, max_size=80), st.sampled_from([2, 4, 10]))
def test_totals_are_kept_when_a_history_is_thinned(looks: list[Span], most: int) -> None:
    """Of counts, seconds, and seconds of work; the history never has more spans than it may."""
    history = History(most)
    for look in looks:
        history.add(look)
        assert len(history.spans) <= most
    for name in COUNTS:
        assert sum(getattr(span, name) for span in history.spans) == sum(getattr(look, name) for look in looks)
    for weight in (lambda span: span.seconds, lambda span: span.seconds * span.in_flight):
        assert abs(sum(map(weight, history.spans)) - sum(map(weight, looks))) < 1e-6 * len(looks) * 1500 + 1e-9


@given(st.integers(1, 300))
def test_all_spans_but_the_last_have_the_same_number_of_looks(looks: int) -> None:
    """The resolution is the same over the whole run, and halves each time that the history is full."""
    history = History(8)
    for _ in range(looks):
        history.add(Span(1.0))
    lengths = {span.seconds for span in history.spans[:-1]}
    assert lengths <= {2.0**history.halvings}
    assert history.spans[-1].seconds <= 2.0**history.halvings
    assert len(history.spans) > 4 or looks <= 8


@given(st.lists(st.tuples(spans, st.booleans()), max_size=60))
def test_a_reader_that_takes_only_what_is_new_has_the_whole_history(looks: list[tuple[Span, bool]]) -> None:
    """It reads now and then, as the page in a browser does."""
    history, mine, seen = History(6), [[] for _ in range(7)], None
    for look, reads in [*looks, (Span(1.0), True)]:
        history.add(look)
        if reads:
            first = history.first_new(seen)
            for column, new in zip(mine, history.columns(first), strict=True):
                column[first:] = new
            seen = history.seen
    assert mine == history.columns()
