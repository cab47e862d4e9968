"""The upload, on one page: found -> decided -> queued -> sent -> reported.

    source ──scan thread──> decide ──bounded queue──> workers: read + MD5 ──> PUT ──> verified ──> event

Whatever is found is reported by exactly one of Uploaded, Skipped or Failed, also when the run is stopped: workers
report the queue's remainder as skipped. Memory is bounded by the queue and the workers, never by the tree.
"""

import time
from collections.abc import AsyncIterator
from functools import partial

from bulkput import events as ev
from bulkput.engine.pool import pool
from bulkput.engine.put import put_file
from bulkput.engine.stop import Stop
from bulkput.errors import BulkputError, StoreError, TooLarge
from bulkput.model import Decision, Found, Reason, Skip, SourceFile, Upload
from bulkput.options import NamingOptions, UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.plan import decide
from bulkput.policy.retry import GiveUp
from bulkput.stores.base import Store


async def send_all(
    source: AsyncIterator[Found],
    store: Store,
    opener: BodyOpener,
    *,
    naming: NamingOptions,
    options: UploadOptions,
    emit: ev.Emit,
    stop: Stop,
) -> None:
    """Send everything that `source` yields. Failures are events; what this raises is a bug or a cancellation."""
    give_up = GiveUp(options.stop)

    def fail(path: bytes, key: str | None, error: BulkputError, file: SourceFile | None) -> None:
        emit(ev.Failed(path, key, error, file))
        if (order := give_up.failed(error)) is not None:
            stop.pull(order)

    async def send(upload: Upload) -> None:
        if stop.is_pulled:
            emit(ev.Skipped(Skip(upload.source.path, upload.source.name, Reason.STOPPED, upload.key)))
            return
        started = time.monotonic()
        try:
            stored, bytes_read = await put_file(upload, store, opener)
        except BulkputError as error:
            fail(upload.source.path, upload.key, error, upload.source)
        else:
            give_up.succeeded()
            emit(ev.Uploaded(upload, stored, bytes_read, time.monotonic() - started))

    # A few more workers than requests in flight: while one waits for its slot, its file is read and hashed already.
    workers = options.wire.concurrency + options.wire.concurrency // 4
    async with pool(send, workers=workers, backlog=options.backlog) as submit:
        async for found in source:
            emit(ev.Discovered(found))
            match await _decided(found, store, naming, options):
                case Upload() as upload:
                    await submit(upload)
                case Skip() as skip:
                    emit(ev.Skipped(skip))
                case error:
                    file = found if isinstance(found, SourceFile) else None
                    fail(found.path, None, error, file)
            if stop.is_pulled:
                break
        emit(ev.ScanDone())


async def _decided(found: Found, store: Store, naming: NamingOptions, options: UploadOptions) -> Decision:
    """By the limits that the store is assumed to have; only what these refuse is a reason to ask for its own."""
    plan = partial(decide, found, naming=naming, headers=options.headers, dry_run=options.dry_run)
    decision = plan(limits=store.limits)
    if isinstance(decision, TooLarge) and not options.dry_run:
        try:
            return plan(limits=await store.ask_limits())
        except StoreError:
            return decision
    return decision
