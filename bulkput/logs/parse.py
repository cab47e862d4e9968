"""Reads access logs, block by block: Apache's common and combined format, S3's, and the W3C's extended one.

If numpy is installed, `columns` reads the regular lines of common and combined logs, all of a block at once, and
`s3_columns` those of S3. All other lines are read one by one by `combined`, `s3_access` and `w3c`. The result is the
same.

The libraries that know these formats are too slow: per line on one core, clfparser takes 31 us, apachelogs 97, lars
110. `columns` with all of `bulkput logs` around it takes 2 (2026-11, measured by hand, not by `scripts/bench logs`).
"""

import importlib.util
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from bulkput.logs import combined, s3_access
from bulkput.logs.record import Record
from bulkput.logs.w3c import W3cFields

if TYPE_CHECKING:
    from bulkput.logs.columns import Columns

__all__ = ["Parser", "Record", "parse_line"]


def parse_line(line: str) -> Record | None:
    """Read a line in the common, the combined or S3's format; None: it is in none of them.

    No usual line is in two of them: the third field of S3's is the time, and a name in the others.
    """
    return s3_access.parse_line(line) or combined.parse_line(line)


class Parser:
    """Reads one log, block by block; `bad_lines` counts the lines in no known format.

    A `#Fields:` line names the fields of the lines after it. Lines before the first one are common, combined or S3's.
    """

    def __init__(self, on_bad_line: Callable[[str], None] | None = None) -> None:
        self._on_bad_line = on_bad_line
        self._fields: W3cFields | None = None
        self._has_numpy = importlib.util.find_spec("numpy") is not None
        self.bad_lines = 0

    def __call__(self, block: bytes) -> Iterator["list[Record] | Columns"]:
        """Yield the lines of `block`, which ends with a line end, as sized iterables of Records for `Groups.add`.

        Lines stay in their order, except that regular lines come before the others.
        """
        if b"\r" in block:  # searching for one byte is ten times as fast as searching for two
            block = block.replace(b"\r\n", b"\n")
        while block:
            if block.startswith(b"#"):
                directive, _, block = block.partition(b"\n")
                self._follow(directive.decode("utf-8", "surrogateescape"))
                continue
            at = block.find(b"\n#") + 1 if b"#" in block else 0
            lines, block = (block[:at], block[at:]) if at else (block, b"")
            if self._fields is None and self._has_numpy:
                lines = yield from _at_once(lines)
            records = list(self._one_by_one(lines))
            if records:
                yield records

    def _follow(self, directive: str) -> None:
        name, _, value = directive.partition(":")
        if name.lower() == "#fields":
            self._fields = W3cFields(value.split())

    def _one_by_one(self, lines: bytes) -> Iterator[Record]:
        read = parse_line if self._fields is None else self._fields.record
        for line in lines.decode("utf-8", "surrogateescape").split("\n"):
            if not line:
                continue
            record = read(line)
            if record is not None:
                yield record
                continue
            self.bad_lines += 1
            if self._on_bad_line is not None:
                self._on_bad_line(line)


def _at_once(lines: bytes) -> Generator["Columns", None, bytes]:
    """Yield the regular lines. Returns the others."""
    from bulkput.logs.columns import parse_block  # noqa: PLC0415 - numpy: an extra, a tenth of a second
    from bulkput.logs.s3_columns import has_s3_lines, parse_s3_block  # noqa: PLC0415

    if has_s3_lines(lines):
        by_bucket, lines = parse_s3_block(lines)
        yield from by_bucket
    if lines:
        regular, lines = parse_block(lines)
        if len(regular):
            yield regular
    return lines
