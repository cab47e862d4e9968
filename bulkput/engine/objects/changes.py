"""What a copy, a move or a removal has done: told object by object, and counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bulkput import events as ev
from bulkput.engine.stop import Stop
from bulkput.errors import BulkputError
from bulkput.policy.retry import GiveUp

MAX_FAILURES_KEPT = 1_000


class Done(StrEnum):
    """What became of one object. The value is the event's name in JSON."""

    COPIED = "copied"
    MOVED = "moved"
    KEPT = "kept"
    """Of a move: copied, and the source is still there, since the run was stopped in between."""
    REMOVED = "removed"
    GONE = "gone"
    """It was listed, and is not there: it has expired, say, and the listing lags behind. Nothing to do."""
    FAILED = "failed"
    WOULD = "would"
    """A dry run: what a run would do."""


@dataclass(frozen=True, slots=True)
class Change:
    """One object, by the name that it had; `to` is the one that it got. `size` in bytes, where the listing tells it."""

    done: Done
    name: str
    to: str | None = None
    size: int | None = None
    error: BulkputError | None = None

    def as_json(self) -> dict[str, Any]:
        """One line of `--json` on the command line."""
        row = {"event": self.done.value, "name": self.name, "to": self.to, "bytes": self.size}
        return row if self.error is None else row | {"error": str(self.error)}


OnChange = Callable[[Change], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A run in numbers. `bytes` are those of the objects; `requests` are counted on the wire, by method."""

    done: int
    kept: int
    gone: int
    failed: int
    bytes: int
    is_dry: bool
    requests: Mapping[str, int]
    elapsed_s: float
    failures: tuple[Change, ...]
    stopping: ev.Stopping | None

    @property
    def exit_code(self) -> int:
        """0 done · 1 some failed · 3 the run stopped · 130 interrupted."""
        match self.stopping:
            case ev.Stopping(cause=ev.StopCause.INTERRUPTED):
                return 130
            case ev.Stopping(cause=ev.StopCause.ERRORS) | None:
                return 1 if self.failed else 0
        return 3

    def as_json(self) -> dict[str, Any]:
        """The last line of `--json` on the command line."""
        return {
            "event": "finished",
            "done": self.done,
            "kept": self.kept,
            "gone": self.gone,
            "failed": self.failed,
            "bytes": self.bytes,
            "dry_run": self.is_dry,
            "requests": dict(self.requests),
            "elapsed_s": round(self.elapsed_s, 3),
            "stopped": self.stopping.why if self.stopping else None,
        }


@dataclass(slots=True)
class ChangeTally:
    """Counts changes, tells them, and stops the run when that is due."""

    tell: OnChange
    stop: Stop
    give_up: GiveUp
    done: int = 0
    kept: int = 0
    gone: int = 0
    failed: int = 0
    bytes: int = 0
    failures: list[Change] = field(default_factory=list)

    def add(self, change: Change) -> None:
        """Something was done, or would be, or was found done."""
        match change.done:
            case Done.GONE:
                self.gone += 1
            case Done.KEPT:
                self.kept += 1
            case _:
                self.done += 1
                self.bytes += change.size or 0
        self.give_up.succeeded()
        self.tell(change)

    def fail(self, change: Change, error: BulkputError) -> None:
        """It could not be done."""
        self.failed += 1
        if len(self.failures) < MAX_FAILURES_KEPT:
            self.failures.append(change)
        self.tell(change)
        if (order := self.give_up.failed(error)) is not None:
            self.stop.pull(order)

    def changes(self, requests: Mapping[str, int], elapsed_s: float, *, is_dry: bool) -> Changes:
        return Changes(
            done=self.done,
            kept=self.kept,
            gone=self.gone,
            failed=self.failed,
            bytes=self.bytes,
            is_dry=is_dry,
            requests=dict(requests),
            elapsed_s=elapsed_s,
            failures=tuple(self.failures),
            stopping=self.stop.order,
        )
