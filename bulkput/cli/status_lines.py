"""What `bulkput status` prints of one journal, and of several."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from bulkput.errors import name_text, printable
from bulkput.journal.journal import COMPLETE
from bulkput.journal.status import JournalRow, Status
from bulkput.report.lines import count_text, counted, size_text

_MOST_FAILURES = 10


def lines_of_one(found: Status) -> list[str]:
    lines = [_route(found), _counts(found.uploaded, found.bytes, found.failed)]
    if share := found.settings.get("share"):
        lines.append(f"this is shard {share}, by {found.settings.get('share.by', 'hash')}")
    if (last := found.last) is not None:
        lines.append(
            f"run {count_text(found.runs)} began {_time(last.began_s)}: uploaded {count_text(last.uploaded)}"
            f" ({size_text(last.bytes)}) in {last.elapsed_s:.1f} s, {last.objects_per_s:.0f} objects/s;"
            f" {_ending(found)}"
        )
    if found.unfinished:
        lines.append(f"unfinished: {_unfinished(found)}")
    if not found.is_covered:
        lines.append("no run has looked at all of the source since: there may be more to upload")
    return lines + _failures(found.failures, found.failed)


def lines_of_all(found: Sequence[tuple[str, Status]]) -> list[str]:
    """A line for each journal, by its name, and their sums."""
    every = [status for _, status in found]
    lines = list(dict.fromkeys(map(_route, every)))
    lines += [_row(name, status) for name, status in found]
    failed = sum(status.failed for status in every)
    sums = _counts(sum(status.uploaded for status in every), sum(status.bytes for status in every), failed)
    lines.append(f"total: {sums}")
    return lines + _failures([row for status in every for row in status.failures], failed)


def _row(name: str, found: Status) -> str:
    share = f"shard {share}: " if (share := found.settings.get("share")) else ""
    parts = [f"{printable(name)}: {share}{_counts(found.uploaded, found.bytes, found.failed)}"]
    if found.unfinished:
        parts.append(_unfinished(found))
    parts.append(_ending(found) if found.last is not None else "no run has begun")
    if not found.is_covered and found.last is not None and found.last.ending == COMPLETE:
        # That run has looked at failed files only.
        parts.append("there may be more to upload")
    return "; ".join(parts)


def _route(found: Status) -> str:
    sources = ", ".join(json.loads(found.settings.get("sources", "[]")))
    return f"{printable(sources)} -> {printable(found.settings.get('destination', ''))}"


def _counts(uploaded: int, size: int, failed: int) -> str:
    return f"{count_text(uploaded)} uploaded ({size_text(size)}), {count_text(failed)} failed"


def _ending(found: Status) -> str:
    ending = found.last.ending if found.last is not None else None
    return printable(ending or ("it still runs" if found.is_running else "it was killed"))


def _unfinished(found: Status) -> str:
    parts = f"{counted(found.parts, 'part')} ({size_text(found.parts_bytes)})"
    return f"{counted(found.unfinished, 'large file')}, {parts} of them in the store"


def _failures(rows: Sequence[JournalRow], failed: int) -> list[str]:
    shown = rows[:_MOST_FAILURES]
    lines = [f"failed: {printable(row.error or name_text(row.path))}" for row in shown]
    if (more := failed - len(shown)) > 0:
        lines.append(f"and {count_text(more)} more: bulkput status --json names all")
    return lines


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
