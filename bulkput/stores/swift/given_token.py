"""A token that was made elsewhere, with the URL of its account. Only its giver can make another."""

from bulkput.record import frozen
from bulkput.stores.swift.login import Ask, Token


@frozen
class GivenToken:
    """OS_STORAGE_URL and OS_AUTH_TOKEN."""

    given: Token
    url: None = None
    renews_ahead: bool = False
    is_one_of_many: bool = False

    @property
    def user(self) -> str:
        return "OS_AUTH_TOKEN"

    @property
    def place(self) -> str:
        return self.given.storage_url

    @property
    def cannot_renew(self) -> str:
        return (
            "the store refuses OS_AUTH_TOKEN: it has expired, or is not for the account of OS_STORAGE_URL."
            " Set it to a new one, which `openstack token issue` prints"
        )

    async def token(self, ask: Ask) -> Token:
        return self.given
