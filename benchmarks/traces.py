"""Latency and throughput over time, from the raw records of our own runs.

The records are the lines that `bulkput upload --trace` writes.
"""

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

BINS = 40
"""Points of a picture over time, at most."""
_FILE = "requests.jsonl.gz"
_WIDTHS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt to PUT an object, in seconds since its run began."""

    started_s: float
    elapsed_s: float
    is_stored: bool

    @property
    def ended_s(self) -> float:
        return self.started_s + self.elapsed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The PUTs of one run."""

    server: str
    scenario: str
    round: int
    requests: Sequence[Request]


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations of requests in milliseconds: the 50th, 90th and 99th percentile, and the longest."""

    p50: float
    p90: float
    p99: float
    most: float


def puts(path: Path) -> list[Request]:
    """The PUTs in a file that `--trace` wrote."""
    with path.open() as file:
        rows = [json.loads(line) for line in file]
    return [
        Request(row["started_s"], row["elapsed_s"], row["error"] is None)
        for row in rows
        if row.get("operation") == "put"
    ]


def save_traces(traces: Sequence[Trace], directory: Path) -> None:
    """All of them in `requests.jsonl.gz`, a line per run."""
    with gzip.open(directory / _FILE, "wt") as file:
        for trace in traces:
            file.write(json.dumps(asdict(trace)) + "\n")


def load_traces(directory: Path) -> list[Trace]:
    """The traces that `save_traces` wrote; empty if there is no such file."""
    if not (directory / _FILE).exists():
        return []
    with gzip.open(directory / _FILE, "rt") as file:
        rows = [json.loads(line) for line in file]
    return [Trace(**{**row, "requests": [Request(**request) for request in row["requests"]]}) for row in rows]


def latency(requests: Iterable[Request]) -> Latency:
    """Percentiles of the requests that stored an object. Raises ValueError if there is none."""
    ordered = sorted(request.elapsed_s * 1000 for request in requests if request.is_stored)
    if not ordered:
        raise ValueError("no request stored anything")
    return Latency(_rank(ordered, 0.5), _rank(ordered, 0.9), _rank(ordered, 0.99), ordered[-1])


def _rank(ordered: Sequence[float], share: float) -> float:
    """The nearest rank: always a measured value, never an interpolation."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def bin_width_s(traces: Iterable[Trace]) -> float:
    """A round number of seconds that gives at most `BINS` points."""
    end = max((request.ended_s for trace in traces for request in trace.requests), default=0.0)
    return next((width for width in _WIDTHS_S if end / width <= BINS), _WIDTHS_S[-1])


def throughput(requests: Sequence[Request], width_s: float) -> list[tuple[float, float]]:
    """(time, objects/s): what was stored within each `width_s`, at its middle. The last bin, cut short, is left out."""
    ends = [request.ended_s for request in requests if request.is_stored]
    counts = [0] * int(max(ends, default=0.0) / width_s)
    for end in ends:
        if (index := int(end / width_s)) < len(counts):
            counts[index] += 1
    return [((index + 0.5) * width_s, count / width_s) for index, count in enumerate(counts)]
