"""Durations as people write them: `90` (seconds), `30m`, `12h`, `7d`, `2w`."""

import re

from bulkput.errors import UsageError

_DURATION = re.compile(r"([0-9]{1,12})([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds_of(text: str, *, least: int = 1) -> int:
    """Whole seconds, `least` (0 or 1) or more. Raises UsageError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is not a duration: write seconds, or 30m, 12h, 7d")
    if int(match[1]) < least:
        raise UsageError(f"{text!r} is too short: the shortest duration is 1, one second")
    return int(match[1]) * _SECONDS[match[2]]
