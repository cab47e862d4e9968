"""Request heads as bytes. Only this file writes CR, LF or NUL into a head, so no field and no path can end its line."""

from collections.abc import Mapping

from bulkput.errors import UsageError
from bulkput.policy.headers import is_token

_LINES_OF_START = 3
_FRAMING = frozenset(("host", "content-length", "transfer-encoding", "expect", "connection", "upgrade", "te"))
"""The transport sets these itself. A second one from a caller could turn one request into two (request smuggling)."""


class Heads:
    """Heads of the requests to one host. Their common part is made once; field names are checked when first used."""

    __slots__ = ("_begin", "_names")

    def __init__(self, netloc: str, user_agent: str) -> None:
        self._begin = f" HTTP/1.1\r\nHost: {netloc}\r\nUser-Agent: {user_agent}\r\n"
        self._names = _Names()

    def head(
        self, method: str, path: str, headers: Mapping[str, str], framing: str = "", *, expects: bool = False
    ) -> bytes:
        """`path` is percent-encoded; `framing` is a whole line or empty.

        Raises UsageError if the path is not encoded, a name is not a field name, or a value has a line end or a NUL.
        All values are checked at once: the head must have exactly as many line ends as lines.
        """
        names = self._names
        fields = "".join([f"{names[name]}{value}\r\n" for name, value in headers.items()])
        expect = "Expect: 100-continue\r\n" if expects else ""
        head = f"{method} {path}{self._begin}{fields}{framing}{expect}\r\n"
        ends = _LINES_OF_START + len(headers) + (framing != "") + expects + 1
        if head.count("\n") != ends or head.count("\r") != ends or "\0" in head:
            raise UsageError("a header field has a line end or a NUL in its value")
        if " " in path or not path.isascii() or not path.isprintable():
            raise UsageError(f"{path!r} is not percent-encoded")
        try:
            return head.encode()
        except UnicodeEncodeError:
            raise UsageError("a header field is not UTF-8") from None


class _Names(dict[str, str]):
    """Field name -> the beginning of its line."""

    def __missing__(self, name: str) -> str:
        if not is_token(name):
            raise UsageError(f"{name!r} is not a header name")
        if name.lower() in _FRAMING:
            raise UsageError(f"{name} is set by the transport itself")
        self[name] = f"{name}: "
        return self[name]
