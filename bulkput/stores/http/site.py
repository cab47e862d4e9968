"""Requests to one plain HTTP server, with the credentials that are meant for it."""

import re
from collections.abc import AsyncGenerator, Mapping
from urllib.parse import quote, urlsplit

from bulkput.errors import Denied, StoreError, Unsupported
from bulkput.model import Body
from bulkput.stores.status import error_from_response, error_from_transport, refusal
from bulkput.transport.base import Answer, Transport, TransportError
from bulkput.transport.secrets import without_secrets

_HOW = "BULKPUT_HTTP_TOKEN, or BULKPUT_HTTP_USER and BULKPUT_HTTP_PASSWORD,"
_ODD_PART = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")


class Site:
    """What is below one base URL. Errors are those of an `operation` with the object `key`."""

    def __init__(self, base_url: str, transport: Transport, authorization: str | None) -> None:
        self.base_url = base_url
        self._transport = transport
        self._auth = {"Authorization": authorization} if authorization else {}

    def url(self, operation: str, key: str) -> str:
        """Raises StoreError for names that a server would resolve to another path than the one that was asked for."""
        if _ODD_PART.search(key):
            raise StoreError(operation, key, "a name with an empty, '.' or '..' part means another path in a URL")
        return self.base_url + quote(key)

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None, *, operation: str, key: str
    ) -> Answer:
        """Raises StoreError where no answer came, and what the body raises."""
        try:
            answer = await self._transport.request(method, url, {**headers, **self._auth}, body)
        except TransportError as error:
            # Not `from error`: what it came from holds the request as it was sent.
            raise error_from_transport(operation, key, error, sent=self._auth) from None
        if answer.status < 300:
            return answer
        self._refuse_stranger(answer.status, operation, key)
        return without_secrets(answer, self._auth)

    async def read(self, url: str, key: str) -> AsyncGenerator[bytes, None]:
        """Nothing proves the bytes but their number."""
        try:
            async with self._transport.incoming(url, self._auth) as answer:
                self._refuse_stranger(answer.status, "get", key)
                if answer.status != 200:
                    raise error_from_response("get", key, without_secrets(await refusal(answer), self._auth))
                is_chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
                if not is_chunked and "Content-Length" not in answer.headers:
                    raise Unsupported("get", key, "without its length nobody can tell whether all of it has come")
                async for chunk in answer.chunks:
                    yield chunk
        except TransportError as error:
            raise error_from_transport("get", key, error, sent=self._auth) from None

    def _refuse_stranger(self, status: int, operation: str, key: str) -> None:
        """Raises Denied for a 401 to a request without credentials, with the variables that give them."""
        if status == 401 and not self._auth:
            host = urlsplit(self.base_url).hostname
            detail = f"Unauthorized, and no credentials are given: set {_HOW} or put {host} into ~/.netrc"
            raise Denied(operation, key, detail, status=401)


def path_of(url: str) -> str:
    """Of a URL as `Site.url` makes it: percent-encoded, from the root."""
    return urlsplit(url).path or "/"


def parent_of(url: str) -> str | None:
    """The URL of the directory that holds it, with a slash at the end; None of the root."""
    above = url.rstrip("/").rpartition("/")[0] + "/"
    return above if len(path_of(url)) > 1 else None
