"""One contender as a whole process: wall time, CPU, peak memory and exit code, as the operating system counts them.

A new process begins with the memory of its parent, and Linux counts that in its peak. So a small process starts the
contenders: this file, run by a bare interpreter of some ten MiB. Smaller peaks cannot be measured.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_S = 300.0
"""Seconds. No upload of a scenario takes that long; a run that does is ended, and void."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished process, its children included. CPU in seconds, memory in KiB (the largest single process)."""

    wall_s: float
    cpu_s: float
    peak_kib: int
    exit_code: int
    said: str
    """The end of what it printed on standard error."""


def run(command: Sequence[str], environ: Mapping[str, str], *, cpus: str | None = None) -> Ran:
    """Run to the end, on the processors `cpus` ("0", "0,1") if `taskset` is installed; None is all."""
    pinned = ["taskset", "-c", cpus, *command] if cpus is not None and shutil.which("taskset") else list(command)
    with tempfile.TemporaryFile() as errors:
        launched = subprocess.run(
            [sys.executable, "-I", "-S", __file__, str(MAX_S), *pinned],
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            check=True,
        )
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - 2000))
        said = errors.read().decode(errors="replace").strip()
    return Ran(**json.loads(launched.stdout), said=said)


def launch(max_s: float, command: Sequence[str]) -> dict[str, float]:
    """In the small process: run the command, wait for it, return its usage."""
    with open(os.devnull, "wb") as nothing:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=nothing, start_new_session=True)
        descriptor = os.pidfd_open(process.pid)
        ended, _, _ = select.select([descriptor], [], [], max_s)
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
        # wait4 gives the usage of this process and its children; Popen.wait would throw it away.
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_kib": usage.ru_maxrss,
        "exit_code": process.returncode,
    }


if __name__ == "__main__":
    print(json.dumps(launch(float(sys.argv[1]), sys.argv[2:])))
