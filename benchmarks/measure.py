"""Rounds: every contender once against a server, one after the other, in each of them.

Interleaved, so that a slow minute of the machine meets all of them. A run has four steps: prepare (a fresh container),
gate (nothing else is running, the files are in the page cache), run (the whole process, start-up included), clean up
(count what is stored, then drop it). Where there are two processors the client has one and nginx the other; Swift and
Ceph are several processes and have both, like the client.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import process
from benchmarks.contenders import Command, Contender, bulkput
from benchmarks.results import LeftOut, Run, why_void
from benchmarks.scenarios import Scenario, Tree, make_tree
from benchmarks.servers import SERVERS, Held, Server
from benchmarks.traces import Trace, puts

CLIENT_CPU, SERVER_CPU = "0", 1


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs of one server and scenario."""

    runs: list[Run] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)


def measure(
    server_name: str,
    scenario: Scenario,
    contenders: Sequence[Contender],
    rounds: int,
    *,
    is_traced: bool = False,
) -> Measured:
    """Every contender that speaks to the server, `rounds` times.

    `is_traced`: with raw records of bulkput's requests, from a run of their own in each round: writing them costs CPU.
    """
    measured = Measured()
    with started(server_name) as (server, cpus), tempfile.TemporaryDirectory(prefix="bulkput-bench-tree-") as directory:
        tree = make_tree(scenario, Path(directory) / "tree")
        round_ = _Round(server, scenario, tree, cpus, measured)
        for number in range(1, rounds + 1):
            for turn, contender in enumerate(contenders):
                round_.run(contender, number=number, turn=turn)
            if is_traced:
                round_.trace(number=number)
    return measured


@contextmanager
def started(name: str) -> Iterator[tuple[Server, str | None]]:
    """A server of SERVERS, and the processors that are left for its clients; None: all."""
    all_cpus = os.sched_getaffinity(0)
    start, has_own_cpu = SERVERS[name]
    separate = has_own_cpu and len(all_cpus) > 1
    with ExitStack() as stack:
        try:
            if separate:
                os.sched_setaffinity(0, {SERVER_CPU})  # what is started now inherits it
            server = stack.enter_context(start())
        finally:
            os.sched_setaffinity(0, all_cpus)
        yield server, CLIENT_CPU if separate else None


@dataclass(frozen=True, slots=True)
class _Round:
    """Runs one contender after the other against one server."""

    server: Server
    scenario: Scenario
    tree: Tree
    cpus: str | None
    measured: Measured

    def run(self, contender: Contender, *, number: int, turn: int) -> None:
        container = f"b{os.getpid()}-{self.scenario.name}-{number}-{turn}"
        command = contender.command(self.server.make(container), self.tree.path)
        if isinstance(command, str):
            if number == 1:
                one = LeftOut(
                    server=self.server.name, scenario=self.scenario.name, contender=contender.name, why=command
                )
                self.measured.left_out.append(one)
            return
        ran, held = once(self.server, self.tree, command, container, cpus=self.cpus)
        run = _recorded(self.server, self.scenario, self.tree, contender, number=number, ran=ran, held=held)
        self.measured.runs.append(run)
        print(_line(run), file=sys.stderr)

    def trace(self, *, number: int) -> None:
        container = f"b{os.getpid()}-{self.scenario.name}-{number}-traced"
        file = self.tree.path.with_name("trace.jsonl")
        command = bulkput(self.server.make(container), self.tree.path, "--trace", str(file))
        ran, held = once(self.server, self.tree, command, container, cpus=self.cpus)
        if ran.exit_code == 0 and held.objects == self.tree.count:
            trace = Trace(server=self.server.name, scenario=self.scenario.name, round=number, requests=puts(file))
            self.measured.traces.append(trace)


def once(server: Server, tree: Tree, command: Command, container: str, *, cpus: str | None) -> tuple[process.Ran, Held]:
    """Gate, run, clean up. The container is new because its name is."""
    for path in tree.path.rglob("*"):  # the gate: every contender finds the files in the page cache
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
