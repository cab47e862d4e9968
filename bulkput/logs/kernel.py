"""Blocks of common and combined log lines, by numpy: where the fields are, and which of them are equal.

`cut` finds line ends and quotes of a block in one pass. A line's first two or six quotes say where its fields are; that
it is `ip - - [14/Feb/2010:04:05:06 +0000] "request" status size "referrer" "agent"`, with one space wherever there is
one, is then proven by comparing words of eight bytes at known distances from them. Lines that differ, have a quote
behind a backslash or a field nobody has (an address of 50 bytes, a size of 17 digits) are given back, for `parse_line`.

`Values` numbers the values of a field. The values of all lines are gathered as rows of words, their tails masked, and
hashed, column by column. A table says which number had that hash last, and ALL words and the length of that value,
which are kept, are compared: no collision can make two values one. What the table does not know goes one by one through
a dictionary, which is what says what is equal; so the table may forget, and be overwritten.

Microseconds of CPU per line in a log of 1 000 000 (`benchmarks/logs.py`), one core of a busy machine: 0.2 to read, 1.2
to cut, 1.2 to number, 0.5 to group (`coded`); 16 and 10 to parse and to group lines one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bulkput.logs.combined import date_and_hour, method_and_path
from bulkput.logs.record import Record

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

_NARROW, _WIDE = 128, 512
"""Bytes. Values are compared in rows as wide as the widest, but wider than the first only what is; what is wider than
the second goes through the dictionary."""
_SPARE = _WIDE + 64
"""Bytes behind a block, so that words may be read beyond its end."""
_PIECE = 128 * 1024
_MULTIPLIER = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio, as Knuth has it: an odd number without a pattern. Tests make it 0."""
_END, _SPACE, _QUOTE, _DASH, _BACKSLASH = b'\n "-\\'
_TIME = len('[14/Feb/2010:04:05:06 +0000] "') - 1
_HOUR = len("14/Feb/2010:04")
_SHORT_IP, _LONGEST_IP = 16, 48


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text.ljust(8, b"\0"), "little"))


def _same(byte: int) -> np.uint64:
    return _word(bytes([byte] * 8))


_NOBODY, _SIX = _word(b" - - ["), _word(b"\xff" * 6)
_SPACES, _AT_SPACES = _word(b" \0\0\0 "), _word(b"\xff\0\0\0\xff")
_AT_STATUS = _word(b"\0\xff\xff\xff")
_ZEROS, _HIGH, _TO_HIGH, _BLANKS, _ONES = _same(0x30), _same(0x80), _same(0x76), _same(0x20), _same(1)
_TAILS = np.array([_word(b"\0" * (8 - n) + b"\xff" * n) for n in range(9)])
"""The last n bytes of a word."""
_SUMS = tuple(
    (np.uint64(shift), np.uint64(factor), np.uint64(mask))
    for shift, factor, mask in ((8, 10, 0x00FF00FF00FF00FF), (16, 100, 0x0000FFFF0000FFFF), (32, 10_000, 0xFFFFFFFF))
)
"""Of two digits, of four, of eight: each time half of the places are left."""


@dataclass(frozen=True, slots=True)
class Span:
    """A field of all lines."""

    text: bytes
    """With spare bytes at its end."""
    starts: Ints
    lengths: Ints

    def only(self, lines: Ints) -> "Span":
        return Span(self.text, self.starts[lines], self.lengths[lines])

    def values(self) -> list[bytes]:
        text, ends = self.text, (self.starts + self.lengths).tolist()
        return [text[start:end] for start, end in zip(self.starts.tolist(), ends, strict=True)]

    def words(self, width: int) -> Words:
        """A row for each line."""
        return _rows(np.frombuffer(self.text, np.uint8), self.starts, width)


@dataclass(frozen=True, slots=True)
class Cut:
    """The regular lines of a block; iterates over their Records, one by one."""

    ips: Span
    requests: Span
    referrers: Span
    agents: Span
    statuses: Ints
    sizes: Ints
    times: Ints
    """Places in `hours`."""
    hours: list[tuple[str, str]]
    """Dates and hours."""

    def __len__(self) -> int:
        return len(self.sizes)

    def only(self, lines: Ints) -> "Cut":
        ips, requests, referrers, agents = (
            span.only(lines) for span in (self.ips, self.requests, self.referrers, self.agents)
        )
        statuses, sizes, times = self.statuses[lines], self.sizes[lines], self.times[lines]
        return Cut(ips, requests, referrers, agents, statuses, sizes, times, self.hours)

    def __iter__(self) -> Iterator[Record]:
        fields = [map(text_of, span.values()) for span in (self.ips, self.requests, self.referrers, self.agents)]
        numbers = zip(self.times.tolist(), self.statuses.tolist(), self.sizes.tolist(), strict=True)
        for ip, request, referrer, agent, (time, status, size) in zip(*fields, numbers, strict=True):
            date, hour = self.hours[time]
            yield Record(ip, date, hour, *method_and_path(request), f"{status:03}", size, referrer, agent)


def text_of(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def cut(block: bytes) -> tuple[Cut, bytes]:
    """The regular lines of `block`, which ends with a line end, and the others."""
    text = b"".join((block, b"-", bytes(_SPARE)))
    nothing = len(block)  # where the dash is
    buffer = np.frombuffer(text, np.uint8)
    marks = _marks(buffer)
    last = np.flatnonzero(buffer[marks] == _END)
    ends = marks[last]
    starts = np.concatenate(([0], ends[:-1] + 1))
    first = np.concatenate(([0], last[:-1] + 1))
    quotes = last - first
    picked = np.flatnonzero((quotes >= 6) | (quotes == 2))
    start, end, first, is_long = starts[picked], ends[picked], first[picked], quotes[picked] >= 6
    marks = np.concatenate((marks, np.full(6, nothing)))
    q = [marks[first + n] for n in range(6)]
    size_end = q[2] - 1
    if not is_long.all():  # a common line's size ends where it ends, and what it does not have is the dash
        size_end = np.where(is_long, size_end, end)
        q[2:] = [np.where(is_long, q[n], nothing + (1 if n % 2 else -1)) for n in range(2, 6)]

    ips = Span(text, start, q[0] - _TIME - len(" - - ") - start)
    statuses, is_regular = _statuses(_words(buffer, q[1] + 1))
    sizes, has_size = _sizes(buffer, q[1] + len(" 200 ") + 1, size_end)
    times, hours = _times(Span(text, q[0] - _TIME + 1, np.full(len(start), _HOUR)))
    is_regular &= has_size & (times >= 0) & _has_ip(ips)
    is_regular &= (_words(buffer, ips.starts + ips.lengths) & _SIX) == _NOBODY
    after = buffer[q[5] + 1]
    is_regular &= ~is_long | (
        (buffer[size_end] == _SPACE)
        & (q[4] - q[3] == 2)
        & (buffer[q[3] + 1] == _SPACE)
        & ((after == _END) | (after == _SPACE))
    )
    if b"\\" in block:
        for quote in q:
            is_regular &= buffer[quote - 1] != _BACKSLASH

    requests, referrers, agents = (Span(text, q[n] + 1, q[n + 1] - q[n] - 1) for n in (0, 2, 4))
    whole = Cut(ips, requests, referrers, agents, statuses, sizes, times, hours)
    if len(picked) == len(ends) and is_regular.all():
        return whole, b""
    kept = np.flatnonzero(is_regular)
    odd = np.delete(np.arange(len(ends)), picked[kept])
    rest = b"".join(block[a:b] for a, b in zip(starts[odd].tolist(), (ends[odd] + 1).tolist(), strict=True))
    return whole.only(kept), rest


def _marks(buffer: Bytes) -> Ints:
    """Where line ends and quotes are. Piece by piece, so that what is between the steps stays in the cache: 0.24 us for
    each line, not 0.61."""
    found = []
    for start in range(0, len(buffer), _PIECE):
        piece = buffer[start : start + _PIECE]
        places = np.flatnonzero((piece == _END) | (piece == _QUOTE))
        places += start
        found.append(places)
    return np.concatenate(found)


def _has_ip(ips: Span) -> Flags:
    """Something without a space."""
    longest = _LONGEST_IP if len(ips.lengths) and ips.lengths.max() > _SHORT_IP else _SHORT_IP
    has = (ips.lengths > 0) & (ips.lengths <= longest)
    words = ips.words(longest)
    words &= _masks(longest, np.clip(ips.lengths, 0, longest))
    words ^= _BLANKS
    spaces = (words - _ONES) & ~words & _HIGH  # Mycroft's test for a byte that is 0
    has[np.flatnonzero(spaces) // spaces.shape[1]] = False
    return has


def _times(span: Span) -> tuple[Ints, list[tuple[str, str]]]:
    """For each line a place in the list of dates and hours; -1: it has none. Most have those of the line before."""
    words = span.words(16)
    words[:, 1] &= _SIX
    has_changed = np.ones(len(words), np.bool_)
    np.not_equal(words[1:, 0], words[:-1, 0], out=has_changed[1:])
    has_changed[1:] |= words[1:, 1] != words[:-1, 1]
    changes = np.flatnonzero(has_changed)
    hours: dict[tuple[str, str], int] = {}
    known: dict[bytes, int] = {}
    runs = []
    for when in span.only(changes).values():
        if when not in known:
            time = date_and_hour("[" + text_of(when))
            known[when] = -1 if time is None else hours.setdefault(time, len(hours))
        runs.append(known[when])
    return np.repeat(np.array(runs, np.int64), np.diff(changes, append=len(words))), list(hours)


def _statuses(words: Words) -> tuple[Ints, Flags]:
    """Of ` 200 `; and whether it is like that."""
    digits = (words ^ _ZEROS) & _AT_STATUS
    is_right = ((words & _AT_SPACES) == _SPACES) & _are_digits(digits)
    hundreds, tens, ones = ((digits >> np.uint64(8 * n)) & np.uint64(0xFF) for n in (1, 2, 3))
    return (hundreds * np.uint64(100) + tens * np.uint64(10) + ones).view(np.int64), is_right


def _sizes(buffer: Bytes, starts: Ints, ends: Ints) -> tuple[Ints, Flags]:
    """Numbers of up to sixteen digits, or a dash; and whether they are that."""
    lengths = ends - starts
    sizes, is_right = _numbers(buffer, ends, lengths)
    long = np.flatnonzero(lengths > 8)
    if len(long):
        high, is_number = _numbers(buffer, ends[long] - 8, lengths[long] - 8)
        sizes[long] += high * 10**8
        is_right[long] &= is_number & (lengths[long] <= 16)
    is_dash = (lengths == 1) & (buffer[starts] == _DASH)
    sizes[is_dash] = 0
    return sizes, is_dash | (is_right & (lengths > 0))


def _numbers(buffer: Bytes, ends: Ints, lengths: Ints) -> tuple[Ints, Flags]:
    """Of up to eight digits, the last of them where there are more; and whether they are digits."""
    digits = (_words(buffer, ends - 8) ^ _ZEROS) & _TAILS[np.clip(lengths, 0, 8)]
    is_right = _are_digits(digits)
    # The sums of two digits, of four, of eight: each time half of the places are left.
    for shift, factor, mask in _SUMS:
        digits = (digits * factor + (digits >> shift)) & mask
    return digits.view(np.int64), is_right


def _are_digits(words: Words) -> Flags:
    """Whether all bytes are 0 to 9."""
    flags: Flags = (words | (words + _TO_HIGH)) & _HIGH == 0
    return flags


def _rows(buffer: Bytes, starts: Ints, width: int) -> Words:
    """`width` bytes from each start. A void of that width is copied as one, which a row of words would not be: 20 ns
    for 96 bytes."""
    view: NDArray[np.void] = np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer, strides=(1,))
    return view[starts].view("<u8").reshape(len(starts), width // 8)


def _words(buffer: Bytes, starts: Ints) -> Words:
    return _rows(buffer, starts, 8)[:, 0]


def _masks(width: int, lengths: Ints) -> Words:
    """Rows that let so many bytes through."""
    return _all_masks(width)[lengths].view("<u8").reshape(len(lengths), width // 8)


@cache
def _all_masks(width: int) -> NDArray[np.void]:
    flags = np.arange(width) < np.arange(width + 1)[:, None]
    return (flags.view(np.uint8) * np.uint8(0xFF)).view(f"V{width}")[:, 0]


class Values:
    """The distinct values of a field, numbered from 0."""

    def __init__(self) -> None:
        self.all: list[bytes] = []
        self._numbers: dict[bytes, int] = {}
        self._slots = np.zeros(1 << 12, np.int32)
        # Of each value, by number: where it is in `_kept`, how long it is, or -1 where it is not there; and its hash.
        self._starts, self._lengths = np.zeros(1 << 8, np.int64), np.full(1 << 8, -1)
        self._hashes = np.zeros(1 << 8, np.uint64)
        self._kept = np.zeros(1 << 12, np.uint8)
        self._end = 0

    def __len__(self) -> int:
        return len(self.all)

    def texts(self) -> list[str]:
        return list(map(text_of, self.all))

    def numbers(self, span: Span) -> Ints:
        """Those of all lines. New values get the next ones."""
        longest = int(span.lengths.max(initial=0))
        if longest <= _NARROW:
            return self._find(span, longest)
        numbers = np.empty(len(span.lengths), np.int64)
        lines = np.flatnonzero(span.lengths <= _NARROW)
        numbers[lines] = self._find(span.only(lines), _NARROW)
        lines = np.flatnonzero((span.lengths > _NARROW) & (span.lengths <= _WIDE))
        numbers[lines] = self._find(span.only(lines), min(longest, _WIDE))
        lines = np.flatnonzero(span.lengths > _WIDE)
        numbers[lines] = [self._number(value) for value in span.only(lines).values()]
        return numbers

    def keep(self, used: Ints) -> Ints:
        """Forget the others. Returns, for each number there was, the new one."""
        values = [self.all[number] for number in used.tolist()]
        moved = np.zeros(len(self.all), np.int64)
        moved[used] = np.arange(len(used))
        self.__init__()  # type: ignore[misc]
        for value in values:
            self._number(value)
        return moved

    def _find(self, span: Span, longest: int) -> Ints:
        width = max(16, -(-longest // 8) * 8)
        masks = _masks(width, span.lengths)
        words = span.words(width)
        words &= masks
        hashes = _hashes(words)
        found = self._slots[self._slots_of(hashes)]
        kept = _rows(self._kept, self._starts[found], width)
        kept &= masks
        is_missed = self._lengths[found] != span.lengths
        is_missed[np.flatnonzero(kept != words) // words.shape[1]] = True
        missed = np.flatnonzero(is_missed)
        numbers = found.astype(np.int64)
        if len(missed):
            numbers[missed] = new = np.array([self._number(value) for value in span.only(missed).values()])
            self._hashes[new] = hashes[missed]
            if len(self.all) * 8 > len(self._slots):
                self._slots = np.zeros(len(self._slots) * 8, np.int32)
                new = np.arange(len(self.all))
            self._slots[self._slots_of(self._hashes[new])] = new
        return numbers

    def _slots_of(self, hashes: Words) -> Ints:
        return (hashes >> np.uint64(65 - len(self._slots).bit_length())).view(np.int64)

    def _number(self, value: bytes) -> int:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.all)
            self.all.append(value)
            self._keep(number, value)
        return number

    def _keep(self, number: int, value: bytes) -> None:
        if number == len(self._starts):
            self._starts = np.concatenate((self._starts, np.zeros(number, np.int64)))
            self._lengths = np.concatenate((self._lengths, np.full(number, -1)))
            self._hashes = np.concatenate((self._hashes, np.zeros(number, np.uint64)))
        if len(value) > _WIDE:
            return
        end = self._end + len(value)
        if end + _SPARE > len(self._kept):
            self._kept = np.concatenate((self._kept, np.zeros(len(self._kept), np.uint8)))
        self._kept[self._end : end] = np.frombuffer(value, np.uint8)
        self._starts[number], self._lengths[number] = self._end, len(value)
        self._end = end


def _hashes(words: Words) -> Words:
    """Of rows: polynomials whose first words have the lowest power, so words of 0 at the end change nothing. The first
    bits are the best."""
    multiplier = np.uint64(_MULTIPLIER)
    hashes = words[:, -1].copy()
    for column in range(words.shape[1] - 2, -1, -1):
        hashes *= multiplier
        hashes += words[:, column]
    hashes ^= hashes >> np.uint64(32)
    hashes *= multiplier
    return hashes
