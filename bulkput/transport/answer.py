"""Reading answers, without a socket: bytes in, one complete answer after the other out.

One reader, and in it one httptools parser (llhttp, the parser of Node.js), serves a connection for its whole life: an
answer of nginx takes it 13 us, a new one each time 18 us (timeit, CPython 3.11, the machine of benchmarks/RESULTS.md).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from bulkput.transport.base import Answer
from bulkput.transport.odd import end_of_head, ordinary

_NO_BODY = (204, 304)
_MAX_HEAD = 64 * 1024
"""Bytes that are no body (heads, framing, trailers): more than any server sends, a bound for one that never stops."""

_UPGRADES = "the server changes to another protocol unasked"


class GarbageError(Exception):
    """What came is no HTTP answer, or one that nobody asked for."""


class AnswerFields(Mapping[str, str]):
    """Header fields of an answer, by name in whatever letters; values as UTF-8, which ASCII is."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Mapping[bytes, bytes]) -> None:
        """`raw`: names in small letters."""
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        return self._raw[_key(name)].decode("utf-8", "surrogateescape")

    def get(self, name: str, default: Any = None) -> Any:  # Mapping's own raises and catches a KeyError
        value = self._raw.get(_key(name))
        return default if value is None else value.decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __repr__(self) -> str:
        return f"AnswerFields({dict(self)!r})"


def _key(name: str) -> bytes:
    return name.lower().encode("latin-1", "replace")


class AnswerReader:
    """The answers of one connection.

    `begin` before each request; then `feed` what arrives, until `is_done`: the answer is complete, or longer than the
    bound and cut there. After that `keeps_alive` says whether the connection may carry another request.
    """

    __slots__ = (
        "_fields", "_held", "_is_until_end", "_left", "_odd", "_parser", "_pieces", "_reason", "_room", "has_begun",
        "is_done", "keeps_alive", "may_continue", "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin(0)

    def begin(self, max_answer: int) -> None:
        """Expect an answer, and keep `max_answer` bytes of its body; less than none: to a HEAD, which has no body."""
        self.is_done = False
        self.has_begun = False
        """A byte of the answer has come: the server has seen the request."""
        self.may_continue = False
        """`100 Continue` has come."""
        self.keeps_alive = False
        self.status = 0
        self._reason = b""
        self._fields: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._room = max_answer
        self._left = max_answer + _MAX_HEAD
        self._is_until_end = False
        self._held: list[bytes] = []
        """What has come of a head that is not complete."""
        self._odd: bytearray | None = None
        """Of an answer with an odd head: what has not been given to the parser yet."""

    def feed(self, data: bytes) -> None:
        """Take what has arrived, in whatever pieces. Raises GarbageError; the connection is then of no more use."""
        self.has_begun = True
        if self._odd is not None:
            self._feed_odd(data)
        else:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade:
                raise GarbageError(_UPGRADES) from None
            except HttpParserError as error:
                self._refused(data, error)
        self._left -= len(data)
        if not self.is_done:
            if self._left < 0:
                raise GarbageError("the answer has no end")
            if self.status < 200 and self._odd is None:
                self._held.append(data)

    def _refused(self, data: bytes, error: HttpParserError) -> None:
        """The parser does not take `data`. Raises GarbageError, unless it may be of an odd head."""
        if self.is_done:  # what came behind the answer
            self.keeps_alive = False
        elif self.status < 200:
            self._read_again(data)
        else:
            raise GarbageError(f"the answer is not HTTP/1.1: {error}") from None

    def _read_again(self, data: bytes) -> None:
        """The answer from its beginning, up to `data`, as one with an odd head. Raises GarbageError."""
        self._parser = HttpResponseParser(self)
        self.status, self._reason, self._fields = 0, b"", {}
        self._odd = bytearray()
        self._feed_odd(b"".join((*self._held, data)))

    def _feed_odd(self, data: bytes) -> None:
        odd = self._odd = (self._odd or bytearray()) + data
        try:
            while self.status < 200 and (end := end_of_head(odd)) is not None:
                head = ordinary(bytes(odd[:end]))
                del odd[:end]
                self._parser.feed_data(head)
            if self.status >= 200 and odd:
                rest = bytes(odd)
                odd.clear()
                self._parser.feed_data(rest)
        except HttpParserUpgrade:
            raise GarbageError(_UPGRADES) from None
        except (HttpParserError, ValueError) as error:
            if not self.is_done:
                raise GarbageError(f"the answer is not HTTP/1.1: {error}") from None

    def feed_end(self) -> bool:
        """The server has closed its side. True when that completes the answer (RFC 9112, 6.3, case 8)."""
        if self._is_until_end and not self.is_done:
            self.is_done, self.keeps_alive = True, False
        return self.is_done

    def answer(self) -> Answer:
        """The complete answer."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        return Answer(self.status, self._reason.decode("latin-1"), AnswerFields(self._fields), body)

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        if self.is_done:  # by an answer that nobody asked for
            self.keeps_alive = False

    def on_status(self, reason: bytes) -> None:
        if not self.is_done:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_done:
            return
        name = name.lower()
        if name in self._fields:  # a list, then (RFC 9110, 5.3)
            value = self._fields[name] + b", " + value
        self._fields[name] = value

    def on_headers_complete(self) -> None:
        if self.is_done:
            return
        self.status = status = self._parser.get_status_code()
        if self._room < 0 and status >= 200:  # its Content-Length is that of a GET: the parser would wait for it
            self.is_done, self.keeps_alive = True, self._parser.should_keep_alive()
            self._parser = HttpResponseParser(self)
            return
        if b"content-length" not in self._fields and status >= 200 and status not in _NO_BODY:
            self._is_until_end = not self._fields.get(b"transfer-encoding", b"").lower().endswith(b"chunked")

    def on_body(self, piece: bytes) -> None:
        if self.is_done:
            return
        if self._room >= len(piece):
            self._room -= len(piece)
            self._pieces.append(piece)
        else:  # the rest is not waited for
            self._pieces.append(piece[: self._room])
            self._room = 0
            self.is_done, self.keeps_alive = True, False

    def on_message_complete(self) -> None:
        if self.is_done:
            return
        if self.status < 200:
            self.may_continue = self.may_continue or self.status == 100
            self._reason, self._fields = b"", {}
            return
        self.is_done = True
        self.keeps_alive = self._odd is None and self._parser.should_keep_alive()
