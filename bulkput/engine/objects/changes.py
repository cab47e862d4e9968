"""Counts what a copy, move or removal has done, and passes on a Change for each object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bulkput.engine.stop import Stop
from bulkput.errors import BulkputError
from bulkput.events import Change, Done
from bulkput.model import Pacing
from bulkput.policy.retry import FailurePolicy
from bulkput.results import MAX_FAILURES_KEPT
from bulkput.verb_results import Changes


@dataclass(slots=True)
class ChangeTally:
    """Counts changes, calls `tell` with each, and stops the run if its failures demand it (`policy/retry.py`)."""

    tell: Callable[[Change], None]
    stop: Stop
    failure_policy: FailurePolicy
    done: int = 0
    kept: int = 0
    gone: int = 0
    failed: int = 0
    uncertain: int = 0
    """Objects whose removal was requested and not answered when an interrupted run ran out of time."""
    bytes: int = 0
    failures: list[Change] = field(default_factory=list)

    def add(self, change: Change) -> None:
        """Count a change that did not fail."""
        match change.done:
            case Done.GONE:
                self.gone += 1
            case Done.KEPT:
                self.kept += 1
            case _:
                self.done += 1
                self.bytes += change.size or 0
        self.failure_policy.succeeded()
        self.tell(change)

    def fail(self, change: Change, error: BulkputError) -> None:
        """Count a change that failed. Pulls `stop` if the failure policy says so."""
        self.failed += 1
        if len(self.failures) < MAX_FAILURES_KEPT:
            self.failures.append(change)
        self.tell(change)
        if (order := self.failure_policy.failed(error)) is not None:
            self.stop.pull(order)

    def changes(self, requests: Mapping[str, int], elapsed_s: float, *, is_dry: bool, pacing: Pacing | None) -> Changes:
        return Changes(
            done=self.done,
            kept=self.kept,
            gone=self.gone,
            failed=self.failed,
            uncertain=self.uncertain,
            bytes=self.bytes,
            is_dry=is_dry,
            requests=dict(requests),
            elapsed_s=elapsed_s,
            failures=tuple(self.failures),
            stopping=self.stop.order,
            pacing=pacing,
        )
