"""`bulkput upload --processes 2` beside one process: how much faster, and at what cost.

    scripts/bench processes [--files 30000] [--rounds 5] [--only text] [--pin]

Whole processes in turns, on all processors that there are; the CPU is that of all processes of a run. `small` are files
of 4 KiB on a tmpfs, to nginx, which stores on a tmpfs as well: nginx needs a processor of its own, so on two processors
little is left for a second process. `text` is Python source with `--gzip always --gzip-level 6`, which is bound by CPU.
`start` is one file: what the start of two processes costs.

One process that compresses uses more than one processor, since it compresses in threads. With --pin, one process has
one processor and two have two: what a second processor is worth.
"""

import argparse
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import process
from benchmarks.contenders import VENV
from benchmarks.servers import SERVERS

_PROCESSES = (1, 2)
_TEXT_FILES = 9_000


@dataclass(frozen=True, slots=True)
class _Scenario:
    name: str
    tree: Path
    files: int
    flags: tuple[str, ...] = ()
    runs: dict[int, list[process.Ran]] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench processes", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=30_000, help="of the scenario small")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("small", "text", "start"))
    parser.add_argument("--pin", action="store_true", help="a processor for each process")
    given = parser.parse_args()
    start, _ = SERVERS["nginx"]
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with start() as server, tempfile.TemporaryDirectory(prefix="bulkput-bench-", dir=memory) as directory:
        scenarios = [each for each in _scenarios(Path(directory), given.files) if given.only in (None, each.name)]
        for number in range(given.rounds):
            for scenario in scenarios:
                for processes in _PROCESSES if number % 2 == 0 else reversed(_PROCESSES):
                    address = server.make(f"{scenario.name}{number}-{processes}")
                    command = [str(VENV / "bulkput"), "upload", "-q", "--processes", str(processes), *scenario.flags]
                    cpus = ",".join(map(str, range(processes))) if given.pin else None
                    ran = process.run([*command, str(scenario.tree), address.http], {}, cpus=cpus)
                    if ran.exit_code != 0:
                        raise SystemExit(f"{scenario.name}, {processes}: exit code {ran.exit_code}: {ran.said}")
                    scenario.runs.setdefault(processes, []).append(ran)
                    server.drop(address.container)
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr)
        table = _table(scenarios, given.rounds)
    Console().print(table)
    return 0


def _scenarios(root: Path, files: int) -> Iterator[_Scenario]:
    small = root / "small"
    content = os.urandom(4096)
    for number in range(files):
        place = small / f"{number % 100:02d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06d}").write_bytes(content)
    yield _Scenario("small", small, files)
    text = root / "text"
    text.mkdir()
    found = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    many = [path.read_bytes() for path in found if path.stat().st_size > 4096]
    for number, source in zip(range(_TEXT_FILES), cycle(many), strict=False):
        (text / f"{number:05d}.py").write_bytes(source)
    yield _Scenario("text", text, _TEXT_FILES, ("--gzip", "always", "--gzip-level", "6", "--gzip-as", "suffix"))
    (root / "start").mkdir()
    (root / "start" / "file").write_bytes(b"1")
    yield _Scenario("start", root / "start", 1)


def _table(scenarios: list[_Scenario], rounds: int) -> Table:
    table = Table(title=f"{len(os.sched_getaffinity(0))} processors with the server, {rounds} rounds: median (range)")
    for column in ("scenario", "processes", "time, s", "CPU, s", "CPU per object, us", "time of one / of two", "CPU"):
        table.add_column(column, justify="left" if column == "scenario" else "right")
    for scenario in scenarios:
        one = scenario.runs[1]
        for processes, runs in scenario.runs.items():
            pairs = list(zip(one, runs, strict=True))
            ratios = [first.wall_s / ran.wall_s for first, ran in pairs]
            costs = [ran.cpu_s / first.cpu_s for first, ran in pairs]
            table.add_row(
                scenario.name,
                str(processes),
                _spread([ran.wall_s for ran in runs]),
                _spread([ran.cpu_s for ran in runs]),
                f"{median(ran.cpu_s for ran in runs) / scenario.files * 1e6:.0f}",
                _spread(ratios) if processes > 1 else "",
                _spread(costs) if processes > 1 else "",
            )
    return table


def _spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    sys.exit(main())
