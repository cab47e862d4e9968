"""Processes of any `concurrent.futures.Executor`, which does not say which of them a call reaches.

Each call is complete in itself: it has some files, and is answered when all of them have an outcome. Each process that
gets a call opens its own connections, and closes them when it has had none for long (`worker.py`).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, InvalidStateError
from contextlib import suppress
from typing import TypeVar

from bulkput.errors import UsageError
from bulkput.policy.loss import packages_of
from bulkput.scale.needs import Needs, why_unfit
from bulkput.scale.worker import end

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
            raise UsageError(f"an executor has one lane at least, and not {lanes}")
        self._executor = executor
        self.lanes = lanes
        self.packages = packages_of(type(executor))

    def begin(self, destination: str) -> None:
        """The executor has begun."""

    async def ready(self, needs: Needs, warn: Callable[[str], None]) -> None:
        """Asks one process: the others are asked by their first call."""
        why = await asyncio.wrap_future(_submitted(self._executor, why_unfit, needs.plain))
        if why is not None:
            raise UsageError(f"a worker {why}")

    async def process(self, lane: int) -> "OneOfThem":
        return OneOfThem(lane, self._executor)

    async def aclose(self, run: str) -> None:
        """Ends the run where a call happens to arrive; the others end by themselves."""
        ends = [_submitted(self._executor, end, run) for _ in range(2 * self.lanes)]
        done, _ = await asyncio.wait([asyncio.wrap_future(each) for each in ends], timeout=_END_S)
        for each in done:
            each.exception()  # of an executor whose processes are gone, or that has been shut down: it does not matter


class OneOfThem:
    """Whichever process of an executor takes the call."""

    is_always_the_same = False

    def __init__(self, lane: int, executor: Executor) -> None:
        self.name = f"worker {lane + 1}"
        self._executor = executor

    def submit(self, function: Callable[[A], R], argument: A) -> "Future[R]":
        return _submitted(self._executor, function, argument)

    def kill(self) -> None:
        """Others may use it, and only its executor can end it."""


def _submitted(executor: Executor, function: Callable[[A], R], argument: A) -> "Future[R]":
    """Submit it in a thread: some executors start a process then. Errors are the Future's."""
    call: Future[R] = Future()

    def settle(inner: "Future[R]") -> None:
        with suppress(InvalidStateError):  # its caller waits no more
            if inner.cancelled():
                call.set_exception(ConnectionError("the executor has cancelled the call"))
            elif (error := inner.exception()) is not None:
                call.set_exception(error)
            else:
                call.set_result(inner.result())

    def submit() -> None:
        try:
            executor.submit(function, argument).add_done_callback(settle)
        except Exception as error:  # noqa: BLE001 - executors have many ways to say that their processes are gone
            call.set_exception(error)

    asyncio.get_running_loop().run_in_executor(None, submit)
    return call
