"""One large file: bulkput in parts, beside rclone and python-swiftclient with and without segments, in turns.

    scripts/bench large [--server swift] [--gib 2] [--rounds 5]
    scripts/bench large --server rgw-s3                             by S3, beside rclone, s5cmd and Amazon's own

The server shares the processors with its clients, so a client that costs less CPU leaves it more.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import process, s3_contenders
from benchmarks.contenders import SWIFT_VENV, VENV, Command, rclone_environ
from benchmarks.measure import started
from benchmarks.servers import Address, RgwS3

MIB = 1024 * 1024
SEGMENT = 256 * MIB
BULKPUT = "bulkput"


@dataclass(frozen=True, slots=True)
class _Measured:
    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench large", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--server", choices=("swift", "rgw", "rgw-s3"), default="swift")
    parser.add_argument("--gib", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.rounds < 1 or given.gib <= 0:
        parser.error("--rounds is 1 or more, --gib above 0")
    size = int(given.gib * 1024) * MIB
    found: dict[str, list[_Measured]] = {}
    with started(given.server) as (server, cpus), tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        file = _made(Path(directory) / "file", size)
        for number in range(given.rounds):
            container = f"large{os.getpid()}-{number}"
            address = server.make(container)
            contenders = _by_s3(address, file) if address.is_s3_alone else _contenders(address, file)
            for name, command in _rotated(contenders, number):
                ran = process.run(command.arguments, {**command.environ}, cpus=cpus)
                if ran.exit_code != 0:
                    raise SystemExit(f"{name}: exit code {ran.exit_code}: {ran.said}")
                found.setdefault(name, []).append(_Measured(ran.wall_s, ran.cpu_s, ran.peak_kib / 1024))
                print(f"round {number + 1}: {name}: {ran.wall_s:.2f} s", file=sys.stderr)
                if isinstance(server, RgwS3):  # its memory does not hold the files of all
                    server.empty(address.container)
            if not isinstance(server, RgwS3):
                _remove(address)
    Console().print(_table(found, size, f"{given.gib:g} GiB to {given.server}, {given.rounds} rounds"))
    return 0


def _made(file: Path, size: int) -> Path:
    """A file of random bytes, in the page cache."""
    with file.open("wb") as writing:
        for _ in range(size // MIB):
            writing.write(os.urandom(MIB))
    return file


def _contenders(address: Address, file: Path) -> list[tuple[str, Command]]:
    """Each stores the file under a name of its own."""
    to, rclone = address.container, ("rclone", "copyto", "--no-check-dest")
    swift = (str(SWIFT_VENV / "swift"), "-q", "upload")
    in_segments = ("--use-slo", "--segment-size", str(SEGMENT))
    return [
        (BULKPUT, Command((str(VENV / "bulkput"), "upload", "-q", str(file), f"swift://{to}/a"), address.environ)),
        ("rclone", Command((*rclone, str(file), f":swift:{to}/b"), rclone_environ(address))),
        (
            "rclone, chunks of 256 MiB",
            Command((*rclone, "--swift-chunk-size", "256M", str(file), f":swift:{to}/c"), rclone_environ(address)),
        ),
        ("swift upload", Command((*swift, "--object-name", "d", to, str(file)), address.environ)),
        (
            "swift upload, segments of 256 MiB",
            Command((*swift, *in_segments, "--object-name", "e", to, str(file)), address.environ),
        ),
    ]


def _by_s3(address: Address, file: Path) -> list[tuple[str, Command]]:
    """The same by S3, those that are there."""
    given = [
        (BULKPUT, s3_contenders.bulkput(address, file, name="a")),
        ("rclone", s3_contenders.rclone(address, file, "b")),
        ("s5cmd", s3_contenders.s5cmd(address, file, "c")),
        ("aws-cli", s3_contenders.aws(address, file, "d")),
        ("CRT", s3_contenders.crt(address, file, "e")),
    ]
    if s3_contenders.aws_2() is not None:
        given.append(("aws-cli, CRT", s3_contenders.aws_crt(address, file, "f")))
    return [(name, command) for name, command in given if isinstance(command, Command)]


def _rotated(contenders: list[tuple[str, Command]], number: int) -> Iterator[tuple[str, Command]]:
    first = number % len(contenders)
    yield from (*contenders[first:], *contenders[:first])


def _remove(address: Address) -> None:
    """The container, and the two of segments: Ceph's gateway of the benchmark keeps its data in memory."""
    for container in (address.container, f"{address.container}_segments"):
        process.run((str(SWIFT_VENV / "swift"), "-q", "delete", container), address.environ)


def _table(found: dict[str, list[_Measured]], size: int, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("", "s", "MB/s", "CPU s", "peak MiB", "takes x bulkput's time, same round"):
        table.add_column(column)
    for name, runs in found.items():
        ratios = [run.wall_s / ours.wall_s for run, ours in zip(runs, found[BULKPUT], strict=True)]
        wall_s = median(run.wall_s for run in runs)
        table.add_row(
            name,
            f"{wall_s:.2f}",
            f"{size / 1e6 / wall_s:.0f}",
            f"{median(run.cpu_s for run in runs):.2f}",
            f"{max(run.peak_mib for run in runs):.0f}",
            f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
