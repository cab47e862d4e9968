"""What is sent of a file: the file, or its gzip stream, held in memory or made while it is sent."""

import asyncio
import gzip
import hashlib
import os
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random
from typing import Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkput.errors import SourceError, Stopped, UsageError
from bulkput.model import Body, Compression, GzipMode, ObjectHeaders, Ruling, SourceFile, Upload, Why
from bulkput.options import BodyOptions, GzipOptions
from bulkput.payload.body import BodyOpener
from bulkput.payload.gzip import BLOCK_SIZE, whole
from bulkput.payload.gzip_body import Packed, Packer
from bulkput.policy.compress import SAMPLE_SIZE
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.gzip_source import Original

BUFFER = 100_000
HOLD = 50_000
ALWAYS = GzipOptions(mode="always")
AUTO = GzipOptions(mode="auto")


@pytest.fixture
def opener() -> Iterator[BodyOpener]:
    with closing(BodyOpener(BodyOptions(buffer_size=BUFFER, readers=2), lambda _event: None)) as opener:
        yield opener


@cache
def text(size: int) -> bytes:
    """Words by chance, which gzip makes a third of; the same for the same size."""
    chance = Random(size)
    words = [b"%x" % chance.getrandbits(chance.choice((8, 16, 24))) for _ in range(500)]
    return b" ".join(chance.choices(words, k=size // 2 + 1))[:size]


@cache
def noise(size: int) -> bytes:
    return Random(size).randbytes(size)


def made(path: Path, data: bytes) -> SourceFile:
    """A file that is old enough to be read at once, as it was found."""
    path.write_bytes(data)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return SourceFile(os.fsencode(path), os.fsencode(path.name), len(data), 1_600_000_000 * 10**9)


def packer(
    options: GzipOptions, opener: BodyOpener, *, hold: int = HOLD, check: Callable[[], None] = lambda: None
) -> Packer:
    return Packer(options, GzipNames(options), opener, hold=hold, check=check)


async def packed(source: SourceFile, opener: BodyOpener, options: GzipOptions = ALWAYS, *, hold: int = HOLD) -> Packed:
    upload = Upload(source, os.fsdecode(source.name), ObjectHeaders())
    return await packer(options, opener, hold=hold).packed(upload, await opener.open(source))


async def sent(body: Body) -> bytes:
    return b"".join([chunk async for chunk in body.chunks()])


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.mark.parametrize("level", [1, 2, 9])
@pytest.mark.parametrize("mode", ["always", "auto"])
async def test_a_small_compressed_file_is_held_in_memory(
    tmp_path: Path, opener: BodyOpener, mode: Literal["always", "auto"], level: int
) -> None:
    """Its size and MD5 are exact for the chosen level; the original's size and MD5 are recorded."""
    data = text(20_000)
    body, compression, original = await packed(
        made(tmp_path / "a.txt", data), opener, GzipOptions(mode=mode, level=level)
    )
    stream = whole(data, level)
    assert (body.data, body.size, body.length_hint, body.md5) == (stream, len(stream), len(stream), md5(stream))
    assert gzip.decompress(stream) == data
    assert compression == Compression(True, Why.ASKED if mode == "always" else Why.SAVES)
    assert original == Original(len(data), md5(data))
    assert [await sent(body) for _ in range(2)] == [stream, stream]


@pytest.mark.parametrize("data", [b"", b"x", noise(3000)], ids=["empty", "one byte", "noise"])
async def test_always_compresses_files_that_grow(tmp_path: Path, opener: BodyOpener, data: bytes) -> None:
    """This includes an empty file, whose gzip stream is not empty."""
    body, compression, original = await packed(made(tmp_path / "a.gz", data), opener)
    assert body.data is not None and gzip.decompress(body.data) == data
    assert len(body.data) > len(data)
    assert (compression, original) == (Compression(True, Why.ASKED), Original(len(data), md5(data)))


PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.txt", b"", Why.EMPTY),
        ("a.txt", text(1023), Why.SMALL),
        ("a.gz", text(20_000), Why.NAME),
        ("a.gz", text(200_000), Why.NAME),
        ("a.txt", PNG + text(20_000), Why.MAGIC),
        ("a.txt", PNG + text(200_000), Why.MAGIC),
        ("a.txt", noise(20_000), Why.SAVES_LITTLE),
        ("a.txt", noise(200_000), Why.SAMPLE_SAVES_LITTLE),
        ("a.txt", text(4 * SAMPLE_SIZE) + noise(SAMPLE_SIZE), None),
        ("a.bin", text(20_000), None),
        ("a.bin", text(200_000), None),
    ],
)
async def test_auto_sends_the_file_itself_if_compression_saves_too_little(
    tmp_path: Path, opener: BodyOpener, name: str, data: bytes, why: Why | None
) -> None:
    """The uncompressed file has no record of an original; other files are compressed."""
    source = made(tmp_path / name, data)
    body, compression, original = await packed(source, opener, AUTO)
    if why is None:
        assert compression.is_compressed and original == Original(len(data), md5(data))
        assert gzip.decompress(await sent(body)) == data
    else:
        assert (compression, original) == (Compression(False, why), None)
        assert (body.size, await sent(body)) == (len(data), data)


@pytest.mark.parametrize(
    ("make", "size"),
    [(text, BUFFER + 1), (noise, BUFFER + 1), (text, 2 * BLOCK_SIZE), (noise, 5 * BLOCK_SIZE + 7)],
)
async def test_a_compressed_stream_is_held_up_to_the_limit(
    tmp_path: Path, opener: BodyOpener, make: Callable[[int], bytes], size: int
) -> None:
    """One byte above it, size and MD5 are unknown before the stream is made."""
    data = make(size)
    stream = whole(data)
    source = made(tmp_path / "a", data)
    held = await packed(source, opener, hold=len(stream))
    assert (held.body.data, held.body.size, held.body.md5) == (stream, len(stream), md5(stream))
    streamed = await packed(source, opener, hold=len(stream) - 1)
    body = streamed.body
    assert (body.data, body.size, body.md5, body.length_hint) == (None, None, None, size)
    assert held.original == streamed.original == Original(size, md5(data))
    assert [await sent(body) for _ in range(2)] == [stream, stream]


async def test_a_replay_of_a_compressed_file_is_independent_of_a_broken_attempt(
    tmp_path: Path, opener: BodyOpener
) -> None:
    """The broken attempt leaves no descriptor open."""
    data = noise(5 * BLOCK_SIZE)
    body, _, _ = await packed(made(tmp_path / "a", data), opener)
    before = len(os.listdir("/proc/self/fd"))
    broken = cast("AsyncGenerator[bytes]", body.chunks())
    first = await anext(broken)
    assert await sent(body) == whole(data)
    await broken.aclose()
    assert whole(data).startswith(first) and len(os.listdir("/proc/self/fd")) == before


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def overwrite(path: Path) -> None:
    """As long as before, in the same file."""
    with path.open("r+b") as file:
        file.write(b"XXXX")


@pytest.mark.parametrize("change", [shrink, overwrite, Path.unlink])
async def test_a_file_that_changes_before_its_first_pass_is_not_compressed(
    tmp_path: Path, opener: BodyOpener, change: Callable[[Path], None]
) -> None:
    """The sample or the pass itself detects the change."""
    path = tmp_path / "a"
    for options in (ALWAYS, AUTO):
        source = made(path, text(200_000))
        file = await opener.open(source)
        change(path)
        with pytest.raises(SourceError) as caught:
            await packer(options, opener).packed(Upload(source, "a", ObjectHeaders()), file)
        assert caught.value.problem == ("vanished" if change is Path.unlink else "changed")


@pytest.mark.parametrize("change", [shrink, overwrite])
@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_file_that_changes_after_its_first_pass_gives_no_whole_stream(
    tmp_path: Path, opener: BodyOpener, change: Callable[[Path], None], has_begun: bool
) -> None:
    """The change comes before or during the stream; the bytes sent so far are no valid gzip stream."""
    source = made(tmp_path / "a", noise(20 * BLOCK_SIZE))
    body, _, _ = await packed(source, opener)
    chunks = body.chunks()
    pieces = [await anext(chunks)] if has_begun else []
    change(tmp_path / "a")
    with pytest.raises(SourceError) as caught:
        async for chunk in chunks:
            pieces.append(chunk)
    assert caught.value.problem == "changed"
    unpacking = zlib.decompressobj(31)
    unpacking.decompress(b"".join(pieces))
    assert not unpacking.eof


@pytest.mark.parametrize("mode", ["auto", "always"])
@pytest.mark.parametrize("size", [20_000, 200_000])
async def test_an_excluded_file_is_sent_uncompressed(
    tmp_path: Path, opener: BodyOpener, size: int, mode: Literal["auto", "always"]
) -> None:
    """It is held or streamed; another file is compressed."""
    options = GzipOptions(mode=mode, exclude=("*.log",))
    body, compression, original = await packed(made(tmp_path / "a.log", data := text(size)), opener, options)
    assert (compression, original) == (Compression(False, Why.EXCLUDED), None)
    assert await sent(body) == data
    assert (await packed(made(tmp_path / "a.txt", data), opener, options)).compression.is_compressed


async def test_a_stop_interrupts_the_first_pass(tmp_path: Path, opener: BodyOpener) -> None:
    """The error of the check is raised before the next piece is compressed."""
    source = made(tmp_path / "a", text(2 * BUFFER))
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        raise Stopped

    file = await opener.open(source)
    with pytest.raises(Stopped):
        await packer(ALWAYS, opener, check=check).packed(Upload(source, "a", ObjectHeaders()), file)
    assert asked == 1


@pytest.mark.parametrize("level", [-1, 0, 10])
def test_an_invalid_level_is_refused_before_any_file(opener: BodyOpener, level: int) -> None:
    """When the packer is made."""
    with pytest.raises(UsageError, match=f"from 1 .* to 9 .*, not {level}"):
        packer(GzipOptions(mode="auto", level=level), opener)


BOUNDS = (0, 1024, 16 * 1024, HOLD, BUFFER, 2 * SAMPLE_SIZE, BLOCK_SIZE, 2 * BLOCK_SIZE)
SIZES = st.builds(lambda bound, more: max(0, bound + more), st.sampled_from(BOUNDS), st.integers(-2, 2))
KINDS = st.sampled_from([text, noise, lambda size: noise(size // 2) + text(size - size // 2), bytes])


@settings(max_examples=60)
@given(
    size=SIZES,
    make=KINDS,
    mode=st.sampled_from(["always", "auto"]),
    hold=st.one_of(st.integers(0, HOLD), st.just(10**9)),
    chunk_size=st.sampled_from([1000, BLOCK_SIZE - 1, BLOCK_SIZE, 10**6]),
)
def test_the_sent_body_decompresses_to_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    size: int,
    make: Callable[[int], bytes],
    mode: Literal["always", "auto"],
    hold: int,
    chunk_size: int,
) -> None:
    """This holds around each limit of size; the recorded size and MD5 are right."""
    data = make(size)
    source = made(tmp_path_factory.getbasetemp() / "any.txt", data)

    async def run() -> tuple[Packed, bytes]:
        options = BodyOptions(buffer_size=BUFFER, chunk_size=chunk_size, readers=1)
        with closing(BodyOpener(options, lambda _event: None)) as opener:
            result = await packed(source, opener, GzipOptions(mode=mode), hold=hold)
            return result, await sent(result.body)

    (body, compression, original), out = asyncio.run(run())
    assert compression.is_compressed or mode == "auto"
    assert original == (Original(size, md5(data)) if compression.is_compressed else None)
    assert (gzip.decompress(out) if compression.is_compressed else out) == data
    assert body.size in (None, len(out)) and body.md5 in (None, md5(out)) and body.data in (None, out)
    if mode == "auto" and size <= BUFFER:
        assert len(out) <= size


@pytest.mark.parametrize(
    ("mode", "by_rule", "compression"),
    [
        ("never", "always", Compression(True, Why.ASKED)),
        ("never", "auto", Compression(True, Why.SAVES)),
        ("always", "never", Compression(False, Why.NOT_ASKED)),
        ("auto", "never", Compression(False, Why.NOT_ASKED)),
        ("auto", None, Compression(True, Why.SAVES)),
    ],
)
async def test_a_rule_decides_for_a_file_whether_it_is_compressed(
    tmp_path: Path, opener: BodyOpener, mode: GzipMode, by_rule: GzipMode | None, compression: Compression
) -> None:
    """Without a rule the option decides."""
    source, options = made(tmp_path / "a.txt", text(20_000)), GzipOptions(mode=mode)
    upload = Upload(source, "a.txt", ObjectHeaders(), Ruling(by_rule, ()) if by_rule is not None else None)
    done = await packer(options, opener).packed(upload, await opener.open(source))
    assert done.compression == compression
    assert (done.original is not None) is compression.is_compressed
