"""One Swift container as a Store: exactly one PUT per object, proven by its MD5."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Literal
from urllib.parse import quote, urlencode

from bulkput.activity import doing
from bulkput.errors import IntegrityError, StoreError, Unavailable, Unsupported, UsageError
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.payload.digest import DigestingBody
from bulkput.payload.in_memory import BytesBody
from bulkput.policy.etag import md5_of
from bulkput.policy.headers import check_value
from bulkput.policy.mtime import MTIME_TEXTS
from bulkput.stores.base import Destination, StoreContext
from bulkput.stores.powers import Powers
from bulkput.stores.second_look import SecondLook
from bulkput.stores.status import error_from_response
from bulkput.stores.swift import bulk
from bulkput.stores.swift.account import Account
from bulkput.stores.swift.environment import login_of
from bulkput.stores.swift.info import ClusterInfo
from bulkput.stores.swift.listing import MAX_PAGE_BYTES, ListingCursor, NotFurtherError, Rows
from bulkput.stores.swift.requests import ContainerRequests, Request, is_refused
from bulkput.stores.swift.seldom import SeldomUsed
from bulkput.stores.swift.wire_format import (
    described,
    forgets_expiry,
    fresh_head,
    from_json,
    kept,
    limits,
    page,
    render,
    section,
    unproven_put,
)
from bulkput.transport.base import Answer

_DELETE_WORK = 64 * 1024
"""Bytes that each object of a bulk-delete adds to the deadline: one second, at the rate used for deadlines."""
_COPY_QUERY = "?multipart-manifest=get&symlink=get"
"""Manifests and links are copied as such."""
_EXPIRY = frozenset(("x-delete-at", "x-delete-after"))
_ITSELF_QUERY = "?symlink=get&multipart-manifest=get"
"""The link and not its target, the manifest and not what it composes: then ETag and X-Timestamp are the listing's."""


class SwiftStore:
    """Objects of one container, which is made by `prepare` if it is not there."""

    def __init__(
        self,
        container: str,
        account: Account,
        context: StoreContext,
        *,
        made_with: Mapping[str, str] | None = None,
        cluster: ClusterInfo | None = None,
    ) -> None:
        """`made_with` are header fields of the request that makes the container."""
        self.context = context
        self.limits = limits({}, context.large.mode)
        self._container = container
        self._account = account
        self._made_with = made_with or {}
        self._cluster = cluster or ClusterInfo(account, context.transport)
        self._requests = ContainerRequests(container, account, context.transport, self._cluster)
        self._ask = self._requests.ask
        self._policy = context.storage_policy
        self._paging = {"limit": str(context.page_rows)} if context.page_rows is not None else {}
        self._mtime = MTIME_TEXTS[context.headers.mtime_format]
        self.made = 0
        """How often the container was made."""
        self.was_made = self._is_taken = False
        """Whether the PUT of the container was a conflict."""
        self.keeps_metadata = True
        self._making = asyncio.Lock()
        self._seldom = SeldomUsed(self, container, account, self._requests, self._rows)
        self._second_look = SecondLook(self._fresh_head, self.get, self.delete, shown=fresh_head)
        self._copies_by: Literal["COPY", "PUT"] | None = "COPY"
        """The method of a copy request; changed if the server refuses it. None: the server has no copy."""
        self._choosing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"SwiftStore({self._container!r})"

    @property
    def place(self) -> str:
        return self._account.place

    @property
    def powers(self) -> Powers:
        return Powers(
            stat_itself=self.stat_itself,
            segments=self._seldom.segments,
            segments_below=self._seldom.segments_below,
            stat_part=self.stat_part,
            settle=self._second_look.settle,
            expire=self._seldom.expire,
            get=self.get,
            get_once=self.get,
            fetch=self._seldom.fetch,
            read=self._requests.read,
            link=self._seldom.link,
            describe=self.describe,
            delete_many=self.delete_many,
            copy=self.copy,
            refuses_existing=self._seldom.refuses_existing,
            large=self._seldom.large if self.limits.max_parts > 1 else None,
            beside=self.beside,
            composing=self._seldom.composing,
            containers=self._seldom.containers,
            look_at_container=self._seldom.look_at_container,
            segment_names=self._seldom.names,
            found_place=self._account.found_place,
            access=self._seldom.access,
            urls=self._seldom.urls,
            hand_over=self._seldom.hand_over,
            temporary_url=self._seldom.temporary_url,
        )

    def beside(
        self, container: str, policy: str | None = None, made_with: Mapping[str, str] | None = None
    ) -> "SwiftStore":
        """Another container of the account. If it has to be made, then with this policy and these header fields."""
        context = replace(self.context, storage_policy=policy) if policy is not None else self.context
        return SwiftStore(container, self._account, context, made_with=made_with, cluster=self._cluster)

    def rendered(self, headers: ObjectHeaders) -> dict[str, str]:
        """The header fields of a PUT of an object."""
        return render(headers, mtime=self._mtime)

    async def prepare(self) -> None:
        """PUT the container: 201 new, 202 already there (Swift API, "Create container")."""
        headers = {"X-Storage-Policy": self._policy} if self._policy else {}
        answer = await self._ask("make container", Request("PUT", headers={**headers, **self._made_with}))
        if answer.status in (201, 202):
            self.made += 1
            self.was_made = self.was_made or answer.status == 201
            return
        if answer.status == 403:
            # ACLs may allow writing objects but not making containers: the first PUT of an object decides.
            return
        if answer.status == 409 and await self._is_as_wanted():
            # Ceph's gateway says so of one with an ACL, and of another account's: they share the names of containers.
            self._is_taken = True
            return
        if self._policy and answer.status in (400, 409):
            raise UsageError(await self._policy_hint(answer.status))
        error = error_from_response("make container", self._container, answer)
        if answer.status == 400 and not self._made_with:
            raise UsageError(f"the store takes no container of the name {self._container!r}: {error.detail}")
        raise error

    async def _is_as_wanted(self) -> bool:
        """Whether the container, which is there, may have the policy that was asked for."""
        if not self._policy:
            return True
        answer = await self._ask("stat", Request("HEAD"))
        return answer.status in (200, 204) and answer.headers.get("X-Storage-Policy") == self._policy

    async def undo_prepare(self) -> None:
        """DELETE the container that `prepare` got a 201 for; 409 means that it is not empty, and it stays."""
        if not self.was_made:
            return
        answer = await self._ask("remove container", Request("DELETE"))
        if answer.status not in (204, 404, 409):
            raise error_from_response("remove container", self._container, answer)
        self.was_made = answer.status == 409

    async def made_again(self, key: str, made: int) -> StoreError:
        """Make the container again after a 404: it was deleted, or a proxy has cached its absence. Returns the error of
        the request for the object `key`, which can be repeated.

        If several workers get the 404, only the first makes the container: `made` is the count that they saw before."""
        with doing("making the container again"):
            async with self._making:
                if self.made == made:
                    await self.prepare()
        return Unavailable("put", key, "the container was not there, and is made again", status=404)

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        digesting = DigestingBody(body)
        fields = render(headers, mtime=self._mtime)
        if body.md5 is not None:
            fields["ETag"] = body.md5
        made = self.made
        answer = await self._ask("put", Request("PUT", key, fields), digesting)
        if answer.status == 404:
            raise await self.made_again(key, made)
        request_id = answer.headers.get("X-Trans-Id")
        sent_md5 = await digesting.sent_md5()
        if answer.status != 201:
            raise _put_error(key, answer, sent_md5, is_taken=self._is_taken)
        etag = answer.headers.get("ETag")
        if etag != sent_md5 and md5_of(etag) != sent_md5:
            put = unproven_put(answer.headers, sent_md5, digesting.sent_bytes)
            await self._second_look.prove(key, put, answer, request_id=request_id)
        return Stored(key, digesting.sent_bytes, sent_md5, request_id)

    async def _fresh_head(self, key: str) -> Answer:
        """HEAD the newest replica (`X-Newest`), bypassing caches, and the link itself instead of its target."""
        fresh = {"X-Newest": "true", "Cache-Control": "no-cache"}
        return await self._ask("stat", Request("HEAD", key, fresh, "?symlink=get"))

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        """Send one GET per page. Without a `limit` the server sends as many names as it ever does: 10 000, in Swift and
        in Ceph's gateway, which sends 1 000 or 5 000 if it is asked for 10 000 (`rgw_max_listing_results`). Only an
        empty page ends the listing: some clones send short pages before the end.

        Raises StoreError if a page does not begin after the one before: a server that ignores `marker` never ends.
        """
        query = {"format": "json", "prefix": prefix, **self._paging, **({"delimiter": delimiter} if delimiter else {})}
        async with aclosing(self._rows(self._container, query, start_after)) as rows:
            async for row in rows:
                yield row

    async def _rows(
        self, container: str, query: Mapping[str, str], start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        cursor = ListingCursor(start_after)
        while rows := await self._page(container, query, cursor.marker):
            try:
                new = cursor.new_of(rows)
            except NotFurtherError:
                detail = "a page repeats what the one before it had: the server or a cache before it ignores the marker"
                raise StoreError("list", query["prefix"] or container, detail) from None
            for row in new:
                yield row

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            answer = await self._ask("delete", Request("DELETE", key))
            if answer.status not in (204, 404):
                raise error_from_response("delete", key, answer)

    async def delete_many(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Send one bulk-delete. Returns all keys unless the answer accounts for every one of them."""
        request = Request(
            "POST",
            headers=bulk.HEADERS,
            query=bulk.QUERY,
            max_answer=MAX_PAGE_BYTES,
            is_for_account=True,
            moves=len(keys) * _DELETE_WORK,
            is_refused=self._refuses_to_delete,
        )
        answer = await self._ask("delete", request, BytesBody.of(bulk.request_body(self._container, keys)))
        if answer.status != 200:
            raise error_from_response("delete", keys[0], answer)
        said = bulk.outcome(self._container, answer.body)
        if said is None:
            raise Unsupported("delete", keys[0], "the server did not answer as bulk-delete does", status=answer.status)
        return said.left_of(keys)

    def _refuses_to_delete(self, answer: Answer) -> bool:
        if answer.status != 200 or b"401" not in answer.body:
            return is_refused(answer)
        said = bulk.outcome(self._container, answer.body)
        return said is not None and said.is_refused

    async def copy(self, source: str, container: str, key: str, headers: ObjectHeaders, size: int) -> Stored:
        """By COPY with a Destination (Swift API, "Copy object"), and where that is refused as a method by PUT with
        X-Copy-From. What is sent replaces what the object has."""
        fields, there = render(headers, mtime=self._mtime), quote(container, safe="") + "/" + quote(key)
        if not _EXPIRY.intersection(map(str.lower, fields)) and forgets_expiry(await self._requests.info()):
            fields |= await self._expiry(source)
        if self._copies_by == "COPY":
            request = Request("COPY", source, fields | {"Destination": there}, _COPY_QUERY, moves=size)
            try:
                return await self._copied(source, key, size, request)
            except Unsupported:
                await self._choose_how_to_copy(container)
        if self._copies_by is None:
            raise Unsupported("copy", source, "this store knows neither COPY nor X-Copy-From")
        fields["X-Copy-From"] = quote(self._container, safe="") + "/" + quote(source)
        request = Request("PUT", key, fields, _COPY_QUERY, moves=size, container=container)
        return await self._copied(source, key, size, request)

    async def _expiry(self, key: str) -> dict[str, str]:
        """The field that makes a copy of the object expire when it does."""
        head = await self._head(Request("HEAD", key, query=_ITSELF_QUERY)) or {}
        return {"X-Delete-At": head["X-Delete-At"]} if "X-Delete-At" in head else {}

    async def _copied(self, source: str, key: str, size: int, request: Request) -> Stored:
        answer = await self._ask("copy", request)
        if answer.status != 201:
            raise error_from_response("copy", source, answer)
        if request.method == "PUT" and "X-Copied-From" not in answer.headers:
            raise Unsupported("copy", source, "X-Copy-From made an object that is not a copy", status=answer.status)
        return Stored(key, size, md5_of(answer.headers.get("ETag")), answer.headers.get("X-Trans-Id"))

    async def _choose_how_to_copy(self, container: str) -> None:
        """A copy of what is not there, to a name that nobody has: who knows X-Copy-From answers 404, who does not
        stores an empty object, which would replace one that matters if it were tried on that."""
        async with self._choosing:
            if self._copies_by != "COPY":
                return
            name = f".bulkput-{os.urandom(16).hex()}"
            fields = {"X-Copy-From": f"{quote(self._container, safe='')}/{name}-is-not-there"}
            answer = await self._ask("copy", Request("PUT", name, fields, container=container))
            if 200 <= answer.status < 300:
                await self._ask("delete", Request("DELETE", name, container=container))
            elif answer.status != 404 and (error := error_from_response("copy", name, answer)).is_retryable:
                raise error
            self._copies_by = "PUT" if answer.status == 404 else None

    async def stat(self, key: str) -> RemoteObject | None:
        return _row(key, await self._head(Request("HEAD", key)))

    async def stat_itself(self, key: str, container: str | None = None) -> RemoteObject | None:
        return _row(key, await self._head(Request("HEAD", key, query=_ITSELF_QUERY, container=container)))

    async def stat_part(self, path: str) -> RemoteObject | None:
        container, _, key = path.partition("/")
        return _row(key, await self._head(Request("HEAD", key, container=container)))

    async def describe(self, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
        headers = await self._head(Request("HEAD", key))
        row = _row(key, headers)
        return None if row is None or headers is None else (row, kept(headers, row.meta))

    async def _head(self, request: Request) -> Mapping[str, str] | None:
        """The header fields of a HEAD; None after a 404."""
        answer = await self._ask("stat", request)
        if answer.status not in (200, 204, 404):
            raise error_from_response("stat", request.key or "", answer)
        return answer.headers if answer.status != 404 else None

    def get(self, key: str) -> AsyncGenerator[bytes, None]:
        return self._requests.read(key)

    async def ask_limits(self) -> Limits:
        """The limits of `GET /info`, requested once."""
        return limits(await self._requests.info(), self.context.large.mode)

    async def aclose(self) -> None: ...  # the caller owns the transport

    async def _page(self, container: str, query: Mapping[str, str], marker: str | None) -> Rows:
        if marker is not None:
            query = {**query, "marker": marker}
        request = Request("GET", query="?" + urlencode(query), max_answer=MAX_PAGE_BYTES, container=container)
        answer = await self._ask("list", request)
        if answer.status == 204:  # as some clones say that there is nothing (more)
            return []
        if answer.status != 200:
            raise error_from_response("list", query["prefix"] or container, answer)
        try:
            return page(from_json(answer.body))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            detail = "the answer is not a JSON listing"
            raise StoreError("list", query["prefix"], detail, status=answer.status) from None

    async def _policy_hint(self, status: int) -> str:
        if status == 409:
            return f"container {self._container} exists with another storage policy than {self._policy!r}"
        policies = section(await self._requests.info(), "swift").get("policies")
        known = policies if isinstance(policies, list) else []
        names = ", ".join(str(policy.get("name")) for policy in known) or "the operator knows them"
        return f"the cluster has no storage policy {self._policy!r}; choose from: {names}"


def open_store(destination: Destination, context: StoreContext) -> SwiftStore:
    """Credentials by `environment.py:login_of`. Raises UsageError for them, an impossible container or policy."""
    check_place(destination.root, context)
    if context.storage_policy:
        check_value(context.storage_policy, what="`storage_policy`")
    return SwiftStore(destination.root, Account(login_of(context), context), context)


def check_place(container: str, context: StoreContext) -> None:
    """Raises UsageError for an impossible container, and metadata that bulkput sets itself."""
    length = len(container.encode())
    if length > 256:
        raise UsageError(f"the container name has {length} bytes, Swift takes 256")
    if any(name.lower() == "mtime" for name, _ in context.headers.meta):
        raise UsageError("`headers.meta` Mtime is the file's own modification time, which bulkput sets itself")


def _row(key: str, headers: Mapping[str, str] | None) -> RemoteObject | None:
    return described(key, headers) if headers is not None else None


def _put_error(key: str, answer: Answer, sent_md5: str, *, is_taken: bool) -> StoreError:
    if 200 <= answer.status < 300 and answer.status != 202:
        detail = "Swift answers 201 to what it has stored: this answer is of something before it, and proves nothing"
        return IntegrityError("put", key, expected=sent_md5, actual=None, status=answer.status, detail=detail)
    error = error_from_response("put", key, answer, sent_md5=sent_md5)
    if answer.status == 202:
        error.detail = "the store has a newer version of this object"
    if answer.status == 403 and is_taken:
        error.detail += "; the container may be another account's: then choose another name"
    return error
