"""A Dask scheduler and its workers, as users start them: processes of their own, on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_LIMIT_S = 60
_BOUND = re.compile(r"Scheduler at: +(\S+)")
_THERE = re.compile(r"Starting worker compute stream, (\S+)")


@dataclass(slots=True)
class RealDask:
    """A scheduler at `address`; `workers` by their addresses, in the order in which they have come."""

    address: str
    state: Path
    scheduler: subprocess.Popen[bytes]
    environ: Mapping[str, str] | None = None
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def logs(self) -> str:
        """All that scheduler and workers have written."""
        return "".join(log.read_text() for log in sorted(self.state.glob("*.log")))

    def start_worker(self, *options: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
        """Starts a worker, waits until the scheduler has it, and gives its address."""
        known = self._there()
        name = f"w{len(self.workers)}"
        words = [self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(self.state)]
        log = self.state / f"{name}.log"
        process = _started("dask_worker", [*words, *options], log, {**(self.environ or {}), **(environ or {})}, cwd)
        address = _waited_for(process, log, lambda: next(iter(self._there() - known), None))
        self.workers[address] = process
        return address

    def kill_worker(self, address: str) -> None:
        """kill -9."""
        self.workers[address].kill()
        self.workers[address].wait()

    def _there(self) -> set[str]:
        return set(_THERE.findall((self.state / "scheduler.log").read_text()))


@contextmanager
def real_dask(workers: int, *, scheme: str = "tcp", environ: Mapping[str, str] | None = None) -> Iterator[RealDask]:
    """Runs a scheduler and `workers` workers of one thread each. `environ` adds variables, of TLS for example."""
    with tempfile.TemporaryDirectory(prefix="bulkput-dask-", ignore_cleanup_errors=True) as directory:
        state = Path(directory)
        log = state / "scheduler.log"
        words = ["--host", f"{scheme}://127.0.0.1:0", "--no-dashboard", "--no-show"]
        scheduler = _started("dask_scheduler", words, log, environ)
        running: list[subprocess.Popen[bytes]] = [scheduler]
        try:
            bound = _waited_for(scheduler, log, lambda: _BOUND.search(log.read_text()))
            cluster = RealDask(bound[1], state, scheduler, environ)
            try:
                for _ in range(workers):
                    cluster.start_worker()
                yield cluster
            finally:
                running += cluster.workers.values()
        finally:
            for process in reversed(running):
                process.kill()
                process.wait()


def _started(
    program: str, words: list[str], log: Path, environ: Mapping[str, str] | None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.{program}", *words]
    if shutil.which("setpriv"):  # the kernel ends it even if the tests are killed
        command = ["setpriv", "--pdeathsig", "KILL", *command]
    with log.open("wb") as out:
        return subprocess.Popen(
            command,
            cwd=cwd or log.parent,  # away from this repository, where Python would find bulkput first
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _waited_for(process: subprocess.Popen[bytes], log: Path, look: Callable[[], T | None]) -> T:
    """Gives what `look` finds in a log. Raises RuntimeError if the process ends before."""
    until = time.monotonic() + _LIMIT_S
    while (found := look()) is None:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"Dask did not start: {log.read_text()}")
        time.sleep(0.05)
    return found
