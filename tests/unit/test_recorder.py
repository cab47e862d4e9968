"""Events folded into a summary."""

import json
from dataclasses import replace

import pytest

from bulkput import events as ev
from bulkput.errors import SourceError, Unavailable
from bulkput.events import StopCause
from bulkput.model import Compression, ObjectHeaders, Reason, Skip, SourceFile, Stored, Upload, Why
from bulkput.recorder import Recorder
from bulkput.report.lines import summary_lines
from bulkput.results import MAX_FAILURES_KEPT, Summary

FILE = SourceFile(b"/src/a", b"a", 10, 0)
UPLOADED = ev.Uploaded(Upload(FILE, "a", ObjectHeaders()), Stored("a", 7, "etag", "tx1"), 10, 0, 0.5)
SKIPPED = ev.Skipped(Skip(b"/src/l", b"l", Reason.LINK_OUTSIDE))
FAILED = ev.Failed(b"/src/\xff", None, SourceError(b"/src/\xff", "name", "not UTF-8"))
FOUND = ev.Discovered(FILE)


def summary(*events: ev.Event) -> Summary:
    recorder = Recorder()
    for event in events:
        recorder(event)
    return recorder.summary()


def test_a_recorder_without_events_has_an_empty_summary_that_adds_up() -> None:
    """All numbers are 0, and so is the exit code."""
    empty = summary()
    assert (empty.found, empty.uploaded, empty.skipped, empty.failed) == (0, 0, 0, 0)
    assert empty.adds_up
    assert empty.exit_code == 0
    assert empty.objects_per_s == 0.0


def test_the_summary_counts_every_event() -> None:
    """Each event counts where it belongs."""
    retrying = ev.Retrying(Unavailable("put", "a", "reset"), 1, 0.5)
    requested = ev.Requested("put", "a", 1.0, 0.1, 7, None)
    run = summary(
        FOUND, UPLOADED, FOUND, UPLOADED, FOUND, SKIPPED, FOUND, FAILED, retrying, requested, ev.ScanDone(),
        ev.Tuned(64, "start"), ev.Tuned(96, "more"), ev.Tuned(48, "fewer"), ev.Finished(2.0, {"PUT": 4, "GET": 1}, 3),
    )  # fmt: skip
    assert (run.found, run.uploaded, run.skipped, run.failed) == (4, 2, 1, 1)
    assert (run.bytes_read, run.bytes_sent) == (20, 14)
    assert (run.retries, run.connections, run.concurrency) == (1, 3, 48)
    assert run.requests == {"PUT": 4, "GET": 1}
    assert run.objects_per_s == 1.0
    assert run.skipped_by_reason == {"link leaves the source tree": 1}
    assert [(f.path, f.key) for f in run.failures] == [(b"/src/\xff", None)]
    assert run.adds_up


def test_the_summary_has_the_documented_fields() -> None:
    """All of it can be written as JSON."""
    row = summary(
        FOUND,
        UPLOADED,
        FOUND,
        FAILED,
        ev.Tuned(64, "start"),
        ev.Tuned(32, "throttled"),
        ev.Finished(1.21, {"PUT": 1}, 64),
    ).as_json()
    documented = {
        "schema", "found", "uploaded", "skipped", "failed", "bytes_read", "bytes_sent", "requests", "connections",
        "retries", "elapsed_s", "objects_per_s", "concurrency", "failures",
    }  # fmt: skip
    assert documented <= set(row)
    assert set(row) - documented == {"skipped_by_reason", "failures_omitted", "stopped"}
    read = json.loads(json.dumps(row))
    assert (read["schema"], read["concurrency"]) == (1, {"final": 32, "peak": 64})
    assert read["failures"] == [{"path": "/src/\udcff", "key": None, "error": "read /src/\\xff: name: not UTF-8"}]
    assert (read["elapsed_s"], read["objects_per_s"], read["stopped"]) == (1.21, 0.8, None)


def test_left_segments_are_counted_and_the_first_are_named() -> None:
    """As many are named as failures; a run that overwrites no large object has no such field."""
    many = ev.SegmentsLeft("a", tuple(f"s/{number}" for number in range(999)))
    run = summary(many, replace(many, key="b"), ev.SegmentsLeft("c", below="s/c/"), ev.SegmentsLeft("d"))
    left = run.as_json()["segments_left"]
    assert left | {"names": len(left["names"])} == {
        "large_overwritten": 4,
        "segments": 1_998,
        "names": 1_000,
        "below": ["s/c/"],
    }
    assert "segments_left" not in summary(FOUND).as_json()


def sent_as(compression: Compression | None, *, size: int, sent: int) -> ev.Uploaded:
    return ev.Uploaded(UPLOADED.upload, Stored("a", sent, "etag", "tx1"), size, 0, 0.5, compression)


COMPRESSED = [
    sent_as(Compression(True, Why.SAVES), size=1000, sent=100),
    sent_as(Compression(True, Why.SAVES), size=500, sent=100),
    sent_as(Compression(True, Why.ASKED), size=0, sent=20),
]
LEFT_ALONE = sent_as(Compression(False, Why.MAGIC), size=280, sent=280)


def test_compressed_and_uncompressed_files_are_counted_by_reason() -> None:
    """The ratio is that of the whole run."""
    run = summary(*(event for sent in (*COMPRESSED, LEFT_ALONE) for event in (FOUND, sent)))
    assert (run.bytes_read, run.bytes_sent, run.ratio) == (1780, 500, 3.56)
    assert run.compressed_by_reason == {"saves enough": 2, "asked for": 1}
    assert run.left_alone_by_reason == {"already compressed, by its first bytes": 1}
    assert json.loads(json.dumps(run.as_json()))["gzip"] == {
        "ratio": 3.56,
        "compressed": 3,
        "left_alone": 1,
        "compressed_by_reason": {"saves enough": 2, "asked for": 1},
        "left_alone_by_reason": {"already compressed, by its first bytes": 1},
    }


@pytest.mark.parametrize("sent", [[], [LEFT_ALONE], COMPRESSED])
def test_the_summary_has_gzip_fields_only_for_a_run_with_compression(sent: list[ev.Uploaded]) -> None:
    """The run may have compressed no file."""
    events = sent or [UPLOADED]
    assert ("gzip" in summary(*events).as_json()) is bool(sent)


def test_a_run_without_bytes_has_no_ratio() -> None:
    """The files are empty and sent uncompressed."""
    run = summary(FOUND, sent_as(Compression(False, Why.EMPTY), size=0, sent=0))
    assert run.ratio is None
    assert run.as_json()["gzip"]["ratio"] is None


def test_kept_failures_are_bounded_and_all_are_counted() -> None:
    """The summary has the number of omitted failures."""
    run = summary(*(FOUND, FAILED) * (MAX_FAILURES_KEPT + 5))
    assert run.failed == MAX_FAILURES_KEPT + 5
    assert len(run.failures) == MAX_FAILURES_KEPT
    assert run.as_json()["failures_omitted"] == 5
    assert run.adds_up


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([], 0),
        ([FOUND, UPLOADED], 0),
        ([FOUND, SKIPPED], 0),
        ([FOUND, FAILED], 1),
        ([FOUND], 3),
        ([UPLOADED], 3),
        ([FOUND, UPLOADED, UPLOADED], 3),
        ([ev.Stopping("denied", StopCause.STORE)], 3),
        ([FOUND, FAILED, ev.Stopping("denied", StopCause.STORE)], 3),
        ([FOUND, FAILED, ev.Stopping("1 failed", StopCause.ERRORS)], 1),
        ([FOUND, UPLOADED, ev.Stopping("interrupted", StopCause.INTERRUPTED)], 130),
        ([FOUND, FAILED, ev.Stopping("interrupted", StopCause.INTERRUPTED)], 130),
        ([FOUND, FAILED, FOUND, ev.Stopping("1 failed", StopCause.ERRORS)], 3),
    ],
)
def test_the_exit_code_shows_if_everything_is_stored(events: list[ev.Event], code: int) -> None:
    """0: stored, 1: some failed, 3: stopped or numbers do not add up, 130: interrupted."""
    assert summary(*events).exit_code == code


def test_the_first_stop_order_is_reported() -> None:
    """Later orders are consequences of it."""
    run = summary(ev.Stopping("denied", StopCause.STORE), ev.Stopping("interrupted", StopCause.INTERRUPTED))
    assert run.stopping == ev.Stopping("denied", StopCause.STORE)
    assert run.as_json()["stopped"] == "denied"


def test_an_earlier_summary_does_not_change() -> None:
    """The recorder goes on counting."""
    recorder = Recorder()
    recorder(FOUND)
    recorder(SKIPPED)
    early = recorder.summary()
    recorder(FOUND)
    recorder(SKIPPED)
    assert (early.found, early.skipped, dict(early.skipped_by_reason)) == (1, 1, {"link leaves the source tree": 1})
    assert recorder.summary().found == 2


def test_the_recorder_knows_the_end_of_the_scan() -> None:
    """From then on the total is."""
    recorder = Recorder()
    assert not recorder.is_scan_done
    recorder(ev.ScanDone())
    assert recorder.is_scan_done


def test_finding_no_file_is_a_failure_if_configured() -> None:
    """The summary has a field for it."""
    for is_failure in (False, True):
        run = summary(FOUND, SKIPPED, ev.NothingFound("src", is_failure))
        assert (run.exit_code, "nothing_found" in run.as_json()) == (int(is_failure), is_failure)


@pytest.mark.parametrize(
    ("reason", "files"),
    [(Reason.EXCLUDED, 0), (Reason.TOO_OLD, 0), (Reason.LINK_OUTSIDE, 0), (Reason.IDENTICAL, 1), (Reason.DRY_RUN, 1)],
)
def test_filtered_files_do_not_count_as_found_files(reason: Reason, files: int) -> None:
    """A file whose object exists already counts."""
    recorder = Recorder()
    for event in (FOUND, ev.Skipped(Skip(b"/src/l", b"l", reason))):
        recorder(event)
    assert recorder.found_files == files


def test_files_of_other_shards_are_counted_apart() -> None:
    """They are not found, and the summary has the shard only if there is one."""
    run = summary(FOUND, UPLOADED, ev.OtherShards(2, 4, 7))
    assert (run.adds_up, run.found, run.shard, run.elsewhere) == (True, 1, "2/4", 7)
    assert (run.as_json()["shard"], run.as_json()["elsewhere"]) == ("2/4", 7)
    assert "  left out 7 files of other shards: this was shard 2/4" in summary_lines(run)
    assert "  this was shard 2/4" in summary_lines(summary(FOUND, UPLOADED, ev.OtherShards(2, 4, 0)))
    assert not {"shard", "elsewhere"} & set(summary(FOUND, UPLOADED).as_json())


def test_snapshots_and_empty_directories_are_counted_apart() -> None:
    """Each has its own field if there are any, and the files still add up."""
    run = summary(FOUND, ev.Snapshot(b"/src/a", 10), UPLOADED, ev.EmptyDirectory(b"/src/d"))
    assert (run.adds_up, run.as_json()["snapshots"], run.as_json()["empty_directories"]) == (True, 1, 1)
    assert not {"snapshots", "empty_directories"} & set(summary(FOUND, UPLOADED).as_json())
