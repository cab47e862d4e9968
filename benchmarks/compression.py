"""The measured cost of compression in the pipeline: records, kept as JSON, and the pure functions that show them.

Ratios are taken within a round and then over the rounds, so drifts of the machine's speed cancel out.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.results import Spread

FILE = "gzip.json"
BASE = "zlib level 6"
"""The reference: the standard library at its default level."""
NOTHING = "not compressed"
QUIET = 0.1
"""A round in which others used less than this of two processors' time says what a second one adds; in the others it was
not there to be used. By what others did, never by what came out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A process that uploaded the source once, and the CPU that others used at that time."""

    server: str
    way: str
    """Library and level, or NOTHING."""
    processors: int
    round: int
    source_bytes: int
    sent_bytes: int
    wall_s: float
    cpu_s: float
    servers_s: float
    others_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """Streams that went through the face for the event loop, once."""

    way: str
    workers: int
    round: int
    source_bytes: int
    wall_s: float
    cpu_s: float
    others_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of what the client does, alone in one thread: seconds of CPU for the whole source."""

    way: str
    name: str
    round: int
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run of `scripts/bench gzip`."""

    command: str
    machine: Mapping[str, str]
    source: str
    uploads: Sequence[Upload]
    faces: Sequence[Face]
    steps: Sequence[Step]

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / FILE).write_text(json.dumps({"schema": 1, **asdict(self)}, indent=1) + "\n")

    @classmethod
    def load(cls, directory: Path) -> "Record | None":
        """None if the directory has no record."""
        path = directory / FILE
        if not path.exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text())
        found.pop("schema")
        found["uploads"] = [Upload(**one) for one in found["uploads"]]
        found["faces"] = [Face(**one) for one in found["faces"]]
        found["steps"] = [Step(**one) for one in found["steps"]]
        return cls(**found)


class Section(NamedTuple):
    """A table as text, for the terminal, RESULTS.md and the page."""

    title: str
    columns: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]


def sections(record: Record) -> list[Section]:
    """The sections that have measurements."""
    made = [_uploads(record, server) for server in dict.fromkeys(one.server for one in record.uploads)]
    if len({one.processors for one in record.uploads}) > 1:
        made.append(_processors(record))
    if record.faces:
        made.append(_faces(record))
    if record.steps and record.uploads:
        made.append(_steps(record))
    return made


def _uploads(record: Record, server: str) -> Section:
    columns = (
        "sent", "processors", "MB/s of source", "client's CPU s", "server's", "others'",
        "source / sent", f"times {BASE}", "the same by CPU",
    )  # fmt: skip
    lines = []
    own = [one for one in record.uploads if one.server == server]
    for processors, way in dict.fromkeys((one.processors, one.way) for one in own):
        runs = _by_round(one for one in own if (one.processors, one.way) == (processors, way))
        base = _by_round(one for one in own if (one.processors, one.way) == (processors, BASE))
        lines.append(
            (
                way,
                str(processors),
                shown(Spread.of(one.source_bytes / 1e6 / one.wall_s for one in runs.values()), 0),
                *(shown(Spread.of(figures), 1) for figures in zip(*map(_cpu, runs.values()), strict=True)),
                f"{Spread.of(one.source_bytes / one.sent_bytes for one in runs.values()).median:.2f}",
                _paired(runs, base, lambda one, other: other.wall_s / one.wall_s),
                _paired(runs, base, lambda one, other: other.cpu_s / one.cpu_s),
            )
        )
    return Section(f"Compression, whole processes to {server}: {record.source}", columns, lines)


def _cpu(run: Upload) -> tuple[float, float, float]:
    return run.cpu_s, run.servers_s, run.others_s


def _processors(record: Record) -> Section:
    columns = ("server", "sent", "times one processor", "in quiet rounds", "quiet rounds")
    lines = []
    for server, way in dict.fromkeys((one.server, one.way) for one in record.uploads):
        own = [one for one in record.uploads if (one.server, one.way) == (server, way)]
        one, two = (_by_round(run for run in own if run.processors == count) for count in (1, 2))
        if one and two:
            lines.append((server, way, *_second(two, one)))
    return Section("Compression, two processors for the process", columns, lines)


def _second(two: Mapping[int, Any], one: Mapping[int, Any]) -> tuple[str, str, str]:
    """The gain by a second processor: in all rounds, in the quiet ones, and the number of quiet rounds."""
    quiet = {number: run for number, run in two.items() if number in one and _is_quiet(run) and _is_quiet(one[number])}
    ratios = (_paired(runs, one, lambda run, other: _speed(run) / _speed(other)) for runs in (two, quiet))
    return (*ratios, f"{len(quiet)} of {len(two)}")  # type: ignore[return-value]


def _is_quiet(run: Upload | Face) -> bool:
    return run.others_s < QUIET * 2 * run.wall_s


def _faces(record: Record) -> Section:
    columns = (
        "compressed by",
        "worker threads",
        "MB/s",
        "CPU s",
        "others'",
        f"times {BASE}",
        "times one worker",
        "in quiet rounds",
        "quiet rounds",
    )
    lines = []
    for way, workers in dict.fromkeys((one.way, one.workers) for one in record.faces):
        runs = _by_round(one for one in record.faces if (one.way, one.workers) == (way, workers))
        base = _by_round(one for one in record.faces if (one.way, one.workers) == (BASE, workers))
        alone = _by_round(one for one in record.faces if (one.way, one.workers) == (way, 1))
        lines.append(
            (
                way,
                str(workers),
                shown(Spread.of(map(_speed, runs.values())), 0),
                shown(Spread.of(one.cpu_s for one in runs.values()), 2),
                shown(Spread.of(one.others_s for one in runs.values()), 2),
                _paired(runs, base, lambda one, other: _speed(one) / _speed(other)),
                *_second(runs, alone),
            )
        )
    return Section("Compression, the event loop's face alone: no file, no MD5, no network", columns, lines)


def _speed(run: Upload | Face) -> float:
    return run.source_bytes / 1e6 / run.wall_s


def _steps(record: Record) -> Section:
    """Beside what one processor's whole processes took; the rest is what no step accounts for."""
    ways = list(dict.fromkeys(one.way for one in record.steps))
    lines = []
    known = dict.fromkeys(ways, 0.0)
    for name in dict.fromkeys(one.name for one in record.steps):
        line = [name]
        for way in ways:
            spread = Spread.of(one.cpu_s for one in record.steps if (one.way, one.name) == (way, name))
            known[way] += spread.median
            line.append(shown(spread, 2))
        lines.append(tuple(line))
    fewest = min(one.processors for one in record.uploads)
    server = record.uploads[0].server
    wholes = {
        way: Spread.of(
            one.cpu_s for one in record.uploads if (one.server, one.way, one.processors) == (server, way, fewest)
        )
        for way in ways
    }
    rests = (f"{wholes[way].median - known[way]:.2f}" for way in ways)
    lines.append(("the rest: event loop, threads, memory, sockets", *rests))
    lines.append((f"the whole process ({server}, {fewest} processor)", *(shown(wholes[way], 2) for way in ways)))
    return Section("Compression, seconds of the client's CPU", ("what for", *ways), lines)


def _by_round(runs: Iterable[Any]) -> dict[int, Any]:
    return {run.round: run for run in runs}


def _paired(runs: Mapping[int, Any], base: Mapping[int, Any], ratio: Callable[[Any, Any], float]) -> str:
    ratios = [ratio(run, base[number]) for number, run in runs.items() if number in base]
    return shown(Spread.of(ratios), 2) if ratios else ""


def shown(spread: Spread, digits: int) -> str:
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"
