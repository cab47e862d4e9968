"""Listings: their order, where they start, and what their rows say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import Unsupported
from bulkput.model import Prefix, RemoteObject
from bulkput.policy.references import is_as_listed
from bulkput.stores.base import Store
from bulkput.testing.given import HEADERS, ONCE, StoreTests, Target, whole

BELOW = ("d/a", "d/a-b", "d/a/1", "d/a/2", "d/b", "d/é", "d/\uff5e", "d/🚀")
"""Names in the order of their bytes. In UTF-16 the last one is not the last, and as words `a/1` stands before `a-b`."""
NAMES = (*BELOW, "e")


class ListingTests(StoreTests):
    @asynccontextmanager
    async def filled(self, target: Target) -> AsyncIterator[Store]:
        """Opens the store, which holds NAMES. Skips the test if it has no listing."""
        if not self.lists:
            pytest.skip("this store has no listing")
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            for name in reversed(NAMES):
                await store.put(name, whole(b"x"), HEADERS)
            yield store

    async def test_an_empty_store_lists_nothing(self, target: Target) -> None:
        """A store without a listing raises Unsupported."""
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            if self.lists:
                assert [item async for item in store.list("")] == []
                return
            with pytest.raises(Unsupported):
                await anext(store.list("d/"))

    async def test_a_listing_is_sorted_by_the_bytes_of_the_names(self, target: Target) -> None:
        """It also lists one level of virtual directories."""
        async with self.filled(target) as store:
            assert [item.name async for item in store.list("d/")] == list(BELOW)
            level = [item async for item in store.list("d/", delimiter="/")]
            assert [item.name for item in level] == ["d/a", "d/a-b", "d/a/", "d/b", "d/é", "d/\uff5e", "d/🚀"]
            assert [item for item in level if isinstance(item, Prefix)] == [Prefix("d/a/")]

    async def test_a_listing_starts_after_any_given_name(self, target: Target) -> None:
        """After the name in byte order, whether an object has it or not, also if the name begins others."""
        async with self.filled(target) as store:
            for start in (*NAMES, "c", "d", "d/", "d/a.", "d/a/", "d/a0", "d/\U0010ffff", "f"):
                for prefix, names in (("d/", BELOW), ("", NAMES)):
                    after = [name for name in names if name.encode() > start.encode()]
                    assert [item.name async for item in store.list(prefix, start_after=start)] == after, start
            level = [item.name async for item in store.list("d/", delimiter="/")]
            for position, name in enumerate(level):  # as a listing goes on that has broken off
                rest = [item.name async for item in store.list("d/", delimiter="/", start_after=name)]
                assert rest == level[position + 1 :], name

    async def test_a_listed_row_shows_the_object_as_it_is(self, target: Target) -> None:
        """Size, MD5 and time are those of a HEAD, also after the object was replaced."""
        if not self.lists:
            pytest.skip("this store has no listing")
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            await store.prepare()
            look = store.powers.stat_itself or store.stat
            for content in (b"first", b"second, and longer"):
                await store.put("row", whole(content), HEADERS)
                [row] = [item async for item in store.list("")]
                assert isinstance(row, RemoteObject)
                self.assert_plain(row, "row", content)
                assert row.content_type in (None, "text/x-contract")
                now = await look("row")
                self.assert_plain(now, "row", content)
                assert now is not None and is_as_listed(row, now)
