"""Decides by the name alone which files stay uncompressed and which objects get the suffix `.gz`.

So the object name of a file never depends on its content, the disk or other files. Two files of one run may still get
the same object name: `a` becomes `a.gz`, and an excluded `a.gz` keeps its name. `SharedNames` finds such pairs while
the names pass by.
"""

from collections.abc import Iterable

from bulkput.errors import name_text
from bulkput.options import GzipOptions
from bulkput.policy.filters import Patterns, shortened
from bulkput.policy.naming import SUFFIX

_SUFFIX = SUFFIX.encode()


class GzipNames:
    """The naming rule of one run. Names are bytes, relative to the source, parts joined by `/`, as in `Filters`."""

    def __init__(self, options: GzipOptions, *, source: Iterable[bytes] = (), compresses: bool = False) -> None:
        """`source` has all absolute paths of the only source, and is empty if there are several. `compresses`: files
        may be sent compressed whatever `options.mode` is, by a rule. Raises UsageError if a pattern is not gitignore
        syntax."""
        patterns = options.exclude if options.mode != "never" or compresses else ()
        self._excluded = Patterns("`gzip.exclude`", patterns, map(name_text, source)) if any(patterns) else None
        self.adds_suffix = options.adds_suffix

    def excludes(self, name: bytes) -> bool:
        """Whether `GzipOptions.exclude` matches the file, so that it is sent uncompressed."""
        return self._excluded is not None and self._excluded.match_name(name)

    def suffix(self, name: bytes) -> str:
        """The suffix of this file's object name: `.gz` or nothing. A directory's marker has none: do not ask for it."""
        return SUFFIX if self.adds_suffix and not self.excludes(name) else ""

    def files_of(self, name: bytes) -> tuple[bytes, ...]:
        """The files that may have made the object `name`: two, one or none. `name` is without the destination's prefix.

        None if every object name has the suffix and this one has not.
        """
        if not self.adds_suffix:
            return (name,)
        stem = name.removesuffix(_SUFFIX)
        is_made = stem != name and stem and not stem.endswith(b"/") and not self.excludes(stem)
        return (*((stem,) if is_made else ()), *((name,) if self.excludes(name) else ()))

    def can_be_shared(self, *, with_directories: bool) -> bool:
        """Whether two files, or a file and a directory's marker, may get the same object name."""
        return self.adds_suffix and (self._excluded is not None or with_directories)

    def useless(self) -> list[str]:
        """A sentence for each pattern that has matched nothing, as `Filters.useless`. Any thread may call this.

        Empty unless `adds_suffix`: else not every name is tried.
        """
        return shortened(list(self._excluded.useless())) if self._excluded is not None and self.adds_suffix else []


NOT_COMPRESSED = GzipNames(GzipOptions())


class SharedNames:
    """Finds files whose object name an earlier file already has. Names must come in bytewise order.

    All names between `a` and `a.gz` begin with `a`. So `_chain` holds names of which each begins with the one before,
    and never more of them than a name has bytes.
    """

    def __init__(self, names: GzipNames) -> None:
        self._names = names
        self._chain: list[bytes] = []

    def owner(self, name: bytes, *, is_directory: bool) -> bytes | None:
        """The earlier file that has the object name of `name`, or None. If `is_directory`, `name` gets a marker."""
        if not self._names.adds_suffix:
            return None
        while self._chain and not name.startswith(self._chain[-1]):
            self._chain.pop()
        if not is_directory and self._names.suffix(name):
            self._chain.append(name)
            return None
        stem = name.removesuffix(_SUFFIX)
        return stem if stem != name and stem in self._chain else None
