"""The page of a CI job about an upload, in Markdown: what was published where, how much, and what failed.

Names of files, and what servers say, stand in `<code>`, each odd character as a character reference: a reference makes
no structure (CommonMark, 2.5), and GitHub's and GitLab's filters for mentions, issues and emoji pass by code. Links
are made of text as well (GFM, 6.9), by some programs after references are read, so a comment parts what would be one.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from bulkput.errors import printable
from bulkput.model import Reason
from bulkput.record import frozen
from bulkput.report.lines import count_text, size_text
from bulkput.results import Failure, Summary

MAX_BYTES = 1024 * 1024
"""GitHub shows no page of a step that has more."""
MOST_ROWS = 100
"""Failures, and URLs, that a page has: more are read in `failed:` lines, or in the summary."""
_MOST_SOURCES = 5
_LONGEST = 500
"""Characters of a name or a reason: a path may have 4096, and each may become six."""
_SPARE = 1_000
"""Bytes for the lines that say how many more there are."""
_PART = "<!-- -->"
_ODD = re.compile(r"www(?=\.)|[^0-9A-Za-z ,./=+%\-\u0080-\U0010ffff]", re.IGNORECASE)
_LINKABLE = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9._~%/-]*")
"""URLs as we quote them. What a server names its account may be anything: then it is shown, and is no link."""


@frozen(kw_only=True)
class Job:
    """What a page is about. `error` is why the run ended before it could count anything more. `urls` are those of the
    first objects that were uploaded."""

    sources: tuple[str, ...]
    destination: str
    summary: Summary
    error: str | None = None
    urls: tuple[str, ...] = ()
    is_public: bool = False
    nothing_found: str | None = None
    """Where no file was found, if that makes the run fail."""


def job_page(job: Job, *, max_bytes: int = MAX_BYTES, worded: Callable[[str], str] = str) -> str:
    """The page; empty if not even its first lines fit into `max_bytes`. `worded` translates a text, such as options
    into flags."""
    head = "\n".join([f"## bulkput: {_status(job)}", "", *_about(job, worded), "", *_numbers(job.summary, worded), ""])
    left = max_bytes - _bytes(head) - _SPARE
    if left < 0:
        return ""
    failures = _bounded(_failure_rows(job.summary.failures, worded), left // 2)
    links = _bounded(_links(job), left - left // 2)
    return "\n".join([head, *_failures(failures, job.summary.failed), *_published(links, job.summary.uploaded)])


def code(text: str | bytes) -> str:
    """A name, as it fits a cell of a table: no markup, no link, one line."""
    return f"<code>{escaped(text)}</code>"


def escaped(text: str | bytes) -> str:
    shown = printable(text)
    return _ODD.sub(_escape, shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}...")


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if len(found) > 1:
        return f"{found[0]}{_PART}{found[1:]}"
    is_in_link = found == "@" or (found == ":" and match.string.startswith("//", match.end()))
    return f"{_PART if is_in_link else ''}&#{ord(found)};"


def _status(job: Job) -> str:
    if job.error is not None or job.summary.stopping is not None:
        return "stopped"
    if job.summary.exit_code:
        return "failed"
    return "planned, nothing sent" if _is_dry(job.summary) else "published"


def _is_dry(summary: Summary) -> bool:
    return bool(summary.would_remove or summary.skipped_by_reason.get(Reason.DRY_RUN.value))


def _about(job: Job, worded: Callable[[str], str]) -> Iterator[str]:
    more = len(job.sources) - _MOST_SOURCES
    sources = ", ".join(map(code, job.sources[:_MOST_SOURCES])) + (f" and {count_text(more)} more" if more > 0 else "")
    tag = f", tag {code(job.summary.tag)}" if job.summary.tag else ""
    yield f"{sources} to {code(job.destination)}{tag}"
    why = job.error or (job.summary.stopping.why if job.summary.stopping is not None else None)
    if why is not None:
        yield ""
        yield f"Stopped: {code(worded(why))}"
    if job.nothing_found is not None:
        yield ""
        yield f"No file was found in {code(job.nothing_found)}."


def _numbers(summary: Summary, worded: Callable[[str], str]) -> Iterator[str]:
    """A table: what has been counted, and what it took."""
    yield _row("found", count_text(summary.found))
    yield "|---|---:|"
    yield _row("uploaded", count_text(summary.uploaded))
    for reason, count in summary.skipped_by_reason.items():
        yield _row(f"skipped: {escaped(worded(reason))}", count_text(count))
    yield _row("failed", count_text(summary.failed))
    for what, count in (
        ("removed", summary.removed),
        ("would be removed", summary.would_remove),
        ("not removed", summary.kept),
        ("kept, not old enough", summary.kept_young),
        ("expiring", summary.expiring),
    ):
        if count:
            yield _row(what, count_text(count))
    planned = [_row("to be sent", size_text(summary.bytes_planned))] if _is_dry(summary) else []
    yield from planned
    yield _row("sent", size_text(summary.bytes_sent))
    yield _row("time", f"{summary.elapsed_s:.1f} s")
    yield _row("requests", count_text(sum(summary.requests.values())))
    if summary.retries:
        yield _row("retries", count_text(summary.retries))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _failure_rows(failures: Iterable[Failure], worded: Callable[[str], str]) -> Iterator[str]:
    for failure in failures:
        yield _row(code(failure.path), code(failure.key) if failure.key else "", code(worded(failure.error)))


def _failures(rows: list[str], failed: int) -> list[str]:
    if not failed:
        return []
    return ["### Failed", "", "| file | object | reason |", "|---|---|---|", *rows, *_more(failed - len(rows))]


def _links(job: Job) -> Iterator[str]:
    for url in job.urls:
        yield f"- <{url}>" if job.is_public and _LINKABLE.fullmatch(url) else f"- {code(url)}"


def _published(links: list[str], uploaded: int) -> list[str]:
    if not links:
        return []
    return ["### Uploaded", "", *links, *_more(uploaded - len(links))]


def _more(count: int) -> list[str]:
    return ["", f"and {count_text(count)} more", ""] if count > 0 else [""]


def _bounded(lines: Iterable[str], max_bytes: int) -> list[str]:
    """The first lines: as many as a page has, and as fit."""
    taken: list[str] = []
    for line in lines:
        max_bytes -= _bytes(line) + 1
        if max_bytes < 0 or len(taken) == MOST_ROWS:
            break
        taken.append(line)
    return taken


def _bytes(text: str) -> int:
    return len(text.encode())
