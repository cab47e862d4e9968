"""A host's addresses, used in turn, since a name with several addresses stands for several servers.

If an address does not answer, the next one is tried beside it, and the silent one comes last for a while.
"""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

_NO_SUCH_NAME = {getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA")} - {None}
"""Not every system has both. EAI_AGAIN is another: no resolver has answered."""
Resolve = Callable[[str, int], Awaitable[list[str]]]
_KEPT_S = 30.0
"""Seconds that the resolver's answer is used: short enough to follow a balancer that changes its addresses. Also the
time that an address comes last after it did not answer: a server that is back gets its share within half a minute."""
STAGGER_S = 0.25
"""Seconds to wait for one address before the next is tried beside it (RFC 8305, 5)."""


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, from the system's resolver, in a thread.

    Raises OSError, and UnicodeError if `host` is not a host name.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_no_such_name(error: BaseException | None) -> bool:
    """Whether a lookup has shown that the name does not exist, or has no address."""
    return isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME


async def connected(addresses: Sequence[str], port: int) -> socket.socket:
    """Connect to the first address that answers: happy eyeballs, RFC 8305.

    Raises OSError if none does.
    """
    from aiohappyeyeballs import start_connection  # noqa: PLC0415 - only hosts with several addresses need it

    found = [_info(address, port) for address in addresses]
    try:
        return await start_connection(found, happy_eyeballs_delay=STAGGER_S, interleave=0)
    except RuntimeError as error:  # uvloop raises it for a socket that it cannot connect
        raise OSError(str(error)) from error
    except OSError as error:
        if error.errno:
            raise
        raise OSError(f"none of its {len(addresses)} addresses takes the connection") from error


def _info(address: str, port: int) -> tuple[int, int, int, str, tuple[str, int]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)


class Addresses:
    """The addresses of one host and port."""

    def __init__(self, host: str, port: int, resolve: Resolve, *, kept_s: float = _KEPT_S) -> None:
        self.host = host
        self.port = port
        self._resolve = resolve
        self._kept_s = kept_s
        self._found: list[str] = []
        self.has_no_such_host = False
        """Whether the last lookup has shown that the name does not exist, or is none."""
        self._until_s = 0.0
        self._turn = itertools.count()
        self._avoided: dict[str, float] = {}
        """Addresses that did not answer, each with the time until which it comes last."""
        self._lookup: asyncio.Future[bool] | None = None
        """The lookup under way, if any; its result says whether it ended by itself."""

    async def in_turn(self) -> list[str]:
        """All addresses, beginning with the one after the last call's first; an empty list if there are none.

        Addresses that did not answer lately come last, in the same order. Concurrent callers share one lookup. While
        the resolver fails, the addresses it found before stay in use.
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
        now_s = asyncio.get_running_loop().time()
        self._avoided = {address: until_s for address, until_s in self._avoided.items() if until_s > now_s}
        living = [address for address in self._found if address not in self._avoided] or self._found
        first = next(self._turn) % len(living)
        return living[first:] + living[:first] + [address for address in self._found if address not in living]

    def avoid(self, addresses: Iterable[str]) -> None:
        """Let these come last for a while: they did not answer, or another answered first."""
        until_s = asyncio.get_running_loop().time() + self._kept_s
        self._avoided.update(dict.fromkeys(addresses, until_s))

    async def _look_up(self) -> None:
        loop = asyncio.get_running_loop()
        self._lookup = lookup = loop.create_future()
        is_ended = self.has_no_such_host = False
        try:
            try:
                self._found = await self._resolve(self.host, self.port) or self._found
            except OSError as error:
                self.has_no_such_host = is_no_such_name(error)
            except ValueError:  # UnicodeError: this is not a host name
                self.has_no_such_host = True
            self._until_s = loop.time() + self._kept_s
            is_ended = True
        finally:  # if this lookup was cancelled, one of the waiting callers starts another
            self._lookup = None
            lookup.set_result(is_ended)
