"""What bulkput stores per second in a store that takes so many objects per second and refuses the rest.

    scripts/bench throttle                              20, 100 and 500 objects/s, with and without Retry-After
    scripts/bench throttle --per-s 100 --kind window    a counter for each second of the clock, not a token bucket
    scripts/bench throttle --builds OLD .               another build's source directory beside this one

The store is the devserver in a process of its own, with the limiter before its object PUTs. Settings and builds are
measured in turns, round after round. objects/s are those from the first request to the last stored object; `share` is
that of the limit, and can be above 1 by the limiter's burst. `refused` are answers per 100 objects.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from aiohttp import web
from rich.console import Console
from rich.table import Table

from benchmarks.traces import puts
from bulkput.devserver import DevServer, Handler, ResourceKind, parse_target


@dataclass(frozen=True, slots=True)
class Limit:
    """What the store lets through: `per_s` objects, after a pause `burst` at once (`bucket`), or as many in each second
    of the clock (`window`)."""

    per_s: int
    kind: str
    burst: int
    status: int
    retry_after: str | None

    def __str__(self) -> str:
        return f"{self.per_s}/s, {self.status} {'with' if self.retry_after else 'without'} Retry-After"


class Limiter:
    """Decides for each request whether it passes."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._left = float(limit.burst if limit.kind == "bucket" else limit.per_s)
        self._at_s = time.monotonic()

    def passes(self) -> bool:
        now_s, limit = time.monotonic(), self._limit
        if limit.kind == "bucket":
            self._left = min(limit.burst, self._left + (now_s - self._at_s) * limit.per_s)
        elif int(now_s) != int(self._at_s):
            self._left = limit.per_s
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def serve(limit: Limit) -> None:
    """Until standard input ends. The first line on standard output says where."""
    limiter = Limiter(limit)
    refusal = {"Retry-After": limit.retry_after} if limit.retry_after else {}

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        if (
            request.method == "PUT"
            and parse_target(request.raw_path).kind is ResourceKind.OBJECT
            and not limiter.passes()
        ):
            await request.read()
            return web.Response(status=limit.status, headers=refusal)
        return await handler(request)

    async with DevServer(intercept=intercept) as server:
        print(json.dumps({"ST_AUTH": server.auth_url, "ST_USER": server.options.user, "ST_KEY": server.options.key}))
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def served(limit: Limit) -> Iterator[dict[str, str]]:
    """The variables that lead to it."""
    command = [sys.executable, "-m", "benchmarks.throttle", "--serve", json.dumps(limit_fields(limit))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()


def limit_fields(limit: Limit) -> list[object]:
    return [limit.per_s, limit.kind, limit.burst, limit.status, limit.retry_after]


def measured(limit: Limit, build: str, tree: Path, count: int) -> tuple[float, float]:
    """Objects per second, and refused requests per 100 objects."""
    trace = tree.with_name("trace.jsonl")
    with served(limit) as where:
        command = [sys.executable, "-m", "bulkput", "upload", str(tree), "swift://c", "--trace", str(trace), "-q"]
        environ = os.environ | where | {"PYTHONPATH": str(Path(build).resolve())}
        ran = subprocess.run(command, env=environ, cwd=tree, capture_output=True, text=True, check=False)
    requests = puts(trace)
    stored = [request.ended_s for request in requests if request.is_stored]
    if ran.returncode != 0 or len(stored) != count:
        raise SystemExit(f"{build}, {limit}: exit {ran.returncode}, stored {len(stored)} of {count}: {ran.stderr}")
    took_s = max(stored) - min(request.started_s for request in requests)
    return count / took_s, 100 * (len(requests) - count) / count


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench throttle", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--per-s", type=int, nargs="+", default=[20, 100, 500], metavar="N")
    parser.add_argument("--kind", choices=("bucket", "window"), default="bucket")
    parser.add_argument("--burst", type=int, help="of a bucket; default: what it takes in a second")
    parser.add_argument("--status", type=int, default=429)
    parser.add_argument("--retry-after", nargs="+", default=["1", "none"], metavar="SECONDS|none")
    parser.add_argument("--seconds", type=int, default=20, help="how long a perfect run takes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--builds", nargs="+", default=["."], metavar="DIRECTORY")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(Limit(*json.loads(given.serve))))
        return 0
    limits = [
        Limit(per_s, given.kind, given.burst or per_s, given.status, None if after == "none" else after)
        for per_s in given.per_s
        for after in given.retry_after
    ]
    found: dict[tuple[Limit, str], list[tuple[float, float]]] = {}
    for number in range(given.rounds):
        for limit in limits:
            count = limit.per_s * given.seconds
            with tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
                tree = Path(directory) / "tree"
                tree.mkdir()
                for n in range(count):
                    (tree / f"{n:06}").write_bytes(b"%d" % n)
                for build in given.builds:
                    rate, refused = measured(limit, build, tree, count)
                    found.setdefault((limit, build), []).append((rate, refused))
                    print(f"round {number + 1}: {build}: {limit}: {rate:.1f} objects/s, {refused:.1f}", file=sys.stderr)
    Console().print(_table(found, f"{given.kind}, burst {given.burst or 'of a second'}, {given.seconds} s"))
    return 0


def _table(found: dict[tuple[Limit, str], list[tuple[float, float]]], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("limit", "build", "objects/s", "least", "most", "share", "refused / 100"):
        table.add_column(column)
    for (limit, build), values in found.items():
        rates = [rate for rate, _ in values]
        refused = median(refused for _, refused in values)
        shown = (median(rates), min(rates), max(rates))
        share = f"{shown[0] / limit.per_s:.2f}"
        table.add_row(str(limit), build, *(f"{value:.1f}" for value in shown), share, f"{refused:.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
