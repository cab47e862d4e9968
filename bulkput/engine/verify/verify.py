"""Verifies that a store holds what an upload of the same sources would put there. It lists the store.

    sources ──scan thread──> names ──┐
                                     ├──merge join──> judge ──> bounded queue: MD5, HEAD, manifest ──> judge ──> finding
    store ────one GET per 10 000─────┘

The walk and the listing come in the same order. So memory holds a page of the listing, the findings that the scan is
ahead, the queue and its workers; it does not grow with the number of files or objects. For most names the row of the
listing and the file's MD5 decide; `policy/compare.py` says which need a request of their own.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from bulkput import events as ev
from bulkput.engine.compare.destination import Pathlike, placement, sources_of
from bulkput.engine.compare.journal_identity import place_of
from bulkput.engine.compare.keys import in_key_order, scope_of_upload
from bulkput.engine.open_store import connected
from bulkput.engine.sources.check import SourceCheck
from bulkput.engine.stop import Stop
from bulkput.engine.verify.comparer import Comparer
from bulkput.engine.verify.journal import JournalCorrection, all_absolute, both
from bulkput.engine.verify.tally import Tally
from bulkput.errors import Stopped, Unsupported, UsageError
from bulkput.model import Found, Reason, Skip, SourceFile
from bulkput.option_types import checked
from bulkput.options import SharedOptions
from bulkput.payload.body import BodyOpener
from bulkput.policy.filters import Filters
from bulkput.policy.naming import is_url
from bulkput.policy.scope import Scope
from bulkput.record import frozen
from bulkput.sources.file_list import file_list
from bulkput.sources.mounts import may_hang
from bulkput.sources.patterns import make_filters, make_gzip_names
from bulkput.sources.scan import Scan
from bulkput.sources.walk import walk
from bulkput.stores.base import Destination, Store
from bulkput.transport.base import WireCount
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

    `sources` may be a URL: then the objects of that store are compared, as they are stored.

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
    counts: list[WireCount] = []
    opening = connected(destination, wire=options.wire, retry=options.retry, emit=emit, brake=stop, environ=environ)
    try:
        async with opening as (store, wire_count), correction, stop.bounded(options.wire.timeout_s):
            counts.append(wire_count)
            if any(map(is_url, roots)):
                from bulkput.engine.verify.objects import ObjectsVerification  # noqa: PLC0415 - most sources are paths

                objects = ObjectsVerification(store, options, stop, tally, emit)
                await objects.compare(roots, target, counts, environ)
            else:
                parts = _VerifyParts(store, options, stop, tally, correction, emit)
                await parts.compare(roots, target)
    except Stopped:  # the run was stopped before the comparison began
        pass
    except Unsupported as error:
        raise UsageError(f"cannot verify {target}: {error.detail}") from None
    requests = sum((each.requests for each in counts), Counter[str]())
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
        comparer = Comparer(
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


def _ignore(_told: object) -> None:
    """Discards events."""
