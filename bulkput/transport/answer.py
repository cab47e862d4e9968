"""Reads answers without a socket: bytes go in, complete answers come out.

A connection keeps one reader, and the reader keeps one httptools parser (llhttp, the parser of Node.js). Parsing an
answer of nginx takes 13 us that way, and 18 us with a new parser for each (timeit, CPython 3.11, the machine of
benchmarks/RESULTS.md).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from bulkput.transport.base import Answer
from bulkput.transport.odd import end_of_head, ordinary

_NO_BODY = (204, 304)
_MAX_HEAD = 64 * 1024
"""Bytes outside of bodies (heads, framing, trailers) that one answer may have: more than any server sends, and a bound
for a server that never stops."""

_UPGRADES = "the server changes to another protocol unasked"


class GarbageError(Exception):
    """The server sent something that is not an HTTP answer, or an answer without a request."""


class AnswerFields(Mapping[str, str]):
    """Header fields of an answer. Names match in any case; values are decoded as UTF-8."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Mapping[bytes, bytes]) -> None:
        """`raw` has lower-case names."""
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        return self._raw[_key(name)].decode("utf-8", "surrogateescape")

    def get(self, name: str, default: Any = None) -> Any:  # Mapping's own raises and catches a KeyError
        value = self._raw.get(_key(name))
        return default if value is None else value.decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1").title() for name in self._raw)  # as Swift spells them

    def __len__(self) -> int:
        return len(self._raw)

    def __repr__(self) -> str:
        return f"AnswerFields({dict(self)!r})"


def _key(name: str) -> bytes:
    return name.lower().encode("latin-1", "replace")


class AnswerReader:
    """The answers of one connection.

    Call `begin` before each request, then `feed` what arrives until `is_done`: the answer is complete, or it was cut at
    `max_answer`. Then `keeps_alive` says whether the connection may carry another request.
    """

    __slots__ = (
        "_fields", "_held", "_is_until_end", "_left", "_odd", "_parser", "_pieces", "_reason", "_room", "has_begun",
        "is_done", "keeps_alive", "may_continue", "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin(0)

    def begin(self, max_answer: int) -> None:
        """Expect an answer, and keep `max_answer` bytes of its body. -1: the answer to a HEAD, which has no body."""
        self.is_done = False
        self.has_begun = False
        """A byte of the answer has arrived, so the server has seen the request."""
        self.may_continue = False
        """`100 Continue` has arrived."""
        self.keeps_alive = False
        self.status = 0
        self._reason = b""
        self._fields: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._room = max_answer
        self._left = max_answer + _MAX_HEAD
        self._is_until_end = False
        self._held: list[bytes] = []
        """The pieces so far of a head that is not complete, to read it again if the parser refuses it."""
        self._odd: bytearray | None = None
        """If the head is odd (`odd.py`): bytes that the parser has not been given yet."""

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrive. Raises GarbageError; the connection is then unusable."""
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
        """The parser refuses `data`. Raises GarbageError, unless `data` may belong to an odd head."""
        if self.is_done:  # the answer is good; only what follows it is garbage
            self.keeps_alive = False
        elif self.status < 200:
            self._read_again(data)
        else:
            raise GarbageError(f"the answer is not HTTP/1.1: {error}") from None

    def _read_again(self, data: bytes) -> None:
        """Read the answer again from its first byte, as one with an odd head. Raises GarbageError."""
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
        """The server has closed its side. True if that completes the answer (RFC 9112, 6.3, case 8)."""
        if self._is_until_end and not self.is_done:
            self.is_done, self.keeps_alive = True, False
        return self.is_done

    def answer(self) -> Answer:
        """The complete answer."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        return Answer(self.status, self._reason.decode("latin-1"), AnswerFields(self._fields), body)

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        if self.is_done:  # this is a second answer, to no request
            self.keeps_alive = False

    def on_status(self, reason: bytes) -> None:
        if not self.is_done:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_done:
            return
        name = name.lower()
        if name in self._fields:  # repeated fields are one list (RFC 9110, 5.3)
            value = self._fields[name] + b", " + value
        self._fields[name] = value

    def on_headers_complete(self) -> None:
        if self.is_done:
            return
        self.status = status = self._parser.get_status_code()
        if self._room < 0 and status >= 200:  # HEAD: Content-Length speaks of a GET, and the parser would wait for it
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
        else:  # cut here, and close the connection rather than read the rest
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
