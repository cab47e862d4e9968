"""The identity that no run may break: found = uploaded + skipped + failed."""

import json
from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bulkput import events as ev
from bulkput.errors import BulkputError, SourceError, Unavailable
from bulkput.model import ObjectHeaders, Reason, Skip, SourceFile, Stored, Upload
from bulkput.recorder import Recorder

paths = st.binary(max_size=8)
files = st.builds(SourceFile, paths, paths, st.integers(0, 10), st.integers(0, 10))
uploads = st.builds(Upload, files, st.text(max_size=3), st.just(ObjectHeaders()))
skips = st.builds(Skip, paths, paths, st.sampled_from(Reason))
errors: st.SearchStrategy[BulkputError] = st.builds(
    SourceError, paths, st.just("changed"), st.text(max_size=3)
) | st.builds(Unavailable, st.just("put"), st.text(max_size=3), st.text(max_size=3))
outcomes = (
    st.builds(ev.Uploaded, uploads, st.builds(Stored, st.text(max_size=3), st.integers(0, 9), st.none(), st.none()),
              st.integers(0, 9), st.integers(0, 9), st.floats(0, 9))
    | st.builds(ev.Skipped, skips)
    | st.builds(ev.Failed, paths, st.none() | st.text(max_size=3), errors)
)  # fmt: skip
noise = (
    st.builds(ev.Requested, st.just("put"), st.text(max_size=3), st.floats(0, 9), st.floats(0, 9), st.none(), st.none())
    | st.builds(ev.Retrying, st.builds(Unavailable, st.just("put"), st.just("a"), st.just("x")), st.integers(1, 3),
                st.floats(0, 9))
    | st.just(ev.ScanDone())
    | st.builds(ev.Stopping, st.text(max_size=3), st.sampled_from(ev.StopCause))
    | st.builds(ev.Finished, st.floats(0, 9), st.just({"PUT": 1}), st.integers(0, 3))
    | st.builds(ev.Tuned, st.integers(1, 9), st.just("more"))
    | st.builds(ev.Known, st.integers(1, 9), st.integers(0, 9))
    | st.builds(ev.ReadingChosen, st.booleans(), st.floats(0, 9))
)  # fmt: skip
runs = st.lists(outcomes | noise | st.builds(ev.Discovered, files), max_size=30)


def record(events: list[ev.Event]) -> Recorder:
    recorder = Recorder()
    for event in events:
        recorder(event)
    return recorder


@given(runs)
def test_a_run_adds_up_exactly_when_each_found_entry_has_one_outcome(events: list[ev.Event]) -> None:
    """This holds for any events in any order; a run that does not add up never exits with 0."""
    kinds = Counter(type(event) for event in events)
    known = sum(event.count for event in events if isinstance(event, ev.Known))
    ended = kinds[ev.Uploaded] + kinds[ev.Skipped] + kinds[ev.Failed] + known
    recorder = record(events)
    summary = recorder.summary()
    assert recorder.done == ended == summary.uploaded + summary.skipped + summary.failed
    assert summary.adds_up == (kinds[ev.Discovered] + known == ended)
    assert summary.skipped == sum(summary.skipped_by_reason.values())
    if not summary.adds_up:
        assert summary.exit_code in (3, 130)


@given(st.lists(outcomes, max_size=20), st.randoms())
def test_the_order_of_events_does_not_change_the_numbers(events: list[ev.Event], random: Random) -> None:
    """Workers report in the order in which they finish."""
    shuffled = list(events)
    random.shuffle(shuffled)
    one, other = record(events).summary().as_json(), record(shuffled).summary().as_json()
    one["failures"] = other["failures"] = None
    assert one == other


@given(runs)
def test_any_summary_can_be_written_as_json(events: list[ev.Event]) -> None:
    """Names hold any bytes, keys hold any text, and the run may stop for any reason."""
    row = record(events).summary().as_json()
    assert json.loads(json.dumps(row)) == row
