"""Folds the events of an upload into a Summary. It has no clock and no I/O: equal events give equal numbers."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from bulkput import events as ev
from bulkput.model import LEFT_OUT, Pacing, Reason
from bulkput.results import MAX_FAILURES_KEPT, Failure, Summary

Group = Literal["worker", "container"]

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
"""Reasons for which an entry does not count as a file to send."""


class Recorder:
    """Receives events and counts. `summary()` may be called at any time, also during the run."""

    def __init__(self) -> None:
        self.found = 0
        self.uploaded = 0
        self.skipped: Counter[str] = Counter()
        self.failed = 0
        self.bytes_planned = 0
        self.bytes_read = 0
        self.bytes_sent = 0
        self.bytes_stored = 0
        self.large_sent = 0
        self.parts_sent = 0
        self.parts_found = 0
        self.large_unfinished = 0
        self.parts_left = self.parts_left_bytes = 0
        self.parts_abandoned = self.uploads_abandoned = 0
        self.compressed: Counter[str] = Counter()
        self.left_alone: Counter[str] = Counter()
        self.retries = 0
        self.removed = 0
        self.would_remove = 0
        self.kept = 0
        self.kept_young = 0
        self.expiring = 0
        self.expiring_already = 0
        self.would_expire = 0
        self.snapshots = 0
        self.empty_directories = 0
        self.shard: str | None = None
        self.elsewhere = 0
        self.workers_lost = 0
        self.is_empty = False
        self.large_overwritten = 0
        self.segments_left = 0
        self.segments_removed = 0
        self.segments_in_doubt = 0
        self._left_paths: list[str] = []
        self._left_below: list[str] = []
        self.concurrency = 0
        self.most_concurrency = 0
        self.pacing: Pacing | None = None
        self.is_scan_done = False
        self.stopping: ev.Stopping | None = None
        self.finished: ev.Finished | None = None
        self.tag: str | None = None
        """That of the options, for the summary."""
        self.done_by: dict[Group, Counter[str]] = {"worker": Counter(), "container": Counter()}
        """Entries with an outcome, by process and by container. A run that has several of them counts here."""
        self.look: Callable[[], Sequence[ev.InFlight]] = tuple
        """Gives what is in flight now, the oldest first; any thread may call it. The run sets it while it sends."""
        self._failures: list[Failure] = []
        self._streaming: dict[bytes, ev.Streaming] = {}

    def __call__(self, event: ev.Event) -> None:  # noqa: C901, PLR0912 - one arm for each kind of event
        match event:  # `match` tries the arms in order, so the most frequent events come first
            case ev.Discovered():
                self.found += 1
            case ev.Uploaded():
                self.uploaded += 1
                self.bytes_read += event.bytes_read
                self.bytes_stored += event.stored.size
                self.bytes_sent += event.stored.size if not event.parts else 0  # its parts are counted already
                self.large_sent += event.parts > 0
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
                self._streaming[event.path] = event
            case ev.PartStored():
                self.parts_sent += event.is_new
                self.parts_found += not event.is_new
                self.bytes_sent += event.part.size * event.is_new
            case ev.PartsLeft():
                self._note_parts(event)
            case ev.Failed():
                self.failed += 1
                self._streaming.pop(event.path, None)
                if len(self._failures) < MAX_FAILURES_KEPT:
                    self._failures.append(Failure(event.path, event.key, str(event.error)))
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
            case ev.Paced():
                self.pacing = event.pacing
            case _:
                self._note_seldom(event)

    def _note_seldom(self, event: ev.Event) -> None:
        """What few runs meet: objects without files, segments, odd sources."""
        match event:
            case ev.Removed():
                self.removed += not event.is_dry
                self.would_remove += event.is_dry
            case ev.Kept():
                self.kept += event.count
            case ev.KeptYoung():
                self.kept_young += 1
            case ev.Expiring():
                self.expiring += event.is_new and not event.is_dry
                self.would_expire += event.is_new and event.is_dry
                self.expiring_already += not event.is_new
            case ev.Snapshot() | ev.EmptyDirectory() | ev.OtherShards() | ev.NothingFound():
                self._note_source(event)
            case ev.WorkerSent():
                self.done_by["worker"][event.worker] += event.files
            case ev.WorkerLost():
                self.workers_lost += 1
            case ev.SegmentsLeft():
                self._note_left(event)
            case ev.SegmentsKept():
                self.segments_in_doubt += event.count * event.is_in_doubt
            case ev.Change(done=ev.Done.REMOVED):
                self.segments_removed += 1
            case ev.Change(done=ev.Done.FAILED):
                self.segments_in_doubt += 1

    def _note_source(self, event: ev.Snapshot | ev.EmptyDirectory | ev.OtherShards | ev.NothingFound) -> None:
        match event:
            case ev.Snapshot():
                self.snapshots += 1
            case ev.EmptyDirectory():
                self.empty_directories += 1
            case ev.OtherShards():
                self.shard, self.elsewhere = f"{event.shard}/{event.of}", event.count
            case ev.NothingFound():
                self.is_empty = event.is_failure

    @property
    def bytes_moved(self) -> int:
        """Bytes read for uploaded files, plus the bytes already sent of large files in progress."""
        # Copied first: the watchdog reads this from its own thread.
        return self.bytes_read + sum(event.sent for event in tuple(self._streaming.values()))

    @property
    def large_in_flight(self) -> tuple[int, int, int]:
        """Large files that are being sent and whose size is known: their number, the bytes that are sent, all bytes."""
        known = [event for event in tuple(self._streaming.values()) if event.size is not None]
        return len(known), sum(event.sent for event in known), sum(event.size or 0 for event in known)

    @property
    def found_files(self) -> int:
        """Entries found, without non-files and without files that an option left out."""
        return self.found - sum(self.skipped[reason.value] for reason in _NO_FILE)

    @property
    def done(self) -> int:
        """Entries with a final outcome."""
        return self.uploaded + self.skipped.total() + self.failed

    def first_failures(self, most: int) -> tuple[Failure, ...]:
        """The first failures, in the order in which they came; any thread may call this."""
        return tuple(self._failures[:most])

    def _note_parts(self, event: ev.PartsLeft) -> None:
        if not event.is_resumed:
            self.parts_abandoned += event.count
            self.uploads_abandoned += event.uploads
            return
        self.large_unfinished += 1
        self.parts_left += event.count
        self.parts_left_bytes += event.size

    def _note_left(self, event: ev.SegmentsLeft) -> None:
        self.large_overwritten += 1
        self.segments_left += len(event.paths)
        self.segments_in_doubt += max(1, len(event.paths)) if event.why else 0
        self._left_paths += event.paths[: MAX_FAILURES_KEPT - len(self._left_paths)]
        if event.below is not None and len(self._left_below) < MAX_FAILURES_KEPT:
            self._left_below.append(event.below)

    def summary(self) -> Summary:
        """The numbers so far. `requests`, `connections` and `elapsed_s` stay empty or 0 until the run has finished."""
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
            bytes_stored=self.bytes_stored,
            large_sent=self.large_sent,
            parts_sent=self.parts_sent,
            parts_found=self.parts_found,
            large_unfinished=self.large_unfinished,
            parts_left=self.parts_left,
            parts_left_bytes=self.parts_left_bytes,
            parts_abandoned=self.parts_abandoned,
            uploads_abandoned=self.uploads_abandoned,
            compressed_by_reason=dict(self.compressed),
            left_alone_by_reason=dict(self.left_alone),
            requests=finished.requests,
            connections=finished.connections,
            retries=self.retries,
            removed=self.removed,
            would_remove=self.would_remove,
            kept=self.kept,
            kept_young=self.kept_young,
            expiring=self.expiring,
            expiring_already=self.expiring_already,
            would_expire=self.would_expire,
            snapshots=self.snapshots,
            empty_directories=self.empty_directories,
            is_empty=self.is_empty,
            large_overwritten=self.large_overwritten,
            segments_left=self.segments_left,
            segments_removed=self.segments_removed,
            segments_in_doubt=self.segments_in_doubt,
            left_paths=tuple(self._left_paths),
            left_below=tuple(self._left_below),
            elapsed_s=finished.elapsed_s,
            concurrency=self.concurrency,
            most_concurrency=self.most_concurrency,
            pacing=self.pacing,
            failures=tuple(self._failures),
            stopping=self.stopping,
            tag=self.tag,
            shard=self.shard,
            elsewhere=self.elsewhere,
            workers=dict(self.done_by["worker"]),
            workers_lost=self.workers_lost,
        )
