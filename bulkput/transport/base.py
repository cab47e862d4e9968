"""The contract between stores and transports: send one request, read one answer, count what went over the wire.

A transport never follows a redirect, never logs in, and never retries a request that the server answered. It sends a
request again, by itself and at once, only if a kept-alive connection turns out to have died while it was idle
(RFC 9112, 9.3.1 allows that for idempotent methods; PUT is one). Such resends are counted like any request.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from bulkput.model import Body
from bulkput.record import frozen, record

MAX_ANSWER = 64 * 1024
"""Bytes of an answer's body that a transport keeps, unless the caller expects more: enough for any error text."""
RESENDS = 3
"""How many dead kept-alive connections one request may meet in a row before it fails."""
CONTINUE_S = 2.0
"""Seconds to wait for `100 Continue` before the body is sent without it. A client must not wait for ever (RFC 9110,
10.1.1), since some servers never send it. Twice what curl waits, since a store may look up the container first."""


@record
class Answer:
    """A complete answer. `headers` is case-insensitive; `body` is cut at the caller's `max_answer`. Those of a login
    have the token, so no repr shows them."""

    status: int
    reason: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@frozen
class Incoming:
    """An answer whose body is still arriving. `chunks` yields it once, and raises TransportError if it breaks off."""

    status: int
    reason: str
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@dataclass(slots=True)
class WireCount:
    """Requests sent so far, by method, and connections opened for them. `answered` has the servers that have answered a
    request, as `server_of` names them."""

    requests: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    answered: set[str] = field(default_factory=set)


class TransportError(Exception):
    """No complete answer came. The store turns this into the error of its operation.

    `is_permanent`: a retry cannot help (the certificate is not trusted, the proxy refuses the credentials).
    `is_first_contact`: the server has answered nothing so far, so its address may be wrong.
    `is_misdirected`: the host's name does not exist, or one side speaks TLS there and the other does not. No server
    that restarts causes that.
    """

    def __init__(self, detail: str, *, is_permanent: bool = False, is_misdirected: bool = False) -> None:
        super().__init__(detail)
        self.is_permanent = is_permanent
        self.is_misdirected = is_misdirected
        self.is_first_contact = False


def server_of(url: str) -> str:
    """The scheme, host and port of a URL, as they are written."""
    slash = url.find("/", 8)  # behind https://
    return url[:slash] if slash > 0 else url


def length_of(body: Body | None) -> int:
    """The body's length in bytes; an estimate if the body does not know it yet."""
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

        `url` is absolute and percent-encoded; its path is sent byte for byte. A body of known size is sent with
        Content-Length, in one write with the head if `body.data` holds it; a body of unknown size is sent chunked.
        `moves` counts the bytes that the server itself moves before it answers (a server-side copy): the deadline
        grows with them as it does with a body. A 2xx that arrives before the whole body was handed to the operating
        system is a TransportError.

        Raises TransportError, the body's SourceError, and UsageError for a proxy scheme that is not supported.
        """

    def incoming(self, url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Incoming]:
        """GET `url`; the body is read as the caller asks for it.

        The connection may take twice `connect_timeout_s` and each piece `timeout_s`; the whole has no deadline.
        Raises TransportError.
        """

    def check(self, url: str) -> None:
        """Check, without a request, that requests to `url` are possible.

        Raises UsageError if its host is not a host name, or its proxy's scheme is not supported.
        """

    async def aclose(self) -> None: ...
