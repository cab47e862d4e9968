"""`bulkput segments` where the parts of an upload are no objects, as in S3, on a store of another package
(`tests/servers/parted.py`). Docstrings begin with the command."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import bulkput as library
from bulkput import events as ev
from bulkput.errors import Denied, NotFound, StoreError, UsageError
from bulkput.model import StoredPart, UnfinishedUpload
from bulkput.options import RetryOptions
from bulkput.verb_options import SegmentOptions
from bulkput.verb_results import UnreadSegments
from tests.e2e.cli import Bulkput
from tests.servers.parted import BUCKETS, Bucket, PartedStore, Upload

DAY_S = 86_400.0


@pytest.fixture(autouse=True)
def bucket(parted_bucket: Bucket) -> Bucket:
    return parted_bucket


def look(url: str = "parted://b", *, told: list[ev.Event] | None = None, **options: Any) -> UnreadSegments:
    given = SegmentOptions(retry=RetryOptions(retries=0), **options)
    return asyncio.run(library.segments(url, options=given, on_event=told.append if told is not None else None))


def keys(bucket: Bucket) -> list[str]:
    return sorted(upload.key for upload in bucket.uploads)


def test_unfinished_uploads_are_listed_with_their_parts_and_age(bucket: Bucket, bulkput: Bulkput) -> None:
    """bulkput segments parted://b: a line for each, and nothing is removed"""
    bucket.begun("dir/a\nb", 9 * DAY_S, 8 * DAY_S, began_s=10 * DAY_S, size=600)
    bucket.begun("empty", began_s=3 * DAY_S)
    bucket.begun("running", 3_600, began_s=30 * DAY_S)
    ran = bulkput("segments", "parted://b")
    assert ran.exit_code == 0
    assert sorted(ran.out.splitlines()) == sorted(
        [
            "      2     1.2 KiB       8 days  b/dir/a",
            "b",
            "      0         0 B       3 days  b/empty",
            "      1        10 B   60 minutes  b/running",
        ]
    )
    assert ran.err.startswith("3 unfinished uploads, 3 parts, 1.2 KiB; 0 requests in ")
    assert keys(bucket) == ["dir/a\nb", "empty", "running"]


def test_old_ones_are_removed_and_those_with_a_young_part_stay(bucket: Bucket, bulkput: Bulkput) -> None:
    """bulkput segments --reap parted://b: one was begun a month ago, and has got a part three days ago"""
    bucket.begun("old", 8 * DAY_S, began_s=9 * DAY_S)
    bucket.begun("old", 9 * DAY_S, began_s=9 * DAY_S)
    bucket.begun("empty", began_s=8 * DAY_S)
    bucket.begun("alive", 30 * DAY_S, 3 * DAY_S, began_s=30 * DAY_S)
    bucket.begun("new", began_s=3 * DAY_S)
    ran = bulkput("segments", "--reap", "-v", "parted://b")
    assert ran.exit_code == 0
    removed = sorted(line for line in ran.out.splitlines() if line.startswith("removed"))
    assert removed == ["removed: b/empty", "removed: b/old", "removed: b/old"]
    assert "not removed: unfinished upload of b/alive: its last sign of life is 3 days old, and it may be running" in (
        ran.err.splitlines()
    )
    assert "5 unfinished uploads, 4 parts, 40 B; 3 removed, 20 B, 2 too young; " in ran.err
    assert keys(bucket) == ["alive", "new"]


def test_the_age_is_an_option(bucket: Bucket, bulkput: Bulkput) -> None:
    """bulkput segments --reap --older-than 1h parted://b"""
    bucket.begun("an hour", 3_601, began_s=3_601)
    bucket.begun("less", 3_500, began_s=3_601)
    assert bulkput("segments", "--reap", "--older-than", "1h", "parted://b").exit_code == 0
    assert keys(bucket) == ["less"]


def test_all_are_removed_if_their_age_is_not_to_matter(bucket: Bucket, bulkput: Bulkput) -> None:
    """bulkput segments --reap --older-than 0 parted://b"""
    bucket.begun("old", 9 * DAY_S, began_s=9 * DAY_S)
    bucket.begun("new", 0, began_s=0)
    assert bulkput("segments", "--reap", "--older-than", "0", "parted://b").exit_code == 0
    assert keys(bucket) == []


def test_only_uploads_at_and_below_the_url_are_looked_at(bucket: Bucket) -> None:
    """bulkput segments --reap parted://b/dir: not those of names that only begin so"""
    for key in ("dir", "dir/a", "dir/sub/b", "dir2", "di", "other/dir/a"):
        bucket.begun(key, began_s=9 * DAY_S)
    done = look("parted://b/dir", reap=True)
    assert (done.found, done.removed, keys(bucket)) == (3, 3, ["di", "dir2", "other/dir/a"])


def test_a_dry_run_looks_and_removes_nothing(bucket: Bucket, bulkput: Bulkput) -> None:
    """bulkput segments --reap --dry-run parted://b"""
    bucket.begun("old", 9 * DAY_S, began_s=9 * DAY_S)
    ran = bulkput("segments", "--reap", "--dry-run", "parted://b")
    assert (ran.exit_code, ran.out.splitlines()[1:]) == (0, ["would remove: b/old"])
    assert "1 unfinished upload, 1 part, 10 B; 1 would be removed, 10 B; " in ran.err
    assert keys(bucket) == ["old"]


def test_json_has_a_row_for_each_upload_removal_and_reason(bucket: Bucket, bulkput: Bulkput) -> None:
    """bulkput segments --reap --json parted://b: the last row has the numbers"""
    bucket.begun("a", 9 * DAY_S, began_s=9 * DAY_S)
    bucket.begun("b", began_s=3 * DAY_S)
    ran = bulkput("segments", "--reap", "--json", "parted://b")
    found, removed, young, kept, finished = _by_name(ran.rows)
    assert found == {
        "event": "unfinished_upload", "path": "b/a", "id": "id-0", "parts": 1, "bytes": 10, "age_s": 9 * 86_400,
    }  # fmt: skip
    assert removed == {"event": "removed", "name": "b/a", "to": None, "bytes": 10}
    assert (young["event"], young["parts"], young["age_s"]) == ("unfinished_upload", 0, 3 * 86_400)
    why = "its last sign of life is 3 days old, and it may be running"
    assert kept == {"event": "unfinished_upload_kept", "path": "b/b", "id": "id-1", "why": why, "in_doubt": False}
    numbers = {name: finished[name] for name in ("event", "unfinished_uploads", "parts", "bytes", "removed", "young")}
    assert numbers == {
        "event": "finished", "unfinished_uploads": 2, "parts": 1, "bytes": 10, "removed": 1, "young": 1,
    }  # fmt: skip
    assert "segments" not in finished and "groups" not in finished


def _by_name(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row.get("path") or row.get("name") or "~"))


def test_an_upload_that_does_not_tell_its_age_stays_in_doubt(bucket: Bucket) -> None:
    """bulkput segments --reap parted://b: exit 1"""
    bucket.begun("untold", 9 * DAY_S, began_s=9 * DAY_S, tells_times=False)
    told: list[ev.Event] = []
    done = look(reap=True, older_than_s=0, told=told)
    assert (done.exit_code, done.in_doubt, done.removed, keys(bucket)) == (1, 1, 0, ["untold"])
    assert [event.why for event in told if isinstance(event, ev.UnfinishedKept)] == [
        "the store does not tell how old it is"
    ]


def while_looked_at(monkeypatch: pytest.MonkeyPatch, act: Callable[[Upload], None], *, before: bool) -> None:
    """Something happens to each upload just before, or just after, its parts are asked for."""
    parts_of = PartedStore._parts_of

    async def looked_at(self: PartedStore, upload: UnfinishedUpload) -> tuple[StoredPart, ...] | None:
        (found,) = (each for each in BUCKETS["b"].uploads if each.id == upload.id)
        if before:
            act(found)
        parts = await parts_of(self, upload)
        if not before:
            act(found)
        return parts

    monkeypatch.setattr(PartedStore, "_parts_of", looked_at)


def test_an_upload_that_goes_on_after_it_was_listed_stays(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """bulkput segments --reap parted://b: its parts are asked for after the listing"""
    bucket.begun("slow", 9 * DAY_S, began_s=9 * DAY_S)
    while_looked_at(monkeypatch, lambda found: _add(bucket, found), before=True)
    done = look(reap=True)
    assert (done.removed, done.young, done.parts, keys(bucket)) == (0, 1, 2, ["slow"])


def _add(bucket: Bucket, upload: Upload) -> None:
    bucket.add_part(upload, 2, b"new", datetime.now(UTC))


@pytest.mark.parametrize(("before", "found", "gone"), [(True, 0, 0), (False, 1, 1)])
def test_an_upload_that_was_finished_meanwhile_is_no_failure(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, *, before: bool, found: int, gone: int
) -> None:
    """bulkput segments --reap parted://b: before its parts were asked for, or before it was aborted"""
    bucket.begun("done", 9 * DAY_S, began_s=9 * DAY_S)
    while_looked_at(monkeypatch, bucket.uploads.remove, before=before)
    done = look(reap=True)
    assert (done.exit_code, done.found, done.gone, done.removed) == (0, found, gone, 0)


def test_a_removal_that_fails_is_told_and_the_others_go_on(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """bulkput segments --reap parted://b: exit 1"""
    for key in "abc":
        bucket.begun(key, 9 * DAY_S, began_s=9 * DAY_S)
    abort = PartedStore._abort_unfinished

    async def refusing(self: PartedStore, upload: UnfinishedUpload) -> bool:
        if upload.key == "b":
            raise StoreError("abort", upload.key, "no", status=400)
        return await abort(self, upload)

    monkeypatch.setattr(PartedStore, "_abort_unfinished", refusing)
    done = look(reap=True)
    assert (done.exit_code, done.removed, done.failed, keys(bucket)) == (1, 2, 1, ["b"])
    assert [change.name for change in done.failures] == ["b/b"]


def test_a_refused_listing_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """bulkput segments parted://b: exit 3"""

    async def refusing(_self: PartedStore, prefix: str) -> Any:
        raise Denied("list", prefix, "no", status=403)
        yield

    monkeypatch.setattr(PartedStore, "_list_unfinished", refusing)
    done = look(reap=True)
    assert (done.exit_code, done.is_proven) == (3, False)


def test_a_bucket_that_is_not_there_is_told(bulkput: Bulkput) -> None:
    """bulkput segments parted://none: exit 1"""
    with pytest.raises(NotFound):
        look("parted://none")
    ran = bulkput("segments", "parted://none")
    assert (ran.exit_code, ran.out) == (1, "")
    assert "there is no such bucket" in ran.err


def test_a_container_for_segments_is_refused_where_there_are_none(bulkput: Bulkput) -> None:
    """bulkput segments --segment-container s parted://b: exit 2"""
    with pytest.raises(UsageError, match="keeps no segments"):
        look(segment_container="s")
    ran = bulkput("segments", "--segment-container", "s", "parted://b")
    assert ran.exit_code == 2
    assert "--segment-container is of no use here" in ran.err


def test_what_an_upload_has_just_left_is_young(bucket: Bucket) -> None:
    """bulkput segments --reap parted://b: an upload that is to go on keeps its parts"""
    _add(bucket, bucket.begun("left", began_s=2))
    assert (look(reap=True).young, keys(bucket)) == (1, ["left"])


def test_no_upload_is_removed_after_the_run_was_stopped(bucket: Bucket) -> None:
    """bulkput segments --reap parted://b, interrupted: exit 130"""
    for number in range(200):
        bucket.begun(f"{number:03}", began_s=9 * DAY_S)
    stop = library.Stop()

    def interrupt(event: ev.Event) -> None:
        if isinstance(event, ev.Change):
            stop.pull(ev.Stopping("interrupted", ev.StopCause.INTERRUPTED))

    options = SegmentOptions(reap=True, retry=RetryOptions(retries=0))
    done = asyncio.run(library.segments("parted://b", options=options, on_event=interrupt, stop=stop))
    assert (done.exit_code, done.removed + len(bucket.uploads), done.uncertain) == (130, 200, 0)
    assert done.removed < 100
