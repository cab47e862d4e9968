"""The upload, on one page: found -> decided -> queued -> sent -> reported.

    source ──scan thread──> decide ──bounded queue──> workers: read + MD5 ──> PUT ──> verified ──> event

Each entry found is reported by exactly one of Uploaded, Skipped or Failed. If the run is stopped, workers take the rest
of the queue and report it as skipped. If an interrupted run is out of time, the pipeline is cancelled: then each worker
reports its own file as skipped, and the pool those still in the queue. Memory depends on the queue and the workers, not
on the number of files.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.activity import Activity
from bulkput.engine.pool import pool
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.put import Putter
from bulkput.errors import BulkputError, SourceError, Stopped, StoreError, TooLarge
from bulkput.model import Decision, EmptyDirectoryFound, Entry, Found, KnownFiles, Reason, Skip, Upload
from bulkput.options import NamingOptions, UploadOptions
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.plan import decide
from bulkput.policy.retry import FailurePolicy
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.engine.upload.turns import Turns
    from bulkput.policy.rules import Rules


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Decides on what a scan finds and sends it. The caller must end the source when `stop` is pulled."""

    store: Store
    putter: Putter
    naming: NamingOptions
    gzip: GzipNames
    rules: "Rules | None" = None
    options: UploadOptions
    tuner: Tuner
    emit: ev.Emit
    stop: Stop
    turns: "Callable[[], Turns[Upload]] | None" = None
    """Makes the queue in which files wait for their container; None if containers have no rates."""
    in_flight: set[Activity] = field(default_factory=set)
    """What each worker does now."""
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
        queue = self.turns() if self.turns is not None else None
        async with pool(
            self._send if queue is None else queue.handling(self._send),
            workers=self.tuner.workers,
            backlog=self.options.backlog if queue is None else queue.backlog(self.options.backlog),
            abandoned=self._not_sent,
            in_flight=self.in_flight,
            queue=queue,
        ) as workers:
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

    async def _send(self, upload: Upload) -> None:
        started = time.monotonic()
        source = upload.source
        try:
            self.stop.check()
            sent = await self.putter.put(upload)
        except Stopped:
            self._not_sent(upload)
        except asyncio.CancelledError:  # an interrupted run is out of time, or the caller cancelled it
            self._not_sent(upload)
            raise
        except BulkputError as error:
            self._fail(source.path, upload.key, error)
        else:
            self._failure_policy.succeeded()
            if isinstance(sent, Skip):
                self.emit(ev.Skipped(sent))
                return
            elapsed_s = time.monotonic() - started
            self.emit(ev.Uploaded(sent.upload, sent.stored, sent.size, sent.mtime_ns, elapsed_s, *sent[4:]))

    async def _decided_by_own_limits(self, found: Entry, refused: TooLarge) -> Decision:
        """The decision about a file that the store's assumed limits refuse: the store is asked for its own (one
        request). Without an answer, the assumed limits hold."""
        try:
            return self._decide(found, limits=await self.store.ask_limits())
        except (StoreError, Stopped):
            return refused

    def _not_sent(self, upload: Upload) -> None:
        self.emit(ev.Skipped(Skip(upload.source.path, upload.source.name, Reason.STOPPED, upload.key)))

    def _fail(self, path: bytes, key: str | None, error: BulkputError) -> None:
        self.emit(ev.Failed(path, key, error))
        if (order := self._failure_policy.failed(error)) is not None:
            self.stop.pull(order)
