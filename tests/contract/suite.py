"""What every store promises, as one suite. A store is done when a ten-line test file of it passes this.

A subclass gives a `target` fixture; the powers that a store lacks are switched off by the class attributes, so that
what is not tested can be read in its file.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from bulkput.engine.open_store import open_store
from bulkput.errors import IntegrityError, NotFound, SourceError, StoreError, Unsupported
from bulkput.model import ObjectHeaders, Prefix, RemoteObject
from bulkput.options import RetryOptions, WireOptions
from bulkput.stores.base import Copies, Deletes, Describes, Destination, Manifests, Reads
from tests.servers.judge import Seen

HOSTILE_NAMES = (
    "with spaces in it.txt",
    "hash#and?query&and=more;semicolon+plus%percent%2fescaped",
    "quotes\"and'single`back\\slash",
    "new\nline\rreturn\ttab",
    "./leading-dot-slash",
    "inside/../dotdot",
    "double//slash///triple",
    "/leading-slash",
    "trailing-slash/",
    "..",
    "emoji-🚀-ünïcödé-日本語",
    "e\u0301 combining",
    "@:[]{}|^~!$*(),<>",
    "a" * 1024,
    "é" * 512,
    "HTTP/1.1\r\nX-Injected: yes",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A store to test: its URL, the variables that lead to it, and a way to look at it that is not ours."""

    url: str
    environ: Mapping[str, str]
    see: Callable[[str], Seen | None]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body that streams the given pieces; says its size unless told not to, and raises at the end if told to."""

    pieces: tuple[bytes, ...]
    knows_size: bool = True
    claimed_md5: str | None = None
    failure: SourceError | None = None
    data: bytes | None = None

    @property
    def size(self) -> int | None:
        return sum(map(len, self.pieces)) if self.knows_size else None

    @property
    def length_hint(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def md5(self) -> str | None:
        return self.claimed_md5

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self.pieces[:-1] if self.failure else self.pieces:
            yield piece
        if self.failure is not None:
            raise self.failure


def whole(content: bytes, *, md5: str | None = None) -> Pieces:
    """A small body: held as bytes, its MD5 known."""
    return Pieces((content,), claimed_md5=md5 or hashlib.md5(content).hexdigest(), data=content)


HEADERS = ObjectHeaders(content_type="text/x-contract", mtime_ns=1_600_000_000_123_456_789)
ONCE = RetryOptions(retries=0)


class StoreContract:
    lists = True
    proves_bytes = True
    """False: the store gives no ETag that proves what it holds (plain HTTP)."""
    copies = True
    """False: the store copies nothing by itself."""
    removes_many = True
    """False: the store removes objects one by one."""
    takes_encoding = True
    """False: Content-Encoding is refused."""
    requests_per_object = 1
    takes_any_name = True
    """False: names with empty, `.` or `..` parts mean other paths, and are refused before they are sent."""

    @pytest.fixture
    def target(self) -> Target:
        raise AssertionError("a subclass says which store")

    @pytest.mark.parametrize("size", [0, 1, 16 * 1024, 1024 * 1024])
    async def test_a_small_object_reads_back_as_it_was_sent(self, target: Target, size: int) -> None:
        """Bytes, type and receipt of a body that goes in one write."""
        content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            stored = await store.put("small", whole(content), HEADERS)
        assert (stored.key, stored.size) == ("small", size)
        if self.proves_bytes:
            assert stored.etag == hashlib.md5(content).hexdigest()
        seen = await asyncio.to_thread(target.see, "small")
        assert seen is not None and seen.content == content

    @pytest.mark.parametrize("knows_size", [True, False])
    async def test_a_streamed_object_reads_back_as_it_was_sent(self, target: Target, knows_size: bool) -> None:
        """With Content-Length, and chunked when the size is not known."""
        body = Pieces(tuple(bytes([n]) * 100_000 for n in range(50)), knows_size=knows_size)
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            stored = await store.put("streamed", body, HEADERS)
        content = b"".join(body.pieces)
        if self.proves_bytes:
            assert (stored.size, stored.etag) == (len(content), hashlib.md5(content).hexdigest())
        seen = await asyncio.to_thread(target.see, "streamed")
        assert seen is not None and seen.content == content

    async def test_a_body_that_expects_to_be_refused_waits_for_100_continue_and_arrives(self, target: Target) -> None:
        """`Expect: 100-continue` above its threshold changes nothing about the result."""
        body = Pieces((b"a" * 70_000, b"b" * 70_000))
        wire = WireOptions(expect_above=100_000)
        async with open_store(target.url, wire=wire, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("expected", body, HEADERS)
        seen = await asyncio.to_thread(target.see, "expected")
        assert seen is not None and seen.content == b"".join(body.pieces)

    async def test_a_put_replaces_what_was_there(self, target: Target) -> None:
        """Last one wins, bytes and all."""
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("twice", whole(b"first, and longer"), HEADERS)
            await store.put("twice", whole(b"second"), HEADERS)
        seen = await asyncio.to_thread(target.see, "twice")
        assert seen is not None and seen.content == b"second"

    async def test_each_object_takes_exactly_one_request(self, target: Target) -> None:
        """100 objects, 20 at a time: 100 PUTs on the wire beyond those of the first object, 20 connections."""
        wire = WireOptions(concurrency=20)
        async with open_store(target.url, wire=wire, retry=ONCE, environ=target.environ) as (store, count):
            await store.prepare()
            await store.put("one/first", whole(b"first"), HEADERS)
            before, opened = count.requests.total(), count.connections
            await asyncio.gather(*(store.put(f"one/{n}", whole(b"%d" % n), HEADERS) for n in range(100)))
            assert count.requests.total() - before == 100 * self.requests_per_object
            assert count.connections - opened <= 20 * self.requests_per_object

    async def test_damaged_bytes_are_never_stored(self, target: Target) -> None:
        """A body whose MD5 is not what it claims is refused by the store itself."""
        if not self.proves_bytes:
            pytest.skip("this store proves no bytes")
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            with pytest.raises(IntegrityError):
                await store.put("damaged", whole(b"something else", md5="0" * 32), HEADERS)
        assert await asyncio.to_thread(target.see, "damaged") is None

    async def test_a_source_that_fails_midway_leaves_nothing(self, target: Target) -> None:
        """Its own error comes out, and no part of the object is stored."""
        failure = SourceError(b"/some/file", "changed", "while it was read")
        body = Pieces((b"a" * 200_000, b"b" * 200_000), failure=failure)
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            with pytest.raises(SourceError) as raised:
                await store.put("half", body, HEADERS)
        assert raised.value is failure
        assert await asyncio.to_thread(target.see, "half") is None

    @pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
    async def test_a_hostile_name_arrives_as_it_is_or_is_refused_unsent(self, target: Target, name: str) -> None:
        """No name is changed on the way, none reaches another path or injects a header."""
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, count):
            await store.prepare()
            if not self.takes_any_name and (len(name) > 255 or any(p in ("", ".", "..") for p in name.split("/"))):
                before = count.requests.total()
                with pytest.raises(StoreError):
                    await store.put(name, whole(b"hostile"), HEADERS)
                if len(name) <= 255:
                    assert count.requests.total() == before
                return
            await store.put(name, whole(name.encode()), HEADERS)
            row = await store.stat(name)
            assert row is not None and (row.name, row.bytes) == (name, len(name.encode()))
            if self.lists:
                assert [item.name async for item in store.list(name)] == [name]
        seen = await asyncio.to_thread(target.see, name)
        assert seen is not None and seen.content == name.encode()

    async def test_a_container_that_was_there_before_or_is_not_empty_stays(self, target: Target) -> None:
        """undo_prepare takes away nothing but what prepare made, and no object with it."""
        async with (
            open_store(target.url, retry=ONCE, environ=target.environ) as (first, _),
            open_store(target.url, retry=ONCE, environ=target.environ) as (second, _),
        ):
            await first.prepare()
            await second.prepare()
            await second.put("kept", whole(b"x"), HEADERS)
            await second.undo_prepare()
            await first.undo_prepare()
            assert await first.stat("kept") is not None

    async def test_an_empty_container_that_prepare_made_goes_again(self, target: Target) -> None:
        """Twice is no error, and what was undone can be prepared once more."""
        if not self.lists:
            pytest.skip("this store makes no containers")
        async with open_store(target.url + "-undone", retry=ONCE, environ=target.environ) as (store, _):
            for _ in range(2):
                await store.prepare()
                await store.put("gone", whole(b"x"), HEADERS)
                await store.delete(["gone"])
                await store.undo_prepare()
                with pytest.raises(NotFound):
                    await anext(store.list(""))
            await store.undo_prepare()

    async def test_what_is_not_there_has_no_row_and_can_be_deleted(self, target: Target) -> None:
        """stat says None; delete is no error, once or twice."""
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            assert await store.stat("absent") is None
            await store.put("present", whole(b"x"), HEADERS)
            await store.delete(["present", "absent"])
            await store.delete(["present"])
            assert await store.stat("present") is None

    async def test_a_listing_is_bytewise_sorted_and_can_start_anywhere(self, target: Target) -> None:
        """Also in virtual directories, also behind a given name."""
        names = ["d/a", "d/a-b", "d/a/1", "d/a/2", "d/b", "d/é", "d/🚀", "e"]
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            if not self.lists:
                with pytest.raises(Unsupported):
                    await anext(store.list("d/"))
                return
            for name in reversed(names):
                await store.put(name, whole(b"x"), HEADERS)
            found = [item async for item in store.list("d/")]
            assert [item.name for item in found] == sorted(names[:-1], key=str.encode)
            assert all(isinstance(item, RemoteObject) and item.bytes == 1 for item in found)
            level = [item async for item in store.list("d/", delimiter="/")]
            assert Prefix("d/a/") in level and {item.name for item in level} == {
                "d/a", "d/a-b", "d/a/", "d/b", "d/é", "d/🚀"
            }  # fmt: skip
            assert [item.name async for item in store.list("d/", start_after="d/a/1")] == [
                "d/a/2",
                "d/b",
                "d/é",
                "d/🚀",
            ]

    async def test_what_was_stored_beside_an_object_is_told_of_it(self, target: Target) -> None:
        """Metadata and encoding by `stat`; a plain object is no large one, and has no segments."""
        if not self.lists:
            pytest.skip("this store keeps no metadata")
        headers = ObjectHeaders(meta=(("Source-Md5", "abc"),), extra=(("Content-Encoding", "gzip"),))
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("packed", whole(b"packed"), headers)
            row = await store.stat("packed")
            assert row is not None
            assert (row.encoding, row.large) == ("gzip", None)
            assert {name.lower(): value for name, value in row.meta} == {"source-md5": "abc"}
            if isinstance(store, Manifests):
                with pytest.raises(StoreError):
                    await store.segments("packed")

    async def test_limits_are_told(self, target: Target) -> None:
        """ask_limits gives numbers a plan can use."""
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            limits = await store.ask_limits()
        assert limits.max_name_bytes >= 255 and limits.max_object_bytes > 1024**3

    @pytest.mark.parametrize("size", [0, 16 * 1024, 3 * 1024 * 1024])
    async def test_an_object_is_given_back_as_it_was_stored(self, target: Target, size: int) -> None:
        """In pieces, and as compressed as it was stored; who stops in the middle leaves nothing behind."""
        content = bytes(range(256)) * (size // 256)
        headers = ObjectHeaders(extra=(("Content-Encoding", "gzip"),) if self.takes_encoding else ())
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            assert isinstance(store, Reads)
            await store.prepare()
            await store.put("given", whole(content), headers)
            assert b"".join([chunk async for chunk in store.get("given")]) == content
            async with aclosing(store.get("given")) as chunks:
                async for _ in chunks:
                    break
            assert b"".join([chunk async for chunk in store.get("given")]) == content
            with pytest.raises(NotFound):
                await anext(store.get("absent"))

    async def test_what_stands_beside_an_object_can_be_stored_again(self, target: Target) -> None:
        """Type, metadata and the other fields as `put` takes them; None for what is not there."""
        meta = (("Color", "red"),) if self.lists else ()
        extra = (("Content-Disposition", "inline"),) if self.lists else ()
        headers = ObjectHeaders(content_type="text/x-contract", meta=meta, extra=extra)
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            assert isinstance(store, Describes)
            await store.prepare()
            await store.put("first", whole(b"x"), headers)
            assert await store.describe("absent") is None
            found = await store.describe("first")
            assert found is not None
            await store.put("second", whole(b"x"), found[1])
            again = await store.describe("second")
            assert again is not None and again[1] == found[1]
            if self.lists:
                assert (again[1].content_type, again[1].meta, again[1].extra) == ("text/x-contract", meta, extra)

    async def test_a_copy_has_all_that_the_object_has(self, target: Target) -> None:
        """But for what is given; its receipt proves it. What is not there is NotFound, and makes nothing."""
        name = HOSTILE_NAMES[1]
        container = Destination.parse(target.url).root
        headers = ObjectHeaders(content_type="text/x-contract", meta=(("Color", "red"), ("Old", "1")))
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, _):
            assert isinstance(store, Copies)
            await store.prepare()
            await store.put(name, whole(b"copied"), headers)
            if not self.copies:
                with pytest.raises(Unsupported):
                    await store.copy(name, container, "copy", ObjectHeaders(), 6)
                return
            stored = await store.copy(name, container, name + "2", ObjectHeaders(meta=(("Color", "blue"),)), 6)
            assert (stored.key, stored.etag) == (name + "2", hashlib.md5(b"copied").hexdigest())
            row = await store.stat(name + "2")
            assert row is not None and row.content_type == "text/x-contract"
            assert {field.lower(): value for field, value in row.meta} == {"color": "blue", "old": "1"}
            with pytest.raises(NotFound):
                await store.copy("absent", container, "made", ObjectHeaders(), 0)
            with pytest.raises(NotFound):
                await store.copy(name, container + "-absent", "made", ObjectHeaders(), 0)
            assert await store.stat("made") is None
        seen = await asyncio.to_thread(target.see, name + "2")
        assert seen is not None and seen.content == b"copied"

    async def test_many_are_removed_at_once_whatever_their_names_are(self, target: Target) -> None:
        """Nothing is left where all were there, what was not may be told as left, and what was not named stays."""
        names = tuple(name for name in HOSTILE_NAMES if len(name) < 512)
        async with open_store(target.url, retry=ONCE, environ=target.environ) as (store, count):
            assert isinstance(store, Deletes)
            await store.prepare()
            if not self.removes_many:
                with pytest.raises(Unsupported):
                    await store.delete_many(("a", "b"))
                return
            for name in (*names, "stays"):
                await store.put(name, whole(b"x"), HEADERS)
            before = count.requests["POST"]
            assert await store.delete_many(names) == ()
            assert count.requests["POST"] - before == 1
            assert set(await store.delete_many(("absent",))) <= {"absent"}
            assert [item.name async for item in store.list("")] == ["stays"]
