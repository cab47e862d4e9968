"""Whatever the names and whatever a store says: one printable line."""

from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import SourceError, StoreError, printable

anything = st.lists(st.characters() | st.sampled_from(list("\n\x1b\u202e\udc80\udcff")), max_size=9).map("".join)
"""Any text, lone surrogates included: what `os.fsdecode` makes of undecodable bytes."""


@given(anything | st.binary())
def test_printable_gives_one_printable_line(name: str | bytes) -> None:
    """The text has no control characters or line ends and can be encoded as UTF-8."""
    text = printable(name)
    assert text.isprintable()
    assert len(text.splitlines()) <= 1
    text.encode()


@given(st.text().filter(str.isprintable))
def test_printable_leaves_printable_text_alone(name: str) -> None:
    """Printable names come back unchanged, as text and as bytes."""
    assert printable(name) == name
    assert printable(name.encode()) == name


@given(st.binary(), st.binary())
def test_printable_keeps_undecodable_names_apart(one: bytes, other: bytes) -> None:
    """Two names without backslashes never become the same text."""
    if b"\\" not in one + other and one != other:
        assert printable(one) != printable(other)


@given(anything, anything, st.none() | anything, st.integers(1, 9))
def test_a_store_error_is_one_printable_line(key: str, detail: str, request_id: str | None, attempts: int) -> None:
    """Control characters from a store cannot reach the terminal, not even in its request id."""
    error = StoreError("put", key, detail, status=500, request_id=request_id)
    error.attempts = attempts
    assert str(error).isprintable()


@given(st.binary())
def test_a_source_error_is_one_printable_line(path: bytes) -> None:
    """Control characters in a file name cannot reach the terminal."""
    assert str(SourceError(path, "vanished", "it was there")).isprintable()
