"""Bodies that are whole in memory."""

import hashlib
from collections.abc import AsyncGenerator
from typing import NamedTuple


class InMemory:
    """What a body in memory can do, for named tuples that have `data` and `md5` (hex).

    Named tuples, since a frozen dataclass takes four times as long to make, and each file makes one or two of these.
    """

    __slots__ = ()
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def length_hint(self) -> int:
        return len(self.data)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self.data


class _BytesFields(NamedTuple):
    data: bytes
    md5: str


class BytesBody(InMemory, _BytesFields):
    """Bytes that are no file: what was compressed, the names of a bulk-delete, the empty body of a marker."""

    __slots__ = ()

    @classmethod
    def of(cls, data: bytes) -> "BytesBody":
        return cls(data, hashlib.md5(data, usedforsecurity=False).hexdigest())
