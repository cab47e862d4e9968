"""Counts the findings of a verification, and passes on all that are not IDENTICAL."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bulkput.engine.stop import Stop
from bulkput.errors import SourceError
from bulkput.events import Finding, Verdict
from bulkput.model import RemoteObject, SourceFile
from bulkput.policy.compare import Evidence
from bulkput.verb_results import Comparison

OnFinding = Callable[[Finding], None]


@dataclass(slots=True)
class Tally:
    """Counts verdicts; calls `tell` with each finding that is not IDENTICAL."""

    tell: OnFinding
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    skipped: int = 0
    ignored: int = 0
    is_container_there: bool = True

    def add(self, finding: Finding) -> None:
        self.verdicts[finding.verdict] += 1
        if finding.verdict is not Verdict.IDENTICAL:
            self.tell(finding)

    def without_file(self, row: RemoteObject, *, is_claimed: bool) -> None:
        """Count an object without a file: as extra if the sources claim its name, else as ignored."""
        if is_claimed:
            self.add(finding(Verdict.EXTRA, None, row))
        else:
            self.ignored += 1

    def comparison(self, requests: Mapping[str, int], elapsed_s: float, stop: Stop) -> Comparison:
        return Comparison(
            identical=self.verdicts[Verdict.IDENTICAL],
            different=self.verdicts[Verdict.DIFFERENT],
            missing=self.verdicts[Verdict.MISSING],
            extra=self.verdicts[Verdict.EXTRA],
            not_comparable=self.verdicts[Verdict.NOT_COMPARABLE],
            unreadable=self.verdicts[Verdict.UNREADABLE],
            skipped=self.skipped,
            ignored=self.ignored,
            requests=dict(requests),
            elapsed_s=elapsed_s,
            is_container_there=self.is_container_there,
            stopping=stop.order,
        )


def unreadable(error: SourceError, key: str | None = None) -> Finding:
    return Finding(verdict=Verdict.UNREADABLE, name=key, path=error.path, why=f"{error.problem}: {error.detail}")


def finding(
    verdict: Verdict, file: SourceFile | None, row: RemoteObject, why: str = "", evidence: Evidence | None = None
) -> Finding:
    return Finding(
        verdict=verdict,
        name=row.name,
        path=file.path if file else None,
        why=why,
        size=evidence.size if evidence else file.size if file else None,
        remote_size=row.bytes,
        md5=evidence.md5 if evidence else None,
        remote_hash=row.hash,
    )
