"""Unpacks files that may be gzip while they arrive, by isal if it has a wheel for the platform, otherwise by zlib.

Data that begins with gzip's two magic bytes (RFC 1952, 2.3.1) is unpacked, member by member; any other data is passed
on unchanged. Unpacking by isal costs almost nothing beside parsing lines (`scripts/bench logs`: a log and its gzip take
equally long).
"""

import zlib
from collections.abc import Iterator
from typing import Any

from bulkput.payload.accelerators import isal

_MAGIC = b"\x1f\x8b"
_PIECE = 1024 * 1024
"""Bytes that are unpacked at once: the input may unpack to a thousand times its size."""


class DamagedGzip(ValueError):
    """The gzip data is damaged or ends too soon; the text says which. What was unpacked before is good."""


class Inflate:
    """Unpacks one file: `feed` each piece, then `end`."""

    def __init__(self) -> None:
        library = isal()
        self._library: Any = zlib if library is None else library
        self._errors: tuple[type[Exception], ...] = (zlib.error,) if library is None else (library.error, zlib.error)
        self._is_gzip: bool | None = None
        self._member: Any = None
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The unpacked bytes, in pieces of 1 MiB at most; data that is not gzip, as it was fed. Raises DamagedGzip."""
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
                data = data.lstrip(b"\0")  # padding, as tapes have it; gzip(1) and Python's gzip ignore it too
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
            if not data and len(piece) < _PIECE:  # after a full piece there may be more output without new input
                return

    def end(self) -> bytes:
        """The byte held back if the whole file has only one. Raises DamagedGzip if the file ends inside a member."""
        if self._member is not None:
            raise DamagedGzip("truncated gzip: it ends before its end")
        return self._held
