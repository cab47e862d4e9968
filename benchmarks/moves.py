"""Copies and moves within a Swift: `bulkput cp -r`, `bulkput mv -r` and `rclone moveto` on the same objects, in turns.

    scripts/bench moves [--objects 5000] [--rounds 3] [--counted 500]

Objects of 1 KiB with metadata; bulkput with --concurrency auto, rclone with 64 transfers. Each round copies them once,
and moves the copies from container to container: by bulkput, then by rclone, or the other way round. After each step
name, MD5, type and metadata are compared with those of the originals. What goes over the wire is counted last, on fewer
objects and through a proxy, which would cost time.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Queue
from statistics import median
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import IN_FLIGHT
from benchmarks.measure import started
from benchmarks.scenarios import Scenario, make_tree
from tests.servers.judge import SwiftJudge

COPY, MOVE, RCLONE = "bulkput cp -r", "bulkput mv -r", "rclone moveto"
_BULKPUT = (sys.executable, "-m", "bulkput")
_LOOKED_AT = 50
"""One object in this many has its metadata checked after each step; after a first step all have."""

Found = Mapping[str, tuple[str, ...]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench moves", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--objects", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--counted", type=int, default=500, help="objects for the count of what is sent")
    given = parser.parse_args()
    if min(given.objects, given.rounds, given.counted) < 1:
        parser.error("--objects, --rounds and --counted are 1 or more")
    walls: dict[str, list[float]] = {COPY: [], MOVE: [], RCLONE: []}
    with started("swift") as (server, _):
        swift = server.make(f"from{os.getpid()}").swift
        _upload(swift, f"from{os.getpid()}", given.objects)
        expected = _objects(swift, f"from{os.getpid()}", every=1)
        for number in range(given.rounds):
            for name, wall_s in _round(swift, number, expected):
                walls[name].append(wall_s)
                speed = given.objects / wall_s
                print(f"round {number + 1}: {name}: {wall_s:.1f} s, {speed:.0f} objects/s", file=sys.stderr)
        _upload(swift, f"counted{os.getpid()}", given.counted)
        counts = list(_counted(swift, given.counted))
    Console().print(_times(walls, given.objects))
    Console().print(_wire(counts, given.counted))
    return 0


def _upload(swift: Mapping[str, str], container: str, count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        tree = make_tree(Scenario(name="moves", count=count, size=1024), Path(directory) / "tree")
        for number, path in enumerate(sorted(tree.path.rglob("*"))):
            os.utime(path, (1_600_000_000 + number, 1_600_000_000 + number))
        _run((*_BULKPUT, "upload", "-q", "--meta", "Color:red", str(tree.path), f"swift://{container}/a"), swift)


def _round(swift: Mapping[str, str], number: int, expected: Found) -> Iterator[tuple[str, float]]:
    """Yields the name of each step and its seconds."""
    source, copied, end = f"from{os.getpid()}", f"copied{os.getpid()}-{number}", f"end{os.getpid()}-{number}"
    between = f"between{os.getpid()}-{number}"
    movers = (MOVE, RCLONE) if number % 2 == 0 else (RCLONE, MOVE)
    steps = ((COPY, source, copied), (movers[0], copied, between), (movers[1], between, end))
    for name, old, new in steps:
        wall_s, _ = _run(_command(name, old, new), {**swift, **_rclone_variables(swift)})
        every = 1 if number == 0 and name != RCLONE else _LOOKED_AT
        _check(expected, _objects(swift, new, every=every), f"{name}, the new ones")
        if name != COPY and (left := len(_judge(swift).names(old))):
            raise SystemExit(f"{name}: {left} are still where they were")
        yield name, wall_s


def _command(name: str, old: str, new: str) -> tuple[str, ...]:
    if name == RCLONE:
        flags = ("--transfers", IN_FLIGHT, "--checkers", IN_FLIGHT)
        return ("rclone", "moveto", *flags, f":swift:{old}/a", f":swift:{new}/a")
    verb = "cp" if name == COPY else "mv"
    return (*_BULKPUT, verb, "-r", "--json", f"swift://{old}/a", f"swift://{new}/a")


def _rclone_variables(swift: Mapping[str, str]) -> dict[str, str]:
    return {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_SWIFT_AUTH": swift["ST_AUTH"],
        "RCLONE_SWIFT_USER": swift["ST_USER"],
        "RCLONE_SWIFT_KEY": swift["ST_KEY"],
    }


def _run(command: Sequence[str], environ: Mapping[str, str]) -> tuple[float, str]:
    """Run the command; returns its seconds and its output."""
    begun = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - begun
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr[-2000:]}")
    return wall_s, done.stdout


def _judge(swift: Mapping[str, str]) -> SwiftJudge:
    return SwiftJudge(swift["ST_AUTH"], swift["ST_USER"], swift["ST_KEY"])


def _objects(swift: Mapping[str, str], container: str, *, every: int) -> Found:
    """Name to MD5 and type, and of one object in `every` its metadata."""
    judge = _judge(swift)
    rows = judge.rows(container)

    def looked_at(row: Mapping[str, str]) -> tuple[str, ...]:
        seen = judge.get(container, row["name"])
        fields = seen.headers.items() if seen is not None else ()
        return tuple(
            sorted(f"{name.lower()}: {value}" for name, value in fields if name.lower().startswith("x-object"))
        )

    with ThreadPoolExecutor(8) as threads:
        metadata = list(threads.map(looked_at, rows[::every]))
    told = dict(zip((row["name"] for row in rows[::every]), metadata, strict=True))
    return {row["name"]: (row["hash"], row["content_type"], *told.get(row["name"], ())) for row in rows}


def _check(expected: Found, found: Found, what: str) -> None:
    if expected.keys() != found.keys():
        raise SystemExit(f"{what}: {len(found)} objects of {len(expected)}")
    for name, seen in found.items():
        if expected[name][: len(seen)] != seen or len(seen) not in (2, len(expected[name])):
            raise SystemExit(f"{what}: {name} was {expected[name]} and is {seen}")


@dataclass(slots=True)
class Count:
    """The requests and bytes that a client sent."""

    requests: Counter[str] = field(default_factory=Counter)
    sent: int = 0


def _counted(swift: Mapping[str, str], objects: int) -> Iterator[tuple[str, Count]]:
    """Copied once, and moved twice."""
    source = f"counted{os.getpid()}"
    steps = (
        (COPY, source, f"{source}-1"),
        (MOVE, f"{source}-1", f"{source}-2"),
        (RCLONE, f"{source}-2", f"{source}-3"),
    )
    for name, old, new in steps:
        with _counting(swift) as (through, count):
            _, said = _run(_command(name, old, new), {**through, **_rclone_variables(through)})
        if name != RCLONE:
            told = Counter(json.loads(said.splitlines()[-1])["requests"])
            if told != count.requests:
                raise SystemExit(f"{name} tells of {told}, and the proxy saw {count.requests}")
        yield name, count


@contextmanager
def _counting(swift: Mapping[str, str]) -> Iterator[tuple[dict[str, str], Count]]:
    """Variables that lead through a proxy, which counts. Of HTTP it knows that bytes of a client that follow bytes of
    the server begin its next request; Swift names the account's URL by the host that it was asked as."""
    parts, count = urlsplit(swift["ST_AUTH"]), Count()
    started: Queue[tuple[int, Callable[[], object]]] = Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):  # a client may keep its connections to the end
            from_server, to_server = await asyncio.open_connection(parts.hostname, parts.port)
            link = _Link(count)
            async with asyncio.TaskGroup() as both:
                both.create_task(link.answers(from_server, writer))
                both.create_task(link.requests(reader, to_server))

    async def work() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        started.put((server.sockets[0].getsockname()[1], partial(loop.call_soon_threadsafe, end.set)))
        await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    port, end = started.get()
    try:
        yield {**swift, "ST_AUTH": parts._replace(netloc=f"127.0.0.1:{port}").geturl()}, count
    finally:
        end()
        thread.join()


@dataclass(slots=True)
class _Link:
    """A client and its server."""

    count: Count
    is_answered: bool = True

    async def requests(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(65_536):
            if self.is_answered:
                self.count.requests[data.partition(b" ")[0].decode()] += 1
            self.is_answered = False
            self.count.sent += len(data)
            server.write(data)
        server.close()

    async def answers(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await server.read(65_536):
            self.is_answered = True
            client.write(data)
        client.close()


def _times(walls: Mapping[str, Sequence[float]], objects: int) -> Table:
    table = Table(title=f"{objects} objects of 1 KiB on the real Swift", title_justify="left")
    for column in ("", "s", "least", "most", "objects/s", "times as fast as rclone moveto, same round"):
        table.add_column(column)
    for name, found in walls.items():
        ratios = [rclone_s / wall_s for rclone_s, wall_s in zip(walls[RCLONE], found, strict=True)]
        shown = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        seconds = (f"{value:.1f}" for value in (median(found), min(found), max(found)))
        table.add_row(name, *seconds, f"{objects / median(found):.0f}", shown)
    return table


def _wire(counts: Sequence[tuple[str, Count]], objects: int) -> Table:
    table = Table(title=f"sent for {objects} objects, as a proxy counts it", title_justify="left")
    for column in ("", "bytes per object", "requests per object", "requests"):
        table.add_column(column)
    for name, count in counts:
        methods = ", ".join(f"{number} {method}" for method, number in count.requests.most_common())
        table.add_row(name, f"{count.sent / objects:.0f}", f"{count.requests.total() / objects:.2f}", methods)
    return table


if __name__ == "__main__":
    sys.exit(main())
