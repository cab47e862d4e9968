"""What is asked of Swift's bulk-delete, and what its answers mean."""

import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.stores.swift.bulk import BulkDeleteResult, outcome, request_body

names = st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable() or "\n" in text)


@given(names, st.lists(names, max_size=5))
def test_each_line_of_a_bulk_delete_is_one_escaped_path(container: str, keys: list[str]) -> None:
    """Line ends in names are escaped too."""
    lines = request_body(container, keys).decode("ascii").splitlines()
    assert [unquote(line) for line in lines] == [f"{container}/{key}" for key in keys]


def answer(*errors: tuple[str, str], gone: int = 1, missing: int = 0, **others: object) -> bytes:
    said = {"Response Status": "200 OK", "Errors": errors, "Number Deleted": gone, "Number Not Found": missing}
    return b"  \r\n\r\n" + json.dumps(said | others).encode()


def test_a_bulk_delete_answer_names_the_objects_that_remain() -> None:
    """The answer quotes the names; leading spaces keep the connection alive."""
    said = outcome("c", answer(("/c/a%20b", "403 Forbidden"), ("c/%C3%BC", "503 Busy"), gone=2, missing=3))
    assert said == BulkDeleteResult(2, 3, frozenset({"a b", "ü"}))


@pytest.mark.parametrize(
    ("removed", "not_found", "failed", "left"),
    [
        (3, 0, set(), ()),
        (2, 0, {"b"}, ("b",)),
        (0, 0, {"a", "b", "c"}, ("a", "b", "c")),
        (1, 0, {"b"}, ("a", "b", "c")),
        (1, 0, set(), ("a", "b", "c")),
        (4, 0, set(), ("a", "b", "c")),
        (2, 0, {"x"}, ("a", "b", "c")),
        (0, 3, set(), ("a", "b", "c")),
        (1, 1, {"b"}, ("a", "b", "c")),
    ],
)
def test_names_missing_from_a_bulk_delete_answer_are_deleted_again(
    removed: int, not_found: int, failed: set[str], left: tuple[str, ...]
) -> None:
    """The answer may stop early, name other objects or count wrong; then each object is deleted by itself."""
    assert BulkDeleteResult(removed, not_found, frozenset(failed)).left_of(("a", "b", "c")) == left


@pytest.mark.parametrize(
    ("body", "is_refused"),
    [
        (answer(("/c/a", "401 Unauthorized"), gone=0), True),
        (answer(gone=0, **{"Response Status": "401 Unauthorized"}), True),
        (answer(("/c/a", "403 Forbidden"), ("/c/4010", "503 Busy")), False),
        (answer(), False),
    ],
)
def test_a_refused_token_is_detected_within_a_bulk_delete_answer(body: bytes, *, is_refused: bool) -> None:
    """The refusal may be that of single objects or of the whole request."""
    said = outcome("c", body)
    assert said is not None and said.is_refused is is_refused


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"[" * 100_000,
        b"<html>",
        b"null",
        answer(Errors=1),
        answer(gone="x"),  # type: ignore[arg-type]
        answer(gone=4, missing=-1),
        answer(gone=float("inf")),  # type: ignore[arg-type]
        b'{"Errors": []}',
    ],
)
def test_an_invalid_answer_to_a_bulk_delete_gives_no_result(body: bytes) -> None:
    """A server without the middleware gives the request another meaning."""
    assert outcome("c", body) is None
