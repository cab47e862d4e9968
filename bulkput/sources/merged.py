"""Several sources as one stream in bytewise order of names. A name that two of them have is sent once."""

import heapq
import os
from collections.abc import Iterator
from operator import itemgetter
from typing import Protocol

from bulkput.errors import SourceError
from bulkput.model import Found, KnownFiles, Reason, Skip, SourceFile


class Memory(Protocol):
    """What is known of the files below one source, by earlier runs."""

    def has(self, path: bytes, name: bytes, size: int, mtime_ns: int, *, is_directory: bool = False) -> bool:
        """Whether this very version was uploaded under the name that it would get now. Quick for sorted questions."""

    def is_own(self, path: bytes) -> bool:
        """Whether `path` belongs to the memory itself, and changes while one looks at it."""


_Named = tuple[tuple[bytes, bool], Found, bool]
"""A finding, the name to merge it by with whether it is a directory's, and whether it is known."""


def without_collisions(sources: list[Iterator[_Named]]) -> Iterator[Found]:
    last = None
    for (name, is_directory), found, is_known in heapq.merge(*sources, key=itemgetter(0)):
        if not isinstance(found, SourceFile):
            yield found
        elif name == last and is_directory:  # one marker for all of them, and none beside a file
            continue
        elif name == last:
            yield SourceError(found.path, "collision", "another source has a file of this name")
        else:
            last = name
            yield KnownFiles(1, found.size) if is_known else found


def named(root: bytes, source: Iterator[Found], memory: Memory | None) -> Iterator[_Named]:
    """What has no name (an error) gets that of its path, or stays where it came."""
    name, base = b"", os.path.join(root, b"")
    for found in source:
        is_known = False
        if isinstance(found, Skip | SourceFile):
            name = found.name
        elif isinstance(found, SourceError) and found.path.startswith(base):
            name = max(name, found.path[len(base) :])
        if isinstance(found, SourceFile) and memory is not None:
            if memory.is_own(found.target or found.path):
                yield (name, False), Skip(found.path, name, Reason.OWN_OUTPUT), False
                continue
            is_known = memory.has(found.path, name, found.size, found.mtime_ns, is_directory=found.is_directory)
        yield (name, isinstance(found, SourceFile) and found.is_directory), found, is_known
