"""How files are shared out among processes, and what passes between these."""

import pickle
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bulkput import events as ev
from bulkput.model import Listed, ObjectHeaders, Pacing, RemoteObject, SourceFile, Stored, Upload
from bulkput.options import HeaderOptions
from bulkput.policy.lanes import FIRST, MOST, shares, summed, suspects_at_once, window
from bulkput.scale.task import decoded, encoded, heard, told

NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name)
SHARED = HeaderOptions(cache_control="max-age=60", meta=(("a", "b"),), extra=(("X-Odd", "1"),))
ROWS = st.sampled_from([None, Listed(None), Listed(RemoteObject("k", 1, "e", "text/plain", None), is_suffixed=True)])


@st.composite
def uploads(draw: st.DrawFn) -> Upload:
    """What `decide` makes: mostly plain files with the headers of all, and all that is not."""
    name, mtime_ns = draw(NAMES), draw(st.integers(0, 2**63))
    source = SourceFile(
        b"/src/" + name,
        name,
        draw(st.integers(0, 2**40)),
        mtime_ns,
        target=draw(st.sampled_from([None, None, b"/elsewhere"])),
        is_directory=draw(st.sampled_from([False, False, True])),
        listed=draw(ROWS),
    )
    headers = ObjectHeaders(
        content_type=draw(st.sampled_from([None, "text/html"])),
        mtime_ns=draw(st.sampled_from([mtime_ns, mtime_ns, None])),
        cache_control=SHARED.cache_control,
        meta=draw(st.sampled_from([SHARED.meta, SHARED.meta, ()])),
        extra=SHARED.extra,
        storage_class=draw(st.sampled_from([None, None, "COLD"])),
        encoding=draw(st.sampled_from([None, None, "gzip"])),
    )
    return Upload(source, draw(st.text(min_size=1, max_size=20)), headers)


@given(st.integers(1, 10_000), st.integers(1, 600))
def test_shares_add_up_to_the_limit_and_differ_by_one_at_most(limit: int, lanes: int) -> None:
    """With more processes than requests, each has one: less would be no process."""
    given_out = shares(limit, lanes)
    assert len(given_out) == lanes and min(given_out) >= 1
    assert max(given_out) - min(given_out) <= 1
    assert sum(given_out) == max(limit, lanes)


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e7))
def test_a_window_keeps_a_process_busy_and_is_bounded(share: int, rate: float | None) -> None:
    """It holds two files for each request in flight, and no more than any process needs."""
    files = window(share, rate)
    assert max(FIRST, 2 * share) <= files <= max(MOST, 2 * share)


@given(st.integers(1, 10))
def test_a_file_of_two_deaths_is_sent_alone(deaths: int) -> None:
    """So the third death is its own."""
    assert (suspects_at_once(deaths) == 1) == (deaths >= 2)


@given(st.integers(0, 2**40), uploads())
def test_a_file_arrives_as_it_was_sent(number: int, upload: Upload) -> None:
    """In its short form and in its long one."""
    item = pickle.loads(pickle.dumps(encoded(number, upload, SHARED, None)))
    assert decoded(item, SHARED) == (number, upload, None)


@given(st.integers(0, 2**40), uploads(), st.booleans(), st.booleans(), st.integers(0, 2**63))
def test_an_outcome_arrives_as_it_was_told(
    number: int, upload: Upload, has_asked: bool, is_large: bool, mtime_ns: int
) -> None:
    """Also of a file that was written to between the scan and its turn, and of one in parts."""
    sent = replace(upload, headers=replace(upload.headers, mtime_ns=mtime_ns))
    outcome = ev.Uploaded(sent, Stored(upload.key, 7, "e", "tx"), 7, mtime_ns, 0.5, parts=3 * is_large)
    asked = (1.0, 0.25, 7) if has_asked else None
    item = pickle.loads(pickle.dumps(told(number, upload, outcome, asked)))
    assert item[0] == number
    assert heard(item, upload) == (outcome, asked)


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 100), st.floats(0, 100)), max_size=5))
def test_paces_of_processes_add_up(parts: list[tuple[int, float, float]]) -> None:
    """They ran at the same time, so times are not added."""
    own = Pacing(500.0, None, 0, 0, 0.0, 0.0)
    total = summed(own, [Pacing(100.0, None, count, 2 * count, over_s, over_s / 2) for count, over_s, _ in parts])
    assert (total.objects_per_s, total.requests) == (500.0, sum(count for count, _, _ in parts))
    assert total.over_s == max((over_s for _, over_s, _ in parts), default=0.0)
