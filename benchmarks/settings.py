"""What `--concurrency auto` finds, against fixed settings: objects/s once the first seconds are over.

    scripts/bench settings far --files 16000                devserver, 50 ms: how much of the best within 5 s?
    scripts/bench settings swift --files 1500 --from-s 0    the real Swift: does a fixed setting beat it as a whole?

Settings are measured in turns, round after round. Rates are counted from the records of `--trace`, from `--from-s`
seconds after the first request until 95 % are stored: the last requests of a run find ever fewer beside them.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import bulkput
from benchmarks.measure import once, started
from benchmarks.scenarios import SCENARIOS, Scenario, Tree, make_tree
from benchmarks.servers import SERVERS, Server
from benchmarks.traces import Request, puts

SETTINGS = ("8", "16", "32", "64", "128", "256", "auto")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench settings", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("server", choices=sorted(SERVERS))
    parser.add_argument("--files", type=int, default=16_000, help="of 16 KiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--from-s", type=float, default=5.0)
    parser.add_argument("--settings", nargs="+", default=SETTINGS, metavar="N|auto")
    given = parser.parse_args()
    if given.rounds < 1 or given.files < 100:
        parser.error("--rounds is 1 or more, --files 100 or more")
    scenario = Scenario(name="settings", count=given.files, size=SCENARIOS["small"].size)
    rates: dict[str, list[float]] = {setting: [] for setting in given.settings}
    with started(given.server) as (server, cpus), tempfile.TemporaryDirectory(prefix="bulkput-bench-") as directory:
        tree = make_tree(scenario, Path(directory) / "tree")
        for number in range(given.rounds):
            first = number % len(given.settings)  # rotate the order: the last one meets a fuller store
            for setting in [*given.settings[first:], *given.settings[:first]]:
                container = f"s{os.getpid()}-{number}-{setting}"
                requests = _run(server, tree, container, setting, cpus)
                rates[setting].append(rate(requests, from_s=given.from_s))
                print(f"round {number + 1}: {setting}: {rates[setting][-1]:.0f} objects/s", file=sys.stderr)
    Console().print(_table(rates, f"{server.name}, {scenario}, from {given.from_s:g} s on"))
    return 0


def _run(server: Server, tree: Tree, container: str, setting: str, cpus: str | None) -> list[Request]:
    file = tree.path.with_name("trace.jsonl")
    command = bulkput(server.make(container), tree.path, "--trace", str(file), in_flight=setting)
    ran, held = once(server, tree, command, container, cpus=cpus)
    if ran.exit_code != 0 or held.objects != tree.count:
        raise SystemExit(f"{setting}: exit code {ran.exit_code}, stored {held.objects} of {tree.count}: {ran.said}")
    return puts(file)


def rate(requests: list[Request], *, from_s: float) -> float:
    """Objects stored per second between `from_s` seconds after the first request and the end of the first 95 %."""
    begun = min(request.started_s for request in requests)
    ends = sorted(request.ended_s - begun for request in requests if request.is_stored)
    ends = ends[: max(1, len(ends) * 95 // 100)]
    counted = [end for end in ends if end >= from_s]
    passed = ends[-1] - from_s
    return len(counted) / passed if passed > 0 else 0.0


def _table(rates: dict[str, list[float]], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("--concurrency", "objects/s", "least", "most", "auto / this, same round"):
        table.add_column(column)
    for setting, found in rates.items():
        beside = zip(rates.get("auto", []), found, strict=False)
        ratios = [auto / own for auto, own in beside if own]
        shown = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""
        table.add_row(setting, *(f"{value:.0f}" for value in (median(found), min(found), max(found))), shown)
    return table


if __name__ == "__main__":
    sys.exit(main())
