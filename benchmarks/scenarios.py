"""What is uploaded: how many files, how large, how compressible. The same seed gives the same bytes anywhere."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A tree to upload, described well enough to be made again.

    `size` is in bytes: every file's with `fixed`; the median with `lognormal` (the shape that file systems have: many
    small, few large), each at most 64 x the median. `compressible` is the share of bytes that repeat.
    """

    name: str
    count: int
    size: int
    distribution: Literal["fixed", "lognormal"] = "fixed"
    compressible: float = 0.0
    seed: int = 42

    def __str__(self) -> str:
        size = f"{self.size // KIB} KiB" if self.size % KIB == 0 else f"{self.size} B"
        around = " around" if self.distribution == "lognormal" else ""
        files = "file" if self.count == 1 else "files"
        return f"{self.count:,} {files} of{around} {size}".replace(",", " ")


@dataclass(frozen=True, slots=True)
class Tree:
    """A scenario on disk, with what a store must hold afterwards."""

    path: Path
    count: int
    bytes: int


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="small", count=5_000, size=16 * KIB),
        Scenario(name="many", count=20_000, size=16 * KIB),
        Scenario(name="fifty-thousand", count=50_000, size=KIB),
        Scenario(name="million", count=1_000_000, size=KIB),
        Scenario(name="tiny", count=5_000, size=100),
        Scenario(name="mixed", count=2_000, size=8 * KIB, distribution="lognormal", compressible=0.5),
        Scenario(name="large", count=8, size=64 * KIB * KIB),
        # The real Swift on two cores stores some hundred objects a second: enough to tell contenders apart.
        Scenario(name="few", count=400, size=16 * KIB),
        # What a start costs: see `start`.
        Scenario(name="one", count=1, size=16 * KIB),
        Scenario(name="hundred", count=100, size=16 * KIB),
        Scenario(name="smoke", count=40, size=2_000, distribution="lognormal", compressible=0.5),
    )
}


def sizes(scenario: Scenario) -> Iterator[int]:
    """The files' sizes, in order."""
    chance = random.Random(scenario.seed)
    for _ in range(scenario.count):
        match scenario.distribution:
            case "fixed":
                yield scenario.size
            case "lognormal":
                yield min(round(scenario.size * math.exp(chance.gauss(0, 1.3))), 64 * scenario.size)


def make_tree(scenario: Scenario, root: Path) -> Tree:
    """Write the files below `root`, a hundred per directory."""
    content = random.Random(scenario.seed + 1)
    total = 0
    for number, size in enumerate(sizes(scenario)):
        folder = root / f"{number // 100:04d}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        repeated = round(size * scenario.compressible)
        (folder / f"{number:06d}.bin").write_bytes(
            content.randbytes(size - repeated) + b"bulkput " * (repeated // 8 + 1)
        )
        with (folder / f"{number:06d}.bin").open("r+b") as file:
            file.truncate(size)
        total += size
    return Tree(root, scenario.count, total)
