"""Blocks of log lines: however they are cut and whatever is in them, the result is that of each line alone."""

from hypothesis import given
from hypothesis import strategies as st

from bulkput.logs import parse
from bulkput.logs.parse import Parser, Record, parse_line
from bulkput.logs.w3c import Fields

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


def alone(block: bytes, fields: Fields | None) -> list[Record | None]:
    lines = [one for one in block.decode("utf-8", "surrogateescape").split("\n") if one]
    return [parse_line(one) if fields is None else fields.record(one) for one in lines]


def together(log: bytes) -> tuple[list[Record], int]:
    """As a block, which is cut as long as it has two lines and is not regular."""
    few, parse._FEW = parse._FEW, 1
    try:
        parser = Parser()
        return [record for columns in parser(log) for record in columns.records()], parser.bad_lines
    finally:
        parse._FEW = few


@given(blocks)
def test_a_log_is_its_lines_however_deep_it_is_cut(block: bytes) -> None:
    expected = alone(block, None)
    assert together(block) == ([record for record in expected if record is not None], expected.count(None))


@given(w3c_blocks)
def test_the_same_of_w3c_logs(block: bytes) -> None:
    expected = alone(block, Fields(FIELDS))
    directive = f"#Fields: {' '.join(FIELDS)}\n".encode()
    assert together(directive + block) == ([record for record in expected if record is not None], expected.count(None))
