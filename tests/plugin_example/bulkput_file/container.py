"""A container on disk: all its calls block, and raise OSError.

An object is a file. What is kept with it is a second file, whose name has the mtime of the first: one `rename` of the
first puts both into place. Nothing is locked; two writers of one name may run at once, and the last `rename` wins.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO
from uuid import uuid4

from bulkput.model import ObjectHeaders
from bulkput_file.kept import Kept
from bulkput_file.names import path_of

_META, _TMP = "%meta", "%tmp"
_TRIES = 100
"""How often a directory is made again that somebody else removes, because it is empty."""
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """An object. `kept` is None if another program has written the file."""

    size: int
    mtime_ns: int
    kept: Kept | None


class Container:
    def __init__(self, path: str) -> None:
        self.path = path

    def make(self) -> bool:
        """Make the container. False if it was there."""
        was_made = True
        try:
            os.mkdir(self.path)
        except FileExistsError:
            was_made = False
        self._make_own_directory()
        return was_made

    def _make_own_directory(self) -> None:
        """That of the temporary files."""
        with suppress(FileExistsError):
            os.mkdir(os.path.join(self.path, _TMP))

    def exists(self) -> bool:
        return os.path.isdir(self.path)

    def folds_case(self) -> bool:
        """Whether the file system takes two names for one that differ in case: it would mix up objects."""
        return os.path.lexists(os.path.join(self.path, _TMP.upper()))

    def remove_if_empty(self) -> None:
        with suppress(OSError), os.scandir(self.path) as entries:
            if all(entry.name in (_META, _TMP) for entry in entries):
                for name in (_META, _TMP):
                    with suppress(FileNotFoundError):
                        os.rmdir(os.path.join(self.path, name))
                os.rmdir(self.path)

    def find(self, name: str) -> Found | None:
        """The object, or None if there is none."""
        path = self._file_of(name)
        before = None
        while (status := _status(path)) is not None:
            kept = self._kept(name, status)
            if kept is not None or status.st_mtime_ns == before:
                return Found(status.st_size, status.st_mtime_ns, kept)
            before = status.st_mtime_ns  # look again: it may have been replaced in between
        return None

    def read(self, name: str) -> Generator[tuple[bytes, str | None], None, None]:
        """The bytes of an object in pieces, each with the MD5 that all of them should have, if that is known.

        Raises FileNotFoundError."""
        before = None
        while True:
            with open(os.open(self._file_of(name), os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                status = os.fstat(file.fileno())
                kept = self._kept(name, status)
                if kept is not None or status.st_mtime_ns == before:
                    while piece := file.read(_CHUNK):
                        yield piece, kept.md5 if kept is not None else None
                    return
                before = status.st_mtime_ns

    def remove(self, name: str) -> None:
        """Remove an object and the directories that it leaves empty. A missing one is no error."""
        path = self._file_of(name)
        status = _status(path)
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
        if status is not None:
            self.forget(name, status.st_mtime_ns)
        self._prune(path)

    def forget(self, name: str, mtime_ns: int) -> None:
        """Remove what was kept with the bytes of that mtime."""
        path = self._meta_of(name, mtime_ns)
        with suppress(FileNotFoundError):
            os.unlink(path)
        self._prune(path)

    def temporary(self) -> str:
        return os.path.join(self.path, _TMP, uuid4().hex)

    def opened(self, temporary: str) -> BinaryIO:
        """Make a temporary file. Raises FileNotFoundError if there is no container."""
        try:
            return open(temporary, "xb")
        except FileNotFoundError:
            self._make_own_directory()
            return open(temporary, "xb")

    def keeps(self, name: str, mtime_ns: int) -> bool:
        return os.path.lexists(self._meta_of(name, mtime_ns))

    def keep(self, name: str, mtime_ns: int, kept: Kept) -> None:
        """Keep this with the bytes of that mtime, which are not in place yet."""
        temporary, path = self.temporary(), self._meta_of(name, mtime_ns)
        with self.opened(temporary) as file:
            file.write(kept.as_json())
            file.flush()
            os.fsync(file.fileno())
        self._place(path, lambda: os.replace(temporary, path))

    def put_into_place(self, temporary: str, name: str, *, only_new: bool) -> int | None:
        """Give a file its name. Returns the mtime of the one that had it. Raises FileExistsError if `only_new`."""
        path = self._file_of(name)
        old = _status(path)
        if only_new:
            self._place(path, lambda: os.link(temporary, path))
            os.unlink(temporary)
        else:
            self._place(path, lambda: os.replace(temporary, path))
        return old.st_mtime_ns if old is not None else None

    def _place(self, path: str, move: Callable[[], None]) -> None:
        """Call `move`, and make the directories of `path` if they are missing."""
        for tries_left in reversed(range(_TRIES)):
            try:
                move()
                break
            except FileNotFoundError:
                if not tries_left:
                    raise
                self._make_parents(path)
        _sync_directory(os.path.dirname(path))

    def _make_parents(self, path: str) -> None:
        """Not by `os.makedirs`: it would make the container as well, and it calls itself for each level."""
        *parents, _ = os.path.relpath(path, self.path).split(os.sep)
        directory = self.path
        if not os.path.isdir(directory):
            raise FileNotFoundError(2, "there is no such container", directory)
        for part in parents:
            above, directory = directory, os.path.join(directory, part)
            with suppress(FileExistsError, FileNotFoundError):  # the latter: removed again, see `_place`
                os.mkdir(directory)
                _sync_directory(above)

    def _prune(self, path: str) -> None:
        """Remove the directories above that are empty, but not the container and its own ones."""
        own = {os.path.join(self.path, name) for name in (_META, _TMP)} | {self.path}
        with suppress(OSError):
            while (path := os.path.dirname(path)) not in own:
                os.rmdir(path)

    def _kept(self, name: str, status: os.stat_result) -> Kept | None:
        try:
            with open(self._meta_of(name, status.st_mtime_ns), "rb") as file:
                kept = Kept.from_json(file.read())
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None
        return kept if kept.size == status.st_size else None

    def _file_of(self, name: str) -> str:
        return os.path.join(self.path, *path_of(name))

    def _meta_of(self, name: str, mtime_ns: int) -> str:
        return f"{os.path.join(self.path, _META, *path_of(name))}%{mtime_ns}"


class WrongBytesError(Exception):
    """What was written is not what the caller has announced."""


class Draft:
    """The bytes of an object that is not in place yet. The caller ends it by `discard`, in any case.

    Nothing is on disk before the first `write`, or before `finish`.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._path = container.temporary()
        self._opened: BinaryIO | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    def write(self, piece: bytes) -> None:
        """Raises FileNotFoundError if there is no container."""
        self._file.write(piece)
        self._md5.update(piece)
        self.size += len(piece)

    def finish(self, name: str, headers: ObjectHeaders, *, md5: str | None, size: int | None, only_new: bool) -> None:
        """Put the object into place. `md5` and `size` are those that were announced; None: none were.

        Raises WrongBytesError if the bytes have others, and FileExistsError if `only_new` and the name is taken.
        """
        if size not in (None, self.size):
            raise WrongBytesError(f"{size} bytes were announced, and {self.size} came")
        if md5 not in (None, self.md5):
            raise WrongBytesError(f"the bytes have the MD5 {self.md5}, not {md5}")
        file = self._file
        file.flush()
        mtime_ns = self._stamp(file.fileno(), name)
        os.fsync(file.fileno())
        file.close()
        self._container.keep(name, mtime_ns, Kept(self.size, self.md5, headers))
        try:
            old_ns = self._container.put_into_place(self._path, name, only_new=only_new)
        except OSError:
            self._container.forget(name, mtime_ns)
            raise
        if old_ns is not None and old_ns != mtime_ns:
            self._container.forget(name, old_ns)

    def _stamp(self, fd: int, name: str) -> int:
        """Give the file an mtime that no other bytes of this name have, even if times are whole seconds here."""
        now_ns = time.time_ns()
        while True:
            os.utime(fd, ns=(now_ns, now_ns))
            mtime_ns = os.fstat(fd).st_mtime_ns  # as exactly as this file system keeps it
            if not self._container.keeps(name, mtime_ns):
                return mtime_ns
            now_ns += 1_000_000_000

    def discard(self) -> None:
        """Remove the temporary file, if it is not in place."""
        if self._opened is not None:
            self._opened.close()
            with suppress(FileNotFoundError):
                os.unlink(self._path)

    @property
    def _file(self) -> BinaryIO:
        if self._opened is None:
            self._opened = self._container.opened(self._path)
        return self._opened


def _status(path: str) -> os.stat_result | None:
    """That of a regular file; None if there is none."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _sync_directory(path: str) -> None:
    """Else a new name in it may be lost when the power fails."""
    with suppress(FileNotFoundError):  # it was empty in the meantime, and somebody has removed it
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
