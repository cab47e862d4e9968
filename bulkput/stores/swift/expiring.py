"""Lets an object expire: a POST with X-Delete-At, between two looks at the object itself.

    HEAD ──before_expiry──> POST of all that the HEAD showed, and X-Delete-At ──> HEAD ──after_expiry──> when it expires

A POST replaces all that is stored beside the bytes and their type (swift/obj/server.py, POST), so it sends back what it
would drop. Nothing makes a POST depend on the object's state. So an object that somebody stores between the first HEAD
and the POST gets the fields of the one before it; the second HEAD shows other bytes, and the expiry is taken back.

A link answers 307, and has taken the fields all the same (swift/common/middleware/symlink.py). `policy/extras.py` has
the decisions.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import assert_never

from bulkput.errors import Conflict, NotFound, StoreError
from bulkput.model import RemoteObject
from bulkput.policy.extras import After, Before, after_expiry, before_expiry
from bulkput.stores.status import error_from_response
from bulkput.stores.swift.requests import Request
from bulkput.stores.swift.wire_format import described
from bulkput.transport.base import Answer

Ask = Callable[[str, Request], Awaitable[Answer]]
_ITSELF = "?symlink=get&multipart-manifest=get"
_FRESH = {"X-Newest": "true", "Cache-Control": "no-cache"}
"""Of several replicas the newest, and nothing from a cache: right after a POST, one replica may not have it yet."""
_OF_THE_ANSWER = frozenset(
    (
        # of the connection, of the answer, and of those that pass it on
        "connection", "keep-alive", "transfer-encoding", "trailer", "te", "upgrade", "proxy-authenticate",
        "proxy-connection", "content-length", "content-range", "accept-ranges", "date", "server", "via", "age", "vary",
        "warning", "alt-svc", "set-cookie", "strict-transport-security", "location", "content-location", "retry-after",
        "x-trans-id", "x-openstack-request-id", "x-amz-request-id",
        # of the bytes, which a POST leaves as they are; the type stays if it is not sent
        "etag", "last-modified", "x-timestamp", "content-type", "x-static-large-object", "x-manifest-etag",
        "x-symlink-target", "x-symlink-target-account", "x-symlink-target-etag", "x-symlink-target-bytes",
        "x-object-version-id",
        # what is about to be set
        "x-delete-at", "x-delete-after",
    )
)  # fmt: skip
"""Fields of a HEAD that are not sent back. All others are, also those that only this cluster stores
(`allowed_headers` of its object servers); a server ignores what it does not store."""
_TAKEN_BACK = {"X-Remove-Delete-At": "1"}
"""Ceph's gateway keeps the expiry unless it is told this (rgw_rest_swift.cc, get_delete_at_param). In Swift it ends
with any POST that does not name it."""
_LOST = (
    "it was overwritten just when it was to expire. It does not expire, but may have metadata of the object before:"
    " store it again"
)


def stored_fields(headers: Mapping[str, str]) -> dict[str, str]:
    """What a POST has to send back of a HEAD's fields, so that nothing is lost."""
    return {name: value for name, value in headers.items() if name.lower() not in _OF_THE_ANSWER}


class Expiring:
    """Lets objects of one container expire."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def expire(self, key: str, at_s: int, listed: RemoteObject) -> int:
        """See `Powers.expire`."""
        headers, found = await self._look(key)
        if found is None:
            raise NotFound("expire", key, "it is gone")
        match before := before_expiry(listed, found, at_s):
            case Before.SET:
                pass
            case Before.LEAVE:
                return at_s if found.expires_at is None else found.expires_at
            case Before.CHANGED:
                raise Conflict("expire", key, "it was overwritten after it was listed")
            case Before.UNDO:
                await self._take_back(key, headers)
                raise Conflict("expire", key, _LOST)
            case _:
                assert_never(before)
        await self._post(key, {**stored_fields(headers), "X-Delete-At": str(at_s)}, is_link=found.link is not None)
        headers, now = await self._look(key)
        match after := after_expiry(found, now, at_s):
            case After.DONE:
                return at_s
            case After.GONE:
                raise NotFound("expire", key, "it is gone")
            case After.REFUSED:
                raise StoreError("expire", key, "the store has taken the expiry, and does not show it")
            case After.CHANGED:
                raise Conflict("expire", key, "it was overwritten after it was listed")
            case After.UNDO:
                await self._take_back(key, headers)
                raise Conflict("expire", key, _LOST)
            case _:
                assert_never(after)

    async def _look(self, key: str) -> tuple[Mapping[str, str], RemoteObject | None]:
        answer = await self._ask("stat", Request("HEAD", key, _FRESH, _ITSELF))
        if answer.status == 404:
            return {}, None
        if answer.status not in (200, 204):
            raise error_from_response("expire", key, answer)
        return answer.headers, described(key, answer.headers)

    async def _post(self, key: str, fields: Mapping[str, str], *, is_link: bool) -> None:
        answer = await self._ask("expire", Request("POST", key, fields))
        if 200 <= answer.status < 300 or (is_link and answer.status == 307):
            return
        raise error_from_response("expire", key, answer)

    async def _take_back(self, key: str, headers: Mapping[str, str]) -> None:
        """Raises StoreError, also if the object still expires."""
        is_link = "X-Symlink-Target" in headers
        await self._post(key, {**stored_fields(headers), **_TAKEN_BACK}, is_link=is_link)
        _, now = await self._look(key)
        if now is not None and now.expires_at is not None:
            raise StoreError("expire", key, "it was overwritten just when it was to expire, and still expires")
