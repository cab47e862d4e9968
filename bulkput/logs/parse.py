"""Reads access logs, block by block: Apache's common and combined format, and the W3C's extended one.

A block of regular lines is taken apart as a whole, by `bytes.split` and strides (`combined`, `w3c`). One that is not is
cut into sixteen, those into sixteen, and the last few lines are read one by one: the same result, and the same as for
each line alone. Values repeat, so each is checked, decoded and kept once (`columns.Pool`).

Microseconds of CPU per line, combined format, without grouping, one core: this 4.6 (`scripts/bench logs`); apachelogs
0.6.1 97, lars 1.0 110, clfparser 0.3 31; polars 2.1 on one thread 4.6 by a regular expression, and 1.6 by splitting
at quotes, which takes any line. With the grouping polars takes 2.8 where this takes ten. It needs 180 MiB of disk, and
odd lines would still have to be found and read here.
"""

from collections.abc import Callable, Iterator

from bulkput.logs.columns import Columns, IrregularError, Record
from bulkput.logs.combined import Pools, combined, parse_line
from bulkput.logs.w3c import Fields
from bulkput.logs.w3c import Pools as FieldPools

__all__ = ["Columns", "Parser", "Record", "parse_line"]
_FEW = 32
"""Lines that are read one by one rather than cut once more."""


class Parser:
    """Reads one log, block by block; `bad_lines` counts what it did not understand.

    A `#Fields:` line says what the lines after it hold; before the first, they are common or combined.
    """

    def __init__(self, on_bad_line: Callable[[bytes], None] | None = None) -> None:
        self._on_bad_line = on_bad_line
        self._fields: Fields | None = None
        self._pools, self._field_pools = Pools(), FieldPools()
        self.bad_lines = 0

    def __call__(self, block: bytes) -> Iterator[Columns]:
        """The lines of `block`, which are whole: it ends with a line end. In their order, but for those left out."""
        if b"\r" in block:  # one byte is found ten times as fast as two
            block = block.replace(b"\r\n", b"\n")
        while block:
            if block.startswith(b"#"):
                directive, _, block = block.partition(b"\n")
                self._follow(directive)
                continue
            at = block.find(b"\n#") + 1 if b"#" in block else 0
            lines, block = (block[:at], block[at:]) if at else (block, b"")
            yield from self._columns(lines)

    def _follow(self, directive: bytes) -> None:
        name, _, value = directive.partition(b":")
        if name.lower() == b"#fields":
            self._fields = Fields(value.split())

    def _columns(self, block: bytes) -> Iterator[Columns]:
        try:
            regular = self._regular(block)
        except IrregularError:
            regular = None
        if regular is not None:
            yield regular
        elif block.count(b"\n") > _FEW:
            for piece in _pieces(block):
                yield from self._columns(piece)
        else:
            yield from self._one_by_one(block)

    def _regular(self, block: bytes) -> Columns | None:
        if self._fields is None:
            return combined(block, self._pools)
        return self._fields.columns(block, self._field_pools)

    def _one_by_one(self, block: bytes) -> Iterator[Columns]:
        records = []
        for line in block.split(b"\n"):
            if not line:
                continue
            record = parse_line(line) if self._fields is None else self._fields.record(line)
            if record is not None:
                records.append(record)
                continue
            self.bad_lines += 1
            if self._on_bad_line is not None:
                self._on_bad_line(line)
        if records:
            yield Columns.of(records)


def _pieces(block: bytes) -> Iterator[bytes]:
    """Sixteen, each of as many lines."""
    lines = block.split(b"\n")[:-1]
    step = -(-len(lines) // 16)
    for start in range(0, len(lines), step):
        yield b"\n".join(lines[start : start + step]) + b"\n"
