"""One raw record per request, as a file of JSON lines: the input for percentiles and for charts over time.

The first line says when the run began; all later times are seconds since then:

    {"trace": 1, "began": "2026-11-22T14:00:00.123456+00:00"}
    {"operation": "put", "key": "a", "started_s": 0.012, "elapsed_s": 0.004, "bytes": 7, "status": null, "error": null}

`status` and `error` are those of a failed attempt. Each retry is an attempt with a line of its own. Waits for a slot
and waits before a retry are in no line.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from bulkput import events as ev
from bulkput.errors import StoreError


class Trace:
    """Writes the Requested events into `file`, which the caller closes. Raises what `file.write` raises."""

    def __init__(
        self, file: TextIO, *, worded: Callable[[str], str] = str, guarded: Callable[[str], str] = str
    ) -> None:
        """`worded` translates an error's text, such as options into flags; `guarded` a whole line."""
        self._file = file
        self._worded = worded
        self._guarded = guarded
        self._began_s = time.monotonic()
        file.write(json.dumps({"trace": 1, "began": datetime.now(UTC).isoformat()}) + "\n")

    def __call__(self, event: ev.Event) -> None:
        match event:
            case ev.Requested(operation, key, started_s, elapsed_s, size, error):
                row = {
                    "operation": operation,
                    "key": key,
                    "started_s": round(started_s - self._began_s, 6),
                    "elapsed_s": round(elapsed_s, 6),
                    "bytes": size,
                    "status": error.status if isinstance(error, StoreError) else None,
                    "error": None if error is None else self._worded(str(error)),
                }
                self._file.write(self._guarded(json.dumps(row)) + "\n")
