"""How long small requests take, one after the other over one connection. Pure."""

import math
from collections.abc import Sequence

from bulkput.doctor.finding import Finding, Step, ok, skipped, warning
from bulkput.doctor.texts import ms_text
from bulkput.record import frozen

_HANG_S = 1.0
"""A small request that takes this long, and ten times the median, has waited for something: a disk, a retry inside the
store, a node that does not answer (Swift gives one half a second to connect)."""
_HANG_TIMES = 10
_MUCH = 5_000
"""Objects per second. From there on other limits than latency come first, such as the client's processor."""


@frozen(kw_only=True)
class Series:
    """Requests of one kind. `seconds` are the times of those that succeeded; `failed` says how the others ended."""

    what: str
    seconds: tuple[float, ...]
    failed: tuple[str, ...] = ()


def percentile(sorted_s: Sequence[float], share: float) -> float:
    """By nearest rank: the smallest value that `share` of all are not above."""
    return sorted_s[max(0, math.ceil(share * len(sorted_s)) - 1)]


def latency(series: Series, *, in_flight: int) -> Finding:
    """`in_flight` is the number of requests in flight with which an upload begins."""
    times, count = sorted(series.seconds), len(series.seconds) + len(series.failed)
    if not times:
        why = series.failed[0] if series.failed else "no time for any"
        return skipped(Step.LATENCY, f"{series.what}: {why}", failed=series.failed)
    p50, p90, p99 = (percentile(times, share) for share in (0.5, 0.9, 0.99))
    facts = {
        "what": series.what,
        "requests": count,
        "failed": series.failed,
        "p50_s": p50,
        "p90_s": p90,
        "p99_s": p99,
        "max_s": times[-1],
    }
    # With fewer than a hundred values the 99th percentile is their maximum.
    tail = f"p99 {ms_text(p99)}, " if len(times) >= 100 else ""
    text = f"{count} {series.what}: p50 {ms_text(p50)}, p90 {ms_text(p90)}, {tail}max {ms_text(times[-1])}"
    if series.what.startswith("PUT") and in_flight / p50 < _MUCH:
        text += f"; {in_flight} in flight store {in_flight / p50:.0f}/s at most"
    seconds = sum(times)
    if series.failed:
        advice = (
            "repeat the look; if it goes on, ask those who run the store: uploads retry such requests, and take longer"
        )
        text = f"{text}; {len(series.failed)} failed: {series.failed[0]}"
        return warning(Step.LATENCY, "unsteady", text, advice, seconds=seconds, **facts)
    slow = [each for each in times if each >= _HANG_S and each >= _HANG_TIMES * p50]
    if slow:
        advice = "one of the store's nodes or disks is slow or dead, or packets are lost on the way"
        return warning(Step.LATENCY, "outliers", text, advice, seconds=seconds, **facts)
    return ok(Step.LATENCY, text, seconds=seconds, **facts)
