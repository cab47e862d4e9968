"""The lean transport: HTTP/1.1 on an asyncio.Protocol, for very many requests to one host.

A connection (`connection.py`) carries one request at a time. Idle connections wait on a stack: the last one used is the
next one taken, so surplus connections grow old and are closed. There is no timer per request: one sweep checks the
deadlines of all connections, eight times within the shortest of them. If an idle connection dies before the first byte
of an answer, the server had closed it before the request: that request is sent again, at once, on another connection.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from bulkput.activity import doing
from bulkput.errors import UsageError
from bulkput.model import Body
from bulkput.options import WireOptions
from bulkput.transport.addresses import Addresses, Resolve, connected, resolve
from bulkput.transport.base import MAX_ANSWER, RESENDS, Answer, TransportError, WireCount, length_of
from bulkput.transport.connection import Connection, NoContinueError, StaleError
from bulkput.transport.head import Heads
from bulkput.transport.hosts import ascii_url
from bulkput.transport.pacing import sends_again
from bulkput.transport.tls import SPEAKS_TLS, client_refused, is_no_tls, tls_context, why_not_connected

_WITHOUT_CONTENT = ("GET", "HEAD", "OPTIONS")
"""Methods whose requests have no content: without a body, no Content-Length is expected of them (RFC 9110, 8.6)."""
_SWEEPS = 8
"""Sweeps within the shortest deadline: a request may outlive its own deadline by an eighth of that."""


class WireTransport:
    """See `transport/base.py` for the contract. Knows no proxies. Must be made inside a running event loop."""

    def __init__(
        self, options: WireOptions, *, user_agent: str, count: WireCount | None = None, resolve: Resolve = resolve
    ) -> None:
        """Raises UsageError if a certificate file of `options` cannot be used."""
        self.count = count or WireCount()
        self._options = options
        self._user_agent = user_agent
        self._resolve = resolve
        self._loop = asyncio.get_running_loop()
        # Loading the system's certificates takes a while, so unless files are named that waits for the first https://.
        self._tls = tls_context(options) if options.ca_file or options.cert_file else None
        self._origins: dict[str, _Origin] = {}
        self._connections: set[Connection] = set()
        self._may_expect = True
        self._sweep_s = max(0.01, min(1.0, options.timeout_s / _SWEEPS, options.idle_timeout_s / _SWEEPS))
        self._sweeper = self._loop.call_later(self._sweep_s, self._sweep)

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
        slash = url.find("/", 8)  # behind https://
        base, path = (url[:slash], url[slash:]) if slash > 0 else (url, "/")
        origin = self._origins.get(base) or self._new_origin(base)
        max_answer = max_answer if method != "HEAD" else -1
        options = self._options
        expects, timeout_s = False, options.timeout_s + moves / options.min_rate
        if body is None:
            # RFC 9110, 8.6: servers may wait for a body, or answer 411, where a PUT or POST has no Content-Length.
            framing = "" if method in _WITHOUT_CONTENT else "Content-Length: 0\r\n"
        elif (data := body.data) is not None:  # nearly always, and cheaper than the next arm
            framing = f"Content-Length: {len(data)}\r\n"
            timeout_s += len(data) / options.min_rate
        else:
            framing = "Transfer-Encoding: chunked\r\n" if body.size is None else f"Content-Length: {body.size}\r\n"
            timeout_s += length_of(body) / options.min_rate
            expects = length_of(body) > options.expect_above
        try:
            for turn in range(RESENDS + 1):
                expects = expects and self._may_expect
                head = origin.heads.head(method, path, headers, framing, expects=expects)
                # The last try takes a new connection: if the server restarted, every idle one is dead.
                connection = self._idle(origin) if turn < RESENDS else None
                if connection is None:
                    with doing("connecting"):
                        connection = await self._connect(origin)
                self.count.requests[method] += 1
                if turn:
                    sends_again(method)
                try:
                    answer = await connection.exchange(head, body, timeout_s, max_answer, expects=expects)
                except StaleError:
                    if connection.exchanges == 1:
                        raise client_refused(connection.lost_by) or self._unanswered(origin) from None
                except NoContinueError:
                    self._may_expect = False
                else:
                    self._keep(origin, connection)
                    if not (expects and answer.status == 417):
                        return answer
                    self._may_expect = False  # the server does not know Expect (RFC 9110, 15.5.18)
        except TransportError as error:
            error.is_first_contact = base not in self.count.answered
            raise
        raise TransportError("the server closed one connection after the other")

    def check(self, url: str) -> None:
        ascii_url(url)

    async def aclose(self) -> None:
        self._sweeper.cancel()
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # `connection_lost` runs in the loop's next turn

    def _new_origin(self, base: str) -> "_Origin":
        origin = self._origins[base] = _Origin(base, self._resolve, self._user_agent)
        return origin

    def _unanswered(self, origin: "_Origin") -> TransportError:
        detail = "the server closed the connection without an answer"
        if not origin.is_tls and origin.base not in self.count.answered:
            detail += f" {SPEAKS_TLS}"  # some servers end a connection so that does not begin with a TLS handshake
        return TransportError(detail)

    def _idle(self, origin: "_Origin") -> Connection | None:
        """The connection that was used last, unless the server may have closed it."""
        oldest_s = self._loop.time() - self._options.idle_timeout_s
        while origin.idle:
            connection = origin.idle.pop()
            if not connection.is_lost and connection.idle_since_s > oldest_s:
                return connection
            connection.abort()
        return None

    def _keep(self, origin: "_Origin", connection: "Connection") -> None:
        if connection.exchanges == 1:
            self.count.answered.add(origin.base)
            if origin.is_tls and self._tls is not None:
                self._tls.keep(origin.addresses.host, connection.tls_session)
        if not connection.is_reusable:
            connection.abort()
            return
        connection.idle_since_s = self._loop.time()
        origin.idle.append(connection)

    async def _connect(self, origin: "_Origin") -> Connection:
        """A new connection to the host's next address, or to another if that does not answer soon."""
        where = origin.addresses
        found: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.connect_timeout_s):
                found = await where.in_turn()
        if not found:
            raise TransportError(f"cannot resolve host name {where.host}", is_misdirected=where.has_no_such_host)
        try:
            async with asyncio.timeout(self._options.connect_timeout_s):
                connection = await self._open_one_of(origin, found)
        except ssl.SSLCertVerificationError as error:
            detail = f"TLS certificate of {where.host} not accepted: {error.verify_message}"
            raise TransportError(detail, is_permanent=True) from error
        except OSError as error:  # TimeoutError and SSLError are OSErrors
            if (refusal := client_refused(error)) is not None:
                raise refusal from error
            detail = f"cannot connect to {where.host}:{where.port}: {why_not_connected(error)}"
            raise TransportError(detail, is_misdirected=is_no_tls(error)) from error
        self.count.connections += 1
        return connection

    async def _open_one_of(self, origin: "_Origin", addresses: list[str]) -> Connection:
        """Connect to the first address that answers and whose TLS handshake succeeds. Raises OSError."""
        where, share_s = origin.addresses, self._options.connect_timeout_s / len(addresses)
        while len(addresses) > 1:
            sock = await connected(addresses, where.port)
            address = addresses[0]
            with suppress(OSError, ValueError):
                address = addresses[addresses.index(sock.getpeername()[0])]
            where.avoid(addresses[: addresses.index(address)])
            try:
                async with asyncio.timeout(share_s):
                    return await self._open(origin, sock)
            except ssl.SSLCertVerificationError:
                raise
            except OSError:
                where.avoid((address,))
                addresses = [other for other in addresses if other != address]
        return await self._open(origin, addresses[0])

    async def _open(self, origin: "_Origin", way: str | socket.socket) -> Connection:
        """`way` is an address, or a socket connected to one."""

        def made() -> Connection:
            return Connection(self._loop, self._connections, self._options.timeout_s)

        if isinstance(way, str):
            _, connection = await self._loop.create_connection(made, way, origin.addresses.port)
        else:
            _, connection = await self._loop.create_connection(made, sock=way)
        if origin.is_tls:
            self._tls = self._tls or tls_context(self._options)
            try:
                await connection.start_tls(self._tls, origin.addresses.host)
            except BaseException:
                connection.abort()
                raise
        connection.join()
        return connection

    def _sweep(self) -> None:
        """Fail the exchanges past their deadline; close the connections idle for too long."""
        now_s = self._loop.time()
        oldest_s = now_s - self._options.idle_timeout_s
        for connection in tuple(self._connections):
            if connection.deadline_s < now_s:
                connection.fail(TransportError("no answer in time"))
            elif connection.idle_since_s < oldest_s:
                connection.abort()
        for origin in self._origins.values():
            origin.idle = [connection for connection in origin.idle if not connection.is_lost]
        self._sweeper = self._loop.call_later(self._sweep_s, self._sweep)


class _Origin:
    """A scheme, host and port: its request heads, its addresses, its idle connections."""

    def __init__(self, base: str, resolve: Resolve, user_agent: str) -> None:
        self.base = base
        parts = urlsplit(ascii_url(base))
        if parts.scheme not in ("http", "https"):
            raise UsageError(f"{base} is not http:// or https://")
        try:
            port = parts.port
        except ValueError:
            raise UsageError(f"{base} has an impossible port") from None
        self.is_tls = parts.scheme == "https"
        self.addresses = Addresses(parts.hostname or "", port or (443 if self.is_tls else 80), resolve)
        self.heads = Heads(parts.netloc.rpartition("@")[2], user_agent)
        self.idle: list[Connection] = []
