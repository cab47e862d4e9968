"""The upload, on one page: found -> decided -> queued -> sent -> reported.

    source ──scan thread──> decide ──bounded queue──> workers: read + MD5 ──> PUT ──> verified ──> event

Each entry found is reported by exactly one of Uploaded, Skipped or Failed. If the run is stopped, workers take the rest
of the queue and report it as skipped. If an interrupted run is out of time, the pipeline is cancelled: then each worker
reports its own file as skipped, and the pool those still in the queue. Memory depends on the queue and the workers, not
on the number of files.
"""

import asyncio
from collections.abc import AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.activity import Activity
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.sender import Outcome, Sender, not_sent
from bulkput.errors import BulkputError, SourceError, Stopped, StoreError, TooLarge
from bulkput.model import Decision, EmptyDirectoryFound, Entry, Found, KnownFiles, Reason, Skip, Upload
from bulkput.options import NamingOptions, UploadOptions
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.plan import decide
from bulkput.policy.retry import FailurePolicy
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.engine.upload.lanes import Lanes, Workers
    from bulkput.engine.upload.turns import Turns
    from bulkput.policy.rules import Rules


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Decides on what a scan finds and sends it. The caller must end the source when `stop` is pulled."""

    store: Store
    sender: Sender
    naming: NamingOptions
    gzip: GzipNames
    rules: "Rules | None" = None
    options: UploadOptions
    tuner: Tuner
    emit: ev.Emit
    stop: Stop
    lanes: "Lanes | None" = None
    """Sends the files by other processes; None: this one sends them."""
    turns: "Callable[[], Turns[Upload]] | None" = None
    """Makes the queue in which files wait for their container; None if containers have no rates."""
    in_flight: set[Activity] = field(default_factory=set)
    """What each worker of this process does now."""
    _failure_policy: FailurePolicy = field(init=False)
    _decide: Callable[..., Decision] = field(init=False)

    def __post_init__(self) -> None:
        options = self.options
        self._failure_policy = FailurePolicy(options.stop)
        self._decide = partial(
            decide,
            naming=self.naming,
            headers=options.headers,
            gzip=self.gzip,
            rules=self.rules,
            limits=self.store.limits,
            large=options.large,
            dry_run=options.dry_run,
        )

    async def run(self, source: AsyncIterable[Found], *, is_last: bool = True) -> None:
        """Send everything that `source` yields. Failures become events. `is_last`: nothing more is found after it.

        Raises the source's own errors (UsageError of `Sync.found`), CancelledError, and bugs.
        """
        async with self._workers() as workers:
            self.tuner.resizes(workers)
            async for found in source:
                if isinstance(found, KnownFiles):
                    self.emit(ev.Known(found.count, found.size))
                    continue
                if isinstance(found, EmptyDirectoryFound):
                    self.emit(ev.EmptyDirectory(found.path))
                    continue
                decision = self._decide(found)
                if isinstance(decision, TooLarge) and not self.options.dry_run:
                    decision = await self._decided_by_own_limits(found, decision)
                # No await from here until the entry is queued or reported: a cancellation between would lose it.
                self.emit(ev.Discovered(found))
                match decision:
                    case Upload() as upload:
                        await workers.submit(upload)
                    case Skip() as skip:
                        self.emit(ev.Skipped(skip))
                    case SourceError() as error:
                        self._fail(error.path, None, error)
                    case TooLarge() as error:
                        self._fail(found.path, error.key, error)
            if is_last:
                self.emit(ev.ScanDone())

    def _workers(self) -> "AbstractAsyncContextManager[Workers]":
        """Those that take the files: of this process, or others."""
        if self.lanes is not None:
            return self.lanes.taking(self.report)
        queue = self.turns() if self.turns is not None else None
        return pool(
            self._send if queue is None else queue.handling(self._send),
            workers=self.tuner.workers,
            backlog=self.options.backlog if queue is None else queue.backlog(self.options.backlog),
            abandoned=lambda upload: self.report(not_sent(upload)),
            in_flight=self.in_flight,
            queue=queue,
        )

    async def _send(self, upload: Upload) -> None:
        try:
            outcome = await self.sender.send(upload)
        except asyncio.CancelledError:  # an interrupted run is out of time, or the caller cancelled it
            self.report(not_sent(upload))
            raise
        self.report(outcome)

    def report(self, outcome: Outcome) -> None:
        """Emit the outcome of a file that was submitted. Stop the run if a failure means so."""
        match outcome:
            case ev.Failed():
                self._fail(outcome.path, outcome.key, outcome.error)
                return
            case ev.Uploaded():
                self._failure_policy.succeeded()
            case ev.Skipped() if outcome.skip.reason is not Reason.STOPPED:
                self._failure_policy.succeeded()
        self.emit(outcome)

    async def _decided_by_own_limits(self, found: Entry, refused: TooLarge) -> Decision:
        """The decision about a file that the store's assumed limits refuse: the store is asked for its own (one
        request). Without an answer, the assumed limits hold."""
        try:
            return self._decide(found, limits=await self.store.ask_limits())
        except (StoreError, Stopped):
            return refused

    def _fail(self, path: bytes, key: str | None, error: BulkputError) -> None:
        self.emit(ev.Failed(path, key, error))
        if (order := self._failure_policy.failed(error)) is not None:
            self.stop.pull(order)
