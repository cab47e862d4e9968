"""Blocks of log lines: however they are cut and whatever is in them, the result is that of each line alone."""

from hypothesis import given
from hypothesis import strategies as st

from bulkput.logs import parse
from bulkput.logs.columns import IrregularError
from bulkput.logs.combined import Pools, combined
from bulkput.logs.parse import Parser, Record, parse_line
from bulkput.logs.w3c import Fields
from bulkput.logs.w3c import Pools as FieldPools

bits = st.sampled_from(
    [
        b"",
        b" ",
        b"-",
        b'"',
        b'\\"',
        b"\\",
        b"\0",
        b"[",
        b"]",
        b"\t",
        b"/a",
        b"GET",
        b"HTTP/1.1",
        b" - - [",
        b"\xff",
        b"7",
        b"_",
    ]
)
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
blocks = logs.map(lambda lines: b"".join(one + b"\n" for one in lines if not one.startswith(b"#")))

field = st.one_of(st.sampled_from([b"2010-02-14", b"04:05:06", b"200", b"12", b"-", b"/a", b'"x y"', b""]), odd)
FIELDS = [b"date", b"time", b"cs-uri-stem", b"sc-status", b"sc-bytes"]
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


def whole(block: bytes, fields: Fields | None) -> list[Record] | None:
    """As a block; None where it is not regular."""
    if not block:
        return None
    try:
        columns = combined(block, Pools()) if fields is None else fields.columns(block, FieldPools())
    except IrregularError:
        return None
    return None if columns is None else list(columns.records())


def alone(block: bytes, fields: Fields | None) -> list[Record | None]:
    lines = [one for one in block.split(b"\n") if one]
    return [parse_line(one) if fields is None else fields.record(one) for one in lines]


@given(blocks)
def test_a_block_that_is_read_as_a_whole_is_read_as_its_lines_are(block: bytes) -> None:
    if (records := whole(block, None)) is not None:
        assert records == alone(block, None)


@given(st.lists(line, min_size=1, max_size=1), st.integers(1, 5))
def test_a_line_that_is_read_as_a_block_is_read_as_a_line(lines: list[bytes], times: int) -> None:
    block = (lines[0] + b"\n") * times
    if (records := whole(block, None)) is not None:
        assert records == alone(block, None)


@given(w3c_blocks)
def test_the_same_of_w3c_blocks(block: bytes) -> None:
    if (records := whole(block, Fields(FIELDS))) is not None:
        assert records == alone(block, Fields(FIELDS))


@given(
    st.one_of(st.tuples(blocks, st.just(b"")), st.tuples(w3c_blocks, st.just(b"#Fields: " + b" ".join(FIELDS) + b"\n")))
)
def test_a_log_is_its_lines_however_deep_it_is_cut(made: tuple[bytes, bytes]) -> None:
    block, directive = made
    if b"\n#" in b"\n" + block or b"\r" in block:
        return
    fields = Fields(FIELDS) if directive else None
    few, parse._FEW = parse._FEW, 1
    try:
        parser = Parser()
        records = [record for columns in parser(directive + block) for record in columns.records()]
    finally:
        parse._FEW = few
    expected = alone(block, fields)
    assert records == [record for record in expected if record is not None]
    assert parser.bad_lines == expected.count(None)
