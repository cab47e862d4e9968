"""Finds out if a link or large object reads objects that this run may overwrite. If so, its file must not be skipped.

Example: the object `l` is a link to `t`. The file `l` equals the object `t`, so a run that skips identical files would
skip `l`. The file `t` differs and is sent. From then on a GET of `l` gives the file `t`: wrong. So a file is sent, as a
plain object, if its object reads anything for which the sources have a file.
"""

import os
from collections.abc import Collection

from bulkput.engine.compare.evidence import hides_manifest, references_of
from bulkput.errors import StoreError
from bulkput.model import SourceFile
from bulkput.payload.body import BodyOpener
from bulkput.policy.references import Reference, overlaps
from bulkput.policy.scope import Scope
from bulkput.stores.base import Store


class IndirectReads:
    """Compares what objects of one container read with the object names that an upload claims there."""

    def __init__(self, store: Store, scope: Scope, container: str, opener: BodyOpener | None) -> None:
        """Without an opener the sources are no files: then each may have what an object reads."""
        self._store = store
        self._scope = scope
        self._container = container
        self._opener = opener
        self._below = f"{container}/{scope.listing_prefix}"

    async def is_written(self, file: SourceFile, key: str, links: Collection[str] = ()) -> bool:
        """Whether a GET of the file's object reads any object that has, or may have, a file in the sources.

        Follows links and manifests. `links` are segments that are known to be links. Other segments with an MD5 are
        not followed: that would take a HEAD for each. Raises SourceError, StoreError, Stopped.
        """
        waiting = [f"{self._container}/{key}"]
        seen = set(waiting)
        while waiting:
            try:
                reads = await references_of(self._store, waiting.pop(), self._container)
            except StoreError as error:
                if hides_manifest(error):  # it may read anything
                    return True
                raise
            for read in reads:
                if overlaps(read, self._below) and await self._has_file(file, read):
                    return True
                if (read.may_read or read.path in links) and read.path not in seen:
                    seen.add(read.path)
                    waiting.append(read.path)
        return False

    async def _has_file(self, file: SourceFile, read: Reference) -> bool:
        key = read.path[len(self._container) + 1 :]
        paths = self._scope.sources_of(key, is_prefix=read.is_prefix)
        if paths is None or self._opener is None:  # the names cannot be traced back to files: there may be one
            return True
        # Not asyncio.to_thread: the interpreter waits for those threads at its exit, even for one that hangs.
        return await self._opener.run(file, _is_any_begun if read.is_prefix else _is_any_there, paths)


def _is_any_there(paths: list[bytes]) -> bool:
    return any(map(os.path.lexists, paths))


def _is_any_begun(prefixes: list[bytes]) -> bool:
    return any(map(_is_begun, prefixes))


def _is_begun(prefix: bytes) -> bool:
    """Whether a path begins with `prefix`."""
    directory, begin = os.path.split(prefix)
    try:
        with os.scandir(directory or b".") as entries:
            return any(entry.name.startswith(begin) for entry in entries)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:  # the directory cannot be read: there may be one
        return True
