"""The checksums of a whole body, by one reading of it before it is sent."""

import hashlib

from bulkput.model import Body
from bulkput.payload.digest import read_into
from bulkput.policy.plain_http import Checksums

_QUICK_SIZE = 32 * 1024
"""Bytes that are hashed on the event loop: that takes about as long as a switch to a thread and back."""


async def checksums_of(body: Body) -> Checksums:
    """Read the body to its end. Raises its SourceError.

    A body of unknown size is made as it is when it is sent: a gzip stream comes out the same each time.
    """
    sums = _Sums()
    if body.data is not None and len(body.data) <= _QUICK_SIZE:
        sums.update(body.data)
    else:
        await read_into(body, sums.update)
    return sums.digests()


class _Sums:
    """MD5, SHA-1 and SHA-256 of the same bytes."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def update(self, piece: bytes) -> None:
        self._md5.update(piece)
        self._sha1.update(piece)
        self._sha256.update(piece)

    def digests(self) -> Checksums:
        return Checksums(self._md5.hexdigest(), self._sha1.hexdigest(), self._sha256.hexdigest())
