"""A directory tree as a stream of files, depth first, in bytewise order of the full names.

Links: a tree is what is in it. A link to a regular file inside the same tree is taken, under the link's name; one
that leaves the tree, leads to a directory or nowhere is skipped, with the reason. With `follow_symlinks` every link
is followed, and a directory that is its own ancestor is skipped as a loop. The source itself may be a link.
"""

import errno
import heapq
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from bulkput.errors import SourceError, UsageError, printable
from bulkput.model import Found, Reason, Skip, SourceFile
from bulkput.options import WalkOptions
from bulkput.payload.body import source_error
from bulkput.policy.filters import Filters
from bulkput.sources.directory import Entry, entries


@dataclass(frozen=True, slots=True)
class _Level:
    """A directory being read: its path, what its entries' paths begin with, its name relative to the source, its
    identity, what is left of it."""

    path: bytes
    base: bytes
    name: bytes
    identity: tuple[int, int]
    left: Iterator[Entry]


class Walk:
    """Iterates over one directory, once. Unreadable directories and vanished entries are yielded as SourceError."""

    def __init__(self, root: bytes, options: WalkOptions) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._options = options
        self._filters = Filters(options)
        self._levels: list[_Level] = []

    def __iter__(self) -> Iterator[Found]:
        try:
            yield from self._enter(self._root, b"")
        except OSError as error:
            yield source_error(self._root, error)
        while self._levels:
            level = self._levels[-1]
            try:
                entry = next(level.left, None)
            except OSError as error:
                self._levels.pop()
                yield source_error(level.path, error)
                continue
            if entry is None:
                self._levels.pop()
            else:
                yield from self._visit(level, entry)

    def _visit(self, level: _Level, entry: Entry) -> Iterable[Found]:
        path = level.base + entry.name
        name = level.name + entry.name
        if not entry.is_file:
            return self._special(path, name, entry)
        if not self._filters.takes_file(name):
            return (Skip(path, name, Reason.EXCLUDED),)
        try:
            return (_file(path, name, os.lstat(path)),)
        except OSError as error:
            return (source_error(path, error),)

    def _special(self, path: bytes, name: bytes, entry: Entry) -> Iterator[Found]:
        try:
            if entry.is_link:
                yield from self._link(path, name)
            elif entry.is_directory:
                yield from self._enter(path, name + b"/")
            elif not self._filters.takes_file(name):
                yield Skip(path, name, Reason.EXCLUDED)
            else:
                yield Skip(path, name, Reason.NOT_A_FILE)
        except OSError as error:
            yield source_error(path, error)

    def _enter(self, path: bytes, name: bytes) -> Iterator[Skip]:
        """Start reading a directory; `name` ends in `/`, or is empty for the source itself."""
        if name and not self._filters.enters_directory(name[:-1]):
            yield Skip(path, name, Reason.EXCLUDED)
            return
        status = os.stat(path)
        identity = (status.st_dev, status.st_ino)
        if any(level.identity == identity for level in self._levels):
            yield Skip(path, name, Reason.LINK_LOOP)
            return
        options = self._options
        left = entries(path, follow_symlinks=options.follow_symlinks, in_memory=options.entries_in_memory)
        self._levels.append(_Level(path, os.path.join(path, b""), name, identity, left))

    def _link(self, path: bytes, name: bytes) -> Iterator[Found]:
        try:
            status = os.stat(path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            yield Skip(path, name, Reason.LINK_DANGLING)
            return
        follow = self._options.follow_symlinks
        if stat.S_ISDIR(status.st_mode):
            if follow:
                yield from self._enter(path, name + b"/")
            else:
                yield Skip(path, name, Reason.LINK_TO_DIRECTORY)
        elif not self._filters.takes_file(name):
            yield Skip(path, name, Reason.EXCLUDED)
        elif not stat.S_ISREG(status.st_mode):
            yield Skip(path, name, Reason.NOT_A_FILE)
        else:
            target = os.path.realpath(path)
            if follow or _is_below(target, self._real_root):
                yield _file(path, name, status, target)
            else:
                yield Skip(path, name, Reason.LINK_OUTSIDE)


def walk(roots: Iterable[bytes], options: WalkOptions) -> Iterator[Found]:
    """All sources as one stream in bytewise order of names: directories give their contents, files their own name.

    A name that comes from two sources is sent once; the second is a SourceError, since the store could keep only
    one of them. Raises UsageError, at once, for a root that is not there or is neither file nor directory.
    """
    return _without_collisions([_source(root, options) for root in roots])


def is_single_file(roots: Iterable[bytes]) -> bool:
    """True when the sources are one file, which then may be given the destination's own name."""
    only = list(roots)
    return len(only) == 1 and os.path.isfile(only[0])


def _source(root: bytes, options: WalkOptions) -> Iterator[Found]:
    try:
        status = os.stat(root)
    except OSError as error:
        raise UsageError(f"source {printable(root)}: {error.strerror}") from None
    if stat.S_ISDIR(status.st_mode):
        return iter(Walk(root, options))
    if stat.S_ISREG(status.st_mode):
        return iter((_file(root, os.path.basename(root), status, os.path.realpath(root)),))
    raise UsageError(f"source {printable(root)}: not a regular file or directory")


def _without_collisions(sources: list[Iterator[Found]]) -> Iterator[Found]:
    if len(sources) == 1:
        yield from sources[0]
        return
    last = None
    for name, found in heapq.merge(*map(_named, sources), key=itemgetter(0)):
        if not isinstance(found, SourceFile):
            yield found
        elif name == last:
            yield SourceError(found.path, "collision", "another source has a file of this name")
        else:
            last = name
            yield found


def _named(source: Iterator[Found]) -> Iterator[tuple[bytes, Found]]:
    """With the name to merge by; what has none (an error) stays where it came."""
    name = b""
    for found in source:
        name = name if isinstance(found, SourceError) else found.name
        yield name, found


def _is_below(path: bytes, root: bytes) -> bool:
    try:
        return os.path.commonpath((root, path)) == root
    except ValueError:  # Windows: on another drive
        return False


def _file(path: bytes, name: bytes, status: os.stat_result, target: bytes | None = None) -> SourceFile:
    return SourceFile(path, name, status.st_size, status.st_mtime_ns, target)
