"""One worker of a Dask cluster, as a process of a sharded run.

The scheduler unpickles each task and pickles it again. A call is a `Sealed` there: bytes, which are copied. Dask writes
arguments of tasks that fail to its logs; those of a `Sealed` show nothing.
"""

import asyncio
import pickle
import uuid
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")


class Sealed(Generic[T]):
    """A pickled value, which Dask's logs and pages do not show."""

    __slots__ = ("_pickled",)

    def __init__(self, value: T) -> None:
        self._pickled = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)

    def opened(self) -> T:
        value: T = pickle.loads(self._pickled)  # noqa: S301 - from our own processes, as all that Dask carries
        return value

    def __repr__(self) -> str:
        return f"<{len(self._pickled)} bytes>"


def bulkput_call(function: Callable[[A], R], argument: Sealed[A]) -> Sealed[R]:
    """What a Dask worker calls; Dask's pages show its name."""
    return Sealed(function(argument.opened()))


class DaskProcess:
    """One worker of a Dask cluster."""

    is_always_the_same = True

    def __init__(self, client: Any, address: str) -> None:
        """`client` is a `distributed.Client`."""
        self._client = client
        self.address = address
        self.name = address.partition("://")[2]
        self._executor = client.get_executor(pure=False, workers=[address], allow_other_workers=False)
        self._calls: dict[Future[Any], Future[Any]] = {}
        """Each call, and Dask's own of it."""

    def submit(self, function: Callable[[A], R], argument: A) -> "Future[R]":
        call: Future[R] = Future()
        try:
            inner = self._executor.submit(bulkput_call, function, Sealed(argument), key=f"bulkput-{uuid.uuid4()}")
        except Exception as error:  # noqa: BLE001 - of a client that has lost its scheduler
            call.set_exception(ConnectionError(f"the Dask scheduler takes no call: {error}"))
            return call
        self._calls[call] = inner
        inner.add_done_callback(partial(self._done, call))  # in Dask's thread
        return call

    def _done(self, call: "Future[Any]", inner: "Future[Any]") -> None:
        self._calls.pop(call, None)
        try:
            self._settle(call, inner)
        except InvalidStateError:  # it was lost, or the lane waits no more
            pass
        except Exception as error:  # noqa: BLE001 - whatever a foreign class raises when it is unpickled
            # The outcomes in it are lost, as if the worker had died. Its files are sent again, in the end one by one.
            why = f"its answer cannot be read here: {type(error).__name__}: {error}"
            with suppress(InvalidStateError):
                call.set_exception(ConnectionError(why))

    @staticmethod
    def _settle(call: "Future[Any]", inner: "Future[Any]") -> None:
        if inner.cancelled():
            call.set_exception(ConnectionError("Dask has cancelled the call"))
        elif (error := inner.exception()) is not None:
            call.set_exception(error)
        else:
            call.set_result(inner.result().opened())

    def lose(self, why: str) -> None:
        """Fail all calls, and have Dask forget them; call it on the event loop."""
        calls = self.fail(why)
        if calls and self._client.status == "running":  # waits for Dask's thread
            asyncio.get_running_loop().run_in_executor(None, _cancel, calls)

    def fail(self, why: str) -> "list[Future[Any]]":
        """Fail all calls, and return Dask's own."""
        calls, self._calls = self._calls, {}
        for call in calls:
            with suppress(InvalidStateError):
                call.set_exception(ConnectionError(why))
        return list(calls.values())

    def kill(self) -> None:
        """A worker belongs to others too: only the calls end. What `worker.py` has of the run ends with the run."""
        self.lose("it is not used any more")


def _cancel(calls: "list[Future[Any]]") -> None:
    for call in calls:
        with suppress(Exception):  # the scheduler may be gone, and the task with it
            call.cancel()
