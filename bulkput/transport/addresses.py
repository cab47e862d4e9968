"""A host's addresses, used in turn: a name with several stands for several servers, and all of them shall work."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable

Resolve = Callable[[str, int], Awaitable[list[str]]]
_KEPT_S = 30.0
"""How long an answer of the resolver is used: short enough to follow a balancer that changes its addresses."""


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, by the system's resolver, in a thread. Raises socket.gaierror."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Addresses:
    """The addresses of one host and port."""

    def __init__(self, host: str, port: int, resolve: Resolve) -> None:
        self.host = host
        self.port = port
        self._resolve = resolve
        self._found: list[str] = []
        self._until_s = 0.0
        self._turn = itertools.count()
        self._asking = asyncio.Lock()

    async def in_turn(self) -> list[str]:
        """All addresses, beginning with the one after the last call's first. Raises socket.gaierror."""
        async with self._asking:
            now_s = asyncio.get_running_loop().time()
            if not self._found or now_s > self._until_s:
                self._found = await self._resolve(self.host, self.port)
                self._until_s = now_s + _KEPT_S
        first = next(self._turn) % len(self._found)
        return self._found[first:] + self._found[:first]
