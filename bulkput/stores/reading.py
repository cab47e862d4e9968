"""How a store is read: by its powers `fetch` and `read`, or by those that older stores of other packages have."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from bulkput.errors import Unsupported
from bulkput.model import ObjectHeaders
from bulkput.payload.reading import Fetch, Fetched, Read, Span
from bulkput.stores.base import Store


def reads_of(store: Store) -> tuple[Fetch, Read] | None:
    """None if the store cannot be read."""
    powers = store.powers
    if powers.fetch is not None and powers.read is not None:
        return powers.fetch, powers.read
    if powers.get_once is None:
        return None
    simple = _Simple(store)
    return simple.fetch, simple.read


class _Simple:
    """A store that gives whole objects only, and tells no versions apart."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def fetch(self, key: str, most: int) -> Fetched | None:
        describe = self._store.powers.describe
        if describe is not None:
            described = await describe(key)
        elif (row := await self._store.stat(key)) is not None:
            described = row, ObjectHeaders(content_type=row.content_type, encoding=row.encoding, meta=row.meta)
        else:
            described = None
        if described is None:
            return None
        row, headers = described
        data = None
        if most and row.bytes is not None and row.bytes <= most:
            async with aclosing(self.read(key)) as chunks:
                data = b"".join([chunk async for chunk in chunks])
        return Fetched(row, headers, None, data)

    async def read(
        self, key: str, *, version: str | None = None, span: Span | None = None
    ) -> AsyncGenerator[bytes, None]:
        get = self._store.powers.get_once
        if get is None or span is not None or version is not None:
            raise Unsupported("get", key, "this store gives no parts of an object")
        async with aclosing(get(key)) as chunks:
            async for chunk in chunks:
                yield chunk
