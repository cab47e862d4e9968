"""What commands that ran in turns took, and a table of it: beside the first of them, in the same round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.table import Table

from benchmarks.process import Ran


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of one command, by its rounds."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def add(self, ran: Ran) -> None:
        self.wall_s.append(ran.wall_s)
        self.cpu_s.append(ran.cpu_s)


def turns(names: Sequence[str], number: int) -> Sequence[str]:
    """The order of round `number`: another one begins in each."""
    first = number % len(names)
    return (*names[first:], *names[:first])


def table(found: Mapping[str, Measured], ours: str, title: str) -> Table:
    """A row for each command; the last column compares it with the command `ours`."""
    made = Table("", "ms", "CPU ms", f"takes x the time of {ours}; same round", title=title)
    for name, measured in found.items():
        ratios = [theirs / mine for theirs, mine in zip(measured.wall_s, found[ours].wall_s, strict=True)]
        made.add_row(name, spread(measured.wall_s), spread(measured.cpu_s), spread(ratios, unit=1, digits=2))
    return made


def spread(values: Sequence[float], *, unit: int = 1000, digits: int = 0) -> str:
    """Median, and from the least to the most."""
    middle, least, most = (each * unit for each in (median(values), min(values), max(values)))
    return f"{middle:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"
