"""The benchmark: scenarios x contenders x servers, round after round.

    python -m benchmarks.run [--rounds 3] [--only SERVER/SCENARIO ...] [--to DIRECTORY]

Each round runs every contender once, one after the other (interleaved, so that a slow minute of the machine meets all
of them), in four steps: prepare (a fresh container), gate (nothing else is running, the files are in the page cache),
run (the whole process, start-up included), clean up (count what is stored, then drop it). Where there are two
processors the client has one and nginx the other; a Swift is five processes and has both, like the client.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks import process
from benchmarks.contenders import CONTENDERS, Command, Contender
from benchmarks.report import write_report
from benchmarks.results import Result, Run, why_void
from benchmarks.scenarios import SCENARIOS, Scenario, Tree, make_tree
from benchmarks.servers import SERVERS, Held, Server

PLAN = ("nginx/small", "swift/few", "far/few")
CLIENT_CPU, SERVER_CPU = "0", 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=PLAN, metavar="SERVER/SCENARIO", help=f"default: {' '.join(PLAN)}")
    parser.add_argument("--contenders", nargs="+", metavar="NAME", help="only these; bulkput is the reference")
    parser.add_argument("--to", type=Path, default=Path(), help="directory for result.json")
    given = parser.parse_args()
    runs: list[Run] = []
    wanted = [contender for contender in CONTENDERS if not given.contenders or contender.name in given.contenders]
    present = [contender for contender in wanted if contender.version() is not None]
    for place in given.only:
        server, _, scenario = place.partition("/")
        runs += measure(server, SCENARIOS[scenario], present, given.rounds)
    result = Result(
        command=f"python -m benchmarks.run {' '.join(sys.argv[1:])}".strip(),
        machine=machine(),
        versions={contender.name: contender.version() or "" for contender in present},
        notes={contender.name: contender.note for contender in present},
        missing=[contender.name for contender in wanted if contender not in present],
        runs=runs,
    )
    result.save(given.to / "result.json")
    write_report(result, given.to)
    return 0


def measure(server_name: str, scenario: Scenario, contenders: Sequence[Contender], rounds: int) -> list[Run]:
    """Every contender that speaks to the server, `rounds` times."""
    runs = []
    all_cpus = os.sched_getaffinity(0)
    start, has_own_cpu = SERVERS[server_name]
    separate = has_own_cpu and len(all_cpus) > 1
    with tempfile.TemporaryDirectory(prefix="bulkput-bench-tree-") as directory, ExitStack() as stack:
        try:
            if separate:
                os.sched_setaffinity(0, {SERVER_CPU})  # what is started now inherits it
            server = stack.enter_context(start())
        finally:
            os.sched_setaffinity(0, all_cpus)
        tree = make_tree(scenario, Path(directory) / "tree")
        for number in range(1, rounds + 1):
            for turn, contender in enumerate(contenders):
                container = f"b{os.getpid()}-{scenario.name}-{number}-{turn}"
                command = contender.command(server.make(container), tree.path)
                if command is None:  # it does not speak what the server does
                    continue
                ran, held = once(server, tree, command, container, cpus=CLIENT_CPU if separate else None)
                runs.append(_recorded(server, scenario, tree, contender, number=number, ran=ran, held=held))
                print(_line(runs[-1]), file=sys.stderr)
    return runs


def once(server: Server, tree: Tree, command: Command, container: str, *, cpus: str | None) -> tuple[process.Ran, Held]:
    """Gate, run, clean up; the container is fresh by its name."""
    for path in tree.path.rglob("*"):  # the gate: everybody finds the files in the page cache
        if path.is_file():
            path.read_bytes()
    ran = process.run(command.arguments, command.environ, cpus=cpus)
    held = server.held(container, expected=tree.count)
    server.drop(container)
    return ran, held


def _recorded(
    server: Server, scenario: Scenario, tree: Tree, contender: Contender, *, number: int, ran: process.Ran, held: Held
) -> Run:
    run = Run(
        server=server.name,
        scenario=scenario.name,
        contender=contender.name,
        round=number,
        objects=tree.count,
        bytes=tree.bytes,
        wall_s=ran.wall_s,
        cpu_s=ran.cpu_s,
        peak_kib=ran.peak_kib,
        exit_code=ran.exit_code,
        stored_objects=held.objects,
        stored_bytes=held.bytes,
        void=None,
    )
    return replace(run, void=why_void(run, said=ran.said))


def machine() -> dict[str, str]:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "processor": f"{os.cpu_count()} x {cpu}",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _line(run: Run) -> str:
    speed = f"void: {run.void}" if run.void else f"{run.objects / run.wall_s:.0f} objects/s"
    return f"{run.server}, {run.scenario}, round {run.round}: {run.contender}: {speed}"


if __name__ == "__main__":
    sys.exit(main())
