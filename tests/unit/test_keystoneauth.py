"""Logins by keystoneauth1's plugins, whose requests our transport sends. Its own session is the judge."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import loading
from keystoneauth1.session import Session

from bulkput.engine.open_store import connected
from bulkput.errors import BulkputError, Denied, StoreGone, Unavailable, UsageError
from bulkput.stores.swift.environment import login_from
from bulkput.stores.swift.keystoneauth import KeystoneauthLogin, _in_a_thread
from bulkput.stores.swift.login import LoginRequest, Token
from bulkput.testing.given import ONCE
from bulkput.transport.base import Answer

Page = tuple[int, Any, Mapping[str, str]]
CATALOG = [
    {"type": "object-store", "endpoints": [{"interface": "public", "region_id": "east", "url": "{url}/v1/AUTH_p"}]}
]
TIMES = {"issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2026-01-01T01:00:00.000000Z"}
TOKEN: Page = (201, {"token": {"catalog": CATALOG, "project": {"id": "p"}, **TIMES}}, {"X-Subject-Token": "scoped"})
UNSCOPED: Page = (201, {"token": TIMES}, {"X-Subject-Token": "unscoped"})
FEDERATED = "/v3/OS-FEDERATION/identity_providers/corp/protocols/openid/auth"
SUCCESS: Mapping[str, Page] = {
    "/v3/auth/tokens": TOKEN,
    FEDERATED: UNSCOPED,
    "/.well-known/openid-configuration": (200, {"token_endpoint": "{url}/idp/token"}, {}),
    "/idp/token": (200, {"access_token": "geheim-access"}, {}),
    "/oauth2/token": (200, {"access_token": "scoped"}, {}),
}


@dataclass(frozen=True)
class Sent:
    """What a server has seen of a request."""

    method: str
    path: str
    fields: Mapping[str, str]
    body: bytes


@dataclass
class Cloud:
    """A server that is Keystone and an identity provider, as far as `pages` go. `{url}` in them is its address."""

    url: str
    pages: dict[str, Page]
    seen: list[Sent] = field(default_factory=list)


@contextmanager
def cloud(**pages: Page) -> Iterator[Cloud]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {name: self.headers[name] for name in ("Authorization", "Content-Type", "Accept", "X-Auth-Token")}
            found.seen.append(Sent(self.command, self.path, {k: v for k, v in kept.items() if v}, body))
            status, page, fields = found.pages.get(self.path, (404, {}, {}))
            content = page if isinstance(page, bytes) else json.dumps(page).replace("{url}", found.url).encode()
            self.send_response(status)
            for name, text in {"Content-Length": str(len(content)), **fields}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def log_message(self, *_: object) -> None:
            """The test prints what it needs."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Cloud(f"http://127.0.0.1:{server.server_port}", {**SUCCESS, **pages})
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield found
        finally:
            server.shutdown()
            serving.join()


COMMON = {"OS_AUTH_URL": "{url}/v3", "OS_PROJECT_ID": "p"}
OIDC = {
    "OS_IDENTITY_PROVIDER": "corp",
    "OS_PROTOCOL": "openid",
    "OS_CLIENT_ID": "bulkput",
    "OS_CLIENT_SECRET": "geheim-client",
    "OS_DISCOVERY_ENDPOINT": "{url}/.well-known/openid-configuration",
}
USER = {"OS_USERNAME": "u", "OS_USER_DOMAIN_NAME": "d"}
WAYS: Mapping[str, Mapping[str, str]] = {
    "v3totp": {**USER, "OS_PASSCODE": "geheim-123456"},
    "v3multifactor": {
        **USER,
        "OS_AUTH_METHODS": "v3password,v3totp",
        "OS_PASSWORD": "geheim-password",
        "OS_PASSCODE": "geheim-123456",
    },
    "v3oidcpassword": {**OIDC, "OS_USERNAME": "u", "OS_PASSWORD": "geheim-password"},
    "v3oidcclientcredentials": {**OIDC, "OS_OPENID_SCOPE": "openid groups"},
    "v3oidcaccesstoken": {**OIDC, "OS_ACCESS_TOKEN": "geheim-access"},
    "v3oidcauthcode": {**OIDC, "OS_CODE": "geheim-code", "OS_REDIRECT_URI": "https://bulkput.example"},
    "v3oauth2clientcredential": {
        "OS_OAUTH2_ENDPOINT": "{url}/oauth2/token",
        "OS_OAUTH2_CLIENT_ID": "bulkput",
        "OS_OAUTH2_CLIENT_SECRET": "geheim-client",
    },
}


def environ_of(way: str, server: Cloud, **changed: str) -> dict[str, str]:
    variables = {"OS_AUTH_TYPE": way, **COMMON, **WAYS[way], **changed}
    return {name: text.replace("{url}", server.url) for name, text in variables.items()}


async def token_of(environ: Mapping[str, str]) -> Token:
    """By our own transport."""
    async with connected("swift://c", environ=environ, retry=ONCE) as (store, _):
        bare: Any = store
        while hasattr(bare, "_store"):
            bare = bare._store
        token = await bare._account.token()
        assert isinstance(token, Token)
        return token


def by_keystoneauth(environ: Mapping[str, str]) -> None:
    """The same login by keystoneauth1's own session."""
    loader: Any = loading.get_plugin_loader(environ["OS_AUTH_TYPE"])
    methods = environ.get("OS_AUTH_METHODS")
    if methods is not None:
        loader._methods = methods.split(",")
    named = {option.dest: f"OS_{option.name.upper().replace('-', '_')}" for option in loader.get_options()}
    given: dict[str, Any] = {option: environ[name] for option, name in named.items() if name in environ}
    loader.load_from_options(**given | ({"auth_methods": loader._methods} if methods else {})).get_access(Session())


@pytest.mark.parametrize("way", WAYS)
async def test_a_login_sends_what_keystoneauth_sends_by_itself(way: str) -> None:
    """Methods, paths, bodies and the fields that matter, of each request of the login."""
    with cloud() as server:
        token = await token_of(environ_of(way, server))
        assert token == Token(f"{server.url}/v1/AUTH_p", "scoped", 3600.0)
        sent, server.seen = server.seen, []
        await asyncio.to_thread(by_keystoneauth, environ_of(way, server))
        assert sent == server.seen
        assert sent[-1].path == "/v3/auth/tokens" or way == "v3oauth2clientcredential"


@pytest.mark.parametrize(
    "times", [{}, {"expires_at": None, "issued_at": None}, {**TIMES, "expires_at": "later"}, {**TIMES, "issued_at": 1}]
)
async def test_a_token_without_usable_times_has_no_known_life(times: Mapping[str, Any]) -> None:
    """keystoneauth1 reads them only when it is asked for them, and raises what it likes."""
    page: Page = (201, {"token": {"catalog": CATALOG, **times}}, {"X-Subject-Token": "scoped"})
    with cloud(**{KEYSTONE: page}) as server:
        assert await token_of(environ_of("v3totp", server)) == Token(f"{server.url}/v1/AUTH_p", "scoped", None)


KEYSTONE, DISCOVERY, IDP = "/v3/auth/tokens", "/.well-known/openid-configuration", "/idp/token"
GRANT = {"error": "invalid_grant"}
REFUSED: Mapping[str, tuple[dict[str, Page], type[BulkputError], str]] = {
    "v3totp, a wrong passcode": ({KEYSTONE: (401, {}, {})}, Denied, "^login u: 401 refused by .*: check OS_PASSCODE$"),
    "v3totp, no Keystone": ({KEYSTONE: (404, {}, {})}, UsageError, "no Keystone v3 at"),
    "v3totp, a page": ({KEYSTONE: (201, b"<html>", {})}, UsageError, "cannot log in by OS_AUTH_TYPE=v3totp"),
    "v3totp, a redirect": (
        {KEYSTONE: (302, b"", {"Location": "http://else"})},
        UsageError,
        "cannot log in by OS_AUTH_",
    ),
    "v3totp, no catalog": ({KEYSTONE: UNSCOPED}, UsageError, "without a catalog"),
    "v3totp, no token": (
        {KEYSTONE: (*TOKEN[:2], {"X-Subject-Token": ""})},
        UsageError,
        "cannot log in by OS_AUTH_TYPE=v3totp: .* gives no token",
    ),
    "v3totp, trouble": ({KEYSTONE: (503, {}, {})}, StoreGone, "503"),
    "v3totp, too many": ({KEYSTONE: (429, {}, {})}, StoreGone, "429"),
    "v3oidcpassword, 401": ({IDP: (401, GRANT, {})}, Denied, "/idp/token: check OS_CLIENT_SECRET, OS_PASSWORD .inval"),
    "v3oidcpassword, 400": ({IDP: (400, GRANT, {})}, Denied, "400 refused by http.*/idp/token: check OS_CLIENT_SECRET"),
    "v3oidcpassword, 404": (
        {FEDERATED: (404, {}, {})},
        UsageError,
        "check OS_AUTH_URL, OS_IDENTITY_PROVIDER, OS_PROTO",
    ),
    "v3oidcpassword, no document": ({DISCOVERY: (404, {}, {})}, UsageError, "OS_DISCOVERY_ENDPOINT"),
    "v3oidcpassword, a page": (
        {DISCOVERY: (200, b"<html>", {})},
        UsageError,
        "cannot log in by OS_AUTH_TYPE=v3oidcpas",
    ),
    "v3oidcpassword, no token": ({IDP: (200, {}, {})}, UsageError, "does not answer as it should .KeyError: 'access_t"),
    "v3oidcpassword, trouble": ({IDP: (500, {}, {})}, StoreGone, "500"),
}


def test_keystoneauth1_writes_no_line_of_its_own() -> None:
    """In a process that takes no log, Python writes warnings to stderr. The error tells the same."""
    with cloud(**{DISCOVERY: (404, {}, {})}) as server:
        environ = {**os.environ, **environ_of("v3oidcpassword", server)}
        ran = subprocess.run(
            [sys.executable, "-m", "bulkput", "ls", "swift://c"],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1) and "is not there (404)" in ran.stderr, ran.stderr


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_login_is_one_sentence_without_secrets(case: str) -> None:
    pages, kind, says = REFUSED[case]
    way = case.partition(",")[0]
    with cloud(**pages) as server, pytest.raises(kind, match=says) as caught:
        await token_of(environ_of(way, server))
    assert "geheim" not in str(caught.value) and "\n" not in str(caught.value)


async def test_a_secret_that_the_server_repeats_is_masked() -> None:
    """Each of them, in an answer of any status."""
    echo = json.dumps({"error": "geheim-client and geheim-password are wrong"}).encode()
    for status in (400, 401, 500):
        with cloud(**{"/idp/token": (status, echo, {})}) as server, pytest.raises(BulkputError) as caught:
            await token_of(environ_of("v3oidcpassword", server))
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"OS_AUTH_TYPE": "v3oidcpassword"}, "OS_AUTH_TYPE=v3oidcpassword needs OS_IDENTITY_PROVIDER, OS_PROTOCOL"),
        (
            {"OS_AUTH_TYPE": "v3oidcclientcredentials", "OS_IDENTITY_PROVIDER": "i", "OS_PROTOCOL": "p"},
            "You have to spec",
        ),
        ({"OS_AUTH_TYPE": "v3multifactor"}, "OS_AUTH_TYPE=v3multifactor needs OS_AUTH_METHODS"),
        ({"OS_AUTH_TYPE": "v3multifactor", "OS_AUTH_METHODS": "v3nothing"}, "does not know v3nothing; "),
        ({"OS_AUTH_TYPE": "v3nothing"}, "does not know v3nothing; there are v3applicationcredential, .*v3totp"),
        ({"OS_AUTH_TYPE": "v3totp", "OS_PASSCODE": "geheim\n"}, "^OS_PASSCODE: its value has a control character"),
        *(
            ({"OS_AUTH_TYPE": name}, f"{name} is not supported: `openstack token issue` gives a token")
            for name in ("v3websso", "v3oidcdeviceauthz", "v3kerberos", "v3fedkerb", "v3adfspassword", "v3samlpassword")
        ),
        ({"OS_AUTH_TYPE": "v3oauth1"}, "v3oauth1 is not supported: `openstack token issue` gives a token"),
        ({"OS_AUTH_TYPE": "v3tokenlessauth", "OS_PROJECT_ID": "p"}, "v3tokenlessauth gives no token"),
        ({"OS_AUTH_TYPE": "none"}, "OS_AUTH_TYPE=none gives no token"),
        ({"OS_AUTH_TYPE": "v3totp", "OS_PASSCODE": "1", "OS_PROJECT_ID": "p", "OS_DOMAIN_ID": "d"}, "multiple targets"),
    ],
)
async def test_a_login_that_cannot_begin_says_what_is_missing(environ: Mapping[str, str], says: str) -> None:
    """No request is sent."""

    async def ask(_request: LoginRequest) -> Answer:
        pytest.fail("a request was sent")

    with pytest.raises(UsageError, match=says):
        await login_from({"OS_AUTH_URL": "http://k/v3", **environ}).token(ask)


@pytest.mark.parametrize("way", WAYS)
def test_a_code_is_for_one_login(way: str) -> None:
    """Other logins are renewed. Neither repr nor place has a secret."""
    login = login_from({"OS_AUTH_TYPE": way, **COMMON, **WAYS[way], "OS_AUTH_URL": "http://k/v3"})
    is_once = way in ("v3totp", "v3multifactor", "v3oidcauthcode")
    assert isinstance(login, KeystoneauthLogin)
    assert (login.renews_ahead, login.cannot_renew is None) == (not is_once, not is_once)
    assert "geheim" not in f"{login!r} {login.place} {login.cannot_renew}" and login.place.endswith(
        "project p at http://k"
    )


@pytest.mark.parametrize("project", ["OS_PROJECT_NAME", "OS_TENANT_NAME"])
async def test_a_user_without_a_domain_is_in_the_default_one(project: str) -> None:
    """As for a password, with old and new names of the project; keystoneauth1 would refuse the user's."""
    sent: list[LoginRequest] = []

    async def ask(request: LoginRequest) -> Answer:
        sent.append(request)
        raise Unavailable("login", "", "enough")

    named = {"OS_USERNAME": "u", "OS_PASSCODE": "1", project: "p"}
    with pytest.raises(Unavailable, match="enough"):
        await login_from({"OS_AUTH_URL": "http://k/v3", "OS_AUTH_TYPE": "v3totp", **named}).token(ask)
    document = json.loads(sent[0].body or b"")["auth"]
    assert document["identity"]["totp"]["user"]["domain"] == document["scope"]["project"]["domain"] == {"id": "default"}


async def test_client_secrets_go_into_a_field_that_is_masked_in_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Basic credentials, as OAuth 2.0 has it. Nothing of .netrc is added to other requests."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login u password geheim-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with cloud() as server:
        await token_of(environ_of("v3totp", server))
        assert "Authorization" not in server.seen[-1].fields
        await token_of(environ_of("v3oidcclientcredentials", server))
        basic = next(each.fields["Authorization"] for each in server.seen if each.path == "/idp/token")
        assert b64decode(basic.removeprefix("Basic ")) == b"bulkput:geheim-client"


async def test_a_login_that_is_cancelled_leaves_no_thread() -> None:
    """The thread waits for an answer: that wait raises, so the thread ends."""
    arrived, before = asyncio.Event(), set(threading.enumerate())

    async def ask(_request: LoginRequest) -> Answer:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    login = login_from({"OS_AUTH_TYPE": "v3totp", "OS_AUTH_URL": "http://k/v3", "OS_PASSCODE": "1", "OS_USER_ID": "u"})
    task = asyncio.create_task(login.token(ask))
    await arrived.wait()
    await ended(task, before)


async def test_a_login_that_is_cancelled_between_two_requests_leaves_no_thread() -> None:
    """The thread computes: its next request raises, and is not sent."""
    answered, is_over, before = asyncio.Event(), threading.Event(), set(threading.enumerate())
    request = LoginRequest("GET", "http://k/v3", {})

    async def ask(_request: LoginRequest) -> Answer:
        assert not answered.is_set()
        asyncio.get_running_loop().call_soon(answered.set)
        return Answer(200, "", {}, b"")

    def talk(send: Callable[[LoginRequest], Answer]) -> Answer:
        send(request)
        is_over.wait()
        return send(request)

    task = asyncio.create_task(_in_a_thread(talk, ask))
    await answered.wait()
    await ended(task, before, is_over)


async def ended(task: asyncio.Task[Any], before: set[threading.Thread], *events: threading.Event) -> None:
    """Cancels the task, sets the events, and waits for the threads that were not there before."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for event in events:
        event.set()
    threads = [each for each in threading.enumerate() if each not in before]
    await asyncio.get_running_loop().shutdown_default_executor()
    assert threads and not any(each.is_alive() for each in threads)


async def test_keystoneauth1_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the message says how to install it."""
    monkeypatch.setitem(sys.modules, "keystoneauth1", None)
    unused: Callable[[LoginRequest], Awaitable[Answer]] = None  # type: ignore[assignment]
    with pytest.raises(UsageError, match=r"v3totp needs keystoneauth1, .* pip install 'bulkput\[keystone\]'"):
        await login_from({"OS_AUTH_TYPE": "v3totp", "OS_AUTH_URL": "http://k/v3"}).token(unused)
