"""Plain HTTP PUT: nginx, WebDAV, Artifactory, Nexus - whatever stores a body under its URL.

What this can prove: a 2xx after the whole body had been handed to the operating system. ETags of such servers are no
MD5s (nginx makes them of mtime and size), so bytes are not compared; that is what verifying afterwards is for.
"""

import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

from bulkput.errors import Denied, StoreError, Unsupported, UsageError
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.payload.digest import CountingBody
from bulkput.policy.headers import check_value, overlaid
from bulkput.stores.base import Destination, StoreContext
from bulkput.stores.http.credentials import authorization_of
from bulkput.stores.reason import why
from bulkput.stores.secrets import without_secrets
from bulkput.stores.status import error_from_response, error_from_transport, refusal
from bulkput.transport.base import Answer, Transport, TransportError, length_of

_ODD_PART = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")
_STORED = (200, 201, 204)
_COLLECTION = re.compile(rb"<(?:[\w.-]+:)?collection[\s/>]")
_KNOWS_NO_WEBDAV = (400, 404, 405, 410, 501)
"""Answers of those to a PROPFIND."""
_NO_LIMIT = 2**63
_HOW = "BULKPUT_HTTP_TOKEN, or BULKPUT_HTTP_USER and BULKPUT_HTTP_PASSWORD,"
_KEPT = ("Content-Disposition", "Content-Language", "Expires")
"""Of an answer, what describes the object and `ObjectHeaders` has no name for."""


class HttpStore:
    """Objects below one base URL. Without listing: plain HTTP has none."""

    limits = Limits(max_name_bytes=_NO_LIMIT, max_object_bytes=_NO_LIMIT)
    was_made = False
    keeps_metadata = False

    def __init__(self, base_url: str, transport: Transport, authorization: str | None) -> None:
        self._base_url = base_url
        self._transport = transport
        self._auth = {"Authorization": authorization} if authorization else {}

    def __repr__(self) -> str:
        return f"HttpStore({self._base_url!r})"

    @property
    def place(self) -> str:
        return ""

    async def prepare(self) -> None:
        """Nothing: directories are the server's business (nginx: create_full_put_path on)."""

    async def undo_prepare(self) -> None:
        """Nothing: `prepare` made nothing, and plain HTTP has no way to say which directories are new."""

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        counted = CountingBody(body) if body.size is None else None
        answer = await self._request("PUT", key, _render(headers), counted or body)
        if answer.status == 403:  # of this path: repositories forbid to replace a release, say
            raise StoreError("put", key, why(403, answer.reason, answer.body) or "forbidden", status=403)
        if answer.status not in _STORED:
            raise error_from_response("put", key, answer)
        size = counted.sent_bytes if counted is not None else length_of(body)
        return Stored(key, size, None, answer.headers.get("X-Request-Id"))

    def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        raise Unsupported("list", self._base_url + prefix, "plain HTTP has no listing; use swift:// where you need one")

    async def delete(self, keys: Iterable[str]) -> None:
        """Raises StoreError for a directory too: to a WebDAV server its DELETE means all that is below it."""
        for key in keys:
            await self._refuse_directory(key)
            # Depth: should it have become one meanwhile; most servers refuse that then (RFC 4918, 9.6.1).
            answer = await self._request("DELETE", key, {"Depth": "0"}, None)
            if answer.status == 202:
                raise StoreError("delete", key, "the server will perhaps remove it later", status=202)
            if answer.status not in (*_STORED, 404):
                raise error_from_response("delete", key, answer)

    async def _refuse_directory(self, key: str) -> None:
        """By PROPFIND (RFC 4918, 9.1), which only WebDAV servers know."""
        answer = await self._request("PROPFIND", key, {"Depth": "0", "Content-Length": "0"}, None)
        if answer.status in _KNOWS_NO_WEBDAV:
            return
        if answer.status == 403:
            raise StoreError("delete", key, "the server does not let us see whether it is a directory", status=403)
        if answer.status != 207:
            raise error_from_response("delete", key, answer)
        if _COLLECTION.search(answer.body) or b"resourcetype" not in answer.body:
            raise StoreError("delete", key, "it is a directory, or may be one: all below it would be removed")

    async def stat(self, key: str) -> RemoteObject | None:
        described = await self.describe(key)
        return described[0] if described is not None else None

    async def describe(self, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
        answer = await self._request("HEAD", key, {}, None)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise error_from_response("stat", key, answer)
        return _row(key, answer.headers), _kept(answer.headers)

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """Nothing proves its bytes but their number."""
        _refuse_odd("get", key)
        try:
            async with self._transport.incoming(self._base_url + quote(key), self._auth) as answer:
                if answer.status == 401 and not self._auth:
                    raise self._stranger("get", key)
                if answer.status != 200:
                    raise error_from_response("get", key, without_secrets(await refusal(answer), self._auth))
                is_chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
                if not is_chunked and "Content-Length" not in answer.headers:
                    raise Unsupported("get", key, "without its length nobody can tell whether all of it has come")
                async for chunk in answer.chunks:
                    yield chunk
        except TransportError as error:
            raise error_from_transport("get", key, error, sent=self._auth) from None

    async def ask_limits(self) -> Limits:
        return self.limits

    async def aclose(self) -> None:
        """The transport belongs to whoever made it."""

    async def _request(self, method: str, key: str, headers: Mapping[str, str], body: Body | None) -> Answer:
        _refuse_odd(_verb(method), key)
        try:
            answer = await self._transport.request(method, self._base_url + quote(key), {**headers, **self._auth}, body)
        except TransportError as error:
            # Not `from error`: what it came from holds the request as it was sent.
            raise error_from_transport(_verb(method), key, error, sent=self._auth) from None
        if answer.status == 401 and not self._auth:
            raise self._stranger(_verb(method), key)
        return answer if answer.status < 300 else without_secrets(answer, self._auth)

    def _stranger(self, operation: str, key: str) -> Denied:
        """The error of a 401 to a request without credentials."""
        host = urlsplit(self._base_url).hostname
        detail = f"Unauthorized, and no credentials are given: set {_HOW} or put {host} into ~/.netrc"
        return Denied(operation, key, detail, status=401)


def _refuse_odd(operation: str, key: str) -> None:
    if _ODD_PART.search(key):
        # A server would resolve these to another path than the one that was asked for.
        raise StoreError(operation, key, "a name with an empty, '.' or '..' part means another path in a URL")


def _verb(method: str) -> str:
    return {"HEAD": "stat", "PROPFIND": "delete"}.get(method, method.lower())


def open_store(destination: Destination, context: StoreContext) -> HttpStore:
    """Credentials: see `credentials.py`. Raises UsageError for what plain HTTP does not keep."""
    if context.storage_policy is not None:
        raise UsageError("--storage-policy is a matter of Swift; an http(s) destination has none")
    if context.headers.meta or context.headers.expires_in_s is not None:
        raise UsageError("plain HTTP keeps no user metadata and no expiry: --meta and --expires-in need swift://")
    if context.encodes:
        raise UsageError("plain HTTP keeps no Content-Encoding: use --gzip-as suffix, or swift://")
    context.transport.check(destination.root)
    authorization = authorization_of(destination.root, context.environ, destination=context.destination)
    if authorization is not None:
        check_value(authorization, flag="the credentials for plain HTTP", is_secret=True)
    return HttpStore(destination.root, context.transport, authorization)


def _row(key: str, headers: Mapping[str, str]) -> RemoteObject:
    length = headers.get("Content-Length", "")
    return RemoteObject(
        name=key,
        bytes=int(length) if length.isascii() and length.isdigit() else None,
        hash=None,
        content_type=headers.get("Content-Type"),
        last_modified=_moment(headers.get("Last-Modified")),
        encoding=headers.get("Content-Encoding"),
    )


def _moment(text: str | None) -> str | None:
    """ISO 8601 of a date; None of what is none."""
    try:
        return parsedate_to_datetime(text).isoformat() if text else None
    except (ValueError, OverflowError):
        return None


def _kept(headers: Mapping[str, str]) -> ObjectHeaders:
    return ObjectHeaders(
        content_type=headers.get("Content-Type"),
        encoding=headers.get("Content-Encoding"),
        cache_control=headers.get("Cache-Control"),
        extra=tuple((name, value) for name in _KEPT if (value := headers.get(name)) is not None),
    )


def _render(headers: ObjectHeaders) -> dict[str, str]:
    """Header names of plain HTTP, which has no field for the mtime."""
    rendered = {}
    if headers.content_type:
        rendered["Content-Type"] = headers.content_type
    if headers.cache_control:
        rendered["Cache-Control"] = headers.cache_control
    return overlaid(rendered, headers.extra)
