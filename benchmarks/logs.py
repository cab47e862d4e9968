"""How many lines of an access log `bulkput logs` groups per second, and whether its counts are those of awk.

    scripts/bench logs [--lines 1000000] [--rounds 3] [--keep FILE]

Makes a combined log: 5 000 objects, 20 000 addresses, 60 agents, 200 referrers, five days. Runs the command on the
plain log and on its gzip file, on one processor, and compares lines and bytes of each object with an awk one-liner.
`--json` writes all distinct values, `--top 10` those of ten objects. Then measures reading, parsing and grouping, and
the usual Python program: one regular expression and a dictionary of sets.

All values are drawn evenly. Real logs repeat more: here nearly two of a line's five values are new to its object.
"""

import argparse
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import process
from bulkput.logs.groups import Groups
from bulkput.logs.parse import Parser
from bulkput.logs.read import file_blocks

_AWK = '{n[$7]++; b[$7]+=$10} END {for (o in n) printf "%s %d %.0f\\n", o, n[o], b[o]}'
_NAIVE = re.compile(
    rb'^(\S+) \S+ \S+ \[([^:\]]+):(\d\d)[^\]]*\] "(\S+) (\S+)[^"]*" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)"$', re.M
)
_FROM_HERE = "/v1/AUTH_x/photos/"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench logs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the log here")
    given = parser.parse_args()
    if min(given.lines, given.rounds) < 1:
        parser.error("--lines and --rounds are 1 or more")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # of children too
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        log = given.keep or Path(directory) / "log"
        write_log(log, given.lines)
        packed = Path(directory) / "log.gz"
        packed.write_bytes(gzip.compress(log.read_bytes(), 6))
        print(f"{given.lines} lines, {log.stat().st_size / 2**20:.0f} MiB, {packed.stat().st_size / 2**20:.0f} as gzip")
        for path in (log, packed):
            for _ in range(given.rounds):
                _command(path, given.lines, "--json")
                _command(path, given.lines, "--top", "10")
        _compare(log)
        for name, run in (
            ("read", _read),
            ("read and parsed", _parsed),
            ("read, parsed and grouped", _grouped),
            ("one regular expression", _naive),
        ):
            _timed(name, given.lines, lambda run=run: run(log))
    return 0


def write_log(path: Path, count: int) -> None:
    """Write `count` lines: always the same ones for the same count."""
    chance = random.Random(7)
    agents = [
        f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.{n} (KHTML, like Gecko) Firefox/{n}.0" for n in range(60)
    ]
    referrers = ["-", *(f"http://example.com/page/{n}" for n in range(199))]
    objects = [f"{_FROM_HERE}2010/{n:05}.jpg" for n in range(5_000)]
    addresses = [f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}" for _ in range(20_000)]
    with path.open("w") as file:
        for number in range(count):
            second = number * 86_400 * 5 // count
            day, rest = divmod(second, 86_400)
            when = f"{10 + day}/Feb/2010:{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} +0000"
            status = chance.choice((200, 200, 200, 206, 304, 404))
            size = "-" if status == 304 else chance.randrange(100, 1_000_000)
            file.write(
                f'{chance.choice(addresses)} - - [{when}] "GET {chance.choice(objects)} HTTP/1.1" {status} {size}'
                f' "{chance.choice(referrers)}" "{chance.choice(agents)}"\n'
            )


def _command(log: Path, count: int, *options: str) -> None:
    ran = process.run((sys.executable, "-m", "bulkput", "logs", str(log), *options), {})
    if ran.exit_code != 0:
        raise SystemExit(f"exit code {ran.exit_code}: {ran.said}")
    print(
        f"bulkput logs {log.name} {' '.join(options)}: {ran.wall_s:.2f} s, {count / ran.wall_s:.0f} lines/s,"
        f" {ran.cpu_s / count * 1e6:.2f} us CPU per line, peak {ran.peak_kib / 1024:.0f} MiB"
    )


def _compare(log: Path) -> None:
    out = subprocess.run(["awk", _AWK, str(log)], check=True, capture_output=True, text=True).stdout
    expected = sorted((o.removeprefix(_FROM_HERE), int(n), int(b)) for o, n, b in map(str.split, out.splitlines()))
    command = [sys.executable, "-m", "bulkput", "logs", str(log), "--json"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = map(json.loads, told.splitlines())
    if sorted((row["key"]["object"], row["count"], row["bytes"]) for row in rows) != expected:
        raise SystemExit("lines or bytes of an object differ from awk's")
    print(f"lines and bytes of {len(expected)} objects are those of awk")


def _timed(name: str, count: int, run: Callable[[], None]) -> None:
    began = time.process_time()
    run()
    cpu_s = time.process_time() - began
    print(f"{name}: {cpu_s / count * 1e6:.2f} us CPU per line, {count / cpu_s:.0f} lines/s")


def _read(log: Path) -> None:
    for _ in file_blocks(log):
        pass


def _parsed(log: Path) -> None:
    parser = Parser()
    for block in file_blocks(log):
        for _ in parser(block):
            pass


def _grouped(log: Path) -> None:
    parser, groups = Parser(), Groups()
    for block in file_blocks(log):
        for lines in parser(block):
            groups.add(lines)
    groups.all()


def _naive(log: Path) -> None:
    groups: dict[bytes, list[set[bytes]]] = {}
    for block in file_blocks(log):
        for ip, day, _, _, path, status, _, referrer, agent in _NAIVE.findall(block):
            group = groups.get(path)
            if group is None:
                group = groups[path] = [set() for _ in range(5)]
            for seen, value in zip(group, (ip, day, status, referrer, agent), strict=True):
                seen.add(value)


if __name__ == "__main__":
    sys.exit(main())
