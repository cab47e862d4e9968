"""One HTTP/1.1 connection of the lean transport: it writes a request and reads its answer.

`exchange` writes head and body, in one write if the body is in memory, and awaits one future. `data_received` feeds the
reader (`answer.py`) and resolves that future when the answer is complete. A streamed body is written piece by piece;
`pause_writing` makes that loop wait. An answer that arrives first ends the sending: an error status is passed on, a
success is not believed.
"""

import asyncio
import math
import socket
import ssl
from contextlib import aclosing
from typing import cast

from bulkput.activity import current
from bulkput.model import Body
from bulkput.transport.answer import AnswerReader, GarbageError
from bulkput.transport.base import CONTINUE_S, Answer, TransportError
from bulkput.transport.pacing import putting_off
from bulkput.transport.tls import SPEAKS_TLS, is_alert

_HIGH_WATER = 512 * 1024
"""Bytes of a streamed body that may wait in the write buffer: one piece, so that reading and sending overlap."""
NEVER = math.inf


class StaleError(Exception):
    """The connection was lost before the first byte of the answer."""


class NoContinueError(Exception):
    """Neither `100 Continue` nor an answer arrived in time."""


class Connection(asyncio.Protocol):
    """One connection, with at most one exchange at a time."""

    _transport: asyncio.Transport
    _socket: asyncio.Transport
    """The transport below the TLS layer `_transport`; the same object if there is no TLS."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: "set[Connection]", patience_s: float) -> None:
        """The connection is in `connections` from `join` until it is lost. `patience_s`: the time that a server may
        take nothing of a streamed body."""
        self._loop = loop
        self._patience_s = patience_s
        self._connections = connections
        self._reader = AnswerReader()
        self._answered: asyncio.Future[None] | None = None
        """Resolved when the answer is complete or the exchange has failed."""
        self._failure: Exception | None = None
        self._changed: asyncio.Future[None] | None = None
        self._sending: asyncio.Timeout | None = None
        """Around the sending of a streamed body: ends the wait for its next piece when the exchange is over."""
        self._is_paused = False
        self._is_sent = False
        self._unsent = 0
        """Bytes still in the write buffers when the answer arrived."""
        self.exchanges = 0
        self.is_lost = False
        self.lost_by: Exception | None = None
        """Why the connection broke, if the system or TLS says so."""
        self.deadline_s = NEVER
        self._end_s = NEVER
        """The deadline of the whole exchange, while a streamed body is sent."""
        self.idle_since_s = NEVER

    @property
    def is_reusable(self) -> bool:
        return self._reader.keeps_alive and self._is_sent and not self.is_lost

    @property
    def tls_session(self) -> ssl.SSLSession | None:
        tls = self._transport.get_extra_info("ssl_object")
        return tls.session if tls is not None else None

    @property
    def waits_for(self) -> str:
        """What the exchange waits for, in words."""
        unsent = self._socket.get_write_buffer_size() or self._transport.get_write_buffer_size()
        return "waiting for the answer" if self._is_sent and not unsent else "sending"

    @property
    def ends(self) -> str:
        """Both ends, as `ss` and `tcpdump` show them."""
        own, other = (self._transport.get_extra_info(name) or ("?", "?") for name in ("sockname", "peername"))
        return f"{own[0]}:{own[1]} > {other[0]}:{other[1]}"

    def join(self) -> None:
        """The connection is ready: from now on the transport's sweep watches it."""
        self._connections.add(self)

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Start TLS before the first exchange. Raises OSError; the caller aborts the connection then.

        `create_connection` could do this too, but would hide the socket's transport, whose buffer the TLS layer does
        not count.
        """
        tls = await self._loop.start_tls(self._socket, self, context, server_hostname=host)
        if tls is None or self.is_lost:
            raise ConnectionAbortedError("the connection was lost in the TLS handshake")
        self._socket.set_write_buffer_limits()  # the body waits above TLS, not in both buffers
        tls.set_write_buffer_limits(high=_HIGH_WATER)
        self._transport = tls

    async def exchange(
        self, head: bytes, body: Body | None, timeout_s: float, max_answer: int, *, expects: bool
    ) -> Answer:
        """Send one request and read its answer.

        Raises TransportError, StaleError, NoContinueError, and what the body raises; the connection is then closed.
        """
        self.exchanges += 1
        self.idle_since_s = NEVER
        self.deadline_s = self._loop.time() + timeout_s
        self._reader.begin(max_answer)
        self._is_sent = False
        self._answered = answered = self._loop.create_future()
        steps = current().steps  # `doing` by hand: every object passes here
        steps.append(self)
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
            steps.remove(self)
            self._answered = None
            self.deadline_s = NEVER
        return self._reader.answer()

    def _check(self) -> None:
        """Raises what went wrong. An error may answer a body half sent; a success may not."""
        if self._failure is not None:
            raise self._failure
        self._is_sent = self._is_sent and self._unsent == 0
        if not self._is_sent and self._reader.status < 300:
            raise TransportError(f"answered {self._reader.status} before the body had been sent")

    async def _send(self, head: bytes, body: Body, *, expects: bool) -> None:
        """Send a body piece by piece, until its end, an answer, or a failure."""
        self._end_s = self.deadline_s
        self._transport.write(head)
        if expects and not await self._is_asked_on():
            return
        try:
            async with asyncio.timeout(None) as self._sending:
                with putting_off(self._put_off):
                    await self._send_pieces(body)
        except TimeoutError:
            if not self._is_over:
                raise
        finally:
            self._sending = None
            self.deadline_s = self._end_s

    def _put_off(self, seconds: float) -> None:
        self._end_s += seconds
        self.deadline_s = self._end_s

    async def _send_pieces(self, body: Body) -> None:
        """Raises TransportError for a body that is longer or shorter than its size says: bytes beyond the
        Content-Length would be read as the next request. A body counts as sent with its last byte, before its iterator
        ends."""
        size, sent = body.size, 0
        async with aclosing(body.chunks()) as chunks:
            async for chunk in chunks:
                sent += len(chunk)
                if self._is_over:
                    return
                if size is not None and sent > size:
                    raise TransportError(f"the body is longer than the {size} bytes that it said")
                if chunk:  # an empty chunk would end a chunked body
                    self._transport.writelines((chunk,) if size is not None else _chunk(chunk))
                self._is_sent = sent == size
                # A server that takes nothing is given up long before the deadline of a large body.
                self.deadline_s = min(self._end_s, self._loop.time() + self._patience_s)
                while self._is_paused and not self._is_over:
                    await self._change()
                self.deadline_s = self._end_s  # while the source is read: reads have a deadline of their own
        if size is None and not self._is_over:
            self._transport.write(b"0\r\n\r\n")
            self._is_sent = True
        if size is not None and sent < size:
            raise TransportError(f"the body ended after {sent} of {size} bytes")
        self._is_sent = self._is_sent or size == 0

    async def _is_asked_on(self) -> bool:
        """Wait for `100 Continue`; False if the answer itself or a failure came instead."""
        try:
            async with asyncio.timeout(CONTINUE_S):
                while not (self._reader.may_continue or self._is_over):
                    await self._change()
        except TimeoutError:
            raise NoContinueError from None
        return not self._is_over

    @property
    def _is_over(self) -> bool:
        return self._answered is None or self._answered.done()

    async def _change(self) -> None:
        """Wait until the socket takes more, the server sends something, or the exchange is over."""
        self._changed = self._loop.create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def fail(self, error: Exception) -> None:
        """End the exchange with `error`, unless it is over already."""
        if self._answered is not None and not self._answered.done():
            self._failure = error
            self._answered.set_result(None)
            self._wake()
            self._end_sending()

    def abort(self) -> None:
        """Close at once, without sending what is still buffered."""
        self._connections.discard(self)
        if not self.is_lost:  # asyncio's own transport fails when it is aborted after it was lost
            self.is_lost = True
            self._transport.abort()

    def _complete(self, answered: asyncio.Future[None]) -> None:
        # Read the buffers now: they are emptied when the connection is lost.
        self._unsent = self._socket.get_write_buffer_size()
        if self._transport is not self._socket:
            self._unsent += self._transport.get_write_buffer_size()
        answered.set_result(None)
        self._end_sending()

    def _end_sending(self) -> None:
        if self._sending is not None and not self._sending.expired():
            self._sending.reschedule(self._loop.time())

    # The event loop calls the methods below.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = self._socket = transport = cast(asyncio.Transport, transport)
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._answered is None:  # data without a request: the connection cannot be trusted
            self.abort()
            return
        try:
            self._reader.feed(data)
        except GarbageError as error:
            speaks_tls = self._transport is self._socket and is_alert(data)
            detail = f"the answer is not HTTP {SPEAKS_TLS}" if speaks_tls else str(error)
            self.fail(TransportError(detail, is_misdirected=speaks_tls))
            return
        if self._reader.is_done and not self._answered.done():
            self._complete(self._answered)
        self._wake()

    def eof_received(self) -> None:
        if self._answered is not None and not self._answered.done() and self._reader.feed_end():
            self._complete(self._answered)
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost, self.lost_by = True, exc
        self._connections.discard(self)
        if self._reader.has_begun:
            self.fail(TransportError("the connection was lost in the middle of the answer"))
        else:
            self.fail(StaleError())

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._wake()


def _chunk(piece: bytes) -> tuple[bytes, ...]:
    """RFC 9112, 7.1."""
    return (b"%x\r\n" % len(piece), piece, b"\r\n")
