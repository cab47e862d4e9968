"""A run that is watched: its status page while it goes on, its report at the end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bulkput import events as ev
from bulkput.cli.files import WholeFile
from bulkput.cli.flags import in_flags
from bulkput.cli.output import CannotWriteError, say
from bulkput.cli.watch import WatchFlags
from bulkput.errors import BulkputError, UsageError
from bulkput.recorder import Recorder
from bulkput.stores.base import Destination
from bulkput.watch.numbers import About, Ended, Numbers
from bulkput.watch.watcher import Watcher

if TYPE_CHECKING:
    from bulkput.watch.server import StatusServer


class Watch:
    """One run, watched. Call it with each event but those that come for each object."""

    def __init__(
        self, flags: WatchFlags, sources: Sequence[str], destination: str, *, tag: str | None, is_dry_run: bool
    ) -> None:
        """Raises UsageError if the file cannot be made, or nothing can listen on the port."""
        self.recorder = Recorder()
        about = About(
            sources=tuple(sources),
            destination=str(Destination.parse(destination)),  # without a signature
            tag=tag,
            is_dry_run=is_dry_run,
        )
        self._numbers = Numbers(self.recorder, about, worded=in_flags)
        self.file = WholeFile(flags.report, "--report") if flags.report is not None else None
        self._server: StatusServer | None = None
        if flags.status_page is not None:
            try:
                self._server = self._served(flags.status_page)
            except UsageError:
                self.close()
                raise

    def _served(self, where: str) -> "StatusServer":
        from bulkput.transport.listening import parse  # noqa: PLC0415 - a report needs no server
        from bulkput.watch.server import StatusServer  # noqa: PLC0415 - aiohttp.web and prometheus_client

        try:
            return StatusServer(self._numbers, parse(where))
        except UsageError as error:
            raise UsageError(f"--status-page {error}") from None

    def __call__(self, event: ev.Event) -> None:
        self._numbers(event)

    @contextmanager
    def watching(self, exit_code: Callable[[], int]) -> Iterator[None]:
        """The run, with its outputs, is the block. Then the report is written, and the page says how it ended.

        `exit_code` gives that of a block that ends without an error. Raises CannotWriteError if the report cannot be
        written, and nothing else is wrong.
        """
        with ExitStack() as stack:
            stack.callback(self.close)
            if self._server is not None:
                stack.enter_context(self._server)
                _announce(self._server)
            try:
                with Watcher(self._numbers, self._server.publish if self._server is not None else None):
                    yield
            except BaseException as error:
                self._numbers.end(_ended_by(error))
                self._write_after(error)
                raise
            self._numbers.end(Ended(exit_code()))
            self._write()

    def _write(self) -> None:
        """Raises CannotWriteError."""
        if self.file is None:
            return
        from bulkput.watch.page import report  # noqa: PLC0415 - at the end of a run with a report only

        try:
            self.file.write_text(report(self._numbers.as_json()))
        except CannotWriteError as error:
            self._numbers.end(_ended_by(error))
            raise

    def _write_after(self, error: BaseException) -> None:
        """The error is what the caller says; this adds what is wrong with the report. A command that could not begin
        has none."""
        if isinstance(error, UsageError):
            return
        try:
            self._write()
        except CannotWriteError as lost:
            say(f"bulkput: {lost}")

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self.file is not None:
            self.file.close()


def _announce(server: "StatusServer") -> None:
    say(f"status page: {server.url}")
    if not server.address.is_loopback:
        say("warning: whoever reaches this machine can read the status page: it has no password")


def _ended_by(error: BaseException) -> Ended:
    """How `main` ends the command."""
    match error:
        case UsageError():
            return Ended(2, str(error))
        case CannotWriteError(is_reader_gone=True):
            return Ended(141, str(error))
        case BulkputError() | CannotWriteError():
            return Ended(3, str(error))
        case SystemExit(code=int(code)):  # Ctrl-C, where there are no signal handlers
            return Ended(code)
    return Ended(3, "a bug in bulkput")
