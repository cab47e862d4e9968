"""Decides which objects the sources of an upload claim, so that they are compared, and what their names are.

* A directory claims every object below the destination's prefix: one without a file is extra. Single files, and the
  files of a list, claim only their own names; other objects are not compared.
* Filters apply to object names as they do to file names: they claim nothing that they exclude. Otherwise an object
  that `walk.exclude` had left alone would be extra.
* If a source could not be read, the objects of its files are unknown.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from bulkput.errors import SourceError
from bulkput.options import NamingOptions, WalkOptions
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import NOT_COMPRESSED, GzipNames
from bulkput.policy.naming import common_prefix, object_name
from bulkput.record import frozen

_DIRECTORIES_KEPT = 4_096
"""Directories whose exclusion is cached. Objects come in order, so the directories above the last one are enough."""


@frozen
class Root:
    """A source. `name` is the name of a single file, or empty for a directory."""

    path: bytes
    name: bytes = b""


@frozen
class Scope:
    """The names that the sources claim; `scope_of` makes it.

    All claimed names begin with `listing_prefix`. If `is_whole`, all names that begin so are claimed, unless filters
    exclude them.
    """

    naming: NamingOptions
    gzip: GzipNames
    is_whole: bool
    listing_prefix: str
    _roots: tuple[Root, ...]
    _filters: Filters | None
    _enters: Callable[[bytes], bool]

    def key(self, name: bytes, *, is_directory: bool = False) -> str:
        """The object name of the file `name` in an upload, or of the marker of the directory `name`.

        Raises SourceError if the name gives no object name.
        """
        return self._plain(name) + ("" if is_directory else self.gzip.suffix(name))

    def _plain(self, name: bytes) -> str:
        naming = self.naming
        return naming.prefix if naming.is_exact else object_name(name, prefix=naming.prefix, encode=naming.encode)

    def place(self, path: bytes) -> bytes:
        """The object name, in bytes, of a path in the sources that could not be read.

        The object of this name is unknown, and so are all objects below it. For a whole source, these are all objects
        below the prefix.
        """
        prefix = self.naming.prefix.encode()
        for root in self._roots:
            if path == root.path and not root.name:
                return prefix.removesuffix(b"/")
            base = root.path if root.path.endswith(b"/") else root.path + b"/"
            if path == root.path or path.startswith(base):
                name = root.name or path[len(base) :]
                try:
                    return self._plain(name).encode()
                except SourceError:  # it has no object name, but still a place in the bytewise order
                    return prefix + name
        return prefix + path

    def sources_of(self, key: str, *, is_prefix: bool = False) -> list[bytes] | None:
        """The paths in the sources that the file of the object `key` may have, at most one for each source.

        None if the name alone does not tell: in a directory, escapes or a suffix may have changed the file's name. If
        `is_prefix`, `key` is the start of object names, and the result has the starts of their files' paths.
        """
        files = [root for root in self._roots if root.name]
        paths = [root.path for root in files if self._is_key_of(root.name, key, is_prefix=is_prefix)]
        directories = [root.path for root in self._roots if not root.name]
        if directories and (self.naming.encode == "percent" or self.gzip.adds_suffix):
            return None
        # If `key` is shorter than the destination's prefix, `name` is empty: every file may be meant.
        name = key[len(self.naming.prefix) :].encode("utf-8", "surrogatepass")
        return paths + [path.removesuffix(b"/") + b"/" + name for path in directories]

    def _is_key_of(self, name: bytes, key: str, *, is_prefix: bool) -> bool:
        try:
            own = self.key(name)
        except SourceError:  # the file has no object name, and is not sent
            return False
        return own.startswith(key) if is_prefix else own == key

    def claims(self, key: str, *, is_directory: bool = False) -> bool:
        """Whether the filters take the file of the object `key`, which must begin with the prefix.

        If `is_directory`, `key` is a marker, and the filters must let the walk enter its directory. If two files may
        have made the object (`x`, and an excluded `x.gz`), the filters must take both.
        """
        if self._filters is None:
            return True
        rest = key[len(self.naming.prefix) :]
        name = unquote_to_bytes(rest) if self.naming.encode == "percent" else rest.encode("utf-8", "surrogatepass")
        above = (name[:end] for end, byte in enumerate(name) if byte == ord("/"))
        if is_directory:
            return all(map(self._enters, above)) and self._enters(name)
        # No file gives an object of this name. Its own name decides, since it still lies below the prefix.
        files = self.gzip.files_of(name) or (name,)
        return all(map(self._enters, above)) and all(map(self._filters.takes_file, files))


def scope_of(
    roots: Iterable[Root],
    naming: NamingOptions,
    walk: WalkOptions,
    *,
    gzip: GzipNames = NOT_COMPRESSED,
    filters: Filters | None = None,
    is_list: bool = False,
) -> Scope:
    """The Scope of the sources `roots`. `filters` are the run's; None makes new ones from `walk`.

    If `is_list`, only the files that a list names are claimed. Raises UsageError if a pattern is not gitignore syntax.
    """
    # The longest path first: a file in nested sources gets its name from the innermost one.
    every = tuple(sorted(roots, key=lambda root: len(root.path), reverse=True))
    filters = filters or Filters(walk)
    is_whole = any(not root.name for root in every) and not is_list
    return Scope(
        naming=naming,
        gzip=gzip,
        is_whole=is_whole,
        listing_prefix=naming.prefix if is_whole or is_list else _common(naming, [root.name for root in every]),
        _roots=every,
        _filters=filters if walk.include or walk.exclude else None,
        _enters=_Remembered(filters.enters_directory),
    )


class _Remembered:
    """A function whose last answers are cached. Another process gets it without the cache."""

    def __init__(self, function: Callable[[bytes], bool]) -> None:
        self._function = function
        self._cached = lru_cache(_DIRECTORIES_KEPT)(function)

    def __call__(self, name: bytes) -> bool:
        return self._cached(name)

    def __reduce__(self) -> tuple[type["_Remembered"], tuple[Callable[[bytes], bool]]]:
        return _Remembered, (self._function,)


def _common(naming: NamingOptions, names: Sequence[bytes]) -> str:
    """The longest common prefix of the object names of all these files."""
    if naming.is_exact:
        return naming.prefix
    try:
        keys = [object_name(name, prefix=naming.prefix, encode=naming.encode) for name in names]
    except SourceError:
        return naming.prefix
    return common_prefix(min(keys), max(keys))
