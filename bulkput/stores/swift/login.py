"""What a login is: a conversation that ends with a token. A login opens no connection: its caller sends its requests.

`v1.py`, `keystone.py` and `given_token.py` have the kinds of logins, `environment.py` chooses one, and `account.py`
holds the token that all workers share.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Protocol

from bulkput.record import frozen
from bulkput.transport.base import Answer


@frozen
class Token:
    """The account's URL and the token for it. The token itself is in no repr."""

    storage_url: str
    value: str = field(repr=False)
    lives_s: float | None = None
    """Seconds that the token lives, counted from the login; None if the server did not say."""

    @property
    def fields(self) -> dict[str, str]:
        """The header with the token. Built for each call, so that no variable shows it in a traceback."""
        return {"X-Auth-Token": self.value}


@frozen
class LoginRequest:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    secret: str = field(default="", repr=False)
    """What of the body no text may show, should the server repeat it. Secrets in `headers` are known by their names."""

    @property
    def hidden(self) -> Mapping[str, str]:
        """Fields with the secrets of the request, to mask in texts."""
        return {**self.headers, "X-Auth-Key": self.secret} if self.secret else self.headers


Ask = Callable[[LoginRequest], Awaitable[Answer]]
"""Sends a login's request. Raises StoreError if no answer comes."""


class Login(Protocol):
    @property
    def user(self) -> str:
        """Who logs in, for messages."""

    @property
    def url(self) -> str | None:
        """Where it logs in; None if the token was given."""

    @property
    def place(self) -> str:
        """Identifies the account: equal texts mean the same account."""

    @property
    def given(self) -> Token | None:
        """A token that was given beforehand."""

    @property
    def cannot_renew(self) -> str | None:
        """Why no further token can be had, and what to do: for a token that was given. None: a login gives one."""

    @property
    def renews_ahead(self) -> bool:
        """Whether a login gives a new token while the present one is valid. TempAuth gives the same one again."""

    async def token(self, ask: Ask) -> Token:
        """Log in. Raises Denied, UsageError, the StoreError of an answer's status, and what `ask` raises."""
