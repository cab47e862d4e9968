"""What to run as a contender."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and the variables it needs."""

    arguments: tuple[str, ...]
    environ: Mapping[str, str]
