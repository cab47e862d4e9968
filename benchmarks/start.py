"""What a start costs: whole processes that upload 1 file and 100 files, list 100 objects, or do nothing.

    scripts/bench start [--rounds 10] [--only swift nginx far] [--to DIRECTORY]

bulkput, rclone and python-swiftclient, in turns, to the real Swift, to nginx (there with curl, and without rclone) and
to the devserver that is 50 ms away; beside them `bulkput --help` and, as the floor, a Python that does nothing. With
--to, the runs are kept there as start.json; beside a result.json, RESULTS.md and results.html show them.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import process
from benchmarks.contenders import (
    CONTENDERS,
    IN_FLIGHT,
    NO_HTTP,
    SWIFT_VENV,
    VENV,
    Command,
    Contender,
    bulkput,
    program,
    rclone_environ,
)
from benchmarks.measure import machine, measure, started
from benchmarks.report import write_texts
from benchmarks.results import LeftOut, Result, Run
from benchmarks.scenarios import SCENARIOS, make_tree
from benchmarks.servers import Address
from benchmarks.starts import FILE, FLOOR, NO_SERVER, NOTE, sections

ROUNDS = 10
SERVERS = ("swift", "nginx", "far")
SPEAK_SWIFT = ("swift", "far")
"""Servers whose containers can be listed."""
UPLOADS = ("one", "hundred")
_BULKPUT = str(VENV / "bulkput")


def _curl(address: Address, tree: Path) -> Command | str:
    """Without the Python around `curl -Z`, which would be most of what is measured."""
    if not address.http:
        return NO_HTTP
    count = sum(1 for _ in tree.rglob("*.bin"))
    files = f"{tree}/0000/[000000-{count - 1:06d}].bin"
    curl = ("curl", "-s", "-S", "--fail", "-Z", "--parallel-max", IN_FLIGHT)
    return Command((*curl, "-T", files, f"{address.http}0000/"), address.trust)


UPLOADERS = (
    *(contender for contender in CONTENDERS if contender.name in ("bulkput", "rclone", "python-swiftclient")),
    Contender(name="curl", version=program("curl", "--version"), command=_curl),
)
LISTERS: Mapping[str, Callable[[Address], Command]] = {
    "bulkput": lambda address: Command((_BULKPUT, "ls", "-r", f"swift://{address.container}"), address.environ),
    "rclone": lambda address: Command(
        ("rclone", "lsf", "-R", "--files-only", f":swift:{address.container}"), rclone_environ(address)
    ),
    "python-swiftclient": lambda address: Command(
        (str(SWIFT_VENV / "swift"), "list", address.container), address.environ
    ),
}
ALONE: Mapping[str, Command] = {
    FLOOR: Command((sys.executable, "-c", "pass"), {}),
    "bulkput --help": Command((_BULKPUT, "--help"), {}),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench start", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", default=SERVERS, choices=SERVERS, metavar="SERVER", help=" ".join(SERVERS))
    parser.add_argument("--to", type=Path, help=f"directory for {FILE}; default: nothing is kept")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds is 1 or more")
    result = measured(given.rounds, given.only)
    console = Console(width=140)
    for title, columns, lines in sections(result):
        table = Table(*columns, title=title, title_justify="left")
        for line in lines:
            table.add_row(*line)
        console.print(table)
    console.print(NOTE)
    if given.to is not None:
        given.to.mkdir(parents=True, exist_ok=True)
        result.save(given.to / FILE)
        write_texts(given.to)
    return 0


def measured(rounds: int = ROUNDS, servers: Sequence[str] = SERVERS) -> Result:
    """All runs. What is not installed is named as missing."""
    present = [contender for contender in UPLOADERS if contender.version() is not None]
    names = [contender.name for contender in present]
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    for server in servers:
        for scenario in UPLOADS:
            one = measure(server, SCENARIOS[scenario], present, rounds)
            runs += one.runs
            left_out += one.left_out
        if server in SPEAK_SWIFT:
            runs += _listings(server, [name for name in LISTERS if name in names], rounds)
    runs += _in_turns(NO_SERVER, "alone", ALONE, rounds, cpus=None)
    return Result(
        command=f"scripts/bench start --rounds {rounds}"
        + (f" --only {' '.join(servers)}" if servers != SERVERS else ""),
        machine=machine(),
        versions={contender.name: contender.version() or "" for contender in present},
        notes={},
        missing=[contender.name for contender in UPLOADERS if contender not in present],
        scenarios={**{name: str(SCENARIOS[name]) for name in UPLOADS}, "list": "list 100 objects", "alone": "alone"},
        left_out=left_out,
        runs=runs,
    )


def _listings(name: str, listers: Sequence[str], rounds: int) -> list[Run]:
    with started(name) as (server, cpus), tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        tree = make_tree(SCENARIOS["hundred"], Path(directory) / "tree")
        address = server.make(f"b{os.getpid()}-list")
        filled = bulkput(address, tree.path)
        ran = process.run(filled.arguments, filled.environ, cpus=cpus)
        held = server.held(address.container, expected=tree.count)
        if ran.exit_code != 0 or held.objects != tree.count:
            raise SystemExit(f"{server.name}: nothing to list, exit code {ran.exit_code}: {ran.said}")
        return _in_turns(
            server.name, "list", {lister: LISTERS[lister](address) for lister in listers}, rounds, cpus=cpus
        )


def _in_turns(
    server: str, scenario: str, commands: Mapping[str, Command], rounds: int, *, cpus: str | None
) -> list[Run]:
    """Commands that store nothing. A run is void if its exit code is not 0."""
    return [
        _recorded(server, scenario, name, number, process.run(command.arguments, command.environ, cpus=cpus))
        for number in range(1, rounds + 1)
        for name, command in commands.items()
    ]


def _recorded(server: str, scenario: str, name: str, number: int, ran: process.Ran) -> Run:
    return Run(
        server=server,
        scenario=scenario,
        contender=name,
        round=number,
        objects=0,
        bytes=0,
        wall_s=ran.wall_s,
        cpu_s=ran.cpu_s,
        peak_kib=ran.peak_kib,
        exit_code=ran.exit_code,
        stored_objects=0,
        stored_bytes=0,
        void=f"exit code {ran.exit_code}: {ran.said[-120:]}" if ran.exit_code else None,
    )


if __name__ == "__main__":
    sys.exit(main())
