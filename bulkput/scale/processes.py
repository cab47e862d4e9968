"""Processes of this machine: one ProcessPoolExecutor with one process for each lane.

With an executor of its own, each lane reaches the same process by all its calls, and a process that dies breaks no
other's executor. Processes are forked by a server that has imported what they need (`forkserver`): the driver itself
has threads and an event loop, and must not be forked.

That server takes a fifth of a second to start. So `begin` comes first of all, and this module imports little: the
driver imports what it needs while its server does.
"""

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bulkput.stores.built_in import MODULES

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from bulkput.scale.needs import Needs

A = TypeVar("A")
R = TypeVar("R")


class OwnProcess:
    """One process of this machine."""

    is_always_the_same = True

    def __init__(self, number: int, executor: "ProcessPoolExecutor") -> None:
        self._executor = executor
        self.name = f"worker {number + 1}"

    def submit(self, function: Callable[[A], R], argument: A) -> "Future[R]":
        return self._executor.submit(function, argument)

    def kill(self) -> None:
        self._kill()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _kill(self) -> None:
        for process in tuple((self._executor._processes or {}).values()):  # there is no other way before Python 3.14
            with suppress(OSError, ValueError):
                process.kill()

    def close(self) -> None:
        """End the process, and wait until it has ended. Blocks."""
        self._kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


class Processes:
    """An engine of `lanes` processes."""

    is_elsewhere = False
    packages = frozenset(("concurrent",))

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self._context = multiprocessing.get_context("forkserver")
        self._open: list[OwnProcess] = []
        self._starting: threading.Thread | None = None

    def begin(self, destination: str) -> None:
        """May be called before the event loop runs, and again."""
        if self._starting is None:
            self._context.set_forkserver_preload(_needed(destination))
            self._starting = threading.Thread(target=_try_to_start_server, name="bulkput-forkserver", daemon=True)
            self._starting.start()

    async def ready(self, needs: "Needs", warn: Callable[[str], None]) -> None:
        """They have what this process has."""

    async def process(self, lane: int) -> OwnProcess:
        import asyncio  # noqa: PLC0415 - imported after `begin`, as all that is large

        return await asyncio.to_thread(self._started, lane)

    def _started(self, lane: int) -> OwnProcess:
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - see `process`

        if self._starting is not None:
            self._starting.join()
        executor = ProcessPoolExecutor(1, mp_context=self._context, initializer=_begin)
        process = OwnProcess(lane, executor)
        self._open.append(process)  # before the wait, which may be given up
        executor.submit(os.getpid).result()  # the first call starts the process, and waits for the server that forks it
        return process

    async def aclose(self, run: str) -> None:
        import asyncio  # noqa: PLC0415 - see `process`

        await asyncio.to_thread(self._close_all)

    def _close_all(self) -> None:
        for process in self._open:
            process.close()


_SIGNALS_OF_DRIVER = ("SIGINT", "SIGTERM", "SIGHUP")
"""A terminal, systemd and CI systems send these to all processes of a run. The driver decides what comes of them."""


_ALWAYS = ("bulkput.scale.preload", "bulkput.scale.worker", "uvloop", "concurrent.futures.thread")
"""What the server imports for each run, in this order. It passes by what is not there."""


def _needed(destination: str) -> list[str]:
    """The modules of a process that writes to this URL."""
    store = MODULES.get(destination.partition(":")[0].lower())
    return [*_ALWAYS, *([store] if store is not None else [])]


def _try_to_start_server() -> None:
    """If it cannot be started, whoever wants the first process is told why."""
    with suppress(OSError):
        _start_server()


def _start_server() -> None:
    """Start the server that forks the processes, in a thread that blocks the driver's signals: it inherits that, and so
    do they. Its helper, which is left behind by a second Ctrl-C, is not to warn of semaphores that go with it."""
    signals = {getattr(signal, name) for name in _SIGNALS_OF_DRIVER if hasattr(signal, name)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    sys.warnoptions.append(_NO_LEAKS)
    try:
        resource_tracker.ensure_running()  # it unblocks two of them
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        forkserver.ensure_running()
    finally:
        sys.warnoptions.remove(_NO_LEAKS)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_NO_LEAKS = "ignore:resource_tracker"


def _begin() -> None:
    """In the new process: without the driver it ends."""
    from bulkput.scale.preload import USUAL_COLLECTIONS  # noqa: PLC0415 - the server has imported it

    gc.set_threshold(*USUAL_COLLECTIONS)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, name="bulkput-parent", daemon=True).start()


def usable_cores() -> int:
    """The cores that this process may use: by its affinity, and by the limit of its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    return cores
