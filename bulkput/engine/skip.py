"""An upload's look at what the store has already: what need not be sent, and what should no longer be there.

scan ──> pairs of file and listed object ──> sent · skipped · to be looked at by the worker · extra
"""

import os
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from functools import partial

from bulkput import events as ev
from bulkput.engine.examine import digests, examined
from bulkput.engine.extra import Extras, remove_extra, why_kept
from bulkput.engine.join import Pair
from bulkput.engine.pairing import Pairing
from bulkput.engine.stop import Stop
from bulkput.errors import SourceError, Stopped, StoreError, Unsupported, UsageError, printable
from bulkput.model import Found, Listed, RemoteObject, Skip, SourceFile
from bulkput.options import UploadOptions
from bulkput.payload.body import BodyOpener, FileBody
from bulkput.policy.compare import Evidence
from bulkput.policy.directories import is_marker, is_others_marker
from bulkput.policy.scope import Scope
from bulkput.policy.skip import REASONS, Step, step
from bulkput.stores.base import Store


class Skipper:
    """Looks at the objects of files, as far as the listing does not tell enough."""

    def __init__(self, store: Store, opener: BodyOpener, options: UploadOptions) -> None:
        self._store = store
        self._opener = opener
        self._mode = options.skip.mode
        self._compresses = options.gzip.mode != "never"

    def by_listing(self, file: SourceFile, evidence: Evidence) -> Skip | SourceFile:
        """What the listing's row says: a file that has to be looked at carries that row."""
        if file.is_directory:
            return self._skip(file, evidence.row.name) if self._has_marker(evidence.row) else file
        match step(self._mode, evidence, file.mtime_ns, compresses=self._compresses):
            case Step.SEND:
                return file
            case Step.SKIP:
                return self._skip(file, evidence.row.name)
        return replace(file, listed=Listed(evidence.row, evidence.is_suffixed))

    async def looked_at(self, file: SourceFile, key: str) -> tuple[Skip | None, FileBody | None]:
        """Whether it is to be skipped; and the file, where it had to be read, as it is to be sent.

        Raises SourceError, StoreError, Stopped.
        """
        listed = file.listed or Listed(None)
        head = None if listed.row is not None else await self._store.stat(key)
        row = listed.row or head
        if row is None:
            return None, None
        if file.is_directory:
            return (self._skip(file, key) if self._has_marker(row) else None), None
        read = _Read(self._opener, file)
        decide = partial(step, self._mode, mtime_ns=file.mtime_ns, compresses=self._compresses)
        evidence = Evidence(file.size, row, head=head, is_suffixed=listed.is_suffixed)
        decision, _ = await examined(self._store, evidence, decide, read)
        return (self._skip(file, row.name) if decision is Step.SKIP else None), read.file

    def _has_marker(self, row: RemoteObject) -> bool:
        """Whether a directory whose object this is needs none."""
        return self._mode == "existing" or is_marker(row)

    def _skip(self, file: SourceFile, key: str) -> Skip:
        return Skip(file.path, file.name, REASONS[self._mode], key)


class _Read:
    """Reads a file once it is asked for."""

    def __init__(self, opener: BodyOpener, source: SourceFile) -> None:
        self._opener = opener
        self._source = source
        self.file: FileBody | None = None

    async def __call__(self, sizes: Sequence[int] | None) -> tuple[int, tuple[str, ...]]:
        if self.file is None:
            self.file = self._opener.open_at_once(self._source) or await self._opener.open(self._source)
        return await digests(self.file, self.file.size, sizes)


class Skipping:
    """Stands between an upload's scan and its pipeline."""

    def __init__(self, store: Store, scope: Scope, opener: BodyOpener, options: UploadOptions, stop: Stop) -> None:
        self.skipper = Skipper(store, opener, options)
        self._scope = scope
        self._options = options
        self._stop = stop
        self._extras = Extras() if options.skip.delete_extra else None
        self._files = 0
        self._pairing = Pairing(
            store=store,
            scope=scope,
            stop=stop,
            may_differ=options.gzip.suffixed == "some",
            sees_all=options.skip.delete_extra,
            may_leave=True,
        )

    async def found(self, scan: AsyncIterable[Found]) -> AsyncGenerator[Found, None]:
        """What the scan finds, with a Skip in place of each file of which the listing says that it is there.

        Raises UsageError where the store lists nothing and a listing is needed.
        """
        try:
            async with aclosing(self._pairing.pairs(scan)) as pairs:
                async for pair in pairs:
                    if pair.passed is not None:
                        yield pair.passed
                    elif pair.file is None:
                        await self._note(pair)
                    elif (found := await self._of(pair, pair.file)) is not None:
                        yield found
        except Unsupported as error:
            raise UsageError(f"what is there already cannot be seen: {error.detail}") from None
        except Stopped:
            return
        except StoreError as error:  # of the listing
            self._stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))

    async def _of(self, pair: Pair, file: SourceFile) -> Found | None:
        """None: a directory that gets no marker."""
        self._files += not file.is_directory
        if file.is_directory and not self._options.dir_markers:
            return None
        if self._options.skip.mode == "none" or (pair.row is None and not pair.is_unlisted):
            return file
        is_suffixed = (pair.is_suffixed or bool(self._scope.suffix)) and not file.is_directory
        if pair.row is None:
            found: Skip | SourceFile = replace(file, listed=Listed(None, is_suffixed))
        else:
            found = self.skipper.by_listing(file, Evidence(file.size, pair.row, is_suffixed=is_suffixed))
        if self._options.dry_run and isinstance(found, SourceFile) and found.listed is not None:
            # A dry run has no workers that would look.
            try:
                skip, _ = await self.skipper.looked_at(found, pair.key.decode())
            except SourceError as error:
                return error
            return skip or file
        return found

    async def remove_extra(self, failed: int, emit: ev.Emit) -> None:
        """Once all files are sent, and where that is asked for: what no file is for goes, unless so many `failed`."""
        extras, options, stop = self._extras, self._options, self._stop
        if extras is None:
            return
        with closing(extras):
            why_not = why_kept(extras.count, options, files=self._files, failed=failed, is_stopped=stop.is_pulled)
            store = self._pairing.store
            await remove_extra(store, extras, options=options, why_not=why_not, emit=emit, stop=stop)

    async def _note(self, pair: Pair) -> None:
        """An object without a file, unless nobody knows whether there is one, or filters have left it out."""
        row = pair.row
        if self._extras is None or row is None or pair.is_unknown or is_others_marker(row.name, row.bytes):
            return
        if self._scope.claims(row.name):
            await self._extras.add(row)


def check_mirror(roots: list[bytes], options: UploadOptions, scope: Scope) -> None:
    """Blocking. Raises UsageError: --delete-extra where it would remove what it should not."""
    if options.journal is not None:
        raise UsageError("--delete-extra and --journal exclude each other: what the journal knows is not looked at")
    if options.gzip.suffixed == "some":
        raise UsageError("--delete-extra cannot tell what --gzip auto --gzip-as suffix would leave: use always")
    if not scope.is_whole:
        raise UsageError("--delete-extra wants a directory as SOURCE: what lies beside a single file is not its own")
    for root in roots:
        if os.path.isdir(root):
            with os.scandir(root) as entries:
                if next(entries, None) is None:
                    raise UsageError(
                        f"source {printable(root)} is empty: --delete-extra would remove all that it once held;"
                        " bulkput rm -r does that on purpose"
                    )
