"""Large files and streams in parts, on real servers of S3."""

import asyncio
import base64
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bulkput.devserver import Handler
from bulkput.engine.objects.copy import copy
from bulkput.options import HeaderOptions
from bulkput.policy.etag import composite_etag
from bulkput.s3_options import S3Options
from bulkput.verb_options import CopyOptions
from tests.e2e.s3_world import LARGE, MIB, PART, Box, after, faulty, loses_answer, noise, says
from tests.servers.s3 import RealS3

SIZE = 2 * PART + 70_001
KEY = "p/big"


@pytest.fixture
def ceph(rgw_s3: RealS3) -> Box:
    return Box(rgw_s3, rgw_s3.make_bucket())


@pytest.fixture
def knows_gone(box: Box) -> None:
    """Skips moto, which answers 500 to a part of an upload that is not there."""
    if box.server.access_key.startswith("moto"):
        pytest.skip("moto answers 500 to a part of an upload that is not there")


def big(path: Path, content: bytes) -> Path:
    file = path / "big"
    file.write_bytes(content)
    return file


def cut(content: bytes, size: int = PART) -> dict[int, bytes]:
    return {index + 1: content[at : at + size] for index, at in enumerate(range(0, len(content), size))}


def etag_of(content: bytes, size: int = PART) -> str:
    return composite_etag([hashlib.md5(part).hexdigest() for part in cut(content, size).values()])


def seen(box: Box) -> tuple[bytes | None, dict[str, str]]:
    found = box.judge.get(box.name, KEY)
    return (found.content, dict(found.headers)) if found is not None else (None, {})


async def check(box: Box, content: bytes, *, part: int = PART, unfinished: int = 0) -> dict[str, str]:
    """The object has this content and the ETag of its parts; so many uploads are left. Gives its header fields."""
    there, headers = await asyncio.to_thread(seen, box)
    assert there is not None and hashlib.md5(there).digest() == hashlib.md5(content).digest()
    assert headers["etag"].strip('"') == etag_of(content, part)
    assert len(await asyncio.to_thread(box.unfinished)) == unfinished
    return headers


# --- what is there already


async def test_parts_of_another_program_are_found_and_proven(box: Box, tmp_path: Path) -> None:
    """Without a journal; the object has the headers of this run all the same."""
    content = noise(SIZE)
    parts = cut(content)
    given = {"ContentType": "text/x-old", "Metadata": {"old": "1"}, "CacheControl": "no-store"}
    box.left(KEY, {1: parts[1], 3: parts[3]}, **given)
    ran = await box.run(big(tmp_path, content), headers=HeaderOptions(content_type="text/x-new", meta=(("New", "2"),)))
    assert (ran.summary.exit_code, ran.summary.parts_found, ran.summary.parts_sent) == (0, 2, 1)
    headers = await check(box, content)
    assert headers["content-type"].startswith("text/x-new")
    assert (headers["x-amz-meta-new"], "x-amz-meta-old" in headers, "cache-control" in headers) == ("2", False, False)


async def test_an_interrupted_run_is_continued_by_the_next_without_a_copy(box: Box, tmp_path: Path) -> None:
    """Its last part is refused for good: the next run sends only that one. The headers are as they should be."""
    content = noise(SIZE)
    file = big(tmp_path, content)
    async with faulty(box) as (behind, faults, _):
        faults.at("PUT", has="partNumber=3", meet=says(400, "InvalidRequest"))
        ran = await behind.run(file)
        assert (ran.summary.exit_code, len(box.unfinished())) == (1, 1)
    async with faulty(box) as (behind, _, relayed):
        again = await behind.run(file)
        assert (again.summary.exit_code, again.summary.parts_found, again.summary.parts_sent) == (0, 2, 1)
        assert relayed.count("PUT") == 1  # no copy
    await check(box, content)


async def test_uploads_that_do_not_fit_get_no_part_of_ours(box: Box, tmp_path: Path) -> None:
    """One is cut otherwise, one is of other bytes, one is of ours; nobody knows whether they still go on."""
    content = noise(SIZE)
    other = noise(SIZE, 1)
    ours = box.left(KEY, {2: cut(content)[2]})
    strange = {
        box.left(KEY, {1: content[: 6 * MIB]}): KEY,
        box.left(KEY, {2: cut(other)[2]}): KEY,
        box.left(KEY, {}): KEY,
        box.left(KEY + "-more", {1: cut(content)[1]}): KEY + "-more",
    }
    before = {each: box.parts(key, each) for each, key in strange.items()}
    ran = await box.run(big(tmp_path, content))
    assert (ran.summary.exit_code, ran.summary.parts_found, ran.summary.parts_sent) == (0, 1, 2)
    await check(box, content, unfinished=4)
    assert {each: box.parts(key, each) for each, key in strange.items()} == before
    assert ours not in box.unfinished()


async def test_parts_behind_the_last_are_none_of_this_file(box: Box, tmp_path: Path) -> None:
    """The file was longer: some stores refuse a completion that leaves parts out."""
    content = noise(SIZE)
    box.left(KEY, {**cut(content), 4: b"more"})
    ran = await box.run(big(tmp_path, content))
    assert (ran.summary.exit_code, ran.summary.parts_found) == (0, 0)
    await check(box, content, unfinished=1)


@pytest.mark.parametrize("key", ["ü ö+%/&=?", "a\\b'\"<&>", "p/\N{FACE WITH TEARS OF JOY}"])
async def test_any_name_is_found_again(box: Box, tmp_path: Path, key: str) -> None:
    """As the listing of uploads writes it."""
    name = key.rpartition("/")[2]
    content = noise(SIZE)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / name).write_bytes(content)
    box.left(f"p/{name}", {1: cut(content)[1]})
    ran = await box.run(tmp_path / "tree")
    assert (ran.summary.exit_code, ran.summary.parts_found) == (0, 1)
    assert not box.unfinished()


async def test_keys_that_may_not_list_uploads_send_all_parts(ceph: Box, tmp_path: Path) -> None:
    """A policy that allows writing alone."""
    content = noise(SIZE)
    ceph.left(KEY, {1: cut(content)[1]})
    async with faulty(ceph) as (behind, faults, _):
        faults.at("GET", has="uploads", meet=says(403, "AccessDenied"), times=9)
        ran = await behind.run(big(tmp_path, content))
    assert (ran.summary.exit_code, ran.summary.parts_sent) == (0, 3)
    await check(ceph, content, unfinished=1)


# --- what others do meanwhile


@pytest.mark.usefixtures("knows_gone")
async def test_an_upload_that_is_aborted_meanwhile_is_begun_again(box: Box, tmp_path: Path) -> None:
    """While three parts are in flight: one new upload, whose missing parts are sent again."""
    content = noise(SIZE)
    async with faulty(box) as (behind, faults, relayed):
        faults.at("PUT", has="partNumber=2", meet=after(lambda: box.abort(KEY, box.unfinished()[0])))
        ran = await behind.run(big(tmp_path, content))
        assert (ran.summary.exit_code, ran.summary.uploaded) == (0, 1)
        assert relayed.count(f"POST /{box.name}/{KEY}?uploads") == 2
    await check(box, content)


@pytest.mark.usefixtures("knows_gone")
@pytest.mark.parametrize("at", ["partNumber=3", "uploadId"], ids=["a part", "the completion"])
async def test_an_upload_that_another_process_completes_is_what_was_to_be_sent(
    box: Box, tmp_path: Path, at: str
) -> None:
    """It has joined ours. The headers are those of this run, and nothing is left."""
    content = noise(SIZE)

    def completed_by_another() -> None:
        (upload_id,) = box.unfinished()
        for number, part in cut(content).items():
            box.send(KEY, upload_id, number, part)
        box.complete(KEY, upload_id)

    async with faulty(box) as (behind, faults, _):
        method = "PUT" if at.startswith("part") else "POST"
        faults.at(method, has=at, meet=after(completed_by_another))
        large = replace(LARGE, parts_at_once=1)
        ran = await behind.run(big(tmp_path, content), large=large, headers=HeaderOptions(meta=(("New", "2"),)))
    assert (ran.summary.exit_code, ran.summary.uploaded) == (0, 1)
    assert (await check(box, content))["x-amz-meta-new"] == "2"


@pytest.mark.parametrize("is_same", [True, False], ids=["same bytes", "other bytes"])
async def test_two_runs_at_once_store_one_of_both(box: Box, tmp_path: Path, is_same: bool) -> None:
    """They find each other's parts. The object is never half of each."""
    contents = [noise(SIZE), noise(SIZE, 0 if is_same else 3)]
    files = []
    for number, content in enumerate(contents):
        (tmp_path / str(number)).mkdir()
        files.append(big(tmp_path / str(number), content))
    runs = await asyncio.gather(*(box.run(file) for file in files))
    assert [ran.summary.exit_code for ran in runs] == [0, 0]
    there, _ = await asyncio.to_thread(seen, box)
    assert there in contents
    assert not await asyncio.to_thread(box.unfinished)


async def test_a_part_that_somebody_replaces_begins_another_upload(box: Box, tmp_path: Path) -> None:
    """It is not fought over: the other one keeps its upload."""
    content = noise(SIZE)
    async with faulty(box) as (behind, faults, _):
        replaced = after(lambda: box.send(KEY, box.unfinished()[0], 2, noise(PART, 9)))
        faults.at("POST", has="uploadId", meet=replaced)
        ran = await behind.run(big(tmp_path, content))
    assert (ran.summary.exit_code, ran.summary.uploaded) == (0, 1)
    await check(box, content, unfinished=1)


# --- the completion


@pytest.mark.parametrize("times", [1, 2])
async def test_a_completion_whose_answer_is_lost_is_proven_by_a_head(box: Box, tmp_path: Path, times: int) -> None:
    """The second attempt finds no upload."""
    content = noise(SIZE)
    async with faulty(box) as (behind, faults, relayed):
        faults.at("POST", has="uploadId", meet=loses_answer, times=times)
        ran = await behind.run(big(tmp_path, content))
        assert (ran.summary.exit_code, ran.summary.parts_sent) == (0, 3)
        assert sum("partNumber=" in each for each in relayed.asked) == 3
    await check(box, content)


async def test_the_object_of_another_writer_gets_no_headers_of_ours(box: Box, tmp_path: Path) -> None:
    """It comes between our completion and the look at the headers of an upload that was found."""
    content = noise(SIZE)
    box.left(KEY, {1: cut(content)[1]})

    async def overwritten(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        await asyncio.to_thread(box.judge.put, box.name, KEY, b"later", Metadata={"own": "1"})
        return answer

    async with faulty(box) as (behind, faults, _):
        faults.at("POST", has="uploadId", meet=overwritten)
        ran = await behind.run(big(tmp_path, content), headers=HeaderOptions(meta=(("New", "2"),)))
    assert ran.summary.exit_code == 0
    there, headers = await asyncio.to_thread(seen, box)
    if there == content:  # Ceph's answer has no ETag: whose object it is cannot be told, and ours was sent once more
        assert (headers.get("x-amz-meta-own"), headers.get("x-amz-meta-new")) == (None, "2")
    else:
        assert (there, headers.get("x-amz-meta-own"), "x-amz-meta-new" in headers) == (b"later", "1", False)


async def test_an_error_with_a_200_on_the_completion_is_tried_again(box: Box, tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html"""
    content = noise(SIZE)
    async with faulty(box) as (behind, faults, relayed):
        faults.at("POST", has="uploadId", meet=says(200, "InternalError"))
        ran = await behind.run(big(tmp_path, content))
        assert sum("partNumber=" in each for each in relayed.asked) == 3
    assert (ran.summary.exit_code, ran.summary.uploaded) == (0, 1)
    await check(box, content)


async def test_an_answer_to_a_part_with_another_etag_proves_nothing(box: Box, tmp_path: Path) -> None:
    """It is sent again."""
    content = noise(SIZE)

    async def other_etag(request: web.BaseRequest, pass_on: Handler) -> web.StreamResponse:
        answer = await pass_on(request)
        answer.headers["ETag"] = f'"{"0" * 32}"'
        return answer

    async with faulty(box) as (behind, faults, relayed):
        faults.at("PUT", has="partNumber=2", meet=other_etag)
        ran = await behind.run(big(tmp_path, content))
        assert sum("partNumber=2" in each for each in relayed.asked) == 2
    assert (ran.summary.exit_code, ran.summary.uploaded) == (0, 1)
    await check(box, content)


async def test_an_object_that_is_there_stays_if_nothing_is_to_be_overwritten(box: Box, tmp_path: Path) -> None:
    """--if-exists fail: also one that comes while the parts are sent."""
    content = noise(SIZE)
    file = big(tmp_path, content)
    async with faulty(box) as (behind, faults, _):
        faults.at("PUT", has="partNumber=2", meet=after(lambda: box.judge.put(box.name, KEY, b"before")))
        ran = await behind.run(file, if_exists="fail")
        assert (ran.summary.exit_code, ran.summary.failed) == (1, 1)
        again = await behind.run(file, if_exists="skip")
        assert (again.summary.exit_code, again.summary.skipped) == (0, 1)
    assert box.judge.content(box.name, KEY) == b"before"


async def test_an_answer_that_is_lost_is_no_object_of_others(box: Box, tmp_path: Path) -> None:
    """--if-exists fail: the second attempt finds the object, which has the mark of this run."""
    content = noise(SIZE)
    async with faulty(box) as (behind, faults, _):
        faults.at("POST", has="uploadId", meet=loses_answer)
        ran = await behind.run(big(tmp_path, content), if_exists="fail")
    assert (ran.summary.exit_code, ran.summary.uploaded) == (0, 1)
    await check(box, content)


# --- checksums, and keys of one's own


@pytest.mark.parametrize("checksum", ["sha256", "none"])
async def test_parts_have_the_checksum_that_was_asked_for(box: Box, tmp_path: Path, checksum: Any) -> None:
    """--checksum: of each part, and in the completion if the store keeps it. Others ignore it."""
    content = noise(SIZE)
    async with faulty(box) as (behind, _, relayed):
        ran = await behind.run(big(tmp_path, content), s3=S3Options(checksum=checksum))
        assert (ran.summary.exit_code, ran.summary.parts_sent) == (0, 3)
        assert sum("partNumber=" in each for each in relayed.asked) == 3
    await check(box, content)


@pytest.mark.rgw
@pytest.mark.parametrize("size", [1000, SIZE], ids=["whole", "in parts"])
async def test_objects_of_ones_own_key_are_sent_copied_and_read_with_it(
    ceph: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """BULKPUT_S3_SSE_C_KEY: upload, cp with other metadata; without the key nobody reads it"""
    content, key = noise(size), noise(32, 5)
    environ = {"BULKPUT_S3_SSE_C_KEY": base64.b64encode(key).decode()}
    ran = await ceph.run(big(tmp_path, content), environ=environ)
    assert ran.summary.exit_code == 0
    options = CopyOptions(headers=HeaderOptions(meta=(("New", "2"),)))
    url = f"s3://{ceph.name}"
    changes = await copy(f"{url}/{KEY}", f"{url}/copy", options=options, environ=ceph.server.environment | environ)
    assert (changes.done, changes.failed) == (1, 0), changes.failures
    with_key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    for name in (KEY, "copy"):
        found = await asyncio.to_thread(ceph.client.get_object, Bucket=ceph.name, Key=name, **with_key)
        assert found["Body"].read() == content
        with pytest.raises(ceph.client.exceptions.ClientError):
            ceph.client.head_object(Bucket=ceph.name, Key=name)
