"""One suite for all stores: what each promises. A store is done when a ten-line test file passes it.

A subclass gives a `target` fixture. Its class attributes state the powers of the store and what its server cannot do,
so its file shows what is not tested.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import TypeVar

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import IntegrityError, NotFound, SourceError, StoreError, UnprovenPut, Unsupported
from bulkput.model import ObjectHeaders, Prefix, RemoteObject
from bulkput.options import RetryOptions, WireOptions
from bulkput.stores.base import Destination, Store, StoreContext, open_destination
from bulkput.stores.powers import Powers
from bulkput.stores.tries import NoBrake, Tries
from bulkput.transport.route import open_transport
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
    """A store to test: its URL, its environment variables, and a function that reads objects without bulkput."""

    url: str
    environ: Mapping[str, str]
    see: Callable[[str], Seen | None]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body that streams the given pieces; `failure` is raised in place of the last one."""

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
    """Gives a small body that is held in memory, with its MD5."""
    return Pieces((content,), claimed_md5=md5 or hashlib.md5(content).hexdigest(), data=content)


HEADERS = ObjectHeaders(content_type="text/x-contract", mtime_ns=1_600_000_000_123_456_789)
ONCE = RetryOptions(retries=0)


T = TypeVar("T")


def power(of_store: T | None) -> T:
    """Gives the power, or skips the test if the store lacks it (the class states this in `StoreContract.powers`)."""
    if of_store is None:
        pytest.skip("this store has no such power")
    return of_store


def powers_of(store: Store) -> frozenset[str]:
    return frozenset(each.name for each in fields(Powers) if getattr(store.powers, each.name) is not None)


@asynccontextmanager
async def bare_store(target: Target) -> AsyncIterator[Store]:
    """Opens the store without any wrapper."""
    wire, tries = WireOptions(), Tries(ONCE, lambda _event: None, NoBrake())
    async with aclosing(open_transport(wire, user_agent="contract")) as transport:
        context = StoreContext(environ=target.environ, wire=wire, transport=transport, again=tries)
        async with aclosing(await open_destination(Destination.parse(target.url), context)) as store:
            yield store


async def answer_of(call: Callable[[], Awaitable[object]]) -> object:
    """Gives the result of `call`, or the type of the StoreError that it raises."""
    try:
        return await call()
    except StoreError as error:
        return type(error)


class StoreContract:
    lists = True
    proves_bytes = True
    """False: the store gives no ETag that proves the stored bytes (plain HTTP)."""
    powers = frozenset(each.name for each in fields(Powers)) - {"make_directory", "check_removable"}
    """The fields of `Store.powers` that are not None."""
    copies = True
    """False: the store has the power to copy, but this server refuses COPY."""
    removes_many = True
    """False: the store has the power to bulk-delete, but this server refuses it."""
    takes_encoding = True
    """False: the server refuses Content-Encoding."""
    requests_per_object = 1
    takes_any_name = True
    """False: names with empty, `.` or `..` parts mean other paths, so the store refuses them before any request."""

    @pytest.fixture
    def target(self) -> Target:
        raise AssertionError("a subclass says which store")

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
        assert seen is not None and seen.content == content

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
        assert seen is not None and seen.content == content

    async def test_a_body_sent_with_expect_100_continue_reads_back_unchanged(self, target: Target) -> None:
        """A body above `expect_above` is sent with `Expect: 100-continue`."""
        body = Pieces((b"a" * 70_000, b"b" * 70_000))
        wire = WireOptions(expect_above=100_000)
        async with connected(target.url, wire=wire, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("expected", body, HEADERS)
        seen = await asyncio.to_thread(target.see, "expected")
        assert seen is not None and seen.content == b"".join(body.pieces)

    async def test_a_put_replaces_an_existing_object(self, target: Target) -> None:
        """The last PUT wins; no byte of the first remains."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("twice", whole(b"first, and longer"), HEADERS)
            await store.put("twice", whole(b"second"), HEADERS)
        seen = await asyncio.to_thread(target.see, "twice")
        assert seen is not None and seen.content == b"second"

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
            row = await store.stat(name)
            assert row is not None and (row.name, row.bytes) == (name, len(name.encode()))
            if self.lists:
                assert [item.name async for item in store.list(name)] == [name]
        seen = await asyncio.to_thread(target.see, name)
        assert seen is not None and seen.content == name.encode()

    async def test_undo_prepare_keeps_a_container_that_existed_or_is_not_empty(self, target: Target) -> None:
        """`undo_prepare` deletes only the container that `prepare` created, and only if it is empty."""
        async with (
            connected(target.url, retry=ONCE, environ=target.environ) as (first, _),
            connected(target.url, retry=ONCE, environ=target.environ) as (second, _),
        ):
            await first.prepare()
            await second.prepare()
            await second.put("kept", whole(b"x"), HEADERS)
            await second.undo_prepare()
            await first.undo_prepare()
            assert await first.stat("kept") is not None

    async def test_undo_prepare_deletes_the_empty_container_that_prepare_created(self, target: Target) -> None:
        """A second `undo_prepare` raises no error, and `prepare` works again afterwards."""
        if not self.lists:
            pytest.skip("this store makes no containers")
        async with connected(target.url + "-undone", retry=ONCE, environ=target.environ) as (store, _):
            for _ in range(2):
                await store.prepare()
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

    async def test_a_listing_is_sorted_by_bytes_and_starts_after_a_given_name(self, target: Target) -> None:
        """It also lists one level of virtual directories."""
        names = ["d/a", "d/a-b", "d/a/1", "d/a/2", "d/b", "d/é", "d/🚀", "e"]
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
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

    async def test_stat_gives_the_stored_metadata_and_encoding(self, target: Target) -> None:
        """A plain object is no large object and has no segments."""
        if not self.lists:
            pytest.skip("this store keeps no metadata")
        headers = ObjectHeaders(meta=(("Source-Md5", "abc"),), extra=(("Content-Encoding", "gzip"),))
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("packed", whole(b"packed"), headers)
            row = await store.stat("packed")
            assert row is not None
            assert (row.encoding, row.large) == ("gzip", None)
            assert {name.lower(): value for name, value in row.meta} == {"source-md5": "abc"}
            if store.powers.segments is not None:
                with pytest.raises(StoreError):
                    await store.powers.segments("packed")

    async def test_ask_limits_allows_names_of_255_bytes_and_objects_over_1_gib(self, target: Target) -> None:
        """Every store gives at least these limits."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            limits = await store.ask_limits()
        assert limits.max_name_bytes >= 255 and limits.max_object_bytes > 1024**3

    @pytest.mark.parametrize("size", [0, 16 * 1024, 3 * 1024 * 1024])
    async def test_get_gives_the_stored_bytes_even_after_an_abandoned_read(self, target: Target, size: int) -> None:
        """A gzip-encoded object comes as it is stored; a read that ends early disturbs no later one."""
        content = bytes(range(256)) * (size // 256)
        headers = ObjectHeaders(extra=(("Content-Encoding", "gzip"),) if self.takes_encoding else ())
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            await store.put("given", whole(content), headers)
            for get in (power(store.powers.get), power(store.powers.get_once)):
                assert b"".join([chunk async for chunk in get("given")]) == content
                async with aclosing(get("given")) as chunks:
                    async for _ in chunks:
                        break
                assert b"".join([chunk async for chunk in get("given")]) == content
                with pytest.raises(NotFound):
                    await anext(get("absent"))

    async def test_describe_gives_headers_that_put_stores_again(self, target: Target) -> None:
        """Type, metadata and other fields; None for a missing object."""
        meta = (("Color", "red"),) if self.lists else ()
        extra = (("Content-Disposition", "inline"),) if self.lists else ()
        headers = ObjectHeaders(content_type="text/x-contract", meta=meta, extra=extra)
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            describe = power(store.powers.describe)
            await store.prepare()
            await store.put("first", whole(b"x"), headers)
            assert await describe("absent") is None
            found = await describe("first")
            assert found is not None
            await store.put("second", whole(b"x"), found[1])
            again = await describe("second")
            assert again is not None and again[1] == found[1]
            if self.lists:
                assert (again[1].content_type, again[1].meta, again[1].extra) == ("text/x-contract", meta, extra)

    async def test_a_copy_keeps_all_metadata_that_is_not_replaced(self, target: Target) -> None:
        """The receipt proves the copy; a missing object or container is NotFound and creates nothing."""
        name = HOSTILE_NAMES[1]
        container = Destination.parse(target.url).root
        headers = ObjectHeaders(content_type="text/x-contract", meta=(("Color", "red"), ("Old", "1")))
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            copy = power(store.powers.copy)
            await store.prepare()
            await store.put(name, whole(b"copied"), headers)
            if not self.copies:
                with pytest.raises(Unsupported):
                    await copy(name, container, "copy", ObjectHeaders(), 6)
                return
            stored = await copy(name, container, name + "2", ObjectHeaders(meta=(("Color", "blue"),)), 6)
            assert (stored.key, stored.etag) == (name + "2", hashlib.md5(b"copied").hexdigest())
            row = await store.stat(name + "2")
            assert row is not None and row.content_type == "text/x-contract"
            assert {field.lower(): value for field, value in row.meta} == {"color": "blue", "old": "1"}
            with pytest.raises(NotFound):
                await copy("absent", container, "made", ObjectHeaders(), 0)
            with pytest.raises(NotFound):
                await copy(name, container + "-absent", "made", ObjectHeaders(), 0)
            assert await store.stat("made") is None
        seen = await asyncio.to_thread(target.see, name + "2")
        assert seen is not None and seen.content == b"copied"

    async def test_delete_many_removes_exactly_the_named_objects_in_one_request(self, target: Target) -> None:
        """It gives the names that remain: none of the existing ones, perhaps a missing one."""
        names = tuple(name for name in HOSTILE_NAMES if len(name) < 512)
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, count):
            delete_many = power(store.powers.delete_many)
            await store.prepare()
            if not self.removes_many:
                with pytest.raises(Unsupported):
                    await delete_many(("a", "b"))
                return
            for name in (*names, "stays"):
                await store.put(name, whole(b"x"), HEADERS)
            before = count.requests["POST"]
            assert await delete_many(names) == ()
            assert count.requests["POST"] - before == 1
            assert set(await delete_many(("absent",))) <= {"absent"}
            assert [item.name async for item in store.list("")] == ["stays"]

    async def test_a_store_has_exactly_its_declared_powers_wrapped_or_not(self, target: Target) -> None:
        """A power that the store lacks is None in both."""
        async with (
            bare_store(target) as bare,
            connected(target.url, retry=ONCE, environ=target.environ) as (store, _),
        ):
            assert powers_of(bare) == powers_of(store) == self.powers
        for one, other in (("get", "get_once"), ("segments", "stat_part")):
            assert (one in self.powers) == (other in self.powers)

    @pytest.mark.parametrize("key", ["there", "absent"])
    async def test_a_read_power_answers_the_same_wrapped_or_not(self, target: Target, key: str) -> None:
        """The rows are equal, and so are the errors for missing objects."""
        container = Destination.parse(target.url).root
        answers = []
        async with (
            bare_store(target) as bare,
            connected(target.url, retry=ONCE, environ=target.environ) as (store, _),
        ):
            await store.prepare()
            await store.put("there", whole(b"looked at"), HEADERS)
            for powers in (bare.powers, store.powers):
                looks: dict[str, tuple[Callable[[str], Awaitable[object]] | None, str]] = {
                    "stat_itself": (powers.stat_itself, key),
                    "segments": (powers.segments, key),
                    "stat_part": (powers.stat_part, f"{container}/{key}"),
                    "describe": (powers.describe, key),
                    "check_removable": (powers.check_removable, key),
                }
                answers.append(
                    {
                        name: await answer_of(partial(look, what))
                        for name, (look, what) in looks.items()
                        if look is not None
                    }
                )
            row = await store.stat(key)
        assert answers[0] == answers[1] and answers[0].keys() == self.powers & looks.keys()
        if "describe" in answers[0]:
            described = answers[0]["describe"]
            assert (described[0] if isinstance(described, tuple) else None) == row

    async def test_stat_itself_and_stat_part_agree_with_stat_for_a_plain_object(self, target: Target) -> None:
        """By its name, as a segment, and for missing objects and containers."""
        container = Destination.parse(target.url).root
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            stat_itself, stat_part = power(store.powers.stat_itself), power(store.powers.stat_part)
            await store.prepare()
            await store.put("plain", whole(b"plain"), HEADERS)
            row = await store.stat("plain")
            assert row is not None and row.bytes == 5
            assert await stat_itself("plain") == await stat_itself("plain", container) == row
            assert await stat_part(f"{container}/plain") == row
            assert await stat_itself("absent") is await stat_itself("plain", container + "-absent") is None
            assert await stat_part(f"{container}/absent") is None

    async def test_settle_proves_a_put_or_keeps_the_unproven_object(self, target: Target) -> None:
        """It gives a receipt if the bytes match, keeps an object that does not match, and finds none if none exists."""
        content, other = b"what was sent", b"something else"
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            settle = power(store.powers.settle)
            await store.prepare()
            await store.put("sent", whole(content), HEADERS)
            sent, never = (
                UnprovenPut(md5=hashlib.md5(each).hexdigest(), size=len(each), etag=None, modified=None)
                for each in (content, other)
            )
            proven = await settle("sent", [sent], within_s=60)
            assert proven.stored is not None and (proven.stored.etag, proven.stored.size) == (sent.md5, len(content))
            unproven = await settle("sent", [never], within_s=60)
            assert unproven.stored is None and "kept" in unproven.words
            assert (await settle("absent", [sent], within_s=60)).stored is None
            assert await store.stat("sent") is not None

    async def test_make_directory_creates_a_directory_that_check_removable_refuses(self, target: Target) -> None:
        """A second call is no error; an object in it is removable, and a missing one raises nothing."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            make, check = power(store.powers.make_directory), power(store.powers.check_removable)
            await store.prepare()
            try:
                await make("made/deep")
            except NotFound:  # the server has no MKCOL
                return
            assert (await make("made/deep")).key == "made/deep"
            await store.put("made/deep/object", whole(b"x"), HEADERS)
            await check("made/deep/object")
            await check("made/deep/absent")
            with pytest.raises(StoreError):
                await check("made/deep")
            assert await store.stat("made/deep/object") is not None
