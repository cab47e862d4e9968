"""Is the new one slower? Two git revisions measured in turns, or two results of benchmarks.run.

    python -m benchmarks.compare OLD NEW [--rounds 10] [--only SERVER/SCENARIO ...] [--to DIRECTORY] [--fail-if-slower]

OLD and NEW are both git revisions ("." is the working tree), or both files named result.json. Revisions upload the same
files to the same server within the same minutes: each round runs both, and the ratio of a round is the result. Result
files of different days also show how the machine has changed between them.

Exit codes: 0 for every verdict. 1: a run was void, so nothing was compared; or, with --fail-if-slower, NEW takes more
CPU or time per object. 2: the two cannot be compared.
"""

import argparse
import importlib.metadata
import json
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from benchmarks.difference import LEAST_EFFECT, LEAST_ROUNDS, Judged, Verdict, disturbed, judge, newly_void
from benchmarks.measure import machine
from benchmarks.results import Result, Run, Spread
from benchmarks.revisions import SIDES, WARM_UP, Refused, checked_out, known_place, measured, resolve

ROUNDS = 10
PLAN = ("nginx/small",)
DRIFT = "rounds of different days are not paired: machines drift, and that is in these numbers too"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The runs of each side, and the notes that a reader needs with them."""

    old: str
    new: str
    same_rounds: bool
    machine: Mapping[str, str]
    notes: Sequence[str]
    runs: Mapping[str, Sequence[Run]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line. Options for revisions are None if they were not given."""

    old: str
    new: str
    rounds: int | None
    only: Sequence[str] | None
    to: Path | None
    fail_if_slower: bool


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _asked(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        return _told(_compared(asked), asked)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 2


def _compared(asked: Asked) -> Comparison:
    files = [name for name in (asked.old, asked.new) if Path(name).is_file()]
    match files:
        case []:
            return _of_revisions(asked)
        case [_, _]:
            return _of_results(asked)
    raise Refused(f"give two result files or two git revisions: only {files[0]!r} is a file")


def _asked(arguments: Sequence[str] | None) -> Asked:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=(__doc__ or "").partition("\n")[0],
        epilog=(__doc__ or "").partition("]\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD")
    parser.add_argument("new", metavar="NEW")
    parser.add_argument("--rounds", type=int, help=f"of revisions; default: {ROUNDS}")
    parser.add_argument("--only", nargs="+", metavar="SERVER/SCENARIO", help=f"default: {' '.join(PLAN)}")
    parser.add_argument("--to", type=Path, metavar="DIRECTORY", help="where to write compare.json")
    parser.add_argument("--fail-if-slower", action="store_true", help="exit with 1 when CPU or time per object grew")
    return Asked(**vars(parser.parse_args(arguments)))


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End in order, so that worktrees and servers are removed. A second signal must not interrupt that."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _of_revisions(asked: Asked) -> Comparison:
    """Measure both revisions."""
    rounds = ROUNDS if asked.rounds is None else asked.rounds
    if rounds < 1:
        raise Refused(f"--rounds {rounds}: there must be one at least, and {LEAST_ROUNDS} for a verdict")
    if asked.fail_if_slower and rounds < LEAST_ROUNDS:
        raise Refused(f"--fail-if-slower needs --rounds {LEAST_ROUNDS} at least: fewer give no verdict")
    places = asked.only or PLAN
    for place in places:
        known_place(place)
    revisions = dict(zip(SIDES, (resolve(asked.old), resolve(asked.new)), strict=True))
    runs: dict[str, list[Run]] = {side: [] for side in SIDES}
    with checked_out(revisions) as trees:
        for place in places:
            for side, made in measured(place, revisions, trees, rounds).items():
                runs[side] += made
    return Comparison(
        old=f"old {revisions['old'].label}",
        new=f"new {revisions['new'].label}",
        same_rounds=True,
        machine=machine(),
        notes=[f"both with the dependencies installed now: {', '.join(_dependencies())}"],
        runs=runs,
    )


def _dependencies() -> list[str]:
    """The packages that bulkput needs, each with its installed version."""
    needed = [text for text in importlib.metadata.requires("bulkput") or [] if "extra ==" not in text]
    names = [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in needed]
    return [f"{name} {importlib.metadata.version(name)}" for name in names]


def _of_results(asked: Asked) -> Comparison:
    """Read both result files."""
    if asked.rounds is not None or asked.only is not None:
        raise Refused("--rounds and --only are for git revisions: result files have been measured already")
    old, new = _loaded(asked.old), _loaded(asked.new)
    return Comparison(
        old=asked.old,
        new=asked.new,
        same_rounds=False,
        machine=machine(),
        notes=[
            DRIFT,
            *_differing("machine", old.machine, new.machine),
            *_differing("version", old.versions, new.versions),
        ],
        runs={"old": old.runs, "new": new.runs},
    )


def _loaded(path: str) -> Result:
    try:
        return Result.load(Path(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{path!r} is not a result that this version of benchmarks.run writes") from None


def _differing(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """A sentence for each fact that both sides record with different values."""
    return [
        f"{what} differs: {name} was {old[name]!r} and is {new[name]!r}"
        for name in old
        if name in new and old[name] != new[name]
    ]


def _told(comparison: Comparison, asked: Asked) -> int:
    """Print and write the verdicts; returns the exit code."""
    counted = [[run for run in comparison.runs[side] if run.round != WARM_UP] for side in SIDES]
    voids = [f"{side}: {run.void}" for side in SIDES for run in comparison.runs[side] if run.void is not None]
    judged: list[Judged] = []
    if comparison.same_rounds and voids:
        left_out = [f"nothing is compared, for {len(voids)} runs are void, the first of {voids[0]}"]
    else:
        judged, left_out = judge(*counted, same_rounds=comparison.same_rounds)
    _print(comparison, judged, left_out)
    if asked.to is not None:
        _save(comparison, judged, left_out, asked.to)
    if comparison.same_rounds and voids:
        return 1
    if not asked.fail_if_slower:
        return 0
    if newly_void(*counted) or any(each.is_slower for each in judged):
        return 1
    if all(each.verdict is Verdict.TOO_FEW for each in judged):
        raise Refused("--fail-if-slower: there is nothing that a verdict can be given on")
    return 0


def _print(comparison: Comparison, judged: Sequence[Judged], left_out: Sequence[str]) -> None:
    """Print a table for each server and scenario, a line for each verdict, and the notes."""
    console = Console(width=120, highlight=False)
    for place in dict.fromkeys((each.server, each.scenario) for each in judged):
        console.print(_table(comparison, place, [each for each in judged if (each.server, each.scenario) == place]))
    for each in judged:
        print(f"{each.server}, {each.scenario}: {each.contender}: {each.quantity}: {each.said}")
    if judged:
        print(f"note: in brackets the 95 % interval; less than {LEAST_EFFECT * 100:.0f} % is no difference")
    for note in (*comparison.notes, *disturbed(judged), *left_out):
        print(f"note: {note}")


def _table(comparison: Comparison, place: tuple[str, str], judged: Sequence[Judged]) -> Table:
    table = Table(title=f"{place[0]}: {place[1]}", title_justify="left")
    for column in ("contender", "", comparison.old, comparison.new, "new / old (95 %)"):
        table.add_column(column)
    for each in judged:
        change = f"{each.change.ratio:.3f} ({each.change.low:.3f} to {each.change.high:.3f})" if each.change else ""
        unit = f"{each.quantity}, {each.unit}"
        table.add_row(each.contender, unit, _text(each.old), _text(each.new), change)
    return table


def _text(spread: Spread) -> str:
    return f"{spread.median:.0f} ({spread.low:.0f} to {spread.high:.0f})"


def _save(comparison: Comparison, judged: Sequence[Judged], left_out: Sequence[str], directory: Path) -> None:
    """compare.json: every run, warm-ups as round 0, and every verdict."""
    directory.mkdir(parents=True, exist_ok=True)
    facts = {"schema": 1, "command": f"python -m benchmarks.compare {' '.join(sys.argv[1:])}", **asdict(comparison)}
    facts |= {"verdicts": [asdict(each) for each in judged], "left_out": list(left_out)}
    (directory / "compare.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
