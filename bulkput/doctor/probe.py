"""Writes one small object of our own, reads it back in every way, and removes it.

Its name has 128 random bits. It carries them as metadata, too (plain HTTP has none, so there its random bytes do that):
nothing is removed that does not show them. In Swift it expires after a day, in case nothing can remove it.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial

from bulkput.doctor import holds
from bulkput.doctor.finding import Finding
from bulkput.doctor.holds import Large
from bulkput.doctor.latency import Series
from bulkput.doctor.trouble import timed
from bulkput.errors import BulkputError, Denied, StoreError, Unavailable
from bulkput.model import ObjectHeaders, RemoteObject, Segment
from bulkput.payload.in_memory import BytesBody
from bulkput.stores.base import Store
from bulkput.stores.powers import Checked, Compose, LargeObjects

Checks = Callable[[str, BytesBody, ObjectHeaders], Awaitable[Mapping[str, Checked]]]
SIZE = 4096
"""Bytes of the probe: less than most files, and more than a packet."""
_META = "Bulkput-Doctor"
_LIFE_S = 86_400
_LISTED_WITHIN_S = 5.0
_LIST_EVERY_S = 0.5
_HEADS, _PUTS = 100, 20
"""As many as give a 99th percentile; fewer that write."""
_SERIES_S = 2.0
"""Seconds for one series of requests: a store that is far away answers fewer."""


class Probe:
    """The objects of one look. `remove_all` has to be called at the end, whatever happens before."""

    def __init__(self, store: Store, container: str, prefix: str, *, within_s: float) -> None:
        """`within_s` is the time limit of a read: a transport has none for a body that keeps coming."""
        self._store = store
        self._within_s = within_s
        self._container = container
        self._secret = os.urandom(16).hex()
        self._body = BytesBody.of(os.urandom(SIZE))
        base = f"{prefix}bulkput-doctor-{self._secret}"
        self._key = f"{base}-object"
        self._copy, self._static, self._dynamic = (f"{base}-{name}" for name in ("copy", "static", "dynamic"))
        self._parts = f"{base}-parts"
        self._has_begun = False
        """Whether parts of that one may be there, of which no listing tells."""
        self._may_be_there: dict[str, bool] = {}
        """The names that were sent; True if it is not known whether the store has taken them."""
        self.expires = store.powers.expire is not None
        self._headers = ObjectHeaders(
            content_type="application/octet-stream",
            expires_in_s=_LIFE_S if self.expires else None,
            meta=((_META, self._secret),) if store.keeps_metadata else (),
        )

    async def put(self) -> Finding:
        sent, seconds = await timed(self._put())
        return holds.put(sent, SIZE, seconds, proves=self._store.powers.checks_md5)

    async def _put(self) -> None:
        await self._sending(self._key, self._store.put(self._key, self._body, self._headers))

    async def get(self) -> Finding:
        content, seconds = await timed(self._read(self._key))
        if isinstance(content, bytes):  # the first one has made the client for downloads: up to 0.3 s of our own
            content, seconds = await timed(self._read(self._key))
        return holds.get(content, self._body.data, seconds)

    async def list(self) -> Finding:
        row, seconds = await timed(self._listed())
        return holds.listed(row, self._body, seconds)

    async def _listed(self) -> RemoteObject | None:
        """Swift's listings are eventually consistent: ask for a while."""
        until_s = time.monotonic() + _LISTED_WITHIN_S
        while True:
            async with aclosing(self._store.list(self._key)) as rows:
                async for row in rows:
                    if isinstance(row, RemoteObject) and row.name == self._key:
                        return row
            if time.monotonic() > until_s:
                return None
            await asyncio.sleep(_LIST_EVERY_S)

    async def copy(self) -> Finding:
        copy = self._store.powers.copy
        if copy is None:
            return holds.no_copy()

        async def copied() -> RemoteObject | None:
            await self._sending(self._copy, copy(self._key, self._container, self._copy, self._headers, SIZE))
            return await self._store.stat(self._copy)

        row, seconds = await timed(copied())
        return holds.copied(row, self._body, seconds)

    async def large(self, *, has_static: bool, takes_static: bool) -> Finding:
        """`has_static`: the store says that it has static large objects. `takes_static`: uploads use them there."""
        powers = self._store.powers
        composing = powers.composing
        if composing is None:
            return await self._in_parts(powers.large) if powers.large is not None else holds.no_large()
        began_s = time.perf_counter()
        path = f"{self._container}/{self._key}"
        static = dynamic = None
        is_checked = None
        if has_static:
            compose = partial(self._composed, composing.compose, self._static)
            static, _ = await timed(compose(self._body.md5))
            if isinstance(static, bytes):
                wrong, _ = await timed(compose(hashlib.md5(self._body.data + b"x").hexdigest()))
                if isinstance(wrong, bytes) or _is_refused(wrong):
                    is_checked = not isinstance(wrong, bytes)
        dynamic, _ = await timed(self._composed(composing.compose, self._dynamic, self._body.md5, below=path))
        seen = Large(static, dynamic, is_checked=is_checked, takes_static=takes_static)
        return holds.large(seen, self._body.data, time.perf_counter() - began_s)

    async def _in_parts(self, large: LargeObjects) -> Finding:
        """An object of one part, the last one, which may be as small as the probe."""

        async def sent() -> bytes:
            self._has_begun = True
            upload = await large.begin(self._parts, self._secret, self._headers)
            part = await large.send_part(upload, 1, self._body)
            await self._sending(self._parts, large.complete(upload, (part,), self._headers))
            self._has_begun = False
            return await self._read(self._parts)

        content, seconds = await timed(sent())
        return holds.in_parts(content, self._body.data, seconds)

    async def _composed(self, compose: Compose, key: str, md5: str, *, below: str | None = None) -> bytes:
        """The bytes of a large object of one segment, the probe."""
        segment = Segment(SIZE, md5, f"{self._container}/{self._key}")
        await self._sending(key, compose(key, (segment,), self._headers, below=below))
        return await self._read(key)

    async def checksums(self, checks: Checks) -> Finding:
        """Puts the probe again and again."""
        found, seconds = await timed(checks(self._key, self._body, self._headers))
        return holds.checksums(found, seconds)

    async def heads(self) -> Series:
        async def head() -> None:
            await self._store.stat(self._key)

        return await series("HEADs", head, at_most=_HEADS)

    async def puts(self) -> Series:
        return await series(f"PUTs of {SIZE // 1024} KiB", self._put, at_most=_PUTS)

    async def bulk_delete(self, *, is_offered: bool) -> Finding:
        """Removes all but the probe itself, by one request."""
        delete_many = self._store.powers.delete_many
        if delete_many is None or not is_offered:
            return holds.no_bulk_delete()
        keys: tuple[str, ...] = ()

        async def deleted() -> tuple[str, ...]:
            nonlocal keys
            keys = tuple([key for key in self._may_be_there if key != self._key and await self._is_ours(key)])
            left = await delete_many(keys) if keys else ()
            return tuple([key for key in keys if key in left or await self._is_there(key)])

        left, seconds = await timed(deleted())
        for key in keys:
            if not isinstance(left, BulkputError) and key not in left:
                del self._may_be_there[key]
        return holds.bulk_deleted(left, len(keys), seconds)

    async def delete(self) -> Finding:
        gone, seconds = await timed(self._remove(self._key))
        return holds.deleted(gone, seconds)

    @property
    def left(self) -> tuple[str, ...]:
        """The names of which it is not known that they are gone."""
        return tuple({**self._may_be_there, self._parts: True} if self._has_begun else self._may_be_there)

    async def remove_all(self) -> None:
        """Remove what is still there."""
        unfinished = self._store.powers.unfinished
        if self._has_begun and unfinished is not None:
            with suppress(BulkputError):
                async with aclosing(unfinished.list(self._parts)) as uploads:
                    for upload in [each async for each in uploads]:
                        await unfinished.abort(upload)
                self._has_begun = False
        for key in tuple(self._may_be_there):
            with suppress(BulkputError):  # it stays in `left`
                await self._remove(key)

    async def _remove(self, key: str) -> bool:
        """Remove the object if it is ours. Returns whether it is gone. Raises StoreError."""
        is_ours = await self._is_ours(key)
        # After a PUT that broke off nothing may be there yet: in Swift a DELETE that comes later wins over it.
        if is_ours or (is_ours is None and self._may_be_there[key]):
            await self._store.delete((key,))
        if await self._is_there(key):
            return False
        del self._may_be_there[key]
        return True

    async def _is_there(self, key: str) -> bool:
        """False also if that may not be seen: then a DELETE was answered with success. Raises StoreError."""
        try:
            return await self._store.stat(key) is not None
        except Denied:
            return False

    async def _is_ours(self, key: str) -> bool | None:
        """Whether the object shows our secret; None if there is none. Raises StoreError.

        True also if we may not look: then the answer to the PUT is the proof, for a name that nobody else knows.
        """
        try:
            row = await self._store.stat(key)
            if row is None:
                return None
            if self._store.keeps_metadata:
                return any(name.lower() == _META.lower() and value == self._secret for name, value in row.meta)
            return await self._read(key) == self._body.data
        except Denied:
            return not self._may_be_there[key]

    async def _read(self, key: str) -> bytes:
        get = self._store.powers.get_once
        if get is None:
            raise AssertionError("a store that gives nothing back gets no probe")
        content = b""
        try:
            async with asyncio.timeout(self._within_s), aclosing(get(key)) as chunks:
                async for chunk in chunks:
                    content += chunk
                    if len(content) > SIZE:  # not what was sent, and perhaps without an end
                        break
        except TimeoutError:
            raise Unavailable("get", key, f"only {len(content)} bytes in {self._within_s:g} s") from None
        return content

    async def _sending(self, key: str, sent: Awaitable[object]) -> None:
        """Await a request that makes the object `key`. Raises StoreError."""
        was_there = key in self._may_be_there
        self._may_be_there[key] = True
        try:
            await sent
        except StoreError as error:
            if _is_refused(error) and not was_there:
                del self._may_be_there[key]
            raise
        self._may_be_there[key] = False


def _is_refused(error: object) -> bool:
    """Whether the store has answered that it does not take what was sent."""
    return isinstance(error, StoreError) and error.status is not None and 400 <= error.status < 500


async def series(what: str, call: Callable[[], Awaitable[object]], *, at_most: int) -> Series:
    """Make a request again and again, until there are enough, the time is over, or it cannot succeed."""
    times: list[float] = []
    failed: list[str] = []
    until_s = time.perf_counter() + _SERIES_S
    while len(times) + len(failed) < at_most and time.perf_counter() < until_s:
        began_s = time.perf_counter()
        try:
            await call()
        except StoreError as error:
            failed.append(str(error))
            if not error.is_retryable:
                break
        else:
            times.append(time.perf_counter() - began_s)
    return Series(what=what, seconds=tuple(times), failed=tuple(failed))
