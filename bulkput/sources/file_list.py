"""The files that a list names, in place of a walk (`FileListOptions`), as rsync and rclone have it.

    docs/a.txt          relative to the base, and so is its object's name
    ./docs//b.txt       the same as docs/b.txt; `..` goes up, but never out of the base
    /srv/site/c.txt     absolute, if it lies below the base

Each name gives one finding, as an entry of a walk does; a repeated name gives only one. A name fails if it does not
exist or leads out of the base. Directories are not entered, as in rsync without -r, since `find` and `git ls-files`
name their contents themselves. There are no comments: a line is a name, byte for byte.

The list is read as it arrives, also from a pipe, and never held in memory: names are remembered on disk, and sorted
there if the run needs them in order.
"""

import errno
import os
import stat
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from bulkput.activity import current
from bulkput.errors import SourceError, UsageError, printable
from bulkput.model import Found, Reason, Skip
from bulkput.options import FileListOptions, WalkOptions
from bulkput.payload.blocks import Blocks
from bulkput.payload.body import source_error
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import NOT_COMPRESSED, GzipNames
from bulkput.policy.listed import is_below, relative_name
from bulkput.sources.by_key import each_once, in_order
from bulkput.sources.directory import DIRECTORY, FILE, LINK, kind_of
from bulkput.sources.merged import EarlierUploads, named, without_collisions
from bulkput.sources.walk import Walk, check_directory

if TYPE_CHECKING:
    from bulkput.sources.share import Share

_BLOCK = 64 * 1024
_LONGEST = 64 * 1024
"""Bytes kept of a name: more than any system can open (4096 on Linux), so a longer name fails as too long."""
_DIRECTORIES_KEPT = 1_024
"""Directories whose check is remembered. Few suffice, since most lists go directory by directory."""


def file_list(
    files: FileListOptions,
    base: bytes,
    options: WalkOptions,
    earlier: EarlierUploads | None = None,
    *,
    is_sorted: bool,
    filters: Filters | None = None,
    gzip: GzipNames = NOT_COMPRESSED,
    with_directories: bool = False,
    share: "Share | None" = None,
) -> Iterator[Found]:
    """What the list names below the directory `base`. `is_sorted`: in bytewise order of the names, which begins when
    the list has ended; always so where files may share an object name, and where a `share` goes by sizes. The
    rest is as for `walk`. Blocking.

    Raises UsageError: the list, or the base, is not there.
    """
    check_directory(base)
    make = partial(
        _FileList, base, options, filters=filters, lines=ListedNames(files), with_directories=with_directories
    )
    if not gzip.can_be_shared(with_directories=with_directories):
        return iter(make(earlier=earlier, is_sorted=is_sorted, share=share))
    return without_collisions([named(base, iter(make(earlier=None, is_sorted=True)), earlier)], gzip)


class _FileList(Walk):
    """A walk over the names of a list."""

    def __init__(
        self,
        base: bytes,
        options: WalkOptions,
        earlier: EarlierUploads | None,
        *,
        filters: Filters | None,
        lines: "ListedNames",
        is_sorted: bool,
        with_directories: bool,
        share: "Share | None" = None,
    ) -> None:
        super().__init__(base, options, earlier, filters=filters, with_directories=with_directories)
        self._share_of_names = share
        self._lines = lines
        self._is_sorted = is_sorted
        self._base = os.path.join(base, b"")
        self._look_at = lru_cache(_DIRECTORIES_KEPT)(self._why_not_in)
        self._enters = lru_cache(_DIRECTORIES_KEPT)(self._filters.enters_directory)

    def __iter__(self) -> Iterator[Found]:
        bases = tuple(os.path.join(place, b"") for place in (os.path.abspath(self._root), self._real_root))
        names = filter(None, (relative_name(line, bases) for line in self._lines))
        for name in self._taken(names):
            yield from self._named(name)
        yield from self._counted()
        if self._lines.error is not None:
            yield self._lines.error

    def _taken(self, names: Iterator[bytes]) -> Iterator[bytes]:
        """Each name once, without those of other shards."""
        share = self._share_of_names
        if share is not None and share.by == "bytes":
            return share.dealt(names, self._size)
        each = in_order(names) if self._is_sorted else each_once(names)
        return each if share is None else filter(share.takes, each)

    def _size(self, name: bytes) -> int:
        """The size of the file that `name` leads to. 0 if there is none: the shard that gets the name reports that."""
        current().in_hand = path = self._base + name
        try:
            status = os.stat(path)
        except (OSError, ValueError):  # ValueError: it has a NUL in it
            return 0
        return status.st_size if stat.S_ISREG(status.st_mode) else 0

    def _named(self, name: bytes) -> Iterator[Found]:
        current().in_hand = path = self._base + name
        if not is_below(name):
            outside = name if name.startswith(b"/") else path
            yield SourceError(outside, "name", f"it is not below the base {printable(self._root)}")
        elif b"\0" in name:
            yield SourceError(
                path, "name", "it has a NUL in it: if names in the list end in NUL, set `files.is_null=True`"
            )
        elif self._filters.are_there and not all(map(self._enters, _above(name))):
            yield Skip(path, name, Reason.EXCLUDED)
        else:
            try:
                yield from self._there(path, name)
            except OSError as error:
                found = source_error(path, error)
                is_gone = found.problem == "vanished"
                yield SourceError(path, "vanished", "the list names it, but it does not exist") if is_gone else found

    def _there(self, path: bytes, name: bytes) -> Iterator[Found]:
        """Raises OSError."""
        status = os.lstat(path)
        if (why := self._look_at(os.path.dirname(name))) is not None:
            yield Skip(path, name, why)
            return
        kind = kind_of(status)
        if kind == FILE:
            if not self._filters.takes_file(name):
                yield Skip(path, name, Reason.EXCLUDED)
            elif (found := self._regular(path, name, status)) is not None:
                yield found
        elif kind == DIRECTORY or (kind == LINK and self._leads_on(path)):
            if self._with_directories:
                yield from self._mark(path, name)
            else:
                yield Skip(path, name, Reason.LISTED_DIRECTORY)
        else:
            yield from self._special(path, name, kind)

    def _why_not_in(self, directory: bytes) -> Reason | None:
        """Why no file is taken from the directory of this name; None if files are. Raises OSError."""
        path = self._base + directory
        if not self._options.follow_symlinks and not self._is_below_root(os.path.realpath(path)):
            return Reason.LINK_OUTSIDE
        is_elsewhere = self._options.one_file_system and self._is_elsewhere(os.stat(path))
        return Reason.OTHER_FILE_SYSTEM if is_elsewhere else None


class ListedNames:
    """The lines of a list without the empty ones, read block by block. Iterate once."""

    def __init__(self, files: FileListOptions) -> None:
        """Blocks until a FIFO has a writer. Raises UsageError if the list is missing or a directory."""
        self._separator = b"\0" if files.is_null else b"\n"
        self._path = os.fsencode(files.path) if files.path != "-" else b"the list on stdin"
        self._is_stdin = files.path == "-"
        self.error: SourceError | None = None
        """Why the list could not be read to its end."""
        try:
            if not self._is_stdin and os.path.isdir(files.path):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._fd = 0 if self._is_stdin else os.open(files.path, os.O_RDONLY)
        except OSError as error:
            raise UsageError(f"`files.path` {printable(self._path)}: {error.strerror}") from None

    def __iter__(self) -> Iterator[bytes]:
        rest, is_cut = b"", False
        try:
            with Blocks(self._path, self._fd, _BLOCK) as blocks:
                while block := self._next(blocks):
                    *whole, rest = (rest + block).split(self._separator)
                    for line in whole:
                        if line and not is_cut:
                            yield line
                        is_cut = False
                    if is_cut:
                        rest = b""
                    elif len(rest) > _LONGEST:
                        yield rest
                        rest, is_cut = b"", True  # drop the rest of this line
            if rest:
                yield rest
        except OSError as error:
            self.error = SourceError(self._path, "unreadable", f"the list ends here: {error.strerror}")
        finally:
            if not self._is_stdin:
                os.close(self._fd)

    def _next(self, blocks: Blocks) -> bytes:
        """More of the list. Whoever writes it may take long: then the scan is here."""
        current().in_hand = self._path
        return blocks.next()


def _above(name: bytes) -> Iterator[bytes]:
    """The directories above `name`, from the top."""
    return (name[:end] for end, byte in enumerate(name) if byte == ord("/"))
