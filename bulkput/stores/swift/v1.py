"""Logging in by v1 auth: TempAuth and its kin."""

from dataclasses import field

from bulkput.errors import Denied, UsageError
from bulkput.policy.naming import is_base_url, without_query
from bulkput.record import frozen
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.login import Ask, LoginRequest, Token
from bulkput.transport.base import Answer

_USUAL = "a usual one is http://host:8080/auth/v1.0 (the URL of a Keystone is for OS_AUTH_URL)"
_OTHER_PATH = (300, 400, 404, 405, 410, 412)
"""Answers to a path with no login. Swift: 400 to another version below /auth/, 404 or 412 to what is no path of an
account. A Keystone: 300 or 404."""


@frozen
class V1Login:
    """`GET auth_url` with user and key (swift/common/middleware/tempauth.py)."""

    auth_url: str
    user: str
    key: str = field(repr=False)
    storage_url: str | None = None
    """Replaces the URL that the server names: behind a balancer it may name the wrong scheme or host."""
    given: None = None
    cannot_renew: None = None
    renews_ahead: bool = False
    is_one_of_many: bool = False

    @property
    def url(self) -> str:
        return self.auth_url

    @property
    def place(self) -> str:
        return self.storage_url or f"{self.user} at {self.auth_url}"

    async def token(self, ask: Ask) -> Token:
        answer = await ask(LoginRequest("GET", self.auth_url, {"X-Auth-User": self.user, "X-Auth-Key": self.key}))
        where = without_query(self.auth_url)
        if answer.status in (401, 403):
            raise Denied("login", self.user, f"refused by {where}: check ST_USER and ST_KEY", status=answer.status)
        if answer.status in _OTHER_PATH:
            raise UsageError(f"ST_AUTH={where} is no v1 login, the server answers {answer.status} there: {_USUAL}")
        if answer.status not in (200, 204):
            raise error_from_response("login", where, answer)
        storage_url = self.storage_url or answer.headers.get("X-Storage-Url")
        if not storage_url or not _token_in(answer):
            lacks = "X-Storage-Url" if not storage_url else "X-Auth-Token"
            raise UsageError(
                f"ST_AUTH={where} is no v1 login, the server answers {answer.status} without {lacks}: {_USUAL}"
            )
        if not is_base_url(storage_url):
            raise UsageError(f"{where} names no usable URL of the account: set OS_STORAGE_URL to it")
        lives_s = _seconds(answer.headers.get("X-Auth-Token-Expires"))
        return Token(storage_url.rstrip("/"), _token_in(answer), lives_s)


def _token_in(answer: Answer) -> str:
    return answer.headers.get("X-Storage-Token") or answer.headers.get("X-Auth-Token") or ""


def _seconds(text: str | None) -> float | None:
    return float(text[:15]) if text is not None and text.isascii() and text.isdigit() else None
