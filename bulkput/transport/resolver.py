"""aiohttp's lookup of names, by a resolver of our own."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from bulkput.transport.addresses import Resolve


class SessionResolver(AbstractResolver):
    """Gives aiohttp the addresses of our own resolver."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in await self._resolve(host, port)
        ]

    async def close(self) -> None:
        """There is nothing to close."""
