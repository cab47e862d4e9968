"""Files that may be gzip, unpacked as they come: by isal where it has a wheel, else by zlib.

What begins with gzip's two bytes (RFC 1952, 2.3.1) is unpacked, member after member; all else is handed on as it is.
Unpacking by isal costs next to nothing beside reading lines (`scripts/bench logs`: a log and its gzip take as long).
"""

import zlib
from collections.abc import Iterator
from typing import Any

from bulkput.payload.accelerators import isal

_MAGIC = b"\x1f\x8b"
_PIECE = 1024 * 1024
"""At most so much at once: a thousand times that may come out of what was fed."""


class DamagedGzip(ValueError):
    """It is not what a gzip file is, or it ends too soon. The text says which; what came before is good."""


class Inflate:
    """Unpacks one file. Feed it, and call `end` after the last piece."""

    def __init__(self) -> None:
        library = isal()
        self._library: Any = zlib if library is None else library
        self._errors: tuple[type[Exception], ...] = (zlib.error,) if library is None else (library.error, zlib.error)
        self._is_gzip: bool | None = None
        self._member: Any = None
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out of the next bytes, in pieces of 1 MiB at most; plain files as they were fed. DamagedGzip."""
        if self._is_gzip is None:
            self._held += data
            if len(self._held) < len(_MAGIC) and _MAGIC.startswith(self._held):
                return
            data, self._held = self._held, b""
            self._is_gzip = data.startswith(_MAGIC)
        if self._is_gzip:
            yield from self._unpacked(data)
        elif data:
            yield data

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._member is None:
                data = data.lstrip(b"\0")  # tapes pad; gzip(1) and the standard library pass over it too
                if not data:
                    return
                self._member = self._library.decompressobj(wbits=zlib.MAX_WBITS | 16)
            try:
                piece = self._member.decompress(data, _PIECE)
            except self._errors as error:
                raise DamagedGzip(f"damaged gzip: {error}") from None
            if piece:
                yield piece
            if self._member.eof:
                data, self._member = self._member.unused_data, None
                continue
            data = self._member.unconsumed_tail
            if not data and len(piece) < _PIECE:  # a full piece may not be all that it had
                return

    def end(self) -> bytes:
        """What was held back of a plain file of one byte. Raises DamagedGzip: the file ends within a member."""
        if self._member is not None:
            raise DamagedGzip("truncated gzip: it ends before its end")
        return self._held
