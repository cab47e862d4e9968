"""A gzip stream depends on the bytes that went in and on nothing else."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkput.payload.deflate import DEFAULT_LEVEL
from bulkput.payload.gzip import BLOCK_SIZE, Compressor, GzipReader, gzipped, whole

LEVELS = st.integers(1, 9)
# Short bytes as they come, and long ones made of a few, so that several blocks are full. Every kind is in there: what
# repeats, what does not, what begins as one and goes on as the other.
PLAIN = st.binary(max_size=300)
NOISE = st.builds(lambda seed, size: Random(seed).randbytes(size), st.integers(0, 2**32), st.integers(0, BLOCK_SIZE))
LONG = st.tuples(PLAIN, NOISE, st.integers(0, 3 * BLOCK_SIZE)).map(
    lambda parts: parts[0] + parts[1] + (parts[0] * (parts[2] // max(1, len(parts[0]))))[: parts[2]]
)
DATA = st.one_of(PLAIN, LONG)
CUTS = st.lists(st.one_of(st.integers(0, 100), st.integers(0, 2 * BLOCK_SIZE)), max_size=20)


class ShortReads:
    """A file that gives less than it is asked for, but never nothing before the end."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = data
        self._at = 0
        self._sizes = sizes

    def read(self, size: int, /) -> bytes:
        given = min(size, max(1, self._sizes.pop(0))) if self._sizes else size
        piece = self._data[self._at : self._at + given]
        self._at += len(piece)
        return piece


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Pieces of these sizes, then the rest; some may be empty."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@settings(max_examples=60)
@given(DATA, CUTS, LEVELS)
def test_the_stream_is_the_same_however_its_source_is_cut(data: bytes, cuts: list[int], level: int) -> None:
    """`Compressor` gives the same bytes for all chunkings, and the standard library decompresses them."""
    compressor = Compressor(level)
    stream = b"".join([compressor.compress(piece) for piece in cut(data, cuts)]) + compressor.finish()
    assert gzip.decompress(stream) == data
    assert stream == whole(data, level)
    assert compressor.source_size == len(data)


@settings(max_examples=60)
@given(DATA, CUTS, st.lists(st.one_of(st.integers(0, 30), st.integers(0, 2 * BLOCK_SIZE)), max_size=20), LEVELS)
def test_reads_of_any_size_give_the_same_stream(
    data: bytes, given_sizes: list[int], sizes: list[int], level: int
) -> None:
    """`read` returns exactly the requested size before the end, and nothing after it."""
    reader = GzipReader(ShortReads(data, given_sizes), level=level, chunk_size=BLOCK_SIZE // 3)
    stream = whole(data, level)
    at = 0
    for size in sizes:
        piece = reader.read(size)
        assert piece == stream[at : at + size]
        at += len(piece)
    assert reader.read() == stream[at:]
    assert reader.read() == reader.read(1) == reader.read1() == b""


@settings(max_examples=60)
@given(DATA, CUTS, st.lists(st.one_of(st.integers(1, 30), st.integers(1, BLOCK_SIZE)), max_size=20))
def test_each_way_to_read_gives_the_same_stream(data: bytes, given_sizes: list[int], sizes: list[int]) -> None:
    """read1, readinto and iteration return nothing only at the end of the stream."""
    reader = GzipReader(ShortReads(data, given_sizes))
    expected = whole(data)
    stream = bytearray()
    for size in sizes:
        buffer = bytearray(size)
        for piece in (reader.read1(size), bytes(buffer[: reader.readinto(buffer)]), next(reader, b"")):
            left = len(expected) - len(stream)
            assert bool(piece) == bool(left)
            stream += piece
    stream += b"".join(reader)
    assert stream == expected


@settings(max_examples=40, deadline=None)
@given(DATA, CUTS, LEVELS)
def test_gzipped_gives_the_same_stream_on_the_event_loop(data: bytes, cuts: list[int], level: int) -> None:
    """It yields no empty pieces."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        for piece in cut(data, cuts):
            yield piece

    async def run() -> list[bytes]:
        loop = asyncio.get_running_loop()

        def in_thread(function: Callable[..., bytes], *arguments: Any) -> "asyncio.Future[bytes]":
            return loop.run_in_executor(None, function, *arguments)

        return [piece async for piece in gzipped(chunks(), run=in_thread, level=level)]

    pieces = asyncio.run(run())
    assert b"".join(pieces) == whole(data, level)
    assert all(pieces)


@pytest.mark.parametrize("level", range(1, 10))
def test_equal_input_gives_equal_output_at_every_level(level: int) -> None:
    """This also holds for levels whose library cuts its output according to the chunks of its input."""
    text = b"".join(b"line %d of many, %d\n" % (n, n * n % 977) for n in range(60_000))
    expected = whole(text, level)
    for size in (1_000, 65_536, BLOCK_SIZE, 1_000_000):
        compressor = Compressor(level)
        pieces = [compressor.compress(text[at : at + size]) for at in range(0, len(text), size)]
        assert b"".join(pieces) + compressor.finish() == expected
    assert 1 <= DEFAULT_LEVEL <= 9
