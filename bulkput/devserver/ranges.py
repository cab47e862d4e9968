"""One range of bytes, as a Range header or a segment of a manifest names it (RFC 9110 section 14.1.2)."""

import re

Range = tuple[int | None, int | None]
"""First and last byte. Without the last, it goes to the end; without the first, `last` counts bytes at the end."""

_RANGE = re.compile(r"(\d{0,30})-(\d{0,30})", re.ASCII)


def parse_range(text: str) -> Range | None:
    """`M-N`, `M-` or `-N`. None for any other text, several ranges included."""
    found = _RANGE.fullmatch(text.replace(" ", ""))
    if found is None:
        return None
    first, last = (int(digits) if digits else None for digits in found.groups())
    if (first is None and last is None) or (first is not None and last is not None and last < first):
        return None
    return first, last


def resolve(wanted: Range, size: int) -> tuple[int, int] | None:
    """(start, stop) of the range in an object of `size` bytes; None if it has none of these bytes."""
    first, last = wanted
    if first is None:
        start, stop = max(size - (last or 0), 0), size
    else:
        start, stop = first, size if last is None else min(last + 1, size)
    return (start, stop) if start < stop else None
