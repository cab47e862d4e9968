"""The token of a run that several processes share: one of them logs in, and hands it to the others."""

from collections.abc import Mapping

from bulkput.options import WireOptions
from bulkput.stores.base import Configured, StoreContext
from bulkput.stores.swift.login import Ask, Token

_URL, _TOKEN = "OS_STORAGE_URL", "OS_AUTH_TOKEN"


def as_variables(token: Token, wire: WireOptions) -> Configured:
    """What `HandedToken` opens a store with."""
    return Configured({_URL: token.storage_url, _TOKEN: token.value}, wire)


def value_of(told: Configured) -> str | None:
    """The token that was handed over."""
    return told.environ.get(_TOKEN)


class HandedToken:
    """A login by asking the process that has made it."""

    url = None
    cannot_renew = None
    renews_ahead = False
    is_one_of_many = False

    def __init__(self, context: StoreContext) -> None:
        self._told = Configured(context.environ, context.wire)
        self._asked_again = context.asked_again
        self.given = _token_of(context.environ)

    @property
    def user(self) -> str:
        return "the run"

    @property
    def place(self) -> str:
        return self.given.storage_url

    async def token(self, ask: Ask) -> Token:
        """Another token than the last. Raises StoreError."""
        if self._asked_again is None:
            raise AssertionError("such a login is made for a context that can ask")
        self._told = await self._asked_again(self._told)
        return _token_of(self._told.environ)


def _token_of(environ: Mapping[str, str]) -> Token:
    return Token(environ[_URL], environ[_TOKEN])
