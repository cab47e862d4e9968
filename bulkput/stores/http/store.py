"""A base URL as a store: one PUT for each object, one OPTIONS and one HEAD for each run.

A success proves only that the server answered the PUT with success after the whole body was sent. ETags of such
servers are no MD5s (nginx makes them from mtime and size), so bytes are not compared: verify the upload afterwards.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import TYPE_CHECKING

from bulkput.activity import doing
from bulkput.errors import (
    BulkputError,
    Conflict,
    Exists,
    IntegrityError,
    NotFound,
    StoreError,
    StoreGone,
    Unavailable,
    Unsupported,
    UsageError,
)
from bulkput.model import Body, Limits, ObjectHeaders, Prefix, RemoteObject, Stored
from bulkput.payload.digest import CountingBody
from bulkput.policy.directories import MARKER_TYPE
from bulkput.policy.headers import check_value, overlaid
from bulkput.policy.plain_http import (
    STORED,
    Checksums,
    PathKind,
    is_about_checksum,
    is_page,
    path_kind_of,
    refuses_checksum,
    refuses_to_replace,
    stored_otherwise,
    why_not_stored,
    writes_in_place,
)
from bulkput.stores.base import Destination, StoreContext
from bulkput.stores.http.credentials import authorization_of
from bulkput.stores.http.directories import PARENT_MISSING, Directories
from bulkput.stores.http.shared import SharedCall
from bulkput.stores.http.site import Site, parent_of, path_of
from bulkput.stores.http.staging import can_be_moved_to, discard, move, staged
from bulkput.stores.http.webdav import Kind, kind_of
from bulkput.stores.http.wire_format import kept, row_of
from bulkput.stores.powers import Access, ContainerFacts, Powers, Refusal, Urls
from bulkput.stores.reason import why as reason_of
from bulkput.stores.status import error_from_response
from bulkput.transport.base import Answer, Transport, length_of
from bulkput.transport.pacing import sends_again

if TYPE_CHECKING:
    from bulkput.payload.reading import Fetched, Span

_NO_LIMIT = 2**63
_PASSES = (408, 429, 502, 503, 504)
"""Temporary answers to OPTIONS and HEAD: they say nothing about the server or the object."""
_NOT_STORED = "the server answered {} to the PUT, but {}: is this a login page or a proxy?"


class HttpStore:
    """Objects below one base URL. `list` raises Unsupported: plain HTTP has no listing."""

    limits = Limits(max_name_bytes=_NO_LIMIT, max_object_bytes=_NO_LIMIT)
    was_made = False
    keeps_metadata = False

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        authorization: str | None,
        *,
        is_known: bool = False,
        sends_checksums: bool = False,
    ) -> None:
        """`is_known`: skip the OPTIONS and the HEAD that examine the server, see `WireOptions.examines_http`.
        `sends_checksums`: see `UploadOptions.checksum_headers`."""
        self._site = Site(base_url, transport, authorization)
        self._directories = Directories(self._site)
        self._is_staging: bool | None = False if is_known else None
        """Whether objects are first put under a temporary name; None if not known yet."""
        self._sends_checksums = sends_checksums
        self._knows_webdav = True
        """True until the answer to a PROPFIND says otherwise."""
        self._is_proven = is_known
        """Whether a HEAD has proven one object of this run."""
        self._learning, self._proving = SharedCall(), SharedCall()

    def __repr__(self) -> str:
        return f"HttpStore({self._site.base_url!r})"

    @property
    def place(self) -> str:
        return ""

    @property
    def powers(self) -> Powers:
        return Powers(
            checks_md5=False,
            get=self.get,
            get_once=self.get,
            fetch=self.fetch,
            read=self.read,
            describe=self.describe,
            make_directory=self.make_directory,
            check_removable=self.check_removable,
            refuses_existing=self.refuses_existing,
            access=Access(url=self._site.base_url, user=self._site.credentials, look=self._look),
            urls=Urls(self._base_url, self._is_public),
        )

    async def refuses_existing(self) -> Refusal:
        """Some servers do (Apache, repositories), others overwrite (nginx), and nothing tells which."""
        return Refusal.NEVER

    async def _base_url(self) -> str:
        return self._site.base_url

    async def _is_public(self) -> bool:
        """Taken for public: a link costs nothing where it is not."""
        return True

    async def prepare(self) -> None:
        """Does nothing: a directory is made when a PUT needs it."""

    async def undo_prepare(self) -> None:
        """Does nothing: the store does not record which directories it made."""

    async def put(self, key: str, body: Body, headers: ObjectHeaders) -> Stored:
        url = self._site.url("put", key)
        counted = CountingBody(body) if body.size is None else None
        if self._is_staging is None:
            with doing("asking whether the server writes in place"):
                await self._learning.run(lambda: self._learn(key), key)
        put = self._put_staged if self._is_staging and can_be_moved_to(url) else self._put_at
        sums = await _checksums_of(body) if self._sends_checksums else None
        answer = await put(url, key, counted or body, _render(headers, sums))
        if sums is not None and (why := stored_otherwise(answer.body, sums, key)) is not None:
            raise IntegrityError("put", key, why, expected=sums.md5, status=answer.status)
        size = counted.sent_bytes if counted is not None else length_of(body)
        if not self._is_proven:
            md5 = sums.md5 if sums is not None else body.md5
            with doing("looking at the first object"):
                await self._proving.run(lambda: self._prove(url, key, answer.status, size, md5), key)
        return Stored(key, size, None, answer.headers.get("X-Request-Id"))

    async def make_directory(self, key: str) -> Stored:
        """See `stores/powers.py`."""
        await self._directories.make(self._site.url("put", key) + "/", key)
        return Stored(key, 0, None, None)

    async def _learn(self, key: str) -> None:
        """Ask by OPTIONS whether the server writes in place. A missing base URL tells nothing: ask its parents."""
        url: str | None = self._site.base_url
        while url is not None:
            answer = await self._site.ask("OPTIONS", url, {}, operation="put", key=key)
            if answer.status in _PASSES:
                raise error_from_response("put", key, answer)
            url = parent_of(url) if answer.status in PARENT_MISSING else None
        self._is_staging = writes_in_place(answer.status, answer.headers)

    async def _put_at(self, url: str, key: str, body: Body, fields: Mapping[str, str]) -> Answer:
        """PUT to `url`. If its directory is missing, make it and PUT again. Raises StoreError if the PUT fails."""
        made = self._directories.made
        # Make the directory first if this server needs that, or before a streamed body, which would be sent in vain.
        if made or (self._is_staging and body.data is None):
            await self._directories.make(parent_of(url) or url, key)
        answer = await self._site.ask("PUT", url, fields, body, operation="put", key=key)
        if answer.status in PARENT_MISSING and not _is_about_the_file(key, answer):
            parent = parent_of(url) or url
            if not self._directories.is_known(parent) or made != self._directories.made:
                await self._make_for(parent, key, answer)
                sends_again("PUT")
                answer = await self._site.ask("PUT", url, fields, body, operation="put", key=key)
        if answer.status not in STORED:
            raise _put_error(key, answer)
        if answer.status == 200 and is_page(answer.headers, answer.body):
            if not self._is_proven:
                raise StoreGone("put", key, _NOT_STORED.format(200, "with a page"))
            raise Unavailable("put", key, "the server answered with a page", status=200)
        return answer

    async def _make_for(self, parent: str, key: str, answer: Answer) -> None:
        """Make the directory whose absence may have failed a PUT. Raises StoreError if it cannot be made."""
        try:
            await self._directories.make(parent, key, because=answer.status)
        except (Conflict, NotFound) as why:
            if answer.status != 500:
                raise
            # A 500 may have a temporary cause: raise the retryable error, with the reason appended.
            error = error_from_response("put", key, answer)
            error.detail += f"; {why.detail}"
            raise error from None

    async def _put_staged(self, url: str, key: str, body: Body, fields: Mapping[str, str]) -> Answer:
        """PUT to a temporary name, then move to `url`. If the server has no MOVE, PUT to `url` itself."""
        part = staged(url)
        try:
            await self._put_at(part, key, body, fields)
            moved = await move(self._site, part, url, key, only_new="If-None-Match" in fields)
        except BulkputError as error:
            await discard(self._site, part, error)
            raise
        if moved is not None:
            return moved
        self._is_staging = False
        sends_again("PUT")
        return await self._put_at(url, key, body, fields)

    async def _prove(self, url: str, key: str, status: int, size: int, md5: str | None) -> None:
        """Send one HEAD. Raises StoreGone if the object is not what was sent."""
        look = await self._site.ask("HEAD", url, {}, operation="put", key=key)
        if look.status in _PASSES:
            raise error_from_response("put", key, look)
        why = why_not_stored(status, look.status, look.headers, size=size, md5=md5)
        if why is not None:
            raise StoreGone("put", key, _NOT_STORED.format(status, why))
        self._is_proven = True

    def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        where = self._site.base_url + prefix
        raise Unsupported("list", where, "plain HTTP has no listing; use swift:// if you need one")

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects. Raises StoreError for a possible directory: its DELETE would remove everything below it."""
        for key in keys:
            url = self._site.url("delete", key)
            if not await self._is_removable(url, key):
                continue
            # Depth 0: if it has become a directory since, most servers refuse the DELETE (RFC 4918, 9.6.1).
            answer = await self._site.ask("DELETE", url, {"Depth": "0"}, operation="delete", key=key)
            if answer.status == 202:
                raise StoreError("delete", key, "the server may remove it later", status=202)
            if answer.status not in (*STORED, 404):
                raise error_from_response("delete", key, answer)
            if answer.status == 200 and is_page(answer.headers, answer.body):
                raise Unavailable("delete", key, "the server answered with a page", status=200)

    async def check_removable(self, key: str) -> None:
        """See `stores/powers.py`."""
        await self._is_removable(self._site.url("delete", key), key)

    async def _is_removable(self, url: str, key: str) -> bool:
        """True for a file, False if nothing exists. Raises StoreError if it is not proven to be a file."""
        if self._knows_webdav:
            kind = await kind_of(self._site, url, operation="delete", key=key)
            if kind is Kind.FILE:
                return True
            if kind is Kind.DIRECTORY:
                raise StoreError("delete", key, "it is, or may be, a directory: everything below it would be removed")
            self._knows_webdav = kind is not Kind.NO_WEBDAV
        look = await self._site.ask("HEAD", url, {}, operation="delete", key=key)
        path_kind = path_kind_of(look.status, look.headers)
        if path_kind is PathKind.ASK_SLASH:
            slash = await self._site.ask("HEAD", url + "/", {}, operation="delete", key=key)
            path_kind = path_kind_of(look.status, look.headers, slash_status=slash.status)
        if isinstance(path_kind, str):
            raise StoreError("delete", key, f"{path_kind}; everything below it would be removed")
        return path_kind is PathKind.FILE

    async def stat(self, key: str) -> RemoteObject | None:
        described = await self.describe(key)
        return described[0] if described is not None else None

    async def describe(self, key: str) -> tuple[RemoteObject, ObjectHeaders] | None:
        url = self._site.url("stat", key)
        answer = await self._site.ask("HEAD", url, {}, operation="stat", key=key)
        if answer.status == 404:
            return None
        if answer.status in (301, 302, 307, 308) and _leads_to_slash(url, answer.headers.get("Location", "")):
            return _directory(key)
        if answer.status != 200:
            raise error_from_response("stat", key, answer)
        return row_of(key, answer.headers), kept(answer.headers)

    async def _look(self) -> ContainerFacts:
        """By a HEAD of the base URL. Many servers refuse to show a directory (403), or have no method for it (405)."""
        url = self._site.base_url
        answer = await self._site.ask("HEAD", url, {}, operation="stat", key=url)
        if answer.status >= 300 and answer.status not in (403, 405):
            raise error_from_response("stat", url, answer)
        return ContainerFacts(keeps_versions=False, now_ns=None)

    def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """The object's bytes. Only their number is checked."""
        return self.read(key)

    def read(self, key: str, *, version: str | None = None, span: "Span | None" = None) -> AsyncGenerator[bytes, None]:
        return self._site.read(self._site.url("get", key), key, version=version, span=span)

    async def fetch(self, key: str, most: int) -> "Fetched | None":
        from bulkput.stores.http.fetching import fetch  # noqa: PLC0415 - only a run that reads objects pays for it

        return await fetch(self._site, key, most)

    async def ask_limits(self) -> Limits:
        return self.limits

    async def aclose(self) -> None:
        """Does nothing: the caller owns the transport."""


def _said(answer: Answer) -> str:
    return reason_of(answer.status, answer.reason, answer.body)


async def _checksums_of(body: Body) -> Checksums:
    from bulkput.payload.checksums import checksums_of  # noqa: PLC0415 - few runs send checksums

    with doing("hashing"):
        return await checksums_of(body)


def _is_about_the_file(key: str, answer: Answer) -> bool:
    """Whether a refusal has another cause than a missing directory."""
    said = _said(answer)
    return refuses_to_replace(answer.status, said, key) or is_about_checksum(answer.status, said, key)


def _put_error(key: str, answer: Answer) -> StoreError:
    said = _said(answer)
    if refuses_checksum(answer.status, said, key):
        return IntegrityError("put", key, said, status=answer.status)
    if refuses_to_replace(answer.status, said, key):
        return Exists("put", key, f"the server lets nobody replace it: {said}", status=answer.status)
    if answer.status == 403:  # no Denied: it is about this path only; repositories forbid replacing a release
        return StoreError("put", key, said or "forbidden", status=403)
    return error_from_response("put", key, answer)


def _leads_to_slash(url: str, location: str) -> bool:
    """Whether a redirect leads to the same name with a slash, as a directory's does."""
    return path_of(location) == path_of(url) + "/"


def _directory(key: str) -> tuple[RemoteObject, ObjectHeaders]:
    return RemoteObject(key, 0, None, MARKER_TYPE, None), ObjectHeaders(content_type=MARKER_TYPE)


def open_store(destination: Destination, context: StoreContext) -> HttpStore:
    """Open a store with the credentials of `credentials.py`. Raises UsageError for options that plain HTTP lacks."""
    if context.storage_policy is not None:
        raise UsageError("`storage_policy` is for Swift only; an http(s) destination has no storage policy")
    if context.headers.meta or context.headers.expires_in_s is not None:
        raise UsageError(
            "plain HTTP keeps no user metadata and no expiry: `headers.meta` and `headers.expires_in_s` need swift://,"
            " also in `rules`"
        )
    if context.encodes:
        raise UsageError("plain HTTP keeps no Content-Encoding: use `gzip.store_as='suffix'`, or swift://")
    context.transport.check(destination.root)
    authorization = authorization_of(destination.root, context.environ, destination=context.destination)
    if authorization is not None:
        check_value(authorization, what="the credentials for plain HTTP", is_secret=True)
    is_known = not context.wire.examines_http
    return HttpStore(
        destination.root,
        context.transport,
        authorization,
        is_known=is_known,
        sends_checksums=context.checksum_headers,
    )


def _render(headers: ObjectHeaders, sums: Checksums | None) -> dict[str, str]:
    """Header names of plain HTTP, which has no field for the mtime."""
    rendered = sums.as_fields() if sums is not None else {}
    if headers.content_type:
        rendered["Content-Type"] = headers.content_type
    if headers.cache_control:
        rendered["Cache-Control"] = headers.cache_control
    if headers.only_new:
        rendered["If-None-Match"] = "*"
    return overlaid(rendered, headers.extra)
