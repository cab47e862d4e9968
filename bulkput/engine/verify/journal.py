"""Deletes rows from the upload's journal that a verification has found wrong."""

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
"""Verdicts that delete a file's row. NOT_COMPARABLE belongs to them: what an upload stores can be compared, so such an
object is of another writer."""


class JournalCorrection:
    """Use it with `async with` around the verification. Without `options.journal` it does nothing."""

    def __init__(self, options: SharedOptions, stop: Stop) -> None:
        self._path = options.journal
        self._stop = stop
        self._journal: Journal | None = None

    async def __aenter__(self) -> Self:
        return self

    def open(
        self, roots: list[bytes], target: Destination, place: str, naming: NamingOptions, gzip: GzipOptions
    ) -> None:
        """Open the journal. Blocking. Raises UsageError if it does not exist, is in use, or belongs to other sources or
        another destination."""
        if self._path is not None:
            self._journal = open_journal(os.fsencode(self._path), must_exist=True)
            self._journal.check(identity(roots, target, place, naming, gzip))

    def begin(self) -> None:
        """From now on `tell` deletes rows from the journal."""
        if self._journal is not None:
            self._journal.begin(self._stop_run, None)

    def is_own(self, path: bytes) -> bool:
        """Whether the file belongs to the journal. An upload skips such files."""
        return self._journal is not None and path in self._journal.own_files

    def tell(self, finding: Finding) -> None:
        """Delete the row of the finding's file, if the verdict says that the file must be sent again."""
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
    """The sources' paths in a journal. Blocking."""
    return [absolute(root) for root in roots]


def both(one: Callable[[Finding], None], other: Callable[[Finding], None]) -> Callable[[Finding], None]:
    """A receiver that passes each finding to `one`, then to `other`."""

    def tell(finding: Finding) -> None:
        one(finding)
        other(finding)

    return tell
