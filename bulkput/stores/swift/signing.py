"""Makes temporary URLs for one container: finds the key, signs, and proves the URL by a HEAD."""

from dataclasses import field
from typing import TYPE_CHECKING

from bulkput.errors import Denied, UsageError, printable
from bulkput.policy.temp_url import DIGESTS, KEY_VARIABLE, Place, TempUrl, Wish, sign
from bulkput.record import frozen
from bulkput.stores.base import StoreContext
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.requests import ContainerRequests, Request
from bulkput.stores.swift.temp_url import TempUrlStore
from bulkput.stores.swift.wire_format import section

if TYPE_CHECKING:
    from bulkput.verb_options import SignatureDigest

_KEYS = ("Temp-Url-Key", "Temp-Url-Key-2")
_HOW = (
    f"set one with `swift post -m 'Temp-URL-Key: SECRET'`, or give it in {KEY_VARIABLE}:"
    " only its owner may see the account's"
)


@frozen
class _Key:
    """A key, and whose it is."""

    owner: str
    secret: str = field(repr=False)


class Signing:
    """For one URL: it asks for everything anew."""

    def __init__(self, container: str, requests: ContainerRequests, context: StoreContext) -> None:
        self._container = container
        self._requests = requests
        self._context = context

    async def temporary_url(self, name: str, wish: Wish) -> str:
        """See `stores/powers.py`."""
        made, owner = await self._signed(name, wish)
        # PUT and GET allow HEAD as well. It comes from this machine, which may not be in the range.
        if wish.ip_range is None and wish.method in ("PUT", "GET", "HEAD"):
            await self._prove(made, owner)
        return made.url

    async def _signed(self, name: str, wish: Wish) -> tuple[TempUrl, str]:
        """The URL, and whose key has signed it."""
        key = await self._key()
        place = Place(storage_url=await self._requests.storage_url(), container=self._container, name=name)
        return sign(place, wish, key.secret, await self._digest(wish)), key.owner

    async def _key(self) -> _Key:
        """The key to sign with. The container's is the last: Ceph's gateway stores one, and ignores it."""
        of_container = await self._keys_of("container")
        if self._context.environ.get(KEY_VARIABLE):
            return _Key(KEY_VARIABLE, self._context.environ[KEY_VARIABLE])
        found = [*await self._keys_of("account"), *of_container]
        if not found:
            raise UsageError(f"neither the account nor the container has a key for temporary URLs: {_HOW}")
        return found[0]

    async def _keys_of(self, what: str) -> list[_Key]:
        """What a HEAD shows; nothing if this user may not see it."""
        answer = await self._requests.ask("stat", Request("HEAD", is_for_account=what == "account"))
        if answer.status == 404 and what == "container":
            raise UsageError(
                f"there is no container {printable(self._container)}, and a temporary URL makes none: make it first"
            )
        if answer.status in (401, 403):
            return []
        if answer.status not in (200, 204):
            raise error_from_response("stat", f"the {what}", answer)
        keys = (answer.headers.get(f"X-{what}-Meta-{name}") for name in _KEYS)
        return [_Key(f"the {what}", key) for key in keys if key]

    async def _digest(self, wish: Wish) -> "SignatureDigest":
        """Raises UsageError if `/info` says that the store takes no such URL."""
        info = await self._requests.info()
        said = section(info, "tempurl")
        methods, digests = said.get("methods"), said.get("allowed_digests")
        if isinstance(methods, list) and wish.method not in methods:
            raise UsageError(f"`method`: the store takes temporary URLs for {', '.join(map(str, methods))} only")
        if not said:
            return wish.digest or DIGESTS[0]
        allowed = digests if isinstance(digests, list) else ["sha1"]
        found = next((digest for digest in DIGESTS if digest in allowed and wish.digest in (None, digest)), None)
        if found is None:
            raise UsageError(f"`digest`: the store takes signatures by {', '.join(map(str, allowed))} only")
        if found == "sha1" != wish.digest:
            self._context.warn("the store takes signatures by SHA-1 only, as Ceph's gateway and old Swifts do")
        return found

    async def _prove(self, made: TempUrl, owner: str) -> None:
        """Send a HEAD with the URL."""
        try:
            await TempUrlStore(made, self._context).look()
        except Denied as error:
            why = f"the key of {owner} does not sign for this container"
            if owner == "the container":
                why = "Ceph's gateway takes the account's key only"
            elif not section(await self._requests.info(), "tempurl"):
                why = "its /info has no tempurl, so it may have no temporary URLs"
            raise UsageError(f"the store refuses the temporary URL that was made ({error.status}): {why}") from None
