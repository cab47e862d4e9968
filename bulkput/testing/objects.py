"""Objects: what a put, a HEAD and a removal do, and the container around them."""

import asyncio
import hashlib
import time

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import IntegrityError, NotFound, SourceError, StoreError
from bulkput.model import ObjectHeaders
from bulkput.options import WireOptions
from bulkput.testing.given import HEADERS, HOSTILE_NAMES, ONCE, Pieces, StoreTests, Target, whole


class ObjectTests(StoreTests):
    @pytest.mark.parametrize("size", [0, 1, 16 * 1024, 1024 * 1024])
    async def test_a_small_object_reads_back_unchanged(self, target: Target, size: int) -> None:
        """The body goes in one write; the receipt has its key, size and ETag."""
        content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            stored = await store.put("small", whole(content), HEADERS)
        assert (stored.key, stored.size) == ("small", size)
        if self.proves_bytes:
            assert stored.etag == hashlib.md5(content).hexdigest()
        seen = await asyncio.to_thread(target.see, "small")
        assert seen == content

    @pytest.mark.parametrize("knows_size", [True, False])
    async def test_a_streamed_object_reads_back_unchanged(self, target: Target, knows_size: bool) -> None:
        """It is sent with Content-Length, or chunked if its size is unknown."""
        body = Pieces(tuple(bytes([n]) * 100_000 for n in range(50)), knows_size=knows_size)
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            stored = await store.put("streamed", body, HEADERS)
        content = b"".join(body.pieces)
        if self.proves_bytes:
            assert (stored.size, stored.etag) == (len(content), hashlib.md5(content).hexdigest())
        seen = await asyncio.to_thread(target.see, "streamed")
        assert seen == content

    async def test_a_body_sent_with_expect_100_continue_reads_back_unchanged(self, target: Target) -> None:
        """A body above `expect_above` is sent with `Expect: 100-continue`."""
        body = Pieces((b"a" * 70_000, b"b" * 70_000))
        wire = WireOptions(expect_above=100_000)
        async with connected(target.url, wire=wire, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("expected", body, HEADERS)
        seen = await asyncio.to_thread(target.see, "expected")
        assert seen == b"".join(body.pieces)

    async def test_a_put_replaces_an_existing_object(self, target: Target) -> None:
        """The last PUT wins; no byte of the first remains."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("twice", whole(b"first, and longer"), HEADERS)
            await store.put("twice", whole(b"second"), HEADERS)
        seen = await asyncio.to_thread(target.see, "twice")
        assert seen == b"second"

    async def test_put_stores_every_field_of_its_headers(self, target: Target) -> None:
        """`stat` shows type, encoding, expiry and metadata, whose names may differ in case."""
        if not self.keeps_metadata:
            pytest.skip("this store keeps no metadata")
        headers = ObjectHeaders(
            content_type="text/x-contract",
            encoding="gzip",
            expires_in_s=86_400 if self.expires else None,
            meta=(("Source-Md5", "abc"),),
        )
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("packed", whole(b"packed"), headers)
            row = await store.stat("packed")
            self.assert_plain(row, "packed", b"packed")
            assert row is not None
            assert (row.content_type, row.encoding) == ("text/x-contract", "gzip")
            assert {name.lower(): value for name, value in row.meta} == {"source-md5": "abc"}
            if self.expires:
                assert row.expires_at is not None and abs(row.expires_at - time.time() - 86_400) < 600
            await store.put("extra", whole(b"packed"), ObjectHeaders(extra=(("Content-Encoding", "gzip"),)))
            row = await store.stat("extra")
            assert row is not None and row.encoding == "gzip", "extra fields are sent unchanged"
            if store.powers.segments is not None:
                with pytest.raises(StoreError):
                    await store.powers.segments("packed")

    async def test_each_object_takes_exactly_one_request(self, target: Target) -> None:
        """100 objects, 20 at a time: 100 PUTs on the wire beyond those of the first object, 20 connections."""
        wire = WireOptions(concurrency=20)
        async with connected(target.url, wire=wire, retry=ONCE, environ=target.environ) as (store, count):
            await store.prepare()
            await store.put("one/first", whole(b"first"), HEADERS)
            before, opened = count.requests.total(), count.connections
            await asyncio.gather(*(store.put(f"one/{n}", whole(b"%d" % n), HEADERS) for n in range(100)))
            assert count.requests.total() - before == 100 * self.requests_per_object
            assert count.connections - opened <= 20 * self.requests_per_object

    async def test_damaged_bytes_are_never_stored(self, target: Target) -> None:
        """The store itself refuses a body that does not match its MD5."""
        if not self.proves_bytes:
            pytest.skip("this store proves no bytes")
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            with pytest.raises(IntegrityError):
                await store.put("damaged", whole(b"something else", md5="0" * 32), HEADERS)
        assert await asyncio.to_thread(target.see, "damaged") is None

    async def test_a_source_that_fails_midway_leaves_no_object(self, target: Target) -> None:
        """`put` raises the error of the source, and no part of the object is stored."""
        failure = SourceError(b"/some/file", "changed", "while it was read")
        body = Pieces((b"a" * 200_000, b"b" * 200_000), failure=failure)
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            with pytest.raises(SourceError) as raised:
                await store.put("half", body, HEADERS)
        assert raised.value is failure
        assert await asyncio.to_thread(target.see, "half") is None

    @pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
    async def test_a_hostile_name_is_stored_unchanged_or_refused_before_any_request(
        self, target: Target, name: str
    ) -> None:
        """No name changes, reaches another path or injects a header."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, count):
            await store.prepare()
            if not self.takes_any_name and (len(name) > 255 or any(p in ("", ".", "..") for p in name.split("/"))):
                before = count.requests.total()
                with pytest.raises(StoreError):
                    await store.put(name, whole(b"hostile"), HEADERS)
                if len(name) <= 255:
                    assert count.requests.total() == before
                return
            await store.put(name, whole(name.encode()), HEADERS)
            self.assert_plain(await store.stat(name), name, name.encode())
            if self.lists:
                assert [item.name async for item in store.list(name)] == [name]
        seen = await asyncio.to_thread(target.see, name)
        assert seen == name.encode()

    async def test_undo_prepare_keeps_a_container_that_existed_or_is_not_empty(self, target: Target) -> None:
        """`undo_prepare` deletes only the container that `prepare` created (`was_made`), and only if it is empty."""
        async with (
            connected(target.url, retry=ONCE, environ=target.environ) as (first, _),
            connected(target.url, retry=ONCE, environ=target.environ) as (second, _),
        ):
            await first.prepare()
            await second.prepare()
            assert (first.was_made, second.was_made) == (self.makes_container, False)
            await second.put("kept", whole(b"x"), HEADERS)
            await second.undo_prepare()
            await first.undo_prepare()
            assert await first.stat("kept") is not None

    async def test_undo_prepare_deletes_the_empty_container_that_prepare_created(self, target: Target) -> None:
        """A second `undo_prepare` raises no error, and `prepare` works again afterwards."""
        if not self.makes_container:
            pytest.skip("this store makes no containers")
        async with connected(target.url + ".undone", retry=ONCE, environ=target.environ) as (store, _):
            for _ in range(2):
                await store.prepare()
                assert store.was_made
                await store.put("gone", whole(b"x"), HEADERS)
                await store.delete(["gone"])
                await store.undo_prepare()
                with pytest.raises(NotFound):
                    await anext(store.list(""))
            await store.undo_prepare()

    async def test_a_missing_object_has_no_row_and_can_be_deleted(self, target: Target) -> None:
        """stat gives None; delete raises no error, once or twice."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            assert await store.stat("absent") is None
            await store.put("present", whole(b"x"), HEADERS)
            await store.delete(["present", "absent"])
            await store.delete(["present"])
            assert await store.stat("present") is None

    async def test_ask_limits_allows_names_of_255_bytes_and_objects_over_1_gib(self, target: Target) -> None:
        """Every store gives at least these limits."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            limits = await store.ask_limits()
        assert limits.max_name_bytes >= 255 and limits.max_object_bytes > 1024**3
