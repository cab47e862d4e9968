"""Header fields that people give."""

import pytest

from bulkput.errors import UsageError
from bulkput.options import GzipOptions, HeaderOptions, UploadOptions
from bulkput.policy.headers import check_compressible, check_content_type, check_name, check_value, parse_fields
from bulkput.rule_options import Rule


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
def test_a_header_line_is_split_at_its_first_colon(lines: tuple[str, ...], fields: tuple[tuple[str, str], ...]) -> None:
    """Spaces around name and value are removed; the last of equal names wins."""
    assert parse_fields(lines, what="--header") == fields


def test_header_names_differing_in_case_are_one_field() -> None:
    """Field names are case-insensitive (RFC 9110, section 5.1), and only one is sent."""
    fields = parse_fields(("Cache-Control: no-store", "cache-control: no-cache"), what="--header")
    assert [(name.lower(), value) for name, value in fields] == [("cache-control", "no-cache")]


@pytest.mark.parametrize("line", ["X-A", "", "no colon here"])
def test_a_header_line_without_a_colon_is_refused(line: str) -> None:
    """The message names the flag."""
    with pytest.raises(UsageError, match=r"--meta .*NAME:VALUE"):
        parse_fields((line,), what="--meta")


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a\r", "é", "a:b", "a/b", "a\x00", "(a)", "a\t", '"a"'])
def test_an_invalid_header_name_is_refused(name: str) -> None:
    """Names are tokens (RFC 9110, section 5.6.2)."""
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
    """A second one would break the framing or the integrity check."""
    with pytest.raises(UsageError, match="set by bulkput itself"):
        parse_fields((f"{name}: 1",), what="--header")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\x00b", "a\x1b[2J", "a\x7f", "\x0b"])
def test_a_value_with_a_control_character_is_refused(value: str) -> None:
    """A value cannot end its line in the request."""
    with pytest.raises(UsageError, match="control character"):
        check_value(value, what="--header")


def test_a_value_that_cannot_be_encoded_is_refused() -> None:
    """The example is an undecodable byte of the command line."""
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
    """Field names match in any case, and the message names the flag."""
    with pytest.raises(UsageError, match=says):
        check_compressible(UploadOptions(headers=headers, gzip=gzip))


def test_fields_reserved_for_compression_are_allowed_without_it() -> None:
    """All other fields are allowed with compression too."""
    for headers, _ in TELLING:
        check_compressible(UploadOptions(headers=headers))
    others = HeaderOptions(extra=(("Content-Language", "en"),), meta=(("Source", "x"), ("Md5", "y")))
    check_compressible(UploadOptions(headers=others, gzip=GzipOptions(mode="always")))


def test_metadata_of_a_rule_that_compressed_objects_carry_is_refused_by_its_number() -> None:
    """Also if it is a rule that turns compression on."""
    rules = (Rule(match=("*",), gzip="auto"), Rule(match=("*.txt",), meta=(("source-md5", "x"),)))
    with pytest.raises(UsageError, match="rule 2: metadata source-md5 is what bulkput itself stores"):
        check_compressible(UploadOptions(rules=rules))
    check_compressible(UploadOptions(rules=rules[1:]))


@pytest.mark.parametrize("value", ["text/html", "text/html; charset=utf-8", "application/vnd.x+json ; a=b/c"])
def test_a_type_is_two_words_with_a_slash(value: str) -> None:
    assert check_content_type(value, what="--content-type") == value


@pytest.mark.parametrize("value", ["html", "", "text/", "/html", "text html", "text/html/x", "te xt/html", "a; b/c"])
def test_what_is_no_type_is_refused(value: str) -> None:
    """A browser would guess, or offer a download."""
    with pytest.raises(UsageError, match=r"--content-type: .* is no type"):
        check_content_type(value, what="--content-type")
