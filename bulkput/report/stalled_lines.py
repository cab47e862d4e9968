"""A run that stalls, as lines of text and as JSON: how long it stands, and what its workers wait for.

The command line imports it before the run: a file system that hangs may be the one that holds this file.
"""

from collections.abc import Sequence
from typing import Any

from bulkput import events as ev
from bulkput.errors import name_text, printable
from bulkput.report.lines import count_text, seconds_text

_MOST_ROWS = 20
"""Rows of the table of requests in flight, oldest first: as many as fit a terminal."""


def stalled_line(event: ev.Stalled) -> str:
    parts = [f"nothing has moved for {seconds_text(event.idle_s)} s: {count_text(len(event.in_flight))} in flight"]
    if event.scanning is not None:
        parts.append(f"the scan is at {printable(event.scanning)}")
    if event.loop_at:
        parts.append(f"the event loop stands at {printable(' > '.join(event.loop_at))}")
    return ", ".join(parts)


def in_flight_lines(rows: Sequence[ev.InFlight]) -> list[str]:
    """An aligned table of the first rows; empty without rows. Names vary most in length, so they come last."""
    if not rows:
        return []
    table = [("age", "attempt", "doing", "connection", "file")]
    for row in rows[:_MOST_ROWS]:
        age, name = f"{seconds_text(row.age_s)} s", printable(row.path or row.key) or "-"
        table.append((age, str(row.attempt), printable(row.what), printable(row.connection or "-"), name))
    widths = [max(map(len, column)) for column in list(zip(*table, strict=True))[:-1]]
    lines = ["  ".join(("", *map(str.ljust, cells, widths), cells[-1])) for cells in table]
    left = len(rows) - _MOST_ROWS
    return [*lines, f"  and {count_text(left)} more"] if left > 0 else lines


def stalled_json(event: ev.Stalled) -> dict[str, Any]:
    rows = [
        {
            "path": name_text(row.path),
            "key": row.key,
            "doing": row.what,
            "attempt": row.attempt,
            "connection": row.connection,
            "age_s": round(row.age_s, 3),
        }
        for row in event.in_flight
    ]
    return {
        "event": "stalled",
        "idle_s": round(event.idle_s, 3),
        "in_flight": rows,
        "scanning": name_text(event.scanning) if event.scanning is not None else None,
        "loop_at": list(event.loop_at),
    }
