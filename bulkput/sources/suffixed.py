"""Whether a compressed file would take the object name of another."""

import os
from collections.abc import Iterable

from bulkput.policy.original import SUFFIX


class Taken:
    """Asked for a file's name in its source: is there another file, in any source, that has this name and .gz?

    It looks at the disk, not at what the walk has found: the other file may come later there, and by then the first
    one's object would have been overwritten. A file that is there and that filters leave out counts as well.
    """

    def __init__(self, roots: Iterable[bytes]) -> None:
        """Blocking, as all of this."""
        self._directories: list[bytes] = []
        self._files: set[bytes] = set()
        for root in roots:
            if os.path.isdir(root):
                self._directories.append(root)
            else:
                self._files.add(os.path.basename(root))

    def __call__(self, name: bytes) -> bool:
        other = name + SUFFIX.encode()
        return other in self._files or any(os.path.lexists(os.path.join(each, other)) for each in self._directories)
