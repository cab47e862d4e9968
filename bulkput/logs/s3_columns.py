"""Turns a block of S3 access log lines into columns, with numpy, as `columns` does for combined logs.

`parse_s3_block` finds the line ends, quotes and spaces of a block in one pass: its marks. In a regular line the first
nine marks are spaces, then come six quotes, and between the second and the third there are seven spaces. So the marks
say where all fields are. Irregular lines (no request, a quote within quotes, a key with spaces, an agent without
quotes) go back to the caller, who reads them one by one.
"""

from collections.abc import Iterator

import numpy as np

from bulkput.logs.columns import (
    PADDING,
    Column,
    Columns,
    Ints,
    hours_of,
    numbers,
    positions,
    sizes_of,
    text_of,
    value_masks,
)

_END, _SPACE, _QUOTE, _OPEN, _CLOSE = b'\n "[]'
_HOUR = len("06/Feb/2019:00")
_FIELDS_BEFORE, _FIELDS_BETWEEN = 9, 7
"""Spaces before the first quote, and between the second and the third."""
_QUOTES = 6
_LONGEST_BUCKET = 64
"""Bytes. S3 allows 63; lines with a longer name are irregular."""
_MOST_BUCKETS = 16
"""Buckets of one block. Each costs as much as a block; a log has the lines of one bucket, or of some."""

_LOOK = 1024
"""Bytes: more than an owner and a bucket have."""


def parse_s3_block(block: bytes) -> tuple[list[Columns], bytes]:
    """Return the regular lines of `block`, which ends with a line end, and the text of the irregular ones.

    There are Columns for each bucket.
    """
    text = b"".join((block, bytes(PADDING)))
    buffer = np.frombuffer(text, np.uint8)
    marks = positions(buffer, (_END, _SPACE, _QUOTE))
    kinds = buffer[marks]
    line_ends, quotes = np.flatnonzero(kinds == _END), np.flatnonzero(kinds == _QUOTE)  # indices into marks
    first_marks = np.concatenate(([0], line_ends[:-1] + 1))
    first_quotes = np.searchsorted(quotes, first_marks)
    quote_counts = np.diff(first_quotes, append=len(quotes))
    ends = marks[line_ends]
    starts = np.concatenate(([0], ends[:-1] + 1))
    candidates = np.flatnonzero(quote_counts == _QUOTES)
    q = [quotes[first_quotes[candidates] + n] for n in range(_QUOTES)]
    has_fields = (q[0] - first_marks[candidates] == _FIELDS_BEFORE) & (q[2] - q[1] == _FIELDS_BETWEEN + 1)
    candidates, q = candidates[has_fields], [each[has_fields] for each in q]

    before = [marks[q[0] - n] for n in range(_FIELDS_BEFORE, -1, -1)]  # nine spaces and the first quote
    between = [marks[q[1] + n] for n in range(_FIELDS_BETWEEN + 2)]  # a quote, seven spaces, a quote
    quote = [marks[each] for each in q]
    ips = Column(text, before[3] + 1, before[4] - before[3] - 1)
    requests = Column(text, before[6] + 1, quote[1] - before[6] - 1)
    referrers, agents = (Column(text, quote[n] + 1, quote[n + 1] - quote[n] - 1) for n in (2, 4))
    buckets, names = _buckets(Column(text, before[0] + 1, before[1] - before[0] - 1))
    statuses, is_status = numbers(buffer, between[2], between[2] - between[1] - 1)
    sizes, is_size = sizes_of(buffer, between[3] + 1, between[4])
    hours, known_hours = hours_of(Column(text, before[1] + 2, np.full(len(candidates), _HOUR)))

    after_agent = buffer[quote[5] + 1]
    is_regular = is_status & is_size & (hours >= 0) & (buckets >= 0) & (between[2] - between[1] == len(" 200"))
    is_regular &= before[0] > starts[candidates]
    for fields in (before, between[1:]):
        for n in range(len(fields) - 2):
            is_regular &= fields[n + 1] - fields[n] > 1
    is_regular &= (before[2] - before[1] == len(" [06/Feb/2019:00:00:38")) & (before[3] - before[2] == len(" +0000]"))
    is_regular &= (buffer[before[1] + 1] == _OPEN) & (buffer[before[3] - 1] == _CLOSE)
    is_regular &= (before[9] - before[8] == 1) & (between[1] - between[0] == 1) & (between[8] - between[7] == 1)
    is_regular &= (q[4] - q[3] == 2) & (quote[4] - quote[3] == 2)
    is_regular &= (after_agent == _END) | (after_agent == _SPACE)

    columns = Columns(ips, requests, referrers, agents, statuses, sizes, hours, known_hours)
    regular = np.flatnonzero(is_regular)
    irregular = np.delete(np.arange(len(ends)), candidates[regular])
    rest = zip(starts[irregular].tolist(), (ends[irregular] + 1).tolist(), strict=True)
    return list(_by_bucket(columns, regular, buckets, names)), b"".join(block[a:b] for a, b in rest)


def _by_bucket(columns: Columns, regular: Ints, buckets: Ints, names: list[str]) -> Iterator[Columns]:
    for code, name in enumerate(names):
        lines = regular[buckets[regular] == code]
        if len(lines):
            yield columns.select(lines, bucket=name)


def _buckets(buckets: Column) -> tuple[Ints, list[str]]:
    """Return each line's index into the list of buckets, -1 if it has none of them, and that list.

    Most lines have the bucket of the line before: Python reads only the first of each run.
    """
    words = buckets.words(_LONGEST_BUCKET)
    words &= value_masks(_LONGEST_BUCKET, np.clip(buckets.lengths, 0, _LONGEST_BUCKET))
    has_changed = np.ones(len(words), np.bool_)
    np.any(words[1:] != words[:-1], axis=1, out=has_changed[1:])
    has_changed[1:] |= buckets.lengths[1:] != buckets.lengths[:-1]
    changes = np.flatnonzero(has_changed)
    codes: dict[bytes, int] = {}
    runs = []
    for name in buckets.select(changes).values():
        if len(codes) < _MOST_BUCKETS and len(name) <= _LONGEST_BUCKET:
            codes.setdefault(name, len(codes))
        runs.append(codes.get(name, -1))
    return np.repeat(np.array(runs, np.int64), np.diff(changes, append=len(words))), list(map(text_of, codes))


def has_s3_lines(block: bytes) -> bool:
    """Whether the first line looks like one: its third field is the time."""
    fields = block[:_LOOK].split(b" ", 3)
    return len(fields) > 2 and fields[2].startswith(b"[")
