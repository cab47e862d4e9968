"""Reads an object of Swift with its headers, by one request."""

import hashlib
from collections.abc import Awaitable, Callable

from bulkput.errors import IntegrityError
from bulkput.payload.reading import Fetched, plain_md5, version_of
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.requests import Request
from bulkput.stores.swift.wire_format import described, kept
from bulkput.transport.base import Answer

Ask = Callable[[str, Request], Awaitable[Answer]]


async def fetch(ask: Ask, key: str, most: int) -> Fetched | None:
    """See `payload/reading.py:Fetch`. A GET of the object, or a HEAD if no bytes are wanted."""
    answer = await ask("get", Request("GET" if most else "HEAD", key, max_answer=most, moves=most))
    if answer.status == 404:
        return None
    if answer.status not in (200, 204):
        raise error_from_response("get", key, answer)
    row = described(key, answer.headers)
    data = answer.body if row.bytes == len(answer.body) and row.large is None else None
    md5 = plain_md5(row)
    if data is not None and md5 is not None and (actual := _md5(data)) != md5:
        raise IntegrityError("get", key, expected=md5, actual=actual, status=answer.status)
    return Fetched(row, kept(answer.headers, row.meta), version_of(answer.headers), data)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
