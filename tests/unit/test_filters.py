"""--include and --exclude: which names a tree gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.model import Reason
from bulkput.options import WalkOptions
from bulkput.policy.filters import Filters, as_meant


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
def test_a_file_is_taken_if_included_and_not_excluded(
    include: tuple[str, ...], exclude: tuple[str, ...], name: bytes, taken: bool
) -> None:
    """Patterns have gitignore syntax, and exclude wins."""
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
    """Its content is never read."""
    assert filters(exclude=exclude).enters_directory(name) is entered


def test_an_include_pattern_excludes_no_directory() -> None:
    """Files below the directory may match."""
    assert filters(include=("*.txt",)).enters_directory(b"d")


def test_a_directory_pattern_does_not_exclude_a_file_of_that_name() -> None:
    """`build/` matches only a directory."""
    assert filters(exclude=("build/",)).takes_file(b"build")


@pytest.mark.parametrize("name", [b"two\nlines/secret.key", b"secret\n.key", b"d\n/e\n/secret.key"])
def test_a_name_with_a_newline_matches_patterns(name: bytes) -> None:
    """`*` also matches a newline."""
    assert not filters(exclude=("*.key",)).takes_file(name)


def test_a_directory_with_a_newline_matches_patterns() -> None:
    """`*` also matches a newline."""
    assert not filters(exclude=("cache/",)).enters_directory(b"two\nlines/cache")


def test_a_trailing_newline_is_part_of_the_name() -> None:
    r"""`x.key\n` does not end in `.key`."""
    assert filters(exclude=("*.key",)).takes_file(b"x.key\n")


@pytest.mark.parametrize("pattern", ["!", "\\"])
def test_an_invalid_pattern_is_a_usage_error(pattern: str) -> None:
    """The error is raised before the run, for include and for exclude."""
    with pytest.raises(UsageError, match="not a gitignore pattern"):
        filters(include=(pattern,))
    with pytest.raises(UsageError, match="not a gitignore pattern"):
        filters(exclude=(pattern,))


HERE = ("/home/me/site", "/mnt/site")


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("*.tmp", "*.tmp"),
        ("/bin/*", "/bin/*"),
        ("./bin/*", "/bin/*"),
        (".//bin", "/bin"),
        ("!./bin/x", "!/bin/x"),
        ("./", "./"),
        ("./.", "./."),
        ("./.git", "/.git"),
        (".git", ".git"),
        ("../x", "../x"),
        ("/home/me/site/bin/*", "/bin/*"),
        ("/mnt/site/bin/", "/bin/"),
        ("!/mnt/site/x", "!/x"),
        ("/home/me/site", "/home/me/site"),
        ("/home/me/site/", "/home/me/site/"),
        ("/home/me/site2/x", "/home/me/site2/x"),
        ("home/me/site/x", "home/me/site/x"),
        ("#*", "#*"),
        ("", ""),
    ],
)
def test_path_patterns_are_made_relative_to_the_source(pattern: str, meant: str) -> None:
    """They may be relative to the working directory or absolute; other patterns stay unchanged."""
    assert as_meant(pattern, HERE) == meant


def test_an_absolute_pattern_stays_unchanged_for_the_root_as_source() -> None:
    """There, an absolute path is one from the source already."""
    assert as_meant("/bin/x", ("/",)) == "/bin/x"


@pytest.mark.parametrize(
    ("exclude", "names", "useless"),
    [
        (("*.tmp",), [b"a.tmp"], []),
        (("*.tmp",), [b"a"], ["'*.tmp' matched nothing"]),
        (("x.log", "*.log"), [b"x.log"], []),  # one hides the other, and both match
        (("*.log", "!keep.log"), [b"keep.log"], []),  # taken back: a match all the same
        (("*.log", "!keep.log"), [b"a.log"], ["'!keep.log' matched nothing"]),
        (("#*",), [b"#a"], [r"'#*' is a comment in gitignore syntax and matches nothing: write '\#*'"]),
        ((r"\#*",), [b"#a"], []),
        (("", "a"), [b"a"], []),
    ],
)
def test_a_pattern_without_a_match_is_reported(
    exclude: tuple[str, ...], names: list[bytes], useless: list[str]
) -> None:
    """It matched no name, whatever other patterns matched."""
    made = filters(exclude=exclude)
    for name in names:
        made.takes_file(name)
    assert made.useless() == [f"`walk.exclude` {each}" for each in useless]


def test_a_pattern_that_excluded_a_directory_is_not_reported() -> None:
    """An include pattern that took a file is not reported either."""
    made = filters(include=("*.txt", "*.jpg"), exclude=("cache/",))
    made.enters_directory(b"cache")
    made.takes_file(b"a.txt")
    assert made.useless() == ["`walk.include` '*.jpg' matched nothing"]


def test_many_patterns_without_a_match_are_reported_in_few_lines() -> None:
    """The first ten are named, and the others are counted."""
    lines = filters(exclude=tuple(f"*.{number}" for number in range(100))).useless()
    assert (len(lines), lines[-1]) == (11, "90 more patterns matched nothing")


DAY_S, NOW_S = 86_400, 1_000_000_000


@pytest.mark.parametrize(
    ("options", "size", "age_s", "why"),
    [
        (WalkOptions(), 0, -5, None),
        (WalkOptions(min_age_s=DAY_S), 1, DAY_S, None),
        (WalkOptions(min_age_s=DAY_S), 1, DAY_S - 1, Reason.TOO_NEW),
        (WalkOptions(min_age_s=DAY_S), 1, -DAY_S, Reason.TOO_NEW),
        (WalkOptions(max_age_s=DAY_S), 1, DAY_S, None),
        (WalkOptions(max_age_s=DAY_S), 1, DAY_S + 1, Reason.TOO_OLD),
        (WalkOptions(max_age_s=DAY_S), 1, -DAY_S, None),
        (WalkOptions(min_size=10), 10, 0, None),
        (WalkOptions(min_size=10), 9, 0, Reason.TOO_SMALL),
        (WalkOptions(max_size=10), 10, 0, None),
        (WalkOptions(max_size=10), 11, 0, Reason.TOO_LARGE),
    ],
)
def test_limits_of_age_and_size_are_inclusive(options: WalkOptions, size: int, age_s: int, why: Reason | None) -> None:
    """They work as in rclone; a file with a time in the future is new."""
    made = Filters(options, now_ns=NOW_S * 10**9)
    assert made.left_out(size, (NOW_S - age_s) * 10**9) is why
    assert made.have_limits is (options != WalkOptions())


GIVEN = ["a", "*.b", "c/", "!a", "!*.b", "/c/a", "none", "*"]
NAMES = [b"a", b"x.b", b"c/a", b"c/x", b"y", b"d/a"]


@given(st.lists(st.sampled_from(GIVEN), min_size=1, max_size=5, unique=True), st.lists(st.sampled_from(NAMES)))
def test_a_pattern_is_reported_exactly_if_it_matches_no_name_alone(patterns: list[str], names: list[bytes]) -> None:
    """Other patterns do not matter."""
    made = filters(exclude=tuple(patterns))
    for name in names:
        made.takes_file(name)
    alone = [filters(exclude=(pattern.removeprefix("!"),)) for pattern in patterns]
    useless = [p for p, only in zip(patterns, alone, strict=True) if all(map(only.takes_file, names))]
    assert made.useless() == [f"`walk.exclude` {pattern!r} matched nothing" for pattern in useless]
