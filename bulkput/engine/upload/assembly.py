"""Builds everything that one upload needs, and connects it.

    Context (before the store is open) + Survey (the look at the sources) + Store  ->  Assembly

`upload.py` opens what these need, runs them, and closes them.
"""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner, held_back_by
from bulkput.engine.upload.pipeline import Pipeline
from bulkput.engine.upload.resume import Resume
from bulkput.engine.upload.sender import Sender
from bulkput.engine.upload.sending import Sending, new_only_of, opener_of, putter_of
from bulkput.engine.upload.survey import Survey
from bulkput.engine.upload.watchdog import Watchdog
from bulkput.options import UploadOptions
from bulkput.payload.source_body import Opener
from bulkput.record import frozen
from bulkput.recorder import Recorder
from bulkput.sources.scan import Scanning
from bulkput.stores.base import Destination, Store

if TYPE_CHECKING:
    from bulkput.engine.upload.if_exists import NewOnly
    from bulkput.engine.upload.lanes import Lanes
    from bulkput.engine.upload.links import Links
    from bulkput.engine.upload.publish_manifest import Publication
    from bulkput.engine.upload.reaping import Reaping
    from bulkput.engine.upload.stages import Stages
    from bulkput.engine.upload.sync import Sync
    from bulkput.engine.upload.turns import Turns
    from bulkput.model import Upload
    from bulkput.stores.pace import Pace
    from bulkput.stores.spread.governor import Governor


@frozen(kw_only=True)
class Context:
    """What a run has from its start, before the store is open. All its parts share it."""

    options: UploadOptions
    stop: Stop
    recorder: Recorder
    tuner: Tuner
    pace: "Pace | None"
    """None if no rate was asked for."""
    governor: "Governor | None"
    """None if containers have no rates."""
    resume: Resume
    reaping: "Reaping | None"
    """None if overwritten large objects keep their segments."""
    publication: "Publication | None"
    """None if the run puts no manifest."""
    emit: ev.Emit
    room: Callable[[], Awaitable[None]]
    """Waits until the receiver of the events has caught up."""


@frozen(kw_only=True)
class Assembly:
    """Everything that one upload needs, built but not started."""

    store: Store
    survey: Survey
    scan: Scanning
    opener: Opener
    sync: "Sync | None"
    """None if the run compares nothing with the store."""
    pipeline: Pipeline
    new_only: "NewOnly | None"
    """None if what is there may be overwritten."""
    stages: "Stages | None"
    """None if the order of the files does not matter."""
    watchdog: Watchdog
    lanes: "Lanes | None"
    """None if this process sends the files itself."""

    def close(self) -> None:
        """End the scan, and close what reads files or keeps them waiting."""
        self.scan.close()
        self.opener.close()
        if self.stages is not None:
            self.stages.close()


async def build(
    context: Context, store: Store, survey: Survey, target: Destination, lanes: "Lanes | None" = None
) -> Assembly:
    """Build the upload of what `survey` has found to `target`, which `store` holds. No I/O, except that of `lanes`."""
    options, stop, emit = context.options, context.stop, context.emit
    scan = survey.scan(stop, _room(context))
    sending = Sending(
        options=options,
        stop=stop,
        emit=emit,
        earlier=context.resume,
        source=survey,
        gzip=survey.gzip,
        rules=survey.rules,
        scope=survey.scope,
        container=target.root,
        mark=os.urandom(8).hex(),
        shared_run=context.pace.shared_run if context.pace is not None else None,
    )
    opener = opener_of(sending, store)
    links = survey.links(store, target.root, emit)
    sync = _sync(context, store, survey, sending, opener, links=links)
    skipper = sync.skipper if sync is not None else None
    on_kept = sync.note_kept if sync is not None else None
    new_only = new_only_of(sending, store, on_kept)
    if lanes is not None:
        elsewhere = survey.elsewhere(target.root)
        await lanes.begin(sending, store, context.tuner, source=elsewhere, on_kept=on_kept)
    pipeline = Pipeline(
        store=store,
        sender=Sender(putter_of(sending, store, opener, skipper=skipper, new_only=new_only, links=links), stop),
        naming=survey.naming,
        gzip=survey.gzip,
        rules=survey.rules,
        options=options,
        tuner=context.tuner,
        emit=emit,
        stop=stop,
        lanes=lanes,
        turns=_turns(context, target),
    )
    return Assembly(
        store=store,
        survey=survey,
        scan=scan,
        opener=opener,
        sync=sync,
        pipeline=pipeline,
        new_only=new_only,
        stages=_stages(context, survey, pipeline),
        watchdog=_watchdog(context, scan, pipeline, lanes),
        lanes=lanes,
    )


def _watchdog(context: Context, scan: Scanning, pipeline: Pipeline, lanes: "Lanes | None") -> Watchdog:
    held = held_back_by(context.pace, context.governor)
    return Watchdog(
        context.recorder,
        context.emit,
        stall_s=context.options.stall_s,
        scanned=scan.at,
        in_flight=pipeline.in_flight,
        elsewhere=lambda: lanes.in_flight if lanes is not None else (),
        is_paced=lambda: held is not None and held.is_waiting,
    )


def _turns(context: Context, target: Destination) -> "Callable[[], Turns[Upload]] | None":
    """Makes the queue of files that wait for their container; None if containers have no rates."""
    governor = context.governor
    if governor is None:
        return None
    from bulkput.engine.upload.turns import Turns  # noqa: PLC0415 - see `governor`

    return lambda: Turns(governor, lambda upload: upload.key, target, context.stop)


def _stages(context: Context, survey: Survey, pipeline: Pipeline) -> "Stages | None":
    if survey.order is None:
        return None
    from bulkput.engine.upload.stages import Stages  # noqa: PLC0415 - pickle and tempfile: 6 ms

    return Stages(survey.order, pipeline.run, lambda: context.recorder.failed > 0, _room(context))


def _room(context: Context) -> Callable[[], Awaitable[None]]:
    """Back-pressure on the scan, and on the files that wait for `last`. They wait for the disk of the journal or of the
    manifest's notes, and for the receiver of the events."""
    publication = context.publication

    async def room() -> None:
        await context.resume.room()
        if publication is not None:
            await publication.room()
        await context.room()

    return room


def _sync(
    context: Context, store: Store, survey: Survey, sending: Sending, opener: Opener, *, links: "Links | None"
) -> "Sync | None":
    if survey.scope is None:
        return None
    from bulkput.engine.upload.sync import Sync  # noqa: PLC0415 - 20 ms, which only a run that compares has to pay

    return Sync(
        store,
        survey.scope,
        opener,
        sending,
        room=context.room,
        roots=survey.roots,
        left_out=survey.left_out,
        links=links,
    )
