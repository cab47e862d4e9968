"""Dictionary encoding with numpy: each distinct value of a column gets a code, 0, 1, 2 and so on.

`Dictionary.codes` gathers the values of all lines as rows of words, masks what follows each value, and hashes the rows
column by column. A hash table says which code had that hash last. Then ALL words and the length are compared with those
of that code's value, so no collision can make two values one. Values that the table does not find go through a Python
dict, which alone decides what is equal. So the table may overwrite entries at any time.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from bulkput.logs.columns import WIDEST, Column, Ints, Words, rows, text_of, value_masks

_Array = TypeVar("_Array", bound=NDArray[Any])
_NARROW = 128
"""Bytes. A few wide values do not make the rows of all others wider than this."""
_MULTIPLIER = 0x9E3779B97F4A7C15
"""For hashes (Knuth): 2**64 divided by the golden ratio, an odd number without a pattern. Tests set it to 0."""


class Dictionary:
    """The distinct values of a column and their codes."""

    def __init__(self) -> None:
        self._codes: dict[bytes, int] = {}
        self._table = np.zeros(1 << 12, np.int32)
        # For each code: its value is `_text[start:start + length]`, and length is -1 if it is wider than WIDEST.
        self._text = np.zeros(1 << 12, np.uint8)
        self._starts, self._lengths = np.zeros(1 << 8, np.int64), np.full(1 << 8, -1)
        self._hashes = np.zeros(1 << 8, np.uint64)
        self._text_end = 0

    def __len__(self) -> int:
        return len(self._codes)

    def texts(self) -> Sequence[str]:
        """Return all values, in the order of their codes."""
        return list(map(text_of, self._codes))

    def newest(self, count: int) -> list[str]:
        """Return the last `count` values, in the order of their codes."""
        return list(map(text_of, islice(reversed(self._codes), count)))[::-1]

    def codes(self, column: Column) -> Ints:
        """Return the code of each line's value. New values get the next codes."""
        longest = int(column.lengths.max(initial=0))
        if longest <= _NARROW:
            return self._find(column, longest)
        codes = np.empty(len(column.lengths), np.int64)
        lines = np.flatnonzero(column.lengths <= _NARROW)
        codes[lines] = self._find(column.select(lines), _NARROW)
        lines = np.flatnonzero((column.lengths > _NARROW) & (column.lengths <= WIDEST))
        codes[lines] = self._find(column.select(lines), min(longest, WIDEST))
        lines = np.flatnonzero(column.lengths > WIDEST)
        codes[lines] = self._add(column.select(lines).values())
        return codes

    def keep(self, used: Ints) -> Ints:
        """Forget all values but `used`, which are ascending codes. Return the new code of each old one."""
        values = list(self._codes)
        new_codes = np.zeros(len(values), np.int64)
        new_codes[used] = np.arange(len(used))
        self.__init__()  # type: ignore[misc]
        self._add([values[code] for code in used.tolist()])
        return new_codes

    def _find(self, column: Column, longest: int) -> Ints:
        width = max(16, -(-longest // 8) * 8)
        masks = value_masks(width, column.lengths)
        words = column.words(width)
        words &= masks
        hashes = _hashes(words)
        found = self._table[self._slots(hashes)]
        known = rows(self._text, self._starts[found], width)
        known &= masks
        is_missed = self._lengths[found] != column.lengths
        is_missed[np.flatnonzero(known != words) // words.shape[1]] = True
        missed = np.flatnonzero(is_missed)
        codes = found.astype(np.int64)
        if len(missed):
            codes[missed] = new = self._add(column.select(missed).values())
            self._hashes[new] = hashes[missed]
            if len(self._codes) * 8 > len(self._table):
                self._table = np.zeros(len(self._table) * 8, np.int32)
                new = np.arange(len(self._codes))
            self._table[self._slots(self._hashes[new])] = new
        return codes

    def _slots(self, hashes: Words) -> Ints:
        """The first bits of a hash: they are the best ones."""
        return (hashes >> np.uint64(65 - len(self._table).bit_length())).view(np.int64)

    def _add(self, values: list[bytes]) -> Ints:
        """Return the codes of `values`, which may repeat and may be known."""
        known, codes = len(self._codes), self._codes
        added = np.array([codes.setdefault(value, len(codes)) for value in values], np.int64)
        new = list(islice(reversed(codes), len(codes) - known))[::-1]
        if not new:
            return added
        is_wide = np.array([len(value) > WIDEST for value in new])
        text = b"".join(value for value in new if len(value) <= WIDEST)
        lengths = np.array([len(value) for value in new])
        lengths[is_wide] = 0
        ends = self._text_end + np.cumsum(lengths)
        self._text = _grown(self._text, self._text_end + len(text) + WIDEST)
        self._text[self._text_end : self._text_end + len(text)] = np.frombuffer(text, np.uint8)
        self._text_end += len(text)
        self._starts, self._lengths = _grown(self._starts, len(codes)), _grown(self._lengths, len(codes))
        self._hashes = _grown(self._hashes, len(codes))
        self._starts[known : len(codes)] = ends - lengths
        self._lengths[known : len(codes)] = np.where(is_wide, -1, lengths)
        return added


def _grown(array: _Array, size: int) -> _Array:
    """Return an array of at least `size`, doubled if it must grow: each value is copied a few times at most."""
    if size <= len(array):
        return array
    return cast("_Array", np.concatenate((array, np.zeros(max(size, 2 * len(array)) - len(array), array.dtype))))


def _hashes(words: Words) -> Words:
    """Return a polynomial hash per row. The last words have the highest powers, so words of 0 there change nothing."""
    multiplier = np.uint64(_MULTIPLIER)
    hashes = words[:, -1].copy()
    for column in range(words.shape[1] - 2, -1, -1):
        hashes *= multiplier
        hashes += words[:, column]
    hashes ^= hashes >> np.uint64(32)
    hashes *= multiplier
    return hashes
