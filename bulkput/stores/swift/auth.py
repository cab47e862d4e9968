"""Logging in to Swift: a conversation, not a client.

A login says which request to send and understands its answer; `Account` holds the one token that all workers share
and lets exactly one of them fetch a new one. Nothing here opens a connection by itself.
"""

import asyncio
from collections.abc import Mapping
from copy import copy
from dataclasses import field
from typing import Protocol

from bulkput.activity import doing
from bulkput.errors import BulkputError, Denied, StoreError, StoreGone, Throttled, Unavailable, UsageError
from bulkput.policy.headers import check_value
from bulkput.policy.naming import is_http_url
from bulkput.record import frozen
from bulkput.stores.base import StoreContext
from bulkput.stores.status import error_from_response, error_from_transport
from bulkput.transport.base import Answer, TransportError
from bulkput.transport.secrets import without_secrets

_HOW = (
    "set ST_AUTH, ST_USER and ST_KEY (v1 auth), or OS_STORAGE_URL and OS_AUTH_TOKEN (of `openstack token issue`, say)"
)


@frozen
class Token:
    """The account's URL and the token for it. The token itself is in no repr."""

    storage_url: str
    value: str = field(repr=False)

    @property
    def fields(self) -> dict[str, str]:
        """The header with the token. Built for each call, so that no variable shows it in a traceback."""
        return {"X-Auth-Token": self.value}


@frozen
class LoginRequest:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)


class Login(Protocol):
    @property
    def account(self) -> str:
        """The user that logs in, for messages."""

    @property
    def place(self) -> str:
        """Identifies the account: equal texts mean the same account."""

    def request(self) -> LoginRequest | None:
        """The login request; None if the token was given and cannot be renewed."""

    def token(self, answer: Answer) -> Token:
        """The token in the answer. Raises Denied, UsageError, or the StoreError of the status."""

    def first_token(self) -> Token | None:
        """A token that was given beforehand."""


@frozen
class V1Login:
    """TempAuth and its kin: `GET auth_url` with user and key (swift/common/middleware/tempauth.py)."""

    auth_url: str
    user: str
    key: str = field(repr=False)
    storage_url: str | None = None
    """Replaces the URL that the server names: behind a balancer it may name the wrong scheme or host."""

    @property
    def account(self) -> str:
        return self.user

    @property
    def place(self) -> str:
        return self.storage_url or f"{self.user} at {self.auth_url}"

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


@frozen
class GivenToken:
    """A token made elsewhere. When it has expired, only its giver can make another."""

    given: Token

    @property
    def account(self) -> str:
        return "OS_AUTH_TOKEN"

    @property
    def place(self) -> str:
        return self.given.storage_url

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
        check_value(token, what="OS_AUTH_TOKEN", is_secret=True)
        return GivenToken(Token(_checked("OS_STORAGE_URL", storage_url).rstrip("/"), token))
    given = {name: environ.get(name, "") for name in ("ST_AUTH", "ST_USER", "ST_KEY")}
    missing = [name for name, value in given.items() if not value]
    if missing:
        if len(missing) < len(given):
            raise UsageError(f"{' and '.join(missing)} not set: {_HOW}")
        if environ.get("OS_AUTH_URL"):
            raise UsageError(f"Keystone (OS_AUTH_URL) is not supported: {_HOW}")
        raise UsageError(f"no credentials for swift://: {_HOW}")
    return V1Login(
        _checked("ST_AUTH", given["ST_AUTH"]),
        check_value(given["ST_USER"], what="ST_USER"),
        check_value(given["ST_KEY"], what="ST_KEY", is_secret=True),
        _checked("OS_STORAGE_URL", storage_url) if storage_url else None,
    )


def _checked(variable: str, url: str) -> str:
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise UsageError(f"{variable} has a user or password before its host, which messages would show: {_HOW}")
    if not is_http_url(url):
        raise UsageError(f"{variable}={url!r} is not a URL: write http(s)://HOST[:PORT]/PATH")
    return url


class Account:
    """The token that all workers share. If several workers find it missing or refused, one login serves them all.

    A login has retries of its own, so objects do not use up theirs. If they are used up, the login raises StoreGone.
    """

    def __init__(self, login: Login, context: StoreContext) -> None:
        self._login = login
        self._transport = context.transport
        self._again = context.again
        self._token = login.first_token()
        self._has_worked = False
        self._final: StoreError | None = None
        """The final login error. Later callers get it without another login."""
        self._under_way: asyncio.Future[Token] | None = None

    @property
    def place(self) -> str:
        return self._login.place

    async def token(self) -> Token:
        """The present token, by a login where there is none yet."""
        return self._token or await self._by_login()

    async def renewed(self, refused: Token) -> Token | None:
        """A token other than `refused`: another worker's newer one, or one by a new login. None if the token was given.

        Raises Denied, which stops the run, if a login that worked before now raises UsageError: the user's variables
        were right at the start.
        """
        if self._token is not refused:
            return self._token
        if self._login.request() is None:
            return None
        if self._final is not None:
            raise copy(self._final)
        try:
            return await self._by_login()
        except UsageError as error:
            self._final = Denied("login", self._login.account, str(error))
            raise self._final from error
        except (Denied, StoreGone) as error:
            self._final = error
            raise

    async def _by_login(self) -> Token:
        with doing("logging in"):
            return await self._logged_in()

    async def _logged_in(self) -> Token:
        """The first caller logs in; callers that arrive during the login get its outcome."""
        if self._under_way is not None:
            try:
                return await asyncio.shield(self._under_way)
            except BulkputError as error:
                raise copy(error) from error  # a copy each: attempts and traceback are written into it
        self._under_way = under_way = asyncio.get_running_loop().create_future()
        try:
            self._token = await self._log_in()
        except BulkputError as error:
            under_way.set_exception(error)
            raise
        else:
            under_way.set_result(self._token)
            return self._token
        finally:
            self._under_way = None
            if not under_way.done():
                under_way.set_exception(Unavailable("login", "", "the login was cancelled"))
            under_way.exception()  # seen, though perhaps nobody waited

    async def _log_in(self) -> Token:
        request = self._login.request()
        if request is None:
            raise AssertionError("a login without a request comes with a token")

        async def once() -> Token:
            try:
                answer = await self._transport.request(request.method, request.url, request.headers)
            except TransportError as error:
                # Not `from error`: the cause holds the request as it was sent, with its secrets.
                raise error_from_transport("login", request.url, error, sent=request.headers) from None
            if answer.status >= 300:
                answer = without_secrets(answer, request.headers)
            return self._login.token(answer)

        try:
            token = await self._again(once, is_first_login=not self._has_worked)
        except (Unavailable, Throttled) as error:
            gone = StoreGone(error.operation, error.key, error.detail, status=error.status, request_id=error.request_id)
            gone.attempts, gone.elapsed_s = error.attempts, error.elapsed_s
            raise gone from error
        self._has_worked = True
        return token
