"""Events and summaries as text and as JSON."""

import ast
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from bulkput import events as ev
from bulkput.errors import Denied, IntegrityError, SourceError, StoreError, Unavailable
from bulkput.model import (
    Compression,
    LargeUpload,
    ObjectHeaders,
    Pacing,
    Reason,
    Skip,
    SourceFile,
    Stored,
    StoredPart,
    Upload,
    Why,
)
from bulkput.recorder import Recorder
from bulkput.report.lines import (
    count_text,
    counted,
    event_line,
    rate_text,
    size_text,
    summary_lines,
)
from bulkput.report.planned import planned_line
from bulkput.report.rows import event_json
from bulkput.report.stalled_lines import in_flight_lines


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2, "1.0 MiB"),
        (5 * 1024**3, "5.0 GiB"),
        (1024**4, "1.0 TiB"),
        (5000 * 1024**4, "5000.0 TiB"),
        (12.7, "13 B"),
    ],
)
def test_sizes_have_binary_units(size: float, text: str) -> None:
    """They have one decimal, except for bytes."""
    assert size_text(size) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (999, "999"), (1000, "1 000"), (1234567, "1 234 567")])
def test_counts_are_grouped_by_spaces(count: int, text: str) -> None:
    """Readable in every country."""
    assert count_text(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 retries"), (1, "1 retry"), (2, "2 retries"), (1000, "1 000 retries")]
)
def test_one_of_a_thing_is_singular(count: int, text: str) -> None:
    """The plural is the noun and an s, or is given."""
    assert counted(count, "retry", "retries") == text
    assert counted(count, "part") == text.replace("retry", "part").replace("retries", "parts")


PLURAL = re.compile(r"^ (?:[a-z]+ )?(objects|files|parts|segments|requests|connections|retries|uploads|entries)\b")


@pytest.mark.parametrize("folder", ["cli", "report"])
def test_no_line_puts_a_plural_behind_a_count_that_may_be_one(folder: str) -> None:
    """Behind `count_text` there is a participle; a noun is `counted`."""
    found = []
    for path in sorted((Path(__file__).parents[2] / "bulkput" / folder).glob("*.py")):
        texts = [node.values for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.JoinedStr)]
        for number, text in (pair for parts in texts for pair in pairwise(parts)):
            if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant):
                is_count = "count_text" in ast.unparse(number)
                found += [f"{path}:{text.lineno}{text.value}"] if is_count and PLURAL.match(str(text.value)) else []
    assert found == []


FILE = SourceFile(b"/src/a\xff\n", b"a\xff\n", 10, 0)
ODD_ERROR = SourceError(b"/src/\xff", "vanished", "it was there")
UPLOADED = ev.Uploaded(Upload(FILE, "k\n", ObjectHeaders()), Stored("k\n", 10, "e1", "tx1"), 10, 0, 0.1234567)
GZ = Stored("a.gz", 1024, "e2", "tx2")
PACKED = ev.Uploaded(UPLOADED.upload, GZ, 4096, 0, 0.5, Compression(True, Why.SAMPLE_SAVES))
ALONE = ev.Uploaded(UPLOADED.upload, UPLOADED.stored, 10, 0, 0.5, Compression(False, Why.EXCLUDED))
SKIPPED = ev.Skipped(Skip(b"/src/\xff", b"\xff", Reason.EXCLUDED))
DRY = ev.Skipped(Skip(b"/src/a", b"a", Reason.DRY_RUN, "p/a", 10))
FAILED = ev.Failed(b"/src/\xff", None, ODD_ERROR)
REFUSED = ev.Failed(b"/src/a", "p/a", StoreError("put", "p/a", "Bad Request", status=400, request_id="tx1"))
RETRYING = ev.Retrying(Unavailable("put", "p/a", "reset"), 2, 1.23456)
LOGIN = ev.Retrying(Unavailable("login", "", "reset"), 1, 0.5)
STOPPING = ev.Stopping("denied\n", ev.StopCause.STORE)
FINISHED = ev.Finished(1.23456, {"PUT": 1}, 1)
STREAMING = ev.Streaming(b"/src/a", 5)
REQUESTED = ev.Requested("put", "a", 1.0, 0.1, 7, None)
READING = ev.ReadingChosen(is_on_loop=False, average_s=0.0042)
HANGING = ev.ReadingChosen(is_on_loop=False, average_s=0.0, may_hang="nfs4")
TUNED = ev.Tuned(96, "more in flight store more")
PACED = ev.Paced(Pacing(200.0, 5 * 1024**2, 1_000, 2 * 1024**2, 5.0, 4.85))
PUT = ev.InFlight(b"/src/a\n", "p/a", "waiting for the answer", 2, "10.0.0.2:40512 > 10.0.0.1:80", 75.04)
LOGGING_IN = ev.InFlight(b"", "", "logging in: connecting", 1, None, 61.5)
STALLED = ev.Stalled(60.0, (PUT, LOGGING_IN), b"/src/\xff")
STANDING = ev.Stalled(61.0, (), None, ("run.py:7 f", "body.py:9 g"))
REMOVED = ev.Removed("p/a\n", 7, is_dry=False)
TO_REMOVE = ev.Removed("p/a", 7, is_dry=True)
KEPT = ev.Kept(1200, "3 failed")
KEPT_YOUNG = ev.KeptYoung("p/a\n", 7, 3.9 * 86_400)
EXPIRING = ev.Expiring("p/a\n", 7, 1_800_000_000, is_dry=False)
TO_EXPIRE = replace(EXPIRING, is_dry=True)
EXPIRING_ALREADY = replace(TO_EXPIRE, is_new=False)
LEFT = ev.SegmentsLeft("p/a", tuple(f"s/{number}" for number in range(1_003)))
LEFT_IN_DOUBT = ev.SegmentsLeft("", ("s/1", "s/2"), why="the run was stopped")
LEFT_BELOW = ev.SegmentsLeft("p/a", below="s/a/\n")
SEGMENTS_FOUND = ev.SegmentsFound("c_segments/a\n/", 3, 9, 86_400.6, is_ours=True)
SEGMENTS_KEPT = ev.SegmentsKept("c_segments/a\n/", 1_003, "o/b reads them", is_in_doubt=False)
UNFINISHED = ev.UnfinishedFound("c/a\n", "2~id", 3, 9, 86_400.6)
UNFINISHED_KEPT = ev.UnfinishedKept("c/a\n", "2~id", "it may be running", is_in_doubt=False)
ALL_KEPT = ev.SegmentsKept("", 1, "it is not known what is read", is_in_doubt=True)
MOVING = ev.Moving(75.25)
WARNED = ev.Warned("`walk.exclude` '*.tmp' matched nothing")
NOTHING = ev.NothingFound("./a\n", is_failure=False)
NO_FILE = ev.NothingFound("the list", is_failure=True)
HOLLOW = ev.EmptyDirectory(b"/src/\xff")
LARGE = replace(UPLOADED, parts=3, found_bytes=4)
PART = ev.PartStored(b"/src/a", "", LargeUpload("k\n", "s/k/"), StoredPart(2, 1536, "m"), is_new=True)
PART_THERE = replace(PART, is_new=False)
PARTS_LEFT = ev.PartsLeft("k\n", 2, 3 * 1024**2, "s/k/v/", is_resumed=True)
PARTS_IN_VAIN = replace(PARTS_LEFT, is_resumed=False)
NO_PARTS = replace(PARTS_IN_VAIN, count=0, size=0, below="s3://b/k\n")
STRANGE_PARTS = replace(PARTS_IN_VAIN, below="s3://b/k\n", uploads=2, is_strange=True)
BEGUN = ev.UploadBegun(b"/src/a\xff", "k\n", "2~id")
DRY_LARGE = ev.Skipped(Skip(b"/src/a", b"a", Reason.DRY_RUN, "p/a", 10, (3, 4)))
SNAPSHOT = ev.Snapshot(b"/log\xff", 7)
OTHERS = ev.OtherShards(2, 4, 7_500)
OTHERS_BY_BYTES = ev.OtherShards(2, 4, 7_500, "0f0f")
FINDING = ev.Finding(
    verdict=ev.Verdict.DIFFERENT, name="a\n", path=b"/src/a\n", why="another MD5", size=1, remote_size=1
)
CHANGE = ev.Change(ev.Done.FAILED, "a\n", "b", 7, StoreError("copy", "a\n", "no"))
LOST = ev.WorkerLost("worker 1\n", 2, "it was killed")
SENT = ev.WorkerSent("worker 1", 2)
LOOKING = ev.Looking(4_800, 2, 61_000, 512)
PLACE = ev.Place("https://store.example.org/v1/AUTH_a/c/", is_public=True)
EVENTS: list[ev.Event] = [
    PLACE, FINDING, CHANGE, ev.Relaying(), LOOKING,
    ev.Known(1000, 5),
    READING, TUNED, PACED, STALLED, STANDING, MOVING,
    ev.Discovered(FILE), ev.ScanDone(), STREAMING, UPLOADED, PACKED, ALONE,
    SKIPPED, DRY, FAILED, REFUSED, REQUESTED, RETRYING, LOGIN, STOPPING,
    FINISHED, REMOVED, TO_REMOVE, KEPT, WARNED, NOTHING, NO_FILE, SNAPSHOT, HOLLOW, OTHERS, OTHERS_BY_BYTES,
    FINISHED, REMOVED, TO_REMOVE, KEPT, LEFT, LEFT_BELOW,
    KEPT_YOUNG, EXPIRING, TO_EXPIRE, EXPIRING_ALREADY,
    LARGE, PART, PART_THERE, PARTS_LEFT, NO_PARTS, STRANGE_PARTS, BEGUN, DRY_LARGE,
    SEGMENTS_FOUND, SEGMENTS_KEPT, ALL_KEPT, UNFINISHED, UNFINISHED_KEPT, LOST, SENT,
]  # fmt: skip


def test_the_tested_events_include_every_kind() -> None:
    """A new kind of event needs its line and its row."""
    assert {type(event) for event in EVENTS} == set(get_args(ev.Event))


@pytest.mark.parametrize(
    ("event", "quiet", "verbose"),
    [
        (ev.Discovered(FILE), None, None),
        (ev.ScanDone(), None, None),
        (REQUESTED, None, None),
        (STREAMING, None, None),
        (PLACE, None, None),
        (LOOKING, None, None),
        (FINISHED, None, None),
        (FINDING, None, None),
        (CHANGE, None, None),
        (ev.Relaying(), *["no copy by the store between these two: the bytes pass through this machine"] * 2),
        (READING, None, "reading small files in threads: 4.2 ms each on average"),
        (HANGING, None, "reading files in threads: nfs4 may hang"),
        (STALLED, *[r"nothing has moved for 60 s: 2 in flight, the scan is at /src/\xff"] * 2),
        (STANDING, *["nothing has moved for 61 s: 0 in flight, the event loop stands at run.py:7 f > body.py:9 g"] * 2),
        (MOVING, *["moving again, after 75 s"] * 2),
        (LOST, *[r"lost worker 1\n: 2 files of it are sent again: it was killed"] * 2),
        (replace(LOST, files=0), *[r"lost worker 1\n: it had no file: it was killed"] * 2),
        (SENT, None, None),
        (TUNED, None, "requests in flight: 96: more in flight store more"),
        (UPLOADED, None, r"uploaded: /src/a\xff\n -> k\n"),
        (
            PACKED,
            None,
            r"uploaded: /src/a\xff\n -> a.gz (4.0 KiB -> 1.0 KiB, gzip: a sample of it saves enough)",
        ),
        (
            ALONE,
            None,
            r"uploaded: /src/a\xff\n -> k\n (not compressed: excluded from compression)",
        ),
        (SKIPPED, None, r"skipped: /src/\xff: excluded by a filter"),
        (DRY, None, "skipped: /src/a -> p/a: dry run"),
        (RETRYING, *["retrying in 1.2 s: put p/a: reset"] * 2),
        (LOGIN, "retrying in 0.5 s: login : reset", "retrying in 0.5 s: login : reset"),
        (STOPPING, r"stopped: denied\n", r"stopped: denied\n"),
        (FAILED, *[r"failed: read /src/\xff: vanished: it was there"] * 2),
        (REFUSED, *["failed: put p/a: 400 Bad Request (tx1)"] * 2),
        (REMOVED, None, r"removed: p/a\n"),
        (TO_REMOVE, None, None),
        (KEPT, *["not removed: 1 200 objects without a file: 3 failed"] * 2),
        (HOLLOW, None, r"left out: /src/\xff: empty directory"),
        (WARNED, *["warning: `walk.exclude` '*.tmp' matched nothing"] * 2),
        (NOTHING, *[r"warning: no file was found in ./a\n"] * 2),
        (NO_FILE, *["failed: no file was found in the list"] * 2),
        (OTHERS, None, None),
        (SNAPSHOT, None, r"snapshot: /log\xff: it is being written to; it is taken up to byte 7"),
        (LARGE, None, r"uploaded: /src/a\xff\n -> k\n (in 3 parts, 4 B of them were there)"),
        (PART, None, r"part 2 sent: k\n (1.5 KiB)"),
        (PART_THERE, None, r"part 2 is there: k\n (1.5 KiB)"),
        (
            PARTS_LEFT,
            *[r"unfinished: k\n: 2 parts (3.0 MiB) kept; the next run sends only the others"] * 2,
        ),
        (
            PARTS_IN_VAIN,
            *[
                "of no use: k\\n: 2 parts (3.0 MiB) left below s/k/v/; `bulkput.segments` lists them; with `reap` they"
                " are removed once nothing has happened in them for a week"
            ]
            * 2,
        ),
        (
            NO_PARTS,
            *[
                r"of no use: k\n: an upload without parts left below s3://b/k\n; `bulkput.segments` 's3://b/k\n' lists"
                " it; with `reap` it is removed once nothing has happened in it for a week"
            ]
            * 2,
        ),
        (
            STRANGE_PARTS,
            *[
                r"not used: k\n: 2 unfinished uploads with 2 parts (3.0 MiB), left by an earlier run or still being"
                r" sent; `bulkput.segments` 's3://b/k\n' lists them; with `reap` they are removed once nothing has"
                " happened in them for a week"
            ]
            * 2,
        ),
        (BEGUN, None, None),
        (ev.Kept(1, "403"), *["not removed: 1 object without a file: 403"] * 2),
        (ev.Kept(1, "p/a: 403", "p/a"), *["not removed: p/a: 403"] * 2),
        (KEPT_YOUNG, None, r"kept: p/a\n: stored 3 d ago, too young to be removed"),
        (replace(KEPT_YOUNG, age_s=59.0), None, r"kept: p/a\n: stored 59 s ago, too young to be removed"),
        (replace(KEPT_YOUNG, age_s=7_199.0), None, r"kept: p/a\n: stored 1 h ago, too young to be removed"),
        (
            replace(KEPT_YOUNG, age_s=-1.0),
            None,
            r"kept: p/a\n: stored later than now, by another clock, too young to be removed",
        ),
        (EXPIRING, None, r"expires: p/a\n: at 2027-01-15 08:00:00 UTC"),
        (replace(EXPIRING, at_s=10**15), None, r"expires: p/a\n: at 1000000000000000 s after 1970"),
        (TO_EXPIRE, None, None),
        (EXPIRING_ALREADY, None, r"expires already: p/a\n: at 2027-01-15 08:00:00 UTC"),
        (LEFT, *["overwritten: p/a was a large object: 1 003 segments left: s/0, s/1, s/2 and 1 000 more"] * 2),
        (LEFT_IN_DOUBT, *["not removed: segments: the run was stopped: s/1, s/2"] * 2),
        (ev.SegmentsLeft("p\n", ("s/1", "s/2"), why="gone"), *[r"not removed: segments of p\n: gone: s/1, s/2"] * 2),
        (SEGMENTS_FOUND, None, None),
        (SEGMENTS_KEPT, *[r"not removed: c_segments/a\n/: 1 003 segments: o/b reads them"] * 2),
        (ALL_KEPT, *["not removed: 1 segment: it is not known what is read"] * 2),
        (UNFINISHED, None, None),
        (UNFINISHED_KEPT, *[r"not removed: unfinished upload of c/a\n: it may be running"] * 2),
        (LEFT_BELOW, *[r"overwritten: p/a was a large object: its segments stay, below s/a/\n"] * 2),
        (
            ev.SegmentsLeft("p/a"),
            *["overwritten: p/a was a large object: its segments stay, and could not be asked for"] * 2,
        ),
    ],
)
def test_an_event_has_its_expected_printable_line(event: ev.Event, quiet: str | None, verbose: str | None) -> None:
    """Failures, stops and retries are always printed, the rest only with `verbose`."""
    assert event_line(event, verbose=False) == quiet
    assert event_line(event, verbose=True) == verbose


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (ev.Discovered(FILE), None),
        (REQUESTED, None),
        (READING, None),
        (TUNED, {"event": "tuned", "concurrency": 96, "why": "more in flight store more"}),
        (
            PACED,
            {"event": "paced", "objects_per_s": 200.0, "bytes_per_s": 5 * 1024**2, "requests": 1_000,
             "bytes": 2 * 1024**2, "over_s": 5.0, "waited_s": 4.85},
        ),
        (ev.ScanDone(), {"event": "scan_done"}),
        (
            STALLED,
            {
                "event": "stalled", "idle_s": 60.0, "scanning": "/src/\udcff", "loop_at": [],
                "in_flight": [
                    {
                        "path": "/src/a\n", "key": "p/a", "doing": "waiting for the answer", "attempt": 2,
                        "connection": "10.0.0.2:40512 > 10.0.0.1:80", "age_s": 75.04,
                    },
                    {
                        "path": "", "key": "", "doing": "logging in: connecting", "attempt": 1,
                        "connection": None, "age_s": 61.5,
                    },
                ],
            },
        ),
        (
            STANDING,
            {
                "event": "stalled", "idle_s": 61.0, "in_flight": [], "scanning": None,
                "loop_at": ["run.py:7 f", "body.py:9 g"],
            },
        ),
        (MOVING, {"event": "moving", "idle_s": 75.25}),
        (HOLLOW, {"event": "empty_directory", "path": "/src/\udcff"}),
        (WARNED, {"event": "warning", "why": "`walk.exclude` '*.tmp' matched nothing"}),
        (NO_FILE, {"event": "nothing_found", "where": "the list", "is_failure": True}),
        (OTHERS, {"event": "other_shards", "shard": "2/4", "files": 7_500}),
        (OTHERS_BY_BYTES, {"event": "other_shards", "shard": "2/4", "files": 7_500, "split": "0f0f"}),
        (SNAPSHOT, {"event": "snapshot", "path": "/log\udcff", "bytes": 7}),
        (
            UPLOADED,
            {
                "event": "uploaded", "path": "/src/a\udcff\n", "key": "k\n", "bytes": 10, "etag": "e1",
                "request_id": "tx1", "elapsed_s": 0.123457,
            },
        ),
        (
            PACKED,
            {
                "event": "uploaded", "path": "/src/a\udcff\n", "key": "a.gz", "bytes": 1024, "etag": "e2",
                "request_id": "tx2", "elapsed_s": 0.5, "bytes_read": 4096, "is_compressed": True, "why": "sample_saves",
            },
        ),
        (
            ALONE,
            {
                "event": "uploaded", "path": "/src/a\udcff\n", "key": "k\n", "bytes": 10, "etag": "e1",
                "request_id": "tx1", "elapsed_s": 0.5, "bytes_read": 10, "is_compressed": False, "why": "excluded",
            },
        ),
        (SKIPPED, {"event": "skipped", "path": "/src/\udcff", "key": None, "reason": "excluded"}),
        (DRY, {"event": "skipped", "path": "/src/a", "key": "p/a", "reason": "dry_run", "bytes": 10}),
        (
            FAILED,
            {
                "event": "failed", "path": "/src/\udcff", "key": None, "kind": "SourceError", "problem": "vanished",
                "error": "read /src/\\xff: vanished: it was there",
            },
        ),
        (
            REFUSED,
            {
                "event": "failed", "path": "/src/a", "key": "p/a", "kind": "StoreError", "status": 400,
                "request_id": "tx1", "error": "put p/a: 400 Bad Request (tx1)",
            },
        ),
        (
            RETRYING,
            {
                "event": "retrying", "key": "p/a", "attempt": 2, "delay_s": 1.235, "kind": "Unavailable",
                "status": None, "request_id": None, "error": "put p/a: reset",
            },
        ),
        (STOPPING, {"event": "stopping", "cause": "store", "why": "denied\n"}),
        (FINISHED, {"event": "finished", "elapsed_s": 1.235}),
        (
            FINDING,
            {
                "event": "different", "name": "a\n", "path": "/src/a\n", "why": "another MD5", "size": 1,
                "remote_size": 1, "md5": None, "remote_hash": None,
            },
        ),
        (CHANGE, {"event": "failed", "name": "a\n", "to": "b", "bytes": 7, "error": r"copy a\n: no"}),
        (ev.Relaying(), {"event": "relaying"}),
        (PLACE, {"event": "place", "url": "https://store.example.org/v1/AUTH_a/c/", "is_public": True}),
        (REMOVED, {"event": "removed", "key": "p/a\n", "bytes": 7}),
        (TO_REMOVE, {"event": "would_remove", "key": "p/a", "bytes": 7}),
        (KEPT, {"event": "kept", "count": 1200, "why": "3 failed"}),
        (KEPT_YOUNG, {"event": "kept_young", "key": "p/a\n", "bytes": 7, "age_s": 336_960}),
        (
            EXPIRING,
            {"event": "expiring", "key": "p/a\n", "bytes": 7, "expires_at": 1_800_000_000, "is_new": True},
        ),
        (
            TO_EXPIRE,
            {"event": "would_expire", "key": "p/a\n", "bytes": 7, "expires_at": 1_800_000_000, "is_new": True},
        ),
        (
            EXPIRING_ALREADY,
            {"event": "expiring", "key": "p/a\n", "bytes": 7, "expires_at": 1_800_000_000, "is_new": False},
        ),
        (
            LARGE,
            {
                "event": "uploaded", "path": "/src/a\udcff\n", "key": "k\n", "bytes": 10, "etag": "e1",
                "request_id": "tx1", "elapsed_s": 0.123457, "parts": 3, "bytes_found": 4,
            },
        ),
        (PART, {"event": "part", "key": "k\n", "number": 2, "bytes": 1536, "etag": "m", "is_new": True}),
        (
            PARTS_LEFT,
            {
                "event": "parts_left", "key": "k\n", "parts": 2, "bytes": 3 * 1024**2, "below": "s/k/v/",
                "is_resumed": True,
            },
        ),
        (
            STRANGE_PARTS,
            {
                "event": "parts_left", "key": "k\n", "parts": 2, "bytes": 3 * 1024**2, "below": "s3://b/k\n",
                "is_resumed": False, "uploads": 2, "is_strange": True,
            },
        ),
        (BEGUN, {"event": "upload_begun", "path": "/src/a\udcff", "key": "k\n", "id": "2~id"}),
        (
            DRY_LARGE,
            {
                "event": "skipped", "path": "/src/a", "key": "p/a", "reason": "dry_run", "bytes": 10, "parts": 3,
                "part_bytes": 4,
            },
        ),
    ],
)  # fmt: skip
def test_an_event_has_its_expected_json_row(event: ev.Event, row: dict[str, object] | None) -> None:
    """The row is one line of JSON for any names; events that only count have none."""
    assert event_json(event) == row
    if row is not None:
        line = json.dumps(event_json(event))
        assert "\n" not in line
        assert json.loads(line) == row


def test_a_json_failure_has_the_kind_of_its_error() -> None:
    """Programs tell errors apart by `kind`, not by text."""
    row = event_json(ev.Failed(b"a", "a", IntegrityError("put", "a", expected="x", actual="y", status=201)))
    assert row is not None
    assert (row["kind"], row["status"]) == ("IntegrityError", 201)


def test_requests_in_flight_are_printed_as_a_table() -> None:
    """Columns are aligned, and names are last."""
    assert in_flight_lines(STALLED.in_flight) == [
        "  age   attempt  doing                   connection                    file",
        r"  75 s  2        waiting for the answer  10.0.0.2:40512 > 10.0.0.1:80  /src/a\n",
        "  62 s  1        logging in: connecting  -                             -",
    ]
    assert in_flight_lines(()) == []


@pytest.mark.parametrize(("count", "lines"), [(1, 2), (20, 21), (21, 22), (2000, 22)])
def test_a_table_has_twenty_rows_at_most(count: int, lines: int) -> None:
    """They are the oldest ones, and the others are counted."""
    table = in_flight_lines([PUT] * count)
    assert len(table) == lines
    assert (table[-1] == f"  and {count_text(count - 20)} more") == (count > 20)


def recorded(*events: ev.Event) -> Recorder:
    recorder = Recorder()
    for event in events:
        recorder(event)
    return recorder


def test_the_summary_has_outcomes_rates_and_requests() -> None:
    """What became of what was found, how fast, and with how many requests."""
    found = ev.Discovered(FILE)
    finished = ev.Finished(2.0, {"PUT": 3}, 4)
    lines = summary_lines(recorded(found, UPLOADED, found, UPLOADED, found, SKIPPED, RETRYING, finished).summary())
    assert lines == [
        "2 uploaded, 1 skipped, 0 failed of 3 found",
        "20 B in 2.0 s, 1 objects/s; 3 requests (1.50 per object) over 4 connections, 1 retry",
        "  skipped 1: excluded by a filter",
    ]


def test_the_summary_of_a_mirror_counts_what_goes_and_what_stays() -> None:
    """Each kind of object without a file has a line of its own, and a field in JSON."""
    summary = recorded(REMOVED, KEPT_YOUNG, KEPT_YOUNG, EXPIRING, EXPIRING_ALREADY, FINISHED).summary()
    assert summary_lines(summary)[2:] == [
        "  removed 1: no file for it",
        "  kept 2: no file for it, and younger than `skip.keep_for_s`",
        "  expiring 1: no file for it",
        "  expiring already 1: no file for it",
    ]
    row = summary.as_json()
    assert [row[name] for name in ("removed", "not_removed", "kept_young", "expiring", "expiring_already")] == [
        1, 0, 2, 1, 1,
    ]  # fmt: skip
    assert summary.exit_code == 0


def test_a_dry_run_of_a_mirror_says_what_would_go() -> None:
    """Removed at once, or later; a line for each object, and the numbers."""
    told = recorded(TO_REMOVE, TO_EXPIRE, TO_EXPIRE, EXPIRING_ALREADY, KEPT_YOUNG, FINISHED)
    assert summary_lines(told.summary()) == [
        "dry run: would upload 0 files, 0 B, remove 1 object, let 2 objects expire",
        "  kept 1: no file for it, and younger than `skip.keep_for_s`",
        "  expiring already 1: no file for it",
    ]
    planned = [planned_line(event) for event in (TO_REMOVE, TO_EXPIRE, EXPIRING_ALREADY, REMOVED, EXPIRING)]
    assert planned == ["would remove: p/a", r"would expire: p/a\n", None, None, None]


def test_the_summary_of_a_compressed_run_has_ratio_and_reasons() -> None:
    """It has the bytes of the files, the sent bytes and the number of files for each reason."""
    found = ev.Discovered(FILE)
    finished = ev.Finished(2.0, {"PUT": 3}, 4)
    lines = summary_lines(recorded(found, PACKED, found, PACKED, found, ALONE, finished).summary())
    assert lines[1].startswith("8.0 KiB stored as 2.0 KiB (ratio 3.99) in 2.0 s, ")
    assert lines[2:] == [
        "  compressed 2: a sample of it saves enough",
        "  not compressed 1: excluded from compression",
    ]


def test_a_run_that_compressed_nothing_prints_no_ratio() -> None:
    """The reasons are printed."""
    lines = summary_lines(recorded(ev.Discovered(FILE), ALONE, FINISHED).summary())
    assert lines[1].startswith("10 B in ")
    assert lines[2:] == ["  not compressed 1: excluded from compression"]


def test_the_summary_of_a_run_with_rates_has_what_was_asked_and_reached() -> None:
    """And for how much of the time a rate was the limit."""
    summary = recorded(ev.Discovered(FILE), UPLOADED, PACED, FINISHED).summary()
    assert summary_lines(summary)[2:] == [
        "  rates: 200/s of 200/s requests, 409.6 KiB/s of 5.0 MiB/s; requests waited for them 97% of the time"
    ]
    assert summary.as_json()["rates"] == {
        "waited_share": 0.97,
        "objects_per_s": {"asked": 200.0, "reached": 200.0},
        "bytes_per_s": {"asked": 5 * 1024**2, "reached": 419_430.4},
    }
    assert "rates" not in recorded(ev.Discovered(FILE), UPLOADED, FINISHED).summary().as_json()


def test_a_run_with_a_rate_that_sent_nothing_has_reached_nothing() -> None:
    """There is no division by zero."""
    lines = summary_lines(recorded(ev.Paced(Pacing(0.5, None, 0, 0, 0.0, 0.0)), FINISHED).summary())
    assert lines[2:] == ["  rates: 0/min of 30/min requests; requests waited for them 0% of the time"]


@pytest.mark.parametrize(
    ("per_s", "text"), [(500.0, "500/s"), (1.0, "1/s"), (2.5, "2.5/s"), (0.5, "30/min"), (1 / 3_600, "0.0167/min")]
)
def test_rates_below_one_per_second_are_per_minute(per_s: float, text: str) -> None:
    """As people ask for them."""
    assert rate_text(per_s) == text


def test_the_tag_of_a_run_is_in_its_summary() -> None:
    """Behind the counts, and in JSON; a run without one has no such field."""
    recorder = recorded(ev.Discovered(FILE), UPLOADED, FINISHED)
    assert "tag" not in recorder.summary().as_json()
    recorder.tag = "build-4711"
    assert summary_lines(recorder.summary())[0] == "1 uploaded, 0 skipped, 0 failed of 1 found; tag build-4711"
    assert recorder.summary().as_json()["tag"] == "build-4711"


def test_the_url_of_an_object_is_percent_encoded() -> None:
    """Below that of its container."""
    assert PLACE.url_of("a b/ü?#%") == "https://store.example.org/v1/AUTH_a/c/a%20b/%C3%BC%3F%23%25"


def test_a_summary_that_does_not_add_up_has_a_warning() -> None:
    """Its numbers are not to be trusted."""
    assert "do not add up" in summary_lines(recorded(ev.Discovered(FILE)).summary())[-1]
    assert not any("add up" in line for line in summary_lines(recorded().summary()))


def test_a_file_that_failed_for_want_of_a_token_is_named() -> None:
    """The error is that of the login, and many files may share it."""
    failed = ev.Failed(b"/src/a", "p/a", Denied("login", "tester", "refused", status=401))
    assert event_line(failed, verbose=False) == "failed: /src/a: not sent: the login failed"
