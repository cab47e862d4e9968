"""gzip streams made on the way: from files, on the event loop, by whichever library is there."""

import asyncio
import gc
import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests
import urllib3
from botocore.config import Config

from bulkput import GzipReader, UsageError
from bulkput.payload.deflate import DEFAULT_LEVEL, engine_for
from bulkput.payload.gzip import BLOCK_SIZE, Compressor, gzipped, whole
from bulkput.payload.readers import Readers
from tests.servers.nginx import NginxDav
from tests.servers.swift import RealSwift

LEVELS = range(1, 10)
TEXT = b"".join(b"%d: a line of some text, number %d\n" % (n, n * n) for n in range(40_000))
NOISE = random.Random(1).randbytes(1_000_000)


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    readers = Readers(2, patience_s=60.0, most_stuck=2)
    yield readers
    readers.close()


async def pieces_of(data: bytes, size: int) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("data", [b"", b"x", TEXT, NOISE, bytes(3_000_000)], ids=["empty", "x", "text", "noise", "0"])
def test_gzip_decompresses_the_stream(level: int, data: bytes) -> None:
    """`gzip -t` checks CRC32 and ISIZE; `gzip -dc` gives the bytes back."""
    stream = GzipReader(io.BytesIO(data), level=level).read()
    subprocess.run(["gzip", "-t"], input=stream, check=True)
    assert subprocess.run(["gzip", "-dc"], input=stream, stdout=subprocess.PIPE, check=True).stdout == data


@pytest.mark.parametrize(("level", "extra_flags"), [(1, 4), (2, 0), (8, 0), (9, 2)])
def test_the_gzip_header_has_no_name_and_no_time(level: int, extra_flags: int) -> None:
    """RFC 1952, section 2.3.1: no flags, MTIME 0, XFL by the level, OS 255."""
    assert whole(TEXT, level)[:10] == bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, extra_flags, 255))


@pytest.mark.parametrize("level", LEVELS)
def test_incompressible_data_grows_by_less_than_one_percent(level: int) -> None:
    """Deflate stores it in blocks with five bytes each (RFC 1951, section 3.2.4); gzip adds 18 bytes."""
    assert len(whole(NOISE, level)) < len(NOISE) * 1.01


def test_a_higher_level_gives_fewer_bytes() -> None:
    """The data is source text."""
    source = b"".join(path.read_bytes() for path in sorted(Path(io.__file__).parent.glob("*.py")))
    sizes = [len(whole(source, level)) for level in LEVELS]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("level", [-1, 0, 10, 99])
def test_an_invalid_level_error_names_the_valid_levels(level: int) -> None:
    """The error is raised by the constructor, not by the first read."""
    with pytest.raises(UsageError, match=rf"a number from 1 \(fastest\) to 9 \(smallest\), not {level}"):
        GzipReader(io.BytesIO(), level=level)


def test_the_level_selects_the_compression_library() -> None:
    """isal has the low levels, zlib-ng the high ones; zlib replaces a missing library."""
    assert str(engine_for(DEFAULT_LEVEL)) == ("isal level 2" if find_spec("isal") else "zlib level 2")
    assert str(engine_for(9)) == ("zlib-ng level 9" if find_spec("zlib_ng") else "zlib level 9")


@pytest.mark.parametrize(
    ("missing", "engines"),
    [
        (["isal"], "zlib level 1, zlib level 3, zlib-ng level 3, zlib-ng level 9"),
        (["zlib_ng"], "isal level 1, isal level 3, zlib level 4, zlib level 9"),
        (["isal", "zlib_ng"], "zlib level 1, zlib level 3, zlib level 4, zlib level 9"),
    ],
    ids=" ".join,
)
def test_zlib_replaces_a_missing_compression_library(missing: list[str], engines: str) -> None:
    """The stream is valid in an interpreter that cannot import the library."""
    if not (find_spec("isal") and find_spec("zlib_ng")):
        pytest.skip("a library is missing in fact: all the tests here show it")
    program = (
        f"import sys\nfor name in {missing}: sys.modules[name] = None\n"
        "import gzip, io, bulkput\nfrom bulkput.payload.deflate import engine_for\n"
        "data = b'a line of text\\n' * 50_000\n"
        "for level in range(1, 10):\n"
        "    assert gzip.decompress(bulkput.GzipReader(io.BytesIO(data), level=level).read()) == data\n"
        "print(', '.join(str(engine_for(level)) for level in (1, 3, 4, 9)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == engines


def test_importing_the_reader_loads_no_compression_library() -> None:
    """`bulkput --help` loads none of them."""
    program = (
        "import sys, bulkput; bulkput.GzipReader\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('isal', 'zlib_ng')])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_a_finished_compressor_raises_value_error() -> None:
    """More data would damage the stream."""
    compressor = Compressor()
    compressor.finish()
    for use in (compressor.finish, partial(compressor.compress, b"x")):
        with pytest.raises(ValueError, match="finished"):
            use()


def test_a_gzip_reader_is_a_readable_file_without_seek_or_write() -> None:
    """And nothing else: it does not seek, tell or write."""
    reader = GzipReader(io.BytesIO(TEXT))
    assert (reader.readable(), reader.writable(), reader.seekable(), reader.closed) == (True, False, False, False)
    assert reader.read(0) == reader.read1(0) == b""
    for refused in (reader.tell, reader.fileno, partial(reader.seek, 0), partial(reader.write, b"")):
        with pytest.raises(io.UnsupportedOperation):
            refused()
    assert gzip.decompress(io.BufferedReader(reader).read()) == TEXT  # type: ignore[arg-type]


def test_closing_a_gzip_reader_keeps_its_file_open() -> None:
    """gzip.GzipFile does the same; a closed reader raises ValueError."""
    file = io.BytesIO(TEXT)
    with GzipReader(file) as reader:
        reader.read(1)
    assert reader.closed
    assert not file.closed
    for use in (reader.read, reader.read1, partial(reader.readinto, bytearray(1)), partial(next, reader)):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_gzip_reader_starts_at_the_position_of_its_file() -> None:
    """A second attempt seeks and makes a new reader."""
    file = io.BytesIO(TEXT)
    file.seek(1000)
    assert gzip.decompress(GzipReader(file).read()) == TEXT[1000:]
    file.seek(0)
    assert gzip.decompress(GzipReader(file).read()) == TEXT


def test_a_gzip_reader_raises_the_error_of_its_file() -> None:
    """The file is closed; the stream does not end early without an error."""
    file = io.BytesIO(TEXT)
    file.close()
    with pytest.raises(ValueError, match="closed file"):
        GzipReader(file).read(1)


def test_a_non_blocking_file_without_data_does_not_end_the_stream() -> None:
    """The read raises BlockingIOError, and a later read continues."""
    end, start = os.pipe()
    os.set_blocking(end, False)
    with open(end, "rb", buffering=0) as file, open(start, "wb", buffering=0) as feed:
        reader = GzipReader(file)
        with pytest.raises(BlockingIOError):
            reader.read(1)
        feed.write(b"late")
        feed.close()
        assert gzip.decompress(reader.read()) == b"late"


def test_a_chunk_size_of_zero_is_refused() -> None:
    """It would look like the end of the file."""
    with pytest.raises(ValueError, match="chunk_size"):
        GzipReader(io.BytesIO(), chunk_size=0)


@pytest.mark.nginx
@pytest.mark.parametrize("data", [b"", TEXT, NOISE], ids=["empty", "text", "noise"])
def test_requests_uploads_a_gzip_reader(nginx: NginxDav, tmp_path: Path, data: bytes) -> None:
    """It sends chunks, since the length is unknown; nginx stores the stream."""
    (tmp_path / "source").write_bytes(data)
    with (tmp_path / "source").open("rb") as file, GzipReader(file) as body, requests.Session() as session:
        assert session.put(f"{nginx.url}/gzip/requests", data=body, timeout=30).status_code in (201, 204)
    assert gzip.decompress((nginx.root / "gzip/requests").read_bytes()) == data


@pytest.mark.nginx
@pytest.mark.parametrize("data", [b"", TEXT, NOISE], ids=["empty", "text", "noise"])
def test_urllib3_uploads_a_gzip_reader(nginx: NginxDav, data: bytes) -> None:
    """It sends chunks, and nginx stores the stream."""
    with urllib3.PoolManager() as pool:
        answer = pool.request("PUT", f"{nginx.url}/gzip/urllib3", body=GzipReader(io.BytesIO(data)))
    assert answer.status in (201, 204)
    assert gzip.decompress((nginx.root / "gzip/urllib3").read_bytes()) == data


@pytest.mark.swift
@pytest.mark.parametrize("data", [b"", TEXT, NOISE * 12], ids=["empty", "text", "two parts"])
def test_boto3_uploads_a_gzip_reader(swift: RealSwift, data: bytes) -> None:
    """Swift's S3 API stores it in one request or in parts, and it decompresses to the file."""
    parts = urlsplit(swift.auth_url)
    s3 = boto3.client(
        "s3",
        endpoint_url=f"{parts.scheme}://{parts.netloc}",
        region_name="us-east-1",
        aws_access_key_id=swift.user,
        aws_secret_access_key=swift.key,
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket="gzip-reader")
    with GzipReader(io.BytesIO(data)) as body:
        s3.upload_fileobj(body, "gzip-reader", "object", ExtraArgs={"ContentEncoding": "gzip"})
    answer = s3.get_object(Bucket="gzip-reader", Key="object")
    assert answer["ContentEncoding"] == "gzip"
    assert gzip.decompress(answer["Body"].read()) == data
    s3.close()


@pytest.mark.parametrize("size", [1_000, 100_000, BLOCK_SIZE, 1_000_000])
async def test_gzipped_compresses_in_threads(readers: Readers, size: int) -> None:
    """The stream equals that of `GzipReader` for any chunk size."""
    run = partial(readers.run, b"a file")
    assert b"".join([piece async for piece in gzipped(pieces_of(TEXT, size), run=run)]) == whole(TEXT)


async def test_small_chunks_are_compressed_in_one_job(readers: Readers) -> None:
    """A job for each kilobyte would cost more than its work."""
    visits = 0

    def counting(function: Callable[..., bytes], *arguments: Any) -> "asyncio.Future[bytes]":
        nonlocal visits
        visits += 1
        return readers.run(b"a file", function, *arguments)

    async for _ in gzipped(pieces_of(TEXT, 1_000), run=counting):
        pass
    assert visits <= len(TEXT) // BLOCK_SIZE + 2


class Later:
    """Jobs that run when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Future[bytes], Callable[[], bytes]]] = []

    def run(self, function: Callable[..., bytes], *arguments: Any) -> "asyncio.Future[bytes]":
        future: Future[bytes] = Future()
        self.jobs.append((future, partial(function, *arguments)))
        return asyncio.wrap_future(future)

    def do(self) -> None:
        """The oldest."""
        future, job = self.jobs.pop(0)
        future.set_result(job())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_reading_compressing_and_sending_overlap() -> None:
    """The next chunk is read and compressed while an earlier piece is sent."""
    later = Later()
    read = 0

    async def chunks() -> AsyncGenerator[bytes, None]:
        nonlocal read
        for _ in range(3):
            read += 1
            yield NOISE

    stream = gzipped(chunks(), run=later.run)
    first = asyncio.ensure_future(anext(stream))
    await until(lambda: read == 2)
    assert len(later.jobs) == 1
    later.do()
    assert await first
    assert len(later.jobs) == 1
    await stream.aclose()


@pytest.mark.parametrize("is_running", [True, False])
async def test_cancelling_gzipped_closes_its_chunks(is_running: bool) -> None:
    """A queued job never runs, and a running job ends without an error on the event loop."""
    later = Later()
    closed = False
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))

    async def chunks() -> AsyncGenerator[bytes, None]:
        nonlocal closed
        try:
            while True:
                yield TEXT
        finally:
            closed = True

    stream = gzipped(chunks(), run=later.run)
    waiting = asyncio.ensure_future(anext(stream))
    await until(lambda: len(later.jobs) == 1)
    future, job = later.jobs[0]
    if is_running:
        future.set_running_or_notify_cancel()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert closed
    if is_running:
        job()
        future.set_exception(MemoryError())
    else:
        assert future.cancelled()
    del stream, waiting, future, job
    later.jobs.clear()
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_closing_gzipped_between_two_pieces_leaves_its_threads_usable(readers: Readers) -> None:
    """There are no warnings and no errors."""
    run = partial(readers.run, b"a file")
    for _ in range(20):
        stream = gzipped(pieces_of(NOISE, BLOCK_SIZE), run=run, level=9)
        assert await anext(stream)
        await stream.aclose()
    gc.collect()
    assert await run(whole, TEXT) == whole(TEXT)


async def test_gzipped_raises_the_error_of_its_chunks(readers: Readers) -> None:
    """Earlier pieces may be sent, but never the end of the stream."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield NOISE
        yield NOISE
        raise OSError("the disk is gone")

    pieces = []
    with pytest.raises(OSError, match="the disk is gone"):
        async for piece in gzipped(chunks(), run=partial(readers.run, b"a file")):
            pieces.append(piece)
    with pytest.raises(EOFError):
        gzip.decompress(b"".join(pieces))


async def test_concurrent_gzipped_streams_are_independent(readers: Readers) -> None:
    """Each has its own compressor."""
    run = partial(readers.run, b"a file")

    async def digest(data: bytes) -> str:
        md5 = hashlib.md5()
        async for piece in gzipped(pieces_of(data, BLOCK_SIZE), run=run):
            md5.update(piece)
        return md5.hexdigest()

    sources = [TEXT, NOISE, TEXT[::-1], NOISE[::-1]]
    assert await asyncio.gather(*map(digest, sources)) == [hashlib.md5(whole(data)).hexdigest() for data in sources]


@pytest.fixture(autouse=True)
def nothing_is_left_to_the_collector() -> Iterator[None]:
    """A future or a coroutine that nobody waited for complains when it is collected: in its own test."""
    yield
    gc.collect()
