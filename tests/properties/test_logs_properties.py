"""Blocks of log lines give the same records and groups as their lines one by one, whatever bytes they have."""

from collections import Counter
from collections.abc import Callable, Iterable, Set
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.logs.groups import Groups
from bulkput.logs.keys import KEYS
from bulkput.logs.parse import Parser, Record, parse_line
from bulkput.logs.w3c import W3cFields

bits = st.sampled_from(
    [
        b"", b" ", b"-", b'"', b'\\"', b"\\", b"\0", b"[", b"]", b"\t", b"/a", b"GET", b"HTTP/1.1", b"\xff", b"7", b"_",
        b" - - [", b" - - [14/Feb/2010:", b"1.1.1.1 - - [14/Feb/2010:", "\u0663\u00b2".encode(), b"\x1c", b"\xc2\x85",
    ]
)  # fmt: skip
odd = st.lists(bits, max_size=4).map(b"".join)


def mostly(*usual: bytes) -> st.SearchStrategy[bytes]:
    return st.one_of(st.sampled_from(usual), st.sampled_from(usual), st.sampled_from(usual), odd)


line = st.tuples(
    mostly(b"10.0.0.1", b"::1"), st.just(b" "), mostly(b"-"), st.just(b" "), mostly(b"-", b"bob", b"a b"),
    mostly(b" ["), mostly(b"14/Feb/2010:04:05:06 +0000", b"14/02/2010:04:05:06 +0000"), mostly(b'] "'),
    mostly(b"GET /a HTTP/1.1", b"GET /a b HTTP/1.0", b"-", b"PUT /c?d", b"GET HTTP/1.1 HTTP/1.1"), mostly(b'" '),
    mostly(b"200", b"404", b"20"), mostly(b" "), mostly(b"1", b"-", b"1_0", b"+1"),
    mostly(b"", b' "-" "x"', b' "-" "x"', b' "a" "b c"', b' "-" "x" extra', b' "x" "a\\"b"', b" "),
).map(b"".join)  # fmt: skip
regular = st.just(b'1.1.1.1 - - [14/Feb/2010:04:05:06 +0000] "GET /a HTTP/1.1" 200 1 "-" "x"')
logs = st.lists(st.one_of(line, regular, odd), max_size=12)
repeated = st.tuples(line, st.integers(1, 5)).map(lambda made: [made[0]] * made[1])
blocks = st.one_of(logs, repeated).map(lambda lines: b"".join(one + b"\n" for one in lines))

field = st.one_of(st.sampled_from([b"2010-02-14", b"04:05:06", b"200", b"12", b"-", b"/a", b'"x y"', b""]), odd)
FIELDS = ["date", "time", "cs-uri-stem", "sc-status", "sc-bytes"]
w3c_line = st.one_of(
    st.tuples(
        mostly(b"2010-02-14"),
        mostly(b"04:05:06", b"-"),
        mostly(b"/a?b", b'"/a b"'),
        mostly(b"200"),
        mostly(b"12", b"-"),
    ),
    st.lists(field, max_size=7),
)
w3c_blocks = st.tuples(st.lists(w3c_line, max_size=12), st.sampled_from([b" ", b" ", b"\t"])).map(
    lambda made: b"".join(made[1].join(one) + b"\n" for one in made[0])
)


def alone(block: bytes, fields: W3cFields | None) -> list[Record | None]:
    lines = [one for one in block.decode("utf-8", "surrogateescape").split("\n") if one]
    return [parse_line(one) if fields is None else fields.record(one) for one in lines]


def together(log: bytes) -> tuple[Counter[Record], int]:
    parser = Parser()
    return Counter(record for lines in parser(log) for record in lines), parser.bad_lines


def expected_of(block: bytes, fields: W3cFields | None) -> tuple[Counter[Record], int]:
    records = alone(block, fields)
    return Counter(record for record in records if record is not None), records.count(None)


s3_line = st.tuples(
    mostly(b"owner", b"test"), mostly(b" "), mostly(b"horror", b"comics", b"b" * 64), mostly(b" "),
    mostly(b"[14/Feb/2010:04:05:06 +0000]", b"[15/Feb/2010:05:05:06 +0000]"), mostly(b" "),
    mostly(b"10.0.0.1", b"-"), mostly(b" arn:a "), mostly(b"id"), mostly(b" "),
    mostly(b"REST.GET.OBJECT", b"S3.EXPIRE.OBJECT"), mostly(b" "), mostly(b"a/b", b"a%2520b", b"-", b"a b"),
    mostly(b' "'), mostly(b"GET /a HTTP/1.1", b"GET /a%20b HTTP/1.0", b"-", b'PUT /c"?d'), mostly(b'" ', b'" '),
    mostly(b"200", b"404", b"-"), mostly(b" - "), mostly(b"1", b"-", b"1" * 16, b"1" * 17), mostly(b" 7 8 9 "),
    mostly(b'"-" "x"', b'"-" "x y"', b'"a" "x"', b"- -", b'"-" x y z', b'"a"b" "x"'),
    mostly(b" v h SigV4 - AuthHeader host - - -", b"", b" v", b" - - - - - - - - - later"),
).map(b"".join)  # fmt: skip
s3_regular = st.sampled_from(
    [
        b'o %b [14/Feb/2010:04:05:06 +0000] 1.1.1.1 r id REST.GET.OBJECT a "GET /a HTTP/1.1" 200 - 1 - 2 3 "-" "x" -'
        % bucket
        for bucket in (b"horror", b"comics")
    ]
)
s3_blocks = st.lists(st.one_of(s3_line, s3_regular, regular, odd), max_size=12).map(
    lambda lines: b"".join(one + b"\n" for one in lines)
)


@given(s3_blocks)
def test_an_s3_block_gives_the_records_of_its_lines(block: bytes) -> None:
    """Lines of several buckets, of Ceph, and of other formats come in any order."""
    assert together(block) == expected_of(block, None)


@given(blocks)
def test_a_block_gives_the_records_of_its_lines(block: bytes) -> None:
    """Regular, odd and bad lines come in any order."""
    assert together(block) == expected_of(block, None)


@given(w3c_blocks)
def test_a_w3c_block_gives_the_records_of_its_lines(block: bytes) -> None:
    """The fields are separated by spaces or by tabs."""
    directive = f"#Fields: {' '.join(FIELDS)}\n".encode()
    assert together(directive + block) == expected_of(block, W3cFields(FIELDS))


# Texts with equal beginnings and lengths around multiples of eight bytes, one of them wider than numpy compares.
texts = st.one_of(
    odd,
    st.tuples(st.sampled_from([0, 1, 7, 8, 9, 15, 16, 17, 31, 127, 128, 129, 511, 512, 513, 9000]), odd).map(
        lambda made: b"x" * made[0] + made[1]
    ),
)
text_lines = st.tuples(
    st.sampled_from([b"10.0.0.1", b"10.0.0.10", b"2001:db8::" + b"1:" * 10, b"x" * 48, b"x" * 49, b"\xff", b"\0"]),
    st.sampled_from([b"14/Feb/2010:04", b"15/Feb/2010:23", b"15/Feb/2010:2x", b"14/02/2010:04", b"99/Feb/2010:04"]),
    st.one_of(texts, texts.map(lambda text: b"GET /a/" + text + b" HTTP/1.1")),
    st.sampled_from([b"200", b"007", b"2x0"]),
    st.sampled_from([b"-", b"0", b"12345678", b"123456789", b"1234567890123456", b"9" * 18, b"9" * 19, b"0" * 17]),
    st.one_of(st.none(), st.tuples(texts, texts, st.sampled_from([b"", b" more", b' "more"', b"x"]))),
).map(
    lambda made: b'%b - - [%b:05:06 +0000] "%b" %b %b' % made[:5]
    + (b"" if made[5] is None else b' "%b" "%b"%b' % made[5])
    + b"\n"
)  # fmt: skip
text_logs = st.lists(text_lines, max_size=20).map(b"".join)


@given(text_logs)
def test_values_of_any_length_give_the_records_of_their_lines(block: bytes) -> None:
    """The lengths lie around the widths at which the parser changes its method."""
    assert together(block) == expected_of(block, None)


Result = dict[tuple[str, ...], tuple[int, int, dict[str, Set[str] | None]]]


def grouped(logs: list[bytes], read: Callable[[bytes], Iterable[Any]], by: list[str], distinct: int) -> Result:
    """Group the logs; every other one is the log of container `a`."""
    groups = Groups(by, distinct)
    for number, log in enumerate(logs):
        for lines in read(log):
            groups.add(lines, (None, "a")[number % 2])
    return {group.key: (group.count, group.bytes, dict(group.seen)) for group in groups.all()}


@pytest.mark.parametrize("multiplier", [0, 0x9E3779B97F4A7C15], ids=["collisions", "none"])
@given(
    logs=st.lists(st.one_of(text_logs, s3_blocks), max_size=4),
    by=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True),
    distinct=st.integers(1, 4),
    waiting=st.integers(1, 20),
    unused=st.integers(0, 10),
)
def test_grouping_blocks_equals_grouping_single_lines(
    multiplier: int, logs: list[bytes], by: list[str], distinct: int, waiting: int, unused: int
) -> None:
    """It holds for any time of grouping and forgetting; with multiplier 0 nearly all hashes collide."""
    pytest.importorskip("numpy")
    from bulkput.logs import column_groups, dictionary  # noqa: PLC0415 - numpy

    expected = grouped(logs, lambda log: [[record for record in alone(log, None) if record]], by, distinct)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dictionary, "_MULTIPLIER", multiplier)
        patch.setattr(column_groups, "_WAITING", waiting)
        patch.setattr(column_groups, "_UNUSED", unused)
        patch.setattr(column_groups, "_PLACES", unused)
        found = grouped(logs, Parser(), by, distinct)
    assert found == expected
