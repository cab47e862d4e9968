"""What requests look like on the wire, whatever names and values they carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.errors import UsageError
from bulkput.transport.head import Heads

NASTY = st.text(st.one_of(st.characters(), st.sampled_from("\r\n\0: \t")), max_size=12)
HEADS = Heads("host:80", "bulkput/1")


@given(st.dictionaries(NASTY, NASTY, max_size=4), NASTY, st.sampled_from(["", "Content-Length: 5\r\n"]), st.booleans())
def test_a_request_head_has_exactly_the_given_fields(
    fields: dict[str, str], path: str, framing: str, expects: bool
) -> None:
    """Text that could end a line early or add a field raises UsageError."""
    try:
        head = HEADS.head("PUT", "/" + path, fields, framing, expects=expects)
    except UsageError:
        return
    lines = head.decode().split("\r\n")
    assert lines[0] == f"PUT /{path} HTTP/1.1" and lines[0].count(" ") == 2
    rest = [f"{name}: {value}" for name, value in fields.items()]
    rest += [framing[:-2]] if framing else []
    rest += ["Expect: 100-continue"] if expects else []
    assert lines[1:] == ["Host: host:80", "User-Agent: bulkput/1", *rest, "", ""]
    assert not any(character in line for line in lines for character in "\r\n\0")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "b\r\nX-C: d"),
        ("X-A", "b\n"),
        ("X-A", "b\r"),
        ("X-A", "\0"),
        ("X A", "b"),
        ("X-A:", "b"),
        ("", "b"),
        ("content-length", "2"),
        ("Host", "b"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_a_header_injection_is_refused(name: str, value: str) -> None:
    """Line ends in a field's name or value raise UsageError."""
    with pytest.raises(UsageError):
        HEADS.head("PUT", "/x", {name: value})


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX: y", "/ä", "/a\0"])
def test_an_unencoded_request_path_is_refused(path: str) -> None:
    """Such a path would change the request or make it invalid."""
    with pytest.raises(UsageError):
        HEADS.head("PUT", path, {})
