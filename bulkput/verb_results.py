"""The results of the other verbs: Comparison of a verification, Changes of a copy, move or removal, UnreadSegments of a
look at segments. `results.py` says what all results have."""

from collections.abc import Mapping
from typing import Any

from bulkput import events as ev
from bulkput.model import Pacing
from bulkput.record import frozen
from bulkput.results import exit_code_of, rates_json


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
        return exit_code_of(self.stopping, 0 if self.is_identical else 1)

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
        return exit_code_of(self.stopping, 1 if self.failed or self.segments.in_doubt else 0)

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
            **rates_json(self.pacing),
            "stopped": self.stopping.why if self.stopping else None,
        }


@frozen(kw_only=True)
class UnreadSegments:
    """The numbers of a look at segments: `found` of them, of `bytes` in `groups`, are read by nothing, `read` are read.

    Of those found, `removed` ones (of `removed_bytes`) were removed, or in a dry run would be; `gone` ones were gone
    already, `young` ones may belong to an upload that is running, and `in_doubt` ones stay because it is not proven
    that nothing reads them. `uncertain` ones may be removed: an interrupted run ended before the store answered.
    `is_proven` is False if some object of the account could not be looked at; then all segments stay.

    On a store whose parts are no objects (S3), `parts` is not None, and all other numbers are of unfinished uploads:
    `groups` and `found` count them, and they have `parts` of `bytes` in all. `failed` ones could not be looked at, or
    not removed.
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
    parts: int | None = None

    @property
    def exit_code(self) -> int:
        """0: nothing is in doubt. 1: something is, or a removal failed. 3: the store stopped the run.
        130: interrupted."""
        return exit_code_of(self.stopping, 1 if self.failed or self.in_doubt or not self.is_proven else 0)

    def as_json(self) -> dict[str, Any]:
        """The last line of the command line's JSON output."""
        found = {"groups": self.groups, "segments": self.found}
        if self.parts is not None:
            found = {"unfinished_uploads": self.found, "parts": self.parts}
        return {
            "event": "finished",
            **found,
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
            **rates_json(self.pacing),
            "stopped": self.stopping.why if self.stopping else None,
        }
