"""Large objects: sent in parts, and composed by the store."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import Exists, IntegrityError, PartsRefused, StoreError
from bulkput.model import LargeUpload, ObjectHeaders, RemoteObject, StoredPart
from bulkput.policy.etag import composite_etag, composite_of
from bulkput.policy.skip import moment_ns
from bulkput.stores.base import Store
from bulkput.stores.powers import LargeObjects, Refusal
from bulkput.testing.given import CLOCKS_NS, HEADERS, HOSTILE_NAMES, ONCE, Pieces, StoreTests, Target, power, whole

_HEADERS = ObjectHeaders(content_type="text/x-contract", meta=(("Color", "red"),))


class LargeTests(StoreTests):
    def padded(self, *contents: bytes) -> tuple[bytes, ...]:
        """The contents of parts, each but for the last as long as the store's smallest part."""
        return (*(data.ljust(self.min_part_bytes, b".") for data in contents[:-1]), contents[-1])

    @pytest.mark.parametrize("contents", [(b"abc",), (b"a", b"b", b"c"), (b"x" * 70_000, b"y" * 70_000, b"z")])
    async def test_an_object_is_its_parts_in_the_order_of_their_numbers(
        self, target: Target, contents: tuple[bytes, ...]
    ) -> None:
        """However they were sent; it has the headers that it was completed with."""
        contents = self.padded(*contents)
        async with _large(target) as (store, large):
            begun = await large.begin("composed", "v1", _HEADERS)
            parts = [await large.send_part(begun, number, whole(data)) for number, data in _numbered(contents)[::-1]]
            assert await store.stat("composed") is None
            stored = await large.complete(begun, parts[::-1], _HEADERS)
            assert stored.size == len(b"".join(contents))
            assert await asyncio.to_thread(target.see, "composed") == b"".join(contents)
            row = await store.stat("composed")
            assert row is not None
            assert (row.bytes, row.content_type, row.large is not None) == (
                stored.size,
                "text/x-contract",
                self.shows_large,
            )
            assert row.hash == stored.etag
            assert ("color", "red") in [(name.lower(), value) for name, value in row.meta]

    @pytest.mark.parametrize("key", HOSTILE_NAMES)
    async def test_any_name_can_be_that_of_a_large_object(self, target: Target, key: str) -> None:
        """The names of its parts follow from it."""
        async with _large(target) as (_, large):
            contents = self.padded(b"one", b"two")
            try:
                await _composed(large, key, *contents)
            except StoreError:
                assert len(key.encode()) > self.max_large_name_bytes
                return
            assert await asyncio.to_thread(target.see, key) == b"".join(contents)

    async def test_a_version_finds_its_parts_again_and_those_of_no_other(self, target: Target) -> None:
        """So an upload that broke off goes on, and two versions never mix."""
        async with _large(target) as (_, large):
            begun = await large.begin("key", "v1", _HEADERS)
            sent = await large.send_part(begun, 2, Pieces((b"a", b"b")))
            assert sent == StoredPart(2, 2, "187ef4436122d1cc2f40dc2b92f0eba0")
            again = await large.begin("key", "v1", _HEADERS)
            assert again == begun
            assert [_what(part) for part in await large.list_parts(again)] == [_what(sent)]
            assert await large.list_parts(await large.begin("key", "v2", _HEADERS)) == ()
            assert await large.list_parts(await large.begin("key2", "v1", _HEADERS)) == ()
            assert await large.list_parts(await large.begin("ke", "y/v1", _HEADERS)) == ()

    async def test_a_part_is_replaced_by_another_of_its_number(self, target: Target) -> None:
        """An attempt may have stored it before."""
        async with _large(target) as (_, large):
            begun = await large.begin("key", "v1", _HEADERS)
            await large.send_part(begun, 1, whole(b"old"))
            new = await large.send_part(begun, 1, whole(b"newer"))
            await large.complete(begun, [new], HEADERS)
            assert await asyncio.to_thread(target.see, "key") == b"newer"

    async def test_parts_live_longer_than_their_object(self, target: Target) -> None:
        """Those of an object without an expiry have none. A store whose parts are no objects has nothing to show."""
        async with _large(target) as (store, large):
            if not self.expires:
                pytest.skip("no expiry")
            for key, life_s in (("kept", None), ("expires", 86_400)):
                headers = replace(_HEADERS, expires_in_s=life_s)
                begun = await large.begin(key, "v1", headers)
                sent = [await large.send_part(begun, number, whole(data)) for number, data in _numbered((b"a", b"bc"))]
                await large.complete(begun, sent, headers)
                row = await store.stat(key)
                assert row is not None
                assert (row.expires_at is None) is (life_s is None)
                for path in await _parts_of(store, row):
                    part = await power(store.powers.stat_part)(path)
                    assert part is not None
                    assert (part.expires_at is None) is (life_s is None)
                    assert (part.expires_at or 1) > (row.expires_at or 0)

    async def test_an_upload_that_is_aborted_leaves_no_parts(self, target: Target) -> None:
        """And those of others."""
        async with _large(target) as (_, large):
            begun, other = await large.begin("key", "v1", _HEADERS), await large.begin("key", "v2", _HEADERS)
            await large.send_part(begun, 1, whole(b"a"))
            kept = await large.send_part(other, 1, whole(b"b"))
            await large.abort(begun)
            assert await large.list_parts(begun) == ()
            assert [_what(part) for part in await large.list_parts(other)] == [_what(kept)]

    @pytest.mark.parametrize("replacement", [None, b"abd"])
    async def test_parts_that_are_not_what_was_sent_are_refused(
        self, target: Target, replacement: bytes | None
    ) -> None:
        """One is gone, or somebody has replaced it: the store names it, and what was there before stays."""
        async with _large(target) as (store, large):
            await store.put("key", whole(b"before"), HEADERS)
            begun = await large.begin("key", "v1", _HEADERS)
            first, second = self.padded(b"a", b"abc")
            parts = [await large.send_part(begun, number, whole(data)) for number, data in ((1, first), (2, second))]
            if replacement is None:
                await large.abort(begun)
                await large.send_part(begun, 1, whole(first))
            else:
                await large.send_part(begun, 2, whole(replacement))
            with pytest.raises(PartsRefused) as refused:
                await large.complete(begun, parts, HEADERS)
            assert refused.value.numbers == (2,)
            assert await asyncio.to_thread(target.see, "key") == b"before"

    async def test_a_part_whose_bytes_are_not_those_of_its_md5_is_refused(self, target: Target) -> None:
        """As a whole object is."""
        async with _large(target) as (_, large):
            begun = await large.begin("key", "v1", _HEADERS)
            with pytest.raises(IntegrityError):
                await large.send_part(begun, 1, whole(b"damaged", md5="0" * 32))
            assert await large.list_parts(begun) == ()

    async def test_an_overwritten_object_is_never_half_of_each(self, target: Target) -> None:
        """A plain one by a large one, that by a large one, and that by a plain one."""
        async with _large(target) as (store, large):
            await store.put("key", whole(b"plain"), HEADERS)
            contents = self.padded(b"large", b"one")
            await _composed(large, "key", *contents)
            assert await asyncio.to_thread(target.see, "key") == b"".join(contents)
            begun = await large.begin("key", "v2", _HEADERS)
            part = await large.send_part(begun, 1, whole(b"another"))
            assert await asyncio.to_thread(target.see, "key") == b"".join(contents)
            await large.complete(begun, [part], HEADERS)
            assert await asyncio.to_thread(target.see, "key") == b"another"
            await store.put("key", whole(b"plain"), HEADERS)
            assert await asyncio.to_thread(target.see, "key") == b"plain"

    async def test_only_new_holds_for_a_large_object_too(self, target: Target) -> None:
        """It appears under a free name, and replaces nothing where the store refuses that."""
        async with _large(target) as (store, large):
            refuses = power(store.powers.refuses_existing)
            new = replace(HEADERS, only_new=True)
            begun = await large.begin("key", "v1", new)
            part = await large.send_part(begun, 1, whole(b"first"))
            await large.complete(begun, [part], new)
            other = await large.begin("key", "v2", new)
            part = await large.send_part(other, 1, whole(b"second"))
            if await refuses() is Refusal.NEVER:
                return
            with pytest.raises(Exists):
                await large.complete(other, [part], new)
            assert await asyncio.to_thread(target.see, "key") == b"first"

    @pytest.mark.parametrize("key", HOSTILE_NAMES)
    async def test_an_unfinished_upload_is_listed_with_its_parts_until_it_is_aborted(
        self, target: Target, key: str
    ) -> None:
        """Below what its name begins with, and nowhere else. Once it is gone, it has no parts."""
        async with _large(target) as (store, large):
            unfinished = power(store.powers.unfinished)
            begun = await large.begin(key, "v1", _HEADERS)
            try:
                sent = await large.send_part(begun, 1, whole(b"part"))
            except StoreError:
                assert len(key.encode()) > self.max_large_name_bytes
                return
            assert [each async for each in unfinished.list("no such name")] == []
            (upload,) = [each async for each in unfinished.list(key[:1]) if each.key == key]
            assert moment_ns(upload.begun) is not None, "the time is ISO 8601"
            (part,) = await unfinished.parts(upload) or ()
            assert _what(part) == _what(sent)
            modified = moment_ns(part.modified)
            assert modified is not None, "a part tells when it was stored"
            assert abs(modified - time.time_ns()) < CLOCKS_NS
            assert await unfinished.abort(upload)
            assert await unfinished.parts(upload) is None
            assert not await unfinished.abort(upload)
            assert [each async for each in unfinished.list("")] == []

    async def test_uploads_that_are_complete_are_not_unfinished(self, target: Target) -> None:
        """The others are listed below their prefix, each once."""
        async with _large(target) as (store, large):
            unfinished = power(store.powers.unfinished)
            for key in ("b", "a/b", "c", "a"):
                begun = await large.begin(key, "v1", _HEADERS)
                part = await large.send_part(begun, 1, whole(b"part"))
                if key == "c":
                    await large.complete(begun, [part], _HEADERS)
            assert sorted([each.key async for each in unfinished.list("")]) == ["a", "a/b", "b"]
            assert sorted([each.key async for each in unfinished.list("a")]) == ["a", "a/b"]

    async def test_what_stays_of_an_upload_is_known_until_it_ends(self, target: Target) -> None:
        """And which others of its key were met. It is begun once."""
        async with _large(target) as (store, large):
            open_, remains, unfinished = power(large.open), power(large.remains), power(store.powers.unfinished)
            begun, other = await large.begin("key", "v1", _HEADERS), await large.begin("key", "v2", _HEADERS)
            assert remains(begun).upload is None
            await open_(begun)
            upload = remains(begun).upload
            assert upload is not None
            assert remains(begun).is_ours
            await open_(begun)
            assert [each.id async for each in unfinished.list("key")] == [upload.id]
            assert await large.list_parts(other) == ()
            assert [each.id for each in remains(other).others] == [upload.id]
            await large.abort(begun)
            assert (remains(begun).upload, remains(other).others) == (None, ())

    async def test_the_sizes_of_parts_are_told_rightly_or_not_at_all(self, target: Target) -> None:
        """The ETag is made of theirs: that of the listing, and that of a HEAD."""
        async with _large(target) as (store, large):
            part_sizes = power(store.powers.part_sizes)
            contents = self.padded(b"one", b"two", b"three")
            await _composed(large, "key", *contents)
            assert await part_sizes("key") in (None, tuple(map(len, contents)))
            etag = composite_etag(hashlib.md5(content).hexdigest() for content in contents)
            rows = [row async for row in store.list("")]
            head = await store.stat("key")
            assert [composite_of(row.hash) for row in (*rows, head) if isinstance(row, RemoteObject)] == [etag, etag]


@asynccontextmanager
async def _large(target: Target) -> AsyncIterator[tuple[Store, LargeObjects]]:
    async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
        large = power(store.powers.large)
        await store.prepare()
        yield store, large


async def _parts_of(store: Store, row: RemoteObject) -> list[str]:
    """The parts of a large object, as CONTAINER/OBJECT; none if they are no objects."""
    has = store.powers
    if has.segments is None or has.segments_below is None:
        return []
    found = await (has.segments(row.name) if row.below is None else has.segments_below(row.below))
    return [part.path for part in found if part.path is not None]


def _what(part: StoredPart) -> tuple[int, int, str]:
    """The part without its time, which stores need not tell."""
    return part.number, part.size, part.md5


def _numbered(contents: Sequence[bytes]) -> list[tuple[int, bytes]]:
    return list(enumerate(contents, 1))


async def _composed(large: LargeObjects, key: str, *contents: bytes) -> LargeUpload:
    begun = await large.begin(key, "v1", _HEADERS)
    parts = [await large.send_part(begun, number, whole(data)) for number, data in _numbered(contents)]
    await large.complete(begun, parts, HEADERS)
    return begun
