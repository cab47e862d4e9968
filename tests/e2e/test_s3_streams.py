"""Streams to real servers of S3, which take no body of unknown length: pipes, and files that are compressed."""

import asyncio
import gzip
import hashlib
import os
import random
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from bulkput import events as ev
from bulkput.options import GzipOptions, LargeOptions
from tests.e2e.s3_world import MIB, PART, Box, Ran, faulty, loses_answer, noise, says
from tests.servers.s3 import RealS3

KEY = "p/file"
STREAMS = LargeOptions(above=64 * MIB, part_size=PART)


@pytest.fixture(
    params=[pytest.param("rgw_s3", marks=pytest.mark.rgw), pytest.param("s3api", marks=pytest.mark.swift), "moto"]
)
def box(request: pytest.FixtureRequest) -> Box:
    server: RealS3 = request.getfixturevalue(request.param)
    return Box(server, server.make_bucket())


@pytest.fixture
def ceph(rgw_s3: RealS3) -> Box:
    return Box(rgw_s3, rgw_s3.make_bucket())


@cache
def text(size: int) -> bytes:
    """Hexadecimal digits: gzip makes about a half of them."""
    return random.Random(size).randbytes(size // 2 + 1).hex().encode()[:size]


def made(path: Path, content: bytes) -> Path:
    file = path / "file"
    file.write_bytes(content)
    return file


def puts(asked: list[str]) -> list[str]:
    return [each for each in asked if each.startswith("PUT") and KEY in each]


async def check(box: Box, content: bytes) -> dict[str, str]:
    """The object unpacks to the content, and its header fields say so."""
    seen = await asyncio.to_thread(box.judge.get, box.name, KEY)
    assert seen is not None
    unpacked = await asyncio.to_thread(gzip.decompress, seen.content)
    headers = {name.lower(): value for name, value in seen.headers.items()}
    md5 = hashlib.md5(content).hexdigest()
    assert hashlib.md5(unpacked).hexdigest() == headers["x-amz-meta-source-md5"] == md5
    assert (headers["content-encoding"], headers["x-amz-meta-source-size"]) == ("gzip", str(len(content)))
    assert await asyncio.to_thread(box.unfinished) == []
    return headers


@pytest.mark.parametrize(("size", "requests"), [(3 * MIB, 1), (9 * MIB, 1), (24 * MIB, 3)])
async def test_a_compressed_file_is_one_request_or_parts(box: Box, tmp_path: Path, size: int, requests: int) -> None:
    """One if its stream ends within the first part. It is never copied to get its headers."""
    content = text(size)
    async with faulty(box) as (behind, _, relayed):
        ran = await behind.run(made(tmp_path, content), large=STREAMS, gzip=GzipOptions(mode="always"))
        assert (ran.summary.exit_code, ran.summary.uploaded) == (0, 1)
        assert len(puts(relayed.asked)) == requests
    await check(box, content)


async def test_the_stream_of_a_large_file_is_continued(box: Box, tmp_path: Path) -> None:
    """Its second part is refused for good: the next run sends what is missing."""
    content = text(24 * MIB)
    file, options = made(tmp_path, content), {"large": STREAMS, "gzip": GzipOptions(mode="always")}
    async with faulty(box) as (behind, faults, _):
        faults.at("PUT", has="partNumber=2", meet=says(400, "InvalidRequest"))
        ran = await behind.run(file, **options)
        assert (ran.summary.exit_code, len(box.unfinished())) == (1, 1)
    again = await box.run(file, **options)
    assert (again.summary.exit_code, again.summary.parts_found >= 1) == (0, True)
    await check(box, content)


async def test_a_file_that_does_not_become_smaller_is_sent_as_it_is(box: Box, tmp_path: Path) -> None:
    """In one request, and it is not held in memory for that."""
    content = noise(12 * MIB)
    async with faulty(box) as (behind, _, relayed):
        ran = await behind.run(made(tmp_path, content), large=STREAMS, gzip=GzipOptions(mode="auto"))
        assert (ran.summary.exit_code, len(puts(relayed.asked))) == (0, 1)
    seen = await asyncio.to_thread(box.judge.get, box.name, KEY)
    assert seen is not None and (seen.content == content, "content-encoding" in seen.headers) == (True, False)


async def test_a_stream_that_fails_leaves_no_upload(box: Box, tmp_path: Path) -> None:
    """A pipe, whose parts nobody can send again: at a part, and at the completion."""
    for method, query in (("PUT", "partNumber=2"), ("POST", "uploadId")):
        async with faulty(box) as (behind, faults, _):
            faults.at(method, has=query, meet=says(400, "InvalidRequest"))
            ran = await piped(behind, tmp_path, noise(12 * MIB))
            assert (ran.summary.exit_code, ran.of_kind(ev.PartsLeft)) == (1, [])
            assert await asyncio.to_thread(box.unfinished) == []


async def piped(box: Box, path: Path, content: bytes, **options: object) -> Ran:
    """Upload what a named pipe gives."""
    fifo = path / "file"
    if not fifo.exists():
        os.mkfifo(fifo)
    writing = asyncio.create_task(asyncio.to_thread(_write, fifo, content))
    large = options.pop("large", STREAMS)
    ran = await box.run(fifo, to=KEY, large=large, **options)
    await writing
    return ran


def _write(fifo: Path, content: bytes) -> None:
    with suppress(BrokenPipeError):
        fifo.write_bytes(content)


@pytest.mark.parametrize("packs", [False, True], ids=["as it is", "compressed"])
@pytest.mark.parametrize(("size", "parts"), [(0, 0), (4 * MIB, 0), (5 * MIB, 0), (24 * MIB, 3)])
async def test_a_pipe_of_unknown_length_is_stored(box: Box, tmp_path: Path, size: int, parts: int, packs: bool) -> None:
    """In one request if it ends within the first part."""
    content = text(size)
    async with faulty(box) as (behind, _, relayed):
        ran = await piped(behind, tmp_path, content, gzip=GzipOptions(mode="always" if packs else "never"))
        assert (ran.summary.exit_code, ran.summary.uploaded) == (0, 1)
        assert ran.summary.parts_sent == (parts if packs else 5 if parts else 0)
        if not parts:
            assert len(puts(relayed.asked)) == 1
    if packs:
        await check(box, content)
    else:
        assert box.judge.content(box.name, KEY) == content


@pytest.mark.parametrize(
    ("expected", "is_stored"),
    [({"expect_size": 12 * MIB}, True), ({"expect_size": 12 * MIB + 1}, False), ({"expect_md5": "0" * 32}, False)],
)
async def test_a_pipe_that_is_not_what_was_expected_is_not_stored(
    box: Box, tmp_path: Path, expected: dict[str, object], is_stored: bool
) -> None:
    """And leaves nothing."""
    large = LargeOptions(part_size=PART, **expected)  # type: ignore[arg-type]
    ran = await piped(box, tmp_path, noise(12 * MIB), large=large)
    assert (ran.summary.exit_code == 0) is is_stored
    assert (await asyncio.to_thread(box.judge.names, box.name) == [KEY]) is is_stored
    assert await asyncio.to_thread(box.unfinished) == []


async def test_the_answer_of_a_streams_completion_may_be_lost(ceph: Box, tmp_path: Path) -> None:
    """A HEAD finds the object."""
    async with faulty(ceph) as (behind, faults, _):
        faults.at("POST", has="uploadId", meet=loses_answer)
        ran = await piped(behind, tmp_path, noise(12 * MIB))
    assert ran.summary.exit_code == 0
    assert ceph.judge.content(ceph.name, KEY) == noise(12 * MIB)


MEASURED = """
import resource, sys
from bulkput.cli.main import main
sys.argv = ["bulkput", *sys.argv[1:]]
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_mib(box: Box, *arguments: str | Path) -> int:
    """Runs the command in a process of its own; gives the most memory that it had, in MiB."""
    command = [sys.executable, "-c", MEASURED, "upload", "-q", *map(str, arguments)]
    environ = {**os.environ, **box.server.environment}
    ran = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return int(ran.stdout.split()[-1])


def test_the_memory_for_compressed_files_does_not_grow_with_them(ceph: Box, tmp_path: Path) -> None:
    """bulkput upload --gzip always, of six files of 3 to 60 MiB: zcat gives back each of them"""
    (tmp_path / "tree").mkdir()
    sizes = [3, 5, 12, 40, 60, 60]
    for number, size in enumerate(sizes):
        (tmp_path / "tree" / str(number)).write_bytes(text(MIB) * size if number % 2 else noise(MIB) * size)
    url = f"s3://{ceph.name}"
    idle = peak_mib(ceph, tmp_path / "tree" / "0", url)
    most = peak_mib(ceph, "--gzip", "always", "--segment-size", "5M", tmp_path / "tree", f"{url}/p")
    assert most - idle < 240, (idle, most)
    for number in range(len(sizes)):
        content = ceph.judge.content(ceph.name, f"p/{number}") or b""
        unpacked = subprocess.run(["zcat"], input=content, check=True, capture_output=True).stdout
        assert unpacked == (tmp_path / "tree" / str(number)).read_bytes()
    assert ceph.unfinished() == []
