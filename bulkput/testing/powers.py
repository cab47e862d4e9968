"""Powers: what some stores can do and others cannot (`bulkput/stores/powers.py`)."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import Conflict, Exists, NotFound, StoreError, UnprovenPut, Unsupported
from bulkput.model import ObjectHeaders, RemoteObject
from bulkput.stores.base import Destination
from bulkput.stores.powers import Refusal
from bulkput.testing.given import (
    CLOCKS_NS,
    HEADERS,
    HOSTILE_NAMES,
    ONCE,
    StoreTests,
    Target,
    answer_of,
    bare_store,
    power,
    powers_of,
    whole,
)


class PowerTests(StoreTests):
    async def test_a_store_has_exactly_its_declared_powers_wrapped_or_not(self, target: Target) -> None:
        """A power that the store lacks is None in both."""
        async with (
            bare_store(target) as bare,
            connected(target.url, retry=ONCE, environ=target.environ) as (store, _),
        ):
            assert powers_of(bare) == powers_of(store) == self.powers
            assert bare.keeps_metadata == store.keeps_metadata == self.keeps_metadata
            assert bare.place == store.place
        for one, other in (
            ("get", "get_once"),
            ("fetch", "read"),
            ("segments", "stat_part"),
            ("segments", "segments_below"),
        ):
            assert (one in self.powers) == (other in self.powers)

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
        headers = ObjectHeaders(content_type="text/x-contract")
        if self.keeps_metadata:
            extra = (("Content-Disposition", "inline"),)
            headers = replace(headers, encoding="gzip", cache_control="no-cache", meta=(("Color", "red"),), extra=extra)
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
            if self.keeps_metadata:
                kept = replace(again[1], meta=tuple((name.title(), value) for name, value in again[1].meta))
                assert kept == headers, "but for the case of names"

    async def test_a_copy_keeps_all_metadata_that_is_not_replaced(self, target: Target) -> None:
        """Given metadata replaces that of the same name. The receipt proves the copy; a missing object or container is
        NotFound and creates nothing."""
        name = HOSTILE_NAMES[1]
        container = Destination.parse(target.url).root
        meta = (("Color", "red"), ("Old", "1"))
        life_s = 86_400 if self.expires else None
        headers = ObjectHeaders(content_type="text/x-contract", encoding="gzip", expires_in_s=life_s, meta=meta)
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
            self.assert_plain(row, name + "2", b"copied")
            assert row is not None and (row.content_type, row.encoding) == ("text/x-contract", "gzip")
            assert {field.lower(): value for field, value in row.meta} == {"color": "blue", "old": "1"}
            if self.expires:
                assert row.expires_at is not None and abs(row.expires_at - time.time() - 86_400) < 600
            await copy(name, container, "typed", ObjectHeaders(content_type="text/x-other"), 6)
            row = await store.stat("typed")
            assert row is not None and (row.content_type, row.encoding) == ("text/x-other", "gzip")
            with pytest.raises(NotFound):
                await copy("absent", container, "made", ObjectHeaders(), 0)
            with pytest.raises(NotFound):
                await copy(name, container + ".absent", "made", ObjectHeaders(), 0)
            assert await store.stat("made") is None
        seen = await asyncio.to_thread(target.see, name + "2")
        assert seen == b"copied"

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
                    "segments_below": (powers.segments_below, f"{container}/{key}"),
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
            self.assert_plain(row, "plain", b"plain")
            assert await stat_itself("plain") == await stat_itself("plain", container) == row
            assert await stat_part(f"{container}/plain") == row
            assert await stat_itself("absent") is await stat_itself("plain", container + ".absent") is None
            assert await stat_part(f"{container}/absent") is None

    async def test_containers_of_the_account_are_listed(self, target: Target) -> None:
        """Without repetition."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            containers = power(store.powers.containers)
            await store.prepare()
            page = await containers("")
            found = [row.name for row in page.rows]
            while page.next is not None:
                page = await containers(page.next)
                found += [row.name for row in page.rows]
            assert Destination.parse(target.url).root in found
            assert len(set(found)) == len(found)

    async def test_another_container_of_the_account_is_looked_at(self, target: Target) -> None:
        """A missing one is NotFound. A clock is that of now, if the store has one."""
        own = Destination.parse(target.url).root
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            look = power(store.powers.look_at_container)
            await store.prepare()
            facts = await look(own)
            assert not facts.keeps_versions
            assert facts.now_ns is None or abs(facts.now_ns - time.time_ns()) < CLOCKS_NS
            with pytest.raises(NotFound):
                await look(own + ".absent")

    async def test_the_way_to_the_store_is_shown_without_secrets(self, target: Target) -> None:
        """Where it is, who asks, what is there; a login is made if there is one. A missing place is NotFound."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            access = power(store.powers.access)
            assert access.url.startswith(("http://", "https://"))
            if access.log_in is not None:
                logged_in = await access.log_in()
                assert logged_in.storage_url and (logged_in.lives_s is None or logged_in.lives_s > 0)
            if access.info is not None:
                assert isinstance(await access.info(), dict)
            await store.prepare()
            await store.put("seen", whole(b"x"), HEADERS)
            facts = await power(access.look)()
            assert not facts.archives
            if access.look_at_account is not None:
                spaces = await access.look_at_account(facts.policy)
                assert spaces["account"].objects is not None
        if Destination.parse(target.url).scheme not in ("http", "https"):  # those have a directory from the start
            async with connected(target.url + ".absent", retry=ONCE, environ=target.environ) as (store, _):
                with pytest.raises(NotFound):
                    await power(power(store.powers.access).look)()

    async def test_the_url_of_an_object_is_known_without_secrets(self, target: Target) -> None:
        """It ends with the name, percent-encoded, behind a slash. A new container is not for everyone; a directory of
        plain HTTP may be."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            urls = power(store.powers.urls)
            base = await urls.base()
            assert base.startswith(("http://", "https://")) and base.endswith("/") and "?" not in base
            await store.prepare()
            is_public = await urls.is_public()
            assert is_public in (True, False)
            if self.makes_container:
                assert not is_public

    async def test_a_store_beside_holds_the_objects_of_the_other_container(self, target: Target) -> None:
        """It has the same powers, and no login of its own. Objects of the same name stay apart."""
        own = Destination.parse(target.url).root
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, count):
            other = power(store.powers.beside)(own + ".beside")
            assert powers_of(other) == powers_of(store)
            await store.prepare()
            if target.make is not None:
                await asyncio.to_thread(target.make, own + ".beside")
            before = count.requests["GET"]
            await other.prepare()
            if self.makes_container:  # else `prepare` may look at it, by a GET
                assert count.requests["GET"] == before
            await store.put("same", whole(b"here"), HEADERS)
            await other.put("same", whole(b"there"), HEADERS)
            row = await power(store.powers.stat_itself)("same", own + ".beside")
            assert row is not None and row == await other.stat("same")
            assert row.bytes == len(b"there")
            assert [item.name async for item in other.list("")] == ["same"]
            await other.delete(("same",))
            assert await store.stat("same") is not None
            await other.undo_prepare()

    async def test_segment_names_are_apart_from_the_container(self, target: Target) -> None:
        """A segment's name shows its group, and the group the object's name."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            names = power(store.powers.segment_names)
            assert names.container != Destination.parse(target.url).root
            found = names.group_of("a/b/parts/1")
            assert found == ("a/b/parts/", False)
            assert "a/b" in names.keys_of("a/b/parts/")
            assert names.group_of("plain") is None
            assert names.cut_key("a/b/parts/") is None

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

    async def test_only_new_is_refused_where_an_object_is_or_the_store_says_that_it_may_overwrite(
        self, target: Target
    ) -> None:
        """A refused PUT is Exists, and leaves the object as it was. A free name is stored in one request."""
        new = ObjectHeaders(only_new=True)
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, count):
            refuses = power(store.powers.refuses_existing)
            await store.prepare()
            promise = await refuses()
            before = count.requests.get("PUT", 0)
            assert (await store.put("new", whole(b"first"), new)).size == 5
            assert self.requests_per_object != 1 or count.requests["PUT"] == before + 1
            if promise is Refusal.NEVER:
                return
            with pytest.raises(Exists):
                await store.put("new", whole(b"second"), new)
            assert await asyncio.to_thread(target.see, "new") == b"first"
            assert (await store.put("new", whole(b"third"), ObjectHeaders())).size == 5

    async def test_an_object_that_is_to_expire_keeps_everything_else(self, target: Target) -> None:
        """Its bytes, type, metadata and other fields. A later call leaves the end that it has, and a PUT ends it."""
        headers = ObjectHeaders(
            content_type="text/x-contract",
            encoding="gzip",
            cache_control="no-cache",
            mtime_ns=HEADERS.mtime_ns,
            meta=(("Color", "röt"),),
            extra=(("Content-Disposition", "inline"),),
        )
        name, at_s = HOSTILE_NAMES[1], int(time.time()) + 86_400
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            expire, describe = power(store.powers.expire), power(store.powers.describe)
            await store.prepare()
            await store.put(name, whole(b"kept"), headers)
            (row,) = [item async for item in store.list("") if isinstance(item, RemoteObject)]
            before = await describe(name)
            assert await expire(name, at_s, row) == at_s
            after = await describe(name)
            assert before is not None and after is not None
            assert replace(before[0], last_modified="", expires_at=at_s) == replace(after[0], last_modified="")
            assert set(after[1].extra) - set(before[1].extra) == {("X-Delete-At", str(at_s))}
            assert replace(after[1], extra=before[1].extra) == before[1]
            (row,) = [item async for item in store.list("") if isinstance(item, RemoteObject)]
            assert await expire(name, at_s + 9, row) == at_s
            await store.put(name, whole(b"kept"), headers)
            renewed = await store.stat(name)
            assert renewed is not None and renewed.expires_at is None
        seen = await asyncio.to_thread(target.see, name)
        assert seen == b"kept"

    async def test_an_object_that_is_not_the_listed_one_does_not_expire(self, target: Target) -> None:
        """It was overwritten since, with other bytes or the same; a missing one is NotFound."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            expire = power(store.powers.expire)
            await store.prepare()
            for name in ("other", "same", "gone"):
                await store.put(name, whole(b"before"), HEADERS)
            rows = {item.name: item async for item in store.list("") if isinstance(item, RemoteObject)}
            await store.put("other", whole(b"after"), HEADERS)
            await store.put("same", whole(b"before"), HEADERS)
            await store.delete(("gone",))
            at_s = int(time.time()) + 86_400
            for name, error in (("other", Conflict), ("same", Conflict), ("gone", NotFound)):
                with pytest.raises(error):
                    await expire(name, at_s, rows[name])
            for name in ("other", "same"):
                row = await store.stat(name)
                assert row is not None and row.expires_at is None

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
