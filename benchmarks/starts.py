"""What a start costs, as tables: pure functions of the runs that `scripts/bench start` has made."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.compression import Section, shown
from benchmarks.results import LeftOut, Result, Run, Spread

FILE = "start.json"
NO_SERVER = "no server"
FLOOR = "python -c pass"
NOTE = (
    "Whole processes, from their start to their end. Ratios are of the same round. Medians, with the least and the most"
    " of all rounds."
)


def load(directory: Path) -> Result | None:
    """The record of `scripts/bench start`; None if the directory has none."""
    path = directory / FILE
    return Result.load(path) if path.exists() else None


def sections(result: Result) -> list[Section]:
    """A table for each server and scenario, in the order in which they were measured."""
    places = dict.fromkeys((run.server, run.scenario) for run in result.runs)
    return [_section(result, server, scenario) for server, scenario in places]


def _section(result: Result, server: str, scenario: str) -> Section:
    reference = FLOOR if server == NO_SERVER else "bulkput"
    columns = ("process", "wall ms", "CPU ms", f"time / that of {reference}", f"CPU / that of {reference}")
    own = [run for run in result.runs if (run.server, run.scenario) == (server, scenario)]
    by_contender = {name: _by_round(own, name) for name in dict.fromkeys(run.contender for run in own)}
    lines = [_line(name, runs, by_contender.get(reference, {})) for name, runs in by_contender.items()]
    lines += [_left_out(one) for one in result.left_out if (one.server, one.scenario) == (server, scenario)]
    return Section(f"Start: {server}, {result.scenarios[scenario]}", columns, lines)


def _by_round(runs: Sequence[Run], contender: str) -> dict[int, Run]:
    return {run.round: run for run in runs if run.contender == contender}


def _line(name: str, runs: Mapping[int, Run], reference: Mapping[int, Run]) -> tuple[str, ...]:
    if (void := next((run.void for run in runs.values() if run.void), None)) is not None:
        return (name, f"void: {void}", "", "", "")
    pairs = [(run, reference[number]) for number, run in runs.items() if number in reference]
    return (
        name,
        shown(Spread.of(run.wall_s * 1000 for run in runs.values()), 0),
        shown(Spread.of(run.cpu_s * 1000 for run in runs.values()), 0),
        shown(Spread.of(own.wall_s / other.wall_s for own, other in pairs), 2) if pairs else "",
        shown(Spread.of(own.cpu_s / other.cpu_s for own, other in pairs if other.cpu_s), 2) if pairs else "",
    )


def _left_out(one: LeftOut) -> tuple[str, ...]:
    return (one.contender, f"left out: {one.why}", "", "", "")
