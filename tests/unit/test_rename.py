"""Where the objects of a copy go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.policy.rename import one_spelling, rename_of
from bulkput.stores.base import Destination


@pytest.mark.parametrize(
    ("source", "target", "is_recursive", "key", "becomes"),
    [
        ("a/x", "b", False, "a/x", "b"),
        ("a/x", "b/", False, "a/x", "b/x"),
        ("a/x", "", False, "a/x", "x"),
        ("x", "x/", False, "x", "x/x"),
        ("a", "b", True, "a/x", "b/x"),
        ("a/", "b/", True, "a/x", "b/x"),
        ("a", "", True, "a/d/x", "d/x"),
        ("", "b", True, "a/x", "b/a/x"),
        ("a", "ab", True, "a/a/x", "ab/a/x"),
    ],
)
def test_a_renamed_object_has_the_name_from_the_table(
    source: str, target: str, is_recursive: bool, key: str, becomes: str
) -> None:
    """Source and destination are two containers."""
    rename = rename_of(source, target, is_recursive=is_recursive, is_same_container=False)
    assert rename.of(key) == becomes


@pytest.mark.parametrize(
    ("source", "target", "is_recursive"),
    [
        ("a", "a", False),
        ("d/a", "d/", False),
        ("a", "a", True),
        ("a", "a/", True),
        ("a", "a/b", True),
        ("", "b", True),
        ("a/b", "a", True),
    ],
)
def test_a_copy_onto_or_into_itself_is_refused(source: str, target: str, is_recursive: bool) -> None:
    """It is allowed between two containers."""
    with pytest.raises(UsageError):
        rename_of(source, target, is_recursive=is_recursive, is_same_container=True)
    assert rename_of(source, target, is_recursive=is_recursive, is_same_container=False)


@pytest.mark.parametrize("source", ["", "a/"])
def test_copying_a_prefix_needs_the_recursive_option(source: str) -> None:
    """One object has a name of its own."""
    with pytest.raises(UsageError, match="`is_recursive=True`"):
        rename_of(source, "b", is_recursive=False, is_same_container=False)


parts = st.text(st.sampled_from("ab/"), max_size=4)


@given(parts, parts, st.sets(parts, max_size=6))
def test_a_rename_never_maps_two_objects_to_one_name(source: str, target: str, names: set[str]) -> None:
    """No new name is one that is still to be copied."""
    try:
        rename = rename_of(source, target, is_recursive=True, is_same_container=True)
    except UsageError:
        return
    copied = {name for name in names if name.startswith(rename.old)}
    assert len({rename.of(name) for name in copied}) == len(copied)
    assert all(not rename.of(name).startswith(rename.old) for name in copied)


def spelled(url: str) -> str:
    found = Destination.parse(url)
    return one_spelling(found.scheme, found.root) + "|" + found.prefix


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/d/x",
        "HTTP://EXAMPLE.com:80/d/x",
        "https://example.com./d/x",
        "https://example.com:443/%64/%78",
    ],
)
def test_equivalent_urls_have_one_spelling(url: str) -> None:
    """They differ in case, default port and escapes."""
    assert spelled(url) == spelled("http://example.com/d/x")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://example.com/d/x", "http://example.com:8080/d/x"),
        ("http://example.com/d/x", "http://example.com/D/x"),
        ("http://example.com/d/x", "http://example.org/d/x"),
        ("http://example.com:443/x", "http://example.com/x"),
        ("swift://c/x", "swift://C/x"),
        ("swift://c%20/x", "swift://c /x"),
        ("swift://c/x", "s3://c/x"),
    ],
)
def test_different_objects_have_different_spellings(one: str, other: str) -> None:
    """Container names are compared exactly."""
    assert spelled(one) != spelled(other)


def test_unicode_and_punycode_hosts_have_one_spelling() -> None:
    """As DNS has it."""
    assert spelled("http://b\u00fccher.example/x") == spelled("http://xn--bcher-kva.example/x")


def test_the_marker_of_a_directory_is_renamed_with_it() -> None:
    """The marker has no slash at its end."""
    rename = rename_of("p/a", "q/b", is_recursive=True, is_same_container=False)
    assert (rename.of("p/a"), rename.of("p/a/x")) == ("q/b", "q/b/x")
