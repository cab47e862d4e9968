"""The bridge from names on disk to object names: injective, UTF-8, in order."""

from typing import Literal
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkput.errors import SourceError
from bulkput.policy.naming import object_name

tricky = st.binary() | st.lists(
    st.sampled_from([b"%", b"%25", b"%FF", b"%ff", b"\xff", b"\xc3\xa9", b"\xc3", b"\xa9", b"a", b"/", b"2", b"5"])
).map(b"".join)
"""Names, most of them made of what an escaping could confuse."""


def is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(tricky, tricky, st.text())
def test_percent_never_maps_two_files_to_one_object(one: bytes, other: bytes, prefix: str) -> None:
    """`encode="percent"` is injective for all bytes."""
    keys = [object_name(name, prefix=prefix, encode="percent") for name in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@given(tricky.filter(is_utf8), tricky.filter(is_utf8), st.text())
def test_strict_never_maps_two_files_to_one_object(one: bytes, other: bytes, prefix: str) -> None:
    """`encode="strict"` is injective for all names that it accepts."""
    keys = [object_name(name, prefix=prefix, encode="strict") for name in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@given(tricky)
def test_strict_accepts_exactly_utf8_names(name: bytes) -> None:
    """It passes a name unchanged or raises SourceError."""
    if is_utf8(name):
        assert object_name(name, prefix="", encode="strict").encode() == name
    else:
        with pytest.raises(SourceError):
            object_name(name, prefix="", encode="strict")


@given(tricky)
def test_unquoting_a_percent_name_gives_the_bytes_back(name: bytes) -> None:
    """`unquote_to_bytes` is the inverse of `encode="percent"`."""
    assert unquote_to_bytes(object_name(name, prefix="", encode="percent")) == name


@given(tricky, st.text(), st.sampled_from(["strict", "percent"]))
def test_an_object_name_is_valid_utf8_below_its_prefix(
    name: bytes, prefix: str, encode: Literal["strict", "percent"]
) -> None:
    """Every object name can be encoded, whatever bytes the file name has."""
    assume(encode == "percent" or is_utf8(name))
    key = object_name(name, prefix=prefix, encode=encode)
    assert key.startswith(prefix)
    assert key.encode().decode() == key


@given(st.text().map(str.encode), st.text().map(str.encode))
def test_strict_keeps_the_bytewise_order_of_names(one: bytes, other: bytes) -> None:
    """Objects sort like their files, so a listing can be merged with a walk."""
    keys = [object_name(name, prefix="p/", encode="strict").encode() for name in (one, other)]
    assert (keys[0] < keys[1]) == (one < other)
