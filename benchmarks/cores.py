"""CPU time used during a measurement: by us, by our servers, by other programs, by other machines.

The machine is shared, so its load is recorded with each measurement. Linux only: /proc/stat, /proc/PID/stat.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STOLEN = 7
"""Of the columns in /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5))."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time, since the machine started or between two moments; to a hundredth each."""

    busy_s: float
    """On all processors, by all programs of this machine."""
    stolen_s: float
    """Time that the hypervisor gave to other machines while a program here waited for a processor."""
    own_s: float
    """This process, and children that it has waited for."""
    servers_s: float
    """Children that still run, and theirs."""

    @classmethod
    def now(cls) -> "Usage":
        ticks = [int(value) for value in Path("/proc/stat").read_text().partition("\n")[0].split()[1:]]
        busy = sum(ticks[:3]) + sum(ticks[5:7])
        times = os.times()
        own_s = time.process_time() + times.children_user + times.children_system
        return cls(busy / _TICKS_PER_S, ticks[_STOLEN] / _TICKS_PER_S, own_s, _descendants_s(os.getpid()))

    def since(self, before: "Usage") -> "Usage":
        return Usage(
            self.busy_s - before.busy_s,
            self.stolen_s - before.stolen_s,
            self.own_s - before.own_s,
            self.servers_s - before.servers_s,
        )

    @property
    def others_s(self) -> float:
        """Time used by neither us nor our servers: other programs, interrupts, stolen time."""
        return max(0.0, self.busy_s - self.own_s - self.servers_s) + self.stolen_s


def _descendants_s(root: int) -> float:
    """CPU of all processes below `root`, with those that they have waited for."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()  # the name before may hold anything
        except OSError:  # it ended just now
            continue
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        ticks[pid] = sum(int(field) for field in fields[11:15])
    return sum(count for pid, count in ticks.items() if _is_below(pid, root, parents)) / _TICKS_PER_S


def _is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid := parents.get(pid, 0):
        if pid == root:
            return True
    return False
