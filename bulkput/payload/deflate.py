"""Which library compresses at which level, with its speed and ratio.

| level | library | its level | MB/s | times zlib 6 | ratio |
|-------|---------|-----------|------|--------------|-------|
| 1     | isal    | 1         | 280  | 9.5          | 3.91  |
| 2     | isal    | 2         | 293  | 9.9          | 3.96  |
| 3     | isal    | 3         | 143  | 4.9          | 4.16  |
| 4     | zlib-ng | 3         | 77   | 2.6          | 4.39  |
| 5     | zlib-ng | 4         | 66   | 2.2          | 4.57  |
| 6     | zlib-ng | 5         | 57   | 1.9          | 4.71  |
| 7     | zlib-ng | 6         | 42   | 1.4          | 4.74  |
| 8     | zlib-ng | 7         | 27   | 0.9          | 4.78  |
| 9     | zlib-ng | 9         | 18   | 0.6          | 4.81  |

16 MiB of Python source, one thread, MB per second of CPU time, the best of seven interleaved rounds of
`scripts/bench gzip` on two cores of an Intel Xeon at 2.5 GHz that others used too; zlib 6 had 29.5 MB/s and 4.76.
Levels 1 and 2 are equally fast within the noise. Left out are isal 0, which makes random bytes 23 % larger, and the
levels of zlib-ng that another beats in both (1, 2, 8).

If a library has no wheel for the platform, the standard library's zlib compresses, at the level asked for. The bytes
depend on the library, and may depend on its version and the processor, so never compare compressed bytes of two
machines; `policy/gzip_source.py` says what to compare.
"""

import zlib
from typing import Any, Literal, Protocol

from bulkput.errors import UsageError
from bulkput.options import GzipOptions
from bulkput.payload.accelerators import isal, zlib_ng
from bulkput.record import frozen

DEFAULT_LEVEL = GzipOptions().level

Buffer = bytes | bytearray | memoryview


class Deflate(Protocol):
    """A library's compressor of raw deflate (RFC 1951)."""

    def compress(self, data: Buffer, /) -> bytes: ...
    def flush(self) -> bytes: ...


@frozen
class Engine:
    """A compression library, and the level by its own scale."""

    name: Literal["isal", "zlib-ng", "zlib"]
    level: int
    library: Any
    """A module with the interface of the standard library's zlib."""

    def __str__(self) -> str:
        return f"{self.name} level {self.level}"

    def start(self) -> Deflate:
        """A compressor for one stream, with the largest window of the format (32 KiB) and without a header."""
        deflate: Deflate = self.library.compressobj(self.level, zlib.DEFLATED, -zlib.MAX_WBITS)
        return deflate

    def crc32(self, data: Buffer, crc: int) -> int:
        """isal and zlib-ng are six times as fast as zlib, whose CRC32 would take a tenth of their time."""
        value: int = self.library.crc32(data, crc)
        return value


_LEVELS: tuple[tuple[Literal["isal", "zlib-ng"], int], ...] = (
    ("isal", 1),
    ("isal", 2),
    ("isal", 3),
    ("zlib-ng", 3),
    ("zlib-ng", 4),
    ("zlib-ng", 5),
    ("zlib-ng", 6),
    ("zlib-ng", 7),
    ("zlib-ng", 9),
)


def engine_for(level: int) -> Engine:
    """The library for `level`, 1 (fastest) to 9 (smallest). Its `str` is for messages.

    Raises UsageError for any other level.
    """
    if not 1 <= level <= len(_LEVELS):
        raise UsageError(f"the gzip level is a number from 1 (fastest) to {len(_LEVELS)} (smallest), not {level}")
    name, its_level = _LEVELS[level - 1]
    library = isal() if name == "isal" else zlib_ng()
    return Engine("zlib", level, zlib) if library is None else Engine(name, its_level, library)
