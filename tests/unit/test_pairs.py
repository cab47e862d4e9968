"""Files and objects side by side, where the order or the kind of what is found surprises."""

from collections.abc import AsyncGenerator
from typing import cast

import pytest

from bulkput.engine.compare.pairs import Pairing
from bulkput.engine.stop import Stop
from bulkput.errors import SourceError
from bulkput.model import Found, Prefix, Reason, RemoteObject, Skip, SourceFile
from bulkput.options import NamingOptions, WalkOptions
from bulkput.policy.scope import Root, scope_of
from bulkput.stores.base import Store


class Listing:
    """A store that lists these names."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self.listed = 0

    async def list(
        self, prefix: str, *, delimiter: str | None = None, start_after: str | None = None
    ) -> AsyncGenerator[RemoteObject | Prefix, None]:
        assert (prefix, delimiter, start_after) == ("", None, None)
        for name in self._names:
            self.listed += 1
            yield RemoteObject(name, 1, None, None, None)


def file(name: bytes) -> SourceFile:
    return SourceFile(b"/t/" + name, name, 1, 0)


async def paired(store: Listing, *found: Found, is_mirror: bool = True, sees_all: bool = True) -> list[str]:
    """What becomes of each name, as `a:both`; and whether the order was one."""

    async def scan() -> AsyncGenerator[Found, None]:
        for each in found:
            yield each

    scope = scope_of([Root(b"/t")], NamingOptions(), WalkOptions())
    pairing = Pairing(
        store=cast(Store, store),
        scope=scope,
        stop=Stop(),
        is_mirror=is_mirror,
        sees_all=sees_all,
    )
    told = []
    async for pair in pairing.pairs(scan()):
        if pair.nameless is not None:
            told.append("nameless")
        else:
            kinds = {(True, True): "both", (True, False): "here", (False, True): "there"}
            unknown = "?" if pair.is_unknown else ""
            told.append(f"{pair.key.decode()}:{kinds[pair.file is not None, pair.row is not None]}{unknown}")
    return [*told, *([] if pairing.is_in_order else ["out of order"])]


async def test_a_file_out_of_order_is_detected() -> None:
    """Its object came earlier, without a file."""
    assert await paired(Listing("m-1"), file(b"m/x"), file(b"m-1")) == [
        "m-1:there",
        "m/x:here",
        "m-1:here",
        "out of order",
    ]


@pytest.mark.parametrize(
    "unknown",
    [SourceError(b"/t/d", "unreadable", "no"), Skip(b"/t/d", b"d", Reason.LINK_DANGLING)],
    ids=["unreadable", "a link that leads nowhere"],
)
async def test_nothing_is_extra_below_an_unreadable_path(unknown: Found) -> None:
    """The path keeps its place in the order."""
    store = Listing("a", "d", "d-", "d/x", "e")
    assert await paired(store, unknown, file(b"e")) == [
        "a:there",
        "nameless",
        "d:there?",
        "d-:there",
        "d/x:there?",
        "e:both",
    ]


async def test_a_skipped_link_is_not_compared() -> None:
    """An upload stores no object for it."""
    link = Skip(b"/t/d", b"d", Reason.LINK_DANGLING)
    assert await paired(Listing("d"), link, is_mirror=False) == ["nameless", "d:there"]


async def test_a_listing_is_read_only_up_to_the_last_file() -> None:
    """It is read to its end only if objects without files matter."""
    store = Listing("a", "a.gz", "b", *(f"c{n}" for n in range(100)))
    assert await paired(store, file(b"a"), sees_all=False) == ["a:both"]
    assert store.listed == 1
