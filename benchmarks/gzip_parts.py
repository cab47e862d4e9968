"""Compression without an upload around it: the face for the event loop with one worker thread and with two, and each
thing that a compressing client does, alone in one thread.
"""

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.compression import BASE, Face, Step
from benchmarks.cores import Usage
from bulkput.options import BodyOptions
from bulkput.payload.deflate import DEFAULT_LEVEL, engine_for
from bulkput.payload.gzip import Compressor, gzipped
from bulkput.payload.gzip_body import FirstPass
from bulkput.payload.readers import Readers

T = TypeVar("T")
_STREAMS = 4
_WORKERS = (1, 2)
_LEVELS = {BASE: 6, str(engine_for(DEFAULT_LEVEL)): DEFAULT_LEVEL}
_PASSES = {BASE: 1}
"""Each stream is the source so many times over: all take about as long, half a second at least."""
_OTHER_PASSES = 4


@contextmanager
def without_accelerators() -> Iterator[None]:
    """In the block, importing the accelerators fails, as if they were not installed."""
    before = {name: sys.modules.get(name) for name in ("isal", "zlib_ng")}
    sys.modules.update(dict.fromkeys(before))  # type: ignore[arg-type]  # None makes an import fail
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def by_way(way: str, compress: Callable[[int], T]) -> T:
    """`compress(level)`, by the library that the way is named after."""
    if way != BASE:
        return compress(_LEVELS[way])
    with without_accelerators():
        return compress(_LEVELS[way])


def measure_faces(source: bytes, rounds: int) -> list[Face]:
    """All streams at once, by library and number of workers, round by round and each round in another order."""
    size = BodyOptions().chunk_size
    pieces = [source[at : at + size] for at in range(0, len(source), size)]
    turns = [(way, workers) for way in _LEVELS for workers in _WORKERS]
    faces = []
    for number in range(1, rounds + 1):
        first = number % len(turns)
        for way, workers in turns[first:] + turns[:first]:
            passes = _PASSES.get(way, _OTHER_PASSES)
            compress = partial(_streams_s, pieces * passes, workers)
            before, cpu_s = Usage.now(), time.process_time()
            wall_s = by_way(way, compress)
            cpu_s, usage = time.process_time() - cpu_s, Usage.now().since(before)
            faces.append(
                Face(
                    way=way,
                    workers=workers,
                    round=number,
                    source_bytes=_STREAMS * passes * len(source),
                    wall_s=wall_s,
                    cpu_s=cpu_s,
                    others_s=usage.others_s,
                )
            )
    return faces


def _streams_s(pieces: list[bytes], workers: int, level: int) -> float:
    return asyncio.run(_compress_streams(pieces, level, workers))


async def _compress_streams(pieces: list[bytes], level: int, workers: int) -> float:
    with closing(Readers(workers, patience_s=600.0, most_stuck=workers)) as readers:
        began_s = time.perf_counter()
        await asyncio.gather(*(_compress(pieces, level, readers) for _ in range(_STREAMS)))
        return time.perf_counter() - began_s


async def _compress(pieces: list[bytes], level: int, readers: Readers) -> None:
    async def chunks() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    async for _ in gzipped(chunks(), run=partial(readers.run, b"source"), level=level):
        pass


def measure_steps(paths: list[Path], number: int, *, scale: float) -> list[Step]:
    """Seconds of CPU, times `scale`, with the chunks and the room in memory that an upload has by default."""
    options = BodyOptions()
    texts = [list(_chunks(path, options.chunk_size)) for path in paths]

    def streams(level: int) -> list[list[bytes]]:
        return [list(_stream(text, level)) for text in texts]

    def first_pass(level: int) -> None:
        for path, text in zip(paths, texts, strict=True):
            first = FirstPass(level, path.stat().st_size, options.buffer_size)
            for chunk in text:
                first.take(chunk)
            first.finish()

    steps = []
    for way in _LEVELS:
        made, sent_s = by_way(way, lambda level: _timed(streams, level))
        parts = {
            "reading the source, twice": 2 * _timed(_read, paths, options.chunk_size)[1],
            "first pass: MD5 of the source, compressing while that may be held": by_way(
                way, lambda level: _timed(first_pass, level)
            )[1],
            "compressing what is sent": sent_s,
            "MD5 of what is sent": _timed(_md5, made)[1],
        }
        steps += [Step(way=way, name=name, round=number, cpu_s=scale * part_s) for name, part_s in parts.items()]
    return steps


def _timed(function: Callable[..., T], *arguments: object) -> tuple[T, float]:
    began_s = time.thread_time()
    result = function(*arguments)
    return result, time.thread_time() - began_s


def _chunks(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(size):
            yield chunk


def _read(paths: list[Path], size: int) -> None:
    for path in paths:
        for _ in _chunks(path, size):
            pass


def _stream(text: Iterable[bytes], level: int) -> Iterator[bytes]:
    compressor = Compressor(level)
    for chunk in text:
        yield compressor.compress(chunk)
    yield compressor.finish()


def _md5(texts: list[list[bytes]]) -> None:
    for text in texts:
        digest = hashlib.md5(usedforsecurity=False)
        for piece in text:
            digest.update(piece)
