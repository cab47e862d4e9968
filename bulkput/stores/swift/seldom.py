"""The powers of a Swift store that few runs use: those about large objects, segments, the account and
temporary URLs.

Their code is imported when one of them is first called. A plain upload would otherwise start 7 ms later.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bulkput.errors import Denied, NotFound, Unsupported
from bulkput.model import Body, LargeUpload, ObjectHeaders, Prefix, RemoteObject, Segment, Stored, StoredPart
from bulkput.payload.in_memory import BytesBody
from bulkput.stores.powers import (
    Access,
    Composing,
    ContainerFacts,
    ContainerPage,
    LargeObjects,
    LoggedIn,
    Refusal,
    SegmentNames,
    Space,
    Urls,
)
from bulkput.stores.swift.account import Account
from bulkput.stores.swift.requests import ContainerRequests, container_url
from bulkput.stores.swift.wire_format import SEGMENTS, section

if TYPE_CHECKING:
    from bulkput.payload.reading import Fetched
    from bulkput.policy.temp_url import Wish
    from bulkput.stores.base import Configured
    from bulkput.stores.swift.compose import Composer
    from bulkput.stores.swift.large import SegmentedObjects
    from bulkput.stores.swift.store import SwiftStore

Rows = Callable[[str, Mapping[str, str]], AsyncGenerator[RemoteObject | Prefix, None]]


class SeldomUsed:
    """Passes each call on to where it is answered."""

    def __init__(
        self, store: "SwiftStore", container: str, account: Account, requests: ContainerRequests, rows: Rows
    ) -> None:
        self._store = store
        self._container = container
        self._account = account
        self._requests = requests
        self._rows = rows

    @cached_property
    def _segmented(self) -> "SegmentedObjects":
        from bulkput.stores.swift.large import SegmentedObjects  # noqa: PLC0415 - see above

        return SegmentedObjects(self._store, self._container, self._requests)

    @cached_property
    def _composer(self) -> "Composer":
        from bulkput.stores.swift.compose import Composer  # noqa: PLC0415 - see above

        return Composer(self._requests.ask, self._rows, self._store.rendered)

    @property
    def large(self) -> LargeObjects:
        return LargeObjects(
            begin=self._begin,
            list_parts=self._list_parts,
            send_part=self._send_part,
            complete=self._complete,
            abort=self._abort,
        )

    @property
    def composing(self) -> Composing:
        return Composing(self._container + SEGMENTS, _renamed, self._compose, self._prepare)

    @property
    def names(self) -> SegmentNames:
        return SegmentNames(self._container + SEGMENTS, _group_of, _keys_of, _cut_key)

    async def hand_over(self, refused: "Configured | None") -> "Configured":
        from bulkput.stores.swift.handed_token import as_variables, value_of  # noqa: PLC0415 - see above

        token = await self._account.handed(value_of(refused) if refused is not None else None)
        return as_variables(token, self._store.context.wire)

    @property
    def access(self) -> Access:
        return Access(
            url=self._account.entry_url,
            user=self._account.user,
            wire=self._store.context.wire,
            log_in=self._log_in,
            info=self._info,
            look=self._look,
            look_at_account=self._look_at_account,
        )

    @property
    def urls(self) -> Urls:
        return Urls(self._base_url, self._is_public)

    async def fetch(self, key: str, most: int) -> "Fetched | None":
        from bulkput.stores.swift.fetching import fetch  # noqa: PLC0415 - see above

        return await fetch(self._requests.ask, key, most)

    async def link(self, key: str, target: str, headers: ObjectHeaders) -> Stored:
        """An empty object with X-Symlink-Target (Swift's middleware `symlink`)."""
        if "symlink" not in await self._requests.info():
            raise Unsupported("put", key, "this server has no links")
        extra = (*headers.extra, ("X-Symlink-Target", quote(target)))
        return await self._store.put(key, BytesBody.of(b""), replace(headers, extra=extra))

    async def segments(self, key: str, container: str | None = None) -> tuple[Segment, ...]:
        return await self._composer.segments(key, container)

    async def segments_below(self, path: str) -> tuple[Segment, ...]:
        return await self._composer.segments_below(path)

    async def containers(self, start_after: str) -> ContainerPage:
        from bulkput.stores.swift import containers  # noqa: PLC0415 - see above

        return await containers.page_after(self._requests.ask, start_after)

    async def look_at_container(self, container: str) -> ContainerFacts:
        from bulkput.stores.swift import containers  # noqa: PLC0415 - see above

        return await containers.look_at(self._requests.ask, container)

    async def expire(self, key: str, at_s: int, listed: RemoteObject) -> int:
        from bulkput.stores.swift.expiring import Expiring  # noqa: PLC0415 - see above

        return await Expiring(self._requests.ask).expire(key, at_s, listed)

    async def _log_in(self) -> LoggedIn:
        token = await self._account.token()
        return LoggedIn(storage_url=token.storage_url, lives_s=token.lives_s, cannot_renew=self._account.cannot_renew)

    async def refuses_existing(self) -> Refusal:
        """Swift looks for the object when a PUT begins, and stores what has arrived when it ends (swift/obj/server.py).
        Ceph's gateway, whose `/info` has another name for this limit, ignores If-None-Match (version 16)."""
        is_swift = "max_object_name_length" in section(await self._requests.info(), "swift")
        return Refusal.AT_REST if is_swift else Refusal.NEVER

    async def _info(self) -> Mapping[str, Any]:
        return await self._requests.info()

    async def _look(self) -> ContainerFacts:
        return await self.look_at_container(self._container)

    async def _base_url(self) -> str:
        return container_url(await self._requests.storage_url(), self._container)

    async def _is_public(self) -> bool:
        """Whether the container has the ACL for everyone (swift/common/middleware/acl.py). The ACL is shown to owners
        only, and some who may write may not even look."""
        try:
            facts = await self._look()
        except (NotFound, Denied):
            return False
        return ".r:*" in [part.strip() for part in facts.readers.split(",")]

    async def _look_at_account(self, policy: str | None) -> Mapping[str, Space]:
        from bulkput.stores.swift import containers  # noqa: PLC0415 - see above

        return await containers.look_at_account(self._requests.ask, policy)

    async def temporary_url(self, name: str, wish: "Wish") -> str:
        from bulkput.stores.swift.signing import Signing  # noqa: PLC0415 - see above

        return await Signing(self._container, self._requests, self._store.context).temporary_url(name, wish)

    async def _begin(self, key: str, version: str, headers: ObjectHeaders) -> LargeUpload:
        return await self._segmented.begin(key, version, headers)

    async def _list_parts(self, upload: LargeUpload) -> tuple[StoredPart, ...]:
        return await self._segmented.list_parts(upload)

    async def _send_part(self, upload: LargeUpload, number: int, body: Body) -> StoredPart:
        return await self._segmented.send_part(upload, number, body)

    async def _complete(self, upload: LargeUpload, parts: Sequence[StoredPart], headers: ObjectHeaders) -> Stored:
        return await self._segmented.complete(upload, parts, headers)

    async def _abort(self, upload: LargeUpload) -> None:
        await self._segmented.abort(upload)

    async def _prepare(self) -> None:
        await self._segmented.prepare()

    async def _compose(
        self, key: str, segments: Sequence[Segment], headers: ObjectHeaders, *, below: str | None = None
    ) -> Stored:
        return await self._composer.compose(key, segments, headers, below=below)


def _renamed(name: str, old: str, new: str, *, max_bytes: int) -> str:
    from bulkput.stores.swift.part_names import renamed  # noqa: PLC0415 - see above

    return renamed(name, old, new, max_bytes=max_bytes)


def _group_of(name: str) -> tuple[str, bool] | None:
    from bulkput.stores.swift.part_names import group_of  # noqa: PLC0415 - see above

    return group_of(name)


def _keys_of(group: str) -> tuple[str, ...]:
    from bulkput.stores.swift.part_names import keys_of  # noqa: PLC0415 - see above

    return keys_of(group)


def _cut_key(group: str) -> str | None:
    from bulkput.stores.swift.part_names import cut_key  # noqa: PLC0415 - see above

    return cut_key(group)
