"""Which objects the sources of an upload claim, and under which names: what is compared, and what is none of ours.

* A directory claims everything below the destination's prefix: what it lacks is extra. Lone files claim just their own
  names, and what else lies beside them is not looked at; so do the files of a list.
* A filter claims nothing of what it excludes: it applies to the objects' names as it does to the files', or what an
  upload with `walk.exclude` had left alone would be extra.
* Where a source could not be read, nothing is known about what it should have given.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from bulkput.errors import SourceError
from bulkput.options import NamingOptions, WalkOptions
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import NOT_COMPRESSED, GzipNames
from bulkput.policy.naming import object_name

_DIRECTORIES_KEPT = 4_096
"""Directories whose exclusion is remembered: objects come in order, so those above the last one are enough."""


@dataclass(frozen=True, slots=True)
class Root:
    """A source: `name` is what its only file is called, empty for a directory."""

    path: bytes
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Scope:
    """Made by `scope_of`. `listing_prefix` begins the names of all objects that are claimed; `is_whole`: and all that
    begin so are claimed."""

    naming: NamingOptions
    gzip: GzipNames
    is_whole: bool
    listing_prefix: str
    _roots: tuple[Root, ...]
    _filters: Filters | None
    _enters: Callable[[bytes], bool]

    def key(self, name: bytes, *, is_directory: bool = False) -> str:
        """The object name of the file `name`, as an upload has it, or that of a directory's marker.

        Raises SourceError for a name that makes none.
        """
        return self._plain(name) + ("" if is_directory else self.gzip.suffix(name))

    def _plain(self, name: bytes) -> str:
        naming = self.naming
        return naming.prefix if naming.is_exact else object_name(name, prefix=naming.prefix, encode=naming.encode)

    def place(self, path: bytes) -> bytes:
        """Where in the bytewise order of the keys something of the sources is that could not be read.

        The object of that name, and all below it as a directory, are unknown. For a source as a whole that is
        everything below the prefix.
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
                except SourceError:
                    return prefix + name
        return prefix + path

    def sources_of(self, key: str, *, is_prefix: bool = False) -> list[bytes] | None:
        """Where in the sources the file of this object would be, in each of them; None where the name alone does not
        tell, since escapes or a suffix may have been added to that of a file in a directory.

        With `is_prefix`, of the objects whose names begin with `key`: what the files' paths begin with.
        """
        files = [root for root in self._roots if root.name]
        paths = [root.path for root in files if self._is_key_of(root.name, key, is_prefix=is_prefix)]
        directories = [root.path for root in self._roots if not root.name]
        if directories and (self.naming.encode == "percent" or self.gzip.adds_suffix):
            return None
        # A shorter prefix than the destination's begins the names of all objects there.
        name = key[len(self.naming.prefix) :].encode("utf-8", "surrogatepass")
        return paths + [path.removesuffix(b"/") + b"/" + name for path in directories]

    def _is_key_of(self, name: bytes, key: str, *, is_prefix: bool) -> bool:
        try:
            own = self.key(name)
        except SourceError:  # it makes none, and is not sent
            return False
        return own.startswith(key) if is_prefix else own == key

    def claims(self, key: str, *, is_directory: bool = False) -> bool:
        """Whether the filters would take the file of this object, given that its name begins with the prefix; or enter
        a directory whose marker it is. Where two files could be meant, `x` and an excluded `x.gz`, those of both."""
        if self._filters is None:
            return True
        rest = key[len(self.naming.prefix) :]
        name = unquote_to_bytes(rest) if self.naming.encode == "percent" else rest.encode("utf-8", "surrogatepass")
        above = (name[:end] for end, byte in enumerate(name) if byte == ord("/"))
        if is_directory:
            return all(map(self._enters, above)) and self._enters(name)
        # An object that no file could give is judged by its own name: it is none the less in our place.
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
    """`filters` are the run's; None makes some. `is_list`: only the files that a list names are claimed.

    Raises UsageError for a pattern that is not gitignore syntax.
    """
    # The longest path first: of nested sources, the nearest says what its file is called.
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
        _enters=lru_cache(_DIRECTORIES_KEPT)(filters.enters_directory),
    )


def _common(naming: NamingOptions, names: Sequence[bytes]) -> str:
    """What the keys of all these files begin with."""
    if naming.is_exact:
        return naming.prefix
    try:
        keys = [object_name(name, prefix=naming.prefix, encode=naming.encode) for name in names]
    except SourceError:
        return naming.prefix
    first, last = min(keys), max(keys)
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]
