"""`bulkput rate` as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateProcess:
    """A running service."""

    url: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """By SIGKILL: it says no word to its runs."""
        self.process.kill()
        self.process.wait()


@contextmanager
def rate_process(*arguments: str, port: int = 0, environ: Mapping[str, str] | None = None) -> Iterator[RateProcess]:
    """Runs `bulkput rate ARGUMENTS` until the block ends."""
    command = [sys.executable, "-m", "bulkput", "rate", "--listen", f"127.0.0.1:{port}", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **(environ or {})}
    ) as process:
        assert process.stdout is not None
        try:
            yield RateProcess(process.stdout.readline().strip(), process)
        finally:
            process.terminate()
