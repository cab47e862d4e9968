"""A run's dealings with its journal: what it need not look at again, what is written down, how that ends."""

import asyncio
import os
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from bulkput import events as ev
from bulkput.activity import doing
from bulkput.engine.compare.journal_identity import absolute, gzip_identity, header_identity, identity
from bulkput.engine.stop import Stop
from bulkput.errors import JournalError, SourceError, UsageError
from bulkput.journal.journal import COMPLETE, Journal, open_journal, open_to_read
from bulkput.journal.known import JournalledUploads, ObjectName
from bulkput.journal.uninterrupted import uninterrupted
from bulkput.model import Found, SourceFile
from bulkput.options import NamingOptions, UploadOptions
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import NOT_COMPRESSED, GzipNames
from bulkput.policy.naming import object_name
from bulkput.sources.file_list import file_list
from bulkput.sources.paths import is_at_or_below
from bulkput.sources.walk import OpenEarlier, walk, walk_again
from bulkput.stores.base import Destination


class Resume:
    """`async with` it around the run, tell it the run's events, and `end` it before the run is said to be finished.

    Without `options.journal` it remembers nothing and does nothing. A dry run reads the journal and writes nothing.
    """

    def __init__(self, options: UploadOptions, stop: Stop) -> None:
        """Raises UsageError: options that make no sense together."""
        if options.retry_failed and options.journal is None:
            raise UsageError("`retry_failed` wants the `journal` of the run that failed")
        self._options = options
        self._stop = stop
        self._journal: Journal | None = None
        self._emit: ev.Emit | None = None
        self._roots: list[bytes] = []
        self._gzip = NOT_COMPRESSED
        self._has_found = False
        self._is_writing = False
        self.has_uploads = False

    @property
    def is_wanted(self) -> bool:
        """Whether there is a journal, or will be."""
        return self._options.journal is not None

    async def __aenter__(self) -> Self:
        """Raises UsageError: in use, no journal. Raises JournalError: it cannot be read or written."""
        opening = asyncio.get_running_loop().run_in_executor(None, self._opened)
        try:
            self._journal = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)  # or it would be locked for as long as this process lives
            raise
        return self

    def _opened(self) -> Journal | None:
        options, path = self._options, self._options.journal
        if path is None:
            return None
        if not options.dry_run:
            return open_journal(os.fsencode(path), must_exist=options.retry_failed)
        is_there = options.retry_failed or (os.path.exists(path) and os.path.getsize(path) > 0)
        return open_to_read(os.fsencode(path)) if is_there else None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            await uninterrupted(self._journal.close)

    def __call__(self, event: ev.Event) -> None:
        """Write down what became of a file."""
        if self._journal is None or not self._is_writing:
            return
        if isinstance(event, ev.Known | ev.Discovered):
            self._has_found = True
        elif isinstance(event, ev.Uploaded):
            for other in self._namesakes(event.upload.source):
                self._journal.forget(other, event.stored.key)
        self._journal(event)

    def _namesakes(self, source: SourceFile) -> Iterator[bytes]:
        """Where files would be that could have had its object's name. What a journal says of that is history now."""
        gzip = self._gzip
        names = {source.name}
        if gzip.can_be_shared(with_directories=self._options.dir_markers):
            stored = source.name if source.is_directory else source.name + gzip.suffix(source.name).encode()
            names.update(gzip.files_of(stored), (stored,))  # as a directory, too, it would have that name
        elif len(self._roots) == 1:
            return
        for name in names:
            for root in self._roots:
                for path in (root, os.path.join(root, name)):
                    if path != source.path and path.endswith(b"/" + name):
                        yield path

    async def room(self) -> None:
        """Returns when the journal has followed, or the run is stopped: the scan waits for it."""
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
    ) -> Iterator[Found]:
        """The sources without what the journal knows; or only what has failed. Blocking.

        Raises UsageError: a missing source, another run's journal. Raises JournalError.
        """
        options, journal = self._options, self._journal
        self._gzip = gzip
        if journal is None:
            return self._walk(roots, None, filters)
        self._roots = roots = [absolute(root) for root in roots]
        _refuse_overlap(roots)
        if options.retry_failed and len(roots) != 1:
            # A name that failed because another source has it too could not be told from one that is to be sent.
            raise UsageError("`retry_failed` wants one source; without it, what failed is sent as well")
        if options.retry_failed and gzip.can_be_shared(with_directories=options.dir_markers) and not naming.is_exact:
            raise UsageError(
                "`retry_failed` does not look at files that are stored, and what failed may get the object name of one"
                " by `gzip.exclude` or `dir_markers`: without `retry_failed`, what failed is sent as well"
            )
        settings = identity(roots, target, place, naming, options.gzip)
        journal.check(settings | header_identity(options.headers) | gzip_identity(options.gzip))
        self.has_uploads = journal.has_uploads
        name_of, life_s = _name_of(naming, gzip), options.headers.expires_in_s
        since_s = time.time() - life_s if life_s is not None else 0.0

        def earlier() -> JournalledUploads:
            return JournalledUploads(journal.path, name_of, journal.own_files, since_s=since_s)

        if options.retry_failed and os.path.isdir(roots[0]) and not journal.has_failed(roots[0]):
            failed, walk_options = journal.failed_below(roots[0]), options.walk
            return walk_again(
                roots[0], failed, walk_options, earlier(), filters=filters, with_directories=options.dir_markers
            )
        return self._walk(roots, earlier, filters)

    def _walk(self, roots: list[bytes], open_earlier: OpenEarlier | None, filters: Filters) -> Iterator[Found]:
        """Everything that the sources hold, or the list names. Blocking. Raises UsageError."""
        options = self._options
        # With their markers, directories that are here are not extra.
        with_directories = options.dir_markers or options.skip.delete_extra
        if options.files is None:
            return walk(
                roots,
                options.walk,
                open_earlier,
                filters=filters,
                gzip=self._gzip,
                with_directories=with_directories,
                tells_empty=not options.dir_markers,
            )
        return file_list(
            options.files,
            roots[0],
            options.walk,
            open_earlier() if open_earlier is not None else None,
            is_sorted=open_earlier is not None or options.skip.is_wanted,
            filters=filters,
            gzip=self._gzip,
            with_directories=with_directories,
        )

    def begin(self, emit: ev.Emit) -> None:
        """From now on what becomes of files is written down."""
        self._emit = emit
        if self._journal is not None and not self._options.dry_run:
            self._is_writing = True
            self._journal.begin(self._stop_run, "failed" if self._options.retry_failed else "all")

    async def end(self, *, is_complete: bool) -> None:
        """Write what is left. Where that cannot be done, the run is stopped, late as it is: the exit code must say so.

        `is_complete`: every source has been looked at, so what failed before and was not met again is no more; but for
        what filters left out or a list does not name, and a source in which there was nothing (its disk may be gone).
        """
        if self._journal is None or not self._is_writing:
            return
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
            self._emit(order)  # it must be told all the same
        self._stop.pull(order)


_LOOK_EVERY_S = 0.05


def _close_unwanted(opening: "asyncio.Future[Journal | None]") -> None:
    if not opening.cancelled() and opening.exception() is None and (journal := opening.result()) is not None:
        journal.close()


def _name_of(naming: NamingOptions, gzip: GzipNames) -> ObjectName:
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
    """A journal has one row per path: a file below two sources would have two names."""
    for number, root in enumerate(roots):
        for other in roots[:number]:
            if is_at_or_below(root, other) or is_at_or_below(other, root):
                raise UsageError("one source lies within another: with `journal`, name each file once")
