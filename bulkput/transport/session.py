"""The aiohttp transport: one session, tuned for very many small requests to one host.

It uses no cookies and no automatic headers, and takes URLs as already encoded. Its pool is as large as the number of
requests in flight (clients with a fixed pool of 10 discard connections). It closes idle connections before the server
does, and spreads new ones over all addresses of the host (aiohttp rotates through the resolver's answers).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from bulkput.activity import doing
from bulkput.errors import BulkputError
from bulkput.model import Body
from bulkput.options import WireOptions
from bulkput.record import frozen
from bulkput.transport.addresses import Resolve, is_no_such_name
from bulkput.transport.base import (
    CONTINUE_S,
    MAX_ANSWER,
    RESENDS,
    Answer,
    Incoming,
    TransportError,
    WireCount,
    length_of,
    server_of,
)
from bulkput.transport.hosts import ascii_url
from bulkput.transport.pacing import deadline, sends_again
from bulkput.transport.proxies import Proxies, Proxy
from bulkput.transport.resolver import SessionResolver
from bulkput.transport.secrets import text_without_secrets, without_secrets
from bulkput.transport.tls import client_refused, is_no_tls, tls_context, why_not_connected

_STALE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)
_NEVER_SENT = frozenset(("Accept", "Accept-Encoding", "Content-Type", "User-Agent"))
_ONE_WRITE = 64 * 1024
"""Bytes of a body that the kernel takes in one write with the head. For larger bodies the writing is tracked."""
_LARGEST_WRITE = 1024 * 1024
"""Bytes of a body that aiohttp takes in one piece: it joins head and body by a copy, which holds the event loop."""
_SETTLE_S = 5.0
"""Seconds to wait for a cancelled writer. It ends within one turn of the event loop; the bound only prevents a hang."""


class SessionTransport:
    """See `transport/base.py` for the contract. Must be made inside a running event loop."""

    def __init__(
        self,
        options: WireOptions,
        *,
        user_agent: str,
        count: WireCount | None = None,
        resolve: Resolve | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """`proxies` None: no proxy. Raises UsageError if a certificate file of `options` cannot be used."""
        self.count = count or WireCount()
        self._options = options
        self._may_expect = True
        self._proxies = proxies or Proxies({})
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # `stores/wrappers.py:LimitedStore` limits the requests in flight
                keepalive_timeout=options.idle_timeout_s,
                ssl=tls_context(options),
                resolver=SessionResolver(resolve) if resolve is not None else None,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": user_agent},
            skip_auto_headers=_NEVER_SENT,
            auto_decompress=False,
            requote_redirect_url=False,
            trace_configs=[self._counting()],
        )

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
        way, server = self._way(url), server_of(url)
        for resend in range(RESENDS + 1):
            attempt = _Transmission(body, may_expect=self._may_expect, sends=resend)
            try:
                with doing(attempt):
                    answer = await self._once(method, way, headers, attempt, max_answer=max_answer, moves=moves)
                self.count.answered.add(server)
            except _ExpectRefusedError:
                self._may_expect = False
            except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError and SSLError are OSErrors
                if attempt.source_error is not None:
                    raise attempt.source_error from error
                if not (isinstance(error, _STALE) and attempt.was_kept_alive and resend < RESENDS):
                    raise self._first_or_later(way.error(error), server) from error
            else:
                return answer
        raise TransportError("the server closed one connection after the other")

    async def _once(
        self,
        method: str,
        way: "_ProxiedUrl",
        headers: Mapping[str, str],
        attempt: "_Transmission",
        *,
        max_answer: int,
        moves: int,
    ) -> Answer:
        size, expects = length_of(attempt.body) + moves, attempt.expects(self._options.expect_above)
        try:
            async with (
                asyncio.timeout(CONTINUE_S if expects else None) as attempt.patience,
                deadline(self._options.timeout_s + size / self._options.min_rate),
                self._session.request(
                    method,
                    way.url,
                    headers=attempt.framed({**headers, **way.fields}),
                    data=attempt.payload(),
                    expect100=expects,
                    allow_redirects=False,
                    proxy=way.proxy_url,
                    proxy_headers=way.proxy_fields,
                    timeout=aiohttp.ClientTimeout(
                        sock_connect=self._options.connect_timeout_s,
                        sock_read=self._options.timeout_s + moves / self._options.min_rate,
                    ),
                    trace_request_ctx=attempt,
                    upload_tracker=attempt.tracker,
                ) as response,
            ):
                attempt.patience.reschedule(None)
                content = await _read_bounded(response, max_answer)
                if expects and response.status == 417:  # the server does not know Expect (RFC 9110, 15.5.18)
                    raise _ExpectRefusedError
                if not attempt.is_handed_over:
                    response.close()  # otherwise leaving this block would first send the rest of the body
                    if response.status < 300:
                        raise TransportError(f"answered {response.status} before the body had been sent")
                return way.checked(Answer(response.status, response.reason or "", response.headers, content))
        except TimeoutError:
            if attempt.patience.expired():
                raise _ExpectRefusedError from None
            raise
        finally:
            await attempt.aclose()

    @asynccontextmanager
    async def incoming(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Incoming]:
        # `connect` covers everything before the request: the lookup, and each address in turn.
        waits = aiohttp.ClientTimeout(
            total=None,
            connect=2 * self._options.connect_timeout_s,
            sock_connect=self._options.connect_timeout_s,
            sock_read=self._options.timeout_s,
        )
        way = self._way(url)
        try:
            response = await self._session.get(
                way.url,
                headers={**headers, **way.fields},
                allow_redirects=False,
                proxy=way.proxy_url,
                proxy_headers=way.proxy_fields,
                timeout=waits,
                trace_request_ctx=_Transmission(None, may_expect=False),
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._first_or_later(way.error(error), server_of(url)) from error
        try:
            self.count.answered.add(server_of(url))
            seen = way.checked(Answer(response.status, response.reason or "", response.headers, b""))
            yield Incoming(seen.status, seen.reason, seen.headers, _pieces(response, way))
        finally:
            response.close()  # a body read to its end has returned the connection to the pool already

    def _first_or_later(self, error: TransportError, server: str) -> TransportError:
        error.is_first_contact = server not in self.count.answered
        return error

    def check(self, url: str) -> None:
        self._way(url)

    def _way(self, url: str) -> "_ProxiedUrl":
        url = ascii_url(url)
        return _ProxiedUrl(URL(url, encoded=True), self._proxies.of(url))

    async def aclose(self) -> None:
        await self._session.close()

    def _counting(self) -> aiohttp.TraceConfig:
        """Counts the requests that aiohttp puts on the wire, its own resends included."""
        trace = aiohttp.TraceConfig()

        async def opened(_session: Any, context: SimpleNamespace, _params: Any) -> None:
            self.count.connections += 1
            context.trace_request_ctx.was_kept_alive = False

        async def reused(_session: Any, context: SimpleNamespace, _params: Any) -> None:
            context.trace_request_ctx.was_kept_alive = True

        async def sent(_session: Any, context: SimpleNamespace, params: Any) -> None:
            self.count.requests[params.method] += 1
            context.trace_request_ctx.sends = sends_again(params.method, context.trace_request_ctx.sends)

        trace.on_connection_create_end.append(opened)
        trace.on_connection_reuseconn.append(reused)
        trace.on_request_headers_sent.append(sent)
        return trace


@frozen
class _ProxiedUrl:
    """Where a request goes, and through which proxy.

    For https:// a proxy reads only the CONNECT, so that carries its credentials. For http:// the request carries them.
    """

    url: URL
    proxy: Proxy | None

    @property
    def proxy_url(self) -> str | None:
        return self.proxy.url if self.proxy is not None else None

    @property
    def fields(self) -> dict[str, str]:
        """The fields that the proxy adds to the request itself."""
        return self.proxy.fields if self.proxy is not None and self.url.scheme == "http" else {}

    @property
    def proxy_fields(self) -> dict[str, str] | None:
        return self.proxy.fields if self.proxy is not None and self.url.scheme == "https" else None

    def checked(self, answer: Answer) -> Answer:
        """The answer without the proxy's credentials, in case it repeats them. Raises a permanent TransportError if the
        proxy itself refuses them (407)."""
        if self.proxy is None or answer.status < 300:
            return answer
        if answer.status == 407:
            raise TransportError(self.proxy.denial, is_permanent=True)
        return without_secrets(answer, self.proxy.fields)

    def error(self, error: Exception) -> TransportError:
        """The error as one line for people. aiohttp's own texts may quote the proxy, and the proxy our credentials."""
        if self.proxy is None:
            return _transport_error(error)
        match error:
            case aiohttp.ClientHttpProxyError(status=407):
                return TransportError(self.proxy.denial, is_permanent=True)
            case aiohttp.ClientHttpProxyError():
                to = f"{self.url.host}:{self.url.port}"
                detail = f"the proxy {self.proxy.place} does not connect to {to}: {error.status} {error.message}"
            case aiohttp.ClientResponseError():
                detail = f"what comes from the proxy {self.proxy.place} is not HTTP/1.1"
            case aiohttp.ClientProxyConnectionError():
                detail = f"cannot connect to the proxy {self.proxy.place}: {why_not_connected(error.os_error)}"
            case _:
                return _transport_error(error)
        return TransportError(text_without_secrets(detail, self.proxy.fields))


class _ExpectRefusedError(Exception):
    """The server did not answer `Expect: 100-continue`, or refused it."""


@dataclass(slots=True, eq=False)
class _Transmission:
    """One transmission of a body: whether all of it was handed over, and whether its source failed on the way."""

    body: Body | None
    may_expect: bool
    sends: int = 0
    was_kept_alive: bool = False
    source_error: BulkputError | None = None
    patience: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))
    tracker: aiohttp.UploadTracker | None = None
    pump: AsyncGenerator[bytes, None] | None = None
    pumped: int = 0
    is_pumped_out: bool = False

    def expects(self, above: int) -> bool:
        return self.may_expect and self.body is not None and self.body.data is None and length_of(self.body) > above

    def framed(self, headers: Mapping[str, str]) -> dict[str, str]:
        if self.body is None or self.body.size is None:
            return dict(headers)
        return {**headers, "Content-Length": str(self.body.size)}

    def payload(self) -> bytes | AsyncIterator[bytes] | None:
        if self.body is None:
            return None
        if self.body.data is None or len(self.body.data) > _LARGEST_WRITE:
            self.tracker = aiohttp.UploadTracker()
            self.pump = self._pump(self.body)
            return self.pump
        if len(self.body.data) > _ONE_WRITE:
            self.tracker = aiohttp.UploadTracker()
        return self.body.data

    @property
    def is_handed_over(self) -> bool:
        """Whether the operating system has the whole body. One of known size is complete with its last byte: the answer
        may arrive before aiohttp asks for the piece after it."""
        if self.tracker is None or self.body is None:
            return True
        if self.body.size is not None:
            return self.tracker.bytes_written >= self.body.size
        return self.is_pumped_out and self.tracker.bytes_written >= self.pumped

    @property
    def waits_for(self) -> str:
        """What the exchange waits for, in words."""
        return "waiting for the answer" if self.is_handed_over else "sending"

    @property
    def ends(self) -> None:
        """aiohttp does not tell which connection it takes."""

    async def aclose(self) -> None:
        """Close a body that was not sent to its end, and so its file; aiohttp leaves that to the garbage collector."""
        if self.pump is not None and self.tracker is not None:
            await asyncio.wait((self.tracker.upload_complete,), timeout=_SETTLE_S)
            await self.pump.aclose()

    async def _pump(self, body: Body) -> AsyncGenerator[bytes, None]:
        # aiohttp wraps what its body raises into a connection error, so keep the original here.
        self.patience.reschedule(None)
        try:
            async with aclosing(body.chunks()) as chunks:
                async for chunk in chunks:
                    self.pumped += len(chunk)
                    yield chunk
        except BulkputError as error:
            self.source_error = error
            raise
        self.is_pumped_out = True


async def _pieces(response: aiohttp.ClientResponse, way: "_ProxiedUrl") -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_any():
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        raise way.error(error) from error


async def _read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """At most `limit` bytes. If there are more, the connection is closed rather than read to the end."""
    pieces: list[bytes] = []
    room = limit
    async for piece in response.content.iter_any():
        pieces.append(piece[:room])
        room -= len(piece)
        if room < 0:
            response.close()
            break
    return b"".join(pieces)


def _transport_error(error: Exception) -> TransportError:
    """The error as one line for people. aiohttp's own texts mostly repeat the errno; some are empty."""
    is_misdirected = False
    match error:
        case aiohttp.ClientConnectorCertificateError():
            detail = f"TLS certificate of {error.host} not accepted: {error.certificate_error}"
            return TransportError(detail, is_permanent=True)
        case aiohttp.ClientConnectorDNSError():
            detail, is_misdirected = f"cannot resolve host name {error.host}", is_no_such_name(error.os_error)
        case aiohttp.ClientConnectorError():
            detail = f"cannot connect to {error.host}:{error.port}: {why_not_connected(error.os_error)}"
            is_misdirected = is_no_tls(error.os_error)
        case aiohttp.ClientResponseError():  # its own text would repeat the URL
            detail = f"the answer is not HTTP/1.1: {' '.join(error.message.split())}"
        case aiohttp.ServerDisconnectedError():
            detail = "the server closed the connection without an answer"
        case TimeoutError():
            detail = str(error) or "no answer in time"
        case _:
            detail = str(error) or type(error).__name__
    return client_refused(error) or TransportError(detail, is_misdirected=is_misdirected)
