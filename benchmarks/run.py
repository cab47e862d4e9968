"""The benchmark: scenarios x contenders x servers, round after round.

    scripts/bench [--rounds 3] [--only SERVER/SCENARIO ...] [--contenders NAME ...] [--to DIRECTORY]

How a round goes stands in `measure`. Without --only, what a start costs is measured as well: see `start`.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import start
from benchmarks.contenders import CONTENDERS
from benchmarks.measure import Measured, machine, measure
from benchmarks.report import write_report
from benchmarks.results import Result
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS, why_absent
from benchmarks.starts import FILE
from benchmarks.traces import save_traces

PLAN = ("rgw/small", "rgw-s3/small", "swift/few", "nginx/small", "nginx/mixed", "nginx-s3/small", "far/few")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=PLAN, metavar="SERVER/SCENARIO", help=f"default: {' '.join(PLAN)}")
    parser.add_argument("--contenders", nargs="+", metavar="NAME", help="only these; bulkput is the reference")
    parser.add_argument("--no-traces", action="store_true", help="without a run for the raw records of requests")
    parser.add_argument("--to", type=Path, default=Path("benchmarks"), help="directory for the results")
    given = parser.parse_args()
    if complaint := _complaint(given):
        parser.error(complaint)
    named = given.contenders or [contender.name for contender in CONTENDERS if not contender.is_asked_for]
    wanted = [contender for contender in CONTENDERS if contender.name in named]
    present = [contender for contender in wanted if contender.version() is not None]
    measured, missing = Measured(), [contender.name for contender in wanted if contender not in present]
    for place in given.only:
        server, _, scenario = place.partition("/")
        if (why := why_absent(server)) is not None:
            print(f"{place} is left out: {why}", file=sys.stderr)
            missing.append(f"{place} ({why})")
            continue
        one = measure(server, SCENARIOS[scenario], present, given.rounds, is_traced=not given.no_traces)
        measured.runs.extend(one.runs)
        measured.left_out.extend(one.left_out)
        measured.traces.extend(one.traces)
    given.to.mkdir(parents=True, exist_ok=True)
    if given.only is PLAN:
        start.measured().save(given.to / FILE)
    save_traces(measured.traces, given.to)
    result = Result(
        command=" ".join(["scripts/bench", *sys.argv[1:]]),
        machine=machine(),
        versions={contender.name: contender.version() or "" for contender in present},
        notes={contender.name: contender.note for contender in present},
        missing=missing,
        scenarios={run.scenario: str(SCENARIOS[run.scenario]) for run in measured.runs},
        left_out=measured.left_out,
        runs=measured.runs,
    )
    result.save(given.to / "result.json")
    write_report(given.to)
    return 0


def _complaint(given: argparse.Namespace) -> str | None:
    """What is wrong with the arguments, and what to write instead."""
    if given.rounds < 1:
        return "--rounds is 1 or more"
    for place in given.only:
        server, _, scenario = place.partition("/")
        if server not in SERVERS or scenario not in SCENARIOS:
            return f"--only {place}: write SERVER/SCENARIO of {', '.join(SERVERS)} and {', '.join(SCENARIOS)}"
    known = {contender.name for contender in CONTENDERS}
    for name in given.contenders or ():
        if name not in known:
            return f"--contenders {name!r}: choose from {', '.join(sorted(known))}"
    return None


if __name__ == "__main__":
    sys.exit(main())
