"""A whole upload: opens the journal and the store, looks at the sources, runs, closes everything, adds up."""

import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.activity import doing
from bulkput.engine.compare.destination import Pathlike, sources_of
from bulkput.engine.open_store import connected, pace_of
from bulkput.engine.source_check import SourceCheck
from bulkput.engine.stop import Stop
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.assembly import Assembly, Context, build
from bulkput.engine.upload.origin import origin_of, url_of
from bulkput.engine.upload.resume import Resume
from bulkput.engine.upload.survey import Survey, check_stdin, survey
from bulkput.errors import Stopped, StoreError, UsageError, printable
from bulkput.model import Found, SourceFile
from bulkput.option_types import checked
from bulkput.options import HeaderOptions, UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.headers import check_compressible
from bulkput.policy.listed import check_upload
from bulkput.recorder import Recorder
from bulkput.results import Summary
from bulkput.stores.base import Destination, Store
from bulkput.transport.base import WireCount

if TYPE_CHECKING:
    from bulkput.engine.upload.open_source import Origin
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
    options, stop, recorder = checked(options, UploadOptions), stop or Stop(), recorder or Recorder()
    roots = sources_of(sources, options)
    check_upload(options)
    check_stdin(roots, options)
    url = url_of(roots, options)
    context = _context(options, stop, recorder, on_event)
    options, tuner, emit = context.options, context.tuner, context.emit
    headers = _checked_headers(options)
    async with (
        context.resume,
        connected(
            destination,
            wire=options.wire,
            retry=options.retry,
            storage_policy=options.storage_policy,
            headers=headers,
            encodes=options.encodes,
            large=options.large,
            s3=options.s3,
            checksum_headers=options.checksum_headers,
            tag=options.tag,
            slots=tuner.slots,
            pace=context.pace,
            emit=emit,
            brake=stop,
            environ=environ,
        ) as (store, wire_count),
        origin_of(url, destination, context, environ) as origin,
    ):
        if options.rules:
            _check_classes(options, store)
        if not store.powers.shows_md5:
            _check_comparable(options)
        target = Destination.parse(destination)
        counts = (wire_count, origin.count) if origin is not None else (wire_count,)
        await _surveyed_and_run(context, store, origin or roots, target, counts)
    return recorder.summary()


async def _surveyed_and_run(
    context: Context, store: Store, sources: "list[bytes] | Origin", target: Destination, counts: Sequence[WireCount]
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
        await _run(context, build(context, store, surveyed, target.root), target.root, started, counts)


def _checked_headers(options: UploadOptions) -> HeaderOptions:
    """The headers that the store has to be able to keep. Raises UsageError for those that cannot be sent."""
    headers = options.headers
    if options.rules:
        from bulkput.policy.rules import check_rules, every_header  # noqa: PLC0415 - only a run with rules needs them

        check_rules(options)
        headers = every_header(options)
    check_compressible(options)
    return headers


def _check_classes(options: UploadOptions, store: Store) -> None:
    """Raises UsageError."""
    from bulkput.policy.rules import check_storage_classes  # noqa: PLC0415 - see above

    check_storage_classes(options.rules, has_storage_classes=store.powers.storage_classes)


def _check_comparable(options: UploadOptions) -> None:
    """Raises UsageError for a run that needs the MD5s of objects, where the store shows none."""
    if options.skip.mode == "identical":
        raise UsageError(
            "`skip.mode='identical'` compares MD5s, and this store shows none of its objects:"
            " `skip.mode='unchanged'` compares size and time"
        )
    if options.if_exists == "differs":
        raise UsageError(
            "`if_exists='differs'` compares MD5s, and this store shows none of its objects: `if_exists='fail'` or"
            " `if_exists='skip'` needs none"
        )


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


def _context(options: UploadOptions, stop: Stop, recorder: Recorder, on_event: ev.Emit | None) -> Context:
    """What the run has before the store is open. Raises UsageError."""
    pace = pace_of(options.wire, stop)
    tuner, resume = Tuner(options.wire, pace=pace), Resume(options, stop)
    emit = _told_to(recorder, resume, on_event or _ignore, tuner)
    publication = _publication(options, stop)
    if publication is not None:
        emit = publication.receiver(emit)
    reaping = _reaping(options, stop, emit)
    recorder.tag = options.tag
    return Context(
        options=_tagged(options),
        stop=stop,
        recorder=recorder,
        tuner=tuner,
        pace=pace,
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
        is_complete = True
    finally:
        built.close()
        if context.publication is not None:
            await context.publication.aclose()
        await context.resume.end(is_complete=is_complete)
        if is_complete:
            _warn(context, built.survey)
        _tell_pace(context)
        emit(_finished(started, counts))


async def _pipe(context: Context, built: Assembly) -> None:
    """Connect scan, comparison and pipeline, and prepare the store (log in, make the container) before it is needed.

    The scan begins at once, beside the login. A run without comparison prepares the store at once, unless its journal
    has uploads already: then there may be nothing to send. A dry run never does: it only asks what would come of it.
    """
    store, stop, scan, sync = built.store, context.stop, built.scan, built.sync
    run = built.stages.run if built.stages is not None else built.pipeline.run
    is_dry = context.options.dry_run
    scan.begin()
    if context.options.tells_urls and not is_dry and not await _has_told_place(context, store):
        return
    if is_dry and not await _is_rehearsed(context, store):
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


async def _has_told_place(context: Context, store: Store) -> bool:
    """Tell where the objects will be. False if the run is being stopped: the login has failed, and would fail again.
    Any other look that fails is no failure of the run."""
    urls = store.powers.urls
    if urls is None:
        context.emit(ev.Warned("the URLs of the objects are not known: this kind of store has none"))
        return True
    base = None
    try:
        with doing("asking where the objects will be"):
            base = await urls.base()
            is_public = await urls.is_public()
    except Stopped:
        return False
    except StoreError as error:
        if error.is_of_login:
            context.stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
            return False
        context.emit(ev.Warned(f"it is not known who may read the objects: {error}"))
        is_public = False
    if base is not None:
        context.emit(ev.Place(base, is_public))
    return True


async def _is_rehearsed(context: Context, store: Store) -> bool:
    """Whether the upload would begin, as far as the store can tell. If it would not, the run is being stopped as that
    would be. A store that does not answer hides nothing of the plan."""
    if store.powers.rehearse is None:
        return True
    try:
        with doing("asking whether the upload would begin"):
            await store.powers.rehearse()
    except Stopped:
        return False
    except StoreError as error:
        if error.stops_run:
            context.stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
            return False
        context.emit(ev.Warned(f"it is not known whether the upload would begin: {error}"))
    return True


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
    if not found.found_files:
        where = "the list" if options.files is not None else printable(roots[0]) if len(roots) == 1 else "the sources"
        emit(ev.NothingFound(where, options.fail_if_empty))


def _tell_pace(context: Context) -> None:
    if context.pace is not None:
        context.emit(ev.Paced(context.pace.so_far()))


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


def _finished(started: float, counts: Sequence[WireCount]) -> ev.Finished:
    elapsed_s, requests = time.monotonic() - started, Counter[str]()
    for count in counts:
        requests += count.requests
    return ev.Finished(elapsed_s, dict(requests), sum(count.connections for count in counts))


def _ignore(_event: ev.Event) -> None:
    """Discards events: the view of a caller that gave no `on_event`."""
