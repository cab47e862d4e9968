"""The names of the segments of large objects in Swift."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.stores.swift.part_names import PartName, cut_key, group_name, group_of, keys_of, parse, part_name

KEYS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=400)
VERSIONS = st.from_regex(r"[a-z0-9.-]{1,60}", fullmatch=True)


@given(key=KEYS, version=VERSIONS, number=st.integers(1, 99_999_999))
def test_a_name_can_be_taken_apart_and_fits_the_store(key: str, version: str, number: int) -> None:
    """Whatever the key is: one that leaves too little room is cut."""
    group = group_name(key, version, max_bytes=1024)
    name = part_name(group, number)
    assert parse(name) == PartName(group, version, number)
    assert len(name.encode()) <= 1024


@given(keys=st.tuples(KEYS, KEYS), version=VERSIONS, room=st.integers(120, 300))
def test_two_keys_never_share_a_group(keys: tuple[str, str], version: str, room: int) -> None:
    """Not even if both are cut."""
    one, other = (group_name(key, version, max_bytes=room + len(version)) for key in keys)
    assert (one == other) == (keys[0] == keys[1])


@given(numbers=st.lists(st.integers(1, 99_999_999), unique=True))
def test_names_sort_as_their_numbers_do(numbers: list[int]) -> None:
    """A dynamic large object is composed in the order of the names."""
    names = [part_name("k/bulkput/v/", number) for number in sorted(numbers)]
    assert names == sorted(names, key=str.encode)


@pytest.mark.parametrize(
    "name",
    ["a", "a/1795800444.1/100/10/00000000", "a/bulkput/1/0000001", "/bulkput/1/00000001", "a/bulkput/V/00000001"],
)
def test_segments_of_others_are_not_ours(name: str) -> None:
    """python-swiftclient and rclone name them in their own ways."""
    assert parse(name) is None


LONG = "d/" + "ü" * 511


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("k/bulkput/v1.a-2/00000001", ("k/bulkput/v1.a-2/", True)),
        ("d/k\n/bulkput/v1/00000001", ("d/k\n/bulkput/v1/", True)),
        ("k/bulkput/v1/1", ("k/bulkput/v1/", False)),
        ("bulkput/v1/00000001", ("bulkput/v1/", False)),
        ("k/1700000000.5/30/10/00000001", ("k/1700000000.5/30/10/", False)),
        ("k/", ("k/", False)),
        ("plain", None),
        ("/plain", None),
    ],
)
def test_the_group_of_a_segment_is_its_directory(name: str, group: tuple[str, bool] | None) -> None:
    """Only names that bulkput gives are ours."""
    assert group_of(name) == group


@pytest.mark.parametrize("key", ["k", "d/k", "d//k/", "/k", "bulkput/v1", LONG[:900]])
def test_the_keys_of_a_group_have_the_key_that_it_was_made_of(key: str) -> None:
    """It is whole unless it is too long."""
    group = group_name(key, "v1", max_bytes=1024)
    assert group_of(part_name(group, 7)) == (group, True)
    assert len(part_name(group, 7).encode()) <= 1024
    if cut_key(group) is None:
        assert key in keys_of(group)


def test_a_key_that_was_cut_begins_with_its_cut_key() -> None:
    """A digest of the whole key stands for the rest."""
    group = group_name(LONG, "v1", max_bytes=1024)
    begin = cut_key(group)
    assert begin is not None and LONG.startswith(begin) and len(begin) > 400
    assert group != group_name(LONG + "x", "v1", max_bytes=1024)
