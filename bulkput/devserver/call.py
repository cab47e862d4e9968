"""One request in progress: its head, its body, and the headers that all answers share."""

import itertools
import secrets
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from math import ceil
from urllib.parse import quote

from aiohttp import web

from .record import Headers
from .rules import Refused
from .target import Target, parse_query
from .traffic import Traffic

_RUN = secrets.token_hex(4)
_COUNT = itertools.count()


class Call:
    """A request, its target, and its transaction id, which is unique and no secret (swift/common/utils)."""

    __slots__ = ("_continued", "_traffic", "request", "target", "trans_id")

    def __init__(self, request: web.BaseRequest, target: Target, traffic: Traffic) -> None:
        extra = request.headers.get("X-Trans-Id-Extra", "")[:32]
        suffix = "-" + quote(extra, errors="replace") if extra else ""
        self.request = request
        self.target = target
        self.trans_id = f"tx{_RUN}{next(_COUNT):013x}-{int(time.time()):010x}{suffix}"
        self._traffic = traffic
        self._continued = False

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers; names match in any case."""
        return self.request.headers

    async def read_body(
        self, write: Callable[[bytes], None], most: int, too_large: str = "Your request is too large."
    ) -> None:
        """Pass the body to `write` as it arrives. Raises Refused: 413 beyond `most` bytes, 499 if it breaks off.

        `100 Continue` goes out here, after every check that needs no body (RFC 9110 section 10.1.1).
        """
        request = self.request
        if request.version >= (1, 1) and request.headers.get("Expect", "").lower() == "100-continue":
            self._continued = True
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # as aiohttp's own handler does: the final answer has not begun
        size = 0
        while piece := await self._next_piece():
            size += len(piece)
            self._traffic.bytes_received += len(piece)
            if size > most:
                raise Refused(413, too_large)
            write(piece)

    async def _next_piece(self) -> bytes:
        try:
            return await self.request.content.readany()
        except (ConnectionError, web.RequestPayloadError) as error:
            raise Refused(499, f"Client Disconnect: {error}") from error

    def params(self) -> dict[str, str]:
        """The query's parameters. Raises Refused when one is not UTF-8."""
        try:
            return parse_query(self.target.query)
        except UnicodeError:
            raise Refused(400, "A query parameter is not valid UTF-8") from None

    def head(self, *pairs: tuple[str, str]) -> dict[str, str]:
        """The headers `pairs`, and those of every answer."""
        return {**dict(pairs), "X-Trans-Id": self.trans_id, "X-Openstack-Request-Id": self.trans_id}

    def answer(self, status: int, *pairs: tuple[str, str], body: bytes | None = None) -> web.Response:
        """A complete answer."""
        return self.close_if_unread(web.Response(status=status, headers=self.head(*pairs), body=body))

    def refusal(self, status: int, text: str, extra: Headers = ()) -> web.Response:
        """An error: one sentence of plain text."""
        plain = ("Content-Type", "text/plain; charset=utf-8")
        return self.answer(status, plain, *extra, body=text.encode(errors="replace"))

    def close_if_unread(self, response: web.Response) -> web.Response:
        """Close the connection after this answer if the client waits for a 100: it may send its body, or may not.

        A client without Expect sends its body anyway. aiohttp reads and drops it, so the connection stays usable.
        """
        if "Expect" in self.request.headers and not self._continued:
            response.force_close()
        if response.status == 499:
            response.force_close()
        return response


@lru_cache(maxsize=64)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def http_date(timestamp: float) -> str:
    """A timestamp for Last-Modified. As in Swift it is rounded up, so it is never before the write."""
    return _http_date(ceil(timestamp))
