"""Which container an object belongs to."""

from pathlib import Path

import pytest

from bulkput.errors import UsageError
from bulkput.policy.spread import Spread, check_one, container_of, index_of, share_containers, spread_of
from bulkput.stores.base import Destination

PAGE = Path(__file__).parents[2] / "docs" / "spread.md"


def vectors() -> list[list[str]]:
    """The rows of the table of test vectors in the documentation."""
    lines = PAGE.read_text().partition("\nTest vectors")[2].partition("\n**")[0].splitlines()
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize("row", vectors(), ids=lambda row: row[1])
def test_the_vectors_of_the_page_are_what_an_upload_does(row: list[str]) -> None:
    """So other programs can rely on them."""
    name, begin, number, *indexes = row
    assert int(begin, 16) == int(number)
    assert [index_of(name, count) for count in (8, 16, 64)] == [int(index) for index in indexes]
    assert [int(number) % count for count in (8, 16, 64)] == [int(index) for index in indexes]


def test_the_page_has_vectors() -> None:
    """Beyond ASCII, too."""
    assert len(vectors()) >= 4
    assert any(not row[0].isascii() for row in vectors())


@pytest.mark.parametrize(
    ("written", "count", "first", "last"),
    [
        ("name-{00..63}", 64, "name-00", "name-63"),
        ("name-{0..15}", 16, "name-0", "name-15"),
        ("n{008..011}x", 4, "n008x", "n011x"),
        ("{1..010}", 10, "001", "010"),
        ("a-{7..7}", 1, "a-7", "a-7"),
        ("a-{0..9999}", 10_000, "a-0", "a-9999"),
        ("a-{0..0}", 1, "a-0", "a-0"),
    ],
)
def test_a_range_means_the_names_that_bash_makes_of_it(written: str, count: int, first: str, last: str) -> None:
    """Padded if either number begins with a zero."""
    spread = spread_of(written)
    assert spread is not None
    assert (spread.count, spread.names[0], spread.names[-1]) == (count, first, last)
    assert all(map(spread.holds, spread.names))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("name-{00..63", "no range"),
        ("name-00..63}", "no range"),
        ("name-{a..b}", "no range"),
        ("name-{1,2}", "no range"),
        ("name-{}", "no range"),
        ("{0..1}-{0..1}", "no range"),
        ("name-{-1..1}", "no range"),
        ("name-{1..3..2}", "no range"),
        ("name-{٠..٣}", "no range"),
        ("name-{3..1}", "counts down"),
        ("name-{0..10000}", "10001 containers, and 10000 are the most"),
    ],
)
def test_any_other_brace_is_a_mistake(written: str, why: str) -> None:
    """Said in one sentence, when the URL is parsed."""
    with pytest.raises(UsageError, match=why):
        Destination.parse(f"swift://{written}/prefix")


def test_braces_in_object_names_are_ordinary() -> None:
    """Only those of the container mean several."""
    destination = Destination.parse("swift://name/{0..3}/{")
    assert (destination.root, destination.prefix) == ("name", "{0..3}/{")


def test_a_range_of_buckets_is_refused() -> None:
    """Their names have no braces, so nothing is lost."""
    with pytest.raises(UsageError, match="for swift:// only"):
        Destination.parse("s3://name-{0..7}/prefix")


def test_a_range_is_a_destination_as_it_is_written() -> None:
    """Journals compare it."""
    destination = Destination.parse("swift://name-{00..07}/p/")
    assert (destination.root, destination.prefix, str(destination)) == (
        "name-{00..07}",
        "p/",
        "swift://name-{00..07}/p/",
    )


@pytest.mark.parametrize("name", ["n8", "n-1", "n016", "n16", "m1", "n", "n1x", "n01", "n٣"])
def test_other_containers_do_not_belong_to_the_range(name: str) -> None:
    """Similar as they may be."""
    assert not Spread("n", 0, 7, 1, "").holds(name)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("n-{0..7}", "n-{0..15}", True),
        ("n-{0..7}", "n-{8..15}", False),
        ("n-{0..7}", "n-{00..07}", False),
        ("n-{0..7}", "n-3", True),
        ("n-3", "n-{0..7}", True),
        ("n-{0..7}", "n-8", False),
        ("a", "b", False),
        ("n{1..2}", "{1..2}n", False),
        ("{1..20}2", "1{0..9}2", True),
    ],
)
def test_it_is_known_which_ranges_overlap(one: str, other: str, share: bool) -> None:
    """A copy between them could replace its own sources."""
    assert share_containers(one, other) is share


def test_what_works_in_one_container_names_one() -> None:
    """The message has the first as its example."""
    check_one("plain", "x")
    with pytest.raises(UsageError, match="x: name one container, such as n-00"):
        check_one("n-{00..03}", "x")


def test_a_plain_container_has_all_its_objects() -> None:
    """It is no range."""
    assert container_of("plain", "a") == "plain"
    assert container_of("n-{00..63}", "a") == "n-18"
