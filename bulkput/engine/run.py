"""A whole run: opens the parts, runs the pipeline, closes them, adds up."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.engine.look import Look
from bulkput.engine.opening import open_store
from bulkput.engine.pipeline import Pipeline
from bulkput.engine.put import Putter
from bulkput.engine.resume import Resume, when_needed
from bulkput.engine.stop import Stop
from bulkput.engine.tuning import Tuner
from bulkput.engine.watchdog import Watchdog
from bulkput.errors import Stopped, StoreError, UsageError, printable
from bulkput.model import Found
from bulkput.options import NamingOptions, UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.filters import Filters
from bulkput.policy.headers import check_compressible
from bulkput.policy.listed import check_list
from bulkput.policy.naming import SUFFIX, joined_prefix
from bulkput.recorder import Recorder, Summary
from bulkput.sources.mounts import may_hang
from bulkput.sources.scan import Scan
from bulkput.sources.suffixed import Taken, told_apart, without_taken_marks
from bulkput.sources.walk import is_single_file, make_filters
from bulkput.stores.base import Destination, Store
from bulkput.transport.base import WireCount

if TYPE_CHECKING:
    from bulkput.engine.sync import Sync
    from bulkput.payload.pack import Packer
    from bulkput.policy.scope import Scope

Pathlike = str | bytes | os.PathLike[str] | os.PathLike[bytes]


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

    With `options.files` a list names the files, and `sources` are to be empty.

    Returns the numbers of the run, failures included: look at `Summary.exit_code` or `.failed`. `on_event` sees
    every event; it runs on the event loop and must be quick (`Stalled` comes from another thread when the loop itself
    stands). `recorder` holds the numbers while the run goes on; `stop` ends it early.

    Raises UsageError, before anything is sent, for a wrong URL, a missing source or missing credentials, and SourceGone
    for a source on a file system that does not answer.
    """
    options = options or UploadOptions()
    roots = sources_of(sources, options)
    check_compressible(options.headers, options.gzip)
    stop = stop or Stop()
    recorder = recorder or Recorder()
    tuner = Tuner(options.wire)
    resume = Resume(options, stop)
    emit = _told_to(recorder, resume, on_event or _ignore, tuner)
    async with (
        resume,
        open_store(
            destination,
            wire=options.wire,
            retry=options.retry,
            storage_policy=options.storage_policy,
            headers=options.headers,
            encodes=options.gzip.encodes,
            slots=tuner.slots,
            emit=emit,
            brake=stop,
            environ=environ,
        ) as (store, wire_count),
    ):
        run = _Run(options, stop, recorder, tuner, resume, emit)
        await run.send(roots, Destination.parse(destination), store, wire_count)
    return recorder.summary()


@dataclass(frozen=True, slots=True)
class _Run:
    """What an upload is made of, but for its store."""

    options: UploadOptions
    stop: Stop
    recorder: Recorder
    tuner: Tuner
    resume: Resume
    emit: ev.Emit

    async def send(self, roots: list[bytes], target: Destination, store: Store, wire_count: WireCount) -> None:
        """Look at the sources, then send what they hold; the last event is Finished. Raises like `upload`."""
        options, stop, emit = self.options, self.stop, self.emit
        started = time.monotonic()
        look = Look(roots, stop, patience_s=options.body.read_timeout_s)
        try:
            filters = await look(make_filters, roots, options.walk)
            naming = await look(placement, roots, target, options)
            scope = await look(self._scope, roots, target, naming, filters)
            found = await look(self.resume.findings, roots, target, store.place, naming, filters)
            scan = Scan(await look(self._arranged, found, roots, naming, scope), self.resume.room)
            hanging = await look(may_hang, roots, options.walk.follow_symlinks)
        except Stopped:
            stop.report_to(emit)
            emit(_finished(started, wire_count))
            return
        opener = BodyOpener(options.body, emit, may_hang=hanging)
        longest_name = store.limits.max_name_bytes
        sync = self._sync(store, scope, opener, target, roots) if scope is not None else None
        skipper = sync.skipper if sync is not None else None
        putter = Putter(store, opener, _packer(options, opener, stop, longest_name), skipper)
        stop.wake(scan.close)
        watchdog = Watchdog(self.recorder, emit, stall_s=options.stall_s, scanned=scan.at)
        self.tuner.report_to(emit)
        stop.report_to(emit)
        self.resume.begin(emit)
        is_complete = False
        watchdog.start()
        pipeline = Pipeline(
            store=store, putter=putter, naming=naming, options=options, tuner=self.tuner, emit=emit, stop=stop
        )
        try:
            async with stop.bounded(options.wire.timeout_s):
                await self._pipe(pipeline, scan, sync)
            is_complete = True
        finally:
            watchdog.end()
            scan.close()
            opener.close()
            await self.resume.end(is_complete=is_complete)
            if is_complete:
                self._warn(filters, roots)
            emit(_finished(started, wire_count))

    def _warn(self, filters: Filters, roots: list[bytes]) -> None:
        """Tell what was asked for and came to nothing, if the run has looked at everything."""
        options, emit = self.options, self.emit
        if self.stop.order is not None or options.retry_failed:
            return
        for why in filters.useless() if self.recorder.found else ():
            emit(ev.Warned(why))
        if not self.recorder.found_files:
            where = (
                "the list" if options.files is not None else printable(roots[0]) if len(roots) == 1 else "the sources"
            )
            emit(ev.NothingFound(where, options.fail_if_empty))

    async def _pipe(self, pipeline: Pipeline, scan: Scan, sync: "Sync | None") -> None:
        """Send what there is to send, into a store that is prepared for it as soon as there is anything."""
        store, stop = pipeline.store, self.stop
        if sync is not None:
            ready = _is_still_ready if self.resume.has_uploads else _is_ready
            is_dry = self.options.dry_run
            with closing(sync):
                async with aclosing(sync.found(scan)) as found:
                    await pipeline.run(found if is_dry else when_needed(found, lambda: ready(store, stop)))
                await sync.remove_extra(self.recorder.failed)
        elif self.options.dry_run:
            await pipeline.run(scan)
        elif self.resume.has_uploads:
            await pipeline.run(when_needed(scan, lambda: _is_still_ready(store, stop)))
        elif await _is_ready(store, stop):
            await pipeline.run(scan)

    def _sync(
        self, store: Store, scope: "Scope", opener: BodyOpener, target: Destination, roots: list[bytes]
    ) -> "Sync":
        from bulkput.engine.sync import Sync  # noqa: PLC0415

        container = target.root
        return Sync(
            store, scope, opener, options=self.options, stop=self.stop, emit=self.emit, roots=roots, container=container
        )

    def _scope(
        self, roots: list[bytes], target: Destination, naming: NamingOptions, filters: Filters
    ) -> "Scope | None":
        """What the upload claims; None where nobody looks at what is there. Blocking. Raises UsageError."""
        if not self.options.skip.is_wanted:
            return None
        from bulkput.engine.mirror import check_mirror  # noqa: PLC0415
        from bulkput.engine.pairing import scope_of_upload  # noqa: PLC0415 - 20 ms for who compares nothing

        scope = scope_of_upload(roots, naming, self.options, filters)
        if self.options.skip.delete_extra:
            check_mirror(roots, target, self.options, scope)
        return scope

    def _arranged(
        self, found: Iterator[Found], roots: list[bytes], naming: NamingOptions, scope: "Scope | None"
    ) -> Iterator[Found]:
        """The findings as the run wants them: told apart, and in order. Blocking."""
        if self.options.gzip.suffixed == "some" and not naming.is_exact:
            found = told_apart(found, Taken(roots))
        elif self.options.gzip.suffixed == "all" and self.options.dir_markers:
            found = without_taken_marks(found, roots)
        if scope is None:
            return found
        from bulkput.engine.pairing import in_key_order  # noqa: PLC0415

        return in_key_order(scope, found, is_mirror=self.options.skip.delete_extra)


def sources_of(sources: Pathlike | Iterable[Pathlike], options: UploadOptions) -> list[bytes]:
    """The paths that are looked at: of a list of files, the directory that they are in. Raises UsageError."""
    roots = roots_of(sources)
    check_list(options, has_sources=bool(roots))
    return roots if options.files is None else [os.fsencode(options.files.base)]


def roots_of(sources: Pathlike | Iterable[Pathlike]) -> list[bytes]:
    """A lone path is a source, though it could be iterated: "./" would be the current directory and the root."""
    several = (sources,) if isinstance(sources, str | bytes | os.PathLike) else sources
    return [os.fsencode(source) for source in several]


def _told_to(recorder: Recorder, resume: Resume, on_event: ev.Emit, tuner: Tuner) -> ev.Emit:
    """What happens is counted first, written down and shown next, and then acted upon."""
    write_down = resume if resume.is_wanted else None

    def emit(event: ev.Event) -> None:
        recorder(event)
        if write_down is not None:
            write_down(event)
        on_event(event)
        tuner(event)

    return emit


def _finished(started: float, count: WireCount) -> ev.Finished:
    elapsed_s = time.monotonic() - started
    return ev.Finished(elapsed_s, dict(count.requests), count.connections)


def _packer(options: UploadOptions, opener: BodyOpener, stop: Stop, longest_name: int) -> "Packer | None":
    if options.gzip.mode == "never":
        return None
    from bulkput.payload.pack import Packer  # noqa: PLC0415 - 15 ms for who compresses nothing

    hold = options.body.buffer_size
    return Packer(options.gzip, opener, hold=hold, longest_name=longest_name, check=stop.check)


async def _is_ready(store: Store, stop: Stop) -> bool:
    try:
        await store.prepare()
    except (StoreError, Stopped) as error:
        stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        return False
    return True


async def _is_still_ready(store: Store, stop: Stop) -> bool:
    """The same for a run that goes on with what another has begun."""
    if not await _is_ready(store, stop):
        return False
    if store.was_made:
        gone = "what the journal says is stored there is gone: name another journal to send everything again"
        stop.pull(ev.Stopping(f"the container was not there any more; {gone}", ev.StopCause.STORE))
    return not store.was_made


def placement(roots: list[bytes], destination: Destination, options: UploadOptions) -> NamingOptions:
    """Directories put their contents below the prefix; a lone file may be given the destination's own name.

    The suffix that each compressed object gets may stand in that name already: it is not added twice. Raises UsageError
    where it stands there and nobody knows yet whether the object gets it.
    """
    prefix = destination.prefix
    if is_single_file(roots) and prefix and not prefix.endswith("/"):
        if options.gzip.suffixed == "some" and prefix.endswith(SUFFIX):
            without = str(destination).removesuffix(SUFFIX)
            raise UsageError(f"--gzip auto adds {SUFFIX} itself if it compresses the file: write {without} instead")
        if options.gzip.suffixed == "all":
            prefix = prefix.removesuffix(SUFFIX)
        return NamingOptions(prefix=prefix, is_exact=True, encode=options.encode_names)
    return NamingOptions(prefix=joined_prefix(prefix), encode=options.encode_names)


def _ignore(_event: ev.Event) -> None:
    """The silent view."""
