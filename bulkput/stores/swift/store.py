"""One Swift container as a Store: exactly one PUT per object, proven by its MD5."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from bulkput.doing import doing
from bulkput.errors import Denied, IntegrityError, StoreError, Unavailable, UsageError
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Segment, Stored
from bulkput.payload.digest import DigestingBody
from bulkput.policy.headers import overlaid
from bulkput.stores.base import Destination, StoreContext
from bulkput.stores.secrets import without_secrets
from bulkput.stores.status import error_from_response, error_from_transport
from bulkput.stores.swift.auth import Account, Token, login_from
from bulkput.transport.base import MAX_ANSWER, Answer, Transport, TransportError

Page = Sequence[RemoteObject | Prefix]

_PAGE = 10_000
"""Names per listing request: Swift's default container_listing_limit; a cluster with less answers 412."""
_MAX_PAGE_BYTES = 64 * 1024 * 1024
"""10 000 rows, each with a name of up to 1024 bytes (six characters each when escaped in JSON) and its metadata."""

_MAX_MANIFEST_BYTES = 32 * 1024 * 1024
"""Four times what Swift takes as a manifest (max_manifest_size): it tells more of each segment than it was told."""
_META = "X-Object-Meta-"


@dataclass(frozen=True, slots=True)
class _Request:
    """A request to the container, or to the object `key` in it."""

    method: str
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    max_answer: int = MAX_ANSWER


class SwiftStore:
    """Objects of one container, which is made by `prepare` if it is not there."""

    def __init__(self, container: str, account: Account, transport: Transport, *, policy: str | None = None) -> None:
        self.limits = Limits()
        self._container = container
        self._account = account
        self._transport = transport
        self._policy = policy
        self._asked: Limits | None = None
        self._made = 0
        self.was_made = False
        self._making = asyncio.Lock()

    def __repr__(self) -> str:
        return f"SwiftStore({self._container!r})"

    @property
    def place(self) -> str:
        return self._account.place

    async def prepare(self) -> None:
        """PUT the container: 201 new, 202 already there (Swift API, "Create container")."""
        headers = {"Content-Length": "0"} | ({"X-Storage-Policy": self._policy} if self._policy else {})
        answer = await self._request("make container", _Request("PUT", headers=headers))
        if answer.status in (201, 202):
            self._made += 1
            self.was_made = self.was_made or answer.status == 201
            return
        if answer.status in (401, 403):
            # The right to write objects may be there without the right to make containers (ACLs): then the
            # first object decides.
            return
        if self._policy and answer.status in (400, 409):
            raise UsageError(await self._policy_hint(answer.status))
        raise error_from_response("make container", self._container, answer)

    async def undo_prepare(self) -> None:
        """DELETE the container that `prepare` got a 201 for; 409 means that it is not empty, and it stays."""
        if not self.was_made:
            return
        answer = await self._request("remove container", _Request("DELETE"))
        if answer.status not in (204, 404, 409):
            raise error_from_response("remove container", self._container, answer)
        self.was_made = answer.status == 409

    @doing("making the container again")
    async def _make_again(self, made: int) -> None:
        """After a 404: someone deleted the container, or a proxy remembers that it was not there. However
        many workers met it, the container that was made as number `made` is replaced once."""
        async with self._making:
            if self._made == made:
                await self.prepare()

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        digesting = DigestingBody(body)
        fields = _render(headers)
        if body.md5 is not None:
            fields["ETag"] = body.md5
        made = self._made
        answer = await self._request("put", _Request("PUT", key, fields), digesting)
        if answer.status == 404:
            await self._make_again(made)
            raise Unavailable("put", key, "the container was not there, and is made again", status=404)
        request_id = answer.headers.get("X-Trans-Id")
        sent_md5 = await digesting.sent_md5()
        if answer.status != 201:
            raise _put_error(key, answer, sent_md5)
        etag = (answer.headers.get("ETag") or "").strip('"').lower()
        if etag != sent_md5:
            raise IntegrityError("put", key, expected=sent_md5, actual=etag or None, status=201, request_id=request_id)
        return Stored(key, digesting.sent_bytes, etag, request_id)

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        """One GET per 10 000 names. A short page need not be the last (some clones end early), an empty one is."""
        query = {"format": "json", "limit": str(_PAGE), "prefix": prefix}
        if delimiter is not None:
            query["delimiter"] = delimiter
        while True:
            if start_after is not None:
                query["marker"] = start_after
            page = await self._page(prefix, query)
            if not page:
                return
            for item in page:
                yield item
            start_after = page[-1].name

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            answer = await self._request("delete", _Request("DELETE", key))
            if answer.status not in (204, 404):
                raise error_from_response("delete", key, answer)

    async def stat(self, key: str) -> RemoteObject | None:
        answer = await self._request("stat", _Request("HEAD", key))
        if answer.status == 404:
            return None
        if answer.status not in (200, 204):
            raise error_from_response("stat", key, answer)
        return _described(key, answer.headers)

    async def segments(self, key: str) -> tuple[Segment, ...]:
        """The manifest as it was written: what its segments have become since, only reading them would tell."""
        request = _Request("GET", key, query="?multipart-manifest=get", max_answer=_MAX_MANIFEST_BYTES)
        answer = await self._request("manifest", request)
        if answer.status != 200:
            raise error_from_response("manifest", key, answer)
        try:
            if _large(answer.headers) == "static":
                return tuple(map(_segment, json.loads(answer.body)))
        except (ValueError, TypeError, KeyError):
            pass
        raise StoreError("manifest", key, "the answer is not the manifest of a large object", status=answer.status)

    async def ask_limits(self) -> Limits:
        """`GET /info`, once; the defaults where a cluster hides it or answers nonsense."""
        if self._asked is None:
            info = await self._info()
            self._asked = Limits(
                max_name_bytes=_positive(info.get("max_object_name_length"), self.limits.max_name_bytes),
                max_object_bytes=_positive(info.get("max_file_size"), self.limits.max_object_bytes),
            )
        return self._asked

    async def aclose(self) -> None:
        """The transport belongs to whoever made it."""

    async def _page(self, prefix: str, query: Mapping[str, str]) -> Page:
        request = _Request("GET", query="?" + urlencode(query), max_answer=_MAX_PAGE_BYTES)
        answer = await self._request("list", request)
        if answer.status != 200:
            raise error_from_response("list", prefix or self._container, answer)
        try:
            return [_listed(row) for row in json.loads(answer.body)]
        except (ValueError, TypeError, KeyError):
            raise StoreError("list", prefix, "the answer is not a JSON listing", status=answer.status) from None

    async def _info(self) -> Mapping[str, Any]:
        """The cluster's `swift` section; empty where it cannot be had."""
        host = urlsplit((await self._account.token()).storage_url)
        try:
            answer = await self._transport.request("GET", f"{host.scheme}://{host.netloc}/info", {})
            found = json.loads(answer.body)["swift"] if answer.status == 200 else {}
        except (TransportError, ValueError, TypeError, KeyError):
            return {}
        return found if isinstance(found, dict) else {}

    async def _policy_hint(self, status: int) -> str:
        if status == 409:
            return f"container {self._container} exists with another storage policy than {self._policy!r}"
        policies = (await self._info()).get("policies")
        known = policies if isinstance(policies, list) else []
        names = ", ".join(str(policy.get("name")) for policy in known) or "the operator knows them"
        return f"the cluster has no storage policy {self._policy!r}; choose from: {names}"

    async def _request(self, operation: str, request: "_Request", body: Body | None = None) -> Answer:
        """With the shared token; when it is refused, once more with a new one (radosgw says 403 for expired)."""
        token = await self._account.token()
        answer = await self._send(operation, request, token, body)
        if answer.status in (401, 403):
            renewed = await self._account.renewed(token)
            if renewed is not None:
                answer = await self._send(operation, request, renewed, body)
            elif answer.status == 401:
                hint = "OS_AUTH_TOKEN is not accepted any more: get a new one (`openstack token issue`, say)"
                raise Denied(operation, request.key or self._container, hint, status=401)
        return answer

    async def _send(self, operation: str, request: "_Request", token: Token, body: Body | None) -> Answer:
        path = "/" + quote(self._container, safe="")
        if request.key is not None:
            path += "/" + quote(request.key)
        url = f"{token.storage_url}{path}{request.query}"
        try:
            answer = await self._transport.request(
                request.method, url, {**request.headers, **token.fields}, body, max_answer=request.max_answer
            )
        except TransportError as error:
            # Not `from error`: what it came from holds the request as it was sent.
            raise error_from_transport(operation, request.key or self._container, error, sent=token.fields) from None
        return answer if answer.status < 300 else without_secrets(answer, token.fields)


def open_store(destination: Destination, context: StoreContext) -> SwiftStore:
    """Credentials by `swift/auth.py:login_from`. Raises UsageError: missing variables, an impossible container."""
    length = len(destination.root.encode())
    if length > 256:
        raise UsageError(f"the container name has {length} bytes, Swift takes 256")
    if any(name.lower() == "mtime" for name, _ in context.headers.meta):
        raise UsageError("--meta Mtime is the file's own modification time, which bulkput sets itself")
    account = Account(login_from(context.environ), context)
    return SwiftStore(destination.root, account, context.transport, policy=context.storage_policy)


def _put_error(key: str, answer: Answer, sent_md5: str) -> StoreError:
    if 200 <= answer.status < 300 and answer.status != 202:
        return IntegrityError("put", key, expected=sent_md5, actual=None, status=answer.status)
    error = error_from_response("put", key, answer, sent_md5=sent_md5)
    if answer.status == 202:
        error.detail = "the store has a newer version of this object"
    return error


def _render(headers: ObjectHeaders) -> dict[str, str]:
    """Swift's header names."""
    rendered = {_META + name: value for name, value in headers.meta}
    if headers.mtime_ns is not None:
        rendered["X-Object-Meta-Mtime"] = mtime_text(headers.mtime_ns)
    if headers.content_type:
        rendered["Content-Type"] = headers.content_type
    if headers.encoding:
        rendered["Content-Encoding"] = headers.encoding
    if headers.cache_control:
        rendered["Cache-Control"] = headers.cache_control
    if headers.expires_in_s is not None:
        rendered["X-Delete-After"] = str(headers.expires_in_s)
    return overlaid(rendered, headers.extra)


def mtime_text(mtime_ns: int) -> str:
    """swiftclient's form, `"%f" % os.path.getmtime(path)`, which `swift upload --changed` compares as text.

    Computed as Python computes st_mtime, in floats: `mtime_ns / 1e9` rounds otherwise once in some hundred files.
    """
    seconds, nanoseconds = divmod(mtime_ns, 1_000_000_000)
    return f"{seconds + 1e-9 * nanoseconds:f}"


def _positive(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and value > 0 else otherwise


def _listed(row: Mapping[str, Any]) -> RemoteObject | Prefix:
    if "subdir" in row:
        return Prefix(row["subdir"])
    return RemoteObject(
        row["name"],
        row["bytes"],
        row.get("hash"),
        row.get("content_type"),
        row.get("last_modified"),
        "static" if "slo_etag" in row else None,
    )


def _described(key: str, headers: Mapping[str, str]) -> RemoteObject:
    """The answer to a HEAD. For a large object Content-Length is the whole's, and its ETag is no MD5 of bytes."""
    etag, length = headers.get("ETag"), headers.get("Content-Length")
    return RemoteObject(
        name=key,
        bytes=int(length) if length is not None else None,
        hash=etag.strip('"') if etag else None,
        content_type=headers.get("Content-Type"),
        last_modified=headers.get("Last-Modified"),
        large=_large(headers),
        encoding=headers.get("Content-Encoding"),
        meta=tuple(
            (name[len(_META) :], value) for name, value in headers.items() if name.lower().startswith(_META.lower())
        ),
    )


def _large(headers: Mapping[str, str]) -> Literal["static", "dynamic"] | None:
    if headers.get("X-Static-Large-Object", "").lower() == "true":
        return "static"
    return "dynamic" if "X-Object-Manifest" in headers else None


def _segment(row: Mapping[str, Any]) -> Segment:
    """A row of a manifest: `range`, `sub_slo` and `data` mark those that are not one whole plain object."""
    if "data" in row or "range" in row or row.get("sub_slo"):
        return Segment(row.get("bytes", 0), None)
    return Segment(row["bytes"], row["hash"])
