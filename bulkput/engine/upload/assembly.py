"""Builds everything that one upload needs, and connects it.

    Context (before the store is open) + Survey (the look at the sources) + Store  ->  Assembly

`upload.py` opens what these need, runs them, and closes them.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.pipeline import Pipeline
from bulkput.engine.upload.put import Putter
from bulkput.engine.upload.resume import Resume
from bulkput.engine.upload.survey import Survey
from bulkput.engine.upload.watchdog import Watchdog
from bulkput.errors import UsageError
from bulkput.model import Upload
from bulkput.options import UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.payload.source_body import Opener
from bulkput.record import frozen
from bulkput.recorder import Recorder
from bulkput.sources.scan import Scanning
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.engine.upload.if_exists import NewOnly
    from bulkput.engine.upload.large import LargeSender
    from bulkput.engine.upload.links import Links
    from bulkput.engine.upload.publish_manifest import Publication
    from bulkput.engine.upload.reaping import Reaping
    from bulkput.engine.upload.stages import Stages
    from bulkput.engine.upload.sync import Sync
    from bulkput.payload.gzip_body import Packer
    from bulkput.payload.pipe import Pipe
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

    def close(self) -> None:
        """End the scan, and close what reads files or keeps them waiting."""
        self.scan.close()
        self.opener.close()
        if self.stages is not None:
            self.stages.close()


def build(context: Context, store: Store, survey: Survey, container: str) -> Assembly:
    """Build the upload of what `survey` has found into `container` of `store`. No I/O."""
    options, stop, emit = context.options, context.stop, context.emit
    scan = survey.scan(stop, _room(context))
    large_above = _large_above(options, store)
    opener = survey.opener(store, options, emit, large_above=large_above)
    links = survey.links(store, container, emit)
    sync = _sync(context, store, survey, opener, container=container, links=links)
    skipper = sync.skipper if sync is not None else None
    new_only = _new_only(context, survey, store, sync)
    pipeline = Pipeline(
        store=store,
        putter=Putter(
            store,
            opener,
            _packer(context, survey, opener),
            skipper,
            emit=emit,
            new_only=new_only,
            large_above=large_above,
            open_large=cache(lambda: _large(context, store)),
            open_pipe=partial(_pipe, context),
            in_parts=context.resume.uploads_begun,
            links=links,
        ),
        naming=survey.naming,
        gzip=survey.gzip,
        rules=survey.rules,
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
    return Assembly(
        store=store,
        survey=survey,
        scan=scan,
        opener=opener,
        sync=sync,
        pipeline=pipeline,
        new_only=new_only,
        stages=_stages(context, survey, pipeline),
        watchdog=watchdog,
    )


def _large_above(options: UploadOptions, store: Store) -> int:
    """The size in bytes above which a file may be sent in parts."""
    if store.powers.large is None:
        return sys.maxsize
    return min(options.large.above, store.limits.max_object_bytes)


def _stages(context: Context, survey: Survey, pipeline: Pipeline) -> "Stages | None":
    if survey.order is None:
        return None
    from bulkput.engine.upload.stages import Stages  # noqa: PLC0415 - pickle and tempfile: 6 ms

    return Stages(survey.order, pipeline.run, lambda: context.recorder.failed > 0, _room(context))


def _new_only(context: Context, survey: Survey, store: Store, sync: "Sync | None") -> "NewOnly | None":
    """None if what is there may be overwritten, and in a dry run. Raises UsageError."""
    mode, skip = context.options.if_exists, context.options.skip
    is_implied = mode == "replace" and skip.mode == "existing" and skip.expire_extra_s is None
    if is_implied and store.powers.refuses_existing is not None:
        mode = "skip"
    if mode == "replace" or context.options.dry_run:
        return None
    if skip.expire_extra_s is not None:
        raise UsageError(
            "`skip.expire_extra_s` and `if_exists` exclude each other: an object that expires and whose file is here"
            " again has to be overwritten, or it vanishes"
        )
    from bulkput.engine.upload.if_exists import NewOnly  # noqa: PLC0415 - only a run that overwrites nothing pays for it

    return NewOnly(
        store,
        mode,
        context.emit,
        context.stop,
        adds_suffix=lambda name: bool(survey.gzip.suffix(name)),
        on_kept=sync.note_kept if sync is not None else None,
        is_implied=is_implied,
    )


def _large(context: Context, store: Store) -> "LargeSender":
    from bulkput.engine.upload.large import LargeSender  # noqa: PLC0415 - only a run with a large file pays for it

    return LargeSender(
        store,
        context.options.large,
        emit=context.emit,
        stop=context.stop,
        known=context.resume.known_parts,
        journalled=context.resume,
    )


def _pipe(context: Context, upload: Upload) -> "Pipe":
    from bulkput.payload.pipe import Pipe  # noqa: PLC0415 - only an upload from a pipe pays for it

    large = context.options.large
    return Pipe(
        upload,
        context.stop,
        context.emit,
        chunk_size=context.options.body.chunk_size,
        expect_size=large.expect_size,
        expect_md5=large.expect_md5,
        may_be_empty=not context.options.fail_if_empty,
    )


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
    context: Context, store: Store, survey: Survey, opener: Opener, *, container: str, links: "Links | None"
) -> "Sync | None":
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
        rules=survey.rules,
        container=container,
        links=links,
    )


def _packer(context: Context, survey: Survey, opener: Opener) -> "Packer | None":
    options = context.options
    if not options.compresses or not isinstance(opener, BodyOpener):
        return None
    from bulkput.payload.gzip_body import Packer  # noqa: PLC0415 - 15 ms, which only a run that compresses has to pay

    return Packer(
        options.gzip,
        survey.gzip,
        opener,
        hold=options.body.buffer_size,
        check=context.stop.check,
    )
