"""Running the real command."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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


def bulkput(
    *arguments: str | bytes | Path,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
) -> Ran:
    """Run `bulkput ARGUMENTS` to its end, without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "bulkput", *arguments],
        env={**os.environ, **(environ or {})},
        cwd=cwd,
        stdin=stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
