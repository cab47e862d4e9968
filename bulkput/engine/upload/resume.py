"""Connects a run with its journal: skips files that the journal knows, writes what happens to files, and ends it."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bulkput import events as ev
from bulkput.activity import doing
from bulkput.engine.stop import Stop
from bulkput.errors import JournalError, SourceError, UsageError
from bulkput.journal.uninterrupted import uninterrupted
from bulkput.model import Found, LargeUpload, SourceFile, UnfinishedUpload
from bulkput.options import NamingOptions, UploadOptions
from bulkput.policy.expiry import shortest_life_s
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import NOT_COMPRESSED, GzipNames
from bulkput.policy.naming import object_name
from bulkput.sources.paths import is_at_or_below
from bulkput.sources.walk import OpenEarlier, walk, walk_again
from bulkput.stores.base import Destination

if TYPE_CHECKING:
    from bulkput.journal.journal import Journal
    from bulkput.journal.known import JournalledUploads, ObjectName
    from bulkput.sources.share import Share


class Resume:
    """Use it with `async with` around the run, call it with each event, and `end` it before Finished is emitted.

    Without `options.journal` it does nothing. A dry run reads the journal and writes nothing.
    """

    def __init__(self, options: UploadOptions, stop: Stop) -> None:
        """Raises UsageError for `retry_failed` without `journal`, or with `last`."""
        if options.retry_failed and options.journal is None:
            raise UsageError("`retry_failed` needs the `journal` of the run that failed")
        if options.retry_failed and options.last:
            raise UsageError(
                "`retry_failed` sends only what has failed, and what `last` holds back has not: without `retry_failed`,"
                " both are sent"
            )
        self._options = options
        self._stop = stop
        self._journal: Journal | None = None
        self._emit: ev.Emit | None = None
        self._roots: list[bytes] = []
        self._gzip = NOT_COMPRESSED
        self._share: Share | None = None
        self._has_found = False
        self._was_there = True
        """Whether the journal was there before this run."""
        self._is_writing = False
        self.has_uploads = False
        self.uploads_begun: dict[bytes, tuple[UnfinishedUpload, ...]] = {}
        """The uploads in parts that earlier runs have begun, by the paths of their files, once `findings` is called."""

    @property
    def is_wanted(self) -> bool:
        """Whether the options name a journal."""
        return self._options.journal is not None

    async def __aenter__(self) -> Self:
        """Raises UsageError if the journal is in use or no journal; JournalError if it cannot be read or written."""
        if not self.is_wanted:
            return self
        opening = asyncio.get_running_loop().run_in_executor(None, self._opened)
        try:
            self._journal = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread still opens the journal. Unless it is closed then, this process keeps it locked.
            opening.add_done_callback(_close_unwanted)
            raise
        return self

    def _opened(self) -> "Journal | None":
        from bulkput.journal.journal import open_journal, open_to_read  # noqa: PLC0415 - sqlite3: 4 ms

        options, path = self._options, self._options.journal or ""
        if not options.dry_run:
            self._was_there = os.path.lexists(path)
            return open_journal(os.fsencode(path), must_exist=options.retry_failed)
        is_there = options.retry_failed or (os.path.exists(path) and os.path.getsize(path) > 0)
        return open_to_read(os.fsencode(path)) if is_there else None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is None:
            return
        await uninterrupted(self._journal.close)
        if isinstance(error, UsageError) and not self._was_there:
            from bulkput.journal.unused import remove_if_unused  # noqa: PLC0415 - for mistakes only

            await uninterrupted(remove_if_unused, self._journal.path)

    def __call__(self, event: ev.Event) -> None:
        """Write an event about a file to the journal."""
        if self._journal is None or not self._is_writing:
            return
        if isinstance(event, ev.Known | ev.Discovered):
            self._has_found = True
        elif isinstance(event, ev.Uploaded):
            for other in self._namesakes(event.upload.source):
                self._journal.forget(other, event.stored.key)
        self._journal(event)

    def _namesakes(self, source: SourceFile) -> Iterator[bytes]:
        """Paths of other files that could have had the object name of `source`. Their journal rows are outdated: the
        object now holds `source`."""
        gzip = self._gzip
        names = {source.name}
        if gzip.can_be_shared(with_directories=self._options.dir_markers):
            stored = source.name if source.is_directory else source.name + gzip.suffix(source.name).encode()
            names.update(gzip.files_of(stored), (stored,))  # `stored`: a directory gets no suffix
        elif len(self._roots) == 1:
            return
        for name in names:
            for root in self._roots:
                for path in (root, os.path.join(root, name)):
                    if path != source.path and path.endswith(b"/" + name):
                        yield path

    async def known_parts(self, path: bytes, state: str, upload: LargeUpload) -> Mapping[int, str]:
        """The MD5s of the parts that earlier runs have sent of a large file in this state, by their numbers."""
        noted = await self.noted_parts(path)
        return {number: md5 for of, begun, number, md5 in noted if (of, begun) == (state, upload.id)}

    async def parts_of_file(self, path: bytes) -> set[tuple[int, str]]:
        """Number and MD5 of all parts that earlier runs have sent of a file."""
        return {(number, md5) for _, _, number, md5 in await self.noted_parts(path)}

    async def noted_parts(self, path: bytes) -> tuple[tuple[str, str, int, str], ...]:
        """State, upload, number and MD5 of all parts that earlier runs have sent of a file. A journal that cannot be
        read knows none: then the file is read."""
        if self._journal is None:
            return ()
        with suppress(JournalError):
            return await asyncio.to_thread(self._journal.noted_parts, path)
        return ()

    def keep_upload(self, path: bytes, upload: UnfinishedUpload) -> None:
        """An upload in parts stays in the store, although its file is about to be stored: a later run looks again."""
        if self._journal is not None and self._is_writing:
            self._journal.keep(path, upload)

    async def room(self) -> None:
        """Wait until the journal's thread has caught up, or the run is stopped. The scan waits here (back-pressure)."""
        if self._journal is None or not self._journal.is_behind:
            return
        with doing("waiting for the journal's disk"):
            while self._journal.is_behind and await self._stop.pause(_LOOK_EVERY_S):
                pass

    def findings(
        self,
        roots: list[bytes],
        target: Destination,
        place: str,
        naming: NamingOptions,
        *,
        filters: Filters,
        gzip: GzipNames,
        share: "Share | None" = None,
    ) -> Iterator[Found]:
        """What the scan yields: the sources without files that the journal knows, or only files that failed; and only
        those of the `share`. Blocking.

        Raises UsageError if a source is missing or the journal belongs to another run. Raises JournalError.
        """
        found = self._findings(roots, target, place, naming, filters=filters, gzip=gzip, share=share)
        return found if share is None else share.only(found, self._roots or roots)

    def _findings(
        self,
        roots: list[bytes],
        target: Destination,
        place: str,
        naming: NamingOptions,
        *,
        filters: Filters,
        gzip: GzipNames,
        share: "Share | None",
    ) -> Iterator[Found]:
        options, journal = self._options, self._journal
        self._gzip, self._share = gzip, share
        if journal is None:
            return self._walk(roots, None, filters)
        from bulkput.engine.compare.journal_identity import absolute  # noqa: PLC0415 - json

        roots = [absolute(root) for root in roots]
        _refuse_overlap(roots)
        if options.retry_failed and len(roots) != 1:
            # A file may have failed because another source has its name: it must fail again, but a retry of failed
            # files alone cannot see that.
            raise UsageError(
                "`retry_failed` needs a single source; without `retry_failed`, failed files are sent as well"
            )
        if options.retry_failed and gzip.can_be_shared(with_directories=options.dir_markers) and not naming.is_exact:
            raise UsageError(
                "`retry_failed` does not look at files that are stored, and what failed may get the object name of one"
                " by `gzip.exclude` or `dir_markers`: without `retry_failed`, what failed is sent as well"
            )
        self._roots = roots
        earlier = self._identified(journal, self._settings(roots, target, place, naming), naming, gzip)
        if options.retry_failed and os.path.isdir(roots[0]) and not journal.has_failed(roots[0]):
            failed, walk_options = journal.failed_below(roots[0]), options.walk
            return walk_again(
                roots[0], failed, walk_options, earlier(), filters=filters, with_directories=options.dir_markers
            )
        return self._walk(roots, earlier, filters)

    def known_objects(
        self, root: bytes, account: str, target: Destination, place: str, naming: NamingOptions
    ) -> "Callable[[], JournalledUploads] | None":
        """What the journal knows of the objects of a source that is no path, in this account. None without a journal.
        Blocking. Raises like `findings`."""
        if self._journal is None:
            return None
        named = root + f" ({account})".encode() if account else root
        earlier = self._identified(
            self._journal, self._settings([named], target, place, naming), naming, NOT_COMPRESSED
        )
        self._roots = [root]
        return earlier

    def _settings(
        self, roots: list[bytes], target: Destination, place: str, naming: NamingOptions
    ) -> Mapping[str, str]:
        from bulkput.engine.compare.journal_identity import (  # noqa: PLC0415 - json
            gzip_identity,
            header_identity,
            identity,
            share_identity,
        )

        options = self._options
        settings = identity(roots, target, place, naming, options.gzip)
        settings |= share_identity(options.share) | header_identity(options.headers, options.rules)
        return settings | gzip_identity(options.gzip, compresses=options.compresses)

    def _identified(
        self, journal: "Journal", settings: Mapping[str, str], naming: NamingOptions, gzip: GzipNames
    ) -> "Callable[[], JournalledUploads]":
        """Check that the journal is that of this run, and take from it what earlier runs have begun. Gives what opens
        it to ask which files are uploaded. Blocking. Raises UsageError, JournalError."""
        options = self._options
        journal.check(settings)
        self.has_uploads = journal.has_uploads
        if not options.dry_run:
            self.uploads_begun.update(journal.uploads_begun())
        name_of, life_s = _name_of(naming, gzip), shortest_life_s(options)
        since_s = time.time() - life_s if life_s is not None else 0.0

        def earlier() -> "JournalledUploads":
            from bulkput.journal.known import JournalledUploads  # noqa: PLC0415 - sqlite3

            return JournalledUploads(journal.path, name_of, journal.own_files, since_s=since_s)

        return earlier

    def _walk(self, roots: list[bytes], open_earlier: OpenEarlier | None, filters: Filters) -> Iterator[Found]:
        """Walk the sources, or the files that the list names. Blocking. Raises UsageError."""
        options = self._options
        # A mirror needs the directories as well: the markers of existing directories are not extra.
        with_directories = options.dir_markers or options.skip.is_mirror
        if options.files is None:
            return walk(
                roots,
                options.walk,
                open_earlier,
                filters=filters,
                gzip=self._gzip,
                with_directories=with_directories,
                tells_empty=not options.dir_markers,
                share=self._share,
            )
        from bulkput.sources.file_list import file_list  # noqa: PLC0415 - sqlite3, which may sort it

        return file_list(
            options.files,
            roots[0],
            options.walk,
            open_earlier() if open_earlier is not None else None,
            is_sorted=open_earlier is not None or options.skip.is_wanted,
            filters=filters,
            gzip=self._gzip,
            with_directories=with_directories,
            share=self._share,
        )

    def begin(self, emit: ev.Emit) -> None:
        """Start writing events to the journal, unless this is a dry run. `emit` gets the order if the journal fails."""
        self._emit = emit
        if self._journal is not None and not self._options.dry_run:
            self._is_writing = True
            self._journal.begin(self._stop_run, "failed" if self._options.retry_failed else "all")

    async def end(self, *, is_complete: bool) -> None:
        """Write the remaining rows and how the run ended. If that fails, stop the run, so that its exit code says so.

        `is_complete`: the run went through all its sources. Then rows of earlier failures that were not met again are
        outdated, since their files are gone. This does not hold if filters or a list left files out, or if nothing was
        found (a source's disk may be gone).
        """
        if self._journal is None or not self._is_writing:
            return
        from bulkput.journal.journal import COMPLETE  # noqa: PLC0415 - imported since the journal was opened

        order, options = self._stop.order, self._options
        ending = order.why if order is not None else COMPLETE if is_complete else "broke off"
        is_whole = ending == COMPLETE and self._has_found and not options.walk.leaves_out and options.files is None
        try:
            await uninterrupted(self._journal.end, ending, self._roots if is_whole else [])
        except JournalError as error:
            self._stop_run(error)

    def _stop_run(self, error: JournalError) -> None:
        order = ev.Stopping(str(error), ev.StopCause.JOURNAL)
        if self._stop.is_pulled and self._emit is not None:
            self._emit(order)  # `pull` emits only the first order, and this failure must be shown
        self._stop.pull(order)


_LOOK_EVERY_S = 0.05
"""Pause between two looks at whether the journal has caught up."""


def _close_unwanted(opening: "asyncio.Future[Journal | None]") -> None:
    if not opening.cancelled() and opening.exception() is None and (journal := opening.result()) is not None:
        journal.close()


def _name_of(naming: NamingOptions, gzip: GzipNames) -> "ObjectName":
    """A function from a file's name to its object name in bytes; None if the file has no object name."""
    prefix = naming.prefix.encode()

    def plain(name: bytes) -> bytes | None:
        if naming.is_exact:
            return prefix
        if naming.encode == "strict":
            return prefix + name
        try:
            return object_name(name, prefix=naming.prefix, encode=naming.encode).encode()
        except SourceError:
            return None

    def named(name: bytes, *, is_directory: bool) -> bytes | None:
        made = plain(name)
        return made if made is None or is_directory else made + gzip.suffix(name).encode()

    return named


def _refuse_overlap(roots: list[bytes]) -> None:
    """Raises UsageError if one source lies within another: a journal has one row per path, and a file below two sources
    would have two object names."""
    for number, root in enumerate(roots):
        for other in roots[:number]:
            if is_at_or_below(root, other) or is_at_or_below(other, root):
                raise UsageError("one source lies within another: with `journal`, name each file once")
