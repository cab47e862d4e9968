"""The flags of a CI job: its page, the URLs of what it has published, and its tag."""

import os
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from bulkput.cli.configured import is_typed
from bulkput.cli.output import is_in_github
from bulkput.errors import UsageError
from bulkput.record import frozen

if TYPE_CHECKING:
    from bulkput.cli.job_view import JobView

AUTO = "auto"


@frozen(kw_only=True)
class JobFlags:
    """What a run shall tell a CI system, beside what it always tells."""

    summary_md: str | None
    print_urls: bool


def job_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Gives a verb the flags for CI, as `job`, `tag` and `keep_tag`."""

    @click.option(
        "--summary-md",
        metavar="FILE",
        help="Write a page about the run to FILE, in Markdown. auto: in GitHub Actions to the summary of the step.",
    )
    @click.option(
        "--print-urls",
        is_flag=True,
        help="Print the URL of each object that is in place on stdout.",
    )
    @click.option(
        "--tag",
        metavar="TEXT",
        help="Send a word such as build-4711 with each request, for logs.",
    )
    @click.option("--keep-tag", is_flag=True, help="Store the tag with each object, as its metadata Tag.")
    @wraps(verb)
    def with_job(
        *, summary_md: str | None, print_urls: bool, tag: str | None, keep_tag: bool, dry_run: bool, **others: Any
    ) -> int:
        if summary_md == "-":
            raise UsageError("--summary-md needs a file: stdout is for --json, --print-urls and --summary")
        if print_urls and dry_run and is_typed("print_urls"):
            raise UsageError(
                "--print-urls and --dry-run exclude each other: a dry run puts nothing in place. Leave out"
                " --print-urls: a dry run prints the names in any case"
            )
        job = JobFlags(summary_md=summary_md, print_urls=print_urls and not dry_run)
        keeps = keep_tag and (tag is not None or is_typed("keep_tag"))
        return verb(job=job, tag=tag, keep_tag=keeps, dry_run=dry_run, **others)

    return with_job


def open_job(flags: JobFlags, sources: Sequence[str], destination: str) -> "JobView | None":
    """The view of the run that a CI system gets; None if nobody asks for any of it. Raises UsageError if the page
    cannot be written."""
    is_in_ci = is_in_github() or os.environ.get("GITLAB_CI") == "true"
    if not (is_in_ci or flags.print_urls or flags.summary_md not in (None, AUTO)):
        return None
    from bulkput.cli.job_view import JobView, page_file  # noqa: PLC0415 - only such runs pay for it

    return JobView(page_file(flags.summary_md), sources, destination, prints_urls=flags.print_urls)
