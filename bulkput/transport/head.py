"""Request heads as bytes. Nothing in a field or a path can end its line: no CR, LF or NUL gets in but from here."""

from collections.abc import Mapping

from bulkput.errors import UsageError
from bulkput.policy.headers import is_token

_LINES_OF_START = 3
_FRAMING = frozenset(("host", "content-length", "transfer-encoding", "expect", "connection", "upgrade", "te"))
"""A second one of these could make two requests of one."""


class Heads:
    """Heads of the requests to one host: what they have in common is prepared, names are checked when first used."""

    __slots__ = ("_begin", "_names")

    def __init__(self, netloc: str, user_agent: str) -> None:
        self._begin = f" HTTP/1.1\r\nHost: {netloc}\r\nUser-Agent: {user_agent}\r\n"
        self._names = _Names()

    def head(
        self, method: str, path: str, headers: Mapping[str, str], framing: str = "", *, expects: bool = False
    ) -> bytes:
        """`path` is percent-encoded, `framing` a whole line or nothing.

        Raises UsageError for a path that is not encoded, for what is no field name, and for a value with a line end
        or a NUL. Values are checked all at once: as many line ends as lines is as many as there should be.
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
    """Field names as they begin a line."""

    def __missing__(self, name: str) -> str:
        if not is_token(name):
            raise UsageError(f"{name!r} is not a header name")
        if name.lower() in _FRAMING:
            raise UsageError(f"{name} is set by the transport itself")
        self[name] = f"{name}: "
        return self[name]
