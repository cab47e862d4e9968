"""The results of the verbs: Summary of an upload, Comparison of a verification, Changes of a copy, move or removal,
UnreadSegments of a look at segments.

Each has `requests` (counted on the wire, by method), `elapsed_s`, `stopping` (why the run ended early, or None),
`exit_code` (the exit code of the command line) and `as_json()`.
"""

from collections.abc import Mapping
from typing import Any

from bulkput import events as ev
from bulkput.errors import name_text
from bulkput.model import Pacing, Reason
from bulkput.record import frozen

MAX_FAILURES_KEPT = 1_000
"""Failures that a result lists, to bound memory if everything fails. The counters count all of them."""


def _exit_code(stopping: ev.Stopping | None, by_counters: int) -> int:
    """130: interrupted. 3: stopped by the store, the sources or the journal. Else `by_counters`."""
    match stopping:
        case None | ev.Stopping(cause=ev.StopCause.ERRORS):
            return by_counters
        case ev.Stopping(cause=ev.StopCause.INTERRUPTED):
            return 130
    return 3


@frozen
class Failure:
    """One failed entry: its path, its object name (None if it has none) and the error text."""

    path: bytes
    key: str | None
    error: str


@frozen(kw_only=True)
class Summary:
    """The numbers of an upload. Sizes are in bytes, times in seconds.

    `bytes_planned` is the size of the files that a dry run would send. A mirror `removed` objects that have no file (in
    a dry run it `would_remove` them), and `kept` others that it should have removed. `snapshots` files grew while they
    were read. `large_sent` files were sent in parts: `parts_sent` parts were sent and `parts_found` were there already,
    from an earlier run. `large_unfinished` could not be completed: `parts_left` of their parts, of `parts_left_bytes`
    in all, stay in the store for the next run. `parts_abandoned` others stay, and no run will use them.
    `empty_directories` left nothing in the store. `is_empty` is True if no file was found although `fail_if_empty` is
    set. `large_overwritten` large objects were overwritten, and their `segments_left` segments stay in the store. With
    `large.reap`, `segments_removed` were removed, and `segments_in_doubt` stay although they were to be removed.
    `left_paths` has the first segments' names, `left_below` the prefixes of dynamic large objects' segments.
    `concurrency` is the limit of requests in flight at the end, `most_concurrency` its highest value. `pacing` has the
    rates that were asked for and what was reached, or is None if there were none. `tag` is that of the options.
    """

    found: int
    uploaded: int
    skipped: int
    failed: int
    skipped_by_reason: Mapping[str, int]
    bytes_planned: int
    bytes_read: int
    bytes_sent: int
    bytes_stored: int
    large_sent: int
    parts_sent: int
    parts_found: int
    large_unfinished: int
    parts_left: int
    parts_left_bytes: int
    parts_abandoned: int
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
    segments_removed: int
    segments_in_doubt: int
    left_paths: tuple[str, ...]
    left_below: tuple[str, ...]
    elapsed_s: float
    concurrency: int
    most_concurrency: int
    pacing: Pacing | None
    failures: tuple[Failure, ...]
    stopping: ev.Stopping | None
    tag: str | None = None

    @property
    def objects_per_s(self) -> float:
        """Uploaded objects per second, over the whole run with its start-up."""
        return self.uploaded / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def ratio(self) -> float | None:
        """Compression ratio: bytes read per byte stored. None if nothing was stored."""
        return self.bytes_read / self.bytes_stored if self.bytes_stored else None

    @property
    def adds_up(self) -> bool:
        """Whether every found entry was reported exactly once. If not, bulkput has a bug; the user made no mistake."""
        return self.found == self.uploaded + self.skipped + self.failed

    @property
    def exit_code(self) -> int:
        """0: all files are stored. 1: a file failed, a mirror kept an object, segments were to be removed and stay in
        doubt, or no file was found despite `fail_if_empty`. 3: the store, the sources or the journal stopped the run,
        or it lost count. 130: interrupted."""
        if not self.adds_up or (self.stopping is None and self.skipped_by_reason.get(Reason.STOPPED.value)):
            return _exit_code(self.stopping, 3)
        is_wrong = self.failed or self.kept or self.is_empty or self.segments_in_doubt
        return _exit_code(self.stopping, 1 if is_wrong else 0)

    def as_json(self) -> dict[str, Any]:
        """The summary file of the command line. `schema` is raised when a field changes its meaning."""
        return {
            "schema": 1,
            **({"tag": self.tag} if self.tag is not None else {}),
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
            **self._large_json(),
            **self._left_json(),
            **({"segments_removed": self.segments_removed} if self.segments_removed else {}),
            **({"segments_in_doubt": self.segments_in_doubt} if self.segments_in_doubt else {}),
            "requests": dict(self.requests),
            "connections": self.connections,
            "retries": self.retries,
            "elapsed_s": round(self.elapsed_s, 3),
            "objects_per_s": round(self.objects_per_s, 1),
            "concurrency": {"final": self.concurrency, "peak": self.most_concurrency},
            **_rates_json(self.pacing),
            "failures": [{"path": name_text(f.path), "key": f.key, "error": f.error} for f in self.failures],
            "failures_omitted": self.failed - len(self.failures),
            "stopped": self.stopping.why if self.stopping else None,
        }

    def _large_json(self) -> dict[str, Any]:
        """Empty if no file was sent in parts."""
        if not (self.large_sent or self.parts_sent or self.large_unfinished):
            return {}
        return {
            "large": {
                "sent": self.large_sent, "unfinished": self.large_unfinished,
                "parts_sent": self.parts_sent, "parts_found": self.parts_found,
                "parts_left": self.parts_left, "bytes_left": self.parts_left_bytes,
                "parts_abandoned": self.parts_abandoned,
            }
        }  # fmt: skip

    def _left_json(self) -> dict[str, Any]:
        """Empty if no large object was overwritten."""
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
        """Empty if no file came to a decision about gzip."""
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


@frozen(kw_only=True)
class Comparison:
    """The numbers of a verification.

    `skipped` counts entries of the sources that are not for upload (filters, links). `ignored` counts objects that have
    no file and are not extra: the sources do not claim their names, filters exclude them, their directory could not be
    read, or they are directory markers of other programs.
    """

    identical: int
    different: int
    missing: int
    extra: int
    not_comparable: int
    unreadable: int
    skipped: int
    ignored: int
    requests: Mapping[str, int]
    elapsed_s: float
    is_container_there: bool
    stopping: ev.Stopping | None

    @property
    def is_identical(self) -> bool:
        """Whether everything was compared and everything is identical."""
        others = self.different + self.missing + self.extra + self.not_comparable + self.unreadable
        return self.is_container_there and self.stopping is None and not others

    @property
    def is_empty(self) -> bool:
        """Whether both sides were empty, which suggests a mistake in a filter or a path."""
        return self.is_identical and not self.identical

    @property
    def exit_code(self) -> int:
        """0: everything is identical. 1: something is not. 3: the store, the sources or the journal stopped the run.
        130: interrupted."""
        return _exit_code(self.stopping, 0 if self.is_identical else 1)

    def as_json(self) -> dict[str, Any]:
        """The last line of the command line's JSON output."""
        return {
            "event": "finished",
            "identical": self.identical,
            "different": self.different,
            "missing": self.missing,
            "extra": self.extra,
            "not_comparable": self.not_comparable,
            "unreadable": self.unreadable,
            "skipped": self.skipped,
            "ignored": self.ignored,
            "requests": dict(self.requests),
            "elapsed_s": round(self.elapsed_s, 3),
            "stopped": self.stopping.why if self.stopping else None,
        }


@frozen(kw_only=True)
class SegmentCounts:
    """What became of the segments of `large` objects that were removed: `left` ones stay, as nobody asked for their
    removal; `removed` ones are removed; `in_doubt` ones were to be removed, and stay because nothing proves that they
    may go."""

    large: int = 0
    left: int = 0
    left_bytes: int = 0
    removed: int = 0
    removed_bytes: int = 0
    in_doubt: int = 0

    def as_json(self) -> dict[str, Any]:
        """Empty if no large object was among the removed ones."""
        if not (self.large or self.removed or self.in_doubt):
            return {}
        return {
            "segments": {
                "left": self.left,
                "left_bytes": self.left_bytes,
                "removed": self.removed,
                "removed_bytes": self.removed_bytes,
                "in_doubt": self.in_doubt,
            }
        }


_NO_SEGMENTS = SegmentCounts()


@frozen(kw_only=True)
class Changes:
    """The numbers of a copy, move or removal. `bytes` is the size of the objects that were `done`.

    A move has `kept` sources whose copies exist. `uncertain` objects may be removed: an interrupted run requested their
    removal, and ended before the store answered. They are not `done`; those of a move are `kept`. `segments` of removed
    large objects are not among these numbers. `pacing` is that of Summary.
    """

    done: int
    kept: int
    gone: int
    failed: int
    uncertain: int
    bytes: int
    is_dry: bool
    requests: Mapping[str, int]
    elapsed_s: float
    failures: tuple[ev.Change, ...]
    stopping: ev.Stopping | None
    pacing: Pacing | None
    segments: SegmentCounts = _NO_SEGMENTS

    @property
    def exit_code(self) -> int:
        """0: all done. 1: an object failed, or segments stay in doubt. 3: the store stopped the run.
        130: interrupted."""
        return _exit_code(self.stopping, 1 if self.failed or self.segments.in_doubt else 0)

    def as_json(self) -> dict[str, Any]:
        """The last line of the command line's JSON output."""
        return {
            "event": "finished",
            "done": self.done,
            "kept": self.kept,
            "gone": self.gone,
            "failed": self.failed,
            "uncertain": self.uncertain,
            "bytes": self.bytes,
            "dry_run": self.is_dry,
            **self.segments.as_json(),
            "requests": dict(self.requests),
            "elapsed_s": round(self.elapsed_s, 3),
            **_rates_json(self.pacing),
            "stopped": self.stopping.why if self.stopping else None,
        }


@frozen(kw_only=True)
class UnreadSegments:
    """The numbers of a look at segments: `found` of them, of `bytes` in `groups`, are read by nothing, `read` are read.

    Of those found, `removed` ones (of `removed_bytes`) were removed, or in a dry run would be; `gone` ones were gone
    already, `young` ones may belong to an upload that is running, and `in_doubt` ones stay because it is not proven
    that nothing reads them. `uncertain` ones may be removed: an interrupted run ended before the store answered.
    `is_proven` is False if some object of the account could not be looked at; then all segments stay.
    """

    groups: int
    found: int
    bytes: int
    read: int
    removed: int
    removed_bytes: int
    gone: int
    young: int
    in_doubt: int
    failed: int
    uncertain: int
    is_proven: bool
    is_dry: bool
    requests: Mapping[str, int]
    elapsed_s: float
    failures: tuple[ev.Change, ...]
    stopping: ev.Stopping | None
    pacing: Pacing | None

    @property
    def exit_code(self) -> int:
        """0: nothing is in doubt. 1: something is, or a removal failed. 3: the store stopped the run.
        130: interrupted."""
        return _exit_code(self.stopping, 1 if self.failed or self.in_doubt or not self.is_proven else 0)

    def as_json(self) -> dict[str, Any]:
        """The last line of the command line's JSON output."""
        return {
            "event": "finished",
            "groups": self.groups,
            "segments": self.found,
            "bytes": self.bytes,
            "read": self.read,
            "removed": self.removed,
            "removed_bytes": self.removed_bytes,
            "gone": self.gone,
            "young": self.young,
            "in_doubt": self.in_doubt,
            "failed": self.failed,
            "uncertain": self.uncertain,
            "proven": self.is_proven,
            "dry_run": self.is_dry,
            "requests": dict(self.requests),
            "elapsed_s": round(self.elapsed_s, 3),
            **_rates_json(self.pacing),
            "stopped": self.stopping.why if self.stopping else None,
        }


def _rates_json(pacing: Pacing | None) -> dict[str, Any]:
    """Empty if no rate was asked for."""
    if pacing is None:
        return {}
    rates: dict[str, Any] = {"waited_share": round(pacing.waited_share, 3)}
    if (asked := pacing.objects_per_s) is not None:
        rates["objects_per_s"] = {"asked": asked, "reached": round(pacing.reached_objects_per_s, 3)}
    if (asked := pacing.bytes_per_s) is not None:
        rates["bytes_per_s"] = {"asked": asked, "reached": round(pacing.reached_bytes_per_s, 3)}
    return {"rates": rates}
