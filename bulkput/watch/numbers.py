"""Everything that the page, the report and the metrics show of a run, as values.

Read by the watcher's thread: the counts are the recorder's, which any thread may read. What only events tell is noted
here as they come; none of these comes for each object.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bulkput import __version__
from bulkput import events as ev
from bulkput.errors import Throttled, printable
from bulkput.model import Reason
from bulkput.record import frozen
from bulkput.recorder import Recorder
from bulkput.report.progress import Rates, left_s
from bulkput.watch.history import History, Span

MOST_FAILURES, MOST_ROWS, MOST_GROUPS = 20, 8, 256
"""Failures, rows of what is in flight, and workers or containers that the page shows."""
MOST_TEXT = 400
"""Characters of one text. A name may have thousands, and the page is sent every second."""
_NOT_SENT = (Reason.STOPPED.value, Reason.HELD_BACK.value)
"""Outcomes of files that the run did not come to. They count as skipped, and are no progress."""


@frozen
class Ended:
    """How the run ended. `why` is a sentence, or empty if the exit code says it all."""

    exit_code: int
    why: str = ""


@frozen(kw_only=True)
class About:
    """What the page says about the run itself. Nothing of it is secret."""

    sources: tuple[str, ...]
    destination: str
    tag: str | None = None
    version: str = __version__
    is_dry_run: bool = False


@frozen
class _NowPerS:
    """Rates over the last seconds. `done` counts every outcome."""

    uploaded: float = 0.0
    bytes: float = 0.0
    done: float = 0.0
    skipped: float = 0.0


class Numbers:
    """The numbers of one run. Call it with each event; call `look` once a second."""

    def __init__(
        self,
        recorder: Recorder,
        about: About,
        *,
        worded: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`worded` translates texts, such as options into flags. `now` is the time of day."""
        self.recorder = recorder
        self.about = about
        self.history = History()
        self._lock = threading.Lock()
        """The watcher looks while the server's thread reads."""
        self.ended: Ended | None = None
        self.worded = worded
        self._clock = clock
        self._began_s, self._began_at = clock(), now()
        self._last = Span(0.0)
        self._ended_s: float | None = None
        self._uploading, self._doing, self._skipping = Rates(clock), Rates(clock), Rates(clock)
        self._groups = {kind: _Groups(clock) for kind in recorder.done_by}
        self._rates = _NowPerS()
        self.throttled = 0
        self._rows: Sequence[ev.InFlight] = ()
        self.warned = 0
        self._is_scan_cut = False
        self._tuned: ev.Tuned | None = None
        self._stalled: ev.Stalled | None = None
        self._stalled_s = 0.0
        self._last_retry: ev.Retrying | None = None

    def __call__(self, event: ev.Event) -> None:
        match event:
            case ev.Retrying():
                self._last_retry = event
                self.throttled += isinstance(event.error, Throttled)
            case ev.Tuned():
                self._tuned = event
            case ev.Stalled():
                self._stalled, self._stalled_s = event, self._clock() - event.idle_s
            case ev.Moving():
                self._stalled = None
            case ev.Warned():
                self.warned += 1
            case ev.ScanDone():
                # A stop closes the scan, which then ends as if it had seen everything.
                self._is_scan_cut = self.recorder.stopping is not None

    def look(self) -> None:
        """Note what happened since the last look; any thread may call it."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        recorder, now_s = self.recorder, self._clock()
        self._rows = recorder.look()
        total = Span(
            now_s - self._began_s, recorder.uploaded, self.done, recorder.bytes_moved, recorder.retries,
            recorder.failed, len(self._rows),
        )  # fmt: skip
        last = self._last
        if total.seconds > last.seconds:
            self.history.add(_since(last, total))
            self._last = total
        uploaded_per_s, bytes_per_s = self._uploading.look(total.uploaded, total.moved)
        done_per_s, _ = self._doing.look(total.done, 0)
        self._rates = _NowPerS(
            uploaded_per_s, bytes_per_s, done_per_s, self._skipping.look(recorder.skipped.total(), 0)[0]
        )
        for kind, groups in self._groups.items():
            groups.look(dict(recorder.done_by[kind]))

    def end(self, ended: Ended) -> None:
        """The run has ended: note the last numbers. Later calls change only how it ended."""
        if self.ended is None:
            self.look()
            self._ended_s = self._clock()
        self.ended = ended

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began; in the end those of its summary, which begin when the store is open."""
        if self.ended is not None and self.recorder.finished is not None:
            return self.recorder.finished.elapsed_s
        return self._watched_s

    @property
    def _watched_s(self) -> float:
        return (self._ended_s or self._clock()) - self._began_s

    @property
    def is_scan_done(self) -> bool:
        """Whether all entries are found."""
        return self.recorder.is_scan_done and not self._is_scan_cut

    @property
    def done(self) -> int:
        """Entries with an outcome, without those that the run did not come to."""
        return self.recorder.done - self._not_sent

    @property
    def _not_sent(self) -> int:
        return sum(self.recorder.skipped[reason] for reason in _NOT_SENT)

    @property
    def _mean(self) -> tuple[float, float]:
        """Objects and bytes per second, over the whole run: as `Summary.objects_per_s`."""
        elapsed_s = self.elapsed_s
        if elapsed_s <= 0:
            return 0.0, 0.0
        return self.recorder.uploaded / elapsed_s, self.recorder.bytes_moved / elapsed_s

    @property
    def in_flight(self) -> int:
        """Items that workers handled at the last look."""
        return len(self._rows) if self.ended is None else 0

    @property
    def state(self) -> str:
        """One of: starting, running, stalled, stopping, ended."""
        if self.ended is not None:
            return "ended"
        if self.recorder.stopping is not None:
            return "stopping"
        if self._stalled is not None:
            return "stalled"
        return "running" if self.recorder.found or self.recorder.is_scan_done else "starting"

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, as far as anyone knows; None if nobody does: before the scan is complete, and while
        nothing moves."""
        if self.state != "running":
            return None
        return left_s(self.recorder, self._rates.done, self._rates.bytes)

    def as_json(self, *, since: tuple[int, int] | None = None) -> dict[str, Any]:
        """All of it; any thread may call this.

        `since` is `["history"]["seen"]` of the reader's last answer: then the history has only what is new since, from
        span number `from` on. The reader replaces its spans from there.
        """
        with self._lock:
            return self._as_json(since)

    def _as_json(self, since: tuple[int, int] | None) -> dict[str, Any]:
        recorder, history = self.recorder, self.history
        first = history.first_new(since)
        rates, left, mean = self._rates, self.left_s, self._mean
        large, large_sent, large_size = recorder.large_in_flight
        stopping, pacing = recorder.stopping, recorder.pacing
        over_s = self.elapsed_s if self.ended is not None else None
        return {
            "about": self._about_json(),
            "state": self.state,
            "ended": {"exit_code": self.ended.exit_code, "why": self._text(self.ended.why)} if self.ended else None,
            "ended_at": round(self._began_at + self._watched_s, 3) if self.ended else None,
            "elapsed_s": round(self.elapsed_s, 3),
            "left_s": round(left, 1) if left is not None else None,
            "found": recorder.found,
            "is_scan_done": self.is_scan_done,
            "done": self.done,
            "uploaded": recorder.uploaded,
            **self._skipped_json(),
            "failed": recorder.failed,
            "removed": recorder.removed,
            "expiring": recorder.expiring,
            "bytes_moved": recorder.bytes_moved,
            "bytes_sent": recorder.bytes_sent,
            "mean": {"uploaded_per_s": round(mean[0], 3), "bytes_per_s": round(mean[1], 1)},
            "uploaded_per_s": round(rates.uploaded, 2),
            "bytes_per_s": round(rates.bytes, 1),
            "done_per_s": round(rates.done, 2),
            "skipped_per_s": round(rates.skipped, 2),
            "asked": [pacing.objects_per_s, pacing.bytes_per_s] if pacing is not None else [None, None],
            "retries": recorder.retries,
            "throttled": self.throttled,
            "last_retry": self._text(str(self._last_retry.error)) if self._last_retry is not None else None,
            "warned": self.warned,
            "limit": self._tuned.limit if self._tuned is not None else None,
            "why": self._text(self._tuned.why) if self._tuned is not None else None,
            "stalled_s": round(self._clock() - self._stalled_s, 1) if self._stalled is not None else None,
            "stopping": self._text(stopping.why) if stopping is not None else None,
            "large": {"count": large, "sent": large_sent, "size": large_size} if large else None,
            **self._flight_json(),
            **self._failures_json(),
            **{f"{kind}s": groups.as_json(over_s) for kind, groups in self._groups.items()},
            "history": {
                "from": first,
                "columns": history.columns(first),
                "seen": list(history.seen),
            },
        }

    def _about_json(self) -> dict[str, Any]:
        about = self.about
        return {
            "sources": [self._text(source) for source in about.sources[:MOST_ROWS]],
            "more_sources": max(0, len(about.sources) - MOST_ROWS),
            "destination": self._text(about.destination),
            "tag": about.tag,
            "version": about.version,
            "is_dry_run": about.is_dry_run,
            "began_at": round(self._began_at, 3),
        }

    def _skipped_json(self) -> dict[str, Any]:
        by_reason = dict(self.recorder.skipped)
        not_sent = sum(by_reason.pop(reason, 0) for reason in _NOT_SENT)
        return {
            "skipped": sum(by_reason.values()),
            "skipped_by_reason": {self.worded(why): count for why, count in by_reason.items()},
            "not_sent": not_sent,
        }

    def _flight_json(self) -> dict[str, Any]:
        rows = self._rows if self.ended is None else ()
        return {
            "in_flight": len(rows),
            "rows": [
                {
                    "name": self._text(printable(row.path or row.key)),
                    "doing": self._text(printable(row.what)),
                    "attempt": row.attempt,
                    "age_s": round(row.age_s, 1),
                }
                for row in rows[:MOST_ROWS]
            ],
        }

    def _failures_json(self) -> dict[str, Any]:
        shown = self.recorder.first_failures(MOST_FAILURES)
        return {
            "failures": [{"name": self._text(printable(each.path)), "error": self._text(each.error)} for each in shown],
            "more_failures": max(0, self.recorder.failed - len(shown)),
        }

    def _text(self, text: str) -> str:
        """For people: one line, and not endless."""
        text = printable(self.worded(text))
        return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT // 2]}…{text[-MOST_TEXT // 2 :]}"


class _Groups:
    """How much each worker, or each container, has done, and how fast."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rates: dict[str, Rates] = {}
        self._rows: list[tuple[str, int, float]] = []

    def look(self, done: Mapping[str, int]) -> None:
        for name in done:
            if name not in self._rates:
                self._rates[name] = Rates(self._clock)
        self._rows = [(name, done[name], self._rates[name].look(done[name], 0)[0]) for name in sorted(done)]

    def as_json(self, over_s: float | None) -> list[dict[str, Any]]:
        """Empty unless there are several: one does what the run does. `over_s` is how long a run took that has ended:
        its rates are those of all that time."""
        if len(self._rows) < 2:
            return []
        return [
            {"name": printable(name), "done": done, "per_s": round(done / over_s if over_s else rate, 2)}
            for name, done, rate in self._rows[:MOST_GROUPS]
        ]


def _since(last: Span, total: Span) -> Span:
    return Span(
        total.seconds - last.seconds,
        total.uploaded - last.uploaded,
        total.done - last.done,
        total.moved - last.moved,
        total.retries - last.retries,
        total.failed - last.failed,
        total.in_flight,
    )
