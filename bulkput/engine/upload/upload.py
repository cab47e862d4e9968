"""A whole upload: opens the journal and the store, looks at the sources, runs, closes everything, adds up."""

import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.engine.compare.destination import Pathlike, sources_of
from bulkput.engine.open_store import governor_of, pace_of
from bulkput.engine.sources.check import SourceCheck
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner, tuner_of
from bulkput.engine.upload.assembly import Assembly, Context, build
from bulkput.engine.upload.beforehand import has_told_place, is_rehearsed
from bulkput.engine.upload.option_checks import check_classes, check_comparable, checked_headers
from bulkput.engine.upload.origin import origin_of, url_of
from bulkput.engine.upload.resume import Resume
from bulkput.engine.upload.sending import opened_for
from bulkput.engine.upload.survey import Survey, check_stdin, survey
from bulkput.errors import Stopped, StoreError, printable
from bulkput.model import Found, SourceFile
from bulkput.option_types import checked
from bulkput.options import UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.listed import check_upload
from bulkput.recorder import Recorder
from bulkput.results import Summary
from bulkput.stores.base import Destination, Store
from bulkput.transport.base import WireCount

if TYPE_CHECKING:
    from bulkput.engine.sources.open_source import Origin
    from bulkput.engine.upload.lanes import Lanes
    from bulkput.engine.upload.publish_manifest import Publication
    from bulkput.engine.upload.reaping import Reaping


async def upload(
    sources: Pathlike | Iterable[Pathlike],
    destination: str,
    *,
    options: UploadOptions | None = None,
    on_event: ev.Emit | None = None,
    recorder: Recorder | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Summary:
    """Upload files and directories to `destination`, a URL such as `swift://container/prefix`.

    With `options.files` a list names the files, and `sources` must be empty.

    A source may be the URL of another store, too: `s3://bucket/prefix/`. Then its objects are copied.

    Returns the numbers of the run. Failed files do not raise: check `Summary.exit_code` or `.failed`. `on_event` gets
    every event; it runs on the event loop and must be quick (`Stalled` comes from another thread if the event loop
    itself hangs). `recorder` holds the numbers during the run; `stop` ends it early.

    Raises UsageError, before anything is sent, for a wrong URL, a missing source or missing credentials, and SourceGone
    for a source on a file system that does not answer.
    """
    return await upload_by(
        None, sources, destination, options=options, on_event=on_event, recorder=recorder, stop=stop, environ=environ
    )


async def upload_by(
    lanes: "Lanes | None",
    sources: Pathlike | Iterable[Pathlike],
    destination: str,
    *,
    options: UploadOptions | None,
    on_event: ev.Emit | None,
    recorder: Recorder | None,
    stop: Stop | None,
    environ: Mapping[str, str] | None,
) -> Summary:
    """`upload`, by this process or, with `lanes`, by others."""
    options, stop, recorder = checked(options, UploadOptions), stop or Stop(), recorder or Recorder()
    roots = sources_of(sources, options)
    check_upload(options)
    check_stdin(roots, options)
    target = Destination.parse(destination)
    url = url_of(roots, options)
    context = _context(options, stop, recorder, on_event, target)
    options, tuner, emit = context.options, context.tuner, context.emit
    headers = checked_headers(options)
    async with (
        context.resume,
        opened_for(options, headers)(
            target,
            slots=tuner.slots,
            pace=context.pace,
            governor=context.governor,
            emit=emit,
            brake=stop,
            environ=environ,
        ) as (store, wire_count),
        origin_of(url, destination, context, environ) as origin,
    ):
        if options.rules:
            check_classes(options, store)
        if not store.powers.shows_md5:
            check_comparable(options)
        counts = (wire_count, origin.count) if origin is not None else (wire_count,)
        await _surveyed_and_run(context, store, origin or roots, target, counts=counts, lanes=lanes)
    return recorder.summary()


async def _surveyed_and_run(
    context: Context,
    store: Store,
    sources: "list[bytes] | Origin",
    target: Destination,
    *,
    counts: Sequence[WireCount],
    lanes: "Lanes | None",
) -> None:
    started, stop, emit = time.monotonic(), context.stop, context.emit
    try:
        surveyed = await _surveyed(sources, target, store, context)
    except (StoreError, Stopped) as error:
        if isinstance(error, StoreError):  # of a login
            stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        stop.report_to(emit)
        emit(_finished(started, counts))
    else:
        built = await build(context, store, surveyed, target, None if context.options.dry_run else lanes)
        await _run(context, built, target.root, started, counts)


async def _surveyed(sources: "list[bytes] | Origin", target: Destination, store: Store, context: Context) -> Survey:
    """Look at the sources, and open the journal. Raises UsageError, SourceGone, Stopped, and StoreError if the login
    fails that tells the journal which account it is."""
    options, place = context.options, store.place
    if options.journal is not None:
        from bulkput.engine.compare.journal_identity import place_of  # noqa: PLC0415 - json

        place = await place_of(store)
    if not isinstance(sources, list):
        from bulkput.engine.upload.survey_objects import survey_objects  # noqa: PLC0415 - for sources that are URLs

        return await survey_objects(sources, target, store, options, context.resume)
    check = SourceCheck(sources, context.stop, patience_s=options.body.read_timeout_s)
    return await check(survey, sources, target, place, options, context.resume)


def _context(
    options: UploadOptions, stop: Stop, recorder: Recorder, on_event: ev.Emit | None, target: Destination
) -> Context:
    """What the run has before the store is open. Raises UsageError."""
    pace, governor = pace_of(options.wire, stop), governor_of(options.wire, stop, target)
    tuner, resume = tuner_of(options.wire, pace, governor), Resume(options, stop)
    emit = _told_to(recorder, resume, on_event or _ignore, tuner)
    publication = _publication(options, stop)
    if publication is not None:
        emit = publication.receiver(emit)
    reaping = _reaping(options, stop, emit)
    recorder.tag = options.tag
    if governor is not None:
        from bulkput.engine.upload.per_container import counting  # noqa: PLC0415 - see `governor_of`

        emit = counting(emit, recorder, target)
    return Context(
        options=_tagged(options),
        stop=stop,
        recorder=recorder,
        tuner=tuner,
        pace=pace,
        governor=governor,
        resume=resume,
        reaping=reaping,
        publication=publication,
        emit=reaping.receiver(emit) if reaping is not None else emit,
        room=ev.room_of(on_event),
    )


async def _run(context: Context, built: Assembly, container: str, started: float, counts: Sequence[WireCount]) -> None:
    """Send the files of the sources. The last event is Finished. Raises like `upload`."""
    stop, emit = context.stop, context.emit
    context.tuner.report_to(emit)
    stop.report_to(emit)
    _tell_pace(context)
    context.resume.begin(emit)
    is_complete = False
    try:
        with built.watchdog, stop.waking(built.scan.close):
            async with stop.bounded(context.options.wire.timeout_s):
                await _pipe(context, built)
                if context.reaping is not None:
                    await context.reaping.run(built.store, container)
        _tell_share(context, built.survey)
        is_complete = True
    finally:
        built.close()
        if context.publication is not None:
            await context.publication.aclose()
        await context.resume.end(is_complete=is_complete)
        if is_complete:
            _warn(context, built.survey)
        _tell_pace(context, built.lanes)
        emit(_finished(started, counts, built.lanes))


async def _pipe(context: Context, built: Assembly) -> None:
    """Connect scan, comparison and pipeline, and prepare the store (log in, make the container) before it is needed.

    The scan begins at once, beside the login. A run without comparison prepares the store at once, unless its journal
    has uploads already: then there may be nothing to send. A dry run never does: it only asks what would come of it.
    """
    store, stop, scan, sync = built.store, context.stop, built.scan, built.sync
    run = built.stages.run if built.stages is not None else built.pipeline.run
    is_dry = context.options.dry_run
    scan.begin()
    if context.options.tells_urls and not is_dry and not await has_told_place(context, store):
        return
    if is_dry and not await is_rehearsed(context, store):
        return
    prepare = _is_still_ready if context.resume.has_uploads else _is_ready
    if sync is not None:
        with closing(sync):
            async with aclosing(sync.found(scan)) as found:
                await run(found if is_dry else _when_needed(found, lambda: prepare(store, stop)))
            await _put_manifest(context, built)
            await sync.remove_extra(context.recorder.failed)
        return
    if is_dry:
        await run(scan)
    elif context.resume.has_uploads:
        await run(_when_needed(scan, lambda: prepare(store, stop)))
    elif await prepare(store, stop):
        await run(scan)
    await _put_manifest(context, built)


async def _put_manifest(context: Context, built: Assembly) -> None:
    """Call it after all files are sent."""
    if context.publication is not None and isinstance(built.opener, BodyOpener):
        await context.publication.put(
            built.store,
            built.opener,
            built.survey.naming,
            context.recorder,
            context.emit,
            new_only=built.new_only,
        )


async def _when_needed(found: AsyncIterable[Found], prepare: Callable[[], Awaitable[bool]]) -> AsyncIterator[Found]:
    """Prepare the store before the first file to send, so that a run with nothing to send does not prepare it.

    A file that the worker still has to compare with an object (`listed`) does not count: its container has been listed,
    so it exists. Ends if `prepare` returns False: the run is then being stopped.
    """
    is_ready = False
    async for item in found:
        if not is_ready and isinstance(item, SourceFile) and item.listed is None:
            is_ready = await prepare()
            if not is_ready:
                return
        yield item


async def _is_ready(store: Store, stop: Stop) -> bool:
    try:
        await store.prepare()
    except (StoreError, Stopped) as error:
        stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        return False
    return True


async def _is_still_ready(store: Store, stop: Stop) -> bool:
    """Like `_is_ready`, for a run that resumes another. If the container was gone, what the journal says is wrong."""
    if not await _is_ready(store, stop):
        return False
    if store.was_made:
        gone = "what the journal says is stored there is gone: name another journal to send everything again"
        stop.pull(ev.Stopping(f"the container no longer exists; {gone}", ev.StopCause.STORE))
    return not store.was_made


def _warn(context: Context, survey: Survey) -> None:
    """Warn of patterns that matched nothing and of sources without files, if the run looked at everything."""
    options, emit, found, roots = context.options, context.emit, context.recorder, survey.roots
    if context.stop.order is not None or options.retry_failed:
        return
    for why in survey.useless(with_known=context.resume.has_uploads) if found.found else ():
        emit(ev.Warned(why))
    if not found.found_files and not found.elsewhere:
        where = "the list" if options.files is not None else printable(roots[0]) if len(roots) == 1 else "the sources"
        emit(ev.NothingFound(where, options.fail_if_empty))


def _tell_share(context: Context, survey: Survey) -> None:
    """Tell what belongs to other shards, if the run looked at everything."""
    share = survey.share
    if share is not None and context.stop.order is None:
        context.emit(ev.OtherShards(share.shard, share.of, share.elsewhere, share.split))


def _tell_pace(context: Context, lanes: "Lanes | None" = None) -> None:
    if context.pace is None:
        return
    pacing = context.pace.so_far()
    if lanes is not None:
        from bulkput.policy.lanes import summed  # noqa: PLC0415 - only a run by several processes needs it

        pacing = summed(pacing, lanes.pacings)
    context.emit(ev.Paced(pacing))


def _told_to(recorder: Recorder, resume: Resume, on_event: ev.Emit, tuner: Tuner) -> ev.Emit:
    """One receiver for all events: counts each, writes it to the journal, and shows it.

    A third of all events are Requested. Only the tuner acts on those, after they are shown, and on no others.
    """
    write_down = resume if resume.is_wanted else None

    def emit(event: ev.Event) -> None:
        if isinstance(event, ev.Requested):
            on_event(event)
            tuner(event)
            return
        recorder(event)
        if write_down is not None:
            write_down(event)
        on_event(event)

    return emit


def _publication(options: UploadOptions, stop: Stop) -> "Publication | None":
    """Raises UsageError."""
    if options.manifest is None:
        return None
    from bulkput.engine.upload.publish_manifest import Publication  # noqa: PLC0415 - only a run with a manifest needs it

    return Publication(options, stop)


def _tagged(options: UploadOptions) -> UploadOptions:
    """The options with the tag where it is kept. The journal has those without: each run may have another tag."""
    if options.tag is None and not options.keep_tag:
        return options
    from bulkput.policy.tag import tagged  # noqa: PLC0415 - only a run with a tag pays for it

    return tagged(options)


def _reaping(options: UploadOptions, stop: Stop, emit: ev.Emit) -> "Reaping | None":
    if not options.large.reap or options.dry_run:
        return None
    from bulkput.engine.upload.reaping import Reaping  # noqa: PLC0415 - only a run that reaps pays for it

    return Reaping(options, stop, emit)


def _finished(started: float, counts: Sequence[WireCount], lanes: "Lanes | None" = None) -> ev.Finished:
    elapsed_s, requests = time.monotonic() - started, Counter[str]()
    for count in counts:
        requests += count.requests
    connections = sum(count.connections for count in counts)
    if lanes is not None:
        requests.update(lanes.requests)
        connections += lanes.connections
    return ev.Finished(elapsed_s, dict(requests), connections)


def _ignore(_event: ev.Event) -> None:
    """Discards events: the view of a caller that gave no `on_event`."""
