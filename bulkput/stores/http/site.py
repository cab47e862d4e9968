"""Sends requests to one plain HTTP server, with that server's credentials."""

import re
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from bulkput.errors import Denied, StoreError, Unsupported
from bulkput.model import Body
from bulkput.stores.status import error_from_response, error_from_transport, refusal
from bulkput.transport.base import MAX_ANSWER, Answer, Transport, TransportError
from bulkput.transport.secrets import without_secrets

if TYPE_CHECKING:
    from bulkput.payload.reading import Span

_HOW = "BULKPUT_HTTP_TOKEN, or BULKPUT_HTTP_USER and BULKPUT_HTTP_PASSWORD,"
_ODD_PART = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")


class Site:
    """Requests below one base URL. Errors carry the `operation` and the object's `key`."""

    def __init__(self, base_url: str, transport: Transport, authorization: str | None) -> None:
        self.base_url = base_url
        self._transport = transport
        self._auth = {"Authorization": authorization} if authorization else {}

    @property
    def credentials(self) -> str:
        """The kind of credentials that each request carries; empty if none are known."""
        return self._auth.get("Authorization", "").partition(" ")[0]

    def url(self, operation: str, key: str) -> str:
        """The URL of the object `key`. Raises StoreError if a server would resolve the name to another path."""
        if _ODD_PART.search(key):
            raise StoreError(operation, key, "a URL cannot have an empty, '.' or '..' part in a name")
        return self.base_url + quote(key)

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        operation: str,
        key: str,
        max_answer: int = MAX_ANSWER,
    ) -> Answer:
        """Send one request. Raises StoreError if no answer came or a 401 shows missing credentials; passes on the
        body's errors."""
        try:
            answer = await self._transport.request(method, url, {**headers, **self._auth}, body, max_answer=max_answer)
        except TransportError as error:
            # Not `from error`: the cause holds the request as it was sent, with its credentials.
            raise error_from_transport(operation, key, error, sent=self._auth) from None
        if answer.status < 300:
            return answer
        self._refuse_stranger(answer.status, operation, key)
        return without_secrets(answer, self._auth)

    async def read(
        self, url: str, key: str, *, version: str | None = None, span: "Span | None" = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield an object's bytes. Only their number is checked: such servers give no MD5.

        Raises Unsupported if the answer has no length, and StoreError if the request fails.
        """
        from bulkput.payload.reading import asked, check_answer, exactly  # noqa: PLC0415 - few runs read objects

        try:
            async with self._transport.incoming(url, {**asked(span), **self._auth}) as answer:
                self._refuse_stranger(answer.status, "get", key)
                check_answer(key, answer.status, answer.headers, version, span)
                if answer.status not in (200, 206):
                    raise error_from_response("get", key, without_secrets(await refusal(answer), self._auth))
                is_chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
                if not is_chunked and "Content-Length" not in answer.headers:
                    raise Unsupported("get", key, "the answer has no length, so a complete read cannot be proven")
                async for chunk in exactly(answer.chunks, key, span):
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
    """The path of a URL from `Site.url`, percent-encoded, from the root."""
    return urlsplit(url).path or "/"


def parent_of(url: str) -> str | None:
    """The URL of the parent directory, with a slash at the end; None for the root."""
    above = url.rstrip("/").rpartition("/")[0] + "/"
    return above if len(path_of(url)) > 1 else None
