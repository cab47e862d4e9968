"""Processor time of this process, and how long its event loop had to wait for a processor."""

import os
import time

_PER_S = 1e9


class CpuClock:
    """Must be made and read in the event loop's thread. Both readings together cost two system calls."""

    def __init__(self) -> None:
        try:
            # run time, run-queue wait and time slices of this thread (Linux, Documentation/scheduler/sched-stats.rst)
            self._schedule: int | None = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            self._schedule = None

    def used_s(self) -> float:
        return time.process_time()

    def waited_s(self) -> float:
        """Seconds that the thread waited for a processor; 0 if the system does not say (not Linux)."""
        if self._schedule is None:
            return 0.0
        fields = os.pread(self._schedule, 128, 0).split()
        return int(fields[1]) / _PER_S if len(fields) > 1 else 0.0

    def close(self) -> None:
        if self._schedule is not None:
            os.close(self._schedule)
            self._schedule = None
