"""The seam to processes that send the files of a run, in place of its own: `scale/` is behind it."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bulkput import events as ev
from bulkput.engine.tuner import Tuner
from bulkput.engine.upload.sender import Outcome
from bulkput.engine.upload.sending import Elsewhere, OnKept, Sending
from bulkput.model import Pacing, Upload
from bulkput.stores.base import Store


class Workers(Protocol):
    """Those that take the files of a pipeline, as `engine/pool.py:Pool` does."""

    async def submit(self, item: Upload, /) -> None:
        """Queue a file, then wait while too many are queued (back-pressure)."""

    def resize(self, workers: int, /) -> None:
        """The limit on requests in flight has changed."""


class Lanes(Protocol):
    """Sends files by other processes. Each file that is submitted gets one outcome, whatever becomes of a process."""

    async def begin(
        self, sending: Sending, store: Store, tuner: Tuner, *, source: Elsewhere, on_kept: OnKept | None
    ) -> None:
        """Make ready for the files of a run whose sources are known; called once. Raises UsageError."""

    def taking(self, report: Callable[[Outcome], None]) -> AbstractAsyncContextManager[Workers]:
        """Take files. Leaving the block waits for their outcomes; if it is cancelled, the rest is reported as not
        sent."""

    @property
    def requests(self) -> Mapping[str, int]:
        """The requests of the processes so far, by their methods."""

    @property
    def connections(self) -> int: ...

    @property
    def pacings(self) -> Iterable[Pacing]:
        """What the rates of the processes have let pass so far, if there are any."""

    @property
    def in_flight(self) -> tuple[ev.InFlight, ...]:
        """What the processes do, as they have told last. Any thread may ask."""
