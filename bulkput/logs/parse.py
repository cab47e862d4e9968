"""Reads access logs, block by block: Apache's common and combined format, and the W3C's extended one.

Where numpy is installed, `kernel` cuts the regular lines of common and combined logs, all of a block at once; all other
lines are read one by one by `parse_line` and `w3c`, to the same result.

No library that knows these formats is quick enough: for a line on one core clfparser takes 31 us, apachelogs 97, lars
110, where `kernel` with all of `bulkput logs` around it takes 4 (2026-11, by hand: not in `scripts/bench logs`).
"""

import importlib.util
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bulkput.logs.combined import parse_line
from bulkput.logs.record import Record
from bulkput.logs.w3c import Fields

if TYPE_CHECKING:
    from bulkput.logs.kernel import Cut

__all__ = ["Parser", "Record", "parse_line"]


class Parser:
    """Reads one log, block by block; `bad_lines` counts what it did not understand.

    A `#Fields:` line says what the lines after it hold; before the first, they are common or combined.
    """

    def __init__(self, on_bad_line: Callable[[str], None] | None = None) -> None:
        self._on_bad_line = on_bad_line
        self._fields: Fields | None = None
        self._has_numpy = importlib.util.find_spec("numpy") is not None
        self.bad_lines = 0

    def __call__(self, block: bytes) -> Iterator["list[Record] | Cut"]:
        """The lines of `block`, which are whole: it ends with a line end. Regular ones come first, else in their order.

        Both are sized iterables of Records, and what `Groups.add` takes.
        """
        if b"\r" in block:  # one character is found ten times as fast as two
            block = block.replace(b"\r\n", b"\n")
        while block:
            if block.startswith(b"#"):
                directive, _, block = block.partition(b"\n")
                self._follow(directive.decode("utf-8", "surrogateescape"))
                continue
            at = block.find(b"\n#") + 1 if b"#" in block else 0
            lines, block = (block[:at], block[at:]) if at else (block, b"")
            if self._fields is None and self._has_numpy:
                from bulkput.logs.kernel import cut  # noqa: PLC0415 - numpy: an extra, a tenth of a second

                regular, lines = cut(lines)
                if len(regular):
                    yield regular
            records = list(self._one_by_one(lines))
            if records:
                yield records

    def _follow(self, directive: str) -> None:
        name, _, value = directive.partition(":")
        if name.lower() == "#fields":
            self._fields = Fields(value.split())

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
