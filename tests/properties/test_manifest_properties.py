"""The merge join of a manifest with a listing is what comparing two dictionaries would be, for any names."""

from collections.abc import AsyncGenerator, Iterable
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from bulkput.engine.compare.merge_join import ListedObject
from bulkput.engine.verify.manifest import Line, paired
from bulkput.model import RemoteObject
from bulkput.policy.manifest import Published
from bulkput.policy.naming import common_prefix

T = TypeVar("T")
NAMES = st.text(st.sampled_from("ab/-0é\uffff🚀"), min_size=1, max_size=5)


async def stream(items: Iterable[T]) -> AsyncGenerator[T, None]:
    for item in items:
        yield item


def line(name: str) -> Published:
    return Published(name, 1, None, None)


def row(name: str) -> RemoteObject:
    return RemoteObject(name, 1, None, None, None)


@given(st.sets(NAMES), st.sets(NAMES))
async def test_pairing_a_manifest_equals_comparing_dictionaries(here: set[str], there: set[str]) -> None:
    """Each name comes once, in bytewise order, with its line and its row."""
    lines = stream(map(line, sorted(here, key=str.encode)))
    rows = stream(ListedObject(name.encode(), row(name)) for name in sorted(there, key=str.encode))
    assert [pair async for pair in paired(lines, rows)] == [
        Line(line(name) if name in here else None, row(name) if name in there else None)
        for name in sorted(here | there, key=str.encode)
    ]


@given(st.lists(NAMES, min_size=1))
def test_all_names_in_order_begin_with_what_the_first_and_the_last_share(names: list[str]) -> None:
    """It is the longest such text."""
    names.sort(key=str.encode)
    prefix = common_prefix(names[0], names[-1])
    assert all(name.startswith(prefix) for name in names)
    longer = names[0][: len(prefix) + 1]
    assert longer == prefix or not all(name.startswith(longer) for name in names)
