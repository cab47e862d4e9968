"""What a sharded run needs of an engine: executors, each of which leads to processes."""

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Protocol, TypeVar

from bulkput.scale.needs import Needs

A = TypeVar("A")
R = TypeVar("R")


class NoProcess(Exception):
    """No process is left that could send files, and none has come for long. The text is a sentence for people."""


class Process(Protocol):
    """The driver's handle of a process that sends files, or of one of several that it cannot tell apart."""

    @property
    def name(self) -> str:
        """For people: where it is."""

    @property
    def is_always_the_same(self) -> bool:
        """Whether all calls reach one process. If not, each call has to be complete in itself."""

    def submit(self, function: Callable[[A], R], argument: A) -> "Future[R]":
        """As `concurrent.futures.Executor.submit`. The Future fails if the process ends."""

    def kill(self) -> None:
        """End the process at once, with what it does."""


class Engine(Protocol):
    """Where processes come from."""

    @property
    def lanes(self) -> int:
        """How many processes send files at the same time. Known when `ready` has returned."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether processes may be on other machines: relative paths, and files of this machine, say nothing there."""

    @property
    def packages(self) -> Collection[str]:
        """The packages whose errors say that a process is gone: `policy/loss.py`."""

    def begin(self, destination: str) -> None:
        """Start what takes long, while the run looks at its sources: processes that write to this URL. Called on the
        event loop."""

    async def ready(self, needs: Needs, warn: Callable[[str], None]) -> None:
        """Wait for what `begin` has started, and ask the processes whether they have what the run needs. Raises
        UsageError, before anything is sent. `warn` takes sentences, also later."""

    async def process(self, lane: int) -> Process:
        """A process for the lane, counted from 0; the first, or another if the last has ended. Waits until there is
        one; may be cancelled. Raises NoProcess if there is none to be had."""

    async def aclose(self, run: str) -> None:
        """End the run's part in all processes, and what this engine has started."""
