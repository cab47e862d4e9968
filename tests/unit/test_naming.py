"""Names on disk as object names: examples of what the properties state."""

import re
from urllib.parse import unquote_to_bytes

import pytest

from bulkput.cli.values import refuse_odd
from bulkput.errors import SourceError, UsageError
from bulkput.policy.naming import joined_prefix, meant_by, object_name


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (b"a.txt", "p/a.txt"),
        (b"d/e/a b", "p/d/e/a b"),
        ("é/\U0001f600".encode(), "p/é/\U0001f600"),
        (b"100%", "p/100%"),
        (b"a\nb?c#d\\", "p/a\nb?c#d\\"),
    ],
)
def test_strict_keeps_a_utf8_name_unchanged(name: bytes, key: str) -> None:
    """There is no escaping and no normalization."""
    assert object_name(name, prefix="p/", encode="strict") == key


@pytest.mark.parametrize("name", [b"\xff", b"a/\xe9t\xe9", b"\xed\xb2\x80", b"\xc0\xaf", b"a\xf0\x9f\x98"])
def test_a_name_that_is_not_utf8_is_refused_with_a_hint(name: bytes) -> None:
    """Latin-1, encoded surrogates, overlong forms and cut characters fail; the error names the option."""
    with pytest.raises(SourceError, match="`encode_names='percent'`") as caught:
        object_name(name, prefix="", encode="strict")
    assert (caught.value.path, caught.value.problem) == (name, "name")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (b"a.txt", "p/a.txt"),
        (b"100%", "p/100%25"),
        (b"\xff", "p/%FF"),
        (b"%FF", "p/%25FF"),
        ("é".encode() + b"\xe9", "p/é%E9"),
        (b"\xed\xb2\x80", "p/%ED%B2%80"),
    ],
)
def test_percent_escapes_only_percent_and_undecodable_bytes(name: bytes, key: str) -> None:
    """Valid UTF-8 stays readable."""
    assert object_name(name, prefix="p/", encode="percent") == key


def test_the_prefix_is_not_escaped() -> None:
    """This holds in both modes."""
    assert object_name(b"%", prefix="50%/", encode="percent") == "50%/%25"


def test_composed_and_decomposed_letters_stay_two_names() -> None:
    """They are two files on disk, and normalization would merge them."""
    composed, decomposed = "é".encode(), "e\u0301".encode()
    assert object_name(composed, prefix="", encode="strict") != object_name(decomposed, prefix="", encode="strict")


@pytest.mark.parametrize(("prefix", "joined"), [("", ""), ("a", "a/"), ("a/", "a/"), ("a/b", "a/b/"), ("a//", "a//")])
def test_a_prefix_ends_in_one_slash(prefix: str, joined: str) -> None:
    """An empty prefix stays empty, and no second slash is added."""
    assert joined_prefix(prefix) == joined


def test_percent_names_can_be_decoded() -> None:
    """The bytes on disk come back."""
    assert unquote_to_bytes("é%E9%2520") == "é".encode() + b"\xe9%20"


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("swift://c", None),
        ("swift://c/", None),
        ("swift://c/x", None),
        ("swift://c/x/", None),
        ("swift://c/x/y", None),
        ("swift://c/...", None),
        ("swift://c/.x/..y", None),
        ("swift://c//x", "swift://c/x"),
        ("swift://c///x//y/", "swift://c/x/y/"),
        ("swift://c/x//", "swift://c/x/"),
        ("swift://c//", "swift://c/"),
        ("swift://c/./x", "swift://c/x"),
        ("swift://c/.", "swift://c/"),
        ("swift://c/../x", "swift://c/x"),
        ("swift://c/x/../y", "swift://c/y"),
        ("swift://c/x/..", "swift://c/"),
        ("s3://b//x", "s3://b/x"),
        ("http://h//x", None),
        ("dist", None),
    ],
)
def test_an_odd_destination_is_refused_with_a_suggestion(url: str, meant: str | None) -> None:
    """An object `/x` is nearly always a mistake and hard to remove with other tools."""
    assert meant_by(url) == meant
    if meant is None:
        refuse_odd(url)
    else:
        assert meant_by(meant) is None
        with pytest.raises(UsageError, match=f"did you mean {re.escape(meant)}\\?"):
            refuse_odd(url)
