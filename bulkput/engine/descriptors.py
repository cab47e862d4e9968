"""How many connections a process may have: each is a file descriptor, and running out of them looks like bad files."""

from dataclasses import replace
from typing import TypeVar

from bulkput.errors import UsageError
from bulkput.options import SharedOptions

T = TypeVar("T", bound=SharedOptions)

_OTHERS = 32
"""Descriptors for the streams, the event loop, the scan (one per open directory level), resolver and temporary file."""

_LEAST = 40
"""With fewer the event loop and its threads cannot even begin."""


def fitting_concurrency(options: T) -> tuple[T, str | None]:
    """Options whose connections and open files fit the descriptor limit, and a sentence when that changed them.

    The soft limit is raised to the hard one first, which any process may do for itself. Raises UsageError where that
    is still too few to begin.
    """
    limit = _raised_limit()
    wire = options.wire
    if limit is None:
        return options, None
    if limit < _LEAST:
        raise UsageError(f"this process may open only {limit} files: raise that to {_LEAST} or more (ulimit -n)")
    # A streamed file is open while it is sent, beside its connection.
    room = max(1, (limit - _OTHERS - options.body.readers) // 2)
    if wire.highest <= room:
        return options, None
    advice = f"concurrency is {room}, not {wire.start}: this process may open {limit} files (ulimit -n)"
    if wire.concurrency is None:
        fitting = replace(wire, max_concurrency=room)
        return replace(options, wire=fitting), advice if room < wire.start else None
    return replace(options, wire=replace(wire, concurrency=room)), advice


def _raised_limit() -> int | None:
    """RLIMIT_NOFILE after raising it; None where there is none (Windows)."""
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
