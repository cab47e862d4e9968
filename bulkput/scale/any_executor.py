"""Processes of any `concurrent.futures.Executor`, which does not say which of them a call reaches.

Each call is complete in itself: it has some files, and is answered when all of them have an outcome. Each process that
gets a call opens its own connections, and closes them when it has had none for long (`worker.py`).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import TypeVar

from bulkput.errors import UsageError
from bulkput.scale.engine import Needs
from bulkput.scale.worker import end, why_unfit

A = TypeVar("A")
R = TypeVar("R")

_END_S = 3.0


class OnExecutor:
    """An engine of `lanes` processes of `executor`: executorlib's or mpi4py's, for example, also on other machines.

    The executor stays the caller's, who closes it. `lanes`: how many calls it works on at the same time.
    """

    is_elsewhere = True

    def __init__(self, executor: Executor, *, lanes: int) -> None:
        """Raises UsageError."""
        if lanes < 1:
            raise UsageError(f"`lanes` is a number of processes, and not {lanes}")
        self._executor = executor
        self.lanes = lanes

    def begin(self) -> None:
        """The executor has begun."""

    async def ready(self, needs: Needs, warn: Callable[[str], None]) -> None:
        """Asks one process: the others are asked by their first call."""
        why = await asyncio.wrap_future(self._executor.submit(why_unfit, needs.plain))
        if why is not None:
            raise UsageError(f"a worker {why}")

    async def process(self, lane: int) -> "OneOfThem":
        return OneOfThem(lane, self._executor)

    async def aclose(self, run: str) -> None:
        """Ends the run where a call happens to arrive; the others end by themselves."""
        with suppress(RuntimeError):  # the caller has shut the executor down
            ends = [self._executor.submit(end, run) for _ in range(2 * self.lanes)]
            await asyncio.wait([asyncio.wrap_future(each) for each in ends], timeout=_END_S)


class OneOfThem:
    """Whichever process of an executor takes the call."""

    is_always_the_same = False

    def __init__(self, lane: int, executor: Executor) -> None:
        self.name = f"worker {lane + 1}"
        self._executor = executor

    def submit(self, function: Callable[[A], R], argument: A) -> "Future[R]":
        return self._executor.submit(function, argument)

    def kill(self) -> None:
        """Others may use it, and only its executor can end it."""
