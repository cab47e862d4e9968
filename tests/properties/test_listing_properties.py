"""Looking names up in a listing is what looking them up in a dictionary would be, with bounded reading."""

from collections.abc import AsyncGenerator
from typing import cast

from hypothesis import example, given
from hypothesis import strategies as st

from bulkput.engine.compare.listing import Lookup, Unlisted, in_order
from bulkput.model import Prefix, RemoteObject
from bulkput.policy.directories import MARKER_TYPE, one_level
from bulkput.stores.base import Store

names = st.text(st.sampled_from("ab/-\x01\ud7ffé\ue000🚀\U0010ffff"), min_size=1, max_size=4)


class Listing:
    """The listing of these names, that counts what is read of it."""

    def __init__(self, names: set[str]) -> None:
        self._names = sorted(names, key=str.encode)
        self.read = 0

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        assert delimiter is None
        for name in self._names:
            if name.startswith(prefix) and (start_after is None or name.encode() > start_after.encode()):
                self.read += 1
                yield RemoteObject(name, 1, None, None, None)


@example({"b"}, {"a\U0010ffff", "a\U0010ffffa", "a\U0010ffffb", "b"}, 1, 0, 1, False)
@given(st.sets(names), st.sets(names), st.integers(1, 5), st.integers(0, 3), st.integers(1, 3), st.booleans())
async def test_a_lookup_equals_a_dictionary(
    wanted: set[str], there: set[str], page: int, few: int, many: int, may_leave: bool
) -> None:
    """This holds for every page size; a name that the lookup leaves out is never reported as missing."""
    listing = Listing(there)
    lookup = Lookup(cast(Store, listing), "", may_leave=may_leave, page=page, few=few, many=many)
    left = 0
    for name in sorted(wanted, key=str.encode):
        found = await lookup.find(name.encode())
        if isinstance(found, Unlisted):
            left += 1
        else:
            assert (found is not None) is (name in there)
            assert found is None or found.name == name
    await lookup.aclose()
    assert may_leave or not left
    assert listing.read <= len(there)  # nothing is read twice, however often it jumps


@given(st.sets(st.text(st.sampled_from("ab/-0"), min_size=1, max_size=5)), st.data())
async def test_each_directory_is_listed_once(there: set[str], data: st.DataObject) -> None:
    """A directory appears once, with a marker, with objects below it, or with both."""
    plain = {name for name in there if not name.endswith("/")}
    markers = data.draw(st.sets(st.sampled_from(sorted(plain)))) if plain else set()
    items: dict[str, RemoteObject | Prefix] = {}
    for name in there:
        first, slash, _ = name.partition("/")
        if slash:
            items[first + slash] = Prefix(first + slash)
        else:
            is_marker = name in markers
            items[name] = RemoteObject(name, 0 if is_marker else 1, None, MARKER_TYPE if is_marker else None, None)

    async def listing() -> AsyncGenerator[RemoteObject | Prefix, None]:
        for name in sorted(items):
            yield items[name]

    shown = [item.name for item in [item async for item in one_level(listing())]]
    directories = {name for name in items if name.endswith("/")} | {name + "/" for name in items if name in markers}
    assert sorted(shown) == sorted(directories | {name for name in items if name in plain - markers})


async def test_in_order_gives_a_listing_in_bytewise_order() -> None:
    """The keys are the UTF-8 bytes of the names; test_verify has a store with an unordered listing."""
    rows = [row.key async for row in in_order(cast(Store, Listing({"b", "a", "é"})), "")]
    assert rows == [b"a", b"b", "é".encode()]
