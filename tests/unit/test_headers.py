"""Header fields that people give."""

import pytest

from bulkput.errors import UsageError
from bulkput.options import GzipOptions, HeaderOptions
from bulkput.policy.headers import check_compressible, check_name, check_value, parse_fields


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        ((), ()),
        (("X-A: 1",), (("X-A", "1"),)),
        (("X-A:1",), (("X-A", "1"),)),
        ((" X-A :  1 ",), (("X-A", "1"),)),
        (("X-A:",), (("X-A", ""),)),
        (("X-A: a:b",), (("X-A", "a:b"),)),
        (("X-A: é",), (("X-A", "é"),)),
        (("X-A: a\tb",), (("X-A", "a\tb"),)),
        (("X-A: 1", "X-B: 2"), (("X-A", "1"), ("X-B", "2"))),
        (("X-A: 1", "X-A: 2"), (("X-A", "2"),)),
    ],
)
def test_fields_are_taken_apart_at_the_first_colon(lines: tuple[str, ...], fields: tuple[tuple[str, str], ...]) -> None:
    """Space around them goes; of a name given twice the last counts."""
    assert parse_fields(lines, what="--header") == fields


def test_a_name_given_twice_in_other_letters_is_given_twice() -> None:
    """Field names have no case (RFC 9110, 5.1): the wire must carry one of them."""
    fields = parse_fields(("Cache-Control: no-store", "cache-control: no-cache"), what="--header")
    assert [(name.lower(), value) for name, value in fields] == [("cache-control", "no-cache")]


@pytest.mark.parametrize("line", ["X-A", "", "no colon here"])
def test_a_line_without_a_colon_is_refused(line: str) -> None:
    """And the message names the flag."""
    with pytest.raises(UsageError, match=r"--meta .*NAME:VALUE"):
        parse_fields((line,), what="--meta")


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a\r", "é", "a:b", "a/b", "a\x00", "(a)", "a\t", '"a"'])
def test_a_name_is_a_token(name: str) -> None:
    """RFC 9110, 5.6.2."""
    with pytest.raises(UsageError, match=r"--header: .* is not a header name"):
        check_name(name, what="--header")


@pytest.mark.parametrize(
    "name",
    [
        "Content-Length",
        "content-length",
        "TRANSFER-ENCODING",
        "Connection",
        "Host",
        "Expect",
        "ETag",
        "X-Auth-Token",
        "TE",
        "Upgrade",
    ],
)
def test_a_header_that_bulkput_sets_is_refused(name: str) -> None:
    """A second one would break framing or the proof of integrity."""
    with pytest.raises(UsageError, match="set by bulkput itself"):
        parse_fields((f"{name}: 1",), what="--header")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\x00b", "a\x1b[2J", "a\x7f", "\x0b"])
def test_a_value_with_a_control_character_is_refused(value: str) -> None:
    """Nothing can end the line on the wire."""
    with pytest.raises(UsageError, match="control character"):
        check_value(value, what="--header")


def test_a_value_that_cannot_be_encoded_is_refused() -> None:
    """Undecodable bytes of the command line."""
    with pytest.raises(UsageError, match="not UTF-8"):
        check_value("a\udcff", what="--header")


GZIPS = [GzipOptions(mode="auto"), GzipOptions(mode="always"), GzipOptions(mode="always", store_as="suffix")]
TELLING = [
    (
        HeaderOptions(extra=(("X-A", "1"), ("Content-Encoding", "br"))),
        "Content-Encoding and `gzip.mode` exclude each other",
    ),
    (HeaderOptions(extra=(("content-ENCODING", "gzip"),)), "Content-Encoding and `gzip.mode` exclude each other"),
    (HeaderOptions(meta=(("a", "1"), ("Source-Md5", "x"))), "Source-Md5 is what bulkput"),
    (HeaderOptions(meta=(("source-SIZE", "1"),)), "source-SIZE is what bulkput"),
    (HeaderOptions(extra=(("X-Object-Meta-Source-Md5", "x"),)), "X-Object-Meta-Source-Md5 is what bulkput"),
]


@pytest.mark.parametrize(("headers", "says"), TELLING)
@pytest.mark.parametrize("gzip", GZIPS)
def test_a_header_that_compressed_objects_carry_is_refused(
    headers: HeaderOptions, says: str, gzip: GzipOptions
) -> None:
    """Field names in any case; one sentence that names the flag."""
    with pytest.raises(UsageError, match=says):
        check_compressible(headers, gzip)


def test_without_compression_any_field_of_these_may_be_given() -> None:
    """And with it all others."""
    for headers, _ in TELLING:
        check_compressible(headers, GzipOptions())
    others = HeaderOptions(extra=(("Content-Language", "en"),), meta=(("Source", "x"), ("Md5", "y")))
    check_compressible(others, GzipOptions(mode="always"))
