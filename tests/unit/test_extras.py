"""The notes of a mirror, on disk."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.model import RemoteObject
from bulkput.policy.references import Reference
from bulkput.sources.extras import Extras


def row(name: str, size: int = 1) -> RemoteObject:
    return RemoteObject(name, size, "a" * 32, None, "2026-01-02T03:04:05.678900")


@pytest.fixture
def extras() -> Iterator[Extras]:
    made = Extras("c")
    yield made
    made.close()


def names(extras: Extras, *, is_spared: bool) -> list[str]:
    return [found.name for batch in extras.batches(2, is_spared=is_spared) for found, _ in batch]


def test_an_empty_list_of_extras_has_no_rows(extras: Extras) -> None:
    """A mirror without extras opens no database."""
    assert (extras.readers(9), extras.count(is_spared=False), names(extras, is_spared=False)) == ([], 0, [])


def test_extras_come_back_unchanged_in_order(extras: Extras) -> None:
    """They are read in batches."""
    rows = [row(name) for name in ("a", "b", "ü", "\U0010ffff")]
    extras.add(rows, [])
    assert [found for batch in extras.batches(3, is_spared=False) for found, _ in batch] == rows


def test_referenced_objects_are_spared_and_possible_readers_are_returned(extras: Extras) -> None:
    """References name an object or a prefix; each reader is returned once."""
    extras.add([row("a"), row("b"), row("p/1"), row("p/2", 0), row("p0")], ["c/reader"])
    assert extras.readers(9) == ["c/reader"]
    extras.spare(
        [Reference("c/b"), Reference("c/p/", is_prefix=True), Reference("other/a"), Reference("c/far", may_read=True)],
        "reader",
    )
    assert (names(extras, is_spared=True), names(extras, is_spared=False)) == (["b", "p/1", "p/2"], ["a", "p0"])
    assert (extras.count(is_spared=True), extras.count(is_spared=False)) == (3, 2)
    assert sorted(extras.readers(9)) == ["c/far", "c/p/2"]
    extras.add([], ["c/reader", "c/far"])
    assert extras.readers(9) == []


def test_a_spared_extra_is_attributed_to_its_first_reader(extras: Extras) -> None:
    """Later readers of the same extra are ignored."""
    extras.add([row("a")], [])
    for by in ("one", "two"):
        extras.spare([Reference("c/a")], by)
    assert [by for batch in extras.batches(9, is_spared=True) for _, by in batch] == ["one"]


@given(st.sets(st.text("ab\x7fü\U0010ffff", min_size=1, max_size=3)), st.text("ab\x7fü\U0010ffff", max_size=2))
def test_a_prefix_reference_spares_exactly_the_names_with_that_prefix(found: set[str], prefix: str) -> None:
    """This holds for any characters; the empty prefix spares every object."""
    extras = Extras("c")
    extras.add([row(name) for name in found], [])
    extras.spare([Reference(f"c/{prefix}", is_prefix=True)], "reader")
    assert set(names(extras, is_spared=True)) == {name for name in found if name.startswith(prefix)}
    extras.close()


def test_the_target_of_a_link_of_this_run_is_spared_and_becomes_a_reader(extras: Extras) -> None:
    """The link may be noted before or after the extra."""
    extras.add([], [], [("c/a", "l/1"), ("c/ü", "l/2"), ("other/b", "l/3")])
    extras.add([row("a"), row("b"), row("ü")], [])
    extras.spare_targets()
    assert (names(extras, is_spared=True), names(extras, is_spared=False)) == (["a", "ü"], ["b"])
    assert [by for batch in extras.batches(9, is_spared=True) for _, by in batch] == ["l/1", "l/2"]
    assert sorted(extras.readers(9)) == ["c/a", "c/ü", "other/b"]
