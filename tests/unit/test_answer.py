"""Reading answers, in whatever pieces they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkput.transport.answer import AnswerReader, GarbageError
from bulkput.transport.base import Answer

Outcome = tuple[Answer, bool] | str | None
"""An answer and whether the connection may go on; what is wrong with it; or nothing yet."""


def read(pieces: list[bytes], *, room: int = 65_536, is_ended: bool = False) -> Outcome:
    """What a reader makes of the pieces of one answer."""
    reader = AnswerReader()
    reader.begin(room)
    try:
        for piece in pieces:
            reader.feed(piece)
    except GarbageError as error:
        return str(error)
    if is_ended:
        reader.feed_end()
    return (reader.answer(), reader.keeps_alive) if reader.is_done else None


def comparable(outcome: Outcome) -> object:
    if isinstance(outcome, tuple):
        answer, keeps_alive = outcome
        return answer.status, answer.reason, dict(answer.headers), answer.body, keeps_alive
    return None if outcome is None else "garbage"


@pytest.mark.parametrize(
    ("data", "status", "body", "keeps_alive"),
    [
        (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, b"", True),
        (b"HTTP/1.1 201\r\nContent-Length: 0\r\n\r\n", 201, b"", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n", 304, b"", True),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 201, b"ok", False),
        (b"HTTP/1.0 201 Created\r\nContent-Length: 2\r\n\r\nok", 201, b"ok", False),
        (b"HTTP/1.0 201 Created\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 201, b"ok", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: a\r\n\r\n",
            200,
            b"abc",
            True,
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, b"", True),
        (
            b"HTTP/1.1 103 Early Hints\r\nETag: no\r\n\r\nHTTP/1.1 422 Bad\r\nContent-Length: 1\r\n\r\nx",
            422,
            b"x",
            True,
        ),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 Unasked\r\n", 201, b"", False),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\njunk", 201, b"", False),
        (b"HTTP/1.1 201 C\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 U\r\nContent-Length: 1\r\n\r\nb", 201, b"a", False),
    ],
)
def test_an_answer_is_read_to_its_end(data: bytes, status: int, body: bytes, keeps_alive: bool) -> None:
    """The reader gives status and body, and says if the connection can be reused."""
    outcome = read([data])
    assert isinstance(outcome, tuple)
    assert (outcome[0].status, outcome[0].body, outcome[1]) == (status, body, keeps_alive)
    assert "ETag" not in outcome[0].headers


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (b"HTTP/1.1 201 C\r\nContent-Length: 2\r\nETag: e\r\ncontent-length:2 \r\n\r\nok", 201, b"ok"),
        (b"HTTP/1.1 201 C\r\nETag: e\r\nContent-Length: 2, 2\r\n\r\nok", 201, b"ok"),
        (b"HTTP/1.1 201 C\r\nETag: e\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 201, b""),
        (b"HTTP/1.1 201 C\nETag: e\nContent-Length: 2\n\nok", 201, b"ok"),
        (b"HTTP/1.1 201 C\nETag: e\n\nok", 201, b"ok"),
        (b"HTTP/1.1 204 C\nETag: e\n\n", 204, b""),
        (b"HTTP/1.1 201 C\r\nX: a\r\n  b\r\nETag:\r\n\te\r\nContent-Length: 2\r\n\r\nok", 201, b"ok"),
        (b"HTTP/1.1 100 Go\n\nHTTP/1.1 201 C\nETag: e\nContent-Length: 2\n\nok", 201, b"ok"),
        (b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 201 C\nETag: e\nContent-Length: 2\n\nokHTTP/1.1 200 U\n\n", 201, b"ok"),
        (b"HTTP/1.1 200 C\nETag: e\nTransfer-Encoding: chunked\n\n2\r\nok\r\n0\r\n\r\n", 200, b"ok"),
    ],
)
def test_an_unambiguous_malformed_answer_is_accepted(data: bytes, status: int, body: bytes) -> None:
    """Like curl, the reader accepts the answer; the connection is not reused."""
    outcome = read([data], is_ended=True)
    assert isinstance(outcome, tuple), outcome
    answer, keeps_alive = outcome
    assert (answer.status, answer.headers["ETag"], answer.body, keeps_alive) == (status, "e", body, False)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 201 C\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 201 C\r\nContent-Length: 2, 3\r\n\r\nabc",
        b"HTTP/1.1 201 C\nContent-Length: 2\ncontent-length: 02\n\nab",
        b"HTTP/1.1 201 C\r\nContent-Length: 2\r\n 3\r\n\r\nabc",
        b"HTTP/1.1 201 C\r\nContent-Length: 2\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 201 C\r\nX: a\nContent-Length: 0\n\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 C\r\nX: a\r\nY: b\nETag: e\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 201 C\nX: a\rETag: e\nContent-Length: 0\n\n",
        b"HTTP/1.1 201 C\r\n X: a\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 201 C\r\nContent-Length : 0\r\n\r\n",
        b"HTTP/1.1 201 C\r\nX: a\0\r\n\r\n",
        b"HTTP/1.1 201 C\nno field\n\n",
        b"HTTP/1.1 101 C\nConnection: upgrade\nUpgrade: x\n\n",
        b"201 C\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 C\nTransfer-Encoding: chunked\n\nzz\n",
    ],
)
def test_an_ambiguous_malformed_answer_is_refused(data: bytes) -> None:
    """Examples are two lengths and values with embedded line ends."""
    assert isinstance(read([data], is_ended=True), str)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 201 Created\r\n\r\n", b"HTTP/1.1 201 Created\r\nTransfer-Encoding: gzip\r\n\r\n"]
)
def test_an_answer_without_framing_ends_with_its_connection(head: bytes) -> None:
    """RFC 9112, section 6.3, case 8: the body ends only when the connection is closed."""
    assert read([head, b"some", b"thing"]) is None
    outcome = read([head, b"some", b"thing"], is_ended=True)
    assert isinstance(outcome, tuple) and outcome[0].body == b"something" and not outcome[1]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhal",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 201 Cre",
        b"",
    ],
)
def test_an_incomplete_answer_is_not_returned(data: bytes) -> None:
    """This holds even if the connection is closed."""
    assert read([data] if data else [], is_ended=True) is None


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX-Endless: " + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-Trailer: x\r\n" * 20_000,
    ],
)
def test_garbage_is_refused(data: bytes) -> None:
    """A head or a trailer without an end is refused too."""
    assert isinstance(read([data[i : i + 9_000] for i in range(0, len(data), 9_000)]), str)


def test_a_body_beyond_the_bound_is_cut() -> None:
    """The answer is returned without waiting for the rest of the body."""
    head = b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000\r\n\r\n"
    outcome = read([head, b"x" * 60, b"y" * 60], room=100)
    assert isinstance(outcome, tuple)
    assert outcome[0].body == b"x" * 60 + b"y" * 40 and not outcome[1]


def test_an_answer_to_a_head_has_no_body() -> None:
    """Its Content-Length is that of a GET; the next answer on the connection is read normally."""
    reader = AnswerReader()
    for _ in range(2):
        reader.begin(-1)
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        assert reader.is_done and reader.keeps_alive and reader.answer().headers["Content-Length"] == "5"
    reader.begin(-1)
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    assert reader.is_done and not reader.keeps_alive
    reader.begin(9)
    reader.feed(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")
    assert reader.is_done and reader.answer().body == b"ok"


def test_header_names_are_case_insensitive() -> None:
    """Repeated fields are joined by commas."""
    outcome = read([b"HTTP/1.1 201 C\r\nETaG: a\r\nX-Name: \xc3\xa9\r\nVia: 1\r\nVia: 2\r\nContent-Length: 0\r\n\r\n"])
    assert isinstance(outcome, tuple)
    headers = outcome[0].headers
    assert (headers["etag"], headers["X-NAME"], headers["Via"], headers.get("X-Other")) == ("a", "é", "1, 2", None)
    assert list(headers) == ["Etag", "X-Name", "Via", "Content-Length"]


def test_a_reader_reads_all_answers_of_a_connection() -> None:
    """No field or body of one answer appears in the next."""
    reader = AnswerReader()
    for number in range(3):
        reader.begin(100)
        reader.feed(b"HTTP/1.1 201 Created\r\nETag: %d\r\nContent-Length: 1\r\n\r\n%d" % (number, number))
        assert reader.answer().headers["ETag"] == str(number) == reader.answer().body.decode()
        assert reader.keeps_alive


TOKENS = st.text("abcXYZ-", min_size=1, max_size=8)
FIELDS = st.lists(st.tuples(TOKENS, st.text("abc 123\té", max_size=12)), max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers that servers send, some that are odd, and some that nobody should send."""
    answer = draw(plain_answers())
    match draw(st.sampled_from(["ordinary", "bare", "folded", "twice", "mixed"])):
        case "bare":
            return answer.replace(b"\r\n", b"\n")
        case "folded":
            return answer.replace(b"\r\n", b"\r\nX-Folded: a\r\n b\r\n", 1)
        case "twice":
            return answer.replace(b"\r\n", b"\r\nContent-Length: 3\r\nContent-Length: 3\r\n", 1)
        case "mixed":
            return answer.replace(b"\r\n", b"\n", draw(st.integers(1, 3)))
    return answer


@st.composite
def plain_answers(draw: st.DrawFn) -> bytes:
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\nA: b\r\n\r\n"]))
    status = draw(st.sampled_from([b"200 OK", b"201 Created", b"204 No Content", b"413 Too Large", b"503 Slow Down"]))
    body = draw(st.binary(max_size=40))
    fields = b"".join(f"{name}: {value}\r\n".encode() for name, value in draw(FIELDS))
    match draw(st.sampled_from(["length", "chunked", "none", "wrong"])):
        case "length":
            framed = b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        case "chunked":
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            framed = b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
        case "none":
            framed = b"\r\n" + body
        case _:
            framed = b"Content-Length: x\r\n\r\n" + body
    version = draw(st.sampled_from([b"HTTP/1.1 ", b"HTTP/1.0 "]))
    return (
        interim
        + version
        + status
        + b"\r\n"
        + fields
        + framed
        + draw(st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"?"]))
    )


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place for place in places if 0 < place < len(data)})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(answers(), st.lists(st.integers(0, 200)), st.booleans(), st.sampled_from([10, 65_536]))
def test_an_answer_is_read_the_same_in_any_chunks(data: bytes, places: list[int], is_ended: bool, room: int) -> None:
    """Whole, byte by byte or cut anywhere, the result is the same."""
    whole = comparable(read([data], room=room, is_ended=is_ended))
    assert comparable(read(cut(data, places), room=room, is_ended=is_ended)) == whole
    assert comparable(read([data[i : i + 1] for i in range(len(data))], room=room, is_ended=is_ended)) == whole


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6), st.booleans())
def test_no_input_makes_the_answer_reader_raise_an_unexpected_error(pieces: list[bytes], is_ended: bool) -> None:
    """Any bytes give an answer, a refusal or a wait for more."""
    read(pieces, is_ended=is_ended)
    read([b"HTTP/1.1 200 OK\r\n", *pieces], is_ended=is_ended)
    read([b"HTTP/1.1 200 OK\n", *pieces], is_ended=is_ended)
    read([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *pieces], is_ended=is_ended)
