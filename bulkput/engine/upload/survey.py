"""Looks at the sources once before an upload begins: do they exist, what is taken of them, and under which names."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import field, replace
from typing import TYPE_CHECKING

from bulkput.engine.compare.destination import placement
from bulkput.engine.stop import Stop
from bulkput.engine.upload.resume import Resume
from bulkput.errors import UsageError, printable
from bulkput.events import Emit
from bulkput.model import Found
from bulkput.options import NamingOptions, UploadOptions
from bulkput.payload.body import BodyOpener
from bulkput.payload.readers import STDIN
from bulkput.payload.source_body import Opener
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import GzipNames
from bulkput.record import frozen
from bulkput.sources.mounts import may_hang
from bulkput.sources.paths import is_pipe
from bulkput.sources.patterns import make_filters, make_gzip_names, make_order, places_of
from bulkput.sources.scan import Scan, Scanning
from bulkput.stores.base import Destination, Store
from bulkput.transport.base import WireCount

if TYPE_CHECKING:
    from bulkput.engine.upload.links import Links
    from bulkput.engine.upload.sending import Elsewhere, OpenSource
    from bulkput.policy.order import Order
    from bulkput.policy.rules import Rules
    from bulkput.policy.scope import Scope
    from bulkput.sources.share import Share


@frozen
class Files:
    """Files as sources, in this process or another (`sending.py:Source`, `Elsewhere`)."""

    may_hang: str | None
    count: WireCount = field(default_factory=WireCount)

    def opener(self, store: Store, options: UploadOptions, emit: Emit, *, large_above: int) -> Opener:
        """See `Survey.opener`."""
        hashes = store.powers.checks_md5 or options.compresses or options.skip.is_wanted
        # What is sent in parts is not read whole.
        body = replace(options.body, buffer_size=min(options.body.buffer_size, large_above))
        return BodyOpener(body, emit, may_hang=self.may_hang, hashes=hashes)

    def links(self, _store: Store, _emit: Emit) -> None:
        """None: links of a disk become files."""

    @asynccontextmanager
    async def opened(
        self, _destination: str, _options: UploadOptions, _emit: Emit, _stop: Stop, _environ: Mapping[str, str]
    ) -> "AsyncIterator[OpenSource]":
        yield self


@frozen
class Survey:
    """What is known of the sources before the walk begins."""

    roots: list[bytes]
    naming: NamingOptions
    filters: Filters
    gzip: GzipNames
    rules: "Rules | None"
    scope: "Scope | None"
    """The object names that the sources claim; None if the run compares nothing with the store."""
    order: "Order | None"
    """Which files are sent last; None if the order does not matter."""
    found: Iterator[Found]
    """The walk, not yet begun. It yields counts, not names, for files that a journal knows (KnownFiles)."""
    may_hang: str | None
    """The type of a file system below the sources that may stop answering; None if there is none."""
    share: "Share | None"
    """Which share of the sources the run takes; None if it takes all."""

    def scan(self, _stop: Stop, room: Callable[[], Awaitable[None]]) -> Scanning:
        """The scan, not yet begun. `room` is awaited before each batch."""
        return Scan(self.found, room)

    def opener(self, store: Store, options: UploadOptions, emit: Emit, *, large_above: int) -> Opener:
        """What opens the sources for an upload to `store`, which sends what has more than `large_above` bytes in
        parts."""
        return Files(self.may_hang).opener(store, options, emit, large_above=large_above)

    def links(self, _store: Store, _container: str, _emit: Emit) -> "Links | None":
        """What puts links as links. Those of a disk become files."""
        return None

    def left_out(self) -> str | None:
        """Why the scan, which has ended, lacks files that are there or may be; None if it has seen all."""
        return None

    async def elsewhere(self, _container: str) -> "Elsewhere":
        """What another process needs to read the sources. Raises what a login raises."""
        return Files(self.may_hang)

    def useless(self, *, with_known: bool) -> list[str]:
        """A sentence for each pattern that has matched nothing. If the journal may know files (`with_known`), rules and
        order were not asked about those. With a share, only the filters of a walk are asked about all names."""
        if self.share is not None:
            return self.filters.useless() if not self.share.is_of_list else []
        asked = [each for each in (self.rules, self.order) if each is not None] if not with_known else []
        return [why for each in (self.filters, self.gzip, *asked) for why in each.useless()]


def survey(roots: list[bytes], target: Destination, place: str, options: UploadOptions, resume: Resume) -> Survey:
    """Look at the sources. Blocking. `place` is the store's own name for the place of the destination.

    Raises UsageError if a source is missing, options contradict each other, or the journal belongs to another run.
    Raises JournalError.
    """
    _check_pipes(roots, target, options)
    filters = make_filters(roots, options.walk)
    gzip = make_gzip_names(roots, options.gzip, compresses=options.compresses)
    naming = placement(roots, target, options, gzip)
    scope = _scope(roots, target, naming, filters=filters, gzip=gzip, options=options)
    share = share_of(options)
    found = resume.findings(roots, target, place, naming, filters=filters, gzip=gzip, share=share)
    if options.manifest is not None:
        from bulkput.engine.upload.publish_manifest import guarded  # noqa: PLC0415 - sqlite3, and what compares

        found = guarded(found, roots, naming, options, filters=filters, gzip=gzip)
    return Survey(
        roots=roots,
        naming=naming,
        filters=filters,
        gzip=gzip,
        rules=_rules(roots, options),
        scope=scope,
        order=make_order(roots, options.last),
        found=_in_order(found, scope, options),
        may_hang=may_hang(roots, options.walk.follow_symlinks),
        share=share,
    )


def check_stdin(roots: list[bytes], options: UploadOptions) -> None:
    """Raises UsageError for a journal with stdin: before the journal is made, and without a look at any path."""
    if STDIN in roots and options.journal is not None:
        raise UsageError(_UNREPEATABLE.format(name=printable(STDIN)))


def _check_pipes(roots: list[bytes], target: Destination, options: UploadOptions) -> None:
    """Raises UsageError if a pipe is asked for what it cannot have."""
    pipes = [root for root in roots if is_pipe(root)]
    if not pipes:
        if options.large.expect_size is not None or options.large.expect_md5 is not None:
            raise UsageError("`large.expect_size` and `large.expect_md5` are for a pipe: no source is one")
        return
    name = printable(pipes[0])
    if pipes[0] == STDIN and sys.stdin is None:
        raise UsageError("standard input is closed: there is nothing to read from -")
    if len(roots) > 1 or options.files is not None:
        raise UsageError(f"{name} is a pipe: it has to be the only source")
    if options.share is not None:
        raise UsageError(f"{name} is a pipe, which makes one object and has no shards: leave out `share`")
    if not target.prefix or target.prefix.endswith("/"):
        raise UsageError(f"{name} is a pipe and has no name: give the object's, as in {target}{_slash(target)}NAME")
    if options.if_exists == "differs":
        raise UsageError(f"{name} is a pipe and cannot be compared: `if_exists` is fail, skip or replace for it")
    if options.journal is not None or options.skip.is_wanted:
        raise UsageError(_UNREPEATABLE.format(name=name))


_UNREPEATABLE = (
    "{name} is a pipe: `journal`, `skip.mode`, `skip.delete_extra` and `skip.expire_extra_s` need files, which can be"
    " read again"
)


def _slash(target: Destination) -> str:
    return "" if str(target).endswith("/") else "/"


def _scope(
    roots: list[bytes],
    target: Destination,
    naming: NamingOptions,
    *,
    filters: Filters,
    gzip: GzipNames,
    options: UploadOptions,
) -> "Scope | None":
    if not options.skip.is_wanted:
        return None
    # These imports take 20 ms: only runs that compare load them.
    from bulkput.engine.compare.keys import scope_of_upload  # noqa: PLC0415
    from bulkput.engine.upload.mirror import check_mirror  # noqa: PLC0415

    scope = scope_of_upload(roots, naming, options, filters, gzip)
    if options.skip.is_mirror:
        check_mirror(roots, target, options, scope)
    return scope


def share_of(options: UploadOptions) -> "Share | None":
    """Which share of the sources the options ask for."""
    if options.share is None:
        return None
    from bulkput.sources.share import Share  # noqa: PLC0415 - sqlite3

    return Share(options.share, is_of_list=options.files is not None)


def _rules(roots: list[bytes], options: UploadOptions) -> "Rules | None":
    """Raises UsageError for a pattern that is not gitignore syntax."""
    if not options.rules:
        return None
    from bulkput.policy.rules import Rules  # noqa: PLC0415 - only a run with rules pays for it

    return Rules(options, source=places_of(roots))


def _in_order(found: Iterator[Found], scope: "Scope | None", options: UploadOptions) -> Iterator[Found]:
    if scope is None:
        return found
    from bulkput.engine.compare.keys import in_key_order  # noqa: PLC0415

    return in_key_order(scope, found, is_mirror=options.skip.is_mirror)
