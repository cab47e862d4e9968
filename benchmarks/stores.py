"""From one store to another: `bulkput upload swift://a s3://b` and `rclone copy` on the same objects, in turns.

    scripts/bench stores [--objects 2000] [--size 16384] [--rounds 3]

A real Swift and the S3 of a real Ceph RGW, both ways; bulkput and rclone with 64 objects at a time, into a fresh
container. After each copy `rclone check` compares names, sizes and MD5s of both sides.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import process
from benchmarks.contenders import IN_FLIGHT, VENV
from benchmarks.measure import started
from benchmarks.scenarios import Scenario, make_tree
from benchmarks.servers import Address, Server

THERE, BACK = "Swift to S3", "S3 to Swift"
BULKPUT, RCLONE = "bulkput", "rclone"

Runs = dict[tuple[str, str], list[process.Ran]]
"""By way and program."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench stores", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--objects", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=16_384, help="bytes of each")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if min(given.objects, given.size, given.rounds) < 1:
        parser.error("--objects, --size and --rounds are 1 or more")
    runs: Runs = {}
    with ExitStack() as stack:
        swift, s3 = (stack.enter_context(started(name))[0] for name in ("swift", "rgw-s3"))
        full = {THERE: swift.make(f"from{os.getpid()}"), BACK: s3.make(f"from{os.getpid()}")}
        for address in full.values():
            _fill(address, given.objects, given.size)
        for number in range(given.rounds):
            for way, program, ran in _round(number, full, {THERE: s3, BACK: swift}):
                runs.setdefault((way, program), []).append(ran)
                speed = given.objects / ran.wall_s
                print(f"round {number + 1}: {way}, {program}: {ran.wall_s:.1f} s, {speed:.0f}/s", file=sys.stderr)
    Console().print(_table(runs, given.objects, given.size))
    return 0


def _fill(address: Address, count: int, size: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        tree = make_tree(Scenario(name="stores", count=count, size=size), Path(directory) / "tree")
        _ran([str(VENV / "bulkput"), "upload", "-q", str(tree.path), _url(address)], _environ(address))


def _round(
    number: int, full: Mapping[str, Address], to: Mapping[str, Server]
) -> Iterator[tuple[str, str, process.Ran]]:
    """Yields each way and program with its run."""
    for way, source in full.items():
        for program in (BULKPUT, RCLONE) if number % 2 == 0 else (RCLONE, BULKPUT):
            new = to[way].make(f"{program}{number}-{os.getpid()}")
            environ = {**_environ(source), **_environ(new), **_remote(source), **_remote(new)}
            if program == BULKPUT:
                copy = [str(VENV / "bulkput"), "upload", "-q", "--concurrency", IN_FLIGHT, _url(source), _url(new)]
            else:
                flags = ("--transfers", IN_FLIGHT, "--checkers", IN_FLIGHT, "--no-check-dest")
                copy = ["rclone", "copy", *flags, _rclone_path(source), _rclone_path(new)]
            ran = _ran(copy, environ)
            _ran(["rclone", "check", _rclone_path(source), _rclone_path(new)], environ)
            to[way].drop(new.container)
            yield way, program, ran


def _ran(command: list[str], environ: Mapping[str, str]) -> process.Ran:
    ran = process.run(command, environ)
    if ran.exit_code != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {ran.exit_code}: {ran.said}")
    return ran


def _url(address: Address) -> str:
    return f"{'s3' if address.s3 else 'swift'}://{address.container}/"


def _environ(address: Address) -> dict[str, str]:
    return address.s3_environ if address.s3 else address.environ


def _rclone_path(address: Address) -> str:
    return f"{'amazon' if address.s3 else 'openstack'}:{address.container}"


def _remote(address: Address) -> dict[str, str]:
    """The variables that make rclone's remote `amazon` or `openstack` of an address."""
    common = {"RCLONE_CONFIG": os.devnull, "AWS_CA_BUNDLE": ""}
    if not address.s3:
        auth, user, key = (address.swift[name] for name in ("ST_AUTH", "ST_USER", "ST_KEY"))
        fields = {"TYPE": "swift", "AUTH": auth, "USER": user, "KEY": key}
        return common | {f"RCLONE_CONFIG_OPENSTACK_{name}": value for name, value in fields.items()}
    fields = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": address.s3,
        "ACCESS_KEY_ID": address.s3_keys["AWS_ACCESS_KEY_ID"],
        "SECRET_ACCESS_KEY": address.s3_keys["AWS_SECRET_ACCESS_KEY"],
        "REGION": address.s3_keys["AWS_REGION"],
        "NO_CHECK_BUCKET": "true",
    }
    return common | {f"RCLONE_CONFIG_AMAZON_{name}": value for name, value in fields.items()}


def _table(runs: Runs, objects: int, size: int) -> Table:
    table = Table(title=f"{objects} objects of {size} bytes, real Swift and Ceph RGW", title_justify="left")
    for column in ("way", "program", "s, median (range)", "objects/s", "CPU, s", "MiB", "time of rclone, same round"):
        table.add_column(column)
    for (way, program), found in runs.items():
        pairs = zip(runs[way, RCLONE], found, strict=True)
        ratios = [other.wall_s / ran.wall_s for other, ran in pairs] if program != RCLONE else []
        walls = [ran.wall_s for ran in found]
        table.add_row(
            way,
            program,
            _spread(walls),
            f"{objects / median(walls):.0f}",
            f"{median(ran.cpu_s for ran in found):.1f}",
            f"{max(ran.peak_kib for ran in found) / 1024:.0f}",
            _spread(ratios) if ratios else "",
        )
    return table


def _spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    sys.exit(main())
