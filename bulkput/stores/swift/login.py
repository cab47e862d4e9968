"""What a login is: a conversation that ends with a token. A login opens no connection: its caller sends its requests.

`v1.py`, `keystone.py` and `given_token.py` have the kinds of logins, `environment.py` chooses one, and `account.py`
holds the token that all workers share. `temp_url.py` has a signature in place of a token.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Protocol

from bulkput.record import frozen
from bulkput.transport.base import Answer


@frozen
class Token:
    """The account's URL and the token for it, or the signature of a temporary URL. That is in no repr.

    What holds it is built for each call, so that no variable shows it in a traceback.
    """

    storage_url: str
    value: str = field(repr=False)
    lives_s: float | None = None
    """Seconds that the token lives, counted from the login; None if the server did not say."""
    query: str = field(default="", repr=False)
    """What is added to the URL of each request, with the signature; empty for a token, which goes into a header."""

    @property
    def fields(self) -> dict[str, str]:
        """The header with the token."""
        return {} if self.query else self.hidden

    @property
    def hidden(self) -> dict[str, str]:
        """Fields with the secret, to mask in texts."""
        return {"X-Auth-Token": self.value}

    def signed(self, url: str) -> str:
        """The URL of a request, with the signature if there is one. `url` has a `?` only before a query."""
        return f"{url}{'&' if '?' in url else '?'}{self.query}" if self.query else url


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
    def is_one_of_many(self) -> bool:
        """Whether other logins, whose `place` differs, lead to the same account: by another credential, or as another
        user of the project. Then only a token says which account it is."""

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
