"""Decides which files are sent in parts, and where they are cut.

| the file                                                          | then                                     |
|-------------------------------------------------------------------|------------------------------------------|
| the store takes no parts, or `large.mode` is never                | one request                              |
| has at most `large.above` bytes, and the store takes it whole     | one request                              |
| is larger                                                         | parts of `large.part_size` bytes, or     |
|                                                                   | larger ones if there would be too many   |
| is a stream: a pipe, or a compressed file that is large or whose  | one request if it ends within its first  |
| store wants its length                                            | part, else parts as they come            |

Only the last part may be smaller than the others of a file, and than the store's minimum. A stream's length is not
known beforehand, and each of its parts is held in memory. So its parts are small at first, and become larger when half
of the parts that the store takes are used up: with 1000 parts, from 16 GiB on, up to 130 GiB in all. A longer stream
needs `large.expect_size` or a larger `large.part_size`.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from bulkput.model import Limits, ObjectHeaders
from bulkput.options import MIB, LargeOptions
from bulkput.record import frozen, record

if TYPE_CHECKING:
    from bulkput.policy.layout import Layout

FILE_PART = 256 * MIB
"""Bytes of a part of a file: 20 parts for the largest object that Swift takes whole, and 250 GiB before they grow."""
STREAM_PART = 32 * MIB
"""Bytes of the first parts of a stream, each held in memory. 16 GiB of them before they grow."""
_STEPS = 8
"""The parts of a stream double after each eighth of `max_parts`, in the second half: up to 16 times."""


@record
class Part:
    """Bytes `offset` to `offset + size` of a file. Parts are numbered from 1."""

    number: int
    offset: int
    size: int


@frozen
class Cut:
    """A file of `size` bytes (at least 1), cut into parts of `part_size` bytes; the last one may be smaller. If there
    are `sizes`, these are the parts' (`policy/layout.py`)."""

    size: int
    part_size: int
    sizes: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return len(self.sizes) or -(-self.size // self.part_size)

    def has(self, number: int, size: int) -> bool:
        """Whether part `number` is one of these, and has this size."""
        if self.sizes:
            return self.sizes[number - 1 : number] == (size,)
        offset = (number - 1) * self.part_size
        return 0 <= offset < self.size and size == min(self.part_size, self.size - offset)

    def __iter__(self) -> Iterator[Part]:
        for number, (size, end) in enumerate(zip(self.sizes, accumulate(self.sizes), strict=True), 1):
            yield Part(number, end - size, size)
        if self.sizes:
            return
        for index in range(self.count):
            offset = index * self.part_size
            yield Part(index + 1, offset, min(self.part_size, self.size - offset))


def is_large(size: int, options: LargeOptions, limits: Limits) -> bool:
    """Whether a file of `size` bytes is sent in parts. Applies the table above."""
    if options.mode == "never" or limits.max_parts <= 1 or size == 0:
        return False
    return size > min(options.above, limits.max_object_bytes)


def keeps(layout: "Layout | None", options: LargeOptions, limits: Limits) -> bool:
    """Whether a copy has the parts of the object that it is of."""
    is_free = options.part_size is None and options.mode != "never"
    return layout is not None and is_free and layout.fits(limits)


def cut(size: int, options: LargeOptions, limits: Limits, layout: "Layout | None" = None) -> Cut:
    """The parts of a file of `size` bytes, which must not be above `limits.max_total_bytes`. Those of an object with a
    `layout` are the same, if they can be."""
    if layout is not None and keeps(layout, options, limits):
        return Cut(size, layout.sizes[0], layout.sizes)
    return Cut(size, _part_size(size, options.part_size or FILE_PART, limits))


def _part_size(size: int, asked: int, limits: Limits) -> int:
    least = -(-size // limits.max_parts)
    if least > asked:  # in whole MiB: people read these numbers in listings
        asked = -(-least // MIB) * MIB
    return min(max(asked, limits.min_part_bytes), limits.max_object_bytes)


def stream_part_size(number: int, options: LargeOptions, limits: Limits, longest: int | None = None) -> int:
    """Bytes of part `number` of a stream. If `large.expect_size` tells the length, all parts are equal. No part is
    larger than `longest`, the most that the stream has: a part is room in memory."""
    asked = options.part_size or STREAM_PART
    if longest is not None:
        asked = min(asked, longest)
    if limits.max_parts <= 1:  # it has to fit one request, and is held in memory: only as much as was asked for
        return min(asked, limits.max_object_bytes)
    if options.expect_size is not None:
        return _part_size(min(options.expect_size, limits.max_total_bytes), asked, limits)
    behind = max(0, number - 1 - limits.max_parts // 2)
    doubled = behind // max(1, limits.max_parts // _STEPS) + (behind > 0)
    return min(max(asked << doubled, limits.min_part_bytes), limits.max_object_bytes)


def identifies(changed_ns: int) -> bool:
    """Whether a file's ctime tells its states apart. One in whole seconds is that of a coarse clock (FAT): a file that
    was written twice in such a second looks the same."""
    return changed_ns % 1_000_000_000 != 0


def version(mtime_ns: int, cut: Cut) -> str:
    """The text that identifies the parts of one version of a file, cut in one way."""
    return f"{mtime_ns}-{cut.size}-{cut.part_size}"


def living(version: str, headers: ObjectHeaders) -> str:
    """The version of the same parts for an object with these headers, which may expire.

    Parts that expire, since their object does, are no use to an object that lives longer.
    """
    if headers.expires_in_s is not None:
        return f"{version}x{headers.expires_in_s}"
    given = [value for name, value in headers.extra if name.lower() in ("x-delete-after", "x-delete-at")]
    return version + "".join(f"x{int(value)}" for value in given if value.strip().isdecimal())
