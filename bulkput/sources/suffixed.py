"""Which compressed files would take the object names of others: `a` that of `a.gz`, where both are there."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bulkput.errors import SourceError
from bulkput.model import Found, SourceFile
from bulkput.policy.naming import SUFFIX

_SUFFIX = SUFFIX.encode()


class Taken:
    """Asked for a file's name in its source: is there another file, in any source, that has this name and .gz?

    It looks at the disk, since the other file comes later in a walk. One that filters leave out counts as well, and so
    does one beside a source that is a file: it may be the source of the next run.
    """

    def __init__(self, roots: Iterable[bytes]) -> None:
        """Blocking, as all of this."""
        self._directories: list[bytes] = []
        self._files: set[bytes] = set()
        self._beside: dict[bytes, bytes] = {}
        for root in roots:
            if os.path.isdir(root):
                self._directories.append(root)
            else:
                self._files.add(os.path.basename(root))
                self._beside[os.path.basename(root)] = root

    def __call__(self, name: bytes) -> bool:
        other = name + _SUFFIX
        if other in self._files or (name in self._beside and os.path.lexists(self._beside[name] + _SUFFIX)):
            return True
        return any(os.path.lexists(os.path.join(each, other)) for each in self._directories)


def told_apart(found: Iterable[Found], taken: Taken) -> Iterator[Found]:
    """Marks the files that keep their own names, as another has the one with .gz. `found` is in order of the names.

    It is settled here, once for each file: a worker that asked later, or again, could get another answer than the one
    by which the other file was sent. A file that was not there when the first was asked about, and comes after all, is
    a collision. From `a` to `a.gz` all names begin with `a`: what is remembered is a chain of names, each of which
    begins the next.
    """
    free: list[bytes] = []
    for item in found:
        if not isinstance(item, SourceFile) or item.is_directory:
            yield item
            continue
        name = item.name
        while free and not name.startswith(free[-1]):
            free.pop()
        if name.endswith(_SUFFIX) and name.removesuffix(_SUFFIX) in free:
            yield SourceError(item.path, "collision", "it has come meanwhile, and another file may be stored as this")
        elif taken(name):
            yield replace(item, keeps_name=True)
        else:
            free.append(name)
            yield item


def without_taken_marks(found: Iterable[Found], roots: Iterable[bytes]) -> Iterator[Found]:
    """Without the directories whose marker would have the name that a file gets, where all files get the suffix."""
    directories = list(roots)
    for item in found:
        if isinstance(item, SourceFile) and item.is_directory and item.name.endswith(_SUFFIX):
            file = item.name.removesuffix(_SUFFIX)
            if any(os.path.isfile(os.path.join(root, file)) for root in directories):
                continue
        yield item


def could_share_a_name(name: bytes) -> tuple[bytes, ...]:
    """The names of all files whose objects could be called as one of this name's could."""
    stem = name.removesuffix(_SUFFIX)
    return (name, name + _SUFFIX, stem) if stem != name else (name, name + _SUFFIX)
