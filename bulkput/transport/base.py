"""What a store asks of a transport: send one request, read one answer, say what went over the wire.

A transport never follows a redirect, never logs in, never retries what a server answered. It does send a request
again, at once and unasked, when a kept-alive connection turns out to have died while it was idle (RFC 9112, 9.3.1:
a client may do so for idempotent methods; PUT is one). Those resends are counted like any request.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from bulkput.model import Body
from bulkput.record import record

MAX_ANSWER = 64 * 1024
"""Bytes of an answer's body that are kept unless a caller expects more: enough for any error text."""
RESENDS = 3
"""How often in a row a dead kept-alive connection may be drawn from the pool before it counts as a failure."""
CONTINUE_S = 2.0
"""Wait for `100 Continue` so long, then send the body all the same: a client must not wait for ever (RFC 9110, 10.1.1),
and servers that never send it exist. Twice what curl waits, since a store may look up a container first."""


@record
class Answer:
    """A complete answer. `headers` is case-insensitive; `body` is cut at the bound the caller gave."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """An answer whose body is on its way: `chunks` gives it once, and raises TransportError when it breaks off."""

    status: int
    reason: str
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass(slots=True)
class WireCount:
    """What went over the wire so far, by method, and how many connections were opened for it."""

    requests: Counter[str] = field(default_factory=Counter)
    connections: int = 0


class TransportError(Exception):
    """No complete answer came. The store turns it into the error of its operation.

    `is_permanent`: trying again cannot help (a certificate that is not trusted, a proxy that denies).
    """

    def __init__(self, detail: str, *, is_permanent: bool = False) -> None:
        super().__init__(detail)
        self.is_permanent = is_permanent


def length_of(body: Body | None) -> int:
    """In bytes; roughly where the body does not know."""
    if body is None:
        return 0
    return body.size if body.size is not None else body.length_hint


class Transport(Protocol):
    count: WireCount

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        max_answer: int = MAX_ANSWER,
        moves: int = 0,
    ) -> Answer:
        """Send one request and read its answer.

        `url` is absolute and already percent-encoded; its path goes out byte for byte. A body of known size goes
        with Content-Length, head and bytes in one write when `body.data` is there; one of unknown size goes
        chunked. `moves` are bytes that the server itself has to move before it answers: its deadline grows with
        them as with a body's. A 2xx that comes before the body has been handed to the operating system is a
        TransportError.

        Raises TransportError, SourceError from the body, UsageError for a proxy that is not spoken to.
        """

    def incoming(self, url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Incoming]:
        """GET `url`; the body is read as it is asked for. No deadline for the whole: twice `connect_timeout_s` until
        there is a connection, `timeout_s` for each piece.

        Raises TransportError.
        """

    def check(self, url: str) -> None:
        """Whether requests to `url` can be made at all, as far as that is known without one.

        Raises UsageError: its host is no host name, or its proxy is not spoken to.
        """

    async def aclose(self) -> None: ...
