"""What a mirror tells, as lines of text and as JSON: objects without a file that it removes, lets expire, or keeps.

Imported when a mirror has something to tell.
"""

from datetime import UTC, datetime
from typing import Any

from bulkput import events as ev
from bulkput.errors import printable
from bulkput.report.lines import count_text, counted
from bulkput.results import Summary

Told = ev.Removed | ev.Kept | ev.KeptYoung | ev.Expiring
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def mirror_line(event: Told, *, verbose: bool) -> str | None:
    """The line of an event; None if a person need not read it."""
    match event:
        case ev.Kept():
            return f"not removed: {_kept_text(event)}{printable(event.why)}"
        case ev.Removed() if verbose and not event.is_dry:
            return f"removed: {printable(event.key)}"
        case ev.KeptYoung() if verbose:
            return f"kept: {printable(event.key)}: {_since(event.age_s)}, too young to be removed"
        case ev.Expiring() if verbose and not (event.is_dry and event.is_new):
            already = "" if event.is_new else " already"
            return f"expires{already}: {printable(event.key)}: at {_moment(event.at_s)}"
    return None


def mirror_plan(event: ev.Removed | ev.Expiring) -> str | None:
    """The line of a dry run; None if nothing would be done."""
    match event:
        case ev.Removed(is_dry=True):
            return f"would remove: {printable(event.key)}"
        case ev.Expiring(is_dry=True, is_new=True):
            return f"would expire: {printable(event.key)}"
    return None


def mirror_told(summary: Summary) -> tuple[str, list[str]]:
    """What a dry run would do besides uploading, as the end of a sentence; and the numbers of a run, as lines."""
    return _plans(summary), _numbers(summary)


def _plans(summary: Summary) -> str:
    plans = ""
    if summary.would_remove:
        plans += f", remove {counted(summary.would_remove, 'object')}"
    if summary.would_expire:
        plans += f", let {counted(summary.would_expire, 'object')} expire"
    return plans


def _numbers(summary: Summary) -> list[str]:
    numbers = (
        (summary.removed, "removed", "no file for it"),
        (summary.kept_young, "kept", "no file for it, and younger than `skip.keep_for_s`"),
        (summary.expiring, "expiring", "no file for it"),
        (summary.expiring_already, "expiring already", "no file for it"),
    )
    return [f"  {what} {count_text(count)}: {why}" for count, what, why in numbers if count]


def mirror_json(event: Told) -> dict[str, Any]:
    """The JSON object of an event."""
    match event:
        case ev.Removed():
            return {"event": "would_remove" if event.is_dry else "removed", "key": event.key, "bytes": event.size}
        case ev.Kept():
            row: dict[str, Any] = {"event": "kept", "count": event.count, "why": event.why}
            return row if event.key is None else {**row, "key": event.key}
        case ev.KeptYoung():
            return {"event": "kept_young", "key": event.key, "bytes": event.size, "age_s": round(event.age_s)}
        case ev.Expiring():
            row = {"event": "would_expire" if event.is_dry and event.is_new else "expiring", "key": event.key}
            return row | {"bytes": event.size, "expires_at": event.at_s, "is_new": event.is_new}


def _kept_text(event: ev.Kept) -> str:
    """The number of kept objects; empty if the event is about one named object."""
    return f"{counted(event.count, 'object')} without a file: " if event.key is None else ""


def _since(age_s: float) -> str:
    """`200000` -> `stored 2 d ago`. An object of the future has another clock."""
    if age_s < 0:
        return "stored later than now, by another clock"
    size, unit = next((each for each in _UNITS if age_s >= each[0]), _UNITS[-1])
    return f"stored {age_s // size:.0f} {unit} ago"


def _moment(at_s: int) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):  # later than the year 9999
        return f"{at_s} s after 1970"
