"""Powers for reading a store that is the source of an upload (`bulkput/stores/reading.py`)."""

from dataclasses import replace

import pytest

from bulkput.engine.open_store import connected
from bulkput.errors import Conflict, NotFound, Unsupported
from bulkput.model import ObjectHeaders
from bulkput.payload.reading import Span
from bulkput.stores.base import Destination
from bulkput.testing.given import HOSTILE_NAMES, ONCE, StoreTests, Target, power, whole


class ReadingTests(StoreTests):
    async def test_fetch_gives_an_object_with_its_headers_and_its_bytes_if_they_are_few(self, target: Target) -> None:
        """The headers are those of `describe`. Without the bytes the answer is the same."""
        content = bytes(range(256)) * 8
        headers = ObjectHeaders(content_type="text/x-contract")
        if self.keeps_metadata:
            headers = replace(headers, meta=(("Color", "red"),))
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            fetch = power(store.powers.fetch)
            await store.prepare()
            for name, bytes_ in (("few", content), ("none", b"")):
                await store.put(name, whole(bytes_), headers)
            seen = await fetch("few", len(content))
            assert seen is not None and seen.data == content and seen.row.bytes == len(content)
            assert seen.version is not None
            for most in (0, len(content) - 1):
                without = await fetch("few", most)
                assert without is not None and without.data is None
                assert (without.row, without.headers, without.version) == (seen.row, seen.headers, seen.version)
            empty = await fetch("none", 100)
            assert empty is not None and (empty.data, empty.row.bytes) == (b"", 0)
            assert await fetch("absent", 0) is None and await fetch("absent", 1) is None
            if (describe := store.powers.describe) is not None:
                assert await describe("few") == (seen.row, seen.headers)

    async def test_read_gives_one_version_whole_or_by_spans(self, target: Target) -> None:
        """An object that was overwritten is a Conflict, not the bytes of another version."""
        content, other = bytes(range(256)) * 4096, bytes(1000)  # of another size: nginx makes its ETags of that
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            fetch, read = power(store.powers.fetch), power(store.powers.read)
            await store.prepare()
            await store.put("read", whole(content), ObjectHeaders())
            seen = await fetch("read", 0)
            assert seen is not None
            for span in (None, Span(0, 1), Span(1000, 70_000), Span(len(content) - 5, 5)):
                got = b"".join([chunk async for chunk in read("read", version=seen.version, span=span)])
                assert got == (content if span is None else content[span.start : span.start + span.size])
            await store.put("read", whole(other), ObjectHeaders())
            for span in (None, Span(0, 5)):
                with pytest.raises(Conflict):
                    _ = [chunk async for chunk in read("read", version=seen.version, span=span)]
            with pytest.raises(NotFound):
                await anext(read("absent", version=seen.version))

    async def test_a_link_leads_to_its_target(self, target: Target) -> None:
        """Also to one that is stored later. A server without links says so."""
        container, name = Destination.parse(target.url).root, HOSTILE_NAMES[1]
        async with connected(target.url, retry=ONCE, environ=target.environ) as (store, _):
            link = power(store.powers.link)
            await store.prepare()
            try:
                stored = await link("link", f"{container}/{name}", ObjectHeaders(content_type="text/x-link"))
            except Unsupported:
                return
            assert (stored.key, stored.size) == ("link", 0)
            assert await store.stat("link") is None
            await store.put(name, whole(b"led to"), ObjectHeaders())
            row = await store.stat("link")
            assert row is not None and (row.bytes, row.link) == (6, f"{container}/{name}")
