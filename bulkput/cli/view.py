"""What an upload shows while it goes on: data on stdout; lines and progress on stderr, as long as anyone reads them."""

import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Literal

from bulkput import events as ev
from bulkput.cli.output import CannotWriteError, worded, write_line, write_row
from bulkput.engine.stop import Stop
from bulkput.model import Reason
from bulkput.options import UploadOptions
from bulkput.recorder import Recorder
from bulkput.report.lines import event_line, summary_lines
from bulkput.report.progress import PLAIN_EVERY_S, Screen, progress
from bulkput.report.rows import event_json
from bulkput.report.stalled_lines import in_flight_lines
from bulkput.results import Summary

if TYPE_CHECKING:
    from bulkput.cli.files import TraceFile
    from bulkput.cli.job_view import JobView
    from bulkput.cli.watch_view import Watch

_RETRY_LINE_EVERY_S = PLAIN_EVERY_S
_USUAL = (ev.Discovered, ev.Requested, ev.Uploaded)
"""Nearly all events of a run; without a flag that asks for them there is nothing to show of these."""


class UploadView:
    """One run of `upload`, watched."""

    def __init__(
        self,
        *,
        verbose: bool,
        quiet: bool,
        as_json: bool,
        progress: Literal["auto", "bar", "plain", "none"],
        trace: "TraceFile | None",
        job: "JobView | None" = None,
        watch: "Watch | None" = None,
    ) -> None:
        """`job`: what a CI system gets of the run. `watch`: what shows it elsewhere."""
        self._verbose = verbose
        self._quiet = quiet
        self._as_json = as_json
        self._trace = trace
        self._job = job
        self._watch = watch
        self._progress: Literal["auto", "bar", "plain", "none"] = "none" if quiet else progress
        self._is_plain = not verbose and not as_json and trace is None and not (job is not None and job.tells_urls)
        self._screen = Screen(worded=worded)
        self.recorder = watch.recorder if watch is not None else Recorder()
        self._next_retry_line = 0.0
        self._lost_output: CannotWriteError | None = None
        self._planned_line: Callable[[ev.Event], str | None] | None = None
        self.exit_code = 3

    def say(self, line: str) -> None:
        self._screen.say(line)

    async def run(
        self,
        sources: tuple[str, ...],
        destination: str,
        options: UploadOptions,
        stop: Stop,
        *,
        upload: Callable[..., Awaitable[Summary]],
    ) -> Summary:
        """`upload` is the verb, with all that is no option of it."""
        recorder, job = self.recorder, self._job
        if options.dry_run and not self._quiet:
            from bulkput.report.planned import planned_line  # noqa: PLC0415 - for dry runs

            self._planned_line = partial(planned_line, verbose=self._verbose)
        section = job.section(is_quiet=self._quiet) if job is not None else nullcontext()
        with section, progress(self._progress, recorder, self._screen):

            def show(event: ev.Event) -> None:
                self._show(event, stop)

            summary = await upload(sources, destination, options=options, recorder=recorder, on_event=show, stop=stop)
        lines = job.after_section(summary, is_quiet=self._quiet) if job is not None else []
        if not self._quiet or not summary.adds_up:
            lines += summary_lines(summary)
        for line in lines:
            self._screen.say(line)
        if job is not None:
            job.annotate(summary)
        self.exit_code = summary.exit_code
        if self._lost_output is not None and not self._lost_output.is_reader_gone:
            self.exit_code = 3
        return summary

    def _show(self, event: ev.Event, stop: Stop) -> None:
        if self._is_plain and isinstance(event, _USUAL):
            return
        if self._watch is not None:
            self._watch(event)
        if self._lost_output is None:
            try:
                self._write(event)
            except CannotWriteError as error:
                self._lost_output = error
                stop.pull(ev.Stopping(str(error), ev.StopCause.INTERRUPTED))
        if (line := event_line(event, verbose=self._verbose)) is not None and not self._is_too_many(event):
            self._screen.say(line)
        if isinstance(event, ev.Stalled):
            for line in in_flight_lines(event.in_flight):
                self._screen.say(line)

    def _write(self, event: ev.Event) -> None:
        """What was asked for as data. Raises CannotWriteError."""
        if self._trace is not None:
            self._trace(event)
        if self._job is not None:
            self._job(event)
        if self._as_json:
            if (row := event_json(event)) is not None:
                write_row(self._job.with_url(row, event) if self._job is not None else row)
        elif self._planned_line is not None and (planned := self._planned_line(event)) is not None:
            write_line(planned)
        elif self._job is not None:
            self._job.print_url(event)

    def _is_too_many(self, event: ev.Event) -> bool:
        """Retries come in swarms: unless asked for each, one line now and then tells that there are some."""
        match event:
            case ev.Skipped(skip=skip) if skip.reason is Reason.DRY_RUN:
                return True
            case ev.Warned() | ev.NothingFound(is_failure=False):
                return self._quiet
            case ev.Retrying() if not self._verbose:
                now = time.monotonic()
                if self._quiet or now < self._next_retry_line:
                    return True
                self._next_retry_line = now + _RETRY_LINE_EVERY_S
        return False
