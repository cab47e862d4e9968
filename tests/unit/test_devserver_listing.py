"""The listing of the local store, against a model that shares nothing with it but the documentation."""

from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from bulkput.devserver.listing import ListQuery, NameIndex, list_page

LETTERS = st.sampled_from(["a", "b", "/", "//", "0", ".", "~", "é", "\ue000", "\U0001f600"])
NAMES = st.lists(LETTERS, min_size=1, max_size=6).map("".join)
MAYBE = st.one_of(st.just(""), NAMES)
QUERIES = st.builds(
    ListQuery,
    limit=st.integers(0, 8),
    marker=MAYBE,
    end_marker=MAYBE,
    prefix=st.one_of(st.just(""), NAMES.map(lambda name: name[:2])),
    delimiter=st.sampled_from(["", "/", "//", "a"]),
    path=st.one_of(st.none(), st.sampled_from(["", "a", "a/", "b//", "/"])),
    reverse=st.booleans(),
)


@dataclass
class Model:
    """Every name is looked at, in byte order of UTF-8, one condition after the other."""

    names: set[str]

    def page(self, query: ListQuery) -> list[tuple[str, bool]]:
        prefix, delimiter = query.prefix, query.delimiter
        if query.path is not None:
            prefix, delimiter = (query.path.rstrip("/") + "/" if query.path else ""), "/"
        low, high = query.marker.encode(), query.end_marker.encode()
        if query.reverse:
            low, high = high, low
        rows: list[tuple[str, bool]] = []
        for name in sorted(self.names, key=str.encode, reverse=query.reverse):
            raw = name.encode()
            if not name.startswith(prefix) or (low and raw <= low) or (high and raw >= high):
                continue
            head, cut, tail = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
            if query.path is not None:
                row = None if name == prefix or tail else (name, False)
            elif cut:
                row = (prefix + head + cut, True)
                row = None if row[0].encode() == low else row
            else:
                row = (name, False)
            if row is not None and row not in rows:
                rows.append(row)
        return rows[: query.limit]


def rows_of(names: list[str], query: ListQuery) -> list[tuple[str, bool]]:
    return [(row.name, row.is_subdir) for row in list_page(names, query)]


@given(st.sets(NAMES, max_size=30), QUERIES)
@example({"//", "//a"}, ListQuery(limit=1, path="/", reverse=True))
def test_a_listing_page_equals_that_of_the_model(names: set[str], query: ListQuery) -> None:
    """Markers, prefix, delimiter, path, limit and reverse are combined in every way."""
    assert rows_of(sorted(names), query) == Model(names).page(query)


@given(st.sets(NAMES, max_size=30), st.integers(1, 4), st.sampled_from(["", "/"]), st.booleans())
def test_following_the_marker_gives_the_whole_listing(
    names: set[str], limit: int, delimiter: str, reverse: bool
) -> None:
    """Each page starts after the last row of the page before; no row comes twice or is left out."""
    rows, marker = [], ""
    while page := rows_of(sorted(names), ListQuery(limit=limit, marker=marker, delimiter=delimiter, reverse=reverse)):
        rows += page
        marker = page[-1][0]
    # A subdir given as marker in reverse is the upper bound, and so is every name in it: nothing repeats there either.
    assert rows == Model(names).page(ListQuery(limit=10_000, delimiter=delimiter, reverse=reverse))


def test_names_are_ordered_by_their_utf8_bytes() -> None:
    """U+E000 sorts before U+1F600; in UTF-16 the order would be reversed."""
    index = NameIndex(["\U0001f600", "\ue000", "z", "é"])
    assert list(index.in_order()) == ["z", "é", "\ue000", "\U0001f600"]


@given(st.lists(st.tuples(st.booleans(), NAMES), max_size=300), st.integers(1, 100))
def test_a_name_index_is_a_sorted_set(changes: list[tuple[bool, str]], every: int) -> None:
    """Names are added and removed between two reads, few or many."""
    index, model = NameIndex(), set[str]()
    for number, (adding, name) in enumerate(changes):
        if adding and name not in model:
            index.add(name)
            model.add(name)
        elif not adding and name in model:
            index.remove(name)
            model.discard(name)
        if number % every == 0:
            assert list(index.in_order()) == sorted(model)
    assert list(index.in_order()) == sorted(model)


def test_a_page_of_subdirs_is_found_by_binary_search() -> None:
    """The container has 100 000 names in 1 000 subdirs, and only a few names are read."""
    names = sorted(f"{n % 1000:03d}/{n:06d}" for n in range(100_000))
    looked = 0

    class Counting(list[str]):
        def __getitem__(self, key):  # type: ignore[no-untyped-def]
            nonlocal looked
            looked += 1
            return super().__getitem__(key)

    assert len(list_page(Counting(names), ListQuery(limit=10_000, delimiter="/"))) == 1000
    assert looked < 1000 * 25
