"""--include and --exclude in gitignore syntax, by pathspec.

A file is taken when it matches an include (or there is none) and matches no exclude. An excluded directory is not
entered, so nothing below it can be included again: gitignore's own rule, and what makes excluding a big tree cheap.
"""

from typing import TYPE_CHECKING

from bulkput.errors import UsageError, name_text
from bulkput.options import WalkOptions

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_NEWLINE = "\ud800"
"""Stands for a newline in names and patterns: pathspec's expressions stop at one, and a file that people excluded
would be sent. A lone surrogate that decoding a file name never yields."""


class Filters:
    """Compiled patterns. Names are relative to the source, bytes, parts joined by `/`."""

    def __init__(self, options: WalkOptions) -> None:
        """Raises UsageError for a pattern that is not gitignore syntax."""
        self._include = _compile(options.include) if options.include else None
        self._exclude = _compile(options.exclude) if options.exclude else None
        self.are_there = self._include is not None or self._exclude is not None

    def takes_file(self, name: bytes) -> bool:
        if not self.are_there:
            return True
        text = _text(name)
        if self._exclude is not None and self._exclude.match_file(text):
            return False
        return self._include is None or self._include.match_file(text)

    def enters_directory(self, name: bytes) -> bool:
        return self._exclude is None or not self._exclude.match_file(_text(name) + "/")


def _compile(patterns: tuple[str, ...]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 30 ms that most runs have no use for

    try:
        return GitIgnoreSpec.from_lines(pattern.replace("\n", _NEWLINE) for pattern in patterns)
    except ValueError as error:
        raise UsageError(f"not a gitignore pattern: {error}") from None


def _text(name: bytes) -> str:
    return name_text(name).replace("\n", _NEWLINE)
