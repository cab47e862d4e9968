"""A host's addresses, used in turn: a name with several stands for several servers, and all of them shall work."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

Resolve = Callable[[str, int], Awaitable[list[str]]]
_KEPT_S = 30.0
"""How long an answer of the resolver is used: short enough to follow a balancer that changes its addresses."""


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, by the system's resolver, in a thread. Raises OSError, and UnicodeError for no name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Addresses:
    """The addresses of one host and port."""

    def __init__(self, host: str, port: int, resolve: Resolve, *, kept_s: float = _KEPT_S) -> None:
        self.host = host
        self.port = port
        self._resolve = resolve
        self._kept_s = kept_s
        self._found: list[str] = []
        self._until_s = 0.0
        self._turn = itertools.count()
        self._lookup: asyncio.Future[bool] | None = None
        """The one that is under way: whether it came to its end."""

    async def in_turn(self) -> list[str]:
        """All addresses, beginning with the one after the last call's first; empty where there is none.

        However many ask, there is one lookup at a time, and they share its outcome. Addresses that were found before
        serve on while the resolver fails.
        """
        is_known = self._found and asyncio.get_running_loop().time() < self._until_s
        while not is_known:
            if self._lookup is None:
                await self._look_up()
                is_known = True
            else:
                is_known = await asyncio.shield(self._lookup)
        if not self._found:
            return []
        first = next(self._turn) % len(self._found)
        return self._found[first:] + self._found[:first]

    async def _look_up(self) -> None:
        loop = asyncio.get_running_loop()
        self._lookup = lookup = loop.create_future()
        is_ended = False
        try:
            with suppress(OSError, ValueError):  # UnicodeError is a ValueError: the host's name is none
                self._found = await self._resolve(self.host, self.port) or self._found
            self._until_s = loop.time() + self._kept_s
            is_ended = True
        finally:  # also when cancelled: then another of those who wait asks
            self._lookup = None
            lookup.set_result(is_ended)
