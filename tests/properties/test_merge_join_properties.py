"""The merge join is what comparing two dictionaries would be, for any names; sorting on disk is sorting."""

from collections.abc import AsyncGenerator, Iterable
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from bulkput.engine.compare.merge_join import ListedObject, Pair, ScannedEntry, joined
from bulkput.errors import SourceError
from bulkput.model import Found, Reason, RemoteObject, Skip, SourceFile
from bulkput.policy.naming import object_name
from bulkput.sources.by_key import by_key

T = TypeVar("T")
names = st.text(st.sampled_from("ab/-0é🚀"), max_size=5).map(str.encode) | st.binary(max_size=3)
"""Names that sort around `/`, and any bytes."""


async def stream(items: Iterable[T]) -> AsyncGenerator[T, None]:
    for item in items:
        yield item


def file(name: bytes) -> SourceFile:
    return SourceFile(b"/" + name, name, 1, 2)


def row(name: bytes) -> RemoteObject:
    return RemoteObject(name.decode("utf-8", "surrogateescape"), 1, None, None, None)


async def join(here: Iterable[ScannedEntry], there: Iterable[bytes]) -> list[Pair]:
    rows = [ListedObject(name, row(name)) for name in sorted(there)]
    return [pair async for pair in joined(stream(here), stream(rows))]


@given(st.sets(names), st.sets(names))
async def test_a_merge_join_equals_comparing_dictionaries(here: set[bytes], there: set[bytes]) -> None:
    """Each name comes once, in order, with its file and its object."""
    pairs = await join([ScannedEntry(name, file(name)) for name in sorted(here)], there)
    assert pairs == [
        Pair(name, file(name) if name in here else None, row(name) if name in there else None)
        for name in sorted(here | there)
    ]


@given(st.sets(names), st.sets(names), st.data())
async def test_no_object_below_an_unreadable_path_is_extra(
    here: set[bytes], there: set[bytes], data: st.DataObject
) -> None:
    """An unreadable name and all names below it are unknown; all other names are compared."""
    unknown = data.draw(st.sets(st.sampled_from(sorted(here)))) if here else set()
    error = SourceError(b"/", "unreadable", "no")
    items = [ScannedEntry(name, error if name in unknown else file(name)) for name in sorted(here)]
    everything = await join(items, there)
    pairs = [pair for pair in everything if pair.nameless is None]
    assert len(everything) - len(pairs) == len(unknown)
    assert {pair.key for pair in pairs} == (here - unknown) | there
    for pair in pairs:
        covers = any(not up or pair.key == up or pair.key.startswith(up + b"/") for up in unknown)
        assert pair.is_unknown is (covers and pair.file is None)


@given(st.lists(names, unique=True))
def test_sorting_by_key_equals_sorted(found: list[bytes]) -> None:
    """Files and errors come back unchanged in order; skipped entries come at once."""

    def key(item: Found) -> bytes | None:
        return order(item) if isinstance(item, SourceFile | SourceError | Skip) and item is not skip else None

    def order(item: SourceFile | SourceError | Skip) -> bytes:
        return object_name(item.path[1:], prefix="p/", encode="percent").encode()

    files = [SourceFile(b"/" + n, n, 2**40, -1, b"/t" if n else None, n < b"a") for n in found]
    errors = [SourceError(b"/" + name, "unreadable", "no") for name in found]
    links = [Skip(b"/" + name, name, Reason.LINK_DANGLING) for name in found]
    skip = Skip(b"/z", b"z", Reason.EXCLUDED)
    first, *rest = by_key(iter([*files, *errors, *links, skip]), key)
    assert first is skip
    assert [item for item in rest if isinstance(item, Skip)] == sorted(links, key=order)
    assert [item for item in rest if isinstance(item, SourceFile)] == sorted(files, key=order)
    theirs = [str(item) for item in rest if isinstance(item, SourceError)]
    assert theirs == [str(error) for error in sorted(errors, key=order)]
