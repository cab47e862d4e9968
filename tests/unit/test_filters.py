"""--include and --exclude: which names a tree gives."""

import pytest

from bulkput.errors import UsageError
from bulkput.options import WalkOptions
from bulkput.policy.filters import Filters


def filters(*, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Filters:
    return Filters(WalkOptions(include=include, exclude=exclude))


@pytest.mark.parametrize(
    ("include", "exclude", "name", "taken"),
    [
        ((), (), b"a.txt", True),
        (("*.txt",), (), b"a.txt", True),
        (("*.txt",), (), b"d/e/a.txt", True),
        (("*.txt",), (), b"a.jpg", False),
        (("/a.txt",), (), b"a.txt", True),
        (("/a.txt",), (), b"d/a.txt", False),
        (("d/",), (), b"d/e/a.txt", True),
        (("*.txt", "*.jpg"), (), b"a.jpg", True),
        ((), ("*.txt",), b"a.txt", False),
        ((), ("*.txt",), b"a.jpg", True),
        (("*.txt",), ("a*",), b"a.txt", False),
        (("*.txt",), ("a*",), b"b.txt", True),
        ((), ("*", "!keep"), b"keep", True),
        ((), ("*", "!keep"), b"other", False),
        ((), ("d/**/x",), b"d/e/f/x", False),
        ((), ("*.TXT",), b"a.txt", True),
        ((), ("\xe9",), "\xe9".encode(), False),
        ((), ("a*",), b"a\xff", False),
        ((), ("[ab].txt",), b"b.txt", False),
        ((), ("?.txt",), b"ab.txt", True),
    ],
)
def test_a_file_is_taken_when_included_and_not_excluded(
    include: tuple[str, ...], exclude: tuple[str, ...], name: bytes, taken: bool
) -> None:
    """Gitignore's syntax; exclude wins."""
    assert filters(include=include, exclude=exclude).takes_file(name) is taken


@pytest.mark.parametrize(
    ("exclude", "name", "entered"),
    [
        ((), b"d", True),
        (("d",), b"d", False),
        (("d/",), b"d", False),
        (("d/",), b"e/d", False),
        (("/d/",), b"e/d", True),
        (("*.txt",), b"d", True),
        (("d/*",), b"d", True),
        (("d/**",), b"d/e", False),
    ],
)
def test_an_excluded_directory_is_not_entered(exclude: tuple[str, ...], name: bytes, entered: bool) -> None:
    """That is what makes excluding a big tree cheap."""
    assert filters(exclude=exclude).enters_directory(name) is entered


def test_an_include_keeps_no_directory_from_being_entered() -> None:
    """What is wanted may lie below it."""
    assert filters(include=("*.txt",)).enters_directory(b"d")


def test_a_directory_pattern_does_not_exclude_a_file_of_that_name() -> None:
    """`build/` means the directory."""
    assert filters(exclude=("build/",)).takes_file(b"build")


@pytest.mark.parametrize("name", [b"two\nlines/secret.key", b"secret\n.key", b"d\n/e\n/secret.key"])
def test_a_newline_in_a_name_does_not_hide_it_from_a_pattern(name: bytes) -> None:
    """A newline is a character like others in a name: `*` matches it, and what is excluded stays excluded."""
    assert not filters(exclude=("*.key",)).takes_file(name)


def test_a_newline_in_a_directory_does_not_hide_what_is_below() -> None:
    """The same for directories."""
    assert not filters(exclude=("cache/",)).enters_directory(b"two\nlines/cache")


def test_a_trailing_newline_is_part_of_the_name() -> None:
    r"""`x.key\n` does not end in `.key`."""
    assert filters(exclude=("*.key",)).takes_file(b"x.key\n")


@pytest.mark.parametrize("pattern", ["!", "\\"])
def test_what_is_no_pattern_is_a_usage_error(pattern: str) -> None:
    """Said before the run, in include and in exclude."""
    with pytest.raises(UsageError, match="not a gitignore pattern"):
        filters(include=(pattern,))
    with pytest.raises(UsageError, match="not a gitignore pattern"):
        filters(exclude=(pattern,))
