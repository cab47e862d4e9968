"""How fast each gzip level is, and how small its stream, against zlib's level 6.

    scripts/bench gzip [--mib 16] [--rounds 5]

Compresses the standard library's .py files, one after the other by name. Every round takes each level once, so that
whatever else this machine does falls on all of them alike; beside the best of the rounds stands their spread. Levels
are compared by the CPU time of their thread, which others on the same cores disturb less than the clock. Then four
streams go through the face for the event loop, with one worker thread and with two: there the clock counts.
"""

import argparse
import asyncio
import os
import statistics
import sys
import sysconfig
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bulkput.payload.deflate import DEFAULT_LEVEL, engine_for
from bulkput.payload.gzip import gzipped, whole
from bulkput.payload.readers import Readers

_CHUNK_SIZE = 512 * 1024
_STREAMS = 4
_WORKERS = (1, 2)
_WIDTH = 120
_ZLIB_6 = "zlib level 6"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way to compress took, round by round, and the bytes it made of the source."""

    name: str
    seconds: list[float]
    size: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench gzip", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mib", type=int, default=16, help="size of the source; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if min(given.mib, given.rounds) < 1:
        parser.error("--mib and --rounds are 1 or more")
    source = source_text(given.mib * 1024**2)
    console = Console(width=_WIDTH)
    console.print(_levels_table(source, _measure_levels(source, given.rounds)))
    console.print(_workers_table(source, _measure_workers(source, given.rounds)))
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    console.print(f"python {sys.version.partition(' ')[0]}, zlib {zlib.ZLIB_RUNTIME_VERSION}, {given.rounds} rounds")
    console.print(
        f"load average {load} on {os.cpu_count()} cores: where others keep them busy, a second worker adds less"
    )
    return 0


def source_text(size: int) -> bytes:
    """`size` bytes of source, the same for each run on one Python; repeated where there is not so much of it."""
    library = Path(sysconfig.get_path("stdlib"))
    found = bytearray()
    for path in sorted(library.rglob("*.py")):
        if "site-packages" not in path.parts:
            found += path.read_bytes()
            if len(found) >= size:
                break
    return bytes(found * -(-size // len(found)))[:size]


def _measure_levels(source: bytes, rounds: int) -> list[Measured]:
    ways: dict[str, Callable[[], bytes]] = {_ZLIB_6: partial(_by_zlib, source)}
    for level in range(1, 10):
        ways[f"level {level}: {engine_for(level)}"] = partial(whole, source, level)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    sizes: dict[str, int] = {}
    for _ in range(rounds):
        for name, compress in ways.items():
            began_s = time.thread_time()
            stream = compress()
            seconds[name].append(time.thread_time() - began_s)
            sizes[name] = len(stream)
    return [Measured(name, seconds[name], sizes[name]) for name in ways]


def _by_zlib(source: bytes) -> bytes:
    return zlib.compress(source, 6, zlib.MAX_WBITS + 16)


def _levels_table(source: bytes, measured: list[Measured]) -> Table:
    base = next(one for one in measured if one.name == _ZLIB_6)
    table = Table(title=f"{len(source) / 1e6:.1f} MB of Python source, one thread, MB per second of CPU time")
    table.add_column("level")
    for column in ("MB/s, best", "median (lowest to highest)", "times zlib 6", "ratio", "bytes / zlib 6's"):
        table.add_column(column, justify="right")
    for one in measured:
        table.add_row(
            one.name + ("  (default)" if one.name.startswith(f"level {DEFAULT_LEVEL}:") else ""),
            *_speeds(len(source), one.seconds),
            f"{min(base.seconds) / min(one.seconds):.2f}",
            f"{len(source) / one.size:.3f}",
            f"{one.size / base.size:.3f}",
        )
    return table


def _measure_workers(source: bytes, rounds: int) -> dict[int, list[float]]:
    """Seconds by the clock for all streams at once, by number of workers, round by round."""
    pieces = [source[at : at + _CHUNK_SIZE] for at in range(0, len(source), _CHUNK_SIZE)]
    seconds: dict[int, list[float]] = {workers: [] for workers in _WORKERS}
    for _ in range(rounds):
        for workers, taken in seconds.items():
            taken.append(asyncio.run(_compress_streams(pieces, workers)))
    return seconds


async def _compress_streams(pieces: list[bytes], workers: int) -> float:
    with closing(Readers(workers, patience_s=600.0, most_stuck=workers)) as readers:
        began_s = time.perf_counter()
        await asyncio.gather(*(_compress(pieces, readers) for _ in range(_STREAMS)))
        return time.perf_counter() - began_s


async def _compress(pieces: list[bytes], readers: Readers) -> None:
    async def chunks() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    async for _ in gzipped(chunks(), run=partial(readers.run, b"source")):
        pass


def _workers_table(source: bytes, seconds: dict[int, list[float]]) -> Table:
    title = f"{_STREAMS} streams on the event loop, level {DEFAULT_LEVEL}, MB/s by the clock, all together"
    table = Table(title=title)
    table.add_column("worker threads")
    for column in ("MB/s, best", "median (lowest to highest)", "times one worker, medians"):
        table.add_column(column, justify="right")
    for workers, taken in seconds.items():
        times = statistics.median(seconds[_WORKERS[0]]) / statistics.median(taken)
        table.add_row(str(workers), *_speeds(_STREAMS * len(source), taken), f"{times:.2f}")
    return table


def _speeds(size: int, seconds: list[float]) -> tuple[str, str]:
    speeds = sorted(size / 1e6 / taken for taken in seconds)
    return f"{speeds[-1]:.1f}", f"{statistics.median(speeds):.1f} ({speeds[0]:.1f} to {speeds[-1]:.1f})"


if __name__ == "__main__":
    sys.exit(main())
