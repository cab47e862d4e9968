"""Builds the parts of an upload and connects them.

    Context (before the store is open) + Survey (the look at the sources) + Store  ->  UploadParts

`upload.py` opens what these need, runs them, and closes them.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.pipeline import Pipeline
from bulkput.engine.upload.put import Putter
from bulkput.engine.upload.resume import Resume
from bulkput.engine.upload.survey import Survey
from bulkput.engine.upload.watchdog import Watchdog
from bulkput.options import UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.record import frozen
from bulkput.recorder import Recorder
from bulkput.sources.scan import Scan
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.engine.upload.sync import Sync
    from bulkput.payload.gzip_body import Packer
    from bulkput.stores.pace import Pace


@frozen(kw_only=True)
class Context:
    """What a run has from its start, before the store is open. All its parts share it."""

    options: UploadOptions
    stop: Stop
    recorder: Recorder
    tuner: Tuner
    pace: "Pace | None"
    """None if no rate was asked for."""
    resume: Resume
    emit: ev.Emit
    room: Callable[[], Awaitable[None]]
    """Waits until the receiver of the events has caught up."""


@frozen(kw_only=True)
class UploadParts:
    """The parts of one upload, built but not started."""

    store: Store
    survey: Survey
    scan: Scan
    opener: BodyOpener
    sync: "Sync | None"
    """None if the run compares nothing with the store."""
    pipeline: Pipeline
    watchdog: Watchdog


def build(context: Context, store: Store, survey: Survey, container: str) -> UploadParts:
    """Build the parts of an upload of what `survey` has found into `container` of `store`. No I/O."""
    options, stop, emit = context.options, context.stop, context.emit
    scan = Scan(survey.found, _room(context))
    hashes = store.powers.checks_md5 or options.gzip.mode != "never" or options.skip.is_wanted
    opener = BodyOpener(options.body, emit, may_hang=survey.may_hang, hashes=hashes)
    sync = _sync(context, store, survey, opener, container)
    skipper = sync.skipper if sync is not None else None
    pipeline = Pipeline(
        store=store,
        putter=Putter(store, opener, _packer(context, survey, opener), skipper),
        naming=survey.naming,
        gzip=survey.gzip,
        options=options,
        tuner=context.tuner,
        emit=emit,
        stop=stop,
    )
    pace = context.pace
    watchdog = Watchdog(
        context.recorder,
        emit,
        stall_s=options.stall_s,
        scanned=scan.at,
        in_flight=pipeline.in_flight,
        is_paced=lambda: pace is not None and pace.is_waiting,
    )
    return UploadParts(
        store=store, survey=survey, scan=scan, opener=opener, sync=sync, pipeline=pipeline, watchdog=watchdog
    )


def _room(context: Context) -> Callable[[], Awaitable[None]]:
    """Back-pressure on the scan: it waits for the journal's disk and for the receiver of the events."""

    async def room() -> None:
        await context.resume.room()
        await context.room()

    return room


def _sync(context: Context, store: Store, survey: Survey, opener: BodyOpener, container: str) -> "Sync | None":
    if survey.scope is None:
        return None
    from bulkput.engine.upload.sync import Sync  # noqa: PLC0415 - 20 ms, which only a run that compares has to pay

    return Sync(
        store,
        survey.scope,
        opener,
        options=context.options,
        stop=context.stop,
        emit=context.emit,
        room=context.room,
        roots=survey.roots,
        container=container,
    )


def _packer(context: Context, survey: Survey, opener: BodyOpener) -> "Packer | None":
    options = context.options
    if options.gzip.mode == "never":
        return None
    from bulkput.payload.gzip_body import Packer  # noqa: PLC0415 - 15 ms, which only a run that compresses has to pay

    return Packer(
        options.gzip,
        survey.gzip,
        opener,
        hold=options.body.buffer_size,
        check=context.stop.check,
    )
