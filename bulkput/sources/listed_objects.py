"""The objects that a list names below a URL: as `file_list.py` has it for files.

    docs/a.txt                       relative to the base, and so is its object's name
    ./docs/a.txt                     the same
    https://host/dir/docs/b%20c.txt  below the base https://host/dir/: escapes of an http URL are undone

Nothing is known of such an object before it is read: a list has no size, and no ETag. So a journal that has the name
knows the object, whatever version of it there is by now.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from bulkput.activity import current
from bulkput.errors import SourceError, printable
from bulkput.model import Found, KnownFiles, Reason, RemoteObject, Skip, SourceFile
from bulkput.options import FileListOptions
from bulkput.policy.listed import object_name
from bulkput.policy.object_state import state_of
from bulkput.sources.by_key import each_once, in_order
from bulkput.sources.file_list import ListedNames
from bulkput.sources.merged import EarlierUploads

if TYPE_CHECKING:
    from bulkput.sources.share import Share

_TELL_EVERY = 5_000
"""Known objects per KnownFiles finding."""


class PathOf(Protocol):
    def __call__(self, key: str, /) -> bytes:
        """The URL of an object."""


class ListedObjects:
    """Iterates over what the list names, once, in its own order or in that of the names. Blocking."""

    def __init__(
        self,
        files: FileListOptions,
        path_of: PathOf,
        prefix: str,
        *,
        takes: Callable[[bytes], bool],
        open_earlier: Callable[[], EarlierUploads] | None,
        is_sorted: bool,
        share: "Share | None" = None,
    ) -> None:
        """Names of objects begin with `prefix`, the URL of which is the list's base. `takes` says whether filters take
        a name. Raises UsageError if there is no list."""
        self._lines = ListedNames(files)
        self._path_of = path_of
        self._prefix = prefix
        self._base = path_of(prefix).removesuffix(b"/") + b"/"  # that of a container alone has none
        self._takes = takes
        self._open_earlier = open_earlier
        self._is_sorted = is_sorted
        self._share = share

    def __iter__(self) -> Iterator[Found]:
        earlier = self._open_earlier() if self._open_earlier is not None else None
        known = 0
        names = filter(None, (object_name(line, self._base) for line in self._lines))
        for name in in_order(names) if self._is_sorted else each_once(names):
            if self._share is not None and not self._share.takes(name):
                continue
            found = self._found(name)
            if isinstance(found, SourceFile) and earlier is not None and _is_known(found, earlier):
                known += 1
            else:
                yield found
            if known == _TELL_EVERY:
                yield KnownFiles(known, 0)
                known = 0
        if known:
            yield KnownFiles(known, 0)
        if self._lines.error is not None:
            yield self._lines.error

    def _found(self, name: bytes) -> Found:
        if b"://" in name:
            return SourceError(name, "name", f"it is not below the base {printable(self._base)}")
        try:
            key = self._prefix + name.decode()
        except UnicodeDecodeError:
            return SourceError(self._base + name, "name", "its name in the list is not UTF-8")
        path = self._path_of(key)
        current().in_hand = path
        if not self._takes(name):
            return Skip(path, name, Reason.EXCLUDED)
        return SourceFile(path, name, 0, 0, remote=RemoteObject(key, None, None, None, None))


def _is_known(found: SourceFile, earlier: EarlierUploads) -> bool:
    return found.remote is not None and earlier.has(found.path, found.name, 0, state_of(found.remote))
