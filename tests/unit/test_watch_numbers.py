"""What a watched run shows, from its events."""

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput import events as ev
from bulkput.errors import SourceError, Throttled, Unavailable
from bulkput.model import ObjectHeaders, Reason, Skip, SourceFile, Stored, Upload
from bulkput.recorder import Recorder
from bulkput.watch.numbers import MOST_FAILURES, MOST_TEXT, About, Ended, Numbers

ABOUT = About(sources=("dist",), destination="swift://c/x")
FILE = SourceFile(b"dist/a", b"a", 10, 0)
FOUND = ev.Discovered(FILE)
SENT = ev.Uploaded(Upload(FILE, "a", ObjectHeaders()), Stored("a", 10, None, None), 10, 0, 0.1)
SKIPPED = ev.Skipped(Skip(b"dist/b", b"b", Reason.EXCLUDED))
SCANNED = ev.ScanDone()
LEFT = ev.Skipped(Skip(b"dist/c", b"c", Reason.STOPPED))
HELD = ev.Skipped(Skip(b"dist/d", b"d", Reason.HELD_BACK))
STOPPING = ev.Stopping("the store is full", ev.StopCause.STORE)
STALLED, MOVING = ev.Stalled(60.0, ()), ev.Moving(70.0)


class Clock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def watched(events: Iterable[ev.Event], *, worded: Callable[[str], str] = str) -> tuple[Numbers, Clock]:
    """Numbers of a run with these events, one each second."""
    clock, recorder = Clock(), Recorder()
    numbers = Numbers(recorder, ABOUT, clock=clock, now=lambda: 1.8e9, worded=worded)
    for event in events:
        recorder(event)
        numbers(event)
        clock.now_s += 1
        numbers.look()
    return numbers, clock


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "starting"),
        ([FOUND], "running"),
        ([SCANNED], "running"),
        ([FOUND, STALLED], "stalled"),
        ([FOUND, STALLED, MOVING], "running"),
        ([FOUND, STALLED, STOPPING], "stopping"),
    ],
)
def test_the_state_follows_the_events(events: list[ev.Event], state: str) -> None:
    """A run that stops is told as such, even if it stalls."""
    numbers, _ = watched(events)
    assert numbers.state == numbers.as_json()["state"] == state
    numbers.end(Ended(0))
    assert numbers.state == "ended"


@pytest.mark.parametrize(
    ("events", "left_s"),
    [
        ([FOUND] * 10 + [SENT] * 5, None),
        ([FOUND] * 10 + [SENT] * 5 + [SCANNED], 10.0),
        ([FOUND] * 10 + [SCANNED], None),
        ([FOUND] * 10 + [SENT] * 5 + [SCANNED, STALLED], None),
        ([FOUND] * 10 + [SENT] * 5 + [SCANNED, STOPPING], None),
        ([FOUND, SENT, SCANNED], None),
    ],
)
def test_the_time_left_is_told_only_if_it_is_known(events: list[ev.Event], left_s: float | None) -> None:
    """Not before the scan is complete, nor while nothing moves."""
    numbers, _ = watched(events)
    assert numbers.left_s == (pytest.approx(left_s, rel=0.15) if left_s is not None else None)


def test_the_numbers_of_a_run_that_has_ended_stay_as_they_are() -> None:
    """The last look is part of them; what is in flight is nothing."""
    numbers, clock = watched([FOUND, SENT, SCANNED])
    clock.now_s += 0.25
    numbers.end(Ended(1, "the journal is full"))
    clock.now_s += 100
    told = numbers.as_json()
    assert told["elapsed_s"] == pytest.approx(3.25, abs=0.06)
    assert told["ended"] == {"exit_code": 1, "why": "the journal is full"}
    assert sum(told["history"]["columns"][0]) == pytest.approx(3.25)
    numbers.end(Ended(3))
    assert numbers.as_json()["elapsed_s"] == told["elapsed_s"]


def test_what_a_stop_has_left_unsent_is_no_progress() -> None:
    """Nor is what `last` has held back. Neither is told as skipped."""
    told = watched([FOUND] * 4 + [SENT, SKIPPED, STOPPING, LEFT, HELD])[0].as_json()
    assert (told["found"], told["done"], told["not_sent"], told["skipped"]) == (4, 2, 2, 1)
    assert told["skipped_by_reason"] == {Reason.EXCLUDED.value: 1}
    assert sum(told["history"]["columns"][2]) == 2


@pytest.mark.parametrize(("events", "is_done"), [([SCANNED, STOPPING], True), ([STOPPING, SCANNED], False)])
def test_a_scan_that_a_stop_has_closed_has_not_found_everything(events: list[ev.Event], is_done: bool) -> None:
    """It ends as any other does."""
    assert watched(events)[0].as_json()["is_scan_done"] is is_done


@given(
    uploaded=st.integers(0, 10**9),
    size=st.integers(0, 10**6),
    elapsed_s=st.floats(0.001, 10**6),
    late_s=st.floats(0, 5),
)
def test_the_last_rates_are_those_of_the_summary(uploaded: int, size: int, elapsed_s: float, late_s: float) -> None:
    """Total over elapsed, however long the page was there before the run, and after."""
    numbers, clock = watched([])
    clock.now_s += late_s
    recorder = numbers.recorder
    recorder.found = recorder.uploaded = uploaded
    recorder.bytes_read = recorder.bytes_sent = uploaded * size
    recorder(ev.Finished(elapsed_s, {}, 1))
    clock.now_s += elapsed_s + late_s
    numbers.end(Ended(0))
    told, summary = numbers.as_json(), recorder.summary()
    assert told["elapsed_s"] == pytest.approx(summary.elapsed_s, abs=0.001)
    assert told["mean"]["uploaded_per_s"] == pytest.approx(summary.objects_per_s, abs=0.001)
    assert told["mean"]["bytes_per_s"] == pytest.approx(summary.bytes_sent / summary.elapsed_s, abs=0.1)


def test_the_last_rate_of_a_worker_is_over_the_whole_run() -> None:
    """Not that of its last ten seconds."""
    numbers, clock = watched([])
    numbers.recorder.done_by["worker"].update({"a": 30, "b": 10})
    numbers.look()
    clock.now_s += 20
    numbers.recorder(ev.Finished(20.0, {}, 1))
    numbers.end(Ended(0))
    assert [row["per_s"] for row in numbers.as_json()["workers"]] == [1.5, 0.5]


def test_rates_tell_what_was_stored_from_what_was_skipped() -> None:
    """A run with --skip passes thousands of files a second that it does not send."""
    numbers, _ = watched([FOUND, SENT, FOUND, SKIPPED, FOUND, SKIPPED])
    told = numbers.as_json()
    assert (told["uploaded_per_s"], told["skipped_per_s"]) == (
        pytest.approx(1 / 6, abs=0.01),
        pytest.approx(1 / 3, abs=0.01),
    )
    assert told["bytes_per_s"] == pytest.approx(10 / 6, abs=0.1)


def test_retries_of_a_store_that_asks_for_fewer_requests_are_counted_by_themselves() -> None:
    """Others are counted, too, and the last one is shown."""
    throttled = ev.Retrying(Throttled("put", "a", "429", retry_after_s=None), 1, 0.1)
    other = ev.Retrying(Unavailable("put", "b", "reset"), 1, 0.1)
    told = watched([throttled, throttled, other])[0].as_json()
    assert (told["retries"], told["throttled"]) == (3, 2)
    assert "reset" in told["last_retry"]


@pytest.mark.parametrize("kind", ["worker", "container"])
def test_a_single_worker_or_container_is_not_listed(kind: str) -> None:
    """It does what the whole run does; several are listed with their rates."""
    numbers, clock = watched([])
    numbers.recorder.done_by[kind]["b"] += 10  # type: ignore[index]
    numbers.look()
    assert numbers.as_json()[f"{kind}s"] == []
    numbers.recorder.done_by[kind]["a\n"] += 1  # type: ignore[index]
    clock.now_s += 5
    numbers.look()
    rows = numbers.as_json()[f"{kind}s"]
    assert [(row["name"], row["done"]) for row in rows] == [("a\\n", 1), ("b", 10)]


def test_names_and_texts_are_one_line_and_not_endless() -> None:
    """Control characters are escaped, options have the names of flags, JSON takes undecodable bytes."""
    names = [b"\xff\n<script>" + b"x" * 5000, *(b"%d" % number for number in range(50))]
    failed = [ev.Failed(name, None, SourceError(name, "reading", "`dry_run`")) for name in names]
    told = watched([*failed, STOPPING], worded=lambda text: text.replace("`dry_run`", "--dry-run"))[0].as_json()
    json.dumps(told).encode()
    first = told["failures"][0]
    assert first["name"].startswith("\\xff\\n<script>xxx") and len(first["name"]) <= MOST_TEXT + 1
    assert "--dry-run" in told["failures"][1]["error"]
    assert len(told["failures"]) == MOST_FAILURES and told["more_failures"] == 51 - MOST_FAILURES


def test_a_message_of_a_long_run_stays_small() -> None:
    """After the first one, a second's message is a few kilobytes, whatever the length of the run."""
    numbers, clock = watched([FOUND])
    seen = None
    for _ in range(5_000):
        clock.now_s += 1
        numbers.look()
    whole = numbers.as_json()
    assert len(json.dumps(whole)) < 60_000
    seen = tuple(whole["history"]["seen"])
    clock.now_s += 1
    numbers.look()
    assert len(json.dumps(numbers.as_json(since=seen))) < 2_000
