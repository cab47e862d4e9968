"""Which server gets which credentials, and what a netrc that is no good may say."""

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bulkput.engine.objects.copy import copy, move
from bulkput.errors import NotFound, UsageError
from bulkput.stores.http.credentials import authorization_of
from tests.security.echo import leaks, secret

HERE, THERE = "https://Files.example-1.org/a/", "https://public.example/b/"
ALL = {
    "BULKPUT_HTTP_TOKEN": "plain",
    "BULKPUT_HTTP_TOKEN_FILES_EXAMPLE_1_ORG": "mine",
    "BULKPUT_HTTP_TOKEN_FILES_EXAMPLE_1_ORG_8443": "my port's",
    "BULKPUT_HTTP_TOKEN_127_0_0_1": "numbers",
    "BULKPUT_HTTP_TOKEN___1": "colons",
}
NO_NETRC = {"NETRC": "/dev/null"}


@pytest.mark.parametrize(
    ("url", "destination", "expected"),
    [
        (HERE, None, "mine"),
        (HERE, THERE, "mine"),
        ("https://files.example-1.org:8443/", None, "my port's"),
        ("http://127.0.0.1:81/", THERE, "numbers"),
        ("http://[::1]/", THERE, "colons"),
        (THERE, None, "plain"),
        (THERE, "https://public.example:443/c/", "plain"),
        (THERE, HERE, None),
        (THERE, "http://public.example/b/", None),
        (THERE, "https://public.example:444/b/", None),
        (THERE, "container", None),
    ],
)
def test_a_token_is_sent_only_to_its_server(url: str, destination: str | None, expected: str) -> None:
    """The variable's name has the host; without a host, the token is for the destination's server."""
    found = authorization_of(url, {**ALL, **NO_NETRC}, destination=destination)
    assert found == (expected and f"Bearer {expected}")


def test_a_user_and_password_are_sent_only_to_their_host() -> None:
    """Both variables must be set."""
    environ = {"BULKPUT_HTTP_USER_A_B": "u", "BULKPUT_HTTP_PASSWORD_A_B": "p", **NO_NETRC}
    assert authorization_of("http://a.b/", environ) == "Basic " + base64.b64encode(b"u:p").decode()
    assert authorization_of("http://b.a/", environ) is None
    del environ["BULKPUT_HTTP_PASSWORD_A_B"]
    with pytest.raises(UsageError, match="set both BULKPUT_HTTP_USER_A_B and BULKPUT_HTTP_PASSWORD_A_B"):
        authorization_of("http://a.b/", environ)


@contextmanager
def listening() -> Iterator[tuple[str, list[str | None]]]:
    """A server that has nothing: its URL, and the field Authorization of each request."""
    told: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            told.append(self.headers["Authorization"])
            self.send_response_only(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", told
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("is_move", [False, True])
async def test_a_source_server_gets_no_token_of_the_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_move: bool
) -> None:
    """cp and mv read one server and write to another."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with listening() as (source, told), listening() as (target, _):
        for name in ("", "_127_0_0_1"):
            environ = {f"BULKPUT_HTTP_TOKEN{name}": "secret"}
            with pytest.raises(NotFound):
                await (move if is_move else copy)(f"{source}/x", f"{target}/y", environ=environ)
    assert told == [None, "Bearer secret"]


BROKEN = {
    "machine": "machine 127.0.0.1 login user passwort {}\n",
    "entry": "machine 127.0.0.1\n{}\n",
    "start": "{} is my password\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_netrc_parse_error_names_the_file_and_quotes_nothing(tmp_path: Path, text: str) -> None:
    """The parser's own message could contain part of a password."""
    hidden, path = secret("hidden"), tmp_path / "netrc"
    path.write_text(text.format(hidden))
    with pytest.raises(UsageError) as raised:
        authorization_of("http://127.0.0.1/", {"NETRC": str(path)})
    assert str(path) in str(raised.value) and "line" in str(raised.value)
    assert raised.value.__cause__ is None and leaks({"hidden": hidden}, str(raised.value)) == []
    assert not [word for word in hidden.split("/") if word in str(raised.value).replace(str(path), "")]


def _absent(home: Path) -> None:
    home.joinpath("nothing").mkdir()


def _file(home: Path) -> None:
    home.joinpath(".netrc").mkdir()


@pytest.mark.parametrize("make", [_absent, _file])
def test_a_missing_netrc_is_an_error_only_if_the_variable_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    """A netrc that HOME has not, or that cannot be read, is ignored."""
    make(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert authorization_of(HERE, {}) is None
    for path in (tmp_path / "gone", tmp_path):
        with pytest.raises(UsageError, match="which NETRC names"):
            authorization_of(HERE, {"NETRC": str(path)})


def test_a_binary_netrc_is_refused_without_quoting_it(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    path = tmp_path / "netrc"
    path.write_bytes(b"machine \xff\xfe\x81 login \x81")
    with pytest.raises(UsageError, match="it is not text"):
        authorization_of(HERE, {"NETRC": str(path)})
