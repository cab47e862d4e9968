"""Looks at a source that is a URL, once before an upload begins (`sources/tree.py` says what is taken of it)."""

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.engine.compare.journal_identity import place_of
from bulkput.engine.sources.objects import ObjectScan, Tree, takes
from bulkput.engine.sources.open_source import Origin
from bulkput.engine.sources.opening import Fitting, opener_of
from bulkput.engine.sources.tree import check_source, naming_of, scope_below, tree_of
from bulkput.engine.stop import Stop
from bulkput.engine.upload.links import Links
from bulkput.engine.upload.objects_elsewhere import ObjectsElsewhere, takes_nothing
from bulkput.engine.upload.resume import Resume
from bulkput.engine.upload.survey import Survey, share_of
from bulkput.errors import UsageError
from bulkput.options import NamingOptions, UploadOptions
from bulkput.payload.remote import RemoteOpener
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import NOT_COMPRESSED
from bulkput.policy.link_target import LinkTargets
from bulkput.policy.naming import joined_prefix
from bulkput.policy.rename import one_spelling
from bulkput.policy.skip import COMPARING
from bulkput.record import frozen
from bulkput.sources.scan import Scan, Scanning
from bulkput.stores.base import Destination, Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bulkput.journal.known import JournalledUploads
    from bulkput.policy.order import Order
    from bulkput.policy.rules import Rules
    from bulkput.policy.scope import Scope
    from bulkput.sources.listed_objects import ListedObjects
    from bulkput.sources.share import Share


@frozen
class ObjectSurvey(Survey):
    """A Survey of objects, which a listing finds."""

    tree: Tree
    earlier: "Callable[[], JournalledUploads] | None"
    listed: "ListedObjects | None"
    """What a list names; None if a listing finds what there is."""
    is_one_account: bool
    """Whether source and destination are in one account."""

    def scan(self, stop: Stop, room: "Callable[[], Awaitable[None]]") -> Scanning:
        if self.listed is not None:
            return Scan(iter(self.listed), room)
        return ObjectScan(self.tree, self.filters, self.earlier, stop, room, share=self.share)

    def opener(self, store: Store, options: UploadOptions, emit: ev.Emit, *, large_above: int) -> RemoteOpener:
        return opener_of(
            self.tree.origin.source, options.body, emit, fits=Fitting(store, emit), large_above=large_above
        )

    def links(self, store: Store, container: str, emit: ev.Emit) -> Links:
        return Links(store.powers.link, self._targets(container), emit)

    def left_out(self) -> str | None:
        left_out = self.tree.origin.left_out
        return left_out() if left_out is not None else None

    async def elsewhere(self, container: str) -> ObjectsElsewhere:
        origin = self.tree.origin
        told = await origin.hand_over(None) if origin.hand_over is not None else None
        return ObjectsElsewhere(str(origin.url), self._targets(container), told)

    def _targets(self, container: str) -> LinkTargets:
        return LinkTargets(
            below=f"{self.tree.origin.url.root}/{self.tree.prefix}",
            to=f"{container}/{self.naming.prefix}",
            takes=partial(takes, self.filters) if self.tree.single is None else takes_nothing,
            is_one_account=self.is_one_account,
        )


async def survey_objects(
    origin: Origin, target: Destination, store: Store, options: UploadOptions, resume: Resume
) -> ObjectSurvey:
    """Look at the source of an upload to `store`. Raises UsageError if there is nothing, JournalError, StoreError."""
    if options.files is None:
        tree = await tree_of(origin)
    else:
        tree = Tree(origin=origin, prefix=joined_prefix(origin.url.prefix))
    places = await origin.source.place(), await place_of(store)
    _refuse_own(tree, target, places)
    naming, share = naming_of(tree, target), share_of(options)
    filters = Filters(options.walk, now_ns=time.time_ns())
    known = partial(resume.known_objects, tree.root, places[0], target, places[1], naming)
    earlier = await asyncio.to_thread(known)
    return ObjectSurvey(
        roots=[tree.root],
        naming=naming,
        filters=filters,
        gzip=NOT_COMPRESSED,
        rules=_rules(options),
        scope=_scope(tree, target, naming, filters, options),
        order=_order(options),
        found=iter(()),
        may_hang=None,
        tree=tree,
        earlier=earlier,
        listed=await asyncio.to_thread(_listed, tree, filters, earlier, options, share),
        share=share,
        is_one_account=origin.url.scheme == target.scheme and places[0] == places[1] != "",
    )


def _listed(
    tree: Tree,
    filters: Filters,
    earlier: "Callable[[], JournalledUploads] | None",
    options: UploadOptions,
    share: "Share | None",
) -> "ListedObjects | None":
    """Blocking. Raises UsageError if the list is not there."""
    if options.files is None:
        return None
    from bulkput.sources.listed_objects import ListedObjects  # noqa: PLC0415 - sqlite3, which may sort it

    return ListedObjects(
        options.files,
        tree.origin.path_of,
        tree.prefix,
        takes=partial(takes, filters),
        open_earlier=earlier,
        is_sorted=earlier is not None or options.skip.is_wanted,
        share=share,
    )


def check_for_objects(roots: list[bytes], options: UploadOptions) -> None:
    """Raises UsageError for several sources, and options that hold for files only."""
    check_source(
        roots,
        options,
        {
            "gzip.mode": options.compresses,
            "manifest": options.manifest is not None,
            "retry_failed": options.retry_failed,
        },
    )
    if options.share is not None and options.share.by == "bytes":
        raise UsageError(
            "`share.by='bytes'` asks a disk for the sizes of files: the objects of a URL are shared out by hash"
        )
    if options.files is not None and options.skip.mode in COMPARING:
        raise UsageError("`skip.mode='existing'` goes with a list below a URL: it has no sizes and times to compare")


def _refuse_own(tree: Tree, target: Destination, places: tuple[str, str]) -> None:
    """Raises UsageError if the run would read what it writes."""
    here = tree.origin.url
    is_same = one_spelling(here.scheme, here.root) == one_spelling(target.scheme, target.root)
    if places[0] != places[1] or not (is_same or _share_containers(here, target)):
        return
    begin = tree.prefix if tree.single is None else tree.single.name
    if target.prefix.startswith(begin) or (tree.single is None and begin.startswith(joined_prefix(target.prefix))):
        raise UsageError(f"{target} lies within the source, or the source within it: the run would read what it writes")


def _share_containers(here: Destination, target: Destination) -> bool:
    """Whether a range of Swift containers and the other URL's container, or range, have a container in common."""
    if "{" not in here.root + target.root or not here.scheme == target.scheme == "swift":
        return False
    from bulkput.policy.spread import share_containers  # noqa: PLC0415 - few sources are of this kind

    return share_containers(here.root, target.root)


def _scope(
    tree: Tree, target: Destination, naming: NamingOptions, filters: Filters, options: UploadOptions
) -> "Scope | None":
    if not options.skip.is_wanted:
        return None
    from bulkput.engine.upload.mirror import check_mirror  # noqa: PLC0415 - only runs that compare load it

    scope = scope_below(tree, naming, options.walk, filters, is_list=options.files is not None)
    if options.skip.is_mirror:
        check_mirror([], target, options, scope)
    return scope


def _rules(options: UploadOptions) -> "Rules | None":
    if not options.rules:
        return None
    from bulkput.policy.rules import Rules  # noqa: PLC0415 - only a run with rules pays for it

    return Rules(options)


def _order(options: UploadOptions) -> "Order | None":
    if not options.last:
        return None
    from bulkput.policy.order import Order  # noqa: PLC0415 - few runs have an order

    return Order(options.last)
