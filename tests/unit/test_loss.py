"""Which errors of a call say that a process is gone: `policy/loss.py`."""

import pickle
from concurrent.futures import BrokenExecutor, CancelledError, Executor, InvalidStateError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from aiohttp import ClientPayloadError, InvalidURL
from distributed import TimeoutError as DaskTimeoutError
from distributed.client import ClosedClientError, FutureCancelledError
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker, NoWorkerError
from executorlib import SingleNodeExecutor
from executorlib.standalone.interactive.communication import ExecutorlibSocketError

from bulkput.errors import StoreError
from bulkput.policy.loss import is_loss
from bulkput.scale.any_executor import OnExecutor
from bulkput.scale.cluster import Cluster
from bulkput.scale.engine import Engine
from bulkput.scale.processes import Processes

DASK = Cluster("tcp://127.0.0.1:1")
OWN = Processes(1)


class OfSite(ProcessPoolExecutor):
    """An executor of a site's own."""


class OfPluginError(Exception):
    __module__ = "bulkput_file.store"


def on(kind: type[Executor]) -> Engine:
    """An engine of such an executor, which starts nothing."""
    return OnExecutor(kind.__new__(kind), lanes=1)


@pytest.mark.parametrize("engine", [OWN, DASK, on(OfSite), on(SingleNodeExecutor)])
@pytest.mark.parametrize(
    "error",
    [
        BrokenProcessPool("a process ended abruptly"),
        BrokenExecutor(),
        CancelledError(),
        ConnectionResetError(),
        BrokenPipeError(),
        TimeoutError(),
        OSError(12, "Cannot allocate memory"),
        EOFError(),
    ],
    ids=repr,
)
def test_with_any_engine_a_broken_connection_or_executor_is_a_lost_process(engine: Engine, error: Exception) -> None:
    assert is_loss(error, engine.packages)


@pytest.mark.parametrize(
    "error",
    [
        KilledWorker("task", None, 3),
        CommClosedError(),
        FutureCancelledError("key", "lost"),
        DaskTimeoutError(),
        NoWorkerError("task", 60),
        ClosedClientError(),
    ],
    ids=repr,
)
def test_what_dask_says_of_its_workers_is_a_lost_process(error: Exception) -> None:
    assert is_loss(error, DASK.packages)


def test_what_an_executor_says_by_an_error_of_its_own_is_a_lost_process() -> None:
    """Of its package, and of those that its class is derived from: executorlib does not derive its error from any."""
    assert is_loss(ExecutorlibSocketError(), on(SingleNodeExecutor).packages)
    assert not is_loss(ExecutorlibSocketError(), on(OfSite).packages)
    assert not is_loss(InvalidStateError(), on(OfSite).packages)


@pytest.mark.parametrize("engine", [OWN, DASK, on(OfSite), on(SingleNodeExecutor)])
@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(),
        AttributeError("no such name"),
        ModuleNotFoundError("No module named 'odd'"),
        TypeError("cannot pickle"),
        RuntimeError("cannot schedule new futures after shutdown"),
        AssertionError(),
        pickle.PicklingError(),
        ClientPayloadError(),
        InvalidURL("x"),
        OfPluginError(),
        StoreError("put", "k", "refused"),
    ],
    ids=repr,
)
def test_any_other_error_is_a_bug_and_no_lost_process(engine: Engine, error: Exception) -> None:
    assert not is_loss(error, engine.packages)
