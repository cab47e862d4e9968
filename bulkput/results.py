"""The result of an upload, and what it shares with those of the other verbs (`verb_results.py`).

Each result has `requests` (counted on the wire, by method), `elapsed_s`, `stopping` (why the run ended early, or None),
`exit_code` (the exit code of the command line) and `as_json()`.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from bulkput import events as ev
from bulkput.errors import name_text
from bulkput.model import Pacing, Reason
from bulkput.record import frozen

MAX_FAILURES_KEPT = 1_000
"""Failures that a result lists, to bound memory if everything fails. The counters count all of them."""


def exit_code_of(stopping: ev.Stopping | None, by_counters: int) -> int:
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
    a dry run it `would_remove` them), and `kept` others that it should have removed. With `skip.keep_for_s` it left
    `kept_young` objects, and with `skip.expire_extra_s` it let `expiring` ones expire (in a dry run, they
    `would_expire`); `expiring_already` ones did before. `snapshots` files grew while they
    were read. `large_sent` files were sent in parts: `parts_sent` parts were sent and `parts_found` were there already,
    from an earlier run. `large_unfinished` could not be completed: `parts_left` of their parts, of `parts_left_bytes`
    in all, stay in the store for the next run. `parts_abandoned` others stay, of `uploads_abandoned` uploads (in S3 one
    may have no parts): no run will use them, or they were met under the name of an object and not used.
    `empty_directories` left nothing in the store. `is_empty` is True if no file was found although `fail_if_empty` is
    set. `large_overwritten` large objects were overwritten, and their `segments_left` segments stay in the store. With
    `large.reap`, `segments_removed` were removed, and `segments_in_doubt` stay although they were to be removed.
    `left_paths` has the first segments' names, `left_below` the prefixes of dynamic large objects' segments.
    `concurrency` is the limit of requests in flight at the end, `most_concurrency` its highest value. `pacing` has the
    rates that were asked for and what was reached, or is None if there were none. `tag` is that of the options.
    `shard` is the share that the run took, such as 2/4, and `elsewhere` counts the files of other shards; it is None if
    the run took everything, or has not looked at all of its sources. `workers` counts the files of each process, if
    several have sent them, and `workers_lost` those that ended before the run did.
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
    uploads_abandoned: int
    compressed_by_reason: Mapping[str, int]
    left_alone_by_reason: Mapping[str, int]
    requests: Mapping[str, int]
    connections: int
    retries: int
    removed: int
    would_remove: int
    kept: int
    kept_young: int
    expiring: int
    expiring_already: int
    would_expire: int
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
    shard: str | None = None
    elsewhere: int = 0
    workers: Mapping[str, int] = field(default_factory=dict)
    workers_lost: int = 0

    @property
    def is_of_mirror(self) -> bool:
        """Whether a mirror has found objects without a file."""
        counts = (self.removed, self.would_remove, self.kept_young, self.expiring, self.expiring_already)
        return any((*counts, self.would_expire, self.kept))

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
            return exit_code_of(self.stopping, 3)
        is_wrong = self.failed or self.kept or self.is_empty or self.segments_in_doubt
        return exit_code_of(self.stopping, 1 if is_wrong else 0)

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
            **self._mirror_json(),
            **({"snapshots": self.snapshots} if self.snapshots else {}),
            **({"empty_directories": self.empty_directories} if self.empty_directories else {}),
            **({"nothing_found": True} if self.is_empty else {}),
            **({"shard": self.shard, "elsewhere": self.elsewhere} if self.shard is not None else {}),
            **({"workers": dict(self.workers), "workers_lost": self.workers_lost} if self.workers else {}),
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
            **rates_json(self.pacing),
            "failures": [{"path": name_text(f.path), "key": f.key, "error": f.error} for f in self.failures],
            "failures_omitted": self.failed - len(self.failures),
            "stopped": self.stopping.why if self.stopping else None,
        }

    def _mirror_json(self) -> dict[str, Any]:
        """Empty if no object without a file was found."""
        numbers = {"kept_young": self.kept_young, "expiring": self.expiring, "expiring_already": self.expiring_already}
        told: dict[str, Any] = {name: number for name, number in numbers.items() if number}
        return {"removed": self.removed, "not_removed": self.kept, **told} if self.removed or self.kept or told else {}

    def _large_json(self) -> dict[str, Any]:
        """Empty if no file was sent in parts."""
        if not (self.large_sent or self.parts_sent or self.large_unfinished or self.uploads_abandoned):
            return {}
        return {
            "large": {
                "sent": self.large_sent, "unfinished": self.large_unfinished,
                "parts_sent": self.parts_sent, "parts_found": self.parts_found,
                "parts_left": self.parts_left, "bytes_left": self.parts_left_bytes,
                "parts_abandoned": self.parts_abandoned, "uploads_abandoned": self.uploads_abandoned,
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


def rates_json(pacing: Pacing | None) -> dict[str, Any]:
    """Empty if no rate was asked for."""
    if pacing is None:
        return {}
    rates: dict[str, Any] = {"waited_share": round(pacing.waited_share, 3)}
    if pacing.is_shared:
        rates["is_shared"] = True
    if (asked := pacing.objects_per_s) is not None:
        rates["objects_per_s"] = {"asked": asked, "reached": round(pacing.reached_objects_per_s, 3)}
    if (asked := pacing.bytes_per_s) is not None:
        rates["bytes_per_s"] = {"asked": asked, "reached": round(pacing.reached_bytes_per_s, 3)}
    return {"rates": rates}
