"""Processes on many machines: the workers of a Dask cluster, one for each lane.

    Cluster ──Client──> scheduler ──> worker tcp://10.0.0.4:39123   all calls of a lane go to one worker, by its
                                 └──> worker tcp://10.0.0.5:40001   address, so they reach one process

A task that is bound to a worker that is gone waits for ever in Dask. So the scheduler's list of workers is looked at
every second, and the calls of those that have gone from it fail. Their lanes wait for a worker that no lane has: one
that was restarted, or a new one. Meanwhile the others send the files.
"""

import asyncio
import ipaddress
import logging
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bulkput.errors import UsageError, printable
from bulkput.scale.dask_process import DaskProcess
from bulkput.scale.engine import NoProcess
from bulkput.scale.needs import Needs, why_unfit
from bulkput.scale.worker import end

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")

_CONNECT_S = 10.0
_LOOK_EVERY_S = 1.0
_ANSWER_S = 15.0
"""A scheduler that is busy with others answers late; one that does not answer for this long may be gone."""
_PATIENCE_S = 60.0
"""A worker is back within seconds if its nanny restarts it, and within a minute if a batch system does."""
_END_S = 3.0
_ADDRESS = re.compile(r"(?:tcp|tls)://(?:\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+):[0-9]+")


_MISSING = re.compile(r"No module named '[^']*'|cannot import name '[^']*'|has no attribute '[^']*'")


def is_address(text: str) -> bool:
    """Whether it is an address of a scheduler, as Dask writes them."""
    return _ADDRESS.fullmatch(text) is not None


def is_in_the_open(address: str) -> bool:
    """Whether what is sent to this address may be read on the way."""
    scheme, _, rest = address.partition("://")
    host = rest.rpartition(":")[0].strip("[]")
    if scheme != "tcp" or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


class Cluster:
    """An engine of the workers of the Dask scheduler at `address`, such as `tcp://10.0.0.1:8786` or `tls://...`.

    The certificates of `tls://` are those of Dask's own configuration (`distributed.comm.tls`). `lanes`: how many
    workers send files, at most; those that come during the run are taken too. By default as many as there are when the
    run begins. `patience_s`: how long to wait for a worker if there is none.
    """

    is_elsewhere = True
    packages = frozenset(("distributed", "concurrent"))

    def __init__(self, address: str, *, lanes: int | None = None, patience_s: float = _PATIENCE_S) -> None:
        """Raises UsageError."""
        if not is_address(address):
            raise UsageError(
                f"the address of a Dask scheduler is tcp://HOST:PORT or tls://HOST:PORT, and not {printable(address)}"
            )
        self.address = address
        self.lanes = lanes or 0
        self._patience_s = patience_s
        self._opening: asyncio.Future[Client] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._needs: Needs | None = None
        self._warn: Callable[[str], None] = _ignore
        self._there: tuple[str, ...] = ()
        """The addresses of the workers that the scheduler has."""
        self._fit: set[str] = set()
        self._unfit: set[str] = set()
        self._processes: dict[int, DaskProcess] = {}
        """Of each lane, the one that it has."""
        self._used: set[str] = set()
        self._alone_since: float | None = None
        """Since when there is no worker that can send files."""
        self._gone: str | None = None
        """Why there will be none."""

    def begin(self, destination: str) -> None:
        _check_installed()
        self._opening = asyncio.wrap_future(_opening(self.address))

    async def ready(self, needs: Needs, warn: Callable[[str], None]) -> None:
        if self._opening is None:
            raise AssertionError("begin comes first")
        self._needs, self._warn = needs, warn
        try:
            self._client = await asyncio.wait_for(asyncio.shield(self._opening), 2 * _CONNECT_S)
        except TimeoutError as error:  # Dask's own deadline is for each of its attempts
            raise UsageError(f"no Dask scheduler answers at {self.address} within {2 * _CONNECT_S:.0f} s") from error
        if is_in_the_open(self.address):
            warn(
                f"what goes to {self.address} is not encrypted, and logins are among it: use tls://, or a network that"
                " no one else is on"
            )
        await self._first_workers()
        whys = await asyncio.gather(*(self._why_unfit(address) for address in self._there))
        if found := [why for why in whys if why is not None]:
            raise UsageError(found[0])
        self._fit.update(self._there)
        self.lanes = self.lanes or len(self._there)
        self._watching = asyncio.create_task(self._watch(), name="bulkput-cluster")

    async def process(self, lane: int) -> "DaskProcess":
        if (last := self._processes.pop(lane, None)) is not None:
            last.lose("it is not used any more")
            with suppress(Exception):  # the watch says it, if it lasts
                self._note(await self._addresses(), time.monotonic())  # the last look may be older than its end
        while True:
            if self._gone is not None:
                raise NoProcess(self._gone)
            taken = {process.address for process in self._processes.values()}
            for address in self._there if self._connection.status == "running" else ():
                if address in taken or address in self._unfit:
                    continue
                process = self._processes[lane] = DaskProcess(self._connection, address)
                self._used.add(address)
                if address in self._fit or await self._turns_out_fit(address):
                    return process
                del self._processes[lane]
                break
            else:
                await asyncio.sleep(_LOOK_EVERY_S / 4)

    async def aclose(self, run: str) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._opening is not None:
            await asyncio.wait([self._opening], timeout=_END_S)
            if not self._opening.cancel() and self._opening.exception() is None:
                self._client = self._opening.result()
        if self._client is None:
            return
        ends = [DaskProcess(self._client, address).submit(end, run) for address in self._used & set(self._there)]
        if ends:
            done, _ = await asyncio.wait([asyncio.wrap_future(each) for each in ends], timeout=_END_S)
            for each in done:
                each.exception()  # of a worker that is gone by now
        for process in self._processes.values():
            process.fail("the run has ended")
        with suppress(Exception):  # a scheduler that is gone: there is nothing left to close
            await asyncio.to_thread(self._client.close, _END_S)

    @property
    def _connection(self) -> "Client":
        if self._client is None:
            raise AssertionError("ready comes first")
        return self._client

    # Which workers there are.

    async def _first_workers(self) -> None:
        until = time.monotonic() + self._patience_s
        while not self._there:
            try:
                self._there = await self._addresses()
            except Exception as error:
                raise UsageError(f"the Dask scheduler at {self.address} does not answer: {error}") from error
            if self._there:
                return
            if time.monotonic() > until:
                raise UsageError(
                    f"the Dask scheduler at {self.address} has no workers: start one by `dask worker {self.address}`"
                )
            await asyncio.sleep(_LOOK_EVERY_S / 4)

    async def _watch(self) -> None:
        failing_since: float | None = None
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now_s = time.monotonic()
            try:
                there = await self._addresses()
            except Exception as error:  # noqa: BLE001 - Dask has many ways to say that a scheduler does not answer
                failing_since = failing_since or now_s
                if self._connection.status == "closed" or now_s - failing_since > self._patience_s:
                    self._give_up(f"the Dask scheduler at {self.address} is gone: {error or type(error).__name__}")
                continue
            failing_since = None
            self._note(there, now_s)

    def _note(self, there: tuple[str, ...], now_s: float) -> None:
        lost = set(self._there) - set(there)
        self._there = there
        self._fit -= lost
        self._unfit -= lost
        for process in self._processes.values():
            if process.address in lost:
                process.lose("it is gone from the Dask cluster")
        if set(there) - self._unfit:
            self._alone_since = None
            return
        self._alone_since = self._alone_since or now_s
        if now_s - self._alone_since > self._patience_s:
            self._give_up(
                f"no worker is left at the Dask scheduler {self.address}, and none has come within"
                f" {self._patience_s:.0f} s"
            )

    def _give_up(self, why: str) -> None:
        self._gone = why
        for process in self._processes.values():
            process.lose(why)

    async def _addresses(self) -> tuple[str, ...]:
        client = self._connection
        if client.status != "running":
            raise ConnectionError(f"the connection is {client.status}")
        answer: dict[str, int] = await asyncio.wait_for(_in_loop_of(client, client.scheduler.ncores()), _ANSWER_S)
        return tuple(answer)

    # Whether a worker can send the files.

    async def _turns_out_fit(self, address: str) -> bool:
        """Of a worker that has come during the run."""
        why = await self._why_unfit(address)
        if why is None:
            self._fit.add(address)
            return True
        self._unfit.add(address)
        self._warn(f"{why}. The run goes on without it")
        return False

    async def _why_unfit(self, address: str) -> str | None:
        if self._needs is None:
            raise AssertionError("ready comes first")
        client, plain = self._connection, self._needs.plain
        process = DaskProcess(client, address)
        # First not by a task: a worker that cannot unpickle one does not say so, and waits for ever.
        run = partial(client.run, why_unfit, plain, workers=[address], on_error="return")
        who = f"the worker {process.name}"
        try:
            answers: dict[str, Any] = await asyncio.wait_for(asyncio.to_thread(run), self._patience_s)
            why = answers.get(address, "is gone")
            if isinstance(why, BaseException):
                return _told_of_a_stranger(who, why)
            if why is None:
                who = f"the scheduler {self.address}"  # it unpickles tasks, too
                asked = process.submit(why_unfit, plain)
                why = await asyncio.wait_for(asyncio.wrap_future(asked), self._patience_s)
        except TimeoutError:
            return f"the worker {process.name} does not answer within {self._patience_s:.0f} s"
        except Exception as error:  # noqa: BLE001 - whatever a foreign Python raises when it unpickles
            return _told_of_a_stranger(who, error)
        return f"the worker {process.name} {why}" if why is not None else None


def _in_loop_of(client: "Client", asking: Coroutine[Any, Any, T]) -> "asyncio.Future[T]":
    """Await in this loop what has to run in Dask's."""
    return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asking, client.loop.asyncio_loop))


def _check_installed() -> None:
    from importlib.util import find_spec  # noqa: PLC0415 - only for this engine

    if find_spec("distributed") is None:
        raise UsageError("a cluster needs Dask, which is not installed: pip install 'bulkput[cluster]'")


def _opening(address: str) -> "Future[Client]":
    """Connect in a thread that the end of the program does not wait for."""
    opened: Future[Client] = Future()

    def connect() -> None:
        try:
            client = _connected(address)
        except Exception as error:  # noqa: BLE001 - the run raises it
            with suppress(InvalidStateError):  # the run has ended
                opened.set_exception(error)
        else:
            with suppress(InvalidStateError):
                opened.set_result(client)

    threading.Thread(target=connect, name="bulkput-cluster", daemon=True).start()
    return opened


def _connected(address: str) -> "Client":
    """Connect to the scheduler. Blocks, and imports what takes a second. Raises UsageError."""
    import dask  # noqa: PLC0415 - an extra, and slow
    from distributed import Client  # noqa: PLC0415 - the same
    from distributed.versions import VersionMismatchWarning  # noqa: PLC0415 - the same

    if not (dask.config.get("logging", None) or dask.config.get("distributed.logging", None)):
        # Dask writes a traceback to stderr for each connection that is lost. What matters of it, the run says.
        for name in ("distributed", "distributed.client", "tornado", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)  # of many packages; two matter: `Needs`
    try:
        _check_listening(address)
        return Client(address, timeout=_CONNECT_S, set_as_default=False, name="bulkput")
    except (OSError, TimeoutError) as error:
        raise UsageError(f"no Dask scheduler answers at {address}: {_last_of(error)}") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"cannot connect to the Dask scheduler at {address}: {error}") from error


def _check_listening(address: str) -> None:
    """Raises OSError at once if nothing listens there; Dask would try again and again."""
    host, _, port = address.partition("://")[2].rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S):
        pass


def _last_of(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _told_of_a_stranger(who: str, error: BaseException) -> str:
    """A sentence for what a worker or a scheduler says that is asked for the first time. Dask puts errors into others,
    also as texts."""
    seen: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in seen:
        seen.append(each)
        each = each.__cause__ or each.__context__
    for one in seen:
        if missing := _MISSING.search(str(one)):
            return f"{who} cannot import bulkput ({missing[0]}): install the same version there"
    return f"{who} cannot be used: {type(error).__name__}: {error}"


def _ignore(_why: str) -> None:
    """Takes warnings before there is a run."""
