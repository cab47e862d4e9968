"""A run's dealings with its journal: what it need not look at again, what is written down, how that ends."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.errors import JournalError, SourceError, UsageError
from bulkput.journal.journal import Journal, open_journal
from bulkput.journal.known import Known
from bulkput.model import Found, SourceFile
from bulkput.options import NamingOptions, UploadOptions
from bulkput.policy.naming import object_name
from bulkput.sources.walk import walk, walk_again
from bulkput.stores.base import Destination


class Resume:
    """`async with` it around the run, tell it the run's events, and `end` it before the run is said to be finished.

    Without `options.journal` it remembers nothing and does nothing. A dry run reads the journal and writes nothing.
    """

    def __init__(self, options: UploadOptions, stop: Stop) -> None:
        """Raises UsageError: options that make no sense together."""
        if options.retry_failed and options.journal is None:
            raise UsageError("--retry-failed wants the --journal of the run that failed")
        self._options = options
        self._stop = stop
        self._journal: Journal | None = None
        self._roots: list[bytes] = []
        self.has_uploads = False

    @property
    def is_wanted(self) -> bool:
        """Whether there is a journal, or will be."""
        return self._options.journal is not None

    async def __aenter__(self) -> Self:
        """Raises UsageError: in use, no journal. Raises JournalError: it cannot be read or written."""
        self._journal = await asyncio.to_thread(self._opened)
        return self

    def _opened(self) -> Journal | None:
        path = self._options.journal
        if path is None or (self._options.dry_run and not os.path.exists(path)):
            return None
        return open_journal(os.fsencode(path))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)

    def __call__(self, event: ev.Event) -> None:
        if self._journal is not None:
            self._journal(event)

    async def room(self) -> None:
        """Returns when the journal has followed: the scan waits for it."""
        if self._journal is not None:
            await self._journal.room()

    def findings(self, roots: list[bytes], target: Destination, place: str, naming: NamingOptions) -> Iterator[Found]:
        """The sources without what the journal knows; or only what has failed. Blocking.

        Raises UsageError: a missing source, another run's journal. Raises JournalError.
        """
        options, journal = self._options, self._journal
        if journal is None:
            return walk(roots, options.walk)
        self._roots = roots = [absolute(root) for root in roots]
        _refuse_overlap(roots)
        if options.retry_failed and len(roots) != 1:
            # A name that failed because another source has it too could not be told from one that is to be sent.
            raise UsageError("--retry-failed wants one SOURCE; without it, what failed is sent as well")
        journal.check(_settings(target, place, naming, options))
        self.has_uploads = journal.has_uploads
        name_of = _name_of(naming)

        def memory() -> Known:
            return Known(journal.path, name_of, journal.own_files)

        if options.retry_failed:
            return walk_again(roots[0], journal.failed_below(roots[0]), options.walk, memory())
        return walk(roots, options.walk, memory)

    def begin(self) -> None:
        """From now on what becomes of files is written down."""
        if self._journal is not None and not self._options.dry_run:
            self._journal.begin(self._stop_run)

    async def end(self, *, is_complete: bool) -> None:
        """Write what is left. Where that cannot be done, the run is stopped, late as it is: the exit code must say so.

        `is_complete`: every source has been looked at, so what failed before and was not met again is no more.
        """
        if self._journal is None or self._options.dry_run:
            return
        forget = self._roots if is_complete and not self._stop.is_pulled else []
        try:
            await asyncio.to_thread(self._journal.end, forget)
        except JournalError as error:
            self._stop_run(error)

    def _stop_run(self, error: JournalError) -> None:
        self._stop.pull(ev.Stopping(str(error), ev.StopCause.JOURNAL))


async def when_needed(found: AsyncIterable[Found], prepare: Callable[[], Awaitable[bool]]) -> AsyncIterator[Found]:
    """Prepares the store when there is a file to send, so that a run with nothing to do makes no request at all.

    Ends where `prepare` says False: the run is being stopped then.
    """
    is_ready = False
    async for item in found:
        if not is_ready and isinstance(item, SourceFile):
            is_ready = await prepare()
            if not is_ready:
                return
        yield item


def absolute(root: bytes) -> bytes:
    """The source as a journal calls it, from whatever directory the run is started. Links above a file are resolved;
    a file that is a link is known by its own name."""
    if os.path.isdir(root):
        return os.path.realpath(root)
    return os.path.join(os.path.realpath(os.path.dirname(root) or b"."), os.path.basename(root))


def _settings(target: Destination, place: str, naming: NamingOptions, options: UploadOptions) -> Mapping[str, str]:
    """What must be the same in every run with one journal, or its rows would speak of other objects: name -> value.

    Header fields may hold what is nobody's business, so only their digest is written down.
    """
    headers = hashlib.sha256(repr(options.headers).encode()).hexdigest()
    return {
        "destination": f"{Destination(target.scheme, target.root, naming.prefix)} ({place})",
        "--encode-names": naming.encode,
        "--header, --meta, --content-type, --cache-control or --expires-in": f"sha256:{headers}",
    }


def _name_of(naming: NamingOptions) -> Callable[[bytes], bytes | None]:
    """The object name of a file as the bytes of its UTF-8; for a file that has none, None or what is no journal's."""
    prefix = naming.prefix.encode()
    if naming.is_exact:
        return lambda _name: prefix
    if naming.encode == "strict":
        return lambda name: prefix + name

    def escaped(name: bytes) -> bytes | None:
        try:
            return object_name(name, prefix=naming.prefix, encode=naming.encode).encode()
        except SourceError:
            return None

    return escaped


def _refuse_overlap(roots: list[bytes]) -> None:
    """A journal has one row per path: a file below two sources would have two names."""
    for number, root in enumerate(roots):
        for other in roots[:number]:
            if root == other or _is_below(root, other) or _is_below(other, root):
                raise UsageError("one SOURCE lies within another: with --journal, name each file once")


def _is_below(path: bytes, root: bytes) -> bool:
    return path.startswith(os.path.join(root, b""))
