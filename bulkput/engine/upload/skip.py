"""Decides if a file is in the store already: by its row of the listing, or by a closer look in the worker."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bulkput import events as ev
from bulkput.engine.compare.evidence import asked_of_source, digests, evidence_of, examined, itself_of, shows_no_size
from bulkput.engine.upload.indirect import IndirectReads
from bulkput.engine.upload.overwritten import segments_before
from bulkput.errors import Conflict
from bulkput.model import Listed, Reason, RemoteObject, Skip, SourceFile, Upload
from bulkput.options import UploadOptions
from bulkput.payload.source_body import Opened, Opener
from bulkput.policy.compare import Evidence
from bulkput.policy.directories import is_marker
from bulkput.policy.expiry import lives_long_enough, wanted_life_s
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.plan import over_limits
from bulkput.policy.skip import COMPARING, REASONS, SkipDecision, decide_skip
from bulkput.stores.base import Store

if TYPE_CHECKING:
    from bulkput.policy.rules import Rules


class Examination(NamedTuple):
    """The result of `Skipper.examine`."""

    skip: Skip | None
    """Why the file is not sent (in a dry run always set); None: send it."""
    file: Opened | None
    """The opened file, if the decision had to read it. Send this one: it is what was compared."""
    left: ev.SegmentsLeft | None
    """The segments that stay if the file overwrites a large object."""
    is_free: bool
    """Whether nothing was found under the name. If not, sending the file overwrites it."""


OnKept = Callable[[RemoteObject], Awaitable[None]]


class Skipper:
    """Decides by the row of the listing, or by looking at the object itself."""

    def __init__(
        self,
        store: Store,
        opener: Opener,
        options: UploadOptions,
        emit: ev.Emit,
        *,
        gzip: GzipNames,
        rules: "Rules | None",
        indirect: IndirectReads,
        on_kept: OnKept | None = None,
    ) -> None:
        """`on_kept` is called with the row of each object that `examine` leaves unchanged."""
        self._store = store
        self._opener = opener
        self._mode = options.skip.mode
        self._is_dry = options.dry_run
        self._is_gzipping = options.gzip.mode != "never"
        self._gzip = gzip
        self._rules = rules
        self._emit = emit
        self._indirect = indirect
        self._on_kept = on_kept
        self._extras_expire = options.skip.expire_extra_s is not None
        self._asks_expiry = options.skip.check_expiry or self._extras_expire
        """Then the listing is not enough, because it does not show which objects expire or have expired."""
        self._lives_shortly = wanted_life_s(options.headers, 0) is not None
        """Whether a file gets an expiry, unless a rule says something about it."""

    def by_listing(self, file: SourceFile, evidence: Evidence) -> Skip | SourceFile:
        """Decide by the row: a Skip, or the file. If the worker must look closer, the file carries the row."""
        row = evidence.row
        if file.is_directory:
            if not self._has_marker(row):
                return file
            checks_expiry = self._asks_expiry or self._lives_shortly
            return self._skip(file, row) if not checks_expiry else replace(file, listed=Listed(row))
        if self._mode in COMPARING and shows_no_size(file):
            return replace(file, listed=Listed(row, evidence.is_suffixed))
        compresses, lives_shortly = self._settings_of(file)
        match decide_skip(self._mode, evidence, file.mtime_ns, compresses=compresses):
            case SkipDecision.SEND if row.large is None and (self._mode != "existing" or self._is_dry):
                return file
            case SkipDecision.SKIP if not (self._asks_expiry or lives_shortly or self._may_be_written(row)):
                # A dynamic large object is listed as empty: `existing` does not find out what it holds.
                is_seen = bool(row.bytes) or not file.size
                return self._skip(file, row if is_seen else replace(row, bytes=None, hash=None))
            case _:  # the worker has to look closer: at evidence, at expiry, or at an object to be overwritten
                return replace(file, listed=Listed(row, evidence.is_suffixed))

    async def examine(self, upload: Upload) -> Examination:
        """Look closer at a file that the listing left open. Raises SourceError, Stopped, StoreError; TooLarge if the
        file must be sent but exceeds the store's limits."""
        file, key = upload.source, upload.key
        read = _FileDigests(self._opener, file)
        try:
            skip, there, is_free = await self._compared(upload, read)
        except Conflict:  # a circle of links, or a link whose target changed: unreadable, so the file is sent
            skip, there, is_free = None, None, False
        if skip is None:
            await self._refuse_too_large(file, key)
        if skip is None and self._is_dry:
            planned = upload if upload.ruling is not None else None
            skip = Skip(file.path, file.name, Reason.DRY_RUN, key, file.size, planned=planned)
        is_large = skip is None and there is not None and there.large is not None
        left = await segments_before(self._store, there.name) if is_large and there is not None else None
        return Examination(skip, read.file, left, is_free)

    async def _compared(self, upload: Upload, read: "_FileDigests") -> tuple[Skip | None, RemoteObject | None, bool]:
        """A Skip or None, the object that is there if it may be large, and whether nothing is there."""
        file, key = upload.source, upload.key
        listed = file.listed or Listed(None)
        head = None if listed.row is not None else await self._store.stat(key)
        row = listed.row or head
        if row is None:
            return None, None, True
        if file.is_directory:
            is_kept = self._has_marker(row) and await self._lives(upload, row, head)
            return (self._skip(file, row) if is_kept else None), None, False
        compresses, _ = self._settings_of(file)
        decide = partial(decide_skip, self._mode, mtime_ns=file.mtime_ns, compresses=compresses)
        evidence = evidence_of(file, row, head=head, is_suffixed=listed.is_suffixed)
        if self._mode == "identical" or (self._mode in COMPARING and shows_no_size(file)):
            evidence = await asked_of_source(evidence, file, read.opened)
        decision, evidence = await examined(self._store, evidence, decide, read)
        now = evidence.head or row
        if decision is SkipDecision.SEND or not await self._lives(upload, row, evidence.head):
            return None, now, False
        if self._may_be_written(row, now) and await self._indirect.is_written(file, row.name, _links(evidence)):
            return None, now, False
        if self._on_kept is not None:
            await self._on_kept(row)
        return self._skip(file, now), row, False

    async def _refuse_too_large(self, file: SourceFile, key: str) -> None:
        """The plan let a file above the limits pass, since the store might have it as a large object. Now it must be
        sent. Raises TooLarge and StoreError."""
        limits = self._store.limits
        if over_limits(file.size, key, limits) is not None and not self._is_dry:
            limits = await self._store.ask_limits()
        if (excess := over_limits(file.size, key, limits)) is not None:
            raise excess

    async def _lives(self, upload: Upload, row: RemoteObject, head: RemoteObject | None) -> bool:
        """Whether the object lives as long as `upload` wants; True if expiry does not matter. Raises StoreError."""
        now_s = time.time()
        wanted_s = wanted_life_s(upload.headers, now_s)
        if wanted_s is None and not self._asks_expiry:
            return True
        head = head or await self._store.stat(row.name)
        if not lives_long_enough(head, wanted_s, now_s, extras_expire=self._extras_expire):
            return False
        if row.link is None or not self._extras_expire:
            return True
        # The HEAD is of the link's target. An earlier run may have let the link itself expire.
        itself = await itself_of(self._store, row.name)
        return lives_long_enough(itself, wanted_s, now_s, extras_expire=True)

    def _may_be_written(self, *rows: RemoteObject) -> bool:
        """Whether the object is a link or large, so that it may read objects that this run writes. That matters
        only to modes that compare."""
        return self._mode in COMPARING and any(row.link is not None or row.large is not None for row in rows)

    def _settings_of(self, file: SourceFile) -> tuple[bool, bool]:
        """Whether the file may be sent compressed, and whether its object gets an expiry: then the listing is not
        enough, because it may show expired objects."""
        compresses, lives_shortly = self._is_gzipping, self._lives_shortly
        if self._rules is not None:
            applied = self._rules.of(file.name)
            compresses, lives_shortly = applied.ruling.gzip != "never", wanted_life_s(applied.headers, 0) is not None
        return compresses and not self._gzip.excludes(file.name), lives_shortly

    def _has_marker(self, row: RemoteObject) -> bool:
        """Whether this object serves as the directory's marker. To modes that do not compare any object does."""
        return self._mode not in COMPARING or is_marker(row)

    def _skip(self, file: SourceFile, there: RemoteObject) -> Skip:
        return Skip(file.path, file.name, REASONS[self._mode], there.name, there=there)


def _links(evidence: Evidence) -> set[str]:
    """The paths of a static large object's segments that are known to be links."""
    looked_at = zip(evidence.segments or (), evidence.parts or (), strict=False)
    return {each.path for each, part in looked_at if each.path is not None and part is not None and part.link}


class _FileDigests:
    """A `ReadDigests` that opens the file on its first call, and keeps it for sending."""

    def __init__(self, opener: Opener, source: SourceFile) -> None:
        self._opener = opener
        self._source = source
        self.file: Opened | None = None

    async def __call__(self, sizes: Sequence[int] | None) -> tuple[int, tuple[str, ...]]:
        file = await self.opened()
        return await digests(file, file.size, sizes)

    async def opened(self) -> Opened:
        """The file; the same each time. Raises SourceError, StoreError."""
        if self.file is None:
            self.file = self._opener.open_at_once(self._source) or await self._opener.open(self._source)
        return self.file
