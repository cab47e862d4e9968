"""The aiohttp transport: one session, tuned for very many small requests to one host.

No cookies, no automatic headers, URLs taken as already encoded, a pool exactly as large as the requests in flight
(peers that fix it at 10 throw connections away), idle connections closed before the server does, new connections
spread over all addresses of the host (aiohttp rotates through the resolver's answers).
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from bulkput.errors import BulkputError, UsageError
from bulkput.model import Body
from bulkput.options import WireOptions
from bulkput.transport.base import MAX_ANSWER, Answer, TransportError, WireCount

_STALE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
_NEVER_SENT = frozenset(("Accept", "Accept-Encoding", "Content-Type", "User-Agent"))
_RESENDS = 3
"""How often in a row a dead kept-alive connection may be drawn from the pool before it counts as a failure."""


class SessionTransport:
    """See `transport/base.py` for the contract. Must be made inside a running event loop."""

    def __init__(
        self, options: WireOptions, *, user_agent: str, resolver: aiohttp.abc.AbstractResolver | None = None
    ) -> None:
        """Raises UsageError when `options.ca_file` cannot be read."""
        self.count = WireCount()
        self._options = options
        self._proxies: dict[str, str | None] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=options.concurrency,
                keepalive_timeout=options.idle_timeout_s,
                ssl=_tls(options),
                resolver=resolver,
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
    ) -> Answer:
        target = URL(url, encoded=True)
        for resend in range(_RESENDS + 1):
            attempt = _Attempt(body)
            try:
                return await self._once(method, target, headers, attempt, max_answer)
            except (aiohttp.ClientError, TimeoutError, ssl.SSLError) as error:
                if attempt.source_error is not None:
                    raise attempt.source_error from error
                if isinstance(error, _STALE) and attempt.was_kept_alive and resend < _RESENDS:
                    continue
                raise TransportError(_describe(error)) from error
        raise AssertionError("the last round returns or raises")

    async def _once(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        attempt: "_Attempt",
        max_answer: int,
    ) -> Answer:
        body = attempt.body
        size = (body.size or 0) if body is not None else 0
        async with self._session.request(
            method,
            url,
            headers=attempt.framed(headers),
            data=attempt.payload(),
            expect100=body is not None and body.data is None and size > self._options.expect_above,
            allow_redirects=False,
            proxy=self._proxy(url),
            timeout=aiohttp.ClientTimeout(
                total=self._options.timeout_s + size / self._options.min_rate,
                sock_connect=self._options.connect_timeout_s,
            ),
            trace_request_ctx=attempt,
        ) as response:
            content = await _read_bounded(response, max_answer)
            if not attempt.is_handed_over:
                response.close()  # or leaving this block would first send the rest of the body
                if response.status < 300:
                    raise TransportError(f"answered {response.status} before the body had been sent")
            return Answer(response.status, response.reason or "", response.headers, content)

    async def aclose(self) -> None:
        await self._session.close()

    def _counting(self) -> aiohttp.TraceConfig:
        """Counts what aiohttp really puts on the wire, resends of its own included."""
        trace = aiohttp.TraceConfig()

        async def opened(_session: Any, _context: SimpleNamespace, _params: Any) -> None:
            self.count.connections += 1

        async def reused(_session: Any, context: SimpleNamespace, _params: Any) -> None:
            context.trace_request_ctx.was_kept_alive = True

        async def sent(_session: Any, _context: SimpleNamespace, params: Any) -> None:
            self.count.requests[params.method] += 1

        trace.on_connection_create_end.append(opened)
        trace.on_connection_reuseconn.append(reused)
        trace.on_request_headers_sent.append(sent)
        return trace

    def _proxy(self, url: URL) -> str | None:
        """The proxy that the environment names for this host, looked up once. aiohttp's own `trust_env` would
        visit a thread for each request."""
        host = url.host or ""
        if host not in self._proxies:
            self._proxies[host] = None if proxy_bypass(host) else getproxies().get(url.scheme)
        return self._proxies[host]


@dataclass(slots=True)
class _Attempt:
    """One passage of a body over the wire: has all of it been handed over, did the source fail on the way?"""

    body: Body | None
    is_handed_over: bool = True
    was_kept_alive: bool = False
    source_error: BulkputError | None = None

    def framed(self, headers: Mapping[str, str]) -> dict[str, str]:
        if self.body is None or self.body.size is None:
            return dict(headers)
        return {**headers, "Content-Length": str(self.body.size)}

    def payload(self) -> bytes | AsyncIterator[bytes] | None:
        if self.body is None:
            return None
        return self.body.data if self.body.data is not None else self._pump(self.body)

    async def _pump(self, body: Body) -> AsyncIterator[bytes]:
        # A body of known size counts as handed over with its last piece, not when aiohttp asks for a next one: by
        # then the answer may already be here. aiohttp wraps what its body raises into an error of the connection,
        # hence the note of the original.
        remaining = body.size
        self.is_handed_over = remaining == 0
        try:
            async for chunk in body.chunks():
                if remaining is not None:
                    remaining -= len(chunk)
                    self.is_handed_over = remaining == 0
                yield chunk
        except BulkputError as error:
            self.source_error = error
            raise
        self.is_handed_over = True


async def _read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """At most `limit` bytes; where there is more, the connection is dropped rather than read to the end."""
    pieces: list[bytes] = []
    room = limit
    async for piece in response.content.iter_any():
        pieces.append(piece[:room])
        room -= len(piece)
        if room < 0:
            response.close()
            break
    return b"".join(pieces)


def _describe(error: Exception) -> str:
    """One line for people. aiohttp's own texts are mostly the errno's, some are empty."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"TLS certificate of {error.host} not accepted: {error.certificate_error}"
        case aiohttp.ClientConnectorDNSError():
            return f"cannot resolve host name {error.host}"
        case aiohttp.ClientConnectorError():
            return f"cannot connect to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case TimeoutError():
            return str(error) or "no answer in time"
        case _:
            return str(error) or type(error).__name__


def _tls(options: WireOptions) -> ssl.SSLContext | bool:
    if not options.verify_tls or options.ca_file is None:
        return options.verify_tls
    try:
        return ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot read certificates from {options.ca_file}: {error}") from None
