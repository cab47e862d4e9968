"""How fast each gzip level is, how small its stream, and what that is worth in the pipeline, against zlib's level 6.

    scripts/bench gzip [--mib 16] [--rounds 5] [--upload-mib 256] [--only levels face nginx swift] [--to DIRECTORY]

levels   compresses the standard library's .py files, one after the other by name. Levels are compared by the CPU time
         of their thread, which others on the same cores disturb less than the clock.
face     four streams at once through the face for the event loop, with one worker thread and with two: by the clock,
         twice as many rounds.
nginx    whole `bulkput upload` processes: 16 files of such text, not compressed, at the default level, and by zlib 6
         where neither accelerator can be imported; on one processor and on two, where nginx has the second as well.
         Then where the client's CPU time goes.
swift    the same to the real Swift, on two processors, which its five processes use as well.

Every round takes each once, so that whatever else this machine does falls on all of them alike; ratios are taken within
a round; beside medians stand least and most, and beside processes what others used of the processors meanwhile. With
--to, the last three are kept there as gzip.json, and RESULTS.md and results.html show them.
"""

import argparse
import os
import statistics
import sys
import sysconfig
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.compression import BASE, Record, Step, Upload, sections
from benchmarks.gzip_parts import measure_faces, measure_steps
from benchmarks.gzip_upload import FILES, check_engines, make_files, measure_uploads
from benchmarks.measure import machine
from benchmarks.report import write_texts
from bulkput.payload.deflate import DEFAULT_LEVEL, engine_for
from bulkput.payload.gzip import whole

_WIDTH = 150
_PARTS = ("levels", "face", "nginx", "swift")
_MOST_TEXT = 64 * 1024**2
"""The files of an upload begin at different places of so much of text."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way to compress took, round by round, and the bytes it made of the source."""

    name: str
    seconds: list[float]
    size: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench gzip", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mib", type=int, default=16, help="size of the source in memory; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--upload-mib", type=int, default=256, help=f"{FILES} files together; default: %(default)s")
    parser.add_argument("--only", nargs="+", default=_PARTS, choices=_PARTS, metavar="PART", help=" ".join(_PARTS))
    parser.add_argument("--to", type=Path, help="directory for gzip.json; default: nothing is kept")
    given = parser.parse_args()
    if min(given.mib, given.rounds, given.upload_mib) < 1:
        parser.error("--mib, --upload-mib and --rounds are 1 or more")
    source = source_text(given.mib * 1024**2)
    console = Console(width=_WIDTH)
    if "levels" in given.only:
        console.print(_levels_table(source, _measure_levels(source, given.rounds)))
    record = _pipeline(source, given)
    for title, columns, lines in sections(record):
        table = Table(title=title, title_justify="left")
        for column in columns:
            table.add_column(column)
        for line in lines:
            table.add_row(*line)
        console.print(table)
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    console.print(f"python {sys.version.partition(' ')[0]}, zlib {zlib.ZLIB_RUNTIME_VERSION}, {given.rounds} rounds")
    console.print(
        f"load average {load} on {os.cpu_count()} cores: where others keep them busy, a second worker adds less"
    )
    if given.to is not None:
        record.save(given.to)
        write_texts(given.to)
    return 0


def _pipeline(source: bytes, given: argparse.Namespace) -> Record:
    """All but the levels."""
    uploads: list[Upload] = []
    steps: list[Step] = []
    faces = measure_faces(source, 2 * given.rounds) if "face" in given.only else []
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        size = given.upload_mib * 1024**2
        check_engines()
        files = make_files(source_text(min(size, _MOST_TEXT)), Path(directory) / "text", size)
        if "nginx" in given.only:
            uploads, steps = measure_uploads("nginx", files, (1, 2), given.rounds)
            for number in range(1, given.rounds + 1):  # on two of the files, for all
                steps += measure_steps(list(files)[:2], number, scale=FILES / 2)
        if "swift" in given.only:
            uploads += measure_uploads("swift", files, (2,), given.rounds)[0]
    return Record(
        command=" ".join(["scripts/bench gzip", *sys.argv[1:]]),
        machine=machine(),
        source=f"{FILES} files of {size / FILES / 1024**2:g} MiB of Python source",
        uploads=uploads,
        faces=faces,
        steps=steps,
    )


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
    ways: dict[str, Callable[[], bytes]] = {BASE: partial(_by_zlib, source)}
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
    base = next(one for one in measured if one.name == BASE)
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


def _speeds(size: int, seconds: list[float]) -> tuple[str, str]:
    speeds = sorted(size / 1e6 / taken for taken in seconds)
    return f"{speeds[-1]:.1f}", f"{statistics.median(speeds):.1f} ({speeds[0]:.1f} to {speeds[-1]:.1f})"


if __name__ == "__main__":
    sys.exit(main())
