"""Reads an object of a plain HTTP server with its headers, by one request."""

from bulkput.payload.reading import Fetched, version_of
from bulkput.stores.http.site import Site
from bulkput.stores.http.wire_format import kept, row_of
from bulkput.stores.status import error_from_response


async def fetch(site: Site, key: str, most: int) -> Fetched | None:
    """See `payload/reading.py:Fetch`. A GET of the object, or a HEAD if no bytes are wanted. Bytes without a length are
    not taken: a complete read could not be proven."""
    method, url = "GET" if most else "HEAD", site.url("get", key)
    answer = await site.ask(method, url, {}, operation="get", key=key, max_answer=most)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise error_from_response("get", key, answer)
    row = row_of(key, answer.headers)
    data = answer.body if row.bytes == len(answer.body) else None
    return Fetched(row, kept(answer.headers), version_of(answer.headers), data)
