"""What the sources claim in the store."""

import pytest

from bulkput.errors import SourceError
from bulkput.options import GzipOptions, NamingOptions, WalkOptions
from bulkput.policy.filters import Filters
from bulkput.policy.gzip_names import GzipNames
from bulkput.policy.scope import Root, Scope, scope_of

TREE = Root(b"src")
GZIP = GzipNames(GzipOptions(mode="always", store_as="suffix"))


def scope(*roots: Root, prefix: str = "p/", walk: WalkOptions = WalkOptions(), encode: str = "strict") -> Scope:  # noqa: B008
    naming = NamingOptions(prefix=prefix, encode="percent" if encode == "percent" else "strict")
    return scope_of(roots, naming, walk)


def test_a_directory_claims_all_objects_below_the_prefix() -> None:
    """A lone file as a second source changes nothing."""
    made = scope(TREE, Root(b"a.txt", b"a.txt"))
    assert (made.is_whole, made.listing_prefix) == (True, "p/")


@pytest.mark.parametrize(
    ("names", "listed"),
    [([b"a.txt"], "p/a.txt"), ([b"ab", b"ac", b"abc"], "p/a"), ([b"x", b"y"], "p/"), ([b"x", b"\xff"], "p/")],
)
def test_lone_files_claim_only_their_own_names(names: list[bytes], listed: str) -> None:
    """The listing starts with their common prefix."""
    made = scope(*(Root(b"d/" + name, name) for name in names))
    assert (made.is_whole, made.listing_prefix) == (False, listed)


def test_a_file_with_an_exact_destination_claims_only_that_object() -> None:
    """Its local name does not matter."""
    made = scope_of([Root(b"a", b"a")], NamingOptions(prefix="p/b", is_exact=True), WalkOptions())
    assert (made.key(b"a"), made.listing_prefix, made.is_whole) == ("p/b", "p/b", False)


@pytest.mark.parametrize(
    ("walk", "claimed", "not_claimed"),
    [
        (WalkOptions(), ["p/a", "p/d/x"], []),
        (WalkOptions(exclude=("*.tmp",)), ["p/a", "p/d/x"], ["p/a.tmp", "p/d/x.tmp"]),
        (WalkOptions(exclude=("d/",)), ["p/a", "p/d"], ["p/d/x", "p/e/d/x"]),
        (WalkOptions(exclude=("d/", "!d/x")), ["p/a"], ["p/d/x"]),
        (WalkOptions(include=("*.txt",)), ["p/a.txt", "p/d/a.txt"], ["p/a"]),
        (WalkOptions(include=("*.txt",), exclude=("d",)), ["p/a.txt"], ["p/d/a.txt", "p/a"]),
    ],
)
def test_filters_apply_to_object_names_as_to_files(
    walk: WalkOptions, claimed: list[str], not_claimed: list[str]
) -> None:
    """Names are relative to the prefix; nothing below an excluded directory is included again."""
    made = scope(TREE, walk=walk)
    assert [key for key in (*claimed, *not_claimed) if made.claims(key)] == claimed


def test_filters_match_decoded_object_names() -> None:
    """Patterns apply to names of files, not to their escaped form."""
    made = scope(TREE, walk=WalkOptions(exclude=("100%",)), encode="percent")
    assert not made.claims("p/100%25") and made.claims("p/100%26")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (b"src/a", b"p/a"),
        (b"src/d/a", b"p/d/a"),
        (b"src/\xff", b"p/\xff"),
        (b"src", b"p"),
        (b"src/sub/y", b"p/y"),
        (b"f/one", b"p/one"),
    ],
)
def test_an_unreadable_path_has_an_object_prefix(path: bytes, place: bytes) -> None:
    """A whole source has the destination's prefix; the innermost of nested sources counts."""
    assert scope(TREE, Root(b"src/sub/"), Root(b"f/one", b"one")).place(path) == place


def test_filters_match_file_names_without_the_gzip_suffix() -> None:
    """An unreadable path may be a directory, so its place has no suffix."""
    scope = scope_of([Root(b"/s")], NamingOptions(prefix="p/"), WalkOptions(include=("*.txt",)), gzip=GZIP)
    assert scope.key(b"a.txt") == "p/a.txt.gz"
    assert scope.claims("p/a.txt.gz") and not scope.claims("p/a.md.gz")
    assert scope.place(b"/s/d") == b"p/d"


@pytest.mark.parametrize(
    ("exclude", "key", "is_claimed"),
    [
        ((), "p/a.gz", True),  # of the file a, or of an excluded a.gz
        (("a.gz",), "p/a.gz", False),  # of an excluded a.gz it would be, but the filters take none
        (("a",), "p/a.gz", False),  # it may be of the file a, whose object the filters leave alone
        (("d/",), "p/d/a.gz", False),
        (("a.log.gz",), "p/a.log.gz", True),  # of the file a.log alone
        (("*.log",), "p/a.log.gz", False),
        (("*.log",), "p/b.log", False),  # of no file that an upload sends: judged by its own name
        (("*.log",), "p/b", True),
    ],
)
def test_filters_must_take_every_file_that_an_object_may_belong_to(
    exclude: tuple[str, ...], key: str, is_claimed: bool
) -> None:
    """With `gzip.exclude`, a file without .gz and an excluded one with it may share a name."""
    gzip = GzipNames(GzipOptions(mode="always", store_as="suffix", exclude=("*.gz", "!*.log.gz")))
    scope = scope_of([TREE], NamingOptions(prefix="p/"), WalkOptions(exclude=(*exclude, "nothing")), gzip=gzip)
    assert (scope.key(b"a"), scope.key(b"a.gz"), scope.key(b"a.log.gz")) == ("p/a.gz", "p/a.gz", "p/a.log.gz.gz")
    assert scope.claims(key) is is_claimed


def test_a_name_without_an_object_name_is_a_source_error() -> None:
    """An upload has the same error."""
    with pytest.raises(SourceError):
        scope(TREE).key(b"\xff")


def test_a_pattern_that_spares_an_object_counts_as_matched() -> None:
    """Walk and scope share their filters, so `keep/` may match in the store only."""
    walk = WalkOptions(exclude=("keep/", "*.tmp"))
    filters = Filters(walk)
    made = scope_of([TREE], NamingOptions(prefix="p/"), walk, filters=filters)
    assert not made.claims("p/keep/x")
    assert filters.useless() == ["`walk.exclude` '*.tmp' matched nothing"]


def test_a_list_claims_only_the_files_that_it_names() -> None:
    """No other object below the prefix is extra."""
    made = scope_of([TREE], NamingOptions(prefix="p/"), WalkOptions(), is_list=True)
    assert (made.is_whole, made.listing_prefix, made.key(b"d/x")) == (False, "p/", "p/d/x")


@pytest.mark.parametrize(
    ("made", "key", "paths"),
    [
        (scope(TREE), "p/a/b", [b"src/a/b"]),
        (scope(Root(b"/x/"), Root(b"y/b", b"b")), "p/b", [b"/x/b", b"y/b"]),
        (scope(TREE, Root(b"y/b", b"b")), "p/c", [b"src/c"]),
        (scope(TREE, encode="percent"), "p/a", None),
        (scope(Root(b"y/b", b"b")), "p/b", [b"y/b"]),
        (scope(Root(b"y/b", b"b")), "p/b/segment", []),
        (scope(Root(b"y/b", b"b"), Root(b"y/\xff", b"\xff")), "p/c", []),
        (scope(Root(b"y/b", b"b"), encode="percent"), "p/b", [b"y/b"]),
        (scope_of([TREE], NamingOptions(prefix="p/"), WalkOptions(), gzip=GZIP), "p/a.gz", None),
        (scope_of([Root(b"a", b"a")], NamingOptions(prefix="p/b", is_exact=True), WalkOptions()), "p/b", [b"a"]),
        (scope_of([Root(b"a", b"a")], NamingOptions(prefix="p/b", is_exact=True), WalkOptions()), "p/b/1", []),
        (scope_of([TREE], NamingOptions(prefix="p/"), WalkOptions(), is_list=True), "p/a", [b"src/a"]),
    ],
)
def test_sources_of_gives_the_possible_paths_of_an_object(made: Scope, key: str, paths: list[bytes] | None) -> None:
    """There is one for each source, or None if the name alone does not decide."""
    found = made.sources_of(key)
    assert (None if found is None else sorted(found)) == paths


@pytest.mark.parametrize(
    ("made", "prefix", "paths"),
    [
        (scope(TREE), "p/a/b", [b"src/a/b"]),
        (scope(TREE), "p/", [b"src/"]),
        (scope(TREE), "", [b"src/"]),
        (scope(TREE, encode="percent"), "p/a", None),
        (scope(Root(b"y/b", b"b")), "p/b", [b"y/b"]),
        (scope(Root(b"y/b", b"b")), "p/b/", []),
        (scope(Root(b"y/b", b"b")), "", [b"y/b"]),
    ],
)
def test_sources_of_a_prefix_gives_the_path_prefixes(made: Scope, prefix: str, paths: list[bytes] | None) -> None:
    """A prefix that contains the destination's gives the whole source."""
    assert made.sources_of(prefix, is_prefix=True) == paths
