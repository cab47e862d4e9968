"""Sends each request by the transport that fits it: the lean one, or aiohttp."""

import os
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from bulkput.model import Body
from bulkput.options import WireOptions
from bulkput.transport.base import MAX_ANSWER, Answer, Incoming, Transport, WireCount
from bulkput.transport.hosts import ascii_url
from bulkput.transport.proxies import Proxies
from bulkput.transport.wire import WireTransport


def open_transport(options: WireOptions, *, user_agent: str) -> Transport:
    """The transport that `options.transport` asks for.

    Raises UsageError if a certificate file of `options` cannot be used, or a proxy variable is not a URL.
    """
    proxies = Proxies(os.environ)
    if options.transport == "wire":
        return RoutedTransport(options, user_agent=user_agent, proxies=proxies)
    return _aiohttp(options, user_agent, proxies)


class RoutedTransport:
    """Requests take the lean transport. What goes through a proxy, and downloads, take aiohttp.

    aiohttp is imported when the first request needs it: the import takes 0.2 s.
    """

    def __init__(self, options: WireOptions, *, user_agent: str, proxies: Proxies) -> None:
        self.count = WireCount()
        self._options = options
        self._user_agent = user_agent
        self._proxies = proxies
        self._wire = WireTransport(options, user_agent=user_agent, count=self.count)
        self._other: Transport | None = None

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        max_answer: int = MAX_ANSWER,
        moves: int = 0,
    ) -> Coroutine[Any, Any, Answer]:
        transport = self._wire if self._proxies.of(url) is None else self._general()
        return transport.request(method, url, headers, body, max_answer=max_answer, moves=moves)

    def incoming(self, url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Incoming]:
        return self._general().incoming(url, headers)

    def _general(self) -> Transport:
        self._other = self._other or _aiohttp(self._options, self._user_agent, self._proxies, self.count)
        return self._other

    def check(self, url: str) -> None:
        self._proxies.of(ascii_url(url))

    async def aclose(self) -> None:
        await self._wire.aclose()
        if self._other is not None:
            await self._other.aclose()


def _aiohttp(options: WireOptions, user_agent: str, proxies: Proxies, count: WireCount | None = None) -> Transport:
    from bulkput.transport.session import SessionTransport  # noqa: PLC0415 - heavy

    return SessionTransport(options, user_agent=user_agent, proxies=proxies, count=count)
