"""One directory's entries in bytewise order, in bounded memory.

Names are sorted as if directories ended in `/`, so that a depth-first walk yields full paths in bytewise order (`a-b`
before `a/b`, since `-` is 0x2d and `/` is 0x2f). Swift lists objects in that order. Up to a bound, names are sorted in
memory. Beyond it, sorted runs are written to a temporary file and merged from there, so a directory of a hundred
million files needs no more memory than a small one.
"""

import heapq
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO

from bulkput.record import frozen

_BLOCK = 32 * 1024
"""Bytes read at once from each sorted run on disk. As records in memory they take about three times as much."""
_FAN_IN = 64
"""Runs merged at once. So the blocks take about 6 MiB at most, whatever the size of the directory."""
DIRECTORY, FILE, LINK, MARK, OTHER = b"d", b"f", b"l", b"m", b"o"
DirectoryEntry = tuple[bytes, bytes]
"""A name in a directory and its kind, as the directory itself tells it, without a stat. A plain tuple, since there is
one for each file."""


def entries(
    path: bytes, *, follow_symlinks: bool = False, with_marks: bool = False, in_memory: int
) -> Iterator[DirectoryEntry]:
    """The entries of the directory `path`, sorted, with at most `in_memory` names in memory. Raises OSError.

    `follow_symlinks`: a link to a directory sorts like a directory. `with_marks`: each directory comes a second time,
    as a MARK, at the place of its name without `/`.
    """
    with os.scandir(path) as found:
        records: Iterator[bytes] = (_record(entry, follow_symlinks) for entry in found)
        if with_marks:
            records = _with_marks(records)
        for record in _sorted(records, max(1, in_memory)):
            kind = record[-1:]
            yield (record[:-2] if kind == FILE else record[:-2].removesuffix(b"/")), kind


def _record(entry: os.DirEntry[bytes], follow_symlinks: bool) -> bytes:
    """Sort key, NUL, kind. Names have no NUL, and NUL sorts before every other byte, so records sort by their keys."""
    if entry.is_file(follow_symlinks=False):  # first, since it is the most frequent kind
        return entry.name + b"\0f"
    if entry.is_symlink():
        return entry.name + (b"/\0" if follow_symlinks and _leads_to_directory(entry) else b"\0") + LINK
    return entry.name + (b"/\0" + DIRECTORY if entry.is_dir(follow_symlinks=False) else b"\0" + OTHER)


def _with_marks(records: Iterator[bytes]) -> Iterator[bytes]:
    for record in records:
        yield record
        name, _, kind = record.rpartition(b"\0")
        if kind != FILE and name.endswith(b"/"):
            yield name[:-1] + b"\0" + MARK


def kind_of(status: os.stat_result) -> bytes:
    """The kind of an entry from its own status (`lstat`)."""
    kinds = {stat.S_IFREG: FILE, stat.S_IFLNK: LINK, stat.S_IFDIR: DIRECTORY}
    return kinds.get(stat.S_IFMT(status.st_mode), OTHER)


def _leads_to_directory(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links or a dead mount, which the walk reports
        return False


def _sorted(records: Iterator[bytes], in_memory: int) -> Iterator[bytes]:
    run = _take(records, in_memory)
    if len(run) < in_memory:
        yield from run
        return
    # Write sorted runs to disk and merge them. If there are more runs than may be merged at once, merge groups of them
    # into longer runs first.
    runs = itertools.chain([run], iter(lambda: _take(records, in_memory), []))
    with ExitStack() as spills:
        sorted_runs = _written(runs, spills)
        while len(sorted_runs) > _FAN_IN:
            groups = (sorted_runs[start : start + _FAN_IN] for start in range(0, len(sorted_runs), _FAN_IN))
            sorted_runs = _written((heapq.merge(*map(_read, group)) for group in groups), spills)
        yield from heapq.merge(*map(_read, sorted_runs))


def _take(records: Iterator[bytes], count: int) -> list[bytes]:
    return sorted(itertools.islice(records, count))


@frozen
class _SortedRun:
    """A sorted run on disk: `key NUL kind NUL key NUL kind NUL ...` from `start` to `end` of a file."""

    file: IO[bytes]
    start: int
    end: int


def _written(runs: Iterable[Iterable[bytes]], spills: ExitStack) -> list[_SortedRun]:
    """Write the runs, one after the other, to a new temporary file that lives as long as `spills`."""
    import tempfile  # noqa: PLC0415 - 5 ms, for directories that do not fit in memory

    file = spills.enter_context(tempfile.TemporaryFile(prefix="bulkput-sort-"))  # noqa: SIM115 - `spills` closes it
    written = []
    start = 0
    for run in runs:
        file.writelines(record + b"\0" for record in run)
        written.append(_SortedRun(file, start, start := file.tell()))
    return written


def _read(run: _SortedRun) -> Iterator[bytes]:
    """The records of one run, block by block."""
    rest = b""
    position = run.start
    while position < run.end:
        run.file.seek(position)
        block = run.file.read(min(_BLOCK, run.end - position))
        position += len(block)
        *fields, rest = (rest + block).split(b"\0")
        if len(fields) % 2:
            rest = fields.pop() + b"\0" + rest
        for key, kind in zip(fields[::2], fields[1::2], strict=True):
            yield key + b"\0" + kind
