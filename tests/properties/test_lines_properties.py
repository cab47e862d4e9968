"""Lines and rows, whatever the names."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from bulkput import events as ev
from bulkput.errors import BulkputError, SourceError, Throttled, TooLarge, printable
from bulkput.model import ObjectHeaders, Reason, Skip, SourceFile, Stored, Upload
from bulkput.report.lines import count_text, event_line, size_text
from bulkput.report.rows import event_json
from bulkput.report.stalled_lines import in_flight_lines

UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}

paths = st.binary(max_size=12)
keys = st.lists(st.characters() | st.sampled_from(list("\n\x1b\u202e")), max_size=9).map("".join)
files = st.builds(SourceFile, paths, paths, st.integers(0, 9), st.integers(0, 9))
errors: st.SearchStrategy[BulkputError] = (
    st.builds(SourceError, paths, st.sampled_from(["vanished", "changed"]), st.just("detail"))
    | st.builds(TooLarge, st.just("put"), keys, keys, status=st.none() | st.integers(100, 599))
    | st.builds(Throttled, st.just("put"), keys, keys, retry_after_s=st.none() | st.floats(0, 9))
)
rows = st.builds(ev.InFlight, paths, keys, keys, st.integers(1, 99), st.none() | keys, st.floats(0, 1e6))
events: st.SearchStrategy[ev.Event] = (
    st.builds(ev.Discovered, files)
    | st.builds(ev.Uploaded, st.builds(Upload, files, keys, st.just(ObjectHeaders())),
                st.builds(Stored, keys, st.integers(0, 9), st.none() | keys, st.none() | keys),
                st.integers(0, 9), st.integers(0, 9), st.floats(0, 9))
    | st.builds(ev.Skipped, st.builds(Skip, paths, paths, st.sampled_from(Reason), st.none() | keys))
    | st.builds(ev.Failed, paths, st.none() | keys, errors)
    | st.builds(ev.Retrying, st.builds(TooLarge, st.sampled_from(["put", "login"]), keys, keys), st.integers(1, 9),
                st.floats(0, 9))
    | st.builds(ev.Stopping, keys, st.sampled_from(ev.StopCause))
    | st.builds(ev.Finished, st.floats(0, 9), st.just({"PUT": 1}), st.integers(0, 9))
    | st.builds(ev.Stalled, st.floats(0, 1e6), st.lists(rows, max_size=25).map(tuple), st.none() | paths,
                st.lists(keys, max_size=2).map(tuple))
    | st.builds(ev.Moving, st.floats(0, 1e6))
    | st.builds(ev.Removed, keys, st.none() | st.integers(0, 9), st.booleans())
    | st.builds(ev.Kept, st.integers(1, 9), keys, st.none() | keys)
    | st.builds(ev.KeptYoung, keys, st.none() | st.integers(0, 9), st.floats(-1e9, 1e9))
    | st.builds(ev.Expiring, keys, st.none() | st.integers(0, 9), st.integers(0, 10**18), st.booleans(), st.booleans())
    | st.builds(ev.Tuned, st.integers(1, 9), st.just("more"))
    | st.builds(ev.Known, st.integers(1, 9), st.integers(0, 9))
    | st.builds(ev.ReadingChosen, st.booleans(), st.floats(0, 9))
)  # fmt: skip


@given(events, st.booleans())
def test_an_event_is_one_printable_line(event: ev.Event, verbose: bool) -> None:
    """Neither file names nor answers of a store can send control characters to the terminal."""
    line = event_line(event, verbose=verbose)
    assert line is None or (line and line.isprintable())


@given(st.lists(rows, max_size=25))
def test_each_request_in_flight_is_one_printable_line(rows: list[ev.InFlight]) -> None:
    """The columns before the file name have the same width in all lines."""
    lines = in_flight_lines(rows)
    assert all(line.isprintable() for line in lines)
    assert len(lines) == (min(len(rows), 20) + 1 + (len(rows) > 20) if rows else 0)
    for line, row in zip(lines[1:], rows, strict=False):
        if row.path and len(lines) <= 21:
            start = lines[0].index("file")
            assert line[start:] == printable(row.path)


@given(events)
def test_an_event_is_one_line_of_json(event: ev.Event) -> None:
    """The line is ASCII, and parsing it gives the same object, also for undecodable names."""
    row = event_json(event)
    if row is not None:
        line = json.dumps(row)
        assert line.isascii()
        assert "\n" not in line
        assert json.loads(line) == row
        assert row["event"]


@given(st.floats(0, 1024**5) | st.integers(0, 1024**5))
def test_size_text_is_the_size_within_rounding(size: float) -> None:
    """The error is at most half a byte, or a twentieth of the unit."""
    number, unit = size_text(size).split()
    assert re.fullmatch(r"\d+(\.\d)?", number)
    assert abs(float(number) * UNITS[unit] - size) <= UNITS[unit] * (0.5 if unit == "B" else 0.0501)


@given(st.integers(0, 10**15))
def test_count_text_groups_digits_by_three(count: int) -> None:
    """Without the spaces, the text is the number."""
    assert int(count_text(count).replace(" ", "")) == count
    assert re.fullmatch(r"\d{1,3}( \d{3})*", count_text(count))
