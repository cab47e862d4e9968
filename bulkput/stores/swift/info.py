"""What a cluster says of itself: `GET /info`."""

import asyncio
from collections.abc import Mapping
from typing import Any

from bulkput.stores.swift.account import Account
from bulkput.stores.swift.wire_format import from_json, info_urls, section
from bulkput.transport.base import Transport, TransportError


class ClusterInfo:
    """Looked for once, for all containers of an account."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        self._found: Mapping[str, Any] | None = None
        self._looking = asyncio.Lock()

    async def sections(self) -> Mapping[str, Any]:
        """The sections of `/info`; empty if it is hidden, or a request for it gets no answer. Raises StoreError if the
        login fails."""
        async with self._looking:
            if self._found is None:
                self._found = await self._look()
            return self._found

    async def _look(self) -> Mapping[str, Any]:
        for url in info_urls((await self._account.token()).storage_url):
            try:
                answer = await self._transport.request("GET", url, self._account.marks)
                found = from_json(answer.body) if answer.status == 200 else {}
            except TransportError:
                return {}
            except (ValueError, RecursionError):  # somebody's page
                continue
            if isinstance(found, dict) and section(found, "swift"):
                return found
        return {}
