"""What a CI system gets of an upload: a page, annotations (GitHub Actions), a section of the log (GitLab), URLs."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bulkput import events as ev
from bulkput.cli.files import WholeFile
from bulkput.cli.flags import in_flags
from bulkput.cli.job import AUTO
from bulkput.cli.output import CannotWriteError, identity, is_in_github, say, write_line, write_to_stderr
from bulkput.errors import BulkputError, printable
from bulkput.model import IN_PLACE
from bulkput.report.github import MOST, Trouble, annotations, file_of
from bulkput.report.gitlab import section_end, section_start
from bulkput.report.job_page import MAX_BYTES, MOST_ROWS, Job, job_page
from bulkput.report.lines import count_text
from bulkput.results import Summary
from bulkput.stores.base import Destination


class StepSummary:
    """The file that a step of GitHub Actions appends its page to. Other commands of the step may have done so."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def identities(self) -> set[tuple[int, int]]:
        own = identity(self._path)
        return set() if own is None else {own}

    @property
    def room(self) -> int:
        """Bytes that it still takes: the runner drops a longer one as a whole."""
        try:
            return MAX_BYTES - os.path.getsize(self._path) - len("\n\n\n")
        except OSError:  # not there yet, or nothing can be written: `write_text` knows
            return MAX_BYTES

    def write_text(self, text: str) -> None:
        """Raises CannotWriteError."""
        try:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"\n{text}\n" if file.tell() else f"{text}\n")
        except OSError as error:
            raise CannotWriteError(self._path, error) from error

    def close(self) -> None:
        """Nothing is open."""


class PageFile(WholeFile):
    """The file of `--summary-md FILE`."""

    room = MAX_BYTES

    def __init__(self, path: str) -> None:
        """Raises UsageError if the file cannot be made there."""
        super().__init__(path, "--summary-md")


def page_file(where: str | None) -> PageFile | StepSummary | None:
    """Where the page goes; None if there is none, as outside of GitHub Actions with `auto`. Raises UsageError."""
    if where is None:
        return None
    if where != AUTO:
        return PageFile(where)
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    return StepSummary(path) if path and is_in_github() else None


class JobView:
    """One run, as a CI system shows it. Call it with each event."""

    def __init__(
        self, file: PageFile | StepSummary | None, sources: Sequence[str], destination: str, *, prints_urls: bool
    ) -> None:
        """`sources` and `destination` as the user names them."""
        self.file = file
        self._sources = tuple(sources)
        self._destination = destination
        self.prints_urls = prints_urls
        self.tells_urls = prints_urls or file is not None
        self._place: ev.Place | None = None
        self._urls: list[str] = []
        self._warnings: list[str] = []
        self._nothing_found: str | None = None
        self._warned = 0
        self._is_in_gitlab = os.environ.get("GITLAB_CI") == "true"

    def __call__(self, event: ev.Event) -> None:
        """Note what is shown at the end."""
        match event:
            case ev.Place():
                self._place = event
            case ev.Uploaded() if self._place is not None and len(self._urls) < MOST_ROWS and self.file is not None:
                self._urls.append(self._place.url_of(event.stored.key))
            case ev.NothingFound(is_failure=True):
                self._nothing_found = event.where
            case ev.Warned():
                self._warned += 1
                if len(self._warnings) < MOST:
                    self._warnings.append(event.why)

    def print_url(self, event: ev.Event) -> None:
        """Write the URL of an object that is in place. Raises CannotWriteError."""
        if (url := self._url_of(event)) is not None:
            write_line(url)

    def with_url(self, row: dict[str, Any], event: ev.Event) -> dict[str, Any]:
        """The JSON object of the event, with the URL of an object that is in place."""
        url = self._url_of(event)
        return row if url is None else {**row, "url": url}

    def _url_of(self, event: ev.Event) -> str | None:
        if not self.prints_urls or self._place is None:
            return None
        match event:
            case ev.Uploaded():
                return self._place.url_of(event.stored.key)
            case ev.Skipped(skip=skip) if skip.reason in IN_PLACE and skip.key is not None:
                return self._place.url_of(skip.key)
        return None

    @contextmanager
    def section(self, *, is_quiet: bool) -> Iterator[None]:
        """In GitLab, fold what is printed within the block into a section of its own."""
        if not self._is_in_gitlab or is_quiet:
            yield
            return
        name = f"bulkput_upload_{os.getpid()}"  # a job may upload more than once
        write_to_stderr(section_start(name, "bulkput upload", time.time()))
        try:
            yield
        finally:
            write_to_stderr(section_end(name, time.time()))

    def after_section(self, summary: Summary, *, is_quiet: bool) -> list[str]:
        """The failures again, as a section that is folded hides the lines of the run."""
        if not self._is_in_gitlab or is_quiet:
            return []
        stopped = [f"stopped: {printable(summary.stopping.why)}"] if summary.stopping is not None else []
        shown = summary.failures[:MOST]
        lines = [f"failed: {failure.error}" for failure in shown]
        more = summary.failed - len(shown)
        return [*lines, *([f"failed: {count_text(more)} more, named in the section above"] if more else []), *stopped]

    def annotate(self, summary: Summary) -> None:
        """In GitHub Actions, show on the run's page what failed, and what it warned of."""
        if not is_in_github():
            return
        working = os.fsencode(os.getcwd())
        workspace = os.environ.get("GITHUB_WORKSPACE")
        empty = [(None, f"no file was found in {self._nothing_found}")] if self._nothing_found is not None else []
        trouble = Trouble(
            stopped=in_flags(printable(summary.stopping.why)) if summary.stopping is not None else None,
            failures=[
                *empty,
                *(
                    (
                        file_of(each.path, working=working, workspace=os.fsencode(workspace) if workspace else None),
                        in_flags(each.error),
                    )
                    for each in summary.failures[:MOST]
                ),
            ],
            failed=summary.failed + len(empty),
            warnings=[in_flags(printable(why)) for why in self._warnings],
            warned=self._warned,
        )
        for line in annotations(trouble):
            write_to_stderr(line)

    def write(self, summary: Summary, error: str | None = None) -> None:
        """Write the page. `error` is why the run could not go on. Raises CannotWriteError."""
        if self.file is None:
            return
        job = Job(
            sources=self._sources,
            destination=str(Destination.parse(self._destination)),  # without a signature
            summary=summary,
            error=error,
            urls=tuple(self._urls),
            is_public=self._place is not None and self._place.is_public,
            nothing_found=self._nothing_found,
        )
        if page := job_page(job, max_bytes=self.file.room, worded=in_flags):
            self.file.write_text(page)
        else:
            say("warning: the page of this run is not written: other commands of the step have filled its summary")

    def write_ended(self, summary: Summary, error: BulkputError) -> None:
        """Write the page of a run that an error has ended, which is what its caller says; this adds what is wrong with
        the page itself."""
        try:
            self.write(summary, str(error))
        except CannotWriteError as lost:
            say(f"bulkput: {lost}")

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
