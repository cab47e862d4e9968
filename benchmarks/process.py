"""One contender as a whole process: wall time, CPU, peak memory and exit code, as the operating system counts them.

A new process begins with the memory of its parent, and Linux counts that in its peak. So a small process starts the
contenders: this file, run by a bare interpreter of some ten MiB. Smaller peaks cannot be measured.
"""

import ctypes
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

_SET_CHILD_SUBREAPER = 36
_LEFT_S = 5.0
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
    """In the small process: run the command, wait for it and for what it leaves behind, return the usage of all."""
    # Processes that the command has started, and not waited for, become children of this one (prctl(2)).
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
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
    left_s = _reaped_s(process.pid)
    return {
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime + left_s,
        "peak_kib": usage.ru_maxrss,
        "exit_code": process.returncode,
    }


def _reaped_s(group: int) -> float:
    """The CPU of the processes that were left, in seconds. They get some time to end by themselves."""
    used_s, until_s = 0.0, time.perf_counter() + _LEFT_S
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return used_s
        if pid:
            used_s += usage.ru_utime + usage.ru_stime
        elif time.perf_counter() < until_s:
            time.sleep(0.01)
        else:
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    print(json.dumps(launch(float(sys.argv[1]), sys.argv[2:])))
