"""Verifies that a store holds what an upload of the same sources would put there. It lists the store.

    sources ──scan thread──> names ──┐
                                     ├──merge join──> judge ──> bounded queue: MD5, HEAD, manifest ──> judge ──> finding
    store ────one GET per 10 000─────┘

The walk and the listing come in the same order. So memory holds a page of the listing, the findings that the scan is
ahead, the queue and its workers; it does not grow with the number of files or objects. For most names the row of the
listing and the file's MD5 decide; `policy/compare.py` says which need a request of their own.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from bulkput import events as ev
from bulkput.engine.compare.destination import Pathlike, placement, sources_of
from bulkput.engine.compare.evidence import digests, examined
from bulkput.engine.compare.journal_identity import place_of
from bulkput.engine.compare.keys import in_key_order, scope_of_upload
from bulkput.engine.compare.merge_join import Pair
from bulkput.engine.compare.pairs import Pairing
from bulkput.engine.open_store import connected
from bulkput.engine.pool import Pool, pool
from bulkput.engine.source_check import SourceCheck
from bulkput.engine.stop import Stop
from bulkput.engine.verify.journal import JournalCorrection, all_absolute, both
from bulkput.engine.verify.tally import Tally, finding, unreadable
from bulkput.errors import BulkputError, SourceError, Stopped, StoreError, Unsupported, UsageError
from bulkput.events import Finding, Verdict
from bulkput.model import Found, Reason, RemoteObject, Skip, SourceFile
from bulkput.option_types import checked
from bulkput.options import SharedOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.compare import Evidence, Judgement, judge
from bulkput.policy.directories import is_marker, is_others_marker
from bulkput.policy.filters import Filters
from bulkput.policy.retry import FailurePolicy
from bulkput.policy.scope import Scope
from bulkput.record import frozen
from bulkput.sources.file_list import file_list
from bulkput.sources.mounts import may_hang
from bulkput.sources.patterns import make_filters, make_gzip_names
from bulkput.sources.scan import Scan
from bulkput.sources.walk import walk
from bulkput.stores.base import Destination, Store
from bulkput.verb_options import VerifyOptions
from bulkput.verb_results import Comparison


async def verify(
    sources: Pathlike | Iterable[Pathlike],
    destination: str,
    *,
    options: SharedOptions | None = None,
    on_event: ev.Emit | None = None,
    stop: Stop | None = None,
    environ: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare files and directories with what is stored at `destination`, a URL such as `swift://container/prefix`.

    Pass the options of the upload, so that files are named and filtered in the same way, or VerifyOptions. `on_event`
    gets a Finding for each name that is not identical, nearly in order of the names. It also gets retries, warnings and
    the order that stops the run. It runs on the event loop and must be quick.

    If the container does not exist, all files are missing. With `options.journal` (the journal of the upload), the rows
    of files that are missing, different or not comparable are deleted from it, so that the next upload sends them.

    Raises UsageError for a wrong URL, a missing source, missing credentials, or a store that cannot list, and
    SourceGone for a source on a file system that does not answer.
    """
    shared = checked(options, SharedOptions)
    options = shared if isinstance(shared, VerifyOptions) else VerifyOptions.of(shared)
    stop, emit = stop or Stop(), on_event or _ignore
    stop.report_to(emit)
    roots = sources_of(sources, options)
    target = Destination.parse(destination)
    correction = JournalCorrection(options, stop)
    tally = Tally(both(correction.tell, emit))
    started = time.monotonic()
    requests: Mapping[str, int] = {}
    opening = connected(destination, wire=options.wire, retry=options.retry, emit=emit, brake=stop, environ=environ)
    try:
        async with opening as (store, wire_count), correction, stop.bounded(options.wire.timeout_s):
            requests = wire_count.requests
            parts = _VerifyParts(store, options, stop, tally, correction, emit)
            await parts.compare(roots, target)
    except Stopped:  # the run was stopped before the comparison began
        pass
    except Unsupported as error:
        raise UsageError(f"cannot verify {target}: {error.detail}") from None
    return tally.comparison(requests, time.monotonic() - started, stop)


@frozen
class _VerifyParts:
    """Everything that a verification needs before it looks at its sources."""

    store: Store
    options: VerifyOptions
    stop: Stop
    tally: Tally
    correction: JournalCorrection
    emit: ev.Emit

    async def compare(self, roots: list[bytes], target: Destination) -> None:
        """Look at the sources, then compare. Raises UsageError, SourceGone, Unsupported, and Stopped if the run is
        stopped before the comparison begins."""
        options, stop, correction = self.options, self.stop, self.correction
        check = SourceCheck(roots, stop, patience_s=options.body.read_timeout_s)
        if options.journal is not None:
            roots = await check(all_absolute, roots)
        filters = await check(make_filters, roots, options.walk)
        scope, found = await check(_scope_and_walk, roots, target, options, filters, correction.is_own)
        hanging = await check(may_hang, roots, options.walk.follow_symlinks)
        place = await place_of(self.store) if options.journal is not None else self.store.place
        await check(correction.open, roots, target, place, scope.naming, options.gzip)
        correction.begin()
        scan = Scan(found)
        opener = BodyOpener(options.body, _ignore, may_hang=hanging)
        comparer = _Comparer(
            store=self.store,
            opener=opener,
            scope=scope,
            options=options,
            stop=stop,
            tally=self.tally,
            room=ev.room_of(self.emit),
        )
        try:
            with stop.waking(scan.close):
                await comparer.run(scan)
            if stop.order is None:
                for why in (*filters.useless(), *scope.gzip.useless()):
                    self.emit(ev.Warned(why))
        finally:
            scan.close()
            opener.close()


def _scope_and_walk(
    roots: list[bytes], target: Destination, options: VerifyOptions, filters: Filters, is_own: Callable[[bytes], bool]
) -> tuple[Scope, Iterator[Found]]:
    """The names that the sources claim, and the walk. Blocking. Raises UsageError."""
    gzip = make_gzip_names(roots, options.gzip)
    naming = placement(roots, target, options, gzip)
    scope = scope_of_upload(roots, naming, options, filters, gzip)
    # Directories are walked as well: the store may have their markers.
    if options.files is None:
        found = walk(roots, options.walk, filters=filters, gzip=gzip, with_directories=True)
    else:
        found = file_list(
            options.files, roots[0], options.walk, is_sorted=True, filters=filters, gzip=gzip, with_directories=True
        )
    return scope, in_key_order(scope, (_without_own(each, is_own) for each in found))


def _without_own(found: Found, is_own: Callable[[bytes], bool]) -> Found:
    """`found`, or a Skip for one of the journal's own files: uploads skip these too."""
    if isinstance(found, SourceFile) and not found.is_directory and is_own(found.target or found.path):
        return Skip(found.path, found.name, Reason.OWN_OUTPUT)
    return found


@dataclass(slots=True, kw_only=True)
class _Comparer:
    """Compares files with listed objects, pair by pair."""

    store: Store
    opener: BodyOpener
    scope: Scope
    options: VerifyOptions
    stop: Stop
    tally: Tally
    room: Callable[[], Awaitable[None]]
    """Awaited before each pair: objects without files are findings too, long after the scan has ended."""
    _failure_policy: FailurePolicy = field(init=False)

    def __post_init__(self) -> None:
        self._failure_policy = FailurePolicy(self.options.stop)

    async def run(self, scan: Scan) -> None:
        """Compare until both sides end or the run is stopped. After a stop the rest gets no findings."""
        pairing = Pairing(store=self.store, scope=self.scope, stop=self.stop)
        try:
            async with (
                pool(self._look, workers=self.options.wire.start, backlog=self.options.backlog) as workers,
                aclosing(pairing.pairs(scan)) as pairs,
            ):
                async for pair in pairs:
                    if self.stop.is_pulled:
                        break
                    await self.room()
                    await self._take(pair, workers)
        except Unsupported:
            raise
        except StoreError as error:  # the listing failed: there is nothing to compare with
            self.stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
        self.tally.is_container_there = pairing.is_container_there

    async def _take(self, pair: Pair, workers: Pool[Pair]) -> None:
        """Report what the listing decides; queue the rest for the workers."""
        file, row = pair.file, pair.row
        if pair.nameless is not None:
            self._take_other(pair.nameless)
        elif file is None:
            self._take_object(pair)
        elif file.is_directory:
            self._take_directory(file, row)
        elif row is None:
            name = pair.key.decode()
            self.tally.add(Finding(verdict=Verdict.MISSING, name=name, path=file.path, size=file.size))
        else:
            step = judge(self._evidence(file, row), is_quick=self.options.is_quick)
            if isinstance(step, Judgement):
                self.tally.add(finding(step.verdict, file, row, step.why))
            else:
                await workers.submit(pair)

    def _take_other(self, found: Found) -> None:
        """Count a finding that is no file to compare: as unreadable if it is an error, else as skipped."""
        if not isinstance(found, SourceError):
            self.tally.skipped += 1
            return
        self.tally.add(unreadable(found))
        if found.stops_run:
            self.stop.pull(ev.Stopping(str(found), ev.StopCause.SOURCE))

    def _take_directory(self, directory: SourceFile, row: RemoteObject | None) -> None:
        """Report a directory. A marker is missing only if the upload sends markers (`dir_markers`). An object of its
        name that is no marker has no file."""
        if row is not None and is_marker(row):
            self.tally.add(finding(Verdict.IDENTICAL, directory, row))
        elif row is not None:
            self.tally.without_file(row, is_claimed=self.scope.is_whole and self.scope.claims(row.name))
        elif self.options.dir_markers:
            name = self.scope.key(directory.name, is_directory=True)
            self.tally.add(
                Finding(verdict=Verdict.MISSING, name=name, path=directory.path, why="the directory's marker")
            )

    def _take_object(self, pair: Pair) -> None:
        """Report an object without a file: as extra, or as ignored if it may have a file, the sources are single files,
        or it is another program's marker."""
        row = pair.row
        if row is None or pair.is_unknown or not self.scope.is_whole or is_others_marker(row.name, row.bytes):
            self.tally.ignored += 1
        else:
            self.tally.without_file(row, is_claimed=self.scope.claims(row.name, is_directory=is_marker(row)))

    def _evidence(self, file: SourceFile, row: RemoteObject) -> Evidence:
        return Evidence(file.size, row, is_suffixed=bool(self.scope.gzip.suffix(file.name)))

    async def _look(self, pair: Pair) -> None:
        file, row = pair.file, pair.row
        if file is None or row is None:
            raise AssertionError("the workers get pairs of a file and an object only")
        if (found := await self._compared(self._evidence(file, row), file)) is not None:
            self.tally.add(found)

    async def _compared(self, evidence: Evidence, file: SourceFile) -> Finding | None:
        """The finding for one pair. None if the run is being stopped."""
        row = evidence.row
        try:
            self.stop.check()
            decide = partial(judge, is_quick=self.options.is_quick)
            step, evidence = await examined(self.store, evidence, decide, partial(self._read, file))
            self._failure_policy.succeeded()
        except Stopped:
            return None
        except SourceError as error:
            self._failed(error)
            return unreadable(error, row.name)
        except StoreError as error:
            if self._failed(error):
                return None
            step = Judgement(Verdict.NOT_COMPARABLE, str(error))
        return finding(step.verdict, file, evidence.head or row, step.why, evidence)

    async def _read(self, file: SourceFile, sizes: Sequence[int] | None) -> tuple[int, tuple[str, ...]]:
        """The file's MD5s, as a `ReadDigests`. Raises SourceError, also if the file changes while it is read: a mixture
        of two versions must not be compared."""
        body = self.opener.open_at_once(file) or await self.opener.open(file)
        return await digests(body, body.size, sizes)

    def _failed(self, error: BulkputError) -> bool:
        """Count a failure. True if the run is being stopped: then a store's error becomes no finding."""
        if (order := self._failure_policy.failed(error)) is not None:
            self.stop.pull(order)
        return self.stop.is_pulled


def _ignore(_told: object) -> None:
    """Discards events."""
