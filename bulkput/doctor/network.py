"""Looks at the way to a host: names, connections, handshakes, clock. What it sees is judged elsewhere.

These are connections of its own, made as the transports make theirs (`transport/wire.py`), since a transport shows only
that a request has failed. No credentials are sent, but for the proxy's own.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from bulkput import __version__
from bulkput.doctor.certificate import Certificate, Handshake, certificate_of
from bulkput.doctor.reach import Attempt, Lookup, Outcome, Reading, failed_lookup, is_address, outcome_of
from bulkput.doctor.texts import place_text
from bulkput.options import WireOptions
from bulkput.record import frozen
from bulkput.transport.addresses import resolve
from bulkput.transport.base import TransportError
from bulkput.transport.hosts import ascii_url
from bulkput.transport.proxies import Proxies, Proxy
from bulkput.transport.route import open_transport
from bulkput.transport.tls import is_no_tls, tls_context, why_not_connected

_PORTS = {"http": 80, "https": 443}
_HEAD_BYTES = 16 * 1024
"""Bytes of a proxy's answer to CONNECT."""


@frozen(kw_only=True)
class Way:
    """The way to the server of a URL, perhaps through a proxy."""

    is_tls: bool
    host: str
    port: int
    proxy: Proxy | None

    @property
    def first(self) -> tuple[str, int]:
        """Host and port of the first connection."""
        return (self.proxy.host, self.proxy.port) if self.proxy is not None else (self.host, self.port)


def way_to(url: str, environ: Mapping[str, str]) -> Way:
    """Raises UsageError if the host is no host name, or a proxy variable is wrong."""
    url = ascii_url(url)
    parts = urlsplit(url)
    return Way(
        is_tls=parts.scheme == "https",
        host=parts.hostname or "",
        port=parts.port or _PORTS.get(parts.scheme, 0),
        proxy=Proxies(environ).of(url),
    )


async def look_up(host: str, port: int, *, timeout_s: float) -> Lookup:
    """All addresses of a host."""
    if is_address(host):
        return Lookup(host, (host,), 0.0)
    began_s = time.perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            addresses = await resolve(host, port)
    except (OSError, UnicodeError) as error:  # TimeoutError and gaierror are OSErrors
        return failed_lookup(host, error, time.perf_counter() - began_s)
    return Lookup(host, tuple(addresses), time.perf_counter() - began_s)


async def connect(addresses: Sequence[str], port: int, *, timeout_s: float) -> tuple[Attempt, ...]:
    """Connect to all addresses at once, and close the connections again."""
    return tuple(await asyncio.gather(*(_attempt(address, port, timeout_s) for address in addresses)))


async def _attempt(address: str, port: int, timeout_s: float) -> Attempt:
    began_s = time.perf_counter()
    try:
        async with asyncio.timeout(timeout_s), _opened(address, port):
            return Attempt(address, Outcome.OPEN, time.perf_counter() - began_s)
    except OSError as error:
        return Attempt(address, outcome_of(error), time.perf_counter() - began_s)


async def shake_hands(way: Way, address: str, wire: WireOptions) -> Handshake:
    """Make one TLS handshake through `address`, verified as `wire` says; a second one, unverified, if the first fails,
    to see what the server shows. Raises UsageError if the file of authorities cannot be read."""
    seen = await _shake(way, address, wire)
    if seen.code is None:
        return seen
    shown = await _shake(way, address, replace(wire, verify_tls=False, ca_file=None))
    return replace(seen, chain=shown.chain)


async def _shake(way: Way, address: str, wire: WireOptions) -> Handshake:
    context, began_s = tls_context(wire), time.perf_counter()

    def took_s() -> float:
        return time.perf_counter() - began_s

    try:
        async with asyncio.timeout(2 * wire.connect_timeout_s), _opened(address, way.first[1]) as (reader, writer):
            if way.proxy is not None:
                await _tunnel(reader, writer, way, way.proxy)
            began_s = time.perf_counter()
            await writer.start_tls(context, server_hostname=way.host)
            tls = writer.get_extra_info("ssl_object")
            return Handshake(address=address, seconds=took_s(), version=tls.version() or "", chain=_chain(tls))
    except ssl.SSLCertVerificationError as error:
        return Handshake(address=address, seconds=took_s(), code=error.verify_code, why=error.verify_message)
    except OSError as error:  # TimeoutError and SSLError are OSErrors
        why = why_not_connected(error)
        return Handshake(address=address, seconds=took_s(), why=why, is_no_tls=is_no_tls(error))


def _chain(tls: Any) -> tuple[Certificate, ...]:
    """What the server has sent. Before Python 3.13 the standard library shows it only to itself; without it, the chain
    is unknown."""
    shown = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", lambda: None)()
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        return tuple(certificate_of(each.get_info()) for each in shown or ())
    return ()


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way, proxy: Proxy) -> None:
    """Ask the proxy for a connection to the server (RFC 9110, 9.3.6). Raises ConnectionError."""
    place = place_text(way.host, way.port)
    fields = "".join(f"{name}: {value}\r\n" for name, value in proxy.fields.items())
    writer.write(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{fields}\r\n".encode("ascii"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise ConnectionError(f"the proxy {proxy.place} does not answer in HTTP") from None
    status = head.split(None, 2)[1:2]
    if status == [b"407"]:
        raise ConnectionError(proxy.denial)
    if not status or not status[0].startswith(b"2"):
        said = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")[2]
        raise ConnectionError(f"the proxy {proxy.place} does not connect to {place}: {said}")


@asynccontextmanager
async def _opened(address: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(address, port, limit=_HEAD_BYTES)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def read_clock(url: str, wire: WireOptions) -> Reading:
    """Ask by two HEADs without credentials; the second needs no new connection, so its time is the better one."""
    sent_s = came_s = time.time()
    async with aclosing(open_transport(wire, user_agent=f"bulkput/{__version__}")) as transport:
        try:
            for _ in range(2):
                sent_s = time.time()
                answer = await transport.request("HEAD", url, {})
                came_s = time.time()
        except TransportError as error:
            return Reading(None, sent_s, time.time(), why=str(error))
        fields = answer.headers
        return Reading(fields.get("Date"), sent_s, came_s, answer.status, fields.get("Server", ""))
