"""A TCP proxy in front of any real server that injects faults of connections and bytes, drawn from a seed.

    client ──> FaultProxy ──> server

It knows one fact about HTTP: a client's bytes that follow bytes of the server begin the next request. A `Plan` draws a
fault for each request, or once for each connection. The proxy counts the faults that really happened, so a test can
prove that they did. `faultprocess.py:ProxyProcess` runs it in its own process.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Self

_PIECE = 64 * 1024
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close() sends RST and drops unsent bytes
When = Literal["before the request", "in the request", "before the answer", "in the answer"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends the connection: before a byte of the request is passed on, after its first `after` bytes, when the answer
    begins to arrive, or after half of the answer."""

    when: When
    by: Literal["RST", "FIN"] = "RST"
    after: int = 0

    def __str__(self) -> str:
        return f"{self.by} {self.when}"


@dataclass(frozen=True, slots=True)
class Mute:
    """Reads the request, but neither passes it on nor answers it."""

    def __str__(self) -> str:
        return "never answers"


@dataclass(frozen=True, slots=True)
class Trickle:
    """Reads the request byte by byte, with `pause_s` seconds between two bytes."""

    pause_s: float = 1.0

    def __str__(self) -> str:
        return f"reads 1 byte in {self.pause_s:g} s"


@dataclass(frozen=True, slots=True)
class Delay:
    """Passes the answer on `seconds` later."""

    seconds: float

    def __str__(self) -> str:
        return f"answers {self.seconds:g} s later"


@dataclass(frozen=True, slots=True)
class Pieces:
    """Passes the answer on in pieces of `size` bytes."""

    size: int = 1

    def __str__(self) -> str:
        return f"answers in pieces of {self.size}"


@dataclass(frozen=True, slots=True)
class Say:
    """Sends `answer` as soon as the request begins; reads no further and passes nothing on."""

    answer: bytes

    def __str__(self) -> str:
        return "answers before the body is sent"


@dataclass(frozen=True, slots=True)
class Flip:
    """Flips one bit of byte `at` (from 0) of the request, as damage that TCP's checksum does not detect."""

    at: int

    def __str__(self) -> str:
        return "flips a bit of the body"


Fault = Cut | Mute | Trickle | Delay | Pieces | Say | Flip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which requests meet a fault: none of the first `skip`, none before the `from_request`-th of a connection, and at
    most `at_most`. Some are not hit: a short request is over before a cut at its 5000th byte."""

    chances: tuple[tuple[float, Fault], ...] = ()
    """Faults and their probabilities, at most 1 in sum."""
    per: Literal["request", "connection"] = "request"
    """The unit of a draw. A fault of a connection hits each of its requests."""
    skip: int = 0
    from_request: int = 1
    at_most: int | None = None
    seed: int = 0

    def draw(self, chance: Random) -> Fault | None:
        point = chance.random()
        for probability, fault in self.chances:
            if point < probability:
                return fault
            point -= probability
        return None


def always(fault: Fault, *, at_most: int | None = None, skip: int = 0, from_request: int = 1) -> Plan:
    """Plans `fault` for every request that may meet one."""
    return Plan(chances=((1.0, fault),), at_most=at_most, skip=skip, from_request=from_request)


def mix(
    *, p_reset: float, p_delay: float, delay_s: float, seed: int, per: Literal["request", "connection"] = "connection"
) -> Plan:
    """Plans resets at any of the four moments, and delays."""
    moments: tuple[When, ...] = ("before the request", "in the request", "before the answer", "in the answer")
    resets = tuple((p_reset / len(moments), Cut(when, after=600)) for when in moments)
    return Plan(chances=(*resets, (p_delay, Delay(delay_s))), per=per, seed=seed)


@dataclass(slots=True)
class Count:
    """Counts so far. `faults` has only faults that really happened, by their text."""

    connections: int = 0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)


class _EndError(Exception):
    """Ends this connection with RST or FIN."""

    def __init__(self, by: Literal["RST", "FIN"]) -> None:
        super().__init__(by)
        self.by = by


@dataclass(slots=True)
class _Link:
    """A client, its server, and the fault of the current request."""

    client: socket.socket
    server: socket.socket
    fault: Fault | None = None
    has_struck: bool = False
    is_answered: bool = True
    requests: int = 0
    passed: int = 0
    """Bytes of the current request that were passed on."""


class FaultProxy:
    """`async with FaultProxy(host, port, plan) as proxy:` listens on 127.0.0.1:`proxy.port` until the block ends.

    With a small `receive_buffer` (bytes) unread bytes stay in the client.
    """

    def __init__(
        self, host: str, port: int, plan: Plan | None = None, *, listen_on: int = 0, receive_buffer: int | None = None
    ) -> None:
        self.count = Count()
        self._to = (host, port)
        self._plan = plan or Plan()
        self._receive_buffer = receive_buffer
        self._chance = Random(self._plan.seed)
        self._left = self._plan.at_most
        self._keeper = keep_port(listen_on)
        self.port: int = self._keeper.getsockname()[1]
        self._listener: socket.socket | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        links = tuple(self._links)
        self.refuse()
        self._keeper.close()
        if links:
            await asyncio.wait(links)

    def listen(self) -> None:
        """Accepts connections, also after `refuse`."""
        if self._listener is None:
            self._listener = listener = socket.create_server(("127.0.0.1", self.port), backlog=511, reuse_port=True)
            if self._receive_buffer is not None:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)

    def refuse(self) -> None:
        """Acts like a dead server: resets connections, and refuses new ones until `listen`."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for link in self._links:
            link.cancel()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                client, _ = listener.accept()
                self.count.connections += 1
                task = self._loop.create_task(self._serve(client))
                self._links.add(task)
                task.add_done_callback(self._links.discard)

    async def _serve(self, client: socket.socket) -> None:
        server = socket.socket()
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        by = "RST"  # also when cancelled
        try:
            await self._loop.sock_connect(server, self._to)
            link = _Link(client, server)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_requests(link))
                both.create_task(self._pass_answers(link))
        except* _EndError as ends:
            by = next(end.by for end in ends.exceptions if isinstance(end, _EndError))
        except* OSError:
            by = "FIN"
        finally:
            server.close()
            if by == "RST":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()

    async def _pass_requests(self, link: _Link) -> None:
        client = link.client
        while data := await self._loop.sock_recv(client, 1):
            if link.is_answered:
                self._begin(link)
            if not isinstance(link.fault, Trickle):
                with suppress(BlockingIOError):
                    data += client.recv(_PIECE)
            await self._pass_on(link, data)
        link.server.shutdown(socket.SHUT_WR)

    def _begin(self, link: _Link) -> None:
        """Begins another request of this connection."""
        plan = self._plan
        self.count.requests += 1
        link.requests += 1
        link.is_answered, link.passed = False, 0
        if plan.per == "request" or link.requests == plan.from_request:
            link.fault = None
            is_due = self.count.requests > plan.skip and link.requests >= plan.from_request
            if is_due and self._left != 0:
                link.fault = plan.draw(self._chance)
                self._left = self._left - 1 if self._left is not None and link.fault is not None else self._left
        link.has_struck = False

    def _strike(self, link: _Link) -> None:
        if not link.has_struck:
            link.has_struck = True
            self.count.faults[str(link.fault)] += 1

    async def _pass_on(self, link: _Link, data: bytes) -> None:
        """Passes bytes of a request on, as far as its fault lets them through."""
        send, begins, end = self._loop.sock_sendall, link.passed, link.passed + len(data)
        link.passed = end
        match link.fault:
            case Cut("before the request", by):
                self._strike(link)
                raise _EndError(by)
            case Cut("in the request", by, after) if end > after:
                self._strike(link)
                await send(link.server, data[: after - begins])
                raise _EndError(by)
            case Mute():
                self._strike(link)
            case Say(answer):
                self._strike(link)
                await send(link.client, answer)
                await asyncio.Event().wait()  # until the proxy ends: a close would tell the client
            case Trickle(pause_s):
                self._strike(link)
                await send(link.server, data)
                await asyncio.sleep(pause_s)
            case Flip(at) if begins <= at < end:
                self._strike(link)
                at -= begins
                await send(link.server, data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
            case _:
                await send(link.server, data)

    async def _pass_answers(self, link: _Link) -> None:
        send = self._loop.sock_sendall
        while data := await self._loop.sock_recv(link.server, _PIECE):
            begins, link.is_answered = not link.is_answered, True
            match link.fault:
                case Cut("before the answer", by):
                    self._strike(link)
                    raise _EndError(by)
                case Cut("in the answer", by):
                    self._strike(link)
                    await send(link.client, data[: len(data) // 2])
                    raise _EndError(by)
                case Delay(seconds) if begins:
                    self._strike(link)
                    await asyncio.sleep(seconds)
                    await send(link.client, data)
                case Pieces(size):
                    self._strike(link)
                    for start in range(0, len(data), size):
                        await send(link.client, data[start : start + size])
                        await asyncio.sleep(0)
                case _:
                    await send(link.client, data)
        raise _EndError("FIN")


def keep_port(port: int = 0) -> socket.socket:
    """Gives a socket that never listens and so reserves its port: connections are refused meanwhile.

    A listener on the same port has to set SO_REUSEPORT.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind(("127.0.0.1", port))
    return keeper
