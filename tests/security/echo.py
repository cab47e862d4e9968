"""A server that repeats every request in its answers, and a search for secrets in texts and files."""

import base64
import html
import itertools
import json
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, unquote

from tests.faults.raw import CREATED
from tests.servers.threads import read_head, tcp_server

ISSUED = "AUTH_tk-issued-" + secrets.token_hex(8)
"""The token that the server gives at each login."""
OF_REQUESTS = re.compile(r"(?im)^(?:x-auth-token|x-auth-key|(?:proxy-)?authorization): (.*?)\r?$")
OF_URLS = re.compile(r"[?&]temp_url_sig=([^& ]*)")
OF_LOGINS = re.compile(r'"(?:password|secret|id)": ("(?:[^"\\]|\\.)*")')
"""Of the document that a login sends to Keystone."""


def secret(name: str) -> str:
    """Gives a unique secret with characters that URLs and JSON escape."""
    return f"{name}/+&{secrets.token_hex(8)}"


def leaks(hidden: dict[str, str], text: str) -> list[str]:
    """Gives the names of secrets in a text: plain, percent-encoded, JSON-escaped, in Base64, or as a Python repr; also
    escaped once more, as on a page for browsers or in an annotation."""
    texts = (text, html.unescape(text).replace("<!-- -->", ""), text.replace("%25", "%"))
    return [name for name, value in hidden.items() if any(form in each for each in texts for form in _forms(value))]


def leaks_below(hidden: dict[str, str], directory: Path) -> list[str]:
    """Gives the same for the names and contents of all files below a directory."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [
        f"{name} in {path.relative_to(directory)}"
        for path in files
        for name in leaks(hidden, str(path) + path.read_bytes().decode("utf-8", "surrogateescape"))
    ]


def _forms(value: str) -> set[str]:
    encoded = {base64.b64encode(text.encode()).decode() for text in (value, f"user:{value}")}
    return {value, quote(value), quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1], *encoded}


@dataclass(slots=True)
class Echo:
    """`heads` are the requests' heads, `documents` those of logins by Keystone; `reached` is set with the first one."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    @property
    def environment(self) -> dict[str, str]:
        return {"ST_AUTH": f"{self.url}/auth/v1.0", "ST_USER": "test:tester"}

    @property
    def keystone(self) -> dict[str, str]:
        return {"OS_AUTH_URL": f"{self.url}/v3", "OS_USERNAME": "tester", "OS_PROJECT_NAME": "test"}


@contextmanager
def echo_server(*statuses: int, login: int = 200, is_garbage: bool = False) -> Iterator[Echo]:
    """Answers logins with `login`, other requests with `statuses` in turn; every answer but a 200 (for Keystone 201)
    repeats the request.

    The secrets are in the reason, Location, ETag and request id; the body has them first and then the whole head, or
    the document of a login. With `is_garbage` the answer is no valid HTTP.
    """
    echo = Echo()
    turns = itertools.cycle(statuses)

    def behave(connection: socket.socket) -> None:
        while True:
            head = read_head(connection).decode("latin-1")
            echo.heads.append(head)
            echo.reached.set()
            document = ""
            if length := re.search(r"(?i)content-length: (\d+)", head):
                document = _body(connection, int(length[1])).decode("utf-8", "replace")
            if head.startswith("POST /v3/auth/tokens"):
                echo.documents.append(document)
                connection.sendall(
                    _of_keystone(echo.url)
                    if login == 201
                    else _answer(login, document, echo.url, is_garbage=is_garbage)
                )
                continue
            if re.match("PUT /v1/[^/]+/[^/]+ ", head):  # the container
                connection.sendall(CREATED)
                continue
            answered = login if head.startswith("GET /auth") else next(turns)
            connection.sendall(_answer(answered, head, echo.url, is_garbage=is_garbage))

    with tcp_server(behave) as seen:
        echo.url = seen.url.replace("localhost", "127.0.0.1")
        yield echo


def _body(connection: socket.socket, length: int) -> bytes:
    body = b""
    while len(body) < length and (piece := connection.recv(min(length - len(body), 65_536))):
        body += piece
    return body


def _of_keystone(url: str) -> bytes:
    endpoint = {"interface": "public", "region_id": "east", "url": f"{url}/v1/AUTH_test"}
    body = json.dumps({"token": {"catalog": [{"type": "object-store", "endpoints": [endpoint]}]}}).encode()
    head = f"HTTP/1.1 201 Created\r\nX-Subject-Token: {ISSUED}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _answer(status: int, asked: str, url: str, *, is_garbage: bool) -> bytes:
    """`asked` is the head of a request, or its document."""
    if status == 200:
        granted = f"X-Auth-Token: {ISSUED}\r\nX-Storage-Url: {url}/v1/AUTH_test"
        return f"HTTP/1.1 200 OK\r\n{granted}\r\nContent-Length: 0\r\n\r\n".encode()
    of_logins = map(json.loads, OF_LOGINS.findall(asked))
    told = " ".join([*OF_REQUESTS.findall(asked), *map(unquote, OF_URLS.findall(asked)), *of_logins])
    if is_garbage:
        return f"{told} is what you sent\r\n\r\n".encode()
    text = f"you sent {told}\n{asked}"
    # HTML, JSON and plain text, in turn: each escapes other characters.
    forms = (
        f"<html><title>{html.escape(text)}</title></html>",
        json.dumps({"message": text}).replace("/", "\\/").replace("+", "\\u002B"),
        text,
    )
    body = forms[status % 3].encode()
    fields = f"Location: http://other.example/?{quote(told)}&{told}\r\nX-Trans-Id: {told}\r\nETag: {told}"
    reason = HTTPStatus(status).phrase if status in (409, 413, 418, 429) else told  # then the body says why
    return f"HTTP/1.1 {status} {reason}\r\n{fields}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
