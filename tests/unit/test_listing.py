"""Listings of clusters and clones that do it in their own way."""

from collections.abc import Callable, Sequence

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bulkput.devserver import DevServer, DevServerOptions, SwiftConstraints
from bulkput.devserver.app import Handler, Intercept
from bulkput.devserver.listing import ListQuery, list_page
from bulkput.engine.open_store import connected
from bulkput.errors import StoreError
from bulkput.model import Prefix, RemoteObject
from bulkput.options import RetryOptions
from bulkput.stores.swift.listing import ListingCursor, NotFurtherError
from bulkput.testing.given import HEADERS, whole
from tests.conftest import environ_of

NAMES = ["a", "b/1", "b/2", "c", "d/1", "d/2/3", "e"]
ONE_LEVEL = ["a", "b/", "c", "d/", "e"]


def rows_of(names: Sequence[str], marker: str | None, delimiter: str, limit: int) -> list[RemoteObject | Prefix]:
    """A page as Swift gives it."""
    query = ListQuery(limit=limit, marker=marker or "", delimiter=delimiter)
    return [
        Prefix(row.name) if row.is_subdir else RemoteObject(row.name, 1, None, None, None)
        for row in list_page(names, query)
    ]


def clone_rows_of(names: Sequence[str], marker: str | None, delimiter: str, limit: int) -> list[RemoteObject | Prefix]:
    """A page of a clone that names a Prefix for all names behind the marker."""
    rows: dict[str, RemoteObject | Prefix] = {}
    for name in names:
        if marker is None or name > marker:
            cut = name.find(delimiter) + 1 if delimiter else 0
            row = Prefix(name[:cut]) if cut else RemoteObject(name, 1, None, None, None)
            rows.setdefault(row.name, row)
    return list(rows.values())[:limit]


@given(
    st.sets(st.text("ab/0", min_size=1, max_size=4)),
    st.sampled_from(["", "/"]),
    st.integers(1, 4),
    st.none() | st.text("ab/0", min_size=1, max_size=4),
    st.sampled_from([rows_of, clone_rows_of]),
)
def test_pages_of_any_size_give_the_whole_listing(
    there: set[str], delimiter: str, limit: int, start_after: str | None, pages: Callable[..., list[object]]
) -> None:
    """Each row comes once, also from a clone that repeats the prefix that is the marker."""
    names = sorted(there)
    reading, found = ListingCursor(start_after), []
    while page := pages(names, reading.marker, delimiter, limit):
        found += reading.new_of(page)  # type: ignore[arg-type]
    assert found == pages(names, start_after, delimiter, 1000)


@given(
    st.lists(st.text("ab/", min_size=1, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
    st.none() | st.just("a"),
)
def test_a_listing_that_ignores_the_marker_is_an_error(
    names: list[str], delimiter: str, start_after: str | None
) -> None:
    """The third page, at the latest, raises NotFurtherError, even if the listing is unordered."""
    page = clone_rows_of(names, None, delimiter, 100)
    reading = ListingCursor(start_after)
    with pytest.raises(NotFurtherError):
        for _ in range(3):
            reading.new_of(page)


def listings(answer: Callable[[web.BaseRequest, web.StreamResponse], web.StreamResponse | None]) -> Intercept:
    """Listings are answered with what `answer` makes of the answer; None leaves it."""

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        return (answer(request, response) or response) if "format" in request.query else response

    return intercept


def says_204(_: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse | None:
    assert isinstance(response, web.Response)
    return web.Response(status=204) if response.body == b"[]" else None


SMALL = DevServerOptions(limits=SwiftConstraints(container_listing_limit=2))


async def listed(server: DevServer, delimiter: str | None) -> list[str]:
    async with connected("swift://c", retry=RetryOptions(retries=0), environ=environ_of(server)) as (store, _):
        await store.prepare()
        for name in NAMES:
            await store.put(name, whole(b"x"), HEADERS)
        return [row.name async for row in store.list("", delimiter=delimiter)]


@pytest.mark.parametrize(("delimiter", "expected"), [(None, NAMES), ("/", ONE_LEVEL)])
@pytest.mark.parametrize("answer", [says_204, lambda _request, _response: None])
async def test_a_cluster_with_small_pages_is_listed_completely(
    answer: Callable[[web.BaseRequest, web.StreamResponse], web.StreamResponse | None],
    delimiter: str | None,
    expected: list[str],
) -> None:
    """The cluster decides how many names a page has; an empty page may be a 204."""
    async with DevServer(SMALL, intercept=listings(answer)) as server:
        assert await listed(server, delimiter) == expected


@pytest.mark.parametrize("delimiter", [None, "/"])
async def test_a_cache_that_ignores_the_marker_ends_the_listing_with_an_error(delimiter: str | None) -> None:
    """One sentence says why the listing ends."""

    async def intercept(request: web.BaseRequest, handler: Handler) -> web.StreamResponse:
        first = request.clone(rel_url=request.rel_url.without_query_params("marker"))
        return await handler(first if "marker" in request.query else request)

    async with DevServer(intercept=intercept) as server:
        with pytest.raises(StoreError, match=r"repeats what the one before it had: .* ignores the marker"):
            await listed(server, delimiter)
