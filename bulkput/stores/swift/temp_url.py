"""A temporary URL as a Store: it puts objects of one container, and nothing else.

The signature is in the query of each request, in place of a token. It holds for PUT, and then for HEAD as well. There
are no large objects: Swift drops every other parameter of a signed request (`multipart-manifest=put` would store the
manifest's text as the object) and refuses X-Object-Manifest.
"""

import time
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import replace

from bulkput.errors import StoreError, StoreGone, Unsupported, UsageError, printable
from bulkput.model import Prefix, RemoteObject
from bulkput.policy.temp_url import TempUrl
from bulkput.record import frozen
from bulkput.stores.base import Destination, StoreContext
from bulkput.stores.powers import Access, ContainerFacts, Powers, Urls
from bulkput.stores.swift.account import Account
from bulkput.stores.swift.login import Ask, Token
from bulkput.stores.swift.requests import container_url
from bulkput.stores.swift.store import SwiftStore, check_place

_SHORT_S = 300
"""A URL that lives no longer than this is worth a warning: many uploads take longer."""
_ANOTHER = "ask for another, which `bulkput.temporary_url` makes"


@frozen
class SignedRequests:
    """The login of a temporary URL: there is none, only its maker can make another."""

    temp_url: TempUrl
    clock: Callable[[], float] = time.time
    url: None = None
    renews_ahead: bool = False
    is_one_of_many: bool = False

    @property
    def user(self) -> str:
        return "the temporary URL"

    @property
    def place(self) -> str:
        """Nothing: the URL names the place itself."""
        return ""

    @property
    def given(self) -> Token:
        temp_url = self.temp_url
        return Token(temp_url.place.storage_url, temp_url.signature, query=temp_url.query)

    @property
    def cannot_renew(self) -> str:
        if self.clock() >= self.temp_url.expires_s:
            return f"the temporary URL has expired, at {self.temp_url.expiry}: {_ANOTHER}"
        return (
            f"the store refuses the temporary URL, which is valid until {self.temp_url.expiry}: it was made for another"
            " method, path or address, its key has changed, or (Ceph) there is no such container"
        )

    async def token(self, ask: Ask) -> Token:
        return self.given


class TempUrlStore(SwiftStore):
    """Objects of one container, as far as the signature holds for their names."""

    def __init__(self, temp_url: TempUrl, context: StoreContext) -> None:
        self._login = SignedRequests(temp_url)
        super().__init__(temp_url.place.container, Account(self._login, context), context)

    @property
    def powers(self) -> Powers:
        temp_url = self._login.temp_url
        access = Access(url=temp_url.place.storage_url, user=self._login.user, look=self.look)
        return Powers(
            settle=self._second_look.settle,
            refuses_existing=self._seldom.refuses_existing,
            access=access,
            urls=Urls(self._base_url, self._is_public),
        )

    async def _base_url(self) -> str:
        """Without the signature: that is no part of an object's own URL."""
        place = self._login.temp_url.place
        return container_url(place.storage_url, place.container)

    async def _is_public(self) -> bool:
        """Not known: the signature shows objects only, and not their container."""
        return False

    async def look(self) -> ContainerFacts:
        """Send a HEAD that the signature allows: PUT and GET include it. Whether the object exists is no matter.

        Raises StoreError: Denied if the store does not take the signature.
        """
        temp_url = self._login.temp_url
        await self.stat(temp_url.place.name if temp_url.prefix is None else f"{temp_url.prefix}bulkput-probe")
        return ContainerFacts(keeps_versions=False, now_ns=None)

    async def prepare(self) -> None:
        """Does nothing: a temporary URL makes no container."""

    async def undo_prepare(self) -> None:
        """Does nothing, as `prepare`."""

    async def made_again(self, key: str, made: int) -> StoreError:
        detail = f"there is no container {printable(self._container)}, and a temporary URL cannot make it"
        return StoreGone("put", key, detail, status=404)

    def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        raise Unsupported("list", prefix, "a temporary URL has no listing; use swift:// with credentials")

    def get(self, key: str) -> AsyncGenerator[bytes, None]:
        raise Unsupported("get", key, "a temporary URL for uploads cannot read")

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            raise Unsupported("delete", key, "a temporary URL for uploads cannot remove; use swift:// with credentials")


def open_store(destination: Destination, context: StoreContext) -> TempUrlStore:
    """Raises UsageError: the URL has expired, or options need what it cannot do."""
    temp_url = destination.temp_url
    if temp_url is None:
        raise UsageError(
            "only an upload by the command line takes tempurl://: give the temporary URL itself, https://..."
        )
    check_place(temp_url.place.container, context)
    if context.storage_policy is not None:
        raise UsageError("`storage_policy` is for a container that is made, and a temporary URL makes none")
    if context.large.mode in ("slo", "dlo"):
        raise UsageError(f"`large.mode='{context.large.mode}'`: a temporary URL cannot make large objects")
    login = SignedRequests(temp_url)
    left_s = temp_url.expires_s - login.clock()
    if left_s <= 0:
        raise UsageError(f"{login.cannot_renew} (by the clock of this machine)")
    if left_s < _SHORT_S:
        context.warn(
            f"the temporary URL expires in {left_s:.0f} s, at {temp_url.expiry}: what is not sent then is refused"
        )
    alone = replace(context, large=replace(context.large, mode="never"))
    return TempUrlStore(temp_url, alone)
