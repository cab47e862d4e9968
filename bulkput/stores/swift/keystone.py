"""Logging in by Keystone v3: one request, whose answer has the token and the catalog of services.

`POST OS_AUTH_URL/v3/auth/tokens` (Identity API v3, "Authentication and token management"). keystoneauth1 does the same
and takes 0.1 s to import (`scripts/bench login`), so the three usual ways are here, and it is the oracle of their test
(`tests/properties/test_keystone_properties.py`). `keystoneauth.py` has the other ways.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from bulkput.errors import BulkputError, Denied, UsageError
from bulkput.policy.naming import is_http_url
from bulkput.record import frozen
from bulkput.stores.reason import why
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.catalog import Wanted, account_url
from bulkput.stores.swift.login import Ask, LoginRequest, Token
from bulkput.transport.base import Answer

_V2 = (
    "is Keystone v2.0, which OpenStack removed in its release Queens (2018):"
    " set OS_AUTH_URL to the address that ends in /v3"
)

_HEADER = re.compile(r"[!-~]+")
"""A token that can be sent in a header."""


@frozen
class Credentials:
    """The document of a login, and what to say if it is refused."""

    user: str
    """Who logs in, for messages."""
    identity: Mapping[str, Any] = field(repr=False)
    secret: str = field(repr=False)
    """The password, secret or token in `identity`."""
    hint: str
    """What to check if Keystone refuses it."""
    scope: Mapping[str, Any] | None = None
    """The project (or domain, trust, system) that the token is for. None: the credentials' own, or the user's default
    project."""
    renews_ahead: bool = True
    """Whether a new token lives longer than the present one. A token made from a token does not."""

    @property
    def owner(self) -> str:
        """Whose objects the token reaches, at one Keystone: those of the scope, or else of the user's default project.
        Names are told apart by their domains, and names of application credentials by their users."""
        match self.identity:
            case _ if self.scope is not None:
                return self.user + scope_text(self.scope)
            case {"password": {"user": user}}:
                return _named(user)
            case {"application_credential": {"user": user}}:
                return f"{self.user} of {_named(user)}"
        return self.user

    def document(self) -> bytes:
        scope = {"scope": self.scope} if self.scope is not None else {}
        return json.dumps({"auth": {"identity": self.identity, **scope}}).encode()


@frozen
class KeystoneLogin:
    auth_url: str
    """As the user wrote it: with /v3 behind it or without."""
    credentials: Credentials
    wanted: Wanted = Wanted()
    storage_url: str | None = None
    """Replaces the URL of the catalog."""
    given: Token | None = None
    """A token to begin with; when it is refused, a login gives the next."""
    cannot_renew: None = None
    is_one_of_many: bool = True

    @property
    def url(self) -> str:
        return self.auth_url

    @property
    def user(self) -> str:
        return self.credentials.user

    @property
    def renews_ahead(self) -> bool:
        return self.credentials.renews_ahead

    @property
    def place(self) -> str:
        return place_of(self.credentials.owner, self.auth_url, self.wanted, self.storage_url)

    async def token(self, ask: Ask) -> Token:
        answer = await ask(self._request(root_of(self.auth_url)))
        if answer.status == 404:
            answer = await self._elsewhere(ask, answer)
        if answer.status != 201:
            raise refusal(answer, self.auth_url, self.user, self.credentials.hint)
        return self._token(answer)

    async def _elsewhere(self, ask: Ask, not_found: Answer) -> Answer:
        """The answer from where Keystone's version document (`GET OS_AUTH_URL`) says that v3 is; else the 404.

        Raises Denied if v3 is where it was looked for, perhaps under another host's name: then what it did not find is
        the token or the credential. UsageError if it is on another host: credentials go where the user has said, and
        nowhere else.
        """
        root = root_of(self.auth_url)
        document = await ask(LoginRequest("GET", self.auth_url, {"Accept": "application/json"}))
        for there in map(root_of, _v3_links(document)):
            is_elsewhere = urlsplit(there).netloc != urlsplit(root).netloc
            if urlsplit(there).path == urlsplit(root).path:
                hint = self.credentials.hint
                if is_elsewhere:  # its own name for itself, or where it has moved
                    hint += f"; if they are right, set OS_AUTH_URL to {there}, where Keystone says that its v3 is"
                raise denied(self.auth_url, self.user, hint, 404)
            if is_elsewhere:
                raise UsageError(f"Keystone says that its v3 is at {there}, on another server: set OS_AUTH_URL to that")
            # By the user's scheme: behind a proxy that ends TLS, Keystone may say http://.
            return await ask(self._request(urlsplit(there)._replace(scheme=urlsplit(root).scheme).geturl()))
        return not_found

    def _request(self, root: str) -> LoginRequest:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        url = f"{root}/v3/auth/tokens"
        return LoginRequest("POST", url, headers, self.credentials.document(), self.credentials.secret)

    def _token(self, answer: Answer) -> Token:
        try:
            token = json.loads(answer.body)["token"]
            catalog, lives_s = token.get("catalog"), _seconds_between(token.get("issued_at"), token.get("expires_at"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise _no_keystone(self.auth_url, answer) from None
        if not _HEADER.fullmatch(answer.headers.get("X-Subject-Token", "")):
            raise _no_keystone(self.auth_url, answer)
        url = account_url(self.storage_url, catalog, self.wanted, token.get("project"))
        return Token(url, answer.headers["X-Subject-Token"], lives_s)


def root_of(auth_url: str) -> str:
    """The address of Keystone without a version. Raises UsageError for v2.0."""
    root = auth_url.rstrip("/").removesuffix("/auth/tokens")
    if root.endswith("/v2.0"):
        raise UsageError(f"{auth_url} {_V2}")
    return root.removesuffix("/v3").rstrip("/")


def place_of(owner: str, auth_url: str, wanted: Wanted, storage_url: str | None) -> str:
    """`place` of a login. `storage_url` replaces the catalog's; it may be a template."""
    if storage_url is not None and "%(" not in storage_url:
        return storage_url
    where = f"{owner} at {root_of(auth_url)}" + (f", region {wanted.region}" if wanted.region else "")
    return f"{where}, {storage_url}" if storage_url is not None else where


def denied(url: str, user: str, hint: str, status: int) -> Denied:
    return Denied("login", user, f"refused by {url}: {hint}", status=status)


def refusal(answer: Answer, url: str, user: str, hint: str) -> BulkputError:
    """The error of an answer from `url` that gives no token. `hint`: what to check if it refuses the credentials."""
    match answer.status:
        case 401 | 403 if "Openstack-Auth-Receipt" in answer.headers:
            hint = "Keystone wants a second factor: make an application credential, which needs none"
            return denied(url, user, hint, answer.status)
        case 401 | 403:
            return denied(url, user, hint, answer.status)
        case 400:
            text = why(answer.status, answer.reason, answer.body)
            return UsageError(f"{url} does not understand the login (400 {text}): if OS_AUTH_URL is Keystone, {hint}")
        case 404 | 405:
            return UsageError(
                f"no Keystone v3 at {url} ({answer.status}): OS_AUTH_URL is its address, with /v3 behind it or without"
            )
        case status if status < 400:
            return _no_keystone(url, answer)
    return error_from_response("login", url, answer)


def _no_keystone(auth_url: str, answer: Answer) -> UsageError:
    to = answer.headers.get("Location")
    what = f"redirects to {to}" if to else f"answered {answer.status} without a token"
    return UsageError(f"{auth_url} {what}: OS_AUTH_URL must name Keystone, with /v3 behind it or without")


def scope_text(scope: Mapping[str, Any] | None) -> str:
    """` in project NAME of DOMAIN`; empty without a scope."""
    return "".join(f" in {kind} {_named(value)}" for kind, value in (scope or {}).items())


def _named(user_or_scope: Mapping[str, Any]) -> str:
    """Its ID, or its name with that of its domain. A scope without either is all of the system."""
    name = user_or_scope.get("id") or user_or_scope.get("name") or "all"
    domain = user_or_scope.get("domain", {})
    where = domain.get("id") or domain.get("name")
    return f"{name} of {where}" if where else f"{name}"


def is_secret(variable: str) -> bool:
    """Whether a variable of that name holds what no text may show."""
    return variable.endswith(("PASSWORD", "SECRET", "TOKEN", "CODE"))


def _v3_links(answer: Answer) -> Iterator[str]:
    """The addresses of v3 in a version document: of one version, or of all."""
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        document = json.loads(answer.body)
        versions = document["versions"]["values"] if "versions" in document else [document["version"]]
        for version in versions:
            if str(version["id"]).startswith("v3"):
                yield from (link["href"] for link in version["links"] if is_http_url(link["href"]))


def _seconds_between(issued_at: Any, expires_at: Any) -> float | None:
    """Both times are the server's, so a wrong clock here does not matter."""
    try:
        lives_s = (datetime.fromisoformat(expires_at) - datetime.fromisoformat(issued_at)).total_seconds()
    except (TypeError, ValueError):
        return None
    return lives_s if lives_s > 0 else None
