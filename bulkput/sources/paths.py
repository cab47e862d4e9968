"""Paths on disk, compared as text: no look at the disk."""

import os


def is_at_or_below(path: bytes, root: bytes) -> bool:
    """Whether `path` is `root` or lies below it; both are normalised, and either both absolute or neither."""
    return path == root or path.startswith(os.path.join(root, b""))
