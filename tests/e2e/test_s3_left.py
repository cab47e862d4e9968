"""What runs leave in S3 of files that are sent in parts, and what the next run does about it: it removes what its
journal proves to be its own, and tells of the rest."""

import asyncio
import os
import signal
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from bulkput import events as ev
from bulkput.devserver import Handler
from bulkput.engine.stop import Stop
from bulkput.engine.upload.upload import upload
from bulkput.options import LargeOptions, UploadOptions, WireOptions
from bulkput.s3_options import S3Options
from tests.e2e.cli import Ran, bulkput
from tests.e2e.s3_world import LARGE, PART, QUICK, Box, after, faulty, loses_answer, noise, says
from tests.servers.httprelay import Relay, relay

SIZE = 2 * PART + 70_001
KEY = "p/big"
REFUSED = says(400, "InvalidRequest")


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "big"
    file.write_bytes(noise(SIZE))
    return file


def url_of(box: Box) -> str:
    return f"s3://{box.name}/{KEY}"


# --- what was there before


async def test_uploads_that_fit_no_part_of_the_file_stay_and_are_told_in_one_line(box: Box, big: Path) -> None:
    """One is of an earlier version, one has no part yet. Neither is proven to be ours; the longer name is another's."""
    left = {box.left(KEY, {1: noise(PART, 1), 2: noise(PART, 2)}), box.left(KEY, {})}
    other = box.left(KEY + "-more", {})
    ran = await box.run(big)
    assert (ran.summary.exit_code, ran.summary.parts_sent, ran.summary.parts_left) == (0, 3, 0)
    told = ev.PartsLeft(KEY, 2, 2 * PART, url_of(box), is_resumed=False, uploads=2, is_strange=True)
    assert ran.of_kind(ev.PartsLeft) == [told]
    assert (ran.summary.parts_abandoned, ran.summary.uploads_abandoned) == (2, 2)
    assert {*await asyncio.to_thread(box.unfinished)} == {*left, other}


async def test_an_upload_that_ends_meanwhile_is_not_told(box: Box, big: Path) -> None:
    """Another program was sending it."""
    others = box.left(KEY, {1: noise(PART, 1)})
    async with faulty(box) as (behind, faults, _):
        faults.at("PUT", has="partNumber=2", meet=after(lambda: box.abort(KEY, others)))
        ran = await behind.run(big)
    assert (ran.summary.exit_code, ran.of_kind(ev.PartsLeft), ran.summary.uploads_abandoned) == (0, [], 0)


async def test_uploads_are_told_where_none_can_be_gone_on_with(box: Box, big: Path) -> None:
    """--checksum sha256: an upload that was begun without it is not joined"""
    box.left(KEY, {1: noise(SIZE)[:PART]})
    ran = await box.run(big, s3=S3Options(checksum="sha256"))
    assert (ran.summary.exit_code, ran.summary.parts_found, ran.summary.uploads_abandoned) == (0, 0, 1)


async def test_keys_that_may_not_look_send_all_the_same(box: Box, big: Path) -> None:
    """The list of uploads is refused, and so nothing is told."""
    box.left(KEY, {})
    async with faulty(box) as (behind, faults, _):
        faults.at("GET", has="uploads", meet=says(403, "AccessDenied"), times=9)
        for options in ({}, {"s3": S3Options(checksum="sha256")}):
            ran = await behind.run(big, **options)
            assert (ran.summary.exit_code, ran.of_kind(ev.PartsLeft)) == (0, [])


# --- what this run has begun


async def test_an_upload_without_any_part_is_removed_on_the_way_out(box: Box, big: Path) -> None:
    """All parts are refused."""
    async with faulty(box) as (behind, faults, relayed):
        faults.at("PUT", has="partNumber", meet=REFUSED, times=9)
        ran = await behind.run(big)
        assert relayed.count(f"POST /{box.name}/{KEY}?uploads") == 1
    assert (ran.summary.exit_code, ran.summary.failed, ran.of_kind(ev.PartsLeft)) == (1, 1, [])
    assert await asyncio.to_thread(box.unfinished) == []


async def test_an_upload_without_any_part_that_cannot_be_removed_is_told(box: Box, big: Path) -> None:
    """As the store refuses it."""
    async with faulty(box) as (behind, faults, _):
        faults.at("PUT", has="partNumber", meet=REFUSED, times=9)
        faults.at("DELETE", has="uploadId", meet=REFUSED, times=9)
        ran = await behind.run(big)
    assert ran.of_kind(ev.PartsLeft) == [ev.PartsLeft(KEY, 0, 0, url_of(box), is_resumed=False)]
    assert (ran.summary.parts_left, ran.summary.uploads_abandoned) == (0, 1)
    assert len(await asyncio.to_thread(box.unfinished)) == 1


async def test_an_interrupted_run_removes_an_upload_without_any_part(box: Box, big: Path) -> None:
    """Ctrl-C comes while the first parts are under way, and they fail."""
    stop = Stop()

    async def interrupts(_request: web.BaseRequest, _pass_on: Handler) -> web.StreamResponse:
        stop.interrupt()
        return web.Response(status=500)

    async with faulty(box) as (behind, faults, _):
        faults.at("PUT", has="partNumber", meet=interrupts, times=9)
        options = UploadOptions(large=LARGE, retry=QUICK, wire=WireOptions(concurrency=8))
        environ = behind.server.environment
        summary = await upload([big], f"s3://{box.name}/p/", options=options, stop=stop, environ=environ)
    assert (summary.exit_code, summary.uploaded, summary.uploads_abandoned) == (130, 0, 0)
    assert await asyncio.to_thread(box.unfinished) == []


async def test_an_interrupted_run_that_is_out_of_time_tells_of_an_upload_without_any_part(box: Box, big: Path) -> None:
    """Ctrl-C comes, and the store answers no more."""
    stop, told = Stop(), list[ev.Event]()

    async def hangs(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        if "partNumber" in request.raw_path:
            stop.interrupt()
            await relayed.over.wait()
        return await pass_on(request)

    async with relay(box.server.endpoint, hangs) as relayed:
        options = UploadOptions(large=LARGE, retry=QUICK, wire=WireOptions(concurrency=8, timeout_s=2))
        environ = box.through(relayed).server.environment
        url = f"s3://{box.name}/p/"
        summary = await upload([big], url, options=options, stop=stop, on_event=told.append, environ=environ)
    assert (summary.exit_code, summary.uploaded, summary.uploads_abandoned) == (130, 0, 1)
    left = ev.PartsLeft(KEY, 0, 0, url_of(box), is_resumed=False)
    assert [event for event in told if isinstance(event, ev.PartsLeft)] == [left]
    assert len(await asyncio.to_thread(box.unfinished)) == 1


async def test_a_file_that_changes_while_it_is_sent_leaves_no_upload(box: Box, big: Path) -> None:
    """Its parts are removed, and it is sent once more."""
    content = noise(SIZE, 7)
    async with faulty(box) as (behind, faults, _):
        faults.at("PUT", has="partNumber=2", meet=after(lambda: big.write_bytes(content)))
        ran = await behind.run(big, large=replace(LARGE, parts_at_once=1))
    assert (ran.summary.exit_code, ran.summary.uploaded, ran.of_kind(ev.PartsLeft)) == (0, 1, [])
    assert await asyncio.to_thread(box.judge.content, box.name, KEY) == content
    assert await asyncio.to_thread(box.unfinished) == []


async def test_an_upload_that_no_run_could_go_on_with_is_removed(box: Box, big: Path) -> None:
    """--checksum sha256, and the last part is refused"""
    async with faulty(box) as (behind, faults, _):
        faults.at("PUT", has="partNumber=3", meet=REFUSED, times=9)
        ran = await behind.run(big, s3=S3Options(checksum="sha256"))
    assert (ran.summary.exit_code, ran.summary.parts_sent, ran.of_kind(ev.PartsLeft)) == (1, 2, [])
    assert await asyncio.to_thread(box.unfinished) == []


async def test_an_upload_whose_beginning_was_not_answered_is_told(box: Box, big: Path) -> None:
    """Another one is begun: nobody has told the id of the first."""
    async with faulty(box) as (behind, faults, _):
        faults.at("POST", has="?uploads", meet=loses_answer)
        ran = await behind.run(big)
    told = ev.PartsLeft(KEY, 0, 0, url_of(box), is_resumed=False, is_strange=True)
    assert (ran.summary.exit_code, ran.summary.uploaded, ran.of_kind(ev.PartsLeft)) == (0, 1, [told])
    assert len(await asyncio.to_thread(box.unfinished)) == 1


# --- after SIGKILL


@asynccontextmanager
async def killed(
    box: Box, file: Path, journal: Path | None, *, part: int
) -> AsyncIterator[tuple[Box, Relay, set[str]]]:
    """A run that is killed once this part is under way, and all before it are stored and in the journal. Its upload
    stays. Gives the way that it took, since the journal is of no other, and the methods that are
    refused there."""
    is_under_way, over = asyncio.Event(), asyncio.Event()
    refused: set[str] = set()

    async def meet(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        if request.method == "PUT" and f"partNumber={part}&" in request.raw_path:
            is_under_way.set()
            await over.wait()
        return await (REFUSED(request, pass_on) if request.method in refused else pass_on(request))

    async with relay(box.server.endpoint, meet) as relayed:
        words = ["upload", "-q", "--segment-size", "5M", "--segment-above", "5M", "--concurrency", "1"]
        words += ["--journal", str(journal)] if journal is not None else []
        environ = {**os.environ, **box.through(relayed).server.environment}
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bulkput", *words, str(file), f"s3://{box.name}/p/",
            env=environ, stdout=DEVNULL, stderr=PIPE,
        )  # fmt: skip
        async with asyncio.timeout(30):
            await is_under_way.wait()
            while journal is not None and _rows_in(journal) != (1, part - 1):  # written while the part is sent
                await asyncio.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        await running.communicate()
        over.set()
        assert len(await asyncio.to_thread(box.unfinished)) == 1
        relayed.asked.clear()
        yield box.through(relayed), relayed, refused


def _rows_in(journal: Path) -> tuple[int, int]:
    """Uploads and parts."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        ((uploads, parts),) = connection.execute("SELECT (SELECT count(*) FROM uploads), (SELECT count(*) FROM parts)")
        return uploads, parts


def run(box: Box, file: Path, *flags: str) -> Ran:
    words = ["upload", "--summary", "-", *flags, str(file), f"s3://{box.name}/p/"]
    return bulkput(*words, environ=box.server.environment)


CHANGED = ("--segment-size", "5M", "--segment-above", "5M")
NEXT: dict[str, tuple[str, ...]] = {
    "the file has changed": CHANGED,
    "other parts": ("--segment-size", "6M", "--segment-above", "5M"),
    "in one request": (),
}


@pytest.mark.parametrize("part", [1, 2])
@pytest.mark.parametrize("then", NEXT)
async def test_what_a_killed_run_has_left_is_removed_by_the_next_with_its_journal(
    box: Box, big: Path, tmp_path: Path, then: str, part: int
) -> None:
    """bulkput upload --journal, killed, and once more"""
    journal = tmp_path / "journal"
    async with killed(box, big, journal, part=part) as (behind, *_):
        if then == "the file has changed":
            big.write_bytes(noise(SIZE, 3))
        others = box.left(KEY, {})
        ran = await asyncio.to_thread(run, behind, big, "--journal", str(journal), *NEXT[then])
    assert (ran.exit_code, ran.summary["uploaded"]) == (0, 1), ran.err
    assert await asyncio.to_thread(box.unfinished) == [others]
    assert _rows_in(journal) == (0, 0)
    assert await asyncio.to_thread(box.judge.content, box.name, KEY) == big.read_bytes()


async def test_what_a_killed_run_has_left_is_gone_on_with_and_never_removed(
    box: Box, big: Path, tmp_path: Path
) -> None:
    """bulkput upload --journal, killed, and once more"""
    journal = tmp_path / "journal"
    async with killed(box, big, journal, part=3) as (behind, relayed, _):
        ran = await asyncio.to_thread(run, behind, big, "--journal", str(journal), *CHANGED)
        assert (ran.exit_code, ran.summary["large"]["parts_found"]) == (0, 2), ran.err
        assert not [each for each in relayed.asked if each.startswith("DELETE")]
    assert await asyncio.to_thread(box.unfinished) == []


@pytest.mark.parametrize("why", ["another program goes on with it", "the store refuses"])
async def test_an_upload_that_is_not_removed_is_told_and_stays_in_the_journal(
    box: Box, big: Path, tmp_path: Path, why: str
) -> None:
    """bulkput upload --journal, killed; then the file whole; then, when the upload is gone, once more"""
    journal, client = tmp_path / "journal", box.server.client()
    async with killed(box, big, journal, part=2) as (behind, _, refused):
        (upload_id,) = await asyncio.to_thread(box.unfinished)
        named = {"Bucket": box.name, "Key": KEY, "UploadId": upload_id}
        if why == "the store refuses":
            refused.add("DELETE")
        else:
            await asyncio.to_thread(client.upload_part, PartNumber=2, Body=noise(PART, 9), **named)
        ran = await asyncio.to_thread(run, behind, big, "--journal", str(journal))
        assert (ran.exit_code, ran.summary["large"]["uploads_abandoned"]) == (0, 1), ran.err
        assert (await asyncio.to_thread(box.unfinished), _rows_in(journal)[0]) == ([upload_id], 1)
        await asyncio.to_thread(client.abort_multipart_upload, **named)
        big.write_bytes(noise(SIZE, 3))
        ran = await asyncio.to_thread(run, behind, big, "--journal", str(journal))
    assert (ran.exit_code, ran.summary["uploaded"], _rows_in(journal)) == (0, 1, (0, 0)), ran.err


async def test_the_journal_of_a_run_that_was_killed_in_its_first_file_is_of_its_destination(
    box: Box, big: Path, tmp_path: Path
) -> None:
    """bulkput upload --journal J, killed; then with J to another prefix: refused, and the upload is not forgotten"""
    journal = tmp_path / "journal"
    async with killed(box, big, journal, part=1) as (behind, *_):
        words = ["upload", "--journal", str(journal), str(big), f"s3://{box.name}/q/"]
        ran = await asyncio.to_thread(bulkput, *words, environ=behind.server.environment)
    assert (ran.exit_code, _rows_in(journal)) == (2, (1, 0)), ran.err
    assert "go on with the same, or name another journal" in ran.err


@pytest.mark.parametrize("then", ["the file has changed", "other parts"])
async def test_without_a_journal_the_next_run_names_the_command_that_removes_it(box: Box, big: Path, then: str) -> None:
    """bulkput upload, killed, and once more; then bulkput segments --reap --older-than 0 URL"""
    async with killed(box, big, None, part=2):
        pass
    if then == "the file has changed":
        big.write_bytes(noise(SIZE, 3))
    ran = await asyncio.to_thread(run, box, big, *NEXT[then])
    assert (ran.exit_code, ran.summary["large"]["uploads_abandoned"]) == (0, 1), ran.err
    (line,) = (line for line in ran.err.splitlines() if line.startswith("not used: "))
    assert line == (
        f"not used: {KEY}: 1 unfinished upload with 1 part (5.0 MiB), left by an earlier run or still being sent;"
        f" bulkput segments {url_of(box)} lists it; with --reap it is removed once nothing has happened in it"
        " for a week"
    )
    environ = box.server.environment
    young = await asyncio.to_thread(bulkput, "segments", "--reap", url_of(box), environ=environ)
    assert (young.exit_code, len(await asyncio.to_thread(box.unfinished))) == (0, 1), young.err
    reaped = await asyncio.to_thread(bulkput, "segments", "--reap", "--older-than", "0", url_of(box), environ=environ)
    assert (reaped.exit_code, await asyncio.to_thread(box.unfinished)) == (0, []), reaped.err


async def test_a_file_that_is_sent_whole_is_one_request(box: Box, big: Path) -> None:
    """Nothing is looked for, and what was left of it stays."""
    left = box.left(KEY, {})
    async with faulty(box) as (behind, _, relayed):
        ran = await behind.run(big, large=LargeOptions())
        assert [each.split("?")[0] for each in relayed.asked][1:] == [f"PUT /{box.name}/{KEY}"]
    assert (ran.summary.exit_code, await asyncio.to_thread(box.unfinished)) == (0, [left])
