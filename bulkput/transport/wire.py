"""The lean transport: HTTP/1.1 on an asyncio.Protocol, for many small PUTs to one host.

The whole algorithm. A connection carries one request at a time. `exchange` writes head and body, in one write where
the body is held as bytes, and waits for one future; `data_received` feeds the connection's reader (`answer.py`) and
sets that future when an answer is complete. Connections that may be used again wait on a stack: the last one used is
the next, so that what is not needed grows old and is closed. There is no timer per request: one sweep for all
connections looks at their deadlines a few times within the shortest of them.

A body that is read while it is sent goes piece by piece; `pause_writing` makes its loop wait. An answer that comes
first ends the sending: an error is passed on, a success is none. A connection that was idle and dies before the first
byte of an answer had died before the request: that one is sent again, at once, on another.
"""

import asyncio
import math
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import aclosing
from typing import cast
from urllib.parse import urlsplit

from bulkput.model import Body
from bulkput.options import WireOptions
from bulkput.transport.addresses import Addresses, Resolve, resolve
from bulkput.transport.answer import AnswerReader, GarbageError
from bulkput.transport.base import CONTINUE_S, MAX_ANSWER, RESENDS, Answer, TransportError, WireCount
from bulkput.transport.head import Heads
from bulkput.transport.tls import tls_context

_HIGH_WATER = 512 * 1024
"""Bytes of a streamed body that wait in the process: two pieces, so that reading and sending overlap."""
_SWEEPS = 8
"""Looks at the deadlines within the shortest of them: a request may outlive its own by an eighth of that."""
_NEVER = math.inf


class _StaleError(Exception):
    """The connection was lost before a byte of the answer came."""


class _NoContinueError(Exception):
    """Neither `100 Continue` nor an answer came."""


class WireTransport:
    """See `transport/base.py` for the contract. Not for HEAD, whose answers have no body though their heads say so.

    Proxies are not spoken to. Must be made inside a running event loop.
    """

    def __init__(
        self, options: WireOptions, *, user_agent: str, count: WireCount | None = None, resolve: Resolve = resolve
    ) -> None:
        """Raises UsageError when `options.ca_file` cannot be read."""
        self.count = count or WireCount()
        self._options = options
        self._user_agent = user_agent
        self._resolve = resolve
        self._loop = asyncio.get_running_loop()
        self._tls = tls_context(options) if options.ca_file else None  # else when one is needed: it takes a while
        self._origins: dict[str, _Origin] = {}
        self._connections: set[_Connection] = set()
        self._may_expect = True
        self._sweep_s = min(1.0, options.timeout_s / _SWEEPS, options.idle_timeout_s / _SWEEPS)
        self._sweeper = self._loop.call_later(self._sweep_s, self._sweep)

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        max_answer: int = MAX_ANSWER,
    ) -> Answer:
        slash = url.find("/", 8)  # behind https://
        base, path = (url[:slash], url[slash:]) if slash > 0 else (url, "/")
        origin = self._origins.get(base) or self._new_origin(base)
        framing, timeout_s = "", self._options.timeout_s
        if body is not None:
            if (size := body.size) is None:
                framing = "Transfer-Encoding: chunked\r\n"
            else:
                framing = f"Content-Length: {size}\r\n"
                timeout_s += size / self._options.min_rate
        for _ in range(RESENDS + 1):
            expects = self._expects(body)
            head = origin.heads.head(method, path, headers, framing, expects=expects)
            connection = self._idle(origin) or await self._connect(origin)
            self.count.requests[method] += 1
            try:
                answer = await connection.exchange(head, body, timeout_s, max_answer, expects=expects)
            except _StaleError:
                if connection.exchanges == 1:
                    raise TransportError("the server closed the connection without an answer") from None
            except _NoContinueError:
                self._may_expect = False
            else:
                self._keep(origin, connection)
                if not (expects and answer.status == 417):
                    return answer
                self._may_expect = False  # it does not know Expect (RFC 9110, 15.5.18)
        raise TransportError("the server closed one connection after the other")

    async def aclose(self) -> None:
        self._sweeper.cancel()
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # their loss is told in the loop's next turn

    def _expects(self, body: Body | None) -> bool:
        return (
            self._may_expect
            and body is not None
            and body.data is None
            and (body.size or 0) > self._options.expect_above
        )

    def _new_origin(self, base: str) -> "_Origin":
        origin = self._origins[base] = _Origin(base, self._resolve, self._user_agent)
        return origin

    def _idle(self, origin: "_Origin") -> "_Connection | None":
        """The connection that was used last, while the server still keeps it."""
        oldest_s = self._loop.time() - self._options.idle_timeout_s
        while origin.idle:
            connection = origin.idle.pop()
            if not connection.is_lost and connection.idle_since_s > oldest_s:
                return connection
            connection.abort()
        return None

    def _keep(self, origin: "_Origin", connection: "_Connection") -> None:
        if not connection.is_reusable:
            connection.abort()
            return
        if connection.exchanges == 1 and origin.is_tls and self._tls is not None:
            self._tls.keep(origin.addresses.host, connection.tls_session)
        connection.idle_since_s = self._loop.time()
        origin.idle.append(connection)

    async def _connect(self, origin: "_Origin") -> "_Connection":
        """A new connection to the next of the host's addresses; where that cannot be had, to one of the others."""
        where = origin.addresses
        try:
            found = await where.in_turn()
        except socket.gaierror:
            raise TransportError(f"cannot resolve host name {where.host}") from None
        if origin.is_tls and self._tls is None:
            self._tls = tls_context(self._options)
        context = self._tls if origin.is_tls else None
        why = ""
        for address in found:
            try:
                async with asyncio.timeout(self._options.connect_timeout_s / len(found)):
                    _, connection = await self._loop.create_connection(
                        lambda: _Connection(self._loop, self._connections, self._options.timeout_s),
                        address,
                        where.port,
                        ssl=context,
                        server_hostname=where.host if context else None,
                    )
            except ssl.SSLCertVerificationError as error:
                detail = f"TLS certificate of {where.host} not accepted: {error.verify_message}"
                raise TransportError(detail, is_permanent=True) from error
            except TimeoutError:
                why = "no answer in time"
            except OSError as error:
                why = os.strerror(error.errno).lower() if error.errno else str(error)
            else:
                self.count.connections += 1
                return connection
        raise TransportError(f"cannot connect to {where.host}:{where.port}: {why}")

    def _sweep(self) -> None:
        """What is too late, and what has been idle for too long."""
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
    """Scheme, host and port: how its requests look, its addresses, and its connections that wait for work."""

    def __init__(self, base: str, resolve: Resolve, user_agent: str) -> None:
        parts = urlsplit(base)
        self.is_tls = parts.scheme == "https"
        self.addresses = Addresses(parts.hostname or "", parts.port or (443 if self.is_tls else 80), resolve)
        self.heads = Heads(parts.netloc, user_agent)
        self.idle: list[_Connection] = []


class _Connection(asyncio.Protocol):
    """One connection, with at most one exchange at a time."""

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: "set[_Connection]", patience_s: float) -> None:
        self._loop = loop
        self._patience_s = patience_s
        self._connections = connections
        self._reader = AnswerReader()
        self._answered: asyncio.Future[None] | None = None
        """Done when there is an answer, or a failure."""
        self._failure: Exception | None = None
        self._changed: asyncio.Future[None] | None = None
        self._is_paused = False
        self._is_sent = False
        self.exchanges = 0
        self.is_lost = False
        self.deadline_s = _NEVER
        self.idle_since_s = _NEVER

    @property
    def is_reusable(self) -> bool:
        return self._reader.keeps_alive and self._is_sent and not self.is_lost

    @property
    def tls_session(self) -> ssl.SSLSession | None:
        tls = self._transport.get_extra_info("ssl_object")
        return tls.session if tls is not None else None

    async def exchange(
        self, head: bytes, body: Body | None, timeout_s: float, max_answer: int, *, expects: bool
    ) -> Answer:
        """Send one request and read its answer. Raises TransportError, _StaleError, _NoContinueError, and what the
        body raises; the connection is then closed."""
        self.exchanges += 1
        self.idle_since_s = _NEVER
        self.deadline_s = self._loop.time() + timeout_s
        self._reader.begin(max_answer)
        self._is_sent = False
        self._answered = answered = self._loop.create_future()
        try:
            if body is None:
                self._transport.write(head)
                self._is_sent = True
            elif (data := body.data) is not None:
                self._transport.writelines((head, data))
                self._is_sent = True
            else:
                await self._send(head, body, expects=expects)
            await answered
            self._check()
        except BaseException:
            self.abort()
            raise
        finally:
            self._answered = None
            self.deadline_s = _NEVER
        return self._reader.answer()

    def _check(self) -> None:
        """Raises what went wrong. A refusal may come before the body was sent; a success then proves nothing."""
        if self._failure is not None:
            raise self._failure
        self._is_sent = self._is_sent and self._transport.get_write_buffer_size() == 0
        if not self._is_sent and self._reader.status < 300:
            raise TransportError(f"answered {self._reader.status} before the body had been sent")

    async def _send(self, head: bytes, body: Body, *, expects: bool) -> None:
        """A body piece by piece, until its end or until there is an answer or a failure."""
        end_s = self.deadline_s
        self._transport.write(head)
        if expects and not await self._is_asked_on():
            return
        is_chunked = body.size is None
        async with aclosing(body.chunks()) as chunks:
            async for chunk in chunks:
                if self._is_over:
                    return
                self._transport.writelines((b"%x\r\n" % len(chunk), chunk, b"\r\n") if is_chunked else (chunk,))
                # A server that takes nothing is given up long before the deadline of a large body.
                self.deadline_s = min(end_s, self._loop.time() + self._patience_s)
                while self._is_paused and not self._is_over:
                    await self._change()
        if is_chunked:
            self._transport.write(b"0\r\n\r\n")
        self._is_sent = True
        self.deadline_s = end_s

    async def _is_asked_on(self) -> bool:
        """Wait for `100 Continue`; False when something else came."""
        try:
            async with asyncio.timeout(CONTINUE_S):
                while not (self._reader.may_continue or self._is_over):
                    await self._change()
        except TimeoutError:
            raise _NoContinueError from None
        return not self._is_over

    @property
    def _is_over(self) -> bool:
        return self._answered is None or self._answered.done()

    async def _change(self) -> None:
        """Until the socket takes more, the server says something, or all is over."""
        self._changed = self._loop.create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def fail(self, error: Exception) -> None:
        """End the exchange with `error`, unless it is over."""
        if self._answered is not None and not self._answered.done():
            self._failure = error
            self._answered.set_result(None)
            self._wake()

    def abort(self) -> None:
        """Close at once; nothing that is still to be sent leaves."""
        self.is_lost = True
        self._connections.discard(self)
        self._transport.abort()

    # What follows is called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._answered is None:  # nobody asked: this is no connection to send anything on
            self.abort()
            return
        try:
            self._reader.feed(data)
        except GarbageError as error:
            self.fail(TransportError(str(error)))
            return
        if self._reader.is_done and not self._answered.done():
            self._answered.set_result(None)
        self._wake()

    def eof_received(self) -> None:
        if self._answered is not None and not self._answered.done() and self._reader.feed_end():
            self._answered.set_result(None)
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._connections.discard(self)
        if self._reader.has_begun:
            self.fail(TransportError("the connection was lost in the middle of the answer"))
        else:
            self.fail(_StaleError())

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._wake()
