"""Which files are left as they are, and which objects get `.gz`: both are decided by a file's name alone.

So the object name of a file never depends on its content, on the disk or on other files. Two files of one run may still
get the same object name: `a`, which becomes `a.gz`, and an excluded `a.gz`, which keeps its name. `SharedNames` finds
them while the names pass by.
"""

from collections.abc import Iterable

from bulkput.errors import name_text
from bulkput.options import GzipOptions
from bulkput.policy.filters import Patterns
from bulkput.policy.naming import SUFFIX

_SUFFIX = SUFFIX.encode()


class GzipNames:
    """The rule of one run. Names are relative to the source, bytes, parts joined by `/`, as for `Filters`."""

    def __init__(self, options: GzipOptions, *, source: Iterable[bytes] = ()) -> None:
        """`source`: the absolute paths by which the only source is known. Raises UsageError for a pattern that is not
        gitignore syntax."""
        patterns = options.exclude if options.mode != "never" else ()
        self._excluded = Patterns("`gzip.exclude`", patterns, map(name_text, source)) if any(patterns) else None
        self.adds_suffix = options.adds_suffix

    def excludes(self, name: bytes) -> bool:
        """Whether the file is sent as it is."""
        return self._excluded is not None and self._excluded.match_name(name)

    def suffix(self, name: bytes) -> str:
        """What is added to the object name of this file. A directory's marker gets nothing: do not ask for it."""
        return SUFFIX if self.adds_suffix and not self.excludes(name) else ""

    def files_of(self, name: bytes) -> tuple[bytes, ...]:
        """The names that a file may have whose object has this name, without what the destination adds: two, one, or
        none, where everything gets the suffix and this has none."""
        if not self.adds_suffix:
            return (name,)
        stem = name.removesuffix(_SUFFIX)
        is_made = stem != name and stem and not stem.endswith(b"/") and not self.excludes(stem)
        return (*((stem,) if is_made else ()), *((name,) if self.excludes(name) else ()))

    def can_be_shared(self, *, with_directories: bool) -> bool:
        """Whether two files, or a file and a directory's marker, may get the same object name."""
        return self.adds_suffix and (self._excluded is not None or with_directories)

    def useless(self) -> list[str]:
        """A sentence for each pattern that has matched nothing, where all names were looked at. From any thread."""
        return list(self._excluded.useless()) if self._excluded is not None and self.adds_suffix else []


NOT_COMPRESSED = GzipNames(GzipOptions())


class SharedNames:
    """Finds who would get the object name of an earlier file, among names that come in bytewise order.

    From `a` to `a.gz` all names begin with `a`. So what is remembered is a chain of names, each of which begins the
    next: never more of them than a name has bytes.
    """

    def __init__(self, names: GzipNames) -> None:
        self._names = names
        self._chain: list[bytes] = []

    def owner(self, name: bytes, *, is_directory: bool) -> bytes | None:
        """The file that has the object name of this one, or of this directory's marker; None: no earlier one has it."""
        if not self._names.adds_suffix:
            return None
        while self._chain and not name.startswith(self._chain[-1]):
            self._chain.pop()
        if not is_directory and self._names.suffix(name):
            self._chain.append(name)
            return None
        stem = name.removesuffix(_SUFFIX)
        return stem if stem != name and stem in self._chain else None
