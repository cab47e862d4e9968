"""bulkput, python-swiftclient and rclone, one after the other and round after round, on the same real Swift.

    scripts/swift run .venv/bin/python benchmarks/peers.py [--files 1000] [--size 16384] [--rounds 5]

Whole processes, start-up included. Each upload goes to a fresh container, and its objects are counted afterwards: a
run that did not store everything is void. Prints medians, the spread, and the ratio to bulkput round by round, since
the machine's speed drifts and only runs of one round are comparable.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from baselines import Account

Command = Callable[[str, str], list[str]]

CONTENDERS: Mapping[str, Command] = {
    "bulkput": lambda tree, container: [
        str(Path(sys.executable).with_name("bulkput")), "upload", tree, f"swift://{container}", "-q"
    ],
    "swift upload": lambda tree, container: ["swift", "-q", "upload", container, tree],
    "rclone --transfers 32": lambda tree, container: [
        "rclone", "copy", "--transfers", "32", "--no-check-dest", tree, f":swift:{container}"
    ],
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--size", type=int, default=16384, help="bytes per file")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    contenders = {name: command for name, command in CONTENDERS.items() if shutil.which(command("", "")[0])}
    for name in CONTENDERS.keys() - contenders.keys():
        print(f"{name}: not installed, left out")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory(prefix="bulkput-peers-") as tree:
        fill(Path(tree), given.files, given.size)
        for number in range(given.rounds):
            for turn, (name, command) in enumerate(contenders.items()):
                seconds[name].append(measure(command, tree, f"peers-{os.getpid()}-{number}-{turn}", given.files))
                print(f"round {number + 1}: {name}: {seconds[name][-1]:.2f} s", file=sys.stderr)
    report(seconds, given.files)
    return 0


def fill(tree: Path, files: int, size: int) -> None:
    content = random.Random(42)
    for number in range(files):
        folder = tree / f"{number // 100:04d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number:06d}").write_bytes(content.randbytes(size))


def measure(command: Command, tree: str, container: str, files: int) -> float:
    """Seconds of one upload. Raises SystemExit when not everything was stored."""
    started = time.perf_counter()
    done = subprocess.run(command(tree, container), env=rclone_environ(), stdout=subprocess.DEVNULL, check=False)
    passed = time.perf_counter() - started
    account = Account(os.environ["ST_AUTH"], os.environ["ST_USER"], os.environ["ST_KEY"])
    stored = int(account.request("HEAD", container).headers.get("X-Container-Object-Count", "0"))
    if done.returncode != 0 or stored != files:
        raise SystemExit(
            f"void: {' '.join(command(tree, container))}: exit {done.returncode}, {stored} of {files} stored"
        )
    return passed


def rclone_environ() -> dict[str, str]:
    """rclone's own variables for the same account, and no look at a configuration file."""
    return {
        **os.environ,
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_SWIFT_AUTH": os.environ["ST_AUTH"],
        "RCLONE_SWIFT_USER": os.environ["ST_USER"],
        "RCLONE_SWIFT_KEY": os.environ["ST_KEY"],
    }


def report(seconds: Mapping[str, list[float]], files: int) -> None:
    ours = seconds["bulkput"]
    print(f"{'':24}{'objects/s':>10}  {'min':>7} {'max':>7}   bulkput is faster by (median, min, max)")
    for name, runs in seconds.items():
        ratios = sorted(theirs / our for theirs, our in zip(runs, ours, strict=True))
        rates = sorted(files / run for run in runs)
        print(
            f"{name:24}{median(rates):>10.1f}  {rates[0]:>7.1f} {rates[-1]:>7.1f}"
            f"   x {median(ratios):.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    sys.exit(main())
