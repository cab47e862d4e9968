r"""Decides which files a run takes: by name, with patterns in gitignore syntax (pathspec), by age and by size.

A file is taken if it matches an include pattern (or there is none) and no exclude pattern. The walk does not enter an
excluded directory, so no pattern can include anything below it again. That is gitignore's rule, and it makes excluding
a large tree cheap.

Some patterns that people write for shells match nothing in gitignore syntax. They are read as they were meant:

| pattern                | read as   | reason                                                                        |
|------------------------|-----------|-------------------------------------------------------------------------------|
| `./bin/*`              | `/bin/*`  | names are relative to the source, so none begins with `./`                    |
| `/home/me/site/bin/*`  | `/bin/*`  | if /home/me/site is the only source; else a leading `/` means the source      |
| `!./bin/x`             | `!/bin/x` | as the first                                                                  |
| `#*`                   | nothing   | a comment; the run warns, and says how to write a name that begins with `#`   |
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bulkput.errors import UsageError, name_text
from bulkput.model import Reason
from bulkput.options import WalkOptions

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec, Pattern

_NEWLINE = "\ud800"
"""Replaces a newline in names and patterns. The regular expressions of pathspec stop at a newline, so an excluded file
could be sent. Decoding a file name never yields this lone surrogate."""
_SECOND_NS = 1_000_000_000
_MOST_TOLD = 10
"""Useless patterns that are named; the others are counted. A .gitignore of 100 lines seldom fits in every line."""


class Filters:
    """The compiled patterns and limits of one run.

    Names are bytes, relative to the source, with parts joined by `/`.
    """

    def __init__(self, options: WalkOptions, *, source: Iterable[bytes] = (), now_ns: int = 0) -> None:
        """`source` has all absolute paths of the only source, and is empty if there are several. `now_ns` is the start
        of the run: the age of every file is taken at that moment. Raises UsageError if a pattern is not gitignore
        syntax.
        """
        places = [name_text(path) for path in source]
        self._include = Patterns("`walk.include`", options.include, places) if options.include else None
        self._exclude = Patterns("`walk.exclude`", options.exclude, places) if options.exclude else None
        self.are_there = self._include is not None or self._exclude is not None
        self._sizes = options.min_size, options.max_size
        self._newest_ns = None if options.min_age_s is None else now_ns - options.min_age_s * _SECOND_NS
        self._oldest_ns = None if options.max_age_s is None else now_ns - options.max_age_s * _SECOND_NS
        self.have_limits = (self._newest_ns, self._oldest_ns, *self._sizes) != (None,) * 4

    def takes_file(self, name: bytes) -> bool:
        if not self.are_there:
            return True
        text = text_of(name)
        if self._exclude is not None and self._exclude.match(text):
            return False
        return self._include is None or self._include.match(text)

    def enters_directory(self, name: bytes) -> bool:
        return self._exclude is None or not self._exclude.match(text_of(name) + "/")

    def left_out(self, size: int, mtime_ns: int) -> Reason | None:
        """The Reason for which a limit leaves out a file of this size and mtime. None if the file is taken."""
        smallest, largest = self._sizes
        if self._newest_ns is not None and mtime_ns > self._newest_ns:
            return Reason.TOO_NEW
        if self._oldest_ns is not None and mtime_ns < self._oldest_ns:
            return Reason.TOO_OLD
        if smallest is not None and size < smallest:
            return Reason.TOO_SMALL
        if largest is not None and size > largest:
            return Reason.TOO_LARGE
        return None

    def useless(self) -> list[str]:
        """A sentence for each pattern that has matched nothing so far. Any thread may call this."""
        every = [line for patterns in (self._include, self._exclude) if patterns for line in patterns.useless()]
        return shortened(every)


def shortened(useless: list[str]) -> list[str]:
    """The first ten of the sentences on useless patterns, and one that counts the others."""
    more = len(useless) - _MOST_TOLD
    return [*useless[:_MOST_TOLD], f"{more} more patterns matched nothing"] if more > 0 else useless


def as_meant(pattern: str, source: Iterable[str]) -> str:
    """Apply the table above. `source` has the absolute paths of the only source."""
    negation = "!" if pattern.startswith("!") else ""
    rest = pattern.removeprefix("!")
    if rest.startswith("./") and rest.strip("./"):
        return negation + "/" + rest[2:].lstrip("/")
    for path in source:
        base = path.rstrip("/") + "/"
        if base != "/" and rest.startswith(base) and len(rest) > len(base):
            return negation + "/" + rest[len(base) :].lstrip("/")
    return pattern


class Patterns:
    """The patterns of one option. Remembers which of them have matched nothing yet.

    Only names that match are tried against the waiting patterns one by one, so if every pattern is useful, only the
    first matches cost more. If some patterns negate others (`!`), `match_file` cannot tell that a pattern matched and
    was negated. `check_file` can, but takes a third more time (2.4 us a name instead of 1.8, five patterns).
    """

    def __init__(self, option: str, given: tuple[str, ...], source: Iterable[str]) -> None:
        self._option = option
        # pathspec drops empty patterns: the indexes of those behind them would not fit.
        self._given = tuple(filter(None, given))
        self._spec = _compile(tuple(as_meant(pattern, source) for pattern in self._given))
        self._waiting: dict[int, Pattern] = dict(enumerate(self._spec.patterns))
        self._takes_back = any(pattern.include is False for pattern in self._spec.patterns)

    def match_name(self, name: bytes) -> bool:
        return self.match(text_of(name))

    def match(self, text: str) -> bool:
        if not (self._takes_back and self._waiting):
            is_match = self._spec.match_file(text)
            if is_match and self._waiting:
                self._met(text)
            return is_match
        result = self._spec.check_file(text)
        if result.index is not None:
            self._met(text)
        return bool(result.include)

    def _met(self, text: str) -> None:
        for index, pattern in tuple(self._waiting.items()):
            if pattern.include is not None and pattern.match_file(text) is not None:
                self._waiting.pop(index, None)  # another thread may have removed it already

    def useless(self) -> Iterator[str]:
        for index, pattern in tuple(self._waiting.items()):
            text = self._given[index]
            if pattern.include is None and text.startswith("#"):
                yield f"{self._option} {text!r} is a comment in gitignore syntax and matches nothing: write '\\{text}'"
            else:
                yield f"{self._option} {text!r} matched nothing"


def _compile(patterns: tuple[str, ...]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - the import takes 30 ms, and most runs have no patterns

    try:
        return GitIgnoreSpec.from_lines(pattern.replace("\n", _NEWLINE) for pattern in patterns)
    except ValueError as error:
        raise UsageError(f"not a gitignore pattern: {error}") from None


def text_of(name: bytes) -> str:
    """The name as patterns are matched with it."""
    return name_text(name).replace("\n", _NEWLINE)
