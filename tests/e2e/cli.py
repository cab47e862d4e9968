"""Runs the real command, in a forked process or in this one."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

from tests.e2e.forks import run


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command printed and how it ended."""

    exit_code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The JSON object that `--summary -` printed last."""
        summary = json.loads(self.out.splitlines()[-1])
        assert isinstance(summary, dict)
        return summary

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Bulkput(Protocol):
    """What the fixture `bulkput` gives: a function that runs the command in this process."""

    def __call__(self, *arguments: str | Path) -> Ran: ...


def bulkput(*arguments: str | bytes | Path, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ran:
    """Runs `bulkput ARGUMENTS` to its end in a forked process, without a terminal and without input."""
    words = [os.fsdecode(argument) for argument in arguments]
    with open(os.devnull, "rb") as nothing, TemporaryFile() as out, TemporaryFile() as err:
        streams = nothing.fileno(), out.fileno(), err.fileno()
        exit_code = run(words, {**os.environ, **(environ or {})}, cwd or Path.cwd(), streams)
        out.seek(0)
        err.seek(0)
        return Ran(exit_code, out.read().decode(), err.read().decode())
