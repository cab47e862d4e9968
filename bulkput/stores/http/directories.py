"""Makes directories on a WebDAV server by MKCOL (RFC 4918, 9.3) after a PUT failed because its directory is missing."""

import asyncio
from weakref import WeakValueDictionary

from bulkput.activity import doing
from bulkput.errors import Conflict, NotFound, StoreError
from bulkput.stores.http.site import Site, parent_of, path_of
from bulkput.stores.status import error_from_response
from bulkput.transport.base import Answer

PARENT_MISSING = (404, 409, 500)
"""Answers to a PUT into a missing directory: 409 by RFC 4918, 9.7.1; nginx answers 500."""
_GONE = (404, 410)
_MADE = (200, 201, 204)
_MOST_KNOWN = 10_000
"""Paths that are remembered, about 1 MiB. A forgotten path costs one request if the next PUT into it fails."""


class Directories:
    """Makes each directory once for all workers: a worker that needs one in the making waits for the answer."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._there: set[str] = set()
        self._refused: dict[str, int] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.made = 0
        """Directories that this run made. While it is 0, a PUT is usually tried before its directory is made."""

    def is_known(self, url: str) -> bool:
        """Whether the directory is known to exist: the root always is, others once this run has seen or made them."""
        return url in self._there or parent_of(url) is None

    async def make(self, url: str, key: str, *, because: int | None = None) -> None:
        """Make the directory `url` and its parents if they are missing, for the object `key`.

        `because` is the status that the object's PUT was answered with. Raises Conflict if the server refuses the
        directory (403, 409), NotFound if the server makes no directories, other StoreErrors if a request fails.
        """
        if self.is_known(url):
            return
        lock = self._locks.get(url)
        if lock is None:
            lock = self._locks[url] = asyncio.Lock()
        with doing("making the directory"):
            async with lock:
                if url in self._there:
                    return
                if url not in self._refused:
                    await self._make(url, key, because)
                if url in self._refused:
                    raise self._refusal(url, key, because)

    async def _make(self, url: str, key: str, because: int | None) -> None:
        answer = await self._mkcol(url, key)
        if answer.status in PARENT_MISSING and (above := parent_of(url)) is not None:
            await self.make(above, key, because=because)
            answer = await self._mkcol(url, key)
        if answer.status == 401 or answer.status >= 502:
            raise error_from_response("put", key, answer)
        if answer.status in _MADE:
            self.made += 1
        elif not await self._is_there(url, key):
            # 405 means either "exists already" or "MKCOL is not supported": the HEAD tells which.
            self._remember(answer.status, url)
            return
        if len(self._there) >= _MOST_KNOWN:
            self._there.clear()
        self._there.add(url)

    async def _mkcol(self, url: str, key: str) -> Answer:
        return await self._site.ask("MKCOL", url, {}, operation="put", key=key)

    async def _is_there(self, url: str, key: str) -> bool:
        return (await self._site.ask("HEAD", url, {}, operation="put", key=key)).status not in _GONE

    def _remember(self, status: int, url: str) -> None:
        if len(self._refused) >= _MOST_KNOWN:
            self._refused.clear()
        self._refused[url] = status

    def _refusal(self, url: str, key: str, because: int | None) -> StoreError:
        status, path = self._refused[url], path_of(url)
        if status in (403, 409):
            return Conflict("put", key, f"the directory {path} is not there, and cannot be made (MKCOL: {status})")
        return NotFound(
            "put",
            key,
            f"the directory {path} is not there, and the server makes none (MKCOL: {status}): make it, or let the"
            " server make it (nginx: create_full_put_path on)",
            status=because,
        )
