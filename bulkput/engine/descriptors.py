"""Fits the concurrency into the limit on open file descriptors.

Each connection and each file that is being sent takes a descriptor. If a process runs out of them, opening a file
fails, and the error looks like a fault of that file.
"""

from dataclasses import replace
from typing import TypeVar

from bulkput.errors import UsageError
from bulkput.options import SharedOptions

T = TypeVar("T", bound=SharedOptions)

_OTHERS = 32
"""Descriptors kept free for standard streams, event loop, scan (one per directory level), resolver, temporary file."""

_LEAST = 40
"""Descriptors that a process needs at least: with fewer, the event loop and its threads cannot start."""


def fitting_concurrency(options: T) -> tuple[T, str | None]:
    """Returns options whose connections and open files fit the descriptor limit, and a warning or None.

    The warning is a sentence; there is one if the run begins with fewer connections than the options say.

    First raises the process's soft limit to its hard limit, which needs no privilege. Raises UsageError if the limit
    is below `_LEAST` even then.
    """
    limit = raised_limit()
    wire = options.wire
    if limit is None:
        return options, None
    if limit < _LEAST:
        raise UsageError(f"this process may open only {limit} files: raise that to {_LEAST} or more (ulimit -n)")
    room = room_in(limit, readers=options.body.readers)
    if wire.highest <= room:
        return options, None
    advice = f"concurrency is {room}, not {wire.start}: this process may open {limit} files (ulimit -n)"
    if wire.concurrency is None:
        fitting = replace(wire, max_concurrency=room)
        return replace(options, wire=fitting), advice if room < wire.start else None
    return replace(options, wire=replace(wire, concurrency=room)), advice


def room_in(limit: int, *, readers: int) -> int:
    """Requests in flight that `limit` open files leave room for: two descriptors for each upload, its connection, and
    its file, which stays open while it is streamed."""
    return max(1, (limit - _OTHERS - readers) // 2)


def raised_limit() -> int | None:
    """Raises RLIMIT_NOFILE and returns it. None: the limit is infinite, or the system has none (Windows)."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS: the hard limit may be above what the kernel really allows
            hard = soft
    return None if hard == resource.RLIM_INFINITY else hard
