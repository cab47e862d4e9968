"""What is uploaded: generated files, or the user's own. Everything here blocks: call it in a thread."""

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
"""Objects per second that no store and no client exceed today."""
_WIDEST = 4096 * MIB
"""The same in bytes."""
_NAMES_PER_FILE = 1000
"""NTFS takes 1023 links to a file, ext4 65 000."""
_PER_DIRECTORY = 10_000
_MOST_OWN = 50_000
"""Of the user's files so many are read afresh in each trial; a few seconds hardly need more."""


def make_files(directory: str, size: int, *, seconds: float, slots: int, room: int) -> None:
    """Files of one size, more than a fast store takes in the time: few are written, the others are links to them.

    Where links cannot be made they are files of their own, as many as `room` bytes hold. Raises UsageError.
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
    """The first files of the user's, in the order in which they are uploaded. Raises UsageError: there is none."""
    found = islice(walk([os.fsencode(directory)], WalkOptions()), _MOST_OWN)
    paths = [file.target or file.path for file in found if isinstance(file, SourceFile)]
    if not paths:
        raise UsageError(f"{directory}: there is no file to upload in it")
    return paths


def forget_cached(paths: list[bytes]) -> None:
    """Ask the system to drop these files from its cache, so that they come from the disk once more."""
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
    """Random bytes: what compresses on the way would look faster than it is."""
    with open(path, "wb") as file:
        for begin in range(0, min(size, DISK_BOUND), MIB):
            file.write(os.urandom(min(size - begin, MIB)))
        file.truncate(size)
    return path
