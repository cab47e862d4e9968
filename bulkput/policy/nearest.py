"""The names that were probably meant by a misspelt one: for verbs, schemes, choices, and keys in a file.

Not by `difflib`: it compares lengths of common parts, and finds nothing for words of two letters (`sl` for `ls`).
"""

import re
from collections.abc import Collection, Iterable

_LONG = 5
"""Characters from which on two mistakes are forgiven. In a shorter word they leave nothing to recognise."""


def nearest(word: str, names: Iterable[str]) -> list[str]:
    """The names that `word` is the beginning of, or else those with the fewest mistakes, in their order.

    Empty if all are too far: more than one mistake away, or two in a word of five characters or more. Capitals do not
    count, nor dashes in front, nor `_` in place of `-`.

    >>> nearest("--Max_Errors", ["max-errors", "max-age"])
    ['max-errors']
    """
    word, names = _plain(word), list(names)
    if not word:
        return []
    if begun := [name for name in names if _plain(name).startswith(word)]:
        return begun
    if len(word) == 1:  # any other letter would be one mistake away
        return []
    counted = [(mistakes(word, _plain(name)), name) for name in names]
    least = min((count for count, _ in counted), default=_LONG)
    return [name for count, name in counted if count == least] if least <= 1 + (len(word) >= _LONG) else []


def _plain(word: str) -> str:
    return word.lower().replace("_", "-").lstrip("-")


def mistakes(left: str, right: str) -> int:
    """The number of slips between two words: letters left out, added, replaced, or two neighbours swapped.

    This is the optimal string alignment distance, which edits no part of a word twice.
    """
    above, row = list[int](), list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        two_above, above, row = above, row, [i]
        for j, other in enumerate(right, 1):
            fewest = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and (letter, left[i - 2]) == (right[j - 2], other):
                fewest = min(fewest, two_above[j - 2] + 1)
            row.append(fewest)
    return row[-1]


def did_you_mean(word: str, names: Iterable[str], *, shown: str = "{}") -> str:
    """`: did you mean upload?`, with up to three names, each as `shown`; empty if none is near."""
    *others, last = [shown.format(name) for name in nearest(word, names)[:3]] or [""]
    either = f"{', '.join(others)} or {last}" if others else last
    return f": did you mean {either}?" if last else ""


def meant_url(url: str, schemes: Collection[str]) -> str | None:
    """The URL that was probably meant by one with a misspelt scheme (`swfit://c`), or without its `://` (`swift:/c`).

    What follows the scheme is left out if it may hold a secret: a user's password, or the query of a signed URL.
    """
    match = re.fullmatch(r"([a-z][a-z0-9+.-]*)(?::/*|//+)(.*)", url, re.IGNORECASE | re.DOTALL)
    near = nearest(match[1], schemes) if match is not None else []
    if match is None or not near or len(match[1]) == 1:  # one letter: a drive of Windows
        return None
    rest = "..." if "@" in match[2] or "?" in match[2] else match[2]
    return f"{near[0]}://{rest}"
