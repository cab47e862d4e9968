"""Access logs: the fields of a line, the place that its path names, and blocks that give the same as single lines."""

import pytest

from bulkput.logs.parse import Parser, Record, parse_line
from bulkput.logs.paths import container_of_log, split_path

COMBINED = (
    b'10.0.0.1 - - [14/Feb/2010:04:05:06 +0000] "GET /horror/raven.txt?x=1 HTTP/1.1" 200 1234'
    b' "http://a.example/" "curl"\n'
)
RECORD = Record("10.0.0.1", "2010-02-14", "04", "GET", "/horror/raven.txt", "200", 1234, "http://a.example/", "curl")
W3C = b"""#Version: 1.0
#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes cs(Referer) cs(User-Agent)
2010-02-14 04:05:06 10.0.0.1 GET /horror/raven.txt 200 1234 http://a.example/ curl
"""


def text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def read(log: bytes) -> tuple[list[Record], list[str]]:
    bad: list[str] = []
    return [record for lines in Parser(bad.append)(log) for record in lines], bad


def test_a_combined_line_has_all_fields() -> None:
    """Alone and in a block."""
    assert parse_line(text(COMBINED.strip())) == RECORD
    assert read(COMBINED) == ([RECORD], [])


def test_a_common_line_has_no_referrer_and_no_agent() -> None:
    """Both fields are `-`."""
    common = COMBINED.partition(b' "http')[0]
    expected = RECORD._replace(referrer="-", agent="-")
    assert parse_line(text(common)) == expected
    assert read(common + b"\n") == ([expected], [])


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (b" 1234 ", b" - ", {"size": 0}),
        (b"14/Feb/2010", b"14/02/2010", {}),  # Rackspace's CDN
        (b"- - ", b"- John Doe ", {}),
        (b'"curl"', b'"curl" "203.0.113.9" 0.001', {}),
        (b'"curl"', rb'"a \"b\" c\\"', {"agent": r"a \"b\" c\\"}),
        (b"/raven.txt?x=1", b"/the raven.txt", {"path": "/horror/the raven.txt"}),
        (b"GET /horror/raven.txt?x=1 HTTP/1.1", b"-", {"method": "-", "path": "-"}),
        (b"GET /horror/raven.txt?x=1 HTTP/1.1", rb"\x16\x03", {"method": "-", "path": "-"}),
        (b" HTTP/1.1", b"", {}),
        (b'"curl"', b'"\xff"', {"agent": "\udcff"}),
        (b"10.0.0.1", b"2001:db8::1", {"ip": "2001:db8::1"}),
        (b"\n", b"\r\n", {}),
    ],
)  # fmt: skip
def test_an_unusual_line_gives_the_same_record_alone_and_in_a_block(
    old: bytes, new: bytes, changed: dict[str, str | int]
) -> None:
    """The lines around it are not affected."""
    line = COMBINED.replace(old, new)
    expected = RECORD._replace(**changed)
    assert read(line) == ([expected], [])
    records, bad = read(COMBINED * 70 + line + COMBINED * 50)
    assert sorted(records) == sorted([RECORD] * 120 + [expected]) and not bad


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        COMBINED[:40],
        COMBINED.strip().replace(b" 200 ", b" 2000 "),
        COMBINED.strip().replace(b" 1234 ", b" 1_234 "),
        COMBINED.strip().replace(b" 1234 ", b" " + b"9" * 19 + b" "),
        COMBINED.strip().replace(b" 1234 ", b" " + b"9" * 5000 + b" "),
        COMBINED.strip().replace(b"Feb", b"Foo"),
        b" " + COMBINED.strip(),
        b"\0",
    ],
)
def test_a_bad_line_is_reported_and_the_lines_around_it_are_read(line: bytes) -> None:
    """`on_bad_line` gets its text."""
    assert read(COMBINED * 40 + line + b"\n" + COMBINED * 30) == ([RECORD] * 70, [text(line)])


def test_blank_lines_are_ignored_and_a_long_line_is_a_bad_one() -> None:
    """Blank lines are not bad lines."""
    assert read(b"\n" * 40 + b"x" * 5000 + b"\n") == ([], ["x" * 5000])


def test_lines_after_a_fields_directive_have_its_fields() -> None:
    """Separated by spaces or by tabs."""
    assert read(W3C) == ([RECORD], [])
    assert read(W3C.replace(b" ", b"\t").replace(b"#Fields:\t", b"#Fields: ")) == ([RECORD], [])


def test_w3c_fields_may_be_quoted_or_missing_and_may_change_within_a_log() -> None:
    """A line that does not fit the last directive is a bad line."""
    quoted = W3C.replace(b" curl", b' "curl ""7"" b"')
    few = b"#Fields: time cs-uri sc-status\n23:00:01 /a?b 404\n23:00:01 /a?b\n\n"
    records, bad = read(quoted + few)
    assert records == [
        RECORD._replace(agent='curl "7" b'), Record("-", "-", "23", "-", "/a", "404", 0, "-", "-"),
    ]  # fmt: skip
    assert bad == ["23:00:01 /a?b"]


def test_split_path_follows_its_truth_table() -> None:
    """The docstring of `split_path` is the truth table."""
    lines = [line.strip() for line in (split_path.__doc__ or "").splitlines() if line.strip().startswith("|")]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert len(rows) == 15
    for path, container, expected_container, expected_object, _ in rows:
        assert split_path(path, container or None) == (expected_container, expected_object), path


def test_a_url_within_a_path_is_part_of_the_path_and_a_long_path_takes_linear_time() -> None:
    """A search for the scheme at every position takes quadratic time: half a second for 8 KiB."""
    assert split_path("/horror/http://a.example/b") == ("horror", "http://a.example/b")
    for _ in range(1_000):
        assert split_path("/horror/" + "x" * 100_000).container == "horror"


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("horror/2010/02/14/04/5f3a.gz", "horror"),
        ("/logs/horror/2010/02/14/04/5f3a.log.gz", "horror"),
        ("horror.2010021404-5f3a.gz", "horror"),
        ("logs/a.b.2010021404-5f3a.gz", "a.b"),
        ("access.log.1.gz", None),
        ("../2010/02/14/04/x.gz", None),
    ],
)
def test_the_name_of_a_log_may_begin_with_its_container(name: str, container: str | None) -> None:
    """The two ways in which Cloud Files named logs."""
    assert container_of_log(name) == container
