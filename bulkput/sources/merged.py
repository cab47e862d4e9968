"""Merges several sources into one stream in bytewise order of names.

A name that two sources have is sent once, and so is an object name that two files would get: the second file fails, so
that no object is replaced by another file's. Files that a journal knows take part in the merge, and are counted behind
it.
"""

import heapq
import os
from collections.abc import Iterator
from operator import itemgetter
from typing import Protocol

from bulkput.errors import SourceError, printable
from bulkput.model import Found, KnownFiles, Reason, Skip, SourceFile
from bulkput.policy.gzip_names import GzipNames, SharedNames


class EarlierUploads(Protocol):
    """What earlier runs have uploaded of one source."""

    def has(self, path: bytes, name: bytes, size: int, mtime_ns: int, *, is_directory: bool = False) -> bool:
        """Whether this version of the file was uploaded under its present object name. Fast for sorted calls."""

    def is_own(self, path: bytes) -> bool:
        """Whether `path` is a file of the journal itself."""


_Named = tuple[tuple[bytes, bool], Found, bool]
"""(name to merge by, whether that is a directory's), the finding, whether a journal knows it."""


def without_collisions(sources: list[Iterator[_Named]], gzip: GzipNames) -> Iterator[Found]:
    last, shared = None, SharedNames(gzip)
    for (name, is_directory), found, is_known in heapq.merge(*sources, key=itemgetter(0)):
        if not isinstance(found, SourceFile):
            yield found
        elif name == last and is_directory:  # one marker for all sources, and none beside a file
            continue
        elif name == last:
            yield SourceError(found.path, "collision", "another source has a file of this name")
        elif (owner := shared.owner(name, is_directory=is_directory)) is not None:
            if not is_directory:  # a marker is no loss
                why = f"{printable(owner)} is stored under this name, compressed: rename or exclude one of the two"
                yield SourceError(found.path, "collision", why)
        else:
            last = name
            yield KnownFiles(1, found.size) if is_known else found


def named(root: bytes, source: Iterator[Found], earlier: EarlierUploads | None) -> Iterator[_Named]:
    """The findings with the names to merge them by. An error has no name: it gets that of its path, or the last one."""
    name, base = b"", os.path.join(root, b"")
    for found in source:
        is_known = False
        if isinstance(found, Skip | SourceFile):
            name = found.name
        elif isinstance(found, SourceError) and found.path.startswith(base):
            name = max(name, found.path[len(base) :])
        if isinstance(found, SourceFile) and earlier is not None:
            if earlier.is_own(found.target or found.path):
                yield (name, False), Skip(found.path, name, Reason.OWN_OUTPUT), False
                continue
            is_known = earlier.has(found.path, name, found.size, found.mtime_ns, is_directory=found.is_directory)
        yield (name, isinstance(found, SourceFile) and found.is_directory), found, is_known
