"""The pure fold of events into a Summary: no clock, no I/O, the same events give the same numbers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulkput import events as ev
from bulkput.errors import name_text
from bulkput.model import LEFT_OUT, Reason

MAX_FAILURES_KEPT = 1_000
"""Failures listed in a summary; all are counted. Bounds memory when everything fails."""

_NO_FILE = LEFT_OUT | {
    Reason.EXCLUDED,
    Reason.LINK_OUTSIDE,
    Reason.LINK_TO_DIRECTORY,
    Reason.LINK_LOOP,
    Reason.LINK_DANGLING,
    Reason.NOT_A_FILE,
    Reason.LISTED_DIRECTORY,
    Reason.OWN_OUTPUT,
}
"""Reasons for which an entry was never a file to send."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One line of `Summary.failures`."""

    path: bytes
    key: str | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in numbers. Sizes in bytes, times in seconds; `bytes_planned` is what a dry run would have sent.

    `removed` objects had no file, `kept` ones should have been removed for that and were not; `concurrency` is how many
    requests might be in flight at the end, `most_concurrency` at any time. `snapshots` files grew while they were read.
    `empty_directories` left nothing in the store. `is_empty`: no file was found, and that was to be a failure.
    `large_overwritten` objects were large ones, whose `segments_left` are still there: `left_paths` names the first of
    them (of dynamic ones `left_below` says what their paths begin with).
    """

    found: int
    uploaded: int
    skipped: int
    failed: int
    skipped_by_reason: Mapping[str, int]
    bytes_planned: int
    bytes_read: int
    bytes_sent: int
    compressed_by_reason: Mapping[str, int]
    left_alone_by_reason: Mapping[str, int]
    requests: Mapping[str, int]
    connections: int
    retries: int
    removed: int
    would_remove: int
    kept: int
    snapshots: int
    empty_directories: int
    is_empty: bool
    large_overwritten: int
    segments_left: int
    left_paths: tuple[str, ...]
    left_below: tuple[str, ...]
    elapsed_s: float
    concurrency: int
    most_concurrency: int
    failures: tuple[Failure, ...]
    stopping: ev.Stopping | None

    @property
    def objects_per_s(self) -> float:
        """Uploaded objects per second of the whole run, start-up included."""
        return self.uploaded / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def ratio(self) -> float | None:
        """Bytes of the files that were uploaded per byte that was sent for them; None where nothing was sent."""
        return self.bytes_read / self.bytes_sent if self.bytes_sent else None

    @property
    def adds_up(self) -> bool:
        """Every found entry was reported exactly once. False is a bug in bulkput, never a user's fault."""
        return self.found == self.uploaded + self.skipped + self.failed

    @property
    def exit_code(self) -> int:
        """0 all there · 1 some objects failed · 3 the run stopped, or lost count · 130 interrupted."""
        match self.stopping:
            case ev.Stopping(cause=ev.StopCause.INTERRUPTED):
                return 130
            case ev.Stopping(cause=ev.StopCause.STORE | ev.StopCause.SOURCE | ev.StopCause.JOURNAL):
                return 3
        if not self.adds_up or (self.stopping is None and self.skipped_by_reason.get(Reason.STOPPED.value)):
            return 3
        return 1 if self.failed or self.kept or self.is_empty else 0

    def as_json(self) -> dict[str, Any]:
        """The object that `--summary` writes on the command line; `schema` grows when a field changes its meaning."""
        return {
            "schema": 1,
            "found": self.found,
            "uploaded": self.uploaded,
            "skipped": self.skipped,
            "failed": self.failed,
            "skipped_by_reason": dict(self.skipped_by_reason),
            "bytes_read": self.bytes_read,
            "bytes_sent": self.bytes_sent,
            **self._gzip_json(),
            **({"removed": self.removed, "not_removed": self.kept} if self.removed or self.kept else {}),
            **({"snapshots": self.snapshots} if self.snapshots else {}),
            **({"empty_directories": self.empty_directories} if self.empty_directories else {}),
            **({"nothing_found": True} if self.is_empty else {}),
            **self._left_json(),
            "requests": dict(self.requests),
            "connections": self.connections,
            "retries": self.retries,
            "elapsed_s": round(self.elapsed_s, 3),
            "objects_per_s": round(self.objects_per_s, 1),
            "concurrency": {"final": self.concurrency, "peak": self.most_concurrency},
            "failures": [{"path": name_text(f.path), "key": f.key, "error": f.error} for f in self.failures],
            "failures_omitted": self.failed - len(self.failures),
            "stopped": self.stopping.why if self.stopping else None,
        }

    def _left_json(self) -> dict[str, Any]:
        """Nothing where no large object was overwritten."""
        if not self.large_overwritten:
            return {}
        return {
            "segments_left": {
                "large_overwritten": self.large_overwritten,
                "segments": self.segments_left,
                "names": list(self.left_paths),
                "below": list(self.left_below),
            }
        }

    def _gzip_json(self) -> dict[str, Any]:
        """Nothing where nobody asked for compression."""
        if not (self.compressed_by_reason or self.left_alone_by_reason):
            return {}
        return {
            "gzip": {
                "ratio": round(self.ratio, 3) if self.ratio is not None else None,
                "compressed": sum(self.compressed_by_reason.values()),
                "left_alone": sum(self.left_alone_by_reason.values()),
                "compressed_by_reason": dict(self.compressed_by_reason),
                "left_alone_by_reason": dict(self.left_alone_by_reason),
            }
        }


class Recorder:
    """Folds events; `summary()` may be asked at any time, also in the middle of a run."""

    def __init__(self) -> None:
        self.found = 0
        self.uploaded = 0
        self.skipped: Counter[str] = Counter()
        self.failed = 0
        self.bytes_planned = 0
        self.bytes_read = 0
        self.bytes_sent = 0
        self.compressed: Counter[str] = Counter()
        self.left_alone: Counter[str] = Counter()
        self.retries = 0
        self.removed = 0
        self.would_remove = 0
        self.kept = 0
        self.snapshots = 0
        self.empty_directories = 0
        self.is_empty = False
        self.large_overwritten = 0
        self.segments_left = 0
        self._left_paths: list[str] = []
        self._left_below: list[str] = []
        self.concurrency = 0
        self.most_concurrency = 0
        self.is_scan_done = False
        self.stopping: ev.Stopping | None = None
        self.finished: ev.Finished | None = None
        self._failures: list[Failure] = []
        self._streaming: dict[bytes, int] = {}

    def __call__(self, event: ev.Event) -> None:  # noqa: C901, PLR0912 - one arm for each kind of event
        match event:  # the most frequent first
            case ev.Requested():
                pass
            case ev.Discovered():
                self.found += 1
            case ev.Uploaded():
                self.uploaded += 1
                self.bytes_read += event.bytes_read
                self.bytes_sent += event.stored.size
                if (compression := event.compression) is not None:
                    (self.compressed if compression.is_compressed else self.left_alone)[compression.why.value] += 1
                self._streaming.pop(event.upload.source.path, None)
            case ev.Skipped():
                self.skipped[event.skip.reason.value] += 1
                self.bytes_planned += event.skip.size or 0
                self._streaming.pop(event.skip.path, None)
            case ev.Known():
                self.found += event.count
                self.skipped[Reason.KNOWN.value] += event.count
            case ev.Streaming():
                self._streaming[event.path] = event.sent
            case ev.Failed():
                self.failed += 1
                self._streaming.pop(event.path, None)
                if len(self._failures) < MAX_FAILURES_KEPT:
                    self._failures.append(Failure(event.path, event.key, str(event.error)))
            case ev.Removed():
                self.removed += not event.is_dry
                self.would_remove += event.is_dry
            case ev.Kept():
                self.kept += event.count
            case ev.Snapshot():
                self.snapshots += 1
            case ev.EmptyDirectory():
                self.empty_directories += 1
            case ev.NothingFound():
                self.is_empty = event.is_failure
            case ev.SegmentsLeft():
                self._note_left(event)
            case ev.Retrying():
                self.retries += 1
            case ev.ScanDone():
                self.is_scan_done = True
            case ev.Stopping():
                self.stopping = self.stopping or event
            case ev.Finished():
                self.finished = event
            case ev.Tuned():
                self.concurrency = event.limit
                self.most_concurrency = max(self.most_concurrency, event.limit)

    @property
    def bytes_moved(self) -> int:
        """Bytes of uploaded files, and of large ones those that are on their way."""
        return self.bytes_read + sum(tuple(self._streaming.values()))

    @property
    def found_files(self) -> int:
        """Entries that are files, and that no option has left out."""
        return self.found - sum(self.skipped[reason.value] for reason in _NO_FILE)

    @property
    def done(self) -> int:
        """Entries with a final outcome."""
        return self.uploaded + self.skipped.total() + self.failed

    def _note_left(self, event: ev.SegmentsLeft) -> None:
        self.large_overwritten += 1
        self.segments_left += len(event.paths)
        self._left_paths += event.paths[: MAX_FAILURES_KEPT - len(self._left_paths)]
        if event.below is not None and len(self._left_below) < MAX_FAILURES_KEPT:
            self._left_below.append(event.below)

    def summary(self) -> Summary:
        """The numbers so far; request counts and times are there once the run has finished."""
        finished = self.finished or ev.Finished(0.0, {}, 0)
        return Summary(
            found=self.found,
            uploaded=self.uploaded,
            skipped=self.skipped.total(),
            failed=self.failed,
            skipped_by_reason=dict(self.skipped),
            bytes_planned=self.bytes_planned,
            bytes_read=self.bytes_read,
            bytes_sent=self.bytes_sent,
            compressed_by_reason=dict(self.compressed),
            left_alone_by_reason=dict(self.left_alone),
            requests=finished.requests,
            connections=finished.connections,
            retries=self.retries,
            removed=self.removed,
            would_remove=self.would_remove,
            kept=self.kept,
            snapshots=self.snapshots,
            empty_directories=self.empty_directories,
            is_empty=self.is_empty,
            large_overwritten=self.large_overwritten,
            segments_left=self.segments_left,
            left_paths=tuple(self._left_paths),
            left_below=tuple(self._left_below),
            elapsed_s=finished.elapsed_s,
            concurrency=self.concurrency,
            most_concurrency=self.most_concurrency,
            failures=tuple(self._failures),
            stopping=self.stopping,
        )
