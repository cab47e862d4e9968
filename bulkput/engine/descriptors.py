"""How many connections a process may have: each is a file descriptor, and running out of them looks like bad files."""

from dataclasses import replace

from bulkput.options import UploadOptions

_OTHERS = 32
"""Descriptors for the streams, the event loop, the scan (one per open directory level), resolver and temporary file."""


def fitting_concurrency(options: UploadOptions) -> tuple[UploadOptions, str | None]:
    """Options whose connections and open files fit the descriptor limit, and a sentence when that changed them.

    The soft limit is raised to the hard one first, which any process may do for itself.
    """
    limit = _raised_limit()
    wanted = options.wire.concurrency
    # A streamed file is open while it is sent, beside its connection.
    room = (limit - _OTHERS - options.body.readers) // 2 if limit is not None else wanted
    if wanted <= room:
        return options, None
    fitting = max(1, room)
    advice = f"concurrency is {fitting}, not {wanted}: this process may open {limit} files (ulimit -n)"
    return replace(options, wire=replace(options.wire, concurrency=fitting)), advice


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
