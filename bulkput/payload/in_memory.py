"""Bytes in memory, as a body."""

import hashlib
from collections.abc import AsyncGenerator
from typing import NamedTuple


class Held(NamedTuple):
    """A body that is there as a whole; `md5` in hex."""

    data: bytes
    md5: str

    @classmethod
    def of(cls, data: bytes) -> "Held":
        return cls(data, hashlib.md5(data, usedforsecurity=False).hexdigest())

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def length_hint(self) -> int:
        return len(self.data)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self.data
