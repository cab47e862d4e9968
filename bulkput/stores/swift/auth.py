"""Logging in to Swift: a conversation, not a client.

A login says which request to send and understands its answer; `Account` holds the one token that all workers share
and lets exactly one of them fetch a new one. Nothing here opens a connection by itself.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from bulkput.errors import Denied, Unavailable, UsageError
from bulkput.stores.status import error_from_response
from bulkput.transport.base import Answer, Transport, TransportError

_HOW = (
    "set ST_AUTH, ST_USER and ST_KEY (v1 auth), or OS_STORAGE_URL and OS_AUTH_TOKEN (of `openstack token issue`, say)"
)


@dataclass(frozen=True, slots=True)
class Token:
    """Where the account is, and what opens it. The token itself is in no repr."""

    storage_url: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoginRequest:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)


class Login(Protocol):
    def request(self) -> LoginRequest | None:
        """What to send; None when there is nothing that could be sent (again)."""

    def token(self, answer: Answer) -> Token:
        """Understand the answer. Raises Denied, or what the status means."""

    def first_token(self) -> Token | None:
        """A token that was given beforehand."""


@dataclass(frozen=True, slots=True)
class V1Login:
    """TempAuth and its kin: `GET auth_url` with user and key (SWIFT.md 4.1)."""

    auth_url: str
    user: str
    key: str = field(repr=False)
    storage_url: str | None = None
    """Replaces the URL that the server names: behind a balancer it may name the wrong scheme or host."""

    def request(self) -> LoginRequest:
        return LoginRequest("GET", self.auth_url, {"X-Auth-User": self.user, "X-Auth-Key": self.key})

    def token(self, answer: Answer) -> Token:
        if answer.status in (401, 403):
            raise Denied(
                "login", self.user, f"refused by {self.auth_url}: check ST_USER and ST_KEY", status=answer.status
            )
        if answer.status == 404:
            raise UsageError(f"{self.auth_url} is not there (404): ST_AUTH must name a v1 auth URL (.../auth/v1.0)")
        if answer.status not in (200, 204):
            raise error_from_response("login", self.auth_url, answer)
        value = answer.headers.get("X-Storage-Token") or answer.headers.get("X-Auth-Token")
        storage_url = self.storage_url or answer.headers.get("X-Storage-Url")
        if not value or not storage_url:
            raise UsageError(
                f"{self.auth_url} answered without a token: ST_AUTH must name a v1 auth URL (.../auth/v1.0)"
            )
        return Token(storage_url.rstrip("/"), value)

    def first_token(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token made elsewhere. When it has expired, only its giver can make another."""

    given: Token

    def request(self) -> None:
        return None

    def token(self, answer: Answer) -> Token:
        raise AssertionError("nothing was sent, so nothing can be answered")

    def first_token(self) -> Token:
        return self.given


def login_from(environ: Mapping[str, str]) -> Login:
    """The login that the environment describes, by swiftclient's variables. Raises UsageError: what is missing."""
    storage_url, token = environ.get("OS_STORAGE_URL"), environ.get("OS_AUTH_TOKEN")
    if storage_url and token:
        return GivenToken(Token(_checked("OS_STORAGE_URL", storage_url).rstrip("/"), token))
    given = {name: environ.get(name, "") for name in ("ST_AUTH", "ST_USER", "ST_KEY")}
    missing = [name for name, value in given.items() if not value]
    if missing:
        if len(missing) < len(given):
            raise UsageError(f"{' and '.join(missing)} not set: {_HOW}")
        if environ.get("OS_AUTH_URL"):
            raise UsageError(f"Keystone (OS_AUTH_URL) is not spoken here: {_HOW}")
        raise UsageError(f"no credentials for swift://: {_HOW}")
    return V1Login(
        _checked("ST_AUTH", given["ST_AUTH"]),
        given["ST_USER"],
        given["ST_KEY"],
        _checked("OS_STORAGE_URL", storage_url) if storage_url else None,
    )


def _checked(variable: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{variable}={url!r} is not a URL: write http(s)://HOST[:PORT]/PATH")
    return url


class Account:
    """The shared token. However many workers find it expired, one login replaces it."""

    def __init__(self, login: Login, transport: Transport) -> None:
        self._login = login
        self._transport = transport
        self._token = login.first_token()
        self._renewing = asyncio.Lock()

    async def token(self) -> Token:
        """The present token, by a login where there is none yet."""
        if self._token is None:
            async with self._renewing:
                self._token = self._token or await self._log_in()
        return self._token

    async def renewed(self, refused: Token) -> Token | None:
        """Another token than `refused`: someone's newer one, else of a new login; None when none can be had."""
        async with self._renewing:
            if self._token is refused:
                if self._login.request() is None:
                    return None
                self._token = await self._log_in()
            return self._token

    async def _log_in(self) -> Token:
        request = self._login.request()
        if request is None:
            raise AssertionError("a login without a request comes with a token")
        try:
            answer = await self._transport.request(request.method, request.url, request.headers)
        except TransportError as error:
            raise Unavailable("login", request.url, str(error)) from error
        return self._login.token(answer)
