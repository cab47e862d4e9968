"""Whether a link or a large object reads what this very run writes: then what is proven of it does not hold to the end.

A link `l` leads to `t`. The file `l` has the bytes of `t`, so a run that skips what is identical would leave it out;
the file `t` has others and is sent. In the end `l` gives the bytes of the file `t`. So a file is sent, as a plain
object, where its object reads anything that has a file of its own in the sources.
"""

import os
from collections.abc import Collection

from bulkput.engine.compare.evidence import references_of
from bulkput.model import SourceFile
from bulkput.payload.body import BodyOpener
from bulkput.policy.references import Reference, overlaps
from bulkput.policy.scope import Scope
from bulkput.stores.base import Store


class IndirectReads:
    """What objects of one container read, beside what an upload claims there."""

    def __init__(self, store: Store, scope: Scope, container: str, opener: BodyOpener) -> None:
        self._store = store
        self._scope = scope
        self._container = container
        self._opener = opener
        self._below = f"{container}/{scope.listing_prefix}"

    async def is_written(self, file: SourceFile, key: str, links: Collection[str] = ()) -> bool:
        """Whether anything that a GET of this object, the file's, reads has a file, or may have one: also by way of
        other links and manifests. Raises SourceError, StoreError, Stopped.

        `links` are segments that are known to be links. Of others with an MD5 nobody asks: that is a HEAD for each.
        """
        waiting = [f"{self._container}/{key}"]
        seen = set(waiting)
        while waiting:
            for read in await references_of(self._store, waiting.pop(), self._container):
                if overlaps(read, self._below) and await self._has_file(file, read):
                    return True
                if (read.may_read or read.path in links) and read.path not in seen:
                    seen.add(read.path)
                    waiting.append(read.path)
        return False

    async def _has_file(self, file: SourceFile, read: Reference) -> bool:
        key = read.path[len(self._container) + 1 :]
        paths = self._scope.sources_of(key, is_prefix=read.is_prefix)
        if paths is None:
            return True
        # Not asyncio.to_thread: the interpreter waits for its threads at the end, also for one that hangs.
        return await self._opener.run(file, _is_any_begun if read.is_prefix else _is_any_there, paths)


def _is_any_there(paths: list[bytes]) -> bool:
    return any(map(os.path.lexists, paths))


def _is_any_begun(prefixes: list[bytes]) -> bool:
    return any(map(_is_begun, prefixes))


def _is_begun(prefix: bytes) -> bool:
    """Whether there is a path that begins so."""
    directory, begin = os.path.split(prefix)
    try:
        with os.scandir(directory or b".") as entries:
            return any(entry.name.startswith(begin) for entry in entries)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:  # it cannot be seen
        return True
