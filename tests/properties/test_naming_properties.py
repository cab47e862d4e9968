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
def test_two_files_never_become_one_object_percent(one: bytes, other: bytes, prefix: str) -> None:
    """Injective for all bytes."""
    keys = [object_name(name, prefix=prefix, encode="percent") for name in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@given(tricky.filter(is_utf8), tricky.filter(is_utf8), st.text())
def test_two_files_never_become_one_object_strict(one: bytes, other: bytes, prefix: str) -> None:
    """Injective for what strict takes."""
    keys = [object_name(name, prefix=prefix, encode="strict") for name in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@given(tricky)
def test_strict_takes_exactly_what_is_utf8(name: bytes) -> None:
    """It passes a name unchanged or refuses it; it never guesses."""
    if is_utf8(name):
        assert object_name(name, prefix="", encode="strict").encode() == name
    else:
        with pytest.raises(SourceError):
            object_name(name, prefix="", encode="strict")


@given(tricky)
def test_the_percent_form_gives_the_bytes_back(name: bytes) -> None:
    """unquote_to_bytes is its inverse."""
    assert unquote_to_bytes(object_name(name, prefix="", encode="percent")) == name


@given(tricky, st.text(), st.sampled_from(["strict", "percent"]))
def test_an_object_name_is_valid_utf8_below_its_prefix(
    name: bytes, prefix: str, encode: Literal["strict", "percent"]
) -> None:
    """What reaches the store can be encoded, whatever is on disk."""
    assume(encode == "percent" or is_utf8(name))
    key = object_name(name, prefix=prefix, encode=encode)
    assert key.startswith(prefix)
    assert key.encode().decode() == key


@given(st.text().map(str.encode), st.text().map(str.encode))
def test_strict_keeps_the_order_of_the_names(one: bytes, other: bytes) -> None:
    """Files in bytewise order are objects in bytewise order: a listing can be merged with a walk."""
    keys = [object_name(name, prefix="p/", encode="strict").encode() for name in (one, other)]
    assert (keys[0] < keys[1]) == (one < other)
