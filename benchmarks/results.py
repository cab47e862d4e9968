"""The measurements: one record per run, kept as JSON, and the pure functions that make rows of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One contender, once. `void` says why the run does not count."""

    server: str
    scenario: str
    contender: str
    round: int
    objects: int
    bytes: int
    wall_s: float
    cpu_s: float
    peak_kib: int
    exit_code: int
    stored_objects: int
    stored_bytes: int
    void: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A contender that was not run against a server, and why."""

    server: str
    scenario: str
    contender: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A whole benchmark: its runs, the contenders that are not installed, and those left out of a server."""

    command: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    notes: Mapping[str, str]
    missing: Sequence[str]
    scenarios: Mapping[str, str]
    left_out: Sequence[LeftOut]
    runs: Sequence[Run]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"schema": 1, **asdict(self)}, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Result":
        found: dict[str, Any] = json.loads(path.read_text())
        found.pop("schema")
        found["runs"] = [Run(**run) for run in found["runs"]]
        found["left_out"] = [LeftOut(**one) for one in found["left_out"]]
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        ordered = sorted(values)
        return cls(median(ordered), ordered[0], ordered[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender in one scenario on one server. The figures are None when a round was void."""

    server: str
    scenario: str
    contender: str
    rounds: int
    void: str | None
    objects_per_s: Spread | None
    cpu_us_per_object: Spread | None
    peak_mib: Spread | None
    times_slower: Spread | None
    """Its wall time over the reference's of the same round: the machine's speed drifts, and cancels out here."""


def rows(runs: Sequence[Run], *, reference: str = "bulkput") -> list[Row]:
    """In the order of the first runs. One void round voids the row: an upload that loses files is not fast."""
    made = []
    for key in dict.fromkeys((run.server, run.scenario, run.contender) for run in runs):
        own = [run for run in runs if (run.server, run.scenario, run.contender) == key]
        voids = [run.void for run in own if run.void is not None]
        beside = {
            run.round: run
            for run in runs
            if (run.server, run.scenario, run.contender) == (key[0], key[1], reference) and run.void is None
        }
        pairs = [run.wall_s / beside[run.round].wall_s for run in own if run.round in beside]
        made.append(
            Row(
                server=key[0],
                scenario=key[1],
                contender=key[2],
                rounds=len(own),
                void=f"{len(voids)} of {len(own)} rounds: {voids[0]}" if voids else None,
                objects_per_s=None if voids else Spread.of(run.objects / run.wall_s for run in own),
                cpu_us_per_object=None if voids else Spread.of(run.cpu_s / run.objects * 1e6 for run in own),
                peak_mib=None if voids else Spread.of(run.peak_kib / 1024 for run in own),
                times_slower=Spread.of(pairs) if pairs and not voids else None,
            )
        )
    return made


def why_void(run: Run, *, said: str) -> str | None:
    """The reason why a finished run does not count; None when everything is stored. `said`: its standard error."""
    if run.exit_code != 0:
        last = said.splitlines()[-1][:120] if said else "said nothing"
        return f"exit code {run.exit_code}: {last}"
    if run.stored_objects != run.objects:
        return f"stored {run.stored_objects} of {run.objects} objects"
    if run.stored_bytes != run.bytes:
        return f"stored {run.stored_bytes} of {run.bytes} bytes"
    return None
