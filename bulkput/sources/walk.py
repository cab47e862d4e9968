"""A directory tree as a stream of files, depth first, in bytewise order of the full names.

A link to a regular file inside the tree is taken, under the link's name. A link that leaves the tree, leads to a
directory or leads nowhere is skipped, with the reason. With `follow_symlinks` every link is followed, and a directory
that is its own ancestor is skipped as a loop. The source itself may be a link.

Files that the journal knows as done are only counted, in the scan's thread. So a resumed run passes a million of them
in the time in which it would send a few thousand.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bulkput.activity import current
from bulkput.errors import UsageError, printable
from bulkput.model import EmptyDirectoryFound, Found, KnownFiles, Reason, Skip, SourceFile
from bulkput.options import WalkOptions
from bulkput.payload.body import source_error
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import NOT_COMPRESSED, GzipNames
from bulkput.sources.directory import DIRECTORY, FILE, LINK, MARK, DirectoryEntry, entries, kind_of
from bulkput.sources.merged import EarlierUploads, named, without_collisions
from bulkput.sources.paths import is_at_or_below, is_pipe
from bulkput.sources.patterns import make_filters

if TYPE_CHECKING:
    from bulkput.sources.share import Share

_TELL_EVERY = 5_000
"""Known files per KnownFiles finding: often enough for a progress line, seldom enough to cost nothing."""


OpenEarlier = Callable[[], EarlierUploads]
"""Makes an EarlierUploads for one source; it is fast only if asked in sorted order, so each source needs its own."""


@dataclass(slots=True)
class _Level:
    """A directory being read.

    `base` begins the paths of its entries; `name` is relative to the source; `identity` is device and inode; `left`
    yields the entries not read yet.
    """

    path: bytes
    base: bytes
    name: bytes
    identity: tuple[int, int]
    left: Iterator[DirectoryEntry]
    is_empty: bool = True


class Walk:
    """Iterates over one directory, once. Unreadable directories and vanished entries are yielded as SourceError."""

    def __init__(
        self,
        root: bytes,
        options: WalkOptions,
        earlier: EarlierUploads | None = None,
        *,
        filters: Filters | None = None,
        with_directories: bool = False,
        tells_empty: bool = False,
        share: "Share | None" = None,
    ) -> None:
        """`filters` None: made from `options`; pass the run's own, which remember which patterns have matched.
        `with_directories`: yield each directory below as an entry too, also one that filters leave empty.
        `tells_empty`: yield an EmptyDirectoryFound for each directory without any entry. `share`: pass by the files of
        other shards without a look at them."""
        self._with_directories = with_directories
        self._tells_empty = tells_empty
        self._root = root
        self._real_root = os.path.realpath(root)
        self._options = options
        self._own_output = options.own_output
        self._filters = filters or make_filters([root], options)
        self._earlier = earlier
        self._share = share
        self._known = 0
        self._known_bytes = 0
        self._levels: list[_Level] = []
        self._device: int | None = None
        """The source's device number, once `_is_elsewhere` needed it."""

    def __iter__(self) -> Iterator[Found]:
        current().in_hand = self._root
        try:
            yield from self._enter(self._root, b"")
        except OSError as error:
            yield source_error(self._root, error)
        yield from self._all_levels()
        yield from self._counted()

    def again(self, names: Iterable[bytes]) -> Iterator[Found]:
        """Walk only these names and what is below them. A name that no longer exists is skipped as GONE."""
        base = os.path.join(self._root, b"")
        walked: list[bytes] = []
        for name in names:
            if any(name.startswith(each) for each in walked):  # already walked with its directory
                continue
            current().in_hand = path = base + name
            try:
                kind = kind_of(os.lstat(path))
                is_elsewhere = self._options.one_file_system and self._is_elsewhere(os.stat(os.path.dirname(path)))
            except OSError as error:
                error_or_gone = source_error(path, error)
                yield Skip(path, name, Reason.GONE) if error_or_gone.problem == "vanished" else error_or_gone
                continue
            if not self._options.follow_symlinks and not self._is_in_tree(name):
                yield Skip(path, name, Reason.LINK_OUTSIDE)
            elif is_elsewhere:
                yield Skip(path, name, Reason.OTHER_FILE_SYSTEM)
            elif kind != FILE:
                walked.append(os.path.join(name, b""))
                if self._with_directories and (kind == DIRECTORY or (kind == LINK and self._leads_on(path))):
                    yield from self._mark(path, name)
                yield from self._special(path, name, kind)
                yield from self._all_levels()
            elif (found := self._file(path, name)) is not None:
                yield found
        yield from self._counted()

    def _all_levels(self) -> Iterator[Found]:
        """Read the deepest open directory and all above it to their ends."""
        while self._levels:
            level = self._levels[-1]
            try:
                yield from self._read(level)
            except OSError as error:
                self._levels.remove(level)
                yield source_error(level.path, error)

    def _read(self, level: _Level) -> Iterator[Found]:
        """Read a directory to its end or to the next directory below it. Raises OSError from reading it."""
        here = current()
        here.in_hand = level.path
        for entry, kind in level.left:
            level.is_empty = False
            path, name = level.base + entry, level.name + entry
            here.in_hand = path  # for the watchdog: 15 ns of 3.9 us
            if kind != FILE:
                yield from self._special(path, name, kind)
                if self._levels[-1] is not level:
                    return
            elif (found := self._file(path, name)) is not None:
                yield found
            elif self._known >= _TELL_EVERY:
                yield from self._counted()
        self._levels.pop()
        if level.is_empty and self._tells_empty and level.name:
            yield EmptyDirectoryFound(level.path)

    def _file(self, path: bytes, name: bytes) -> Found | None:
        """The finding for a file; None if the journal knows it or another shard takes it, which is counted."""
        if self._filters.are_there and not self._filters.takes_file(name):
            return Skip(path, name, Reason.EXCLUDED)
        if self._share is not None and not self._share.takes(name):
            return None
        try:
            status = os.lstat(path)
        except OSError as error:
            return source_error(path, error)
        return self._regular(path, name, status)

    def _regular(self, path: bytes, name: bytes, status: os.stat_result, target: bytes | None = None) -> Found | None:
        """The finding for a regular file that the patterns take; None if the journal knows it, which is counted."""
        if self._own_output and (status.st_dev, status.st_ino) in self._own_output:
            return Skip(path, name, Reason.OWN_OUTPUT)
        if (
            self._filters.have_limits
            and (why := self._filters.left_out(status.st_size, status.st_mtime_ns)) is not None
        ):
            return Skip(path, name, why)
        if self._earlier is not None:
            if self._earlier.has(path, name, status.st_size, status.st_mtime_ns):
                self._known += 1
                self._known_bytes += status.st_size
                return None
            if self._earlier.is_own(target or path):
                return Skip(path, name, Reason.OWN_OUTPUT)
        return _file(path, name, status, target)

    def _counted(self) -> Iterator[Found]:
        if self._known:
            yield KnownFiles(self._known, self._known_bytes)
            self._known = self._known_bytes = 0

    def _special(self, path: bytes, name: bytes, kind: bytes) -> Iterator[Found]:
        try:
            if kind == LINK:
                yield from self._link(path, name)
            elif kind == DIRECTORY:
                yield from self._enter(path, name + b"/")
            elif kind == MARK:
                yield from self._mark(path, name)
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
        if name and self._is_elsewhere(status):
            yield Skip(path, name, Reason.OTHER_FILE_SYSTEM)
            return
        identity = (status.st_dev, status.st_ino)
        if any(level.identity == identity for level in self._levels):
            yield Skip(path, name, Reason.LINK_LOOP)
            return
        options = self._options
        left = entries(
            path,
            follow_symlinks=options.follow_symlinks,
            with_marks=self._with_directories,
            in_memory=options.entries_in_memory,
        )
        self._levels.append(_Level(path, os.path.join(path, b""), name, identity, left))

    def _mark(self, path: bytes, name: bytes) -> Iterator[SourceFile]:
        """Yield a directory as an entry, unless filters leave it out or it is its own ancestor."""
        try:
            status = os.stat(path)
        except OSError:  # reading the directory will report it
            return
        identity = (status.st_dev, status.st_ino)
        if not self._filters.enters_directory(name) or any(level.identity == identity for level in self._levels):
            return
        if self._earlier is not None and self._earlier.has(path, name, 0, 0, is_directory=True):
            self._known += 1
        else:
            yield SourceFile(path, name, 0, 0, is_directory=True)

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
            if not (follow or self._is_below_root(target)):
                yield Skip(path, name, Reason.LINK_OUTSIDE)
            elif (found := self._regular(path, name, status, target)) is not None:
                yield found

    def _is_elsewhere(self, directory: os.stat_result) -> bool:
        """Whether `one_file_system` is set and the directory is on another one than the source. Raises OSError."""
        if not self._options.one_file_system:
            return False
        if self._device is None:
            self._device = os.stat(self._root).st_dev
        return directory.st_dev != self._device

    def _leads_on(self, path: bytes) -> bool:
        """Whether this is a link to a directory that the walk follows."""
        return self._options.follow_symlinks and os.path.isdir(path)

    def _is_below_root(self, real_path: bytes) -> bool:
        """Whether a path without links is the source or lies below it."""
        return is_at_or_below(real_path, self._real_root)

    def _is_in_tree(self, name: bytes) -> bool:
        """Whether a walk would find `name`: it would not if a directory above has become a link meanwhile."""
        directory = os.path.dirname(os.path.join(self._real_root, name))
        return os.path.realpath(directory) == directory


def walk(
    roots: Iterable[bytes],
    options: WalkOptions,
    open_earlier: OpenEarlier | None = None,
    *,
    filters: Filters | None = None,
    gzip: GzipNames = NOT_COMPRESSED,
    with_directories: bool = False,
    tells_empty: bool = False,
    share: "Share | None" = None,
) -> Iterator[Found]:
    """All sources as one stream in bytewise order of names. A directory gives its contents, a file its own name.

    If two sources have the same name, or two files the same object name by `gzip`, the second is a SourceError, since
    the store can keep only one of them. Files sent earlier are counted in KnownFiles and not yielded. `filters`,
    `with_directories` and `tells_empty`: see `Walk`. With a `share`, `Share.only` leaves out what is left of other
    shards.

    Raises UsageError, at once, if a root does not exist or is neither a file nor a directory.
    """
    every = list(roots)
    filters = filters or make_filters(every, options)
    # Two files with one object name may belong to two shards by their own names: each shard has to look at both.
    before_looking = share if not gzip.can_be_shared(with_directories=with_directories) else None
    make_walk = partial(
        Walk,
        options=options,
        filters=filters,
        with_directories=with_directories,
        tells_empty=tells_empty,
        share=before_looking,
    )
    records = [open_earlier() if open_earlier is not None else None for _ in every]
    if len(every) == 1 and not gzip.can_be_shared(with_directories=with_directories):
        return _source(every[0], options, filters, records[0], make_walk)
    # Known files can collide too, so `without_collisions` counts them, after the merge.
    sources = [_source(root, options, filters, None, make_walk) for root in every]
    return without_collisions(list(map(named, every, sources, records)), gzip)


def walk_again(
    root: bytes,
    names: Iterable[bytes],
    options: WalkOptions,
    earlier: EarlierUploads,
    *,
    filters: Filters | None = None,
    with_directories: bool = False,
) -> Iterator[Found]:
    """Walk only `names`, relative to the directory `root`. Raises UsageError like `walk`."""
    check_directory(root)
    return Walk(root, options, earlier, filters=filters, with_directories=with_directories).again(names)


def check_directory(root: bytes) -> None:
    """Raises UsageError if `root` does not exist or is not a directory."""
    if _status(root, stat.S_ISDIR) is None:
        raise UsageError(f"source {printable(root)}: not a directory")


def is_single_file(roots: Iterable[bytes]) -> bool:
    """Whether the only source is a file; it may then get the destination's own name."""
    only = list(roots)
    return len(only) == 1 and (os.path.isfile(only[0]) or is_pipe(only[0]))


def _source(
    root: bytes, options: WalkOptions, filters: Filters, earlier: EarlierUploads | None, make_walk: Callable[..., Walk]
) -> Iterator[Found]:
    if is_pipe(root):
        return iter((SourceFile(root, root, 0, time.time_ns(), is_pipe=True),))
    if _status(root, stat.S_ISDIR) is not None:
        return iter(make_walk(root, earlier=earlier))
    if (status := _status(root, stat.S_ISREG)) is not None:
        if (status.st_dev, status.st_ino) in options.own_output:
            return iter((Skip(root, os.path.basename(root), Reason.OWN_OUTPUT),))
        return iter((_lone_file(root, status, filters, earlier),))
    raise UsageError(f"source {printable(root)}: not a regular file or directory")


def _lone_file(root: bytes, status: os.stat_result, filters: Filters, earlier: EarlierUploads | None) -> Found:
    """The finding for a source that is a file. Filters apply to it too: the shell may have expanded a `*`."""
    name = os.path.basename(root)
    if not filters.takes_file(name):
        return Skip(root, name, Reason.EXCLUDED)
    if (why := filters.left_out(status.st_size, status.st_mtime_ns)) is not None:
        return Skip(root, name, why)
    if earlier is not None and earlier.is_own(os.path.realpath(root)):
        return Skip(root, name, Reason.OWN_OUTPUT)
    if earlier is not None and earlier.has(root, name, status.st_size, status.st_mtime_ns):
        return KnownFiles(1, status.st_size)
    return _file(root, name, status, os.path.realpath(root))


def _status(root: bytes, is_kind: Callable[[int], bool]) -> os.stat_result | None:
    """The source's status; None if it is of another kind. Raises UsageError if it does not exist."""
    try:
        status = os.stat(root)
    except OSError as error:
        raise UsageError(f"source {printable(root)}: {error.strerror}") from None
    return status if is_kind(status.st_mode) else None


def _file(path: bytes, name: bytes, status: os.stat_result, target: bytes | None = None) -> SourceFile:
    return SourceFile(path, name, status.st_size, status.st_mtime_ns, target)
