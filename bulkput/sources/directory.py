"""One directory's entries in bytewise order, in bounded memory.

Names are sorted as if directories ended in `/`, so that a depth-first walk yields full paths in bytewise order
(`a-b` before `a/b`, since `-` is 0x2d and `/` is 0x2f): the order in which Swift lists objects. Up to a bound the
names are sorted in memory; beyond it, sorted runs go to one temporary file and are merged from there, so that a
directory of a hundred million files needs no more memory than a small one.
"""

import heapq
import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_BLOCK = 32 * 1024
"""Bytes read at once from each sorted run on disk."""
_DIRECTORY, _FILE, _LINK, _OTHER = b"d", b"f", b"l", b"o"


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory and its kind, as the directory itself tells it (no stat)."""

    name: bytes
    is_directory: bool
    is_link: bool
    is_file: bool


def entries(path: bytes, *, in_memory: int) -> Iterator[Entry]:
    """The entries of the directory `path`, sorted; at most `in_memory` names are held. Raises OSError."""
    with os.scandir(path) as found:
        records = (_record(entry) for entry in found)
        for record in _sorted(records, in_memory):
            yield _entry(record)


def _record(entry: os.DirEntry[bytes]) -> bytes:
    """Sort key, NUL, kind. A name holds no NUL, and NUL sorts before all else: records order as their keys do."""
    if entry.is_symlink():
        return entry.name + b"\0" + _LINK
    if entry.is_dir(follow_symlinks=False):
        return entry.name + b"/\0" + _DIRECTORY
    return entry.name + b"\0" + (_FILE if entry.is_file(follow_symlinks=False) else _OTHER)


def _entry(record: bytes) -> Entry:
    key, kind = record[:-2], record[-1:]
    return Entry(key.removesuffix(b"/"), kind == _DIRECTORY, kind == _LINK, kind == _FILE)


def _sorted(records: Iterator[bytes], in_memory: int) -> Iterator[bytes]:
    run = _take(records, in_memory)
    if len(run) < in_memory:
        yield from run
        return
    with tempfile.TemporaryFile(prefix="bulkput-sort-") as spill:
        bounds = [0]
        while run:
            spill.write(b"\0".join(run) + b"\0")
            bounds.append(spill.tell())
            run = _take(records, in_memory)
        yield from heapq.merge(*(_read_run(spill, start, end) for start, end in itertools.pairwise(bounds)))


def _take(records: Iterator[bytes], count: int) -> list[bytes]:
    return sorted(itertools.islice(records, count))


def _read_run(spill: IO[bytes], position: int, end: int) -> Iterator[bytes]:
    """The records of one run: `key NUL kind NUL key NUL kind NUL ...`, read block by block."""
    rest = b""
    while position < end:
        spill.seek(position)
        block = spill.read(min(_BLOCK, end - position))
        position += len(block)
        *fields, rest = (rest + block).split(b"\0")
        if len(fields) % 2:
            rest = fields.pop() + b"\0" + rest
        for key, kind in zip(fields[::2], fields[1::2], strict=True):
            yield key + b"\0" + kind
