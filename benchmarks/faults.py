"""What faults cost: the same upload through a proxy that is harmless, and through one that is not, in turns.

    scripts/bench faults [--files 20000] [--rounds 3]

64 requests in flight to nginx; 5 % of the connections are reset (at four moments of a request), and 5 % answer each of
their requests two seconds late. Every round checks that all files arrived: their number, and their bytes in all.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import bulkput
from benchmarks.measure import once, started
from benchmarks.process import Ran
from benchmarks.scenarios import SCENARIOS, Scenario, Tree, make_tree
from benchmarks.servers import Server
from tests.servers.faultprocess import ProxyProcess
from tests.servers.faultproxy import Count, Plan, mix

CLEAN, FAULTY = "clean", "5 % reset, 5 % late by 2 s"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=20_000, help="of 16 KiB")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.rounds < 1 or given.files < 1:
        parser.error("--rounds and --files are 1 or more")
    scenario = Scenario(name="faults", count=given.files, size=SCENARIOS["small"].size)
    walls: dict[str, list[float]] = {CLEAN: [], FAULTY: []}
    counts = Count()
    with started("nginx") as (server, _), tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        tree = make_tree(scenario, Path(directory) / "tree")
        for number in range(given.rounds):
            faulty = mix(p_reset=0.05, p_delay=0.05, delay_s=2.0, seed=number)
            turns = [(CLEAN, Plan()), (FAULTY, faulty)]
            for name, plan in turns if number % 2 == 0 else reversed(turns):
                ran, count = _run(server, tree, plan, f"f{os.getpid()}-{number}-{len(walls[name])}-{name[:1]}")
                walls[name].append(ran.wall_s)
                counts.faults += count.faults
                print(f"round {number + 1}: {name}: {given.files / ran.wall_s:.0f} objects/s", file=sys.stderr)
    Console().print(_table(walls, given.files))
    print("faults that struck: " + ", ".join(f"{count} x {fault}" for fault, count in sorted(counts.faults.items())))
    return 0


def _run(server: Server, tree: Tree, plan: Plan, container: str) -> tuple[Ran, Count]:
    address = server.make(container)
    parts = urlsplit(address.http or "")
    proxy = ProxyProcess(parts.hostname or "", parts.port or 80, plan)
    proxy.start()
    through = replace(address, http=parts._replace(netloc=f"127.0.0.1:{proxy.port}").geturl())
    ran, held = once(server, tree, bulkput(through, tree.path), container, cpus=None)
    count = proxy.stop()
    if ran.exit_code != 0 or (held.objects, held.bytes) != (tree.count, tree.bytes):
        raise SystemExit(f"exit code {ran.exit_code}, stored {held.objects} of {tree.count}: {ran.said}")
    return ran, count


def _table(walls: dict[str, list[float]], files: int) -> Table:
    table = Table(title=f"nginx behind a proxy, {files} files of 16 KiB, 64 in flight", title_justify="left")
    for column in ("proxy", "objects/s", "least", "most", "of the clean speed, same round"):
        table.add_column(column)
    for name, found in walls.items():
        speeds = [files / wall_s for wall_s in found]
        ratios = [clean / wall_s for clean, wall_s in zip(walls[CLEAN], found, strict=True)]
        shown = f"{median(ratios):.0%} ({min(ratios):.0%} to {max(ratios):.0%})"
        table.add_row(name, *(f"{value:.0f}" for value in (median(speeds), min(speeds), max(speeds))), shown)
    return table


if __name__ == "__main__":
    sys.exit(main())
