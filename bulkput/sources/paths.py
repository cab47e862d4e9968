"""Which paths lie below others, and which are pipes."""

import os
import stat

from bulkput.payload.readers import STDIN


def is_at_or_below(path: bytes, root: bytes) -> bool:
    """Whether `path` is `root` or lies below it; both are normalised, and either both absolute or neither."""
    return path == root or path.startswith(os.path.join(root, b""))


def is_pipe(source: bytes) -> bool:
    """Whether the source is stdin, a named pipe, or one of /dev/fd. Blocking."""
    if source == STDIN:
        return True
    try:
        return stat.S_ISFIFO(os.stat(source).st_mode)
    except OSError:
        return False
