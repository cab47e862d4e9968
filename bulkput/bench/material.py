"""The files to upload: generated, or the user's own. Every function here blocks: call it in a thread."""

import math
import os
from contextlib import suppress
from itertools import islice

from bulkput.errors import UsageError
from bulkput.model import SourceFile
from bulkput.options import MIB, WalkOptions
from bulkput.sources.walk import walk

DISK_BOUND = 256 * MIB
"""Bytes that generated files take on disk; a single file that is larger is sparse beyond it."""
_FASTEST = 20_000
"""Objects per second: more than any store or client reaches today."""
_WIDEST = 4096 * MIB
"""Bytes per second: more than any store or client reaches today."""
_NAMES_PER_FILE = 1000
"""NTFS takes 1023 links to a file, ext4 65 000."""
_PER_DIRECTORY = 10_000
_MOST_OWN = 50_000
"""The user's files, at most, that are dropped from the page cache before each trial: enough for a few seconds."""


def make_files(directory: str, size: int, *, seconds: float, slots: int, room: int) -> None:
    """Make more files of `size` bytes than a fast store takes in `seconds`. Few are written, the others are hard links.

    If links cannot be made, it writes as many files as fit in `room` bytes. Raises UsageError if a write fails.
    """
    wanted = round(min(_FASTEST, _WIDEST / size) * (seconds + 0.5)) + 4 * slots
    most = max(1, room // size)
    try:
        originals = [_write(_path(directory, n), size) for n in range(min(math.ceil(wanted / _NAMES_PER_FILE), most))]
        wanted = min(wanted, len(originals) * _NAMES_PER_FILE)
        try:
            for number in range(len(originals), wanted):
                os.link(originals[number % len(originals)], _path(directory, number))
        except OSError:
            for number in range(len(originals), min(wanted, most)):
                _write(_path(directory, number), size)
    except OSError as error:
        why = f"cannot make files to upload in {directory}: {error.strerror}; TMPDIR names another place"
        raise UsageError(why) from None


def own_files(directory: str) -> list[bytes]:
    """The first of the user's files, in upload order. Raises UsageError if there is none."""
    found = islice(walk([os.fsencode(directory)], WalkOptions()), _MOST_OWN)
    paths = [file.target or file.path for file in found if isinstance(file, SourceFile)]
    if not paths:
        raise UsageError(f"{directory}: there is no file to upload in it")
    return paths


def forget_cached(paths: list[bytes]) -> None:
    """Ask the system to drop these files from its page cache, so that the next trial reads them from the disk."""
    if hasattr(os, "posix_fadvise"):
        for path in paths:
            with suppress(OSError):
                _forget(path)


def _forget(path: bytes) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def _path(directory: str, number: int) -> str:
    folder = os.path.join(directory, f"{number // _PER_DIRECTORY:03d}")
    if number % _PER_DIRECTORY == 0:
        os.mkdir(folder)
    return os.path.join(folder, f"{number:06d}")


def _write(path: str, size: int) -> str:
    """Write random bytes: a network that compresses would look too fast with others."""
    with open(path, "wb") as file:
        for begin in range(0, min(size, DISK_BOUND), MIB):
            file.write(os.urandom(min(size - begin, MIB)))
        file.truncate(size)
    return path
