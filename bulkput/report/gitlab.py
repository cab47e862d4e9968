"""Sections of a GitLab job's log, which a click folds (docs.gitlab.com, "Custom collapsible sections").

    \\e[0Ksection_start:UNIX_TIMESTAMP:NAME\\r\\e[0KHEADER     ...     \\e[0Ksection_end:UNIX_TIMESTAMP:NAME\\r\\e[0K

No name of a file begins or ends one: in what we print, control characters are escaped.
"""

_CLEAR = "\x1b[0K"


def section_start(name: str, header: str, now_s: float) -> str:
    """`name` has letters, digits, `_`, `.` and `-`, and is the section's own in the log."""
    return f"{_CLEAR}section_start:{now_s:.0f}:{name}\r{_CLEAR}{header}"


def section_end(name: str, now_s: float) -> str:
    return f"{_CLEAR}section_end:{now_s:.0f}:{name}\r{_CLEAR}"
