"""What is asked of Swift's bulk-delete, and what its answers mean."""

import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.stores.swift.bulk import Outcome, outcome, request_body

names = st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable() or "\n" in text)


@given(names, st.lists(names, max_size=5))
def test_a_path_per_line_whatever_the_names_are(container: str, keys: list[str]) -> None:
    """A line end in a name is escaped like the rest."""
    lines = request_body(container, keys).decode("ascii").splitlines()
    assert [unquote(line) for line in lines] == [f"{container}/{key}" for key in keys]


def answer(status: str, *errors: tuple[str, str], **others: object) -> bytes:
    counts = {"Number Deleted": 1, "Number Not Found": 0}
    return b"  \r\n\r\n" + json.dumps({"Response Status": status, "Errors": errors, **counts, **others}).encode()


def test_an_answer_says_what_could_not_be_removed() -> None:
    """With the names as they were, though the answer quotes them; spaces before it keep the connection alive."""
    said = answer("400 Bad Request", ("/c/a%20b", "403 Forbidden"), ("c/%C3%BC", "503 Busy"))
    assert outcome("c", said) == Outcome(400, "", (("a b", 403), ("ü", 503)))
    assert outcome("c", answer("200 OK", **{"Response Body": "fine"})) == Outcome(200, "fine", ())


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>", b"null", answer("OK"), answer("200 OK", Errors=1), b'{"Errors": []}']
)
def test_what_is_no_answer_to_a_bulk_delete_is_none(body: bytes) -> None:
    """Without that middleware the same request means something else."""
    assert outcome("c", body) is None
