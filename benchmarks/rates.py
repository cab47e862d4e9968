"""Do `--rate` and `--bandwidth` hold, with failed requests and retries among them?

    scripts/bench rates                                     200/s, 5M/s and both, by both transports; some five minutes
    scripts/bench rates --rate 50/s --bandwidth 1M/s --seconds 60

The store is the devserver in a process of its own. It refuses each tenth object PUT by 503 and resets the connection of
each twenty-fifth in the middle, and notes by itself what arrives: ten times a second the number of PUTs so far, and the
bytes of their bodies. `reached` are those in the seconds from the first PUT on; the run has more work than fits into
them. `worst` is the second with most. Exit code 1: a rate is off by more than 5 %, or one second has more than the
rate, the burst (a tenth of a second) and as much again.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from rich.console import Console
from rich.table import Table

from bulkput.cli.values import Bandwidth, Rate
from bulkput.devserver import DevServer, Handler, ResourceKind, parse_target

_NOTE_S = 0.1
_REFUSED, _RESET = 10, 25
"""Each so manyth PUT."""
_OFF = 0.05
_WORST = 1.2
_MORE_S = 6
"""Seconds of work beyond those that are measured: at the end of a run there are only pauses before retries."""


class Arrivals:
    """What has arrived at the server."""

    def __init__(self) -> None:
        self.puts = 0
        self.refused = self.resets = 0
        self._ended = 0
        self._open: dict[int, web.BaseRequest] = {}
        self.notes: list[tuple[float, int, int]] = []

    async def __call__(self, request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if request.method != "PUT" or parse_target(request.raw_path).kind is not ResourceKind.OBJECT:
            return await handler(request)
        self.puts += 1
        number = self.puts
        self._open[number] = request
        try:
            if number % _RESET == 0 and request.transport is not None:
                self.resets += 1
                await request.content.readany()
                request.transport.abort()
                return web.Response(status=500)
            if number % _REFUSED == 0:
                self.refused += 1
                async for _ in request.content.iter_any():
                    pass
                return web.Response(status=503)
            return await handler(request)
        finally:
            del self._open[number]
            self._ended += request.content.total_bytes

    async def note(self) -> None:
        while True:
            if self.puts:
                arrived = self._ended + sum(request.content.total_bytes for request in self._open.values())
                self.notes.append((time.monotonic(), self.puts, arrived))
            await asyncio.sleep(_NOTE_S)


async def serve() -> None:
    """Until standard input ends. The first line on standard output says where, the last what has arrived."""
    arrivals = Arrivals()
    async with DevServer(intercept=arrivals) as server:
        print(json.dumps({"ST_AUTH": server.auth_url, "ST_USER": server.options.user, "ST_KEY": server.options.key}))
        sys.stdout.flush()
        noting = asyncio.create_task(arrivals.note())
        await asyncio.to_thread(sys.stdin.read)
        noting.cancel()
    print(json.dumps({"notes": arrivals.notes, "failed": arrivals.refused + arrivals.resets}))


@dataclass(frozen=True, slots=True)
class Asked:
    """The rates of one run."""

    rate: str | None
    bandwidth: str | None

    @property
    def options(self) -> list[str]:
        rate = ["--rate", self.rate] if self.rate else []
        return rate + (["--bandwidth", self.bandwidth] if self.bandwidth else [])

    @property
    def objects_per_s(self) -> float | None:
        return Rate().convert(self.rate, None, None) if self.rate else None

    @property
    def bytes_per_s(self) -> float | None:
        return Bandwidth().convert(self.bandwidth, None, None) if self.bandwidth else None

    def make(self, tree: Path, seconds: float) -> None:
        """Files that take longer than `seconds`. With a bandwidth, half of the bytes are in files that are streamed and
        half in files that are held in memory; with both rates, the files are as large as uses both up."""
        if self.bytes_per_s is None:
            sizes = [100] * round((self.objects_per_s or 0) * seconds)
        elif self.objects_per_s is None:
            bunch = [4 << 20] + [256 << 10] * 16
            sizes = bunch * (1 + round(self.bytes_per_s * seconds / sum(bunch)))
        else:
            sizes = [round(self.bytes_per_s / self.objects_per_s)] * round(self.objects_per_s * seconds)
        for number, size in enumerate(sizes):
            (tree / f"{number:06}").write_bytes(bytes(size))


@dataclass(frozen=True, slots=True)
class Measured:
    """Per second, in the measured seconds; `failed` of all PUTs of the run."""

    puts: float
    sent: float
    worst_puts: float
    worst_sent: float
    failed: int

    @classmethod
    def of(cls, notes: list[list[float]], seconds: float, failed: int) -> "Measured":
        begin = notes[0]
        within = [note for note in notes if note[0] <= begin[0] + seconds]
        if within[-1][0] < begin[0] + seconds - 1:
            raise SystemExit(f"the run ended after {within[-1][0] - begin[0]:.1f} s: there was too little to send")
        passed_s = within[-1][0] - begin[0]
        return cls(
            (within[-1][1] - begin[1]) / passed_s,
            (within[-1][2] - begin[2]) / passed_s,
            _worst(within, 1),
            _worst(within, 2),
            failed,
        )


def _worst(notes: list[list[float]], column: int) -> float:
    """The most per second in a time of a second, or of so much longer as two notes are apart."""
    worst, first = 0.0, 0
    for last in range(len(notes)):
        while notes[last][0] - notes[first + 1][0] >= 1.0:
            first += 1
        if (passed_s := notes[last][0] - notes[first][0]) >= 1.0:
            worst = max(worst, (notes[last][column] - notes[first][column]) / passed_s)
    return worst


def measured(asked: Asked, transport: str, seconds: float) -> Measured:
    command = [sys.executable, "-m", "benchmarks.rates", "--serve"]
    with (
        tempfile.TemporaryDirectory(prefix="bulkput-bench-") as tree,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdin is not None and server.stdout is not None
        asked.make(Path(tree), seconds + _MORE_S)
        where = json.loads(server.stdout.readline())
        upload = [sys.executable, "-m", "bulkput", "upload", "-q", *asked.options, "--transport", transport]
        ran = subprocess.run(
            [*upload, tree, "swift://c"], env=os.environ | where, capture_output=True, text=True, check=False
        )
        server.stdin.close()
        arrived = json.loads(server.stdout.readline())
    if ran.returncode != 0:
        raise SystemExit(f"{' '.join(upload)}: exit {ran.returncode}: {ran.stderr}")
    return Measured.of(arrived["notes"], seconds, arrived["failed"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench rates", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", default="200/s")
    parser.add_argument("--bandwidth", default="5M/s")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long is measured")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--transports", nargs="+", default=["wire", "aiohttp"], choices=("wire", "aiohttp"))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve())
        return 0
    table = Table(title=f"{given.seconds:.0f} s, each tenth PUT refused, each twenty-fifth reset", title_justify="left")
    for column in ("asked", "transport", "reached", "off", "worst second", "failed PUTs"):
        table.add_column(column)
    is_kept = True
    cases = (Asked(given.rate, None), Asked(None, given.bandwidth), Asked(given.rate, given.bandwidth))
    for _ in range(given.rounds):
        for asked in cases:
            for transport in given.transports:
                found = measured(asked, transport, given.seconds)
                for per_s, reached, worst, text in (
                    (asked.objects_per_s, found.puts, found.worst_puts, asked.rate),
                    (asked.bytes_per_s, found.sent, found.worst_sent, asked.bandwidth),
                ):
                    if per_s is None:
                        continue
                    off = reached / per_s - 1
                    both = "both: " if asked.rate and asked.bandwidth else ""
                    shown = (f"{reached:.0f}", f"{off:+.1%}", f"{worst / per_s:.2f} of the rate", str(found.failed))
                    table.add_row(both + (text or ""), transport, *shown)
                    print(both + (text or ""), transport, *shown, sep="  ", file=sys.stderr)
                    is_kept = is_kept and abs(off) <= _OFF and worst <= _WORST * per_s
    Console().print(table)
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
