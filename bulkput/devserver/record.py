"""One stored object: its bytes and its metadata."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from .slo import StaticLargeObject

Headers = tuple[tuple[str, str], ...]
"""Stored headers, with names spelled as they are sent back."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object: `size` in bytes, `etag` the bare hex MD5, `timestamp` and `delete_at` in seconds since the epoch.

    `pieces` are its bytes as they came from the socket: to join a large body would block the loop. Those of a static
    large object are its manifest, and so are `size` and `etag`.
    """

    name: str
    size: int
    etag: str
    content_type: str
    timestamp: float
    headers: Headers
    pieces: tuple[bytes, ...] = field(repr=False)
    delete_at: int | None = None
    slo: StaticLargeObject | None = None

    @property
    def listed_size(self) -> int:
        """Bytes in a listing: of a static large object, those of its segments. A container's total has `size`."""
        return self.size if self.slo is None else self.slo.size

    @property
    def listed_hash(self) -> str:
        """The hash in Swift's own listings, before slo.py divides it for clients (handle_container_listing)."""
        return self.etag if self.slo is None else f"{self.etag}; slo_etag={self.slo.etag}"

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`."""
        offset = 0
        for piece in self.pieces:
            low, high = max(start - offset, 0), stop - offset
            if low < len(piece) and high > low:
                yield piece[low:high]
            offset += len(piece)
            if offset >= stop:
                return

    def is_expired(self, now: float) -> bool:
        """Whether X-Delete-At has passed. Swift then answers 404, even if the expirer has not deleted it yet."""
        return self.delete_at is not None and self.delete_at <= now


class Draft:
    """The body of an upload in progress: its pieces and its running MD5."""

    def __init__(self) -> None:
        self.size = 0
        self.pieces: list[bytes] = []
        self._md5 = hashlib.md5(usedforsecurity=False)

    def write(self, piece: bytes) -> None:
        """Append one piece."""
        self.pieces.append(piece)
        self._md5.update(piece)
        self.size += len(piece)

    @property
    def etag(self) -> str:
        """The MD5 of what has been written, in hex."""
        return self._md5.hexdigest()
