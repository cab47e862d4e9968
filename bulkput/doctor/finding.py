"""What the doctor finds: one Finding for each step, and a Report of all of them.

A step is judged by a pure function of what was observed; `doctor.py` makes the steps.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from bulkput.record import frozen


class Step(StrEnum):
    """The steps, in the order in which they are made. The value is the word that users read."""

    DESCRIPTORS = "descriptors"
    PROXY = "proxy"
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    CLOCK = "clock"
    LOGIN = "login"
    INFO = "info"
    PLACE = "container"
    QUOTA = "quota"
    UNFINISHED = "unfinished"
    PUT = "put"
    GET = "get"
    LIST = "list"
    COPY = "copy"
    LARGE = "large"
    CHECKSUM = "checksum"
    LATENCY = "latency"
    DELETE = "delete"
    BULK_DELETE = "bulk-delete"
    CLEAN_UP = "clean-up"


class Verdict(StrEnum):
    """WARN: uploads work, and something is wrong. FAIL: uploads do not work. SKIPPED: nothing to judge here."""

    OK = "ok"
    SKIPPED = "skipped"
    WARN = "warn"
    FAIL = "fail"


@frozen(kw_only=True)
class Finding:
    """What one step has shown.

    `text` says it in one line, `advice` what to do about it (empty if there is nothing to do). `cause` is one word for
    programs: the same problem has the same cause in every version. `seconds` is the time that the step took; None if
    it was not measured. `facts` are what it is judged by, for JSON.
    """

    step: Step
    verdict: Verdict
    text: str
    advice: str = ""
    cause: str = ""
    seconds: float | None = None
    facts: Mapping[str, Any] | None = None


def ok(step: Step, text: str, *, seconds: float | None = None, **facts: Any) -> Finding:
    return Finding(step=step, verdict=Verdict.OK, text=text, seconds=seconds, facts=facts)


def skipped(step: Step, text: str, *, seconds: float | None = None, **facts: Any) -> Finding:
    return Finding(step=step, verdict=Verdict.SKIPPED, text=text, seconds=seconds, facts=facts)


def warning(step: Step, cause: str, text: str, advice: str, *, seconds: float | None = None, **facts: Any) -> Finding:
    return _bad(Verdict.WARN, step, (cause, text, advice), seconds, facts)


def failure(step: Step, cause: str, text: str, advice: str, *, seconds: float | None = None, **facts: Any) -> Finding:
    return _bad(Verdict.FAIL, step, (cause, text, advice), seconds, facts)


def _bad(
    verdict: Verdict, step: Step, words: tuple[str, str, str], seconds: float | None, facts: Mapping[str, Any]
) -> Finding:
    cause, text, advice = words
    return Finding(step=step, verdict=verdict, text=text, advice=advice, cause=cause, seconds=seconds, facts=facts)


class Findings:
    """The findings so far. `tell` gets each at once."""

    def __init__(self, tell: Callable[[Finding], None]) -> None:
        self.all: list[Finding] = []
        self._tell = tell

    def add(self, finding: Finding) -> bool:
        """Returns whether the steps that need this one can be made."""
        self.all.append(finding)
        self._tell(finding)
        return finding.verdict is not Verdict.FAIL


@frozen(kw_only=True)
class Report:
    """All findings about `url`, in the order of the steps.

    `left` are the names of probe objects that could not be removed. `interrupted`: the user ended it.
    """

    url: str
    findings: tuple[Finding, ...]
    left: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def verdict(self) -> Verdict:
        """The worst of all verdicts; what was skipped is not bad."""
        found = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in (Verdict.FAIL, Verdict.WARN) if verdict in found), Verdict.OK)

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return 130
        return {Verdict.FAIL: 3, Verdict.WARN: 1}.get(self.verdict, 0)

    @property
    def causes(self) -> frozenset[str]:
        return frozenset(finding.cause for finding in self.findings if finding.cause)
