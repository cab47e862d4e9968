"""What a verification tells the journal of the upload: that it was wrong about some objects."""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from bulkput import events as ev
from bulkput.engine.compare.journal_identity import absolute, identity
from bulkput.engine.stop import Stop
from bulkput.errors import JournalError
from bulkput.events import Finding, Verdict
from bulkput.journal.journal import Journal, open_journal
from bulkput.journal.uninterrupted import uninterrupted
from bulkput.options import GzipOptions, NamingOptions, SharedOptions
from bulkput.stores.base import Destination

_STRUCK = (Verdict.MISSING, Verdict.DIFFERENT, Verdict.NOT_COMPARABLE)
"""The last as well: what an upload stores can be compared, so that it is somebody else's."""


class JournalCorrection:
    """`async with` it around the verification. Without `options.journal` it does nothing."""

    def __init__(self, options: SharedOptions, stop: Stop) -> None:
        self._path = options.journal
        self._stop = stop
        self._journal: Journal | None = None

    async def __aenter__(self) -> Self:
        return self

    def open(
        self, roots: list[bytes], target: Destination, place: str, naming: NamingOptions, gzip: GzipOptions
    ) -> None:
        """Blocking. Raises UsageError: not there, in use, of other sources or another destination."""
        if self._path is not None:
            self._journal = open_journal(os.fsencode(self._path), must_exist=True)
            self._journal.check(identity(roots, target, place, naming, gzip))

    def begin(self) -> None:
        """From now on what `tell` hears is struck from the journal."""
        if self._journal is not None:
            self._journal.begin(self._stop_run, None)

    def is_own(self, path: bytes) -> bool:
        """Whether this is the journal, which is uploaded by nobody."""
        return self._journal is not None and path in self._journal.own_files

    def tell(self, finding: Finding) -> None:
        if self._journal is not None and finding.verdict in _STRUCK and finding.path:
            self._journal.forget(finding.path)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is None:
            return
        try:
            await uninterrupted(self._journal.end)
        except JournalError as failed:
            self._stop_run(failed)
        finally:
            await uninterrupted(self._journal.close)

    def _stop_run(self, error: JournalError) -> None:
        self._stop.pull(ev.Stopping(str(error), ev.StopCause.JOURNAL))


def all_absolute(roots: list[bytes]) -> list[bytes]:
    """As the journal has them. Blocking."""
    return [absolute(root) for root in roots]


def both(one: Callable[[Finding], None], other: Callable[[Finding], None]) -> Callable[[Finding], None]:
    """Tells a finding to two."""

    def tell(finding: Finding) -> None:
        one(finding)
        other(finding)

    return tell
